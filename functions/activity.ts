import { createRoute, z } from "@hono/zod-openapi";

import { activityTypes, listActivity } from "../db/activity.ts";
import { guarded } from "./access.ts";
import { ById, json, newApp, page, pageOf } from "./http.ts";
import { ActivityRow, presentActivity } from "./present.ts";

const Query = z.object({
  activity_type: z.enum(activityTypes).optional(),
  status: z.enum(["success", "failure"]).optional(),
  integration_id: z.uuid().optional(),
  from: z.iso.datetime({ offset: true }).optional(),
  to: z.iso.datetime({ offset: true }).optional(),
  cursor: z.coerce.number().int().positive().optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});
const Answer = pageOf(ActivityRow);

const ofOrg = createRoute({
  method: "get",
  path: "/api/activity",
  operationId: "listActivity",
  summary: "The org's activity, newest first",
  ...guarded("activity:read"),
  request: { query: Query },
  responses: { 200: json(Answer, "A page of activity") },
});
const ofIntegration = createRoute({
  method: "get",
  path: "/api/integrations/{id}/activity",
  operationId: "listIntegrationActivity",
  summary: "An integration's activity, newest first",
  ...guarded("activity:read"),
  request: { params: ById, query: Query.omit({ integration_id: true }) },
  responses: { 200: json(Answer, "A page of activity") },
});

type PageQuery = z.output<typeof Query>;

const filterOf = (query: PageQuery, integrationId: string | undefined) => ({
  integrationId,
  activityType: query.activity_type,
  status: query.status,
  from: query.from ? new Date(query.from) : undefined,
  to: query.to ? new Date(query.to) : undefined,
  before: query.cursor,
  limit: query.limit + 1,
});

export const activityRoutes = newApp()
  .openapi(ofOrg, async (c) => {
    const query = c.req.valid("query");
    const [rows] = await c.var.db.run(
      listActivity(c.var.db, filterOf(query, query.integration_id)),
    );
    return c.json(
      page(rows.map(presentActivity), query.limit, ({ seq }) => String(seq)),
      200,
    );
  })
  .openapi(ofIntegration, async (c) => {
    const query = c.req.valid("query");
    const [rows] = await c.var.db.run(
      listActivity(c.var.db, filterOf(query, c.req.valid("param").id)),
    );
    return c.json(
      page(rows.map(presentActivity), query.limit, ({ seq }) => String(seq)),
      200,
    );
  });

import { createRoute, z } from "@hono/zod-openapi";

import { activityAfter, type Activity, verifyActivity } from "../db/activity.ts";
import type { OrgDb } from "../db/org.ts";
import { guarded } from "./access.ts";
import { json, newApp } from "./http.ts";
import { presentActivity } from "./present.ts";

const exportActivity = createRoute({
  method: "get",
  path: "/api/activity/export",
  operationId: "exportActivity",
  summary: "The org's whole audit log, oldest first, as NDJSON or CSV",
  ...guarded("activity:read"),
  request: {
    query: z.object({
      format: z.enum(["ndjson", "csv"]).default("ndjson"),
      integration_id: z.uuid().optional(),
      from: z.iso.datetime({ offset: true }).optional(),
      to: z.iso.datetime({ offset: true }).optional(),
    }),
  },
  responses: {
    200: {
      description: "A file without a limit of rows",
      content: {
        "application/x-ndjson": { schema: z.string() },
        "text/csv": { schema: z.string() },
      },
    },
  },
});
const verify = createRoute({
  method: "get",
  path: "/api/activity/verify",
  operationId: "verifyActivity",
  summary: "Recomputes the hash chain of the org's audit log",
  ...guarded("activity:read"),
  responses: {
    200: json(
      z.object({
        success: z.literal(true),
        data: z.object({
          intact: z.boolean(),
          rows: z.number().int(),
          /** The first row that does not fit its hash, its predecessor or its place. */
          first_bad_seq: z.number().int().nullable(),
          /** The chain's last hash: kept elsewhere, it proves later that nothing was cut off. */
          head: z.string(),
        }),
      }),
      "Whether every row is as it was written",
    ),
  },
});

const pageSize = 1_000;
const columns = [
  "seq",
  "created_at",
  "activity_type",
  "status",
  "integration_id",
  "vendor_id",
  "actor",
  "created_by",
  "ip",
  "request_id",
  "error_message",
  "details",
  "hash",
] as const;

/** RFC 4180; a cell that a spreadsheet would run as a formula is led by an apostrophe (OWASP). */
export function csvCell(value: unknown): string {
  const text =
    value === null || value === undefined
      ? ""
      : typeof value === "object"
        ? JSON.stringify(value)
        : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) && typeof value !== "number" ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

type Filter = Parameters<typeof activityAfter>[1];

/** One page at a time, as the reader takes it: the log is never in memory as a whole. */
function lines(
  db: OrgDb,
  filter: Omit<Filter, "after" | "limit">,
  first: Activity[],
  csv: boolean,
) {
  const line = (row: Activity) => {
    const shown = presentActivity(row);
    return csv ? columns.map((name) => csvCell(shown[name])).join(",") : JSON.stringify(shown);
  };
  const end = csv ? "\r\n" : "\n";
  let page: Activity[] | undefined = first;
  let after = 0;
  let begun = false;
  return new ReadableStream<string>({
    async pull(controller) {
      const rows: Activity[] =
        page ?? (await db.run(activityAfter(db, { ...filter, after, limit: pageSize })))[0];
      page = undefined;
      const header = csv && !begun ? columns.join(",") + end : "";
      begun = true;
      if (header || rows.length)
        controller.enqueue(header + rows.map((row) => line(row) + end).join(""));
      after = rows.at(-1)?.seq ?? after;
      if (rows.length < pageSize) controller.close();
    },
  }).pipeThrough(new TextEncoderStream());
}

export const auditRoutes = newApp()
  .openapi(exportActivity, async (c) => {
    const { db } = c.var;
    const query = c.req.valid("query");
    const filter = {
      integrationId: query.integration_id,
      from: query.from ? new Date(query.from) : undefined,
      to: query.to ? new Date(query.to) : undefined,
    };
    const [first] = await db.run(activityAfter(db, { ...filter, after: 0, limit: pageSize }));
    const csv = query.format === "csv";
    return new Response(lines(db, filter, first, csv), {
      headers: {
        "content-type": csv ? "text/csv; charset=utf-8" : "application/x-ndjson",
        "content-disposition": `attachment; filename="activity.${query.format}"`,
        "cache-control": "no-store",
      },
    });
  })
  .openapi(verify, async (c) => {
    const [[found]] = await c.var.db.run(verifyActivity(c.var.db));
    const data = found ?? { intact: true, rows: 0, first_bad_seq: null, head: "" };
    return c.json({ success: true as const, data }, 200);
  });

import { createRoute, z } from "@hono/zod-openapi";

import { listAttempts, listDeliveries } from "../db/deliveries.ts";
import { deliveryStates } from "../db/schema.ts";
import { Problem } from "../problem.ts";
import { guarded } from "./access.ts";
import { ById, json, newApp, page, pageOf } from "./http.ts";
import { causes } from "./send.ts";

const DeliveryRow = z
  .object({
    id: z.uuid(),
    org_id: z.uuid(),
    event_id: z.uuid(),
    event_type: z.string(),
    vendor_id: z.string(),
    integration_id: z.uuid(),
    destination_id: z.uuid(),
    destination_name: z.string(),
    state: z.enum(deliveryStates),
    /** Attempts made, probes and interrupted ones too. */
    attempts: z.number().int(),
    /** Attempts that count: after the tenth the delivery is dead. */
    failures: z.number().int(),
    replays: z.number().int(),
    next_attempt_at: z.iso.datetime().nullable(),
    last_status: z.number().int().nullable(),
    last_cause: z.string().nullable(),
    last_latency_ms: z.number().int().nullable(),
    delivered_at: z.iso.datetime().nullable(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi("Delivery");

const AttemptRow = z
  .object({
    number: z.number().int(),
    /** Sent while the breaker was open, to see whether the endpoint is back; does not count. */
    probe: z.boolean(),
    replay: z.boolean(),
    started_at: z.iso.datetime(),
    /** Null while it is under way. */
    finished_at: z.iso.datetime().nullable(),
    status: z.number().int().nullable(),
    latency_ms: z.number().int().nullable(),
    /** Null for a 2xx. */
    cause: z.string().nullable(),
    message: z.string().nullable(),
    /** The first 500 bytes of a reply of text, with what looks like a secret masked. */
    excerpt: z.string().nullable(),
  })
  .openapi("DeliveryAttempt");

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listDeliveries",
  summary: "Deliveries of events to destinations, newest event first",
  ...guarded("events:read"),
  request: {
    query: z.object({
      org_id: z.string().optional(),
      event_id: z.uuid().optional(),
      destination_id: z.uuid().optional(),
      state: z.enum(deliveryStates).optional(),
      from: z.iso.datetime({ offset: true }).optional(),
      to: z.iso.datetime({ offset: true }).optional(),
      cursor: z.uuid().optional(),
      limit: z.coerce.number().int().min(1).max(200).default(50),
    }),
  },
  responses: {
    200: json(pageOf(DeliveryRow), "A page of deliveries"),
  },
});
const read = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "readDelivery",
  summary: "A delivery with each of its attempts, the last first",
  ...guarded("events:read"),
  request: { params: ById },
  responses: {
    200: json(
      z.object({
        success: z.literal(true),
        data: DeliveryRow.extend({ tries: z.array(AttemptRow) }),
      }),
      "The delivery",
    ),
  },
});

/** Roles that may see what an event held. */
export const seesPayloads = (role: string) => ["owner", "admin", "member"].includes(role);

export const deliveryRoutes = newApp()
  .openapi(list, async (c) => {
    const { db } = c.var;
    const query = c.req.valid("query");
    const [rows] = await db.run(
      listDeliveries(
        db,
        {
          eventId: query.event_id,
          destinationId: query.destination_id,
          state: query.state,
          from: query.from ? new Date(query.from) : undefined,
          to: query.to ? new Date(query.to) : undefined,
        },
        { before: query.cursor, limit: query.limit + 1 },
      ),
    );
    return c.json(
      page(rows, query.limit, ({ id }) => id),
      200,
    );
  })
  .openapi(read, async (c) => {
    const { db } = c.var;
    const { id } = c.req.valid("param");
    const [[row], attempts] = await db.run(
      listDeliveries(db, { id }, { limit: 1 }),
      listAttempts(db, id),
    );
    if (!row) throw new Problem("not_found");
    const { orgId, role } = db.actor;
    const tries = await Promise.all(
      attempts.map(async ({ id: attemptId, excerpt, ...attempt }) => ({
        ...attempt,
        message: attempt.cause ? ((causes as Record<string, string>)[attempt.cause] ?? null) : null,
        excerpt:
          excerpt && seesPayloads(role)
            ? await c.env.vault.open<string>({ orgId, id: attemptId }, excerpt)
            : null,
      })),
    );
    return c.json({ success: true as const, data: { ...row, tries } }, 200);
  });

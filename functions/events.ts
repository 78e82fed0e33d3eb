import { createRoute, z } from "@hono/zod-openapi";

import { logActivity } from "../db/activity.ts";
import { listDeliveries } from "../db/deliveries.ts";
import { getDestination } from "../db/destinations.ts";
import {
  defaultRetentionDays,
  type EventFilter,
  getEvent,
  listEvents,
  lockDestinations,
  planReplay,
  type ReplayPlan,
  replayEvents,
} from "../db/events.ts";
import type { OrgDb } from "../db/org.ts";
import { listRetention, setRetention } from "../db/retention.ts";
import { deliveryStates } from "../db/schema.ts";
import { loadVendor, vendorId as currentId } from "../handlers/registry.ts";
import { Problem } from "../problem.ts";
import { guarded } from "./access.ts";
import { seesPayloads } from "./deliveries.ts";
import type { Env } from "./env.ts";
import { payloadForm, type StoredPayload } from "./envelope.ts";
import { wakeAll } from "./forwarding.ts";
import { ById, json, jsonBody, newApp, page, pageOf } from "./http.ts";

const Time = z.iso.datetime({ offset: true });
const filters = {
  integration_id: z.uuid().optional(),
  vendor_id: z.string().max(100).optional(),
  /** A glob over `<vendor>.<type>` or the type alone. */
  type: z.string().min(1).max(200).optional(),
  status: z.enum(["received", "processed", "failed"]).optional(),
  /** Events of which some delivery is in this state. */
  delivery_state: z.enum(deliveryStates).optional(),
  from: Time.optional(),
  to: Time.optional(),
};

const EventRow = z
  .object({
    id: z.uuid(),
    org_id: z.uuid(),
    integration_id: z.uuid(),
    vendor_id: z.string(),
    type: z.string(),
    /** `received`: not settled yet. `failed`: the vendor's own API did not confirm it. */
    status: z.enum(["received", "processed", "failed"]),
    occurred_at: z.iso.datetime().nullable(),
    received_at: z.iso.datetime(),
    verified_at: z.iso.datetime(),
    size_bytes: z.number().int(),
    content_type: z.string().nullable(),
    /** SHA-256 of the body. */
    body_hash: z.string(),
    /** Further times that the vendor sent the same event. */
    duplicates: z.number().int(),
    has_payload: z.boolean(),
    headers: z.record(z.string(), z.string()),
    /** When all that it held was erased for a person's sake: it cannot be sent again. */
    erased_at: z.iso.datetime().nullable(),
    /** `user:<id>`, as in the activity. */
    erased_by: z.string().nullable(),
    /** How many deliveries are in which state. */
    deliveries: z.partialRecord(z.enum(deliveryStates), z.number().int()),
  })
  .openapi("Event");

const Payload = z
  .object({
    encoding: z.enum(["json", "form", "base64", "none"]),
    /** The body as text: JSON, or base64. */
    data: z.string(),
  })
  .openapi("EventPayload");

const DeliveryOfEvent = z.object({
  id: z.uuid(),
  destination_id: z.uuid(),
  destination_name: z.string(),
  state: z.enum(deliveryStates),
  attempts: z.number().int(),
  failures: z.number().int(),
  replays: z.number().int(),
  next_attempt_at: z.iso.datetime().nullable(),
  last_status: z.number().int().nullable(),
  last_cause: z.string().nullable(),
  last_latency_ms: z.number().int().nullable(),
  delivered_at: z.iso.datetime().nullable(),
});

const Retention = z
  .strictObject({
    default_days: z.number().int().min(0).max(365),
    vendors: z.record(z.string().max(100), z.number().int().min(0).max(365)),
  })
  .openapi("EventRetention");

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listEvents",
  summary: "Verified webhooks, newest first",
  ...guarded("events:read"),
  request: {
    query: z.object({
      org_id: z.string().optional(),
      ...filters,
      cursor: z.uuid().optional(),
      limit: z.coerce.number().int().min(1).max(200).default(50),
    }),
  },
  responses: {
    200: json(pageOf(EventRow), "A page of events, without their payloads"),
  },
});
const readRetention = createRoute({
  method: "get",
  path: "/retention",
  operationId: "readEventRetention",
  summary: "How many days payloads are kept",
  ...guarded("events:read"),
  responses: { 200: json(z.object({ success: z.literal(true), data: Retention }), "The days") },
});
const writeRetention = createRoute({
  method: "put",
  path: "/retention",
  operationId: "writeEventRetention",
  summary: "Set how many days payloads are kept; 0 keeps them only until they are forwarded",
  ...guarded("events:write"),
  request: jsonBody(Retention),
  responses: {
    200: json(
      z.object({ success: z.literal(true), data: Retention, message: z.string() }),
      "Saved; it holds for the payloads that are there, too",
    ),
  },
});
const read = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "readEvent",
  summary: "An event with its payload and deliveries; opening a payload is written to the activity",
  ...guarded("events:read"),
  request: { params: ById },
  responses: {
    200: json(
      z.object({
        success: z.literal(true),
        data: EventRow.extend({
          /** Null where it is no longer kept, or the role may not see it. */
          payload: Payload.nullable(),
          payload_withheld: z.enum(["not_kept", "erased", "role"]).nullable(),
          destinations: z.array(DeliveryOfEvent),
        }),
      }),
      "The event",
    ),
  },
});

const Plan = z
  .object({
    events: z.number().int(),
    /** Their payload is no longer kept: they cannot be sent again. */
    without_payload: z.number().int(),
    /** Of those, it was erased for a person's sake. */
    erased: z.number().int(),
    not_confirmed: z.number().int(),
    /** Deliveries that are (or would be) sent. */
    deliveries: z.number().int(),
    /** Deliveries that wait or run already, and are left alone. */
    under_way: z.number().int(),
    dry_run: z.boolean(),
  })
  .openapi("Replay");
const Replayed = z.object({ success: z.literal(true), data: Plan, message: z.string() });

const replayOne = createRoute({
  method: "post",
  path: "/{id}/replay",
  operationId: "replayEvent",
  summary: "Send an event again",
  ...guarded("events:replay"),
  request: {
    params: ById,
    body: {
      required: false,
      content: {
        "application/json": { schema: z.strictObject({ destination_id: z.uuid().optional() }) },
      },
    },
  },
  responses: { 200: json(Replayed, "On its way") },
});
const replayMany = createRoute({
  method: "post",
  path: "/replay",
  operationId: "replayEvents",
  summary: "Send many events again: those named, or those that a filter or range finds",
  ...guarded("events:replay"),
  request: jsonBody(
    z
      .strictObject({
        ids: z.array(z.uuid()).min(1).max(1000).optional(),
        filter: z.strictObject(filters).optional(),
        range: z.strictObject({ from: Time, to: Time }).optional(),
        /** Only this one, even if its filter would not take the events. */
        destination_id: z.uuid().optional(),
        /** Only count. */
        dry_run: z.boolean().default(false),
      })
      .refine(
        ({ ids, filter, range }) => ids ?? range ?? Object.keys(filter ?? {}).length,
        "Name ids, a filter or a range",
      ),
  ),
  responses: { 200: json(Replayed, "On their way, or counted") },
});

const mostReplayed = 10_000;

const filterOf = (query: {
  [K in keyof typeof filters]?: z.output<(typeof filters)[K]>;
}): EventFilter => ({
  integrationId: query.integration_id,
  vendorId: query.vendor_id === undefined ? undefined : currentId(query.vendor_id),
  type: query.type,
  status: query.status,
  deliveryState: query.delivery_state,
  from: query.from ? new Date(query.from) : undefined,
  to: query.to ? new Date(query.to) : undefined,
});

/** Counts first, then sends: what is refused has changed nothing. */
async function replay(
  env: Env,
  db: OrgDb,
  filter: EventFilter,
  { destinationId, dryRun }: { destinationId: string | undefined; dryRun: boolean },
): Promise<ReplayPlan> {
  const [[plan], [destination] = []] = await db.run(
    planReplay(db, filter, destinationId),
    ...(destinationId ? [getDestination(db, destinationId)] : []),
  );
  if (!plan) throw new Problem("internal");
  if (destinationId && !destination) throw new Problem("not_found", "There is no such destination");
  if (destination?.status === "disabled")
    throw new Problem("conflict", "The destination is disabled: enable it first");
  if (plan.events > mostReplayed)
    throw new Problem(
      "invalid_request",
      `These are ${plan.events} events; one replay takes ${mostReplayed}. Narrow the range`,
    );
  if (dryRun || plan.deliveries === 0) return plan;
  const [, sent] = await db.run(
    lockDestinations(db, destinationId),
    replayEvents(db, filter, destinationId),
    logActivity(db, {
      integrationId: filter.integrationId ?? null,
      vendorId: filter.vendorId ?? null,
      activityType: "events_replayed",
      status: "success",
      details: {
        events: plan.events,
        deliveries: plan.deliveries,
        ...(filter.ids?.length === 1 ? { event_id: filter.ids[0] } : {}),
        ...(destinationId ? { destination_id: destinationId } : {}),
      },
    }),
  );
  await wakeAll(
    env,
    db.actor.orgId,
    sent.map((row) => row.destination_id),
  );
  return { ...plan, deliveries: sent.reduce((sum, row) => sum + row.deliveries, 0) };
}

const everyVendor = "*";

function presentRetention(rows: readonly { vendorId: string; days: number }[]) {
  const { [everyVendor]: days, ...vendors } = Object.fromEntries(
    rows.map((row) => [row.vendorId, row.days]),
  );
  return { default_days: days ?? defaultRetentionDays, vendors };
}

export const eventRoutes = newApp()
  .openapi(list, async (c) => {
    const { db } = c.var;
    const query = c.req.valid("query");
    const [rows] = await db.run(
      listEvents(db, filterOf(query), { before: query.cursor, limit: query.limit + 1 }),
    );
    return c.json(
      page(rows, query.limit, ({ id }) => id),
      200,
    );
  })
  .openapi(readRetention, async (c) => {
    const [rows] = await c.var.db.run(listRetention(c.var.db));
    return c.json({ success: true as const, data: presentRetention(rows) }, 200);
  })
  .openapi(writeRetention, async (c) => {
    const { db } = c.var;
    const input = c.req.valid("json");
    await db.authenticate();
    for (const vendorId of Object.keys(input.vendors))
      if (!(await loadVendor(vendorId)))
        throw new Problem("invalid_request", `There is no vendor named ${vendorId}`, {
          errors: [{ path: `vendors.${vendorId}`, message: "There is no such vendor" }],
        });
    const vendors = Object.fromEntries(
      Object.entries(input.vendors).map(([id, days]) => [currentId(id), days]),
    );
    const days = { ...vendors, [everyVendor]: input.default_days };
    await db.run(
      ...setRetention(db, days),
      logActivity(db, {
        integrationId: null,
        vendorId: null,
        activityType: "retention_changed",
        status: "success",
        details: { default_days: input.default_days, vendors },
      }),
    );
    const data = { default_days: input.default_days, vendors };
    return c.json({ success: true as const, data, message: "Saved" }, 200);
  })
  .openapi(replayMany, async (c) => {
    const input = c.req.valid("json");
    const { ids, range, dry_run: dryRun } = input;
    const filter = { ...filterOf({ ...input.filter, ...range }), ids };
    const destinationId = input.destination_id;
    const plan = await replay(c.env, c.var.db, filter, { destinationId, dryRun });
    const message = dryRun
      ? `${plan.deliveries} deliveries would be sent`
      : `${plan.deliveries} deliveries are on their way`;
    return c.json({ success: true as const, data: { ...plan, dry_run: dryRun }, message }, 200);
  })
  .openapi(read, async (c) => {
    const { db } = c.var;
    const { id } = c.req.valid("param");
    const [[row], [event], deliveries] = await db.run(
      listEvents(db, { ids: [id] }, { limit: 1 }),
      getEvent(db, id),
      listDeliveries(db, { eventId: id }, { limit: 200 }),
    );
    if (!row || !event) throw new Problem("not_found");
    const allowed = seesPayloads(db.actor.role);
    let payload: z.infer<typeof Payload> | null = null;
    if (event.payload && allowed) {
      await db.run(
        logActivity(db, {
          integrationId: event.integrationId,
          vendorId: event.vendorId,
          activityType: "payload_opened",
          status: "success",
          details: { event_id: id },
        }),
      );
      payload = payloadForm(
        await c.env.vault.open<StoredPayload>(event, event.payload),
        event.contentType,
      );
    }
    const gone = event.erasedAt ? ("erased" as const) : ("not_kept" as const);
    const withheld = payload ? null : event.payload ? ("role" as const) : gone;
    const data = { ...row, payload, payload_withheld: withheld, destinations: deliveries };
    return c.json({ success: true as const, data }, 200);
  })
  .openapi(replayOne, async (c) => {
    const { id } = c.req.valid("param");
    const { destination_id: destinationId } = c.req.valid("json");
    const plan = await replay(c.env, c.var.db, { ids: [id] }, { destinationId, dryRun: false });
    if (!plan.events) throw new Problem("not_found");
    if (plan.erased)
      throw new Problem("conflict", "The event was erased on request: it cannot be sent again");
    if (plan.without_payload)
      throw new Problem(
        "conflict",
        "The payload is no longer kept: the event cannot be sent again",
      );
    if (plan.not_confirmed)
      throw new Problem("conflict", "The event is not settled, or its vendor did not confirm it");
    if (!plan.deliveries && !plan.under_way)
      throw new Problem("conflict", "No destination takes this event");
    const message = plan.deliveries
      ? `On its way to ${plan.deliveries} destination${plan.deliveries === 1 ? "" : "s"}`
      : "It is on its way already";
    return c.json({ success: true as const, data: { ...plan, dry_run: false }, message }, 200);
  });

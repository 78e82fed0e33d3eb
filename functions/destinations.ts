import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";

import { type ActivityType, logActivity } from "../db/activity.ts";
import { parkWaiting } from "../db/deliveries.ts";
import {
  addDestination,
  cancelWaiting,
  changeDestination,
  countWaiting,
  type Destination,
  expectDestination,
  getDestination,
  listDestinations,
  probeNow,
  released,
} from "../db/destinations.ts";
import type { OrgDb } from "../db/org.ts";
import { isMask, mask } from "../handlers/fields.ts";
import { whyRefused } from "../handlers/outbound.ts";
import { loadVendor, vendorId as currentId } from "../handlers/registry.ts";
import { type Issue, Problem } from "../problem.ts";
import { guarded } from "./access.ts";
import { wakeAll } from "./forwarding.ts";
import { type AppEnv, ById, json, jsonBody, newApp } from "./http.ts";
import { causes, newSecret, type Sealed, send } from "./send.ts";

const Glob = z
  .string()
  .max(200)
  .regex(/^[\x21-\x7e]+$/, "Printable characters only; * stands for any text");
const headerName = /^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
/** Set by us, or by the connection. */
const reservedHeader =
  /^(?:webhook-.*|content-.*|host|connection|keep-alive|transfer-encoding|upgrade|te|trailer|expect|user-agent|cf-.*|proxy-.*)$/;

const fields = {
  name: z.string().trim().min(1).max(200),
  description: z.string().max(2000),
  url: z.string().max(2000),
  /** Globs over `<vendor>.<type>` or the type alone, such as `stripe.payment_intent.*`; none: all. */
  event_types: z.array(Glob).max(100),
  vendor_ids: z.array(z.string().min(1).max(100)).max(100),
  integration_ids: z.array(z.uuid()).max(100),
  /** Sent with each delivery. Stored values read back as a mask; sent back as the mask, they stay. */
  headers: z
    .record(z.string().max(100), z.string().max(2000))
    .refine((headers) => Object.keys(headers).length <= 20, "At most 20 headers"),
  /** Deliveries at the same time; 1 keeps the order of the events. */
  concurrency: z.number().int().min(1).max(5),
};
const CreateBody = z
  .strictObject({
    name: fields.name,
    url: fields.url,
    description: fields.description.default(""),
    event_types: fields.event_types.default([]),
    vendor_ids: fields.vendor_ids.default([]),
    integration_ids: fields.integration_ids.default([]),
    headers: fields.headers.default({}),
    concurrency: fields.concurrency.default(5),
    status: z.enum(["enabled", "paused"]).default("enabled"),
  })
  .openapi("NewDestination");
const UpdateBody = z
  .strictObject({ ...fields, status: z.enum(["enabled", "paused", "disabled"]) })
  .partial()
  .openapi("DestinationChange");

const when = z.iso.datetime().nullable();
const DestinationRow = z
  .object({
    id: z.uuid(),
    org_id: z.uuid(),
    name: z.string(),
    description: z.string(),
    url: z.string(),
    event_types: z.array(z.string()),
    vendor_ids: z.array(z.string()),
    integration_ids: z.array(z.string()),
    headers: z.record(z.string(), z.string()),
    concurrency: z.number().int(),
    secret: z.string().openapi({ description: "Masked, except in the answer that made it" }),
    /** Until then deliveries carry a signature of the secret before, too. */
    previous_secret_until: when,
    status: z.enum(["enabled", "paused", "disabled"]),
    status_reason: z.string().nullable(),
    /** `open`: the endpoint keeps failing and deliveries are parked. `draining`: they go out again. */
    breaker: z.enum(["closed", "open", "draining"]),
    breaker_since: when,
    next_probe_at: when,
    /** Nothing is sent before: the endpoint asked for it, or answered 429, 502 or 504. */
    held_until: when,
    consecutive_failures: z.number().int(),
    last_success_at: when,
    last_failure_at: when,
    /** Deliveries that have not arrived, by state. */
    waiting: z.object({
      pending: z.number().int(),
      failed: z.number().int(),
      parked: z.number().int(),
      dead: z.number().int(),
    }),
    version: z.number().int(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi("Destination");

const TestReport = z.object({
  status: z.number().int().nullable(),
  latency_ms: z.number().int(),
  cause: z.string().nullable(),
  /** The first 500 bytes of a reply of text, with what looks like a secret masked. */
  excerpt: z.string().nullable(),
});
const Answer = z.object({
  success: z.literal(true),
  data: DestinationRow,
  message: z.string().optional(),
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listDestinations",
  summary: "List the endpoints that events are forwarded to",
  ...guarded("destinations:read"),
  responses: {
    200: json(
      z.object({
        success: z.literal(true),
        data: z.array(DestinationRow),
        count: z.number().int(),
      }),
      "All destinations, oldest first",
    ),
  },
});
const create = createRoute({
  method: "post",
  path: "/",
  operationId: "createDestination",
  summary: "Forward events to an endpoint",
  ...guarded("destinations:write"),
  request: jsonBody(CreateBody),
  responses: { 201: json(Answer, "Created; `secret` is shown this once") },
});
const read = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "readDestination",
  summary: "Read a destination",
  ...guarded("destinations:read"),
  request: { params: ById },
  responses: { 200: json(Answer, "The destination; its ETag serves as If-Match") },
});
const update = createRoute({
  method: "put",
  path: "/{id}",
  operationId: "updateDestination",
  summary: "Change, pause, resume or disable a destination (what is left out stays)",
  ...guarded("destinations:write"),
  request: {
    params: ById,
    headers: z.object({ "if-match": z.string().optional() }),
    ...jsonBody(UpdateBody),
  },
  responses: { 200: json(Answer, "Changed") },
});
const remove = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "deleteDestination",
  summary: "Delete a destination; what still waits for it is canceled",
  ...guarded("destinations:write"),
  request: { params: ById },
  responses: {
    200: json(
      z.object({
        success: z.literal(true),
        data: z.object({ id: z.uuid(), canceled: z.number().int() }),
        message: z.string(),
      }),
      "Deleted",
    ),
  },
});
const rotate = createRoute({
  method: "post",
  path: "/{id}/rotate-secret",
  operationId: "rotateDestinationSecret",
  summary: "Make a new signing secret; both sign until the overlap ends",
  ...guarded("destinations:write"),
  request: {
    params: ById,
    body: {
      required: false,
      content: {
        "application/json": {
          schema: z.strictObject({ overlap_hours: z.number().min(0).max(168).default(24) }),
        },
      },
    },
  },
  responses: { 200: json(Answer, "`secret` is shown this once") },
});
const test = createRoute({
  method: "post",
  path: "/{id}/test",
  operationId: "testDestination",
  summary: "Send a signed `test.ping` now",
  ...guarded("destinations:write"),
  request: { params: ById },
  responses: {
    200: json(
      z.object({ success: z.boolean(), message: z.string(), data: TestReport }),
      "What the endpoint said; a failure is a 200 with `success: false`",
    ),
  },
});

type Waiting = Partial<Record<string, number>>;

const present = (row: Destination, waiting: Waiting = {}): z.infer<typeof DestinationRow> => ({
  id: row.id,
  org_id: row.orgId,
  name: row.name,
  description: row.description,
  url: row.url,
  event_types: row.eventTypes,
  vendor_ids: row.vendorIds,
  integration_ids: row.integrationIds,
  headers: row.headers,
  concurrency: row.concurrency,
  secret: row.secretHint,
  previous_secret_until:
    row.previousSecretUntil && row.previousSecretUntil > new Date()
      ? row.previousSecretUntil.toISOString()
      : null,
  status: row.status === "deleted" ? "disabled" : row.status,
  status_reason: row.statusReason,
  breaker: row.breaker,
  breaker_since: row.breakerSince?.toISOString() ?? null,
  next_probe_at: row.breaker === "open" ? (row.probeAt?.toISOString() ?? null) : null,
  held_until: row.resumeAt && row.resumeAt > new Date() ? row.resumeAt.toISOString() : null,
  consecutive_failures: row.consecutiveFailures,
  last_success_at: row.lastSuccessAt?.toISOString() ?? null,
  last_failure_at: row.lastFailureAt?.toISOString() ?? null,
  waiting: {
    pending: (waiting["pending"] ?? 0) + (waiting["delivering"] ?? 0),
    failed: waiting["failed"] ?? 0,
    parked: waiting["parked"] ?? 0,
    dead: waiting["dead"] ?? 0,
  },
  version: row.version,
  created_at: row.createdAt.toISOString(),
  updated_at: row.updatedAt.toISOString(),
});

async function refuseUnusable(
  input: {
    url?: string | undefined;
    headers?: Record<string, string> | undefined;
    vendor_ids?: string[] | undefined;
  },
  ours: string,
) {
  const errors: Issue[] = [];
  for (const [index, id] of (input.vendor_ids ?? []).entries())
    if (!(await loadVendor(id)))
      errors.push({ path: `vendor_ids.${index}`, message: "There is no such vendor" });
  if (input.url !== undefined) {
    const refused = whyRefused(input.url, ["*"]);
    if (refused) errors.push({ path: "url", message: `The address ${refused}` });
    // An event that we forward to ourselves would come back as an event.
    else if (new URL(input.url).host === new URL(ours).host)
      errors.push({ path: "url", message: "The address is this service's own" });
  }
  for (const [name, value] of Object.entries(input.headers ?? {})) {
    const path = `headers.${name}`;
    if (!headerName.test(name.toLowerCase())) errors.push({ path, message: "Not a header name" });
    else if (reservedHeader.test(name.toLowerCase()))
      errors.push({ path, message: "This header is set by us" });
    else if (!isMask(value) && !/^[\x20-\x7e]*$/.test(value))
      errors.push({ path, message: "Printable ASCII only" });
  }
  if (errors.length)
    throw new Problem("invalid_request", `${errors[0]?.path}: ${errors[0]?.message}`, { errors });
}

/** Header values as they are to be sent: a mask stands for the value that is stored. */
function unmask(headers: Record<string, string>, before: Record<string, string>) {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([written, value]) => {
      const name = written.toLowerCase();
      const kept = isMask(value) ? before[name] : value;
      return kept === undefined ? [] : [[name, kept]];
    }),
  );
}

/** Stored values go to the host that they were entered for: they are not shown to whoever moves it. */
function refuseMisdirected(
  before: Pick<Destination, "url" | "headers">,
  { url, headers }: { url?: string | undefined; headers?: Record<string, string> | undefined },
) {
  if (url === undefined || new URL(url).host === new URL(before.url).host) return;
  const sent = Object.entries(headers ?? before.headers);
  const errors = sent.flatMap(([name, value]) =>
    isMask(value) && Object.hasOwn(before.headers, name.toLowerCase())
      ? [{ path: `headers.${name}`, message: "Enter it again: it was given for another address" }]
      : [],
  );
  if (errors.length)
    throw new Problem("invalid_request", `${errors[0]?.path}: ${errors[0]?.message}`, { errors });
}

const masked = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, mask(value)]));

const log = (
  db: OrgDb,
  activityType: ActivityType,
  row: Pick<Destination, "id" | "name">,
  details: Record<string, unknown> = {},
  errorMessage: string | null = null,
) =>
  logActivity(db, {
    integrationId: null,
    vendorId: null,
    activityType,
    status: errorMessage === null ? "success" : "failure",
    details: { destination_id: row.id, destination: row.name, ...details },
    errorMessage,
  });

async function mustGet(c: Context<AppEnv>, id: string): Promise<Destination> {
  const [[row]] = await c.var.db.run(getDestination(c.var.db, id));
  if (!row) throw new Problem("not_found");
  return row;
}

async function open(c: Context<AppEnv>, row: Destination): Promise<Sealed> {
  if (!row.sealed) throw new Problem("not_found");
  return c.env.vault.open<Sealed>(row, row.sealed);
}

const versionOf = (ifMatch: string) => Number(/^(?:W\/)?"(\d+)"$/.exec(ifMatch)?.[1] ?? -1);
const nextDataVersion = (row: Destination) => (row.sealed?.dv ?? 0) + 1;

export const destinationRoutes = newApp()
  .openapi(list, async (c) => {
    const { db } = c.var;
    const [rows, counts] = await db.run(listDestinations(db), countWaiting(db));
    const data = rows.map((row) =>
      present(
        row,
        Object.fromEntries(
          counts.flatMap((one) => (one.destination_id === row.id ? [[one.state, one.n]] : [])),
        ),
      ),
    );
    return c.json({ success: true as const, data, count: data.length }, 200);
  })
  .openapi(create, async (c) => {
    const { db } = c.var;
    const input = c.req.valid("json");
    const { orgId } = await db.authenticate();
    await refuseUnusable(input, c.env.settings.PUBLIC_URL);
    const id = crypto.randomUUID();
    const secret = newSecret();
    const headers = unmask(input.headers, {});
    const sealed: Sealed = { secret, previous: [], headers };
    const [[row]] = await db.run(
      addDestination(db, {
        id,
        name: input.name,
        description: input.description,
        url: input.url,
        eventTypes: input.event_types,
        vendorIds: input.vendor_ids.map(currentId),
        integrationIds: input.integration_ids,
        concurrency: input.concurrency,
        status: input.status,
        sealed: await c.env.vault.seal({ orgId, id }, sealed),
        headers: masked(headers),
        secretHint: mask(secret),
        createdBy: db.actor.userId,
        updatedBy: db.actor.userId,
      }),
      log(db, "destination_created", { id, name: input.name }),
    );
    if (!row) throw new Problem("internal");
    c.header("etag", `"${row.version}"`);
    c.header("location", `/api/destinations/${id}`);
    const data = { ...present(row), secret };
    const message = "Added. Keep the secret now: it is not shown again";
    return c.json({ success: true as const, data, message }, 201);
  })
  .openapi(read, async (c) => {
    const { db } = c.var;
    const { id } = c.req.valid("param");
    const [[row], counts] = await db.run(getDestination(db, id), countWaiting(db));
    if (!row) throw new Problem("not_found");
    c.header("etag", `"${row.version}"`);
    const waiting = counts.flatMap((one) =>
      one.destination_id === id ? [[one.state, one.n] as const] : [],
    );
    const data = present(row, Object.fromEntries(waiting));
    return c.json({ success: true as const, data }, 200);
  })
  .openapi(update, async (c) => {
    const { db } = c.var;
    const { id } = c.req.valid("param");
    const input = c.req.valid("json");
    const before = await mustGet(c, id);
    await refuseUnusable(input, c.env.settings.PUBLIC_URL);
    refuseMisdirected(before, input);
    const ifMatch = c.req.valid("header")["if-match"];
    let resealed = {};
    if (input.headers) {
      const sealed = await open(c, before);
      const headers = unmask(input.headers, sealed.headers);
      resealed = {
        sealed: await c.env.vault.seal(before, { ...sealed, headers }, nextDataVersion(before)),
        headers: masked(headers),
      };
    }
    const moved = input.url !== undefined && input.url !== before.url;
    const [, [row]] = await db.run(
      expectDestination(db, id, ifMatch && ifMatch !== "*" ? versionOf(ifMatch) : before.version),
      changeDestination(db, id, {
        ...(input.name === undefined ? {} : { name: input.name }),
        ...(input.description === undefined ? {} : { description: input.description }),
        ...(input.url === undefined ? {} : { url: input.url }),
        ...(input.event_types ? { eventTypes: input.event_types } : {}),
        ...(input.vendor_ids ? { vendorIds: input.vendor_ids.map(currentId) } : {}),
        ...(input.integration_ids ? { integrationIds: input.integration_ids } : {}),
        ...(input.concurrency === undefined ? {} : { concurrency: input.concurrency }),
        ...(input.status ? { status: input.status } : {}),
        ...(input.status === "enabled" || moved ? released : {}),
        ...resealed,
      }),
      parkWaiting(db, id),
      log(db, "destination_updated", before, {
        changed: Object.keys(input),
        ...(input.status ? { status: input.status } : {}),
      }),
    );
    if (!row) throw new Problem("not_found");
    if (row.status === "enabled") await wakeAll(c.env, row.orgId, [id]);
    c.header("etag", `"${row.version}"`);
    return c.json({ success: true as const, data: present(row), message: "Saved" }, 200);
  })
  .openapi(remove, async (c) => {
    const { db } = c.var;
    const row = await mustGet(c, c.req.valid("param").id);
    const [, , canceled] = await db.run(
      expectDestination(db, row.id, undefined),
      changeDestination(db, row.id, {
        status: "deleted",
        sealed: null,
        headers: {},
        secretHint: "",
        url: new URL(row.url).origin,
      }),
      cancelWaiting(db, row.id),
      log(db, "destination_deleted", row),
    );
    const data = { id: row.id, canceled: canceled.length };
    return c.json({ success: true as const, data, message: "Deleted" }, 200);
  })
  .openapi(rotate, async (c) => {
    const { db } = c.var;
    const before = await mustGet(c, c.req.valid("param").id);
    // A body that was not sent is not validated either: no default has been filled in.
    const { overlap_hours: hours = 24 } = c.req.valid("json") as { overlap_hours?: number };
    const sealed = await open(c, before);
    const until = new Date(Date.now() + hours * 3_600_000);
    const secret = newSecret();
    const previous = [{ secret: sealed.secret, until: until.toISOString() }, ...sealed.previous]
      .filter((one) => Date.parse(one.until) > Date.now())
      .slice(0, 3);
    const [, [row]] = await db.run(
      expectDestination(db, before.id, before.version),
      changeDestination(db, before.id, {
        sealed: await c.env.vault.seal(
          before,
          { ...sealed, secret, previous },
          nextDataVersion(before),
        ),
        secretHint: mask(secret),
        previousSecretUntil: hours > 0 ? until : null,
      }),
      log(db, "secret_rotated", before, { overlap_hours: hours }),
    );
    if (!row) throw new Problem("not_found");
    c.header("etag", `"${row.version}"`);
    const message = "Keep the secret now: it is not shown again";
    return c.json({ success: true as const, data: { ...present(row), secret }, message }, 200);
  })
  .openapi(test, async (c) => {
    const { db } = c.var;
    const row = await mustGet(c, c.req.valid("param").id);
    const id = crypto.randomUUID();
    const outcome = await send(c.env, row, await open(c, row), {
      id,
      replay: false,
      body: JSON.stringify({
        id,
        type: "test.ping",
        timestamp: new Date().toISOString(),
        org_id: row.orgId,
        integration_id: null,
        vendor_id: null,
        data_encoding: "json",
        data: { message: "A test of this destination" },
      }),
    });
    const { status, latencyMs, cause, excerpt } = outcome;
    const message = cause
      ? `${causes[cause]}${status === null ? "" : ` (${status})`}`
      : `The endpoint took it (${status})`;
    await db.run(
      log(db, "destination_tested", row, { status, latency_ms: latencyMs }, cause && message),
      ...(cause ? [] : [probeNow(db, row.id)]),
    );
    if (!cause && row.breaker === "open") await wakeAll(c.env, row.orgId, [row.id]);
    const data = { status, latency_ms: latencyMs, cause, excerpt };
    return c.json({ success: !cause, message, data }, 200);
  });

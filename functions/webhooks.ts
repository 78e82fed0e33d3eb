import { bodyLimit } from "hono/body-limit";
import { uint8ArrayToBase64 } from "uint8array-extras";
import * as z from "zod";

import { logActivity } from "../db/activity.ts";
import { addEvent } from "../db/events.ts";
import { findIntegration, type Integration } from "../db/integrations.ts";
import { OrgDb, runSystem } from "../db/org.ts";
import { integrationFromRow } from "../db/rows.ts";
import type { AnyVendor, WebhookEvent } from "../handlers/define.ts";
import type { FieldValues } from "../handlers/fields.ts";
import { loadVendor, vendorId as currentId } from "../handlers/registry.ts";
import { type Incoming, sha256Hex, type Verdict } from "../handlers/signature.ts";
import { Problem } from "../problem.ts";
import { clientIp } from "./access.ts";
import { openIntegration, recall } from "./calls.ts";
import { webhookToken } from "./credentials.ts";
import type { Env } from "./env.ts";
import type { StoredPayload } from "./envelope.ts";
import { newApp } from "./http.ts";

const largestBody = 6 * 1024 * 1024;

/** Headers kept with an event: what identifies the delivery, never what authenticates it. */
const keptHeaders = [
  "content-type",
  "user-agent",
  "webhook-id",
  "webhook-timestamp",
  "x-slack-retry-num",
  "x-slack-retry-reason",
  "i-twilio-idempotency-token",
];

type Found = { row: Integration; values: FieldValues; isRecalled?: true };

async function find(env: Env, vendorId: string, id: string): Promise<Found | undefined> {
  const known = recall(id);
  if (known) return known.row.vendorId === vendorId ? { ...known, isRecalled: true } : undefined;
  return read(env, vendorId, id);
}

async function read(env: Env, vendorId: string, id: string): Promise<Found | undefined> {
  const [rows] = await runSystem(env.client, findIntegration(id));
  const row = rows?.[0] && integrationFromRow(rows[0]);
  if (row?.vendorId !== vendorId) return undefined;
  return { row, values: await openIntegration(env, row) };
}

/** One rejected request a minute and integration is written down: an attacker cannot fill the log. */
const rejectedLately = new Map<string, number>();
function worthLogging(id: string) {
  const last = rejectedLately.get(id) ?? 0;
  if (Date.now() - last < 60_000) return false;
  if (rejectedLately.size > 1_000) rejectedLately.clear();
  rejectedLately.set(id, Date.now());
  return true;
}

async function refuse(db: OrgDb, row: Integration, verdict: Exclude<Verdict, { ok: true }>) {
  if (worthLogging(row.id))
    await db.run(
      logActivity(db, {
        integrationId: row.id,
        vendorId: row.vendorId,
        activityType: "webhook_rejected",
        status: "failure",
        details: { reason: verdict.reason },
        errorMessage: reasons[verdict.reason],
      }),
    );
  if (verdict.status === 503) throw new Problem("unavailable", reasons[verdict.reason]);
  throw new Problem("webhook_rejected", reasons[verdict.reason]);
}

const reasons = {
  missing: "The request carries no signature",
  malformed: "The signature is malformed",
  mismatch: "The signature does not match",
  stale: "The request's time is too far from now",
  not_configured: "The integration has no webhook secret yet",
} as const;

/** Each event of a batch is stored with the whole body: beyond this the batch is one event. */
const largestBatch = { events: 100, bytes: 8 * 1024 * 1024 };

function readEvents(
  vendor: AnyVendor,
  incoming: Incoming,
  values: FieldValues,
): readonly WebhookEvent[] {
  let events: readonly WebhookEvent[] = [];
  try {
    events = vendor.webhooks?.events(incoming, values) ?? [];
  } catch {
    // Signed, and so it is kept, though its form is not one that we know.
  }
  const [first = { type: "unknown" }] = events;
  if (events.length < 2) return [first];
  const { length } = events;
  if (length <= largestBatch.events && length * incoming.body.length <= largestBatch.bytes)
    return events;
  return [{ type: events.every(({ type }) => type === first.type) ? first.type : "batch" }];
}

/** The query without what authenticates the vendor. */
function keptQuery(search: string): { query?: string } {
  const params = new URLSearchParams(search);
  params.delete("token");
  return params.size ? { query: `?${params}` } : {};
}

/** What tells a repeat: the vendor's own id, or its hash where it is longer than we keep. */
const keyOf = async (id: string) => (id.length > 300 ? `sha256:${await sha256Hex(id)}` : id);

/** Postgres takes no NUL in a text. */
const plain = (text: string, length: number) => text.replaceAll("\0", "").slice(0, length);

/** The vendor's time, if it is one. */
function timeOf(text: string | undefined): Date | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : new Date(time);
}

export const webhookRoutes = newApp();

webhookRoutes.use(
  "/webhooks/*",
  bodyLimit({
    maxSize: largestBody,
    onError: () => {
      throw new Problem("too_large");
    },
  }),
);

/**
 * Verifies, stores and only then acknowledges. A signature that is not accepted stores nothing; a
 * database that does not answer is a 503, so that the vendor sends again.
 */
webhookRoutes.on(["GET", "POST"], "/webhooks/:vendor_id/:integration_id", async (c) => {
  const receivedAt = new Date();
  const { vendor_id: named, integration_id: id } = c.req.param();
  const vendorId = currentId(named);
  const vendor = await loadVendor(vendorId);
  const { webhooks } = vendor ?? {};
  if (!vendor || !webhooks || !z.uuid().safeParse(id).success) throw new Problem("not_found");
  const found = await find(c.env, vendorId, id);
  if (!found) throw new Problem("not_found");
  const { row } = found;
  const token = await webhookToken(c.env.settings, id);
  let values = { ...found.values, webhookToken: token };
  const { pathname, search } = new URL(c.req.url);
  const incoming: Incoming = {
    method: c.req.method,
    // The URL that the vendor was given: behind a proxy the request's own would not verify.
    url: `${c.env.settings.PUBLIC_URL}${pathname}${search}`,
    headers: c.req.raw.headers,
    body: new Uint8Array(await c.req.arrayBuffer()),
  };
  const db = new OrgDb(c.env.client, {
    orgId: row.orgId,
    actor: "vendor",
    ip: clientIp(c),
    requestId: c.var.requestId,
  });
  const unsigned = webhooks.challenge?.(incoming, values);
  if (unsigned) return unsigned;
  const now = Math.floor(Date.now() / 1000);
  let verdict = await webhooks.verify.verify(incoming, values, now);
  if (!verdict.ok && found.isRecalled) {
    // Another isolate may have changed the secret: nothing is refused by what is only remembered.
    const current = await read(c.env, vendorId, id);
    if (!current) throw new Problem("not_found");
    values = { ...current.values, webhookToken: token };
    verdict = await webhooks.verify.verify(incoming, values, now);
  }
  if (!verdict.ok) return refuse(db, row, verdict);
  const answer = await webhooks.handshake?.(incoming, values);
  if (answer) return answer;

  const bodyHash = await sha256Hex(incoming.body.length ? incoming.body : incoming.url);
  const events = readEvents(vendor, incoming, values);
  const headers = Object.fromEntries(
    keptHeaders.flatMap((name) => {
      const value = incoming.headers.get(name);
      return value === null ? [] : [[name, value.slice(0, 500)]];
    }),
  );
  const payload: StoredPayload = { body: uint8ArrayToBase64(incoming.body), ...keptQuery(search) };
  const statements = await Promise.all(
    events.map(async (event: WebhookEvent, index) => {
      const eventId = crypto.randomUUID();
      return addEvent(db, {
        id: eventId,
        integrationId: row.id,
        vendorId,
        dedupKey: plain(await keyOf(event.id ?? ""), 300) || `sha256:${bodyHash}:${index}`,
        type: plain(event.type, 200) || "unknown",
        failure: webhooks.failures?.includes(event.type)
          ? `${vendor.name} reports ${event.type}`
          : null,
        occurredAt: timeOf(event.occurredAt),
        receivedAt,
        sizeBytes: incoming.body.length,
        headers,
        contentType: incoming.headers.get("content-type")?.slice(0, 200) ?? null,
        bodyHash,
        payload: await c.env.vault.seal({ orgId: row.orgId, id: eventId }, payload),
      });
    }),
  );
  const stored = await db.run(...statements);
  const fresh = stored.flatMap(([one]) => (one?.inserted ? one.id : []));
  if (fresh.length)
    await c.env.EVENTS.sendBatch(
      fresh.map((eventId) => ({ body: { orgId: row.orgId, eventId, vendorId } })),
    ).catch((error: unknown) => {
      // Stored is enough to acknowledge: the clock finds what the queue did not take.
      console.error(
        JSON.stringify({
          level: "error",
          message: "queue refused",
          name: (error as Error).name,
        }),
      );
    });
  return webhooks.reply?.() ?? c.json({ received: true });
});

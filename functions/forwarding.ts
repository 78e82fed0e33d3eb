import { base64ToUint8Array } from "uint8array-extras";

import { logActivity } from "../db/activity.ts";
import { overdue } from "../db/destinations.ts";
import {
  claimStuck,
  type Event,
  getEvent,
  purgeForwarded,
  refuseEvent,
  routeEvents,
} from "../db/events.ts";
import { getIntegration } from "../db/integrations.ts";
import { OrgDb, runSystem } from "../db/org.ts";
import { purge } from "../db/retention.ts";
import { connectApi } from "../handlers/api.ts";
import type { Webhooks } from "../handlers/define.ts";
import { failureThrown } from "../handlers/failure.ts";
import { loadVendor } from "../handlers/registry.ts";
import { VendorFailure } from "../problem.ts";
import { connection, openIntegration } from "./calls.ts";
import { wake } from "./destination-object.ts";
import { eachLimited } from "./each-limited.ts";
import type { Env, EventMessage } from "./env.ts";
import type { StoredPayload } from "./envelope.ts";

/** The clock finds a destination that could not be woken; what it is to do is in the database. */
export async function wakeAll(env: Env, orgId: string, destinationIds: readonly string[]) {
  await eachLimited(destinationIds, (destinationId) =>
    wake(env, { orgId, destinationId }).catch((error: unknown) =>
      console.error(
        JSON.stringify({
          level: "error",
          message: "destination not woken",
          name: (error as Error).name,
        }),
      ),
    ),
  );
}

async function route(env: Env, orgId: string, ids: readonly string[]) {
  const db = new OrgDb(env.client, { orgId, actor: "clock" });
  const [woken] = await db.run(routeEvents(db, ids), purgeForwarded(db, ids));
  await wakeAll(
    env,
    orgId,
    woken.map((row) => row.destination_id),
  );
}

type Item = { body: EventMessage; ack(): void; retry(): void };

/** Stored events, as the queue brings them: an org's are settled together, in one round trip. */
export async function processEvents(env: Env, messages: readonly Item[]): Promise<void> {
  const settled = new Map<string, Item[]>();
  const hints: Item[] = [];
  for (const message of messages) {
    const vendor = await loadVendor(message.body.vendorId);
    if (vendor?.webhooks?.confirm) hints.push(message);
    else {
      const { orgId } = message.body;
      settled.set(orgId, [...(settled.get(orgId) ?? []), message]);
    }
  }
  const groups = [
    ...[...settled].map(([orgId, items]) => ({
      items,
      work: () =>
        route(
          env,
          orgId,
          items.map((item) => item.body.eventId),
        ),
    })),
    ...hints.map((item) => ({ items: [item], work: () => confirmEvent(env, item.body) })),
  ];
  await eachLimited(groups, async ({ items, work }) => {
    try {
      await work();
      for (const item of items) item.ack();
    } catch (error) {
      console.error(
        JSON.stringify({
          level: "error",
          message: "event not processed",
          name: (error as Error).name,
        }),
      );
      for (const item of items) item.retry();
    }
  });
}

const givenUpAfterMs = 14 * 86_400_000;
/** A vendor's own records may follow its webhook: only then is one that it does not know called untrue. */
const doubtedAfterMs = 10 * 60_000;

/**
 * An event of a vendor that signs nothing is only a hint: it counts once the vendor's own API has
 * confirmed it. While that does not answer, the clock asks again, less and less often.
 */
async function confirmEvent(env: Env, { orgId, eventId }: EventMessage): Promise<void> {
  const db = new OrgDb(env.client, { orgId, actor: "clock" });
  const [[event]] = await db.run(getEvent(db, eventId));
  if (event?.status !== "received") return;
  const vendor = await loadVendor(event.vendorId);
  const confirm = vendor?.webhooks?.confirm;
  const believed = confirm ? await ask(env, db, event, confirm) : true;
  if (believed === undefined) return;
  if (believed) return route(env, orgId, [event.id]);
  if (Date.now() - event.receivedAt.getTime() < doubtedAfterMs) return;
  await db.run(
    refuseEvent(db, event.id),
    logActivity(db, {
      integrationId: event.integrationId,
      vendorId: event.vendorId,
      activityType: "webhook_rejected",
      status: "failure",
      details: { event_id: event.id, reason: "not_confirmed" },
      errorMessage: "The vendor's own API did not confirm the event",
    }),
  );
}

/** Undefined: the vendor's API did not say. */
async function ask(
  env: Env,
  db: OrgDb,
  event: Event,
  confirm: NonNullable<Webhooks<never>["confirm"]>,
): Promise<boolean | undefined> {
  const [[row]] = await db.run(getIntegration(db, event.integrationId));
  const vendor = await loadVendor(event.vendorId);
  if (!row || !vendor || !event.payload) return false;
  const { body, query } = await env.vault.open<StoredPayload>(event, event.payload);
  try {
    return await confirm(
      connectApi(connection(env, row, vendor, await openIntegration(env, row))),
      { id: event.dedupKey, type: event.type, occurredAt: event.occurredAt?.toISOString() },
      {
        method: "POST",
        url: `${env.settings.PUBLIC_URL}/webhooks/${event.vendorId}/${row.id}${query ?? ""}`,
        headers: new Headers(event.headers),
        body: base64ToUint8Array(body),
      },
    );
  } catch (thrown) {
    const error = failureThrown(event.vendorId, thrown);
    if (!(error instanceof VendorFailure)) throw error;
    return Date.now() - event.receivedAt.getTime() > givenUpAfterMs ? false : undefined;
  }
}

const eventsAtOnce = 500;
const destinationsAtOnce = 1_000;
const purgedAtOnce = 1_000;
const perMessage = 50;

/**
 * Every minute: events that never reached the queue or whose message was lost, destinations whose
 * own alarm was, and payloads whose time has come.
 */
export async function sweep(env: Env): Promise<void> {
  const [stuck = [], late = []] = await runSystem(
    env.client,
    claimStuck(eventsAtOnce),
    overdue(destinationsAtOnce),
  );
  for (let i = 0; i < stuck.length; i += 100)
    await env.EVENTS.sendBatch(
      stuck.slice(i, i + 100).map((row) => ({
        body: {
          orgId: row["org_id"] as string,
          eventId: row["id"] as string,
          vendorId: row["vendor_id"] as string,
        },
      })),
    );
  for (let i = 0; i < late.length; i += perMessage)
    await env.DELIVERIES.send({
      wake: late.slice(i, i + perMessage).map((row) => ({
        orgId: row["org_id"] as string,
        destinationId: row["id"] as string,
      })),
    });
  await runSystem(env.client, ...purge(purgedAtOnce));
}

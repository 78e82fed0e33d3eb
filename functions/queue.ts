import type { MessageBatch } from "@cloudflare/workers-types";

import { openClient } from "../db/client.ts";
import { getEvent, markEvent } from "../db/events.ts";
import { getIntegration } from "../db/integrations.ts";
import { OrgDb } from "../db/org.ts";
import { connectApi } from "../handlers/api.ts";
import { loadVendor } from "../handlers/registry.ts";
import type { Incoming } from "../handlers/signature.ts";
import { connection, openIntegration } from "./calls.ts";
import { check, eachLimited } from "./checks.ts";
import type { CheckMessage, Env, EventMessage } from "./env.ts";

const standing = (env: Env, orgId: string, actor: string) =>
  new OrgDb(openClient(env.settings.DATABASE_URL, env.settings.DATABASE_ENDPOINT), {
    orgId,
    actor,
  });

/** A queue that is not ours is a deployment mistake: it throws, so that the messages stay. */
export async function handleQueue(batch: MessageBatch, env: Env): Promise<void> {
  const name = batch.queue.replace(/^.*-(?=events$|checks$)/, "");
  if (name === "events")
    return eachMessage(batch as MessageBatch<EventMessage>, (m) => processEvent(env, m));
  if (name === "checks")
    return eachMessage(batch as MessageBatch<CheckMessage>, (m) => runChecks(env, m));
  throw new Error(`No consumer for the queue ${batch.queue}`);
}

async function eachMessage<T>(batch: MessageBatch<T>, work: (body: T) => Promise<void>) {
  await eachLimited([...batch.messages], async (message) => {
    try {
      await work(message.body);
      message.ack();
    } catch (error) {
      console.error(
        JSON.stringify({
          level: "error",
          message: "queue work failed",
          name: (error as Error).name,
        }),
      );
      message.retry({ delaySeconds: Math.min(600, 5 * 2 ** message.attempts) });
    }
  });
}

/**
 * An event of a vendor that signs nothing is only a hint: it counts once the vendor's own API has
 * confirmed it. Every other event is settled by its signature.
 */
export async function processEvent(env: Env, { orgId, eventId }: EventMessage): Promise<void> {
  const db = standing(env, orgId, "clock");
  const [[event]] = await db.run(getEvent(db, eventId));
  if (!event || event.status !== "received") return;
  const vendor = await loadVendor(event.vendorId);
  const confirm = vendor?.webhooks?.confirm;
  let believed = true;
  if (vendor && confirm && event.payload) {
    const [[row]] = await db.run(getIntegration(db, event.integrationId));
    if (row) {
      const api = connectApi(connection(env, row, vendor, await openIntegration(env, row)));
      const { body, query } = await env.vault.open<{ body: string; query?: string }>(
        { orgId, id: event.id },
        event.payload,
      );
      const incoming: Incoming = {
        method: "POST",
        url: `${env.settings.PUBLIC_URL}/webhooks/${event.vendorId}/${row.id}${query ?? ""}`,
        headers: new Headers(event.headers),
        body: Uint8Array.from(atob(body), (char) => char.charCodeAt(0)),
      };
      const hint = {
        id: event.dedupKey,
        type: event.type,
        occurredAt: event.occurredAt?.toISOString(),
      };
      believed = await confirm(api, hint, incoming);
    }
  }
  await db.run(markEvent(db, event.id, believed ? "processed" : "failed"));
}

async function runChecks(env: Env, { checks }: CheckMessage): Promise<void> {
  await eachLimited(checks, async ({ orgId, integrationId }) => {
    const db = standing(env, orgId, "clock");
    const [[row]] = await db.run(getIntegration(db, integrationId));
    if (row?.enabled) await check(env, db, row, false);
  });
}

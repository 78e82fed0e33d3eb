import type { MessageBatch } from "@cloudflare/workers-types";

import { getIntegration } from "../db/integrations.ts";
import { OrgDb } from "../db/org.ts";
import { check } from "./checks.ts";
import { wake } from "./destination-object.ts";
import { eachLimited } from "./each-limited.ts";
import type { CheckMessage, DeliveryMessage, Env, EventMessage } from "./env.ts";
import { processEvents } from "./forwarding.ts";

/** A queue that is not ours is a deployment mistake: it throws, so that the messages stay. */
export async function handleQueue(batch: MessageBatch, env: Env): Promise<void> {
  const name = batch.queue.replace(/^.*-(?=events$|checks$|deliveries$)/, "");
  if (name === "events") return processEvents(env, (batch as MessageBatch<EventMessage>).messages);
  if (name === "checks")
    return eachMessage(batch as MessageBatch<CheckMessage>, (m) => runChecks(env, m));
  if (name === "deliveries")
    return eachMessage(batch as MessageBatch<DeliveryMessage>, (m) =>
      eachLimited(m.wake, (place) => wake(env, place)),
    );
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

async function runChecks(env: Env, { checks }: CheckMessage): Promise<void> {
  await eachLimited(checks, async ({ orgId, integrationId }) => {
    const db = new OrgDb(env.client, { orgId, actor: "clock" });
    const [[row]] = await db.run(getIntegration(db, integrationId));
    if (row?.enabled) await check(env, db, row, false);
  });
}

import { sql } from "drizzle-orm";

import { openClient } from "../db/client.ts";
import { claimDue } from "../db/integrations.ts";
import { runSystem } from "../db/org.ts";
import { checkEverySeconds } from "./checks.ts";
import type { Env } from "./env.ts";

const checksPerMessage = 6;
const claimedAtOnce = 600;

/** Every minute: claims the integrations that are due and hands them to the queue. */
export async function handleCron(env: Env): Promise<void> {
  const client = openClient(env.settings.DATABASE_URL, env.settings.DATABASE_ENDPOINT);
  const [due = [], waiting = []] = await runSystem(
    client,
    claimDue(claimedAtOnce, checkEverySeconds),
    // The outbox: acknowledged events that never reached the queue, or whose message was lost.
    sql`select id, org_id from events where status = 'received'
      and received_at < now() - interval '2 minutes' order by received_at limit 500`,
  );
  const checks = due.map((row) => ({
    orgId: row["org_id"] as string,
    integrationId: row["id"] as string,
  }));
  for (let i = 0; i < checks.length; i += checksPerMessage * 100) {
    const slice = checks.slice(i, i + checksPerMessage * 100);
    const messages = [];
    for (let j = 0; j < slice.length; j += checksPerMessage)
      messages.push({ body: { checks: slice.slice(j, j + checksPerMessage) } });
    await env.CHECKS.sendBatch(messages);
  }
  for (let i = 0; i < waiting.length; i += 100)
    await env.EVENTS.sendBatch(
      waiting.slice(i, i + 100).map((row) => ({
        body: { orgId: row["org_id"] as string, eventId: row["id"] as string },
      })),
    );
}

import { openClient } from "../db/client.ts";
import { claimDue } from "../db/integrations.ts";
import { runSystem } from "../db/org.ts";
import { checkEverySeconds } from "./checks.ts";
import type { Env } from "./env.ts";
import { sweep } from "./forwarding.ts";

const checksPerMessage = 6;
const claimedAtOnce = 600;

/** Every minute. What fails in one part does not keep the other from its work. */
export async function handleCron(env: Env): Promise<void> {
  const parts = await Promise.allSettled([claimChecks(env), sweep(env)]);
  for (const part of parts) if (part.status === "rejected") throw part.reason;
}

/** Claims the integrations that are due for a check and hands them to the queue. */
async function claimChecks(env: Env): Promise<void> {
  const client = openClient(env.settings.DATABASE_URL, env.settings.DATABASE_ENDPOINT);
  const [due = []] = await runSystem(client, claimDue(claimedAtOnce, checkEverySeconds));
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
}

import { claimExpiring, purgeStates, warnOfEnds } from "../db/grants.ts";
import { purgeKeys } from "../db/idempotency.ts";
import { claimDue } from "../db/integrations.ts";
import { runSystem } from "../db/org.ts";
import { objectOf } from "./calls.ts";
import { checkEverySeconds } from "./checks.ts";
import { eachLimited } from "./each-limited.ts";
import type { Env } from "./env.ts";
import { sweep } from "./forwarding.ts";
import { rotate } from "./rotation.ts";

const checksPerMessage = 6;
const claimedAtOnce = 600;
const refreshedAtOnce = 300;

/** Every minute; `at` is the one that it is for. What fails in one part does not keep the other from its work. */
export async function handleCron(env: Env, at: Date): Promise<void> {
  const parts = await Promise.allSettled([
    claimChecks(env),
    sweep(env),
    tendGrants(env),
    keepHouse(env, at),
  ]);
  for (const part of parts) if (part.status === "rejected") throw part.reason;
}

const movedAtOnce = 5_000;

/** Once an hour: what has expired goes, and envelopes of an older key move to the newest. */
async function keepHouse(env: Env, at: Date): Promise<void> {
  if (at.getUTCMinutes() !== 7) return;
  await runSystem(env.client, purgeKeys);
  const except: string[] = [];
  let moved = 0;
  for (let left = true; left && moved + except.length < movedAtOnce;) {
    const step = await rotate(env.client, env.vault, { limit: 200, except });
    except.push(...step.unreadable);
    left = step.left && step.moved + step.unreadable.length > 0;
    moved += step.moved;
  }
  if (moved || except.length)
    console.log(
      JSON.stringify({
        level: except.length ? "error" : "info",
        message: "envelopes moved",
        kek: env.vault.currentKek,
        moved,
        unreadable: except.length,
      }),
    );
}

/** Sign-ins whose tokens end soon are refreshed by their objects; those that end for good are warned of. */
async function tendGrants(env: Env): Promise<void> {
  const [due = []] = await runSystem(
    env.client,
    claimExpiring(refreshedAtOnce),
    warnOfEnds,
    purgeStates,
  );
  await eachLimited(due, async (row) => {
    const id = row["integration_id"] as string;
    await objectOf(env, id).refreshAhead(row["org_id"] as string, id, row["version"] as number);
  });
}

/** Claims the integrations that are due for a check and hands them to the queue. */
async function claimChecks(env: Env): Promise<void> {
  const [due = []] = await runSystem(env.client, claimDue(claimedAtOnce, checkEverySeconds));
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

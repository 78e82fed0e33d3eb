import {
  type Claimed,
  claim,
  endDraining,
  type Finish,
  finishAttempt,
  nextDue,
  parkWaiting,
} from "../db/deliveries.ts";
import { type Destination, getDestination } from "../db/destinations.ts";
import { purgeForwarded } from "../db/events.ts";
import { OrgDb } from "../db/org.ts";
import type { Env } from "./env.ts";
import { envelope, type StoredPayload } from "./envelope.ts";
import { nextAttempt } from "./retries.ts";
import { type Outcome, type Sealed, send, type SendCause } from "./send.ts";

export type Place = { orgId: string; destinationId: string };

/** A run ends after this long, so that a new release of the Worker takes over; the alarm goes on. */
const runMs = 60_000;
/** Where something waits but may not go yet, such as an attempt that was cut off with its Worker. */
const shortestWaitMs = 2_000;
/** Longer holds of the whole destination than this are the breaker's business. */
const longestHoldSeconds = 3_600;
const slowing = new Set([429, 502, 504]);

/** The endpoint as a whole is away; any other answer may be about this one event. */
const isDown = ({ status, cause }: Outcome) =>
  cause === "timeout" ||
  cause === "unreachable" ||
  (status !== null && (slowing.has(status) || status === 503));

/** What an attempt's outcome means for its delivery and destination; pure, so that it can be tested. */
export function judge(
  outcome: Outcome,
  failures: number,
  { now, random }: { now: number; random: number },
): Pick<
  Finish,
  "status" | "latencyMs" | "cause" | "retryAt" | "down" | "slow" | "holdSeconds" | "gone"
> {
  const { status, latencyMs, cause, retryAfter } = outcome;
  const held = status === 429 || status === 503 ? (retryAfter ?? 0) : 0;
  const retryAt = cause ? nextAttempt(failures + 1, { now, random, retryAfter }) : undefined;
  return {
    status,
    latencyMs,
    cause,
    retryAt: cause === "payload_gone" ? null : (retryAt ?? null),
    down: cause !== null && isDown(outcome),
    slow: status !== null && slowing.has(status),
    holdSeconds: Math.min(held, longestHoldSeconds),
    gone: cause === "gone",
  };
}

async function attempt(
  env: Env,
  { orgId }: Place,
  destination: Destination,
  sealed: Sealed,
  claimed: Claimed,
): Promise<Finish> {
  const unsent = (cause: SendCause): Outcome => ({
    status: null,
    latencyMs: 0,
    cause,
    excerpt: null,
    retryAfter: undefined,
  });
  let outcome: Outcome;
  try {
    if (claimed.payload) {
      const owner = { orgId, id: claimed.event_id };
      const payload = await env.vault.open<StoredPayload>(owner, claimed.payload);
      const body = envelope(orgId, claimed, payload);
      const message = { id: claimed.event_id, body, replay: claimed.replays > 0 };
      outcome = await send(env, destination, sealed, message);
    } else outcome = unsent("payload_gone");
  } catch (error) {
    // One event that cannot be prepared must not cost the others of its batch what came of them.
    console.error(
      JSON.stringify({
        level: "error",
        message: "delivery not prepared",
        name: (error as Error).name,
      }),
    );
    outcome = unsent("internal");
  }
  // What the endpoint said is worth less than that it was sent: that must be written in any case.
  const excerpt =
    outcome.excerpt &&
    (await env.vault.seal({ orgId, id: claimed.attempt_id }, outcome.excerpt).catch(() => null));
  return {
    id: claimed.id,
    attempt: claimed.attempt,
    ...judge(outcome, claimed.failures, { now: Date.now(), random: Math.random() }),
    excerpt: excerpt || null,
  };
}

/** What came back must be written: a database that is away for a moment must not cause a repeat. */
async function persist<T>(write: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++)
    try {
      return await write();
    } catch (error) {
      if (tries === 4) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** tries));
    }
}

/**
 * Sends what a destination may be sent now, batch by batch: one round trip writes how the last batch
 * ended and claims the next. Answers when there is more to do (milliseconds since 1970), or undefined.
 */
export async function drain(env: Env, place: Place): Promise<number | undefined> {
  const { orgId, destinationId } = place;
  const db = new OrgDb(env.client, { orgId, actor: "clock" });
  const until = Date.now() + runMs;
  let ended: Finish[] = [];
  let events: string[] = [];
  for (;;) {
    const goOn = Date.now() < until;
    const settled = ended.flatMap((end) => finishAttempt(db, destinationId, end));
    const purged = events.length ? [purgeForwarded(db, events)] : [];
    const parked = ended.some((end) => end.cause) ? [parkWaiting(db, destinationId)] : [];
    const results = await persist(() =>
      db.run(
        ...settled,
        ...purged,
        ...parked,
        endDraining(db, destinationId),
        getDestination(db, destinationId),
        ...(goOn ? [claim(db, destinationId)] : []),
      ),
    );
    if (!goOn) return Date.now();
    const claimed = results.at(-1) as Claimed[];
    const [destination] = results.at(-2) as Destination[];
    if (!destination?.sealed || !claimed.length) break;
    const sealed = await env.vault.open<Sealed>(destination, destination.sealed);
    events = claimed.map((one) => one.event_id);
    ended = await Promise.all(claimed.map((one) => attempt(env, place, destination, sealed, one)));
  }
  const [[due]] = await db.run(nextDue(db, destinationId));
  return due?.ms == null ? undefined : Date.now() + Math.max(due.ms, shortestWaitMs);
}

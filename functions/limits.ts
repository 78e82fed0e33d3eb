import type { Context } from "hono";
import { createMiddleware } from "hono/factory";

import { networkOf } from "../handlers/address.ts";
import { Problem } from "../problem.ts";
import { clientIp, hashKey, readCredential } from "./access.ts";
import type { Env } from "./env.ts";
import type { AppEnv } from "./http.ts";
import type { Lease, LimitObject } from "./limit-object.ts";

const windowSeconds = 60;
/** Asked for at once, so that most requests are counted without leaving the isolate. */
const leaseSize = 20;
const patienceMs = 500;
const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

type Kept = { tokens: number; remaining: number; limit: number; until: number };
type Kind = "ip" | "key" | "org";

const kept = new Map<string, Kept>();
/** Which org a credential turned out to belong to, so that the next request counts for the org as well. */
const orgs = new Map<string, string>();

/** Requests that arrive together wait for the same lease, or its tokens would be lost. */
const leasing = new Map<string, Promise<Kept>>();

async function lease(env: Env, name: string, limit: number): Promise<Kept> {
  const stub = env.LIMIT.get(env.LIMIT.idFromName(name)) as unknown as Pick<LimitObject, "lease">;
  const wanted = Math.max(1, Math.min(leaseSize, Math.floor(limit / 10)));
  const answer: Lease = await stub.lease(limit, windowSeconds, wanted);
  const fresh = {
    tokens: answer.granted,
    remaining: answer.remaining,
    limit,
    until: Date.now() + answer.resetSeconds * 1000,
  };
  if (kept.size >= 5_000) kept.clear();
  kept.set(name, fresh);
  return fresh;
}

async function take(env: Env, kind: Kind, subject: string): Promise<Kept & { allowed: boolean }> {
  const name = `${kind}:${subject}`;
  for (;;) {
    const current = kept.get(name);
    if (current && Date.now() < current.until) {
      if (current.tokens > 0) {
        current.tokens -= 1;
        return { ...current, allowed: true };
      }
      if (current.remaining === 0) return { ...current, allowed: false };
    }
    let running = leasing.get(name);
    if (!running) {
      running = lease(env, name, env.settings.limits[kind]).finally(() => leasing.delete(name));
      leasing.set(name, running);
    }
    // A caller that leaves takes its lease with it: those who waited for it ask themselves.
    const answered = await Promise.race([running.then(() => true), wait(patienceMs)]);
    if (!answered && leasing.get(name) === running) leasing.delete(name);
  }
}

/**
 * Limits per address, credential and org, a minute each, with the `RateLimit` and
 * `RateLimit-Policy` fields of draft-ietf-httpapi-ratelimit-headers for the one that is nearest.
 */
export const limits = createMiddleware<AppEnv>(async function limit(c, next) {
  const ip = networkOf(clientIp(c) ?? "unknown");
  const credential = await readCredential(c);
  const proof = credential && (await hashKey(credential.key ?? credential.session ?? ""));
  const org = proof === undefined ? undefined : orgs.get(proof);
  const taken = await Promise.all([
    take(c.env, "ip", ip),
    ...(proof === undefined ? [] : [take(c.env, "key", proof)]),
    ...(org === undefined ? [] : [take(c.env, "org", org)]),
  ]);
  const share = (one: Kept) => (one.remaining + one.tokens) / one.limit;
  const [nearest] = taken.toSorted((a, b) => share(a) - share(b));
  const refused = taken.find((one) => !one.allowed);
  const shown = refused ?? nearest;
  if (shown) setFields(c, shown);
  if (refused)
    throw new Problem("too_many_requests", undefined, {
      retryAfter: Math.max(1, Math.ceil((refused.until - Date.now()) / 1000)),
    });
  await next();
  // After an error the response is a new one.
  if (shown) setFields(c, shown);
  if (proof !== undefined && c.var.db?.known) {
    if (orgs.size >= 5_000) orgs.clear();
    orgs.set(proof, c.var.db.actor.orgId);
  }
});

function setFields(c: Context, { limit, remaining, tokens, until }: Kept) {
  const reset = Math.max(0, Math.ceil((until - Date.now()) / 1000));
  c.header("ratelimit-policy", `"default";q=${limit};w=${windowSeconds}`);
  c.header("ratelimit", `"default";r=${remaining + tokens};t=${reset}`);
}

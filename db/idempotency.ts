import { and, eq, lt, type SQL, sql } from "drizzle-orm";

import type { OrgDb } from "./org.ts";
import { type Envelope, idempotencyKeys as keys } from "./schema.ts";

export type IdempotencyKey = typeof keys.$inferSelect;

/** Stripe keeps a key for a day, the IETF draft leaves it open; vendors' retries span up to three. */
const keptForHours = 72;

/**
 * Three statements to run in order: the expired key goes, ours is inserted unless another request
 * holds it, and the row that now stands is read. `claimed` is empty where another request was first.
 * `key` is a hash of what the caller chose, who may have put a person's number into it.
 */
export const claimKey = (db: OrgDb, id: string, key: string, requestHash: string) =>
  [
    db.delete(keys, sql`${and(eq(keys.key, key), lt(keys.expiresAt, sql`now()`))}`),
    db.sql<{
      id: string;
    }>(sql`insert into idempotency_keys (id, org_id, key, request_hash, expires_at)
      values (${id}, app_org_id(), ${key}, ${requestHash},
        now() + make_interval(hours => ${keptForHours}))
      on conflict (org_id, key) do nothing returning id`),
    db.select(keys, eq(keys.key, key)),
  ] as const;

/** A running key whose request died may be taken over where a repetition does no harm. */
export const takeOverKey = (db: OrgDb, id: string, staleSeconds: number) =>
  db.update(
    keys,
    { startedAt: sql`now()` },
    sql`${keys.id} = ${id} and ${keys.status} is null
      and ${keys.startedAt} < now() - make_interval(secs => ${staleSeconds})`,
  );

export const settleKey = (db: OrgDb, id: string, status: number, answer: Envelope) =>
  db.update(keys, { status, answer }, eq(keys.id, id));

/** Over all orgs; run by `runSystem`. */
export const purgeKeys: SQL = sql`delete from idempotency_keys where expires_at < now()`;

/** Nothing happened: the same key may be used again. */
export const releaseKey = (db: OrgDb, id: string) => db.delete(keys, eq(keys.id, id));

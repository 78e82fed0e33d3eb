import { desc, eq, sql } from "drizzle-orm";

import type { OrgDb, Statement } from "./org.ts";
import { signingKeys } from "./schema.ts";

export type SigningKey = typeof signingKeys.$inferSelect;

/** How long the public half of a retired key is still shown, for assertions that are under way. */
const shownAfter = sql`interval '24 hours'`;

export const listSigningKeys = (db: OrgDb) =>
  db.select(signingKeys, undefined, { orderBy: [desc(signingKeys.createdAt)] });

export const getSigningKey = (db: OrgDb, id: string) =>
  db.select(signingKeys, eq(signingKeys.id, id), { limit: 1 });

export const findSigningKey = (db: OrgDb, kid: string) =>
  db.select(signingKeys, eq(signingKeys.kid, kid), { limit: 1 });

export const addSigningKey = (
  db: OrgDb,
  row: Pick<SigningKey, "id" | "kid" | "algorithm" | "publicJwk" | "privateKey">,
) => db.insert(signingKeys, row);

/** What vendors may verify by: keys in use, and those that were retired within the day. */
export const publishedKeys = (db: OrgDb): Statement<{ public_jwk: Record<string, string> }[]> =>
  db.sql(sql`select public_jwk from signing_keys where org_id = app_org_id()
    and (retired_at is null or retired_at > now() - ${shownAfter}) order by created_at desc`);

/** The integrations that sign with a key that we hold: with this one, or with any. */
export const usersOfKeys = (
  db: OrgDb,
  keyId?: string,
): Statement<{ key_id: string; id: string; vendor_id: string; environment: string }[]> =>
  db.sql(sql`select k.id as key_id, i.id, i.vendor_id, i.environment from integrations i
    join signing_keys k on k.org_id = i.org_id and k.kid = i.settings ->> 'signingKeyId'
    where i.org_id = app_org_id() and ${keyId === undefined ? sql`true` : sql`k.id = ${keyId}`}
    order by 3, 4`);

/** Ends the transaction with EH412 where an integration has begun to use the key. */
export const expectUnused = (db: OrgDb, kid: string) =>
  db.sql(sql`select app_assert(not exists (select 1 from integrations
    where org_id = app_org_id() and settings ->> 'signingKeyId' = ${kid}), 'EH412')`);

/** Erases the private half. Empty where the key was retired already. */
export const retireSigningKey = (db: OrgDb, id: string) =>
  db.update(
    signingKeys,
    { privateKey: null, retiredAt: sql`now()` },
    sql`${signingKeys.id} = ${id} and retired_at is null`,
  );

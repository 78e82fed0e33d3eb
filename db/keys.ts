import { sql } from "drizzle-orm";

import type { OrgDb } from "./org.ts";

/** A key as tenants may see it; its hash stays behind the functions of `security.sql`. */
export type KeyRow = {
  id: string;
  name: string | null;
  start: string | null;
  permissions: string | null;
  created_by: string | null;
  created_at: string | Date;
  expires_at: string | Date | null;
  last_request: string | Date | null;
};

/** Those that were not revoked, newest first; expired ones too. */
export const listKeys = (db: OrgDb) => db.sql<KeyRow>(sql`select * from org_api_keys()`);

export type NewKey = {
  id: string;
  name: string;
  start: string;
  hash: string;
  permissions: Record<string, string[]>;
  expiresAt: Date;
};

/** Ends the transaction with EH429 where the org has made too many. */
export const addKey = (db: OrgDb, key: NewKey) =>
  db.sql(sql`select add_org_api_key(${key.id}::uuid, ${key.name}, ${key.start}, ${key.hash},
    ${JSON.stringify(key.permissions)}, ${key.expiresAt.toISOString()}::timestamptz)`);

/** Ends the transaction with EH404 where the org has no such key. */
export const revokeKey = (db: OrgDb, id: string) =>
  db.sql(sql`select revoke_org_api_key(${id}::uuid)`);

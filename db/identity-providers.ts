import { asc, eq, sql } from "drizzle-orm";

import type { Client } from "./client.ts";
import { type OrgDb, runSystem } from "./org.ts";
import { type Envelope, identityProviders as providers } from "./schema.ts";

export type IdentityProvider = typeof providers.$inferSelect;

export const listProviders = (db: OrgDb) =>
  db.select(providers, undefined, { orderBy: [asc(providers.domain)] });

export const getProvider = (db: OrgDb, id: string) => db.select(providers, eq(providers.id, id));

export const addProvider = (
  db: OrgDb,
  row: Omit<typeof providers.$inferInsert, "orgId" | "verifiedAt" | "lastUsedAt">,
) => db.insert(providers, row);

export const markVerified = (db: OrgDb, id: string) =>
  db.update(providers, { verifiedAt: sql`coalesce(verified_at, now())` }, eq(providers.id, id));

export const removeProvider = (db: OrgDb, id: string) => db.delete(providers, eq(providers.id, id));

/** What signing in needs, before anybody is signed in: only of a domain that was proved. */
export type SignInProvider = {
  id: string;
  orgId: string;
  domain: string;
  issuer: string;
  clientId: string;
  clientSecret: Envelope;
};

export async function findVerifiedProvider(
  client: Client,
  by: { domain: string } | { id: string },
): Promise<SignInProvider | undefined> {
  const where = "domain" in by ? sql`domain = ${by.domain}` : sql`id = ${by.id}::uuid`;
  const [[row] = []] = await runSystem(
    client,
    sql`select id, org_id, domain, issuer, client_id, client_secret from identity_providers
      where ${where} and verified_at is not null`,
  );
  return (
    row && {
      id: row["id"] as string,
      orgId: row["org_id"] as string,
      domain: row["domain"] as string,
      issuer: row["issuer"] as string,
      clientId: row["client_id"] as string,
      clientSecret: row["client_secret"] as Envelope,
    }
  );
}

export const markUsed = (client: Client, id: string) =>
  runSystem(client, sql`update identity_providers set last_used_at = now() where id = ${id}::uuid`);

import { createHash, randomUUID } from "node:crypto";

import { neon, neonConfig } from "@neondatabase/serverless";
import { hashPassword } from "better-auth/crypto";

/** The organization of every example in the docs. */
export const demo = {
  orgId: "2211a660-88f0-4fba-9961-1a43ef3b42d5",
  email: "demo@ehrconnect.example",
  password: "demo-password-1234",
  apiKey: "ehr_demo_key_for_local_development_only_0001",
};

export const keyHash = (key: string) => createHash("sha256").update(key).digest("base64url");

/** Adds the demo org, its owner and key where they are missing. Never run against production. */
export async function seed(url: string, endpoint?: string): Promise<void> {
  if (endpoint) neonConfig.fetchEndpoint = endpoint;
  const sql = neon(url);
  const [known] = await sql`select id from organizations where id = ${demo.orgId}`;
  if (known) return;
  await addOrg(url, {
    ...demo,
    name: "Riverside Family Clinic",
    slug: "riverside",
    person: "Dana Demo",
  });
}

export type NewOrg = {
  orgId: string;
  name: string;
  slug: string;
  person: string;
  email: string;
  password: string;
  apiKey: string;
};

export async function addOrg(url: string, org: NewOrg): Promise<{ userId: string }> {
  const sql = neon(url);
  const userId = randomUUID();
  const password = await hashPassword(org.password);
  await sql.transaction([
    sql`insert into organizations (id, name, slug) values (${org.orgId}, ${org.name}, ${org.slug})`,
    sql`insert into users (id, name, email, email_verified)
      values (${userId}, ${org.person}, ${org.email}, true)`,
    sql`insert into accounts (user_id, account_id, provider_id, password)
      values (${userId}, ${userId}, 'credential', ${password})`,
    sql`insert into members (organization_id, user_id, role) values (${org.orgId}, ${userId}, 'owner')`,
    sql`insert into api_keys (name, start, key, reference_id, created_by)
      values ('Demo key', ${org.apiKey.slice(0, 8)}, ${keyHash(org.apiKey)}, ${org.orgId}, ${userId})`,
  ]);
  return { userId };
}

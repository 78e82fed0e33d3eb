import { sql } from "drizzle-orm";

import type { Client } from "./client.ts";

export type SsoSession = {
  /** Whose single sign-on the person came by. */
  orgId: string;
  /** Whether they belong to it, and whether to any other. */
  here: boolean;
  elsewhere: boolean;
};

/** Undefined where the session has ended, or did not come by single sign-on. */
export async function findSsoSession(
  client: Client,
  token: string,
): Promise<SsoSession | undefined> {
  const { rows } = await client.execute<SsoSession>(
    sql`select s.sso_org_id as "orgId",
        coalesce(bool_or(m.organization_id = s.sso_org_id), false) as "here",
        coalesce(bool_or(m.organization_id <> s.sso_org_id), false) as "elsewhere"
      from sessions s left join members m on m.user_id = s.user_id
      where s.token = ${token} and s.sso_org_id is not null and s.expires_at > now()
      group by s.id`,
  );
  return rows[0];
}

/** The organization that an invitation leads into, whatever its state. */
export async function findInvitingOrg(client: Client, id: string): Promise<string | undefined> {
  const { rows } = await client.execute<{ org: string }>(
    sql`select organization_id as org from invitations where id = ${id}::uuid`,
  );
  return rows[0]?.org;
}

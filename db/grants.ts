import { and, eq, type SQL, sql } from "drizzle-orm";

import type { OrgDb } from "./org.ts";
import { grants, oauthStates } from "./schema.ts";

export type Grant = typeof grants.$inferSelect;
export type NewGrant = Omit<typeof grants.$inferInsert, "orgId">;

export const getGrant = (db: OrgDb, integrationId: string) =>
  db.select(grants, eq(grants.integrationId, integrationId), { limit: 1 });

/** Two statements to run in order: the grant before goes, and with it whatever was under way for it. */
export const replaceGrant = (db: OrgDb, row: NewGrant) =>
  [db.delete(grants, eq(grants.integrationId, row.integrationId)), db.insert(grants, row)] as const;

export const removeGrant = (db: OrgDb, integrationId: string) =>
  db.delete(grants, eq(grants.integrationId, integrationId));

const at = (
  id: string,
  version: number,
) => sql`${grants.id} = ${id} and ${grants.version} = ${version}
  and ${grants.status} = 'connected'`;

/**
 * Puts on record that `by` is about to ask the vendor for new tokens. Empty where another does, or
 * has done so since `version` was read. Whoever dies on the way blocks the others for `seconds`.
 */
export const claimRefresh = (db: OrgDb, id: string, version: number, by: string, seconds: number) =>
  db.update(
    grants,
    {
      refreshBy: by,
      refreshStartedAt: sql`now()`,
      refreshUntil: sql`now() + make_interval(secs => ${seconds}::int)`,
    },
    sql`${at(id, version)} and (refresh_until is null or refresh_until < now())`,
  );

const noClaim = { refreshBy: null, refreshStartedAt: null, refreshUntil: null };

type TokenSet = Pick<
  NewGrant,
  "tokens" | "scopesGranted" | "expiresAt" | "refreshExpiresAt" | "refreshable" | "nextRefreshAt"
>;

/** Compare-and-set: empty where the grant is no longer at `version`. */
export const saveRefreshed = (db: OrgDb, id: string, version: number, set: TokenSet) =>
  db.update(
    grants,
    {
      ...set,
      ...noClaim,
      version: version + 1,
      refreshedAt: sql`now()`,
      lastError: null,
      warnedDays: null,
    },
    at(id, version),
  );

/** The refresh failed and may be tried again. */
export const releaseRefresh = (db: OrgDb, id: string, by: string, lastError: string) =>
  db.update(
    grants,
    { ...noClaim, lastError },
    and(eq(grants.id, id), eq(grants.refreshBy, by)) ?? sql`false`,
  );

/** The vendor no longer takes it: its tokens are not kept. Empty where it was replaced meanwhile. */
export const loseGrant = (db: OrgDb, id: string, version: number, lastError: string) =>
  db.update(
    grants,
    {
      ...noClaim,
      status: "reconnect",
      tokens: null,
      nextRefreshAt: null,
      version: version + 1,
      lastError,
    },
    at(id, version),
  );

export const addState = (db: OrgDb, row: Omit<typeof oauthStates.$inferInsert, "orgId">) =>
  db.insert(oauthStates, row);

/** Run by `runSystem`, since who asks is not known yet. A state is taken once, whatever comes of it. */
export const takeState = (stateHash: string): SQL => sql`
  delete from oauth_states where state_hash = ${stateHash}
  returning *, expires_at < now() as expired`;

export const purgeStates = sql`delete from oauth_states where expires_at < now() - interval '1 hour'`;

/**
 * Claims the grants whose tokens end soon, over all orgs, and moves each on so that no other tick
 * takes it: run by `runSystem`. Of an integration that is off, only a refresh token near its end
 * counts: unused, it would be lost.
 */
export const claimExpiring = (limit: number): SQL => sql`
  update grants set next_refresh_at = now() + interval '2 minutes'
  where id in (
    select g.id from grants g join integrations i on i.id = g.integration_id
    where g.next_refresh_at <= now() and g.status = 'connected'
      and (i.enabled or g.refresh_expires_at < now() + interval '3 days')
    order by g.next_refresh_at limit ${limit} for update of g skip locked
  ) returning org_id, integration_id, version`;

/**
 * Puts a warning on record 14, 3 and 1 days before a grant ends for good: when its refresh token
 * does, or its access token where there is nothing to refresh it with. Run by `runSystem`.
 */
export const warnOfEnds = sql`
  with ending as (
    select id, case when ends_at < now() + interval '1 day' then 1
      when ends_at < now() + interval '3 days' then 3 else 14 end as days
    from (select id, case when refreshable then refresh_expires_at else expires_at end as ends_at
      from grants where status = 'connected') g
    where ends_at < now() + interval '14 days'
  ), warned as (
    update grants g set warned_days = e.days from ending e
    where e.id = g.id and (g.warned_days is null or g.warned_days > e.days)
    returning g.org_id, g.integration_id, e.days
  )
  insert into integration_activity_log
    (org_id, integration_id, vendor_id, activity_type, status, details, error_message, actor)
  select w.org_id, w.integration_id, i.vendor_id, 'grant_expiring', 'failure',
    jsonb_build_object('days', w.days),
    'The sign-in at the vendor ends within ' || case w.days when 1 then 'a day' else w.days || ' days' end
      || ': connect again', 'clock'
  from warned w join integrations i on i.id = w.integration_id`;

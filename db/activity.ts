import { and, asc, desc, eq, gt, gte, lt, lte, sql } from "drizzle-orm";

import type { OrgDb } from "./org.ts";
import { integrationActivityLog as activity } from "./schema.ts";

export type Activity = typeof activity.$inferSelect;

/** What can happen, in the words of the activity list. */
export const activityTypes = [
  "created",
  "updated",
  "deleted",
  "enabled",
  "disabled",
  "tested",
  "executed",
  "webhook_received",
  "webhook_rejected",
  "health_changed",
  "destination_created",
  "destination_updated",
  "destination_deleted",
  "destination_disabled",
  "destination_tested",
  "secret_rotated",
  "breaker_opened",
  "breaker_closed",
  "delivery_dead",
  "events_replayed",
  "payload_opened",
  "retention_changed",
  "subject_erased",
  "connect_started",
  "connected",
  "connect_failed",
  "disconnected",
  "refresh_failed",
  "refresh_interrupted",
  "reconnect_needed",
  "grant_expiring",
  "exported",
  "imported",
  "key_created",
  "key_revoked",
  "signing_key_created",
  "signing_key_retired",
  "member_invited",
  "invitation_cancelled",
  "member_joined",
  "member_role_changed",
  "member_removed",
  "member_left",
  "organization_updated",
  "password_reset_created",
  "sso_added",
  "sso_verified",
  "sso_removed",
] as const;
export type ActivityType = (typeof activityTypes)[number];

export type NewActivity = {
  integrationId: string | null;
  vendorId: string | null;
  activityType: ActivityType;
  status: "success" | "failure";
  /** Names and counts only: never a value that a person or a vendor sent. */
  details?: Record<string, unknown>;
  errorMessage?: string | null;
};

export const logActivity = (db: OrgDb, row: NewActivity | readonly NewActivity[]) =>
  db.insert(activity, row);

export type ActivityFilter = {
  integrationId?: string | undefined;
  activityType?: ActivityType | undefined;
  status?: "success" | "failure" | undefined;
  from?: Date | undefined;
  to?: Date | undefined;
  /** The `seq` of the last row of the page before. */
  before?: number | undefined;
  limit: number;
};

export function listActivity(db: OrgDb, filter: ActivityFilter) {
  const { integrationId, activityType, status, from, to, before, limit } = filter;
  const where = and(
    integrationId ? eq(activity.integrationId, integrationId) : undefined,
    activityType ? eq(activity.activityType, activityType) : undefined,
    status ? eq(activity.status, status) : undefined,
    from ? gte(activity.createdAt, from) : undefined,
    to ? lte(activity.createdAt, to) : undefined,
    before === undefined ? undefined : lt(activity.seq, before),
  );
  return db.select(activity, where, { orderBy: [desc(activity.seq)], limit });
}

/** A page of the log in the order of its chain, for the export. */
export function activityAfter(
  db: OrgDb,
  filter: {
    integrationId?: string | undefined;
    from?: Date | undefined;
    to?: Date | undefined;
    after: number;
    limit: number;
  },
) {
  const where = and(
    gt(activity.seq, filter.after),
    filter.integrationId ? eq(activity.integrationId, filter.integrationId) : undefined,
    filter.from ? gte(activity.createdAt, filter.from) : undefined,
    filter.to ? lte(activity.createdAt, filter.to) : undefined,
  );
  return db.select(activity, where, { orderBy: [asc(activity.seq)], limit: filter.limit });
}

/** Recomputes every hash, link and number of the chain, and its end as the trigger remembers it. */
export const verifyActivity = (db: OrgDb) =>
  db.sql<{ intact: boolean; rows: number; first_bad_seq: number | null; head: string }>(sql`
    with chain as (
      select seq, hash,
        (hash = activity_digest(prev_hash, seq, id, org_id, integration_id, vendor_id, activity_type,
              status, details, error_message, actor, created_by, ip, request_id, created_at)
            or hash = activity_digest(prev_hash, seq, id, org_id, integration_id, activity_type,
              status, details, error_message, actor, ip, request_id, created_at))
          and prev_hash = coalesce(lag(hash) over (order by seq), '')
          and seq = row_number() over (order by seq) as good
      from integration_activity_log where org_id = app_org_id()
    ), last as (select seq, hash from chain order by seq desc limit 1)
    select coalesce(bool_and(good), true)
        and coalesce((select last.seq = h.seq and last.hash = h.hash from last), h.seq is null) as intact,
      count(chain.seq)::int as rows,
      min(chain.seq) filter (where not good)::int as first_bad_seq,
      coalesce(h.hash, '') as head
    from (select 1) one left join activity_head() h on true left join chain on true
    group by h.seq, h.hash`);

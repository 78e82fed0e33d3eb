import { and, desc, eq, gte, lt, lte } from "drizzle-orm";

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
  "exported",
  "imported",
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

import { eq, sql } from "drizzle-orm";

import type { OrgDb, Statement } from "./org.ts";
import { type Envelope, events } from "./schema.ts";

export type Event = typeof events.$inferSelect;

export type NewEvent = {
  id: string;
  integrationId: string;
  vendorId: string;
  dedupKey: string;
  type: string;
  occurredAt: Date | undefined;
  sizeBytes: number;
  headers: Record<string, string>;
  contentType: string | null;
  bodyHash: string;
  payload: Envelope;
};

/**
 * Stores a verified webhook and its audit row in one statement. A repeated delivery is only counted:
 * `inserted` is false and `id` is that of the first.
 */
export function addEvent(
  db: OrgDb,
  event: NewEvent,
): Statement<{ id: string; inserted: boolean }[]> {
  const { id, integrationId, vendorId, dedupKey, type } = event;
  return db.sql(sql`with stored as (
      insert into events (id, org_id, integration_id, vendor_id, dedup_key, type, occurred_at,
        size_bytes, headers, content_type, body_hash, payload)
      values (${id}, app_org_id(), ${integrationId}, ${vendorId}, ${dedupKey}, ${type},
        ${event.occurredAt?.toISOString() ?? null}::timestamptz, ${event.sizeBytes},
        ${JSON.stringify(event.headers)}::jsonb, ${event.contentType}, ${event.bodyHash},
        ${JSON.stringify(event.payload)}::jsonb)
      on conflict (integration_id, dedup_key) do update set duplicates = events.duplicates + 1
      returning id, xmax = 0 as inserted
    ), logged as (
      insert into integration_activity_log
        (org_id, integration_id, vendor_id, activity_type, status, details)
      select app_org_id(), ${integrationId}, ${vendorId}, 'webhook_received', 'success',
        jsonb_build_object('event_id', id, 'type', ${type}::text, 'size_bytes', ${event.sizeBytes}::int)
      from stored where inserted
    )
    select id, inserted from stored`);
}

export const getEvent = (db: OrgDb, id: string) =>
  db.select(events, eq(events.id, id), { limit: 1 });

export const markEvent = (db: OrgDb, id: string, status: Event["status"]) =>
  db.update(events, { status }, eq(events.id, id));

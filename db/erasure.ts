import { sql } from "drizzle-orm";

import { uuids } from "./events.ts";
import type { OrgDb, Statement } from "./org.ts";
import type { Envelope } from "./schema.ts";

const eventsAtOnce = 200;
const answersAtOnce = 50;
/** Payloads that are read at once; a larger one is read alone. */
const bytesAtOnce = 4 * 1024 * 1024;

export type SearchedEvent = {
  id: string;
  seq: string;
  type: string;
  dedup_key: string;
  content_type: string | null;
  headers: Record<string, string>;
  payload: Envelope | null;
  /** What its deliveries' endpoints replied. */
  excerpts: { id: string; excerpt: Envelope }[];
};

/** Where a search goes on: after `after`, and only in what came at or after `since`. */
export type Place = { after: string; since?: Date | undefined };

const from = (column: string, since: Date | undefined) =>
  since ? sql`and ${sql.identifier(column)} >= ${since.toISOString()}::timestamptz` : sql``;

/** Events that still hold something, oldest first, with their replies. */
export const eventsToSearch = (db: OrgDb, { after, since }: Place): Statement<SearchedEvent[]> =>
  db.sql(sql`with page as (
      select * from events where org_id = app_org_id() and erased_at is null
        and seq > ${after || "0"}::bigint ${from("received_at", since)}
      order by seq limit ${eventsAtOnce}
    ), sized as (
      select page.*, row_number() over (order by seq) as nth,
        sum(case when payload is null then 0 else size_bytes end) over (order by seq) as bytes
      from page
    )
    select e.id, e.seq::text, e.type, e.dedup_key, e.content_type, e.headers, e.payload,
      (select coalesce(jsonb_agg(jsonb_build_object('id', a.id, 'excerpt', a.excerpt)), '[]')
        from deliveries v join delivery_attempts a on a.delivery_id = v.id
        where v.event_id = e.id and a.excerpt is not null) as excerpts
    from sized e where nth = 1 or bytes <= ${bytesAtOnce}::int order by e.seq`);

export type SearchedAnswer = { id: string; key: string; answer: Envelope };

/** Kept answers of requests with an Idempotency-Key, in the order of their keys. */
export const answersToSearch = (db: OrgDb, { after, since }: Place): Statement<SearchedAnswer[]> =>
  db.sql(sql`select id, key, answer from idempotency_keys
    where org_id = app_org_id() and answer is not null and key > ${after}
      ${from("started_at", since)}
    order by key limit ${answersAtOnce}`);

/** Deliveries that have not been sent; one that is being sent ends by itself. */
const unsent = sql`state in ('pending', 'failed', 'parked')`;

export const countUnsent = (db: OrgDb, eventIds: readonly string[]): Statement<{ n: number }[]> =>
  db.sql(sql`select count(*)::int as n from deliveries
    where org_id = app_org_id() and event_id = any(${uuids(eventIds)}) and ${unsent}`);

/** Under the same locks as `finishAttempt` and `routeEvents`, which then see that it is gone. */
export const lockEvents = (db: OrgDb, ids: readonly string[]): Statement<{ id: string }[]> =>
  db.sql(sql`select id from events where org_id = app_org_id() and id = any(${uuids(ids)})
    order by seq for update`);

export type Erased = { events: number; deliveries: number; excerpts: number; answers: number };

/**
 * Erases what was found and writes the audit row, with counts only. The events stay as rows, so that
 * the vendor's repetitions of them are still recognized. After `lockDestinations` and `lockEvents`.
 */
export const erase = (
  db: OrgDb,
  found: {
    events: readonly string[];
    /** Of these, type or vendor's id name the subject themselves. */
    named: readonly string[];
    excerpts: readonly string[];
    answers: readonly string[];
  },
  run: { id: string; subject: string },
): Statement<Erased[]> =>
  db.sql(sql`with gone as (
      update events set payload = null, headers = '{}', content_type = null, erased_at = now(),
        erased_by = current_setting('app.actor'),
        type = case when id = any(${uuids(found.named)}) then 'erased' else type end,
        dedup_key = case when id = any(${uuids(found.named)}) then 'erased:' || id else dedup_key end,
        status = case when status = 'received' then 'processed' else status end
      where org_id = app_org_id() and id = any(${uuids(found.events)}) and erased_at is null
      returning id
    ), canceled as (
      update deliveries v set state = 'canceled', last_cause = 'erased', updated_at = now()
      from gone where v.event_id = gone.id and v.org_id = app_org_id() and v.${unsent}
      returning v.id
    ), blanked as (
      update delivery_attempts a set excerpt = null
      where a.org_id = app_org_id() and a.excerpt is not null and (a.id = any(${uuids(found.excerpts)})
        or a.delivery_id in (select v.id from deliveries v join gone on gone.id = v.event_id))
      returning a.id
    ), forgotten as (
      update idempotency_keys set answer = null
      where org_id = app_org_id() and id = any(${uuids(found.answers)}) and answer is not null
      returning id
    ), counts as (
      select (select count(*)::int from gone) as events, (select count(*)::int from canceled) as deliveries,
        (select count(*)::int from blanked) as excerpts, (select count(*)::int from forgotten) as answers
    ), logged as (
      insert into integration_activity_log (org_id, activity_type, status, details)
      select app_org_id(), 'subject_erased', 'success', to_jsonb(counts)
        || jsonb_build_object('run_id', ${run.id}::text, 'subject', ${run.subject}::text)
      from counts
    )
    select * from counts`);

import { eq, type SQL, sql } from "drizzle-orm";

import type { OrgDb, Statement } from "./org.ts";
import { type DeliveryState, type Envelope, events } from "./schema.ts";

export type Event = typeof events.$inferSelect;

export type NewEvent = {
  id: string;
  integrationId: string;
  vendorId: string;
  dedupKey: string;
  type: string;
  /** What went wrong at the vendor, where the event tells of that. */
  failure: string | null;
  occurredAt: Date | undefined;
  receivedAt: Date;
  sizeBytes: number;
  headers: Record<string, string>;
  contentType: string | null;
  bodyHash: string;
  payload: Envelope;
};

/** Days that payloads are kept where an org has not chosen. */
export const defaultRetentionDays = 30;

const keptFor = (vendorId: SQL) => sql`make_interval(days => coalesce(
  (select days from event_retention where org_id = app_org_id() and vendor_id = ${vendorId}),
  (select days from event_retention where org_id = app_org_id() and vendor_id = '*'),
  ${defaultRetentionDays}::int))`;

/** Its vendor's API did not confirm it, which may have been a forgery, or too early to ask. */
const refused = sql`events.status = 'failed' and events.erased_at is null`;
const takeOver = sql.join(
  [
    "id",
    "status",
    "type",
    "occurred_at",
    "received_at",
    "verified_at",
    "process_at",
    "purge_at",
    "size_bytes",
    "headers",
    "content_type",
    "body_hash",
    "payload",
  ].map((name) => {
    const column = sql.identifier(name);
    return sql`${column} = case when ${refused} then excluded.${column} else events.${column} end`;
  }),
  sql`, `,
);

/**
 * Stores a verified webhook and its audit row in one statement. A repeated delivery is only counted:
 * `inserted` is false and `id` is that of the first. One that was refused is replaced.
 */
export function addEvent(
  db: OrgDb,
  event: NewEvent,
): Statement<{ id: string; inserted: boolean }[]> {
  const { id, integrationId, vendorId, dedupKey, type } = event;
  const receivedAt = sql`${event.receivedAt.toISOString()}::timestamptz`;
  return db.sql(sql`with stored as (
      insert into events (id, org_id, integration_id, vendor_id, dedup_key, type, occurred_at,
        received_at, purge_at, size_bytes, headers, content_type, body_hash, payload)
      values (${id}, app_org_id(), ${integrationId}, ${vendorId}, ${dedupKey}, ${type},
        ${event.occurredAt?.toISOString() ?? null}::timestamptz,
        ${receivedAt}, ${receivedAt} + ${keptFor(sql`${vendorId}`)}, ${event.sizeBytes},
        ${JSON.stringify(event.headers)}::jsonb, ${event.contentType}, ${event.bodyHash},
        ${JSON.stringify(event.payload)}::jsonb)
      on conflict (integration_id, dedup_key) do update set duplicates = events.duplicates + 1, ${takeOver}
      returning id, id = ${id}::uuid as inserted
    ), logged as (
      insert into integration_activity_log
        (org_id, integration_id, vendor_id, activity_type, status, error_message, details)
      select app_org_id(), ${integrationId}, ${vendorId}, 'webhook_received',
        ${event.failure === null ? "success" : "failure"}, ${event.failure},
        jsonb_build_object('event_id', id, 'type', ${type}::text, 'size_bytes', ${event.sizeBytes}::int)
      from stored where inserted
    )
    select id, inserted from stored`);
}

export const getEvent = (db: OrgDb, id: string) =>
  db.select(events, eq(events.id, id), { limit: 1 });

/** An unsigned vendor's own API did not confirm it: it is not forwarded. */
export const refuseEvent = (db: OrgDb, id: string) =>
  db.update(events, { status: "failed" }, sql`${events.id} = ${id} and status = 'received'`);

/** `*` in a glob stands for any text; everything else for itself. */
const like = (text: SQL, glob: SQL) =>
  sql`${text} like replace(replace(replace(replace(${glob}, '\\', '\\\\'), '%', '\\%'), '_', '\\_'), '*', '%')`;
export const typeFits = (event: SQL, glob: SQL): SQL =>
  sql`(${like(sql`${event}.type`, glob)} or ${like(sql`${event}.vendor_id || '.' || ${event}.type`, glob)})`;

/** Whether the destination `d` takes the event `e`. */
export const destinationFits = sql`(
  (d.vendor_ids = '[]' or d.vendor_ids ? e.vendor_id)
  and (d.integration_ids = '[]' or d.integration_ids ? e.integration_id::text)
  and (d.event_types = '[]' or exists (
    select 1 from jsonb_array_elements_text(d.event_types) as g(glob) where ${typeFits(sql`e`, sql`g.glob`)})))`;

export const uuids = (ids: readonly string[]) =>
  sql`array[${sql.join(
    ids.map((id) => sql`${id}`),
    sql`, `,
  )}]::uuid[]`;

/**
 * Settles events that are still `received` and makes their deliveries, in one statement: an event is
 * `processed` exactly if each destination that takes it has its row. Answers whom to wake.
 */
export const routeEvents = (
  db: OrgDb,
  ids: readonly string[],
): Statement<{ destination_id: string }[]> =>
  db.sql(sql`with e as (
      update events set status = 'processed'
      -- In the order in which a vendor's repeated batch locks them, too.
      where id in (
        select id from events
        where id = any(${uuids(ids)}) and org_id = app_org_id() and status = 'received'
        order by seq for update
      )
      returning id, seq, vendor_id, integration_id, type
    ), made as (
      insert into deliveries (org_id, event_id, destination_id, event_seq, state)
      select app_org_id(), e.id, d.id, e.seq,
        case when d.status = 'paused' or d.breaker <> 'closed' then 'parked' else 'pending' end
      from e join destinations d on d.org_id = app_org_id()
        and d.status in ('enabled', 'paused') and ${destinationFits}
      on conflict (event_id, destination_id) do nothing
      returning destination_id
    )
    select distinct destination_id from made`);

/** Events of retention 0 lose their payload as soon as every delivery has arrived or was given up on. */
export const purgeForwarded = (db: OrgDb, ids: readonly string[]): Statement<{ id: string }[]> =>
  db.sql(sql`with gone as (
      update events e set payload = null
      where id = any(${uuids(ids)}) and org_id = app_org_id() and status <> 'received'
        and payload is not null and purge_at <= now()
        and not exists (select 1 from deliveries v
          where v.event_id = e.id and v.state not in ('delivered', 'canceled'))
      returning id
    ), excerpts as (
      update delivery_attempts a set excerpt = null from deliveries v, gone
      where v.event_id = gone.id and a.delivery_id = v.id and a.excerpt is not null
    )
    select id from gone`);

/**
 * Events that should long have been settled: never queued, or their message was lost. Each is left
 * alone for longer than the last time, up to an hour.
 */
export const claimStuck = (limit: number): SQL => sql`
  update events set process_at = now()
    + least(interval '1 hour', (now() - received_at) / 2 + interval '2 minutes')
  where id in (
    select id from events where status = 'received' and process_at <= now()
    order by process_at limit ${limit} for update skip locked
  ) returning id, org_id, vendor_id`;

export type EventFilter = {
  ids?: readonly string[] | undefined;
  integrationId?: string | undefined;
  vendorId?: string | undefined;
  /** A glob over `<vendor>.<type>` or the type alone. */
  type?: string | undefined;
  status?: Event["status"] | undefined;
  /** Events of which some delivery is in this state. */
  deliveryState?: DeliveryState | undefined;
  from?: Date | undefined;
  to?: Date | undefined;
};

/** The condition on events `e`. */
function matching(filter: EventFilter): SQL {
  const conditions = [sql`e.org_id = app_org_id()`];
  if (filter.ids) conditions.push(sql`e.id = any(${uuids(filter.ids)})`);
  if (filter.integrationId) conditions.push(sql`e.integration_id = ${filter.integrationId}`);
  if (filter.vendorId) conditions.push(sql`e.vendor_id = ${filter.vendorId}`);
  if (filter.type) conditions.push(typeFits(sql`e`, sql`${filter.type}::text`));
  if (filter.status) conditions.push(sql`e.status = ${filter.status}`);
  if (filter.deliveryState)
    conditions.push(sql`exists (select 1 from deliveries v
      where v.event_id = e.id and v.org_id = app_org_id() and v.state = ${filter.deliveryState})`);
  if (filter.from) conditions.push(sql`e.received_at >= ${filter.from.toISOString()}::timestamptz`);
  if (filter.to) conditions.push(sql`e.received_at <= ${filter.to.toISOString()}::timestamptz`);
  return sql.join(conditions, sql` and `);
}

/** An event as it is listed: without its payload. Times are ISO 8601. */
export type EventSummary = {
  id: string;
  org_id: string;
  integration_id: string;
  vendor_id: string;
  type: string;
  status: Event["status"];
  occurred_at: string | null;
  received_at: string;
  verified_at: string;
  size_bytes: number;
  content_type: string | null;
  body_hash: string;
  duplicates: number;
  has_payload: boolean;
  headers: Record<string, string>;
  erased_at: string | null;
  erased_by: string | null;
  deliveries: Partial<Record<DeliveryState, number>>;
};

export const iso = (column: SQL) =>
  sql`to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** Newest first; `before` is the id of the last row of the page before. */
export const listEvents = (
  db: OrgDb,
  filter: EventFilter,
  page: { before?: string | undefined; limit: number },
): Statement<EventSummary[]> =>
  db.sql(sql`select e.id, e.org_id, e.integration_id, e.vendor_id, e.type, e.status,
      ${iso(sql`e.occurred_at`)} as occurred_at, ${iso(sql`e.received_at`)} as received_at,
      ${iso(sql`e.verified_at`)} as verified_at, e.size_bytes, e.content_type, e.body_hash,
      e.duplicates, e.payload is not null as has_payload, e.headers,
      ${iso(sql`e.erased_at`)} as erased_at, e.erased_by,
      coalesce((select jsonb_object_agg(s.state, s.n) from (select state, count(*)::int as n
        from deliveries v where v.event_id = e.id and v.org_id = app_org_id() group by state) s), '{}')
        as deliveries
    from events e where ${matching(filter)}
      ${
        page.before
          ? sql`and e.seq < (select seq from events where id = ${page.before} and org_id = app_org_id())`
          : sql``
      }
    order by e.seq desc limit ${page.limit}`);

export type ReplayPlan = {
  events: number;
  /** Of these, no payload is kept: they cannot be sent again. */
  without_payload: number;
  /** Of those, it was erased for a person's sake. */
  erased: number;
  /** Of these, the event was never settled, or its vendor did not confirm it. */
  not_confirmed: number;
  /** Pairs of event and destination that will be (were) sent. */
  deliveries: number;
  /** Pairs that are on their way already. */
  under_way: number;
};

/** A replay goes to the destination that was named, even past its filter, else to all that take the event. */
const pairs = (filter: EventFilter, destinationId: string | undefined) => sql`chosen as (
    select e.id, e.seq, e.vendor_id, e.integration_id, e.type, e.status,
      e.payload is not null as has_payload, e.erased_at
    from events e where ${matching(filter)}
  ), good as (
    select * from chosen where status = 'processed' and has_payload
  ), pair as (
    select e.id as event_id, e.seq, d.id as destination_id,
      case when d.status = 'paused' or d.breaker = 'open' then 'parked' else 'pending' end as state
    from good e join destinations d on d.org_id = app_org_id() and d.status in ('enabled', 'paused')
      and ${destinationId ? sql`d.id = ${destinationId}` : destinationFits}
  )`;

const busy = sql`state in ('pending', 'delivering', 'parked')`;

export const planReplay = (
  db: OrgDb,
  filter: EventFilter,
  destinationId: string | undefined,
): Statement<ReplayPlan[]> =>
  db.sql(sql`with ${pairs(filter, destinationId)}, waiting as (
      select 1 from pair join deliveries v using (event_id, destination_id) where v.${busy}
    )
    select (select count(*)::int from chosen) as events,
      (select count(*)::int from chosen where status = 'processed' and not has_payload) as without_payload,
      (select count(*)::int from chosen where erased_at is not null) as erased,
      (select count(*)::int from chosen where status <> 'processed') as not_confirmed,
      (select count(*)::int from pair) - (select count(*)::int from waiting) as deliveries,
      (select count(*)::int from waiting) as under_way`);

/** Before a change of many deliveries: their destinations write what came of them under this lock. */
export const lockDestinations = (db: OrgDb, id: string | undefined): Statement<{ id: string }[]> =>
  db.sql(sql`select id from destinations
    where org_id = app_org_id() and id = coalesce(${id ?? null}::uuid, id)
    order by id for no key update`);

/** Sends again from the start of the schedule; what is on its way is left alone. Answers whom to wake. */
export const replayEvents = (
  db: OrgDb,
  filter: EventFilter,
  destinationId: string | undefined,
): Statement<{ destination_id: string; deliveries: number }[]> =>
  db.sql(sql`with ${pairs(filter, destinationId)}, sent as (
      insert into deliveries as v (org_id, event_id, destination_id, event_seq, state, replays)
      select app_org_id(), event_id, destination_id, seq, state, 1 from pair
      on conflict (event_id, destination_id) do update set
        state = excluded.state, failures = 0, skips = 0, replays = v.replays + 1,
        next_attempt_at = now(), updated_at = now(), delivered_at = null
      where not v.${busy}
      returning destination_id
    )
    select destination_id, count(*)::int as deliveries from sent group by destination_id`);

import { sql } from "drizzle-orm";

import { iso } from "./events.ts";
import type { OrgDb, Statement } from "./org.ts";
import type { DeliveryState, Envelope } from "./schema.ts";

/** How long an attempt may take before it counts as interrupted: the request's 30 s and room to write. */
const leaseSeconds = 75;
/** Sealed payloads that are read at once; a larger one is read alone. */
const claimBytes = 4 * 1024 * 1024;
/** The breaker opens after so many failures in a row, if they are of several deliveries. */
const failuresToOpen = 5;
const deliveriesToOpen = 3;
const firstProbeSeconds = 30;
const longestProbeSeconds = 900;
const slowestLevel = 6;

/** A delivery that is being sent, and what it sends. */
export type Claimed = {
  id: string;
  event_id: string;
  attempt: number;
  failures: number;
  replays: number;
  attempt_id: string;
  type: string;
  vendor_id: string;
  integration_id: string;
  content_type: string | null;
  /** ISO 8601: the vendor's time, else ours. */
  happened_at: string;
  payload: Envelope | null;
};

/**
 * Takes what the destination may be sent now, in the order of the events, and opens an attempt for
 * each. Nothing while it is paused, disabled or held; one at a time while it is slow, while its
 * breaker is open (a probe, once its time has come) and while it drains.
 */
export const claim = (db: OrgDb, destinationId: string): Statement<Claimed[]> =>
  db.sql(sql`with d as (
      select * from destinations where id = ${destinationId} and org_id = app_org_id()
      for no key update
    ), under_way as (
      select count(*)::int as n from deliveries v where v.destination_id = ${destinationId}
        and v.org_id = app_org_id() and v.state = 'delivering' and v.next_attempt_at > now()
    ), room as (
      select case
        when d.status <> 'enabled' or d.resume_at > now() then 0
        when d.breaker = 'open' and (d.probe_at is null or d.probe_at > now()) then 0
        when d.breaker <> 'closed' or d.slow_level > 0 then 1
        else d.concurrency end - under_way.n as n
      from d, under_way
    ), due as (
      select v.id, v.event_seq, row_number() over () as nth from (
        select v.id, v.event_seq from deliveries v, d
        where v.destination_id = ${destinationId} and v.org_id = app_org_id()
          and v.state in ('pending', 'delivering', 'failed', 'parked')
          and ((d.breaker = 'open' and v.state <> 'delivering') or v.next_attempt_at <= now())
        order by case when d.breaker = 'open' then v.skips else 0 end, v.event_seq
        limit (select greatest(n, 0) from room) for update of v skip locked
      ) v
    ), sized as (
      select due.id, due.nth, sum(e.size_bytes) over (order by due.nth) as bytes
      from due join deliveries v on v.id = due.id join events e on e.id = v.event_id
    ), claimed as (
      update deliveries v set state = 'delivering', attempts = v.attempts + 1, updated_at = now(),
        next_attempt_at = now() + make_interval(secs => ${leaseSeconds}::int)
      from sized where v.id = sized.id and (sized.nth = 1 or sized.bytes <= ${claimBytes}::int)
      returning v.*
    ), interrupted as (
      update delivery_attempts a set finished_at = now(), cause = 'interrupted' from claimed c
      where a.delivery_id = c.id and a.number = c.attempts - 1 and a.finished_at is null
    ), begun as (
      insert into delivery_attempts (org_id, delivery_id, number, probe, replay)
      select app_org_id(), c.id, c.attempts, d.breaker = 'open', c.replays > 0 from claimed c, d
      returning id, delivery_id
    )
    select c.id, c.event_id, c.attempts as attempt, c.failures, c.replays, begun.id as attempt_id,
      e.type, e.vendor_id, e.integration_id, e.content_type,
      ${iso(sql`coalesce(e.occurred_at, e.received_at)`)} as happened_at, e.payload
    from claimed c join begun on begun.delivery_id = c.id join events e on e.id = c.event_id
    order by c.event_seq`);

export type Finish = {
  id: string;
  attempt: number;
  /** The reply's status; null where there was none. */
  status: number | null;
  latencyMs: number;
  /** Null: delivered. */
  cause: string | null;
  excerpt: Envelope | null;
  /** When to try again; null where that was the last attempt of the schedule. */
  retryAt: Date | null;
  /** The endpoint as a whole is away, rather than refusing this one event. */
  down: boolean;
  /** 429, 502, 504: fewer requests from now on. */
  slow: boolean;
  /** Seconds for which the endpoint asks to be left alone. */
  holdSeconds: number;
  /** 410: the endpoint wants nothing more, ever. */
  gone: boolean;
};

export type Finished = { state: DeliveryState | null; breaker: string; status: string };

/**
 * Writes how an attempt ended: its row, the delivery's next state, and what it says of the
 * destination, with an audit row where that changes. An attempt that is no longer the delivery's
 * last (its lease ran out) only writes its own row. `parkWaiting` comes after it.
 */
export function finishAttempt(
  db: OrgDb,
  destinationId: string,
  end: Finish,
): Statement<Finished[]> {
  const ok = sql`${end.cause === null}::boolean`;
  const down = sql`${end.down}::boolean`;
  const slow = sql`${end.slow}::boolean`;
  const gone = sql`${end.gone}::boolean`;
  const retryAt = sql`${end.retryAt?.toISOString() ?? null}::timestamptz`;
  const hold = sql`${end.holdSeconds}::int`;
  return db.sql(sql`with d as (
      select * from destinations where id = ${destinationId} and org_id = app_org_id()
      for no key update
    ), e as (
      -- Locked, so that an erasure which runs at the same time comes before or after all of this.
      select e.erased_at is not null as erased
      from d, deliveries v join events e on e.id = v.event_id
      where v.id = ${end.id} and v.org_id = app_org_id() for share of e
    ), attempt as (
      update delivery_attempts set finished_at = now(), status = ${end.status}::int,
        latency_ms = ${end.latencyMs}::int, cause = ${end.cause}::text,
        excerpt = case when not (select erased from e)
          then ${end.excerpt ? JSON.stringify(end.excerpt) : null}::jsonb end
      where delivery_id = ${end.id} and number = ${end.attempt} and org_id = app_org_id()
    ), verdict as (
      select d.*, not ${ok} and not ${gone} and d.status = 'enabled' and d.breaker <> 'open' and (
          (d.breaker = 'draining' and ${down})
          or (d.consecutive_failures + 1 >= ${failuresToOpen} and ${deliveriesToOpen - 1} <= (
            select count(*) from (select 1 from deliveries v where v.destination_id = d.id
              and v.state = 'failed' and v.id <> ${end.id} limit ${deliveriesToOpen}) others))
        ) as opens
      from d
    ), next as (
      select case
        when ${ok} then 'delivered'
        when (select erased from e) then 'canceled'
        when ${gone} then 'dead'
        when status = 'deleted' then 'canceled'
        when opens or breaker = 'open' or status <> 'enabled' then 'parked'
        when ${retryAt} is null then 'dead'
        else 'failed' end as state
      from verdict
    ), settled as (
      update deliveries v set state = next.state,
        failures = v.failures + case when next.state in ('failed', 'dead') then 1 else 0 end,
        skips = v.skips + case when next.state = 'parked' and not ${down} then 1 else 0 end,
        next_attempt_at = case when next.state = 'failed' then ${retryAt} else now() end,
        last_status = ${end.status}::int, last_cause = case when next.state = 'canceled'
          and (select erased from e) then 'erased' else ${end.cause}::text end,
        last_latency_ms = ${end.latencyMs}::int, updated_at = now(),
        delivered_at = case when ${ok} then now() end
      from next
      where v.id = ${end.id} and v.attempts = ${end.attempt} and v.state = 'delivering'
        and v.org_id = app_org_id()
      returning v.state, v.event_id
    ), after as (
      update destinations d set
        last_success_at = case when ${ok} then now() else d.last_success_at end,
        last_failure_at = case when ${ok} then d.last_failure_at else now() end,
        consecutive_failures = case when ${ok} then 0 else d.consecutive_failures + 1 end,
        slow_level = case when ${ok} then greatest(d.slow_level - 1, 0)
          when ${slow} then least(d.slow_level + 1, ${slowestLevel}) else d.slow_level end,
        resume_at = case when not ${slow} and ${hold} = 0 then d.resume_at
          else greatest(d.resume_at, now() + make_interval(secs =>
            greatest(${hold}, case when ${slow} then power(2, d.slow_level) else 0 end))) end,
        breaker = case when w.opens then 'open' when ${ok} and d.breaker = 'open' then 'draining'
          else d.breaker end,
        breaker_since = case when w.opens or (${ok} and d.breaker = 'open') then now()
          else d.breaker_since end,
        failed_probes = case when w.opens or ${ok} then 0
          when d.breaker = 'open' then d.failed_probes + 1 else d.failed_probes end,
        probe_at = case when ${ok} then null
          when w.opens or d.breaker = 'open' then now() + make_interval(secs => (1 + random() / 5)
            * greatest(${hold}, least(${longestProbeSeconds}, ${firstProbeSeconds}
              * power(2, case when w.opens then 0 else least(d.failed_probes + 1, 10) end)))) end,
        status = case when ${gone} and d.status in ('enabled', 'paused') then 'disabled'
          else d.status end,
        status_reason = case when ${gone} and d.status in ('enabled', 'paused')
          then 'The endpoint answered 410 Gone' else d.status_reason end
      from verdict w where d.id = w.id
      returning d.breaker, d.status, d.name, w.opens, w.breaker as breaker_before,
        w.status as status_before
    ), logged as (
      insert into integration_activity_log (org_id, activity_type, status, details, error_message)
      select app_org_id(), change.type, change.status,
        jsonb_build_object('destination_id', ${destinationId}::text, 'destination', after.name)
          || change.details, change.message
      from after left join settled on true, lateral (values
        ('breaker_opened', 'failure', '{}'::jsonb, 'The endpoint keeps failing: deliveries are parked', opens),
        ('breaker_closed', 'success', '{}'::jsonb, null, ${ok} and breaker_before = 'open'),
        ('destination_disabled', 'failure', '{}'::jsonb, 'The endpoint answered 410 Gone',
          after.status = 'disabled' and status_before <> 'disabled'),
        ('delivery_dead', 'failure',
          jsonb_build_object('event_id', settled.event_id, 'delivery_id', ${end.id}::text),
          'Every attempt failed', coalesce(settled.state = 'dead', false) and not ${gone})
      ) as change (type, status, details, message, happened) where change.happened
    )
    select settled.state, after.breaker, after.status from after left join settled on true`);
}

/** While the destination takes nothing, what waits is parked; it is due as soon as that ends. */
export const parkWaiting = (db: OrgDb, destinationId: string): Statement<{ id: string }[]> =>
  db.sql(sql`update deliveries v set state = 'parked', next_attempt_at = now(), updated_at = now()
    from destinations d
    where d.id = ${destinationId} and d.org_id = app_org_id()
      and (d.breaker = 'open' or d.status in ('paused', 'disabled'))
      and v.destination_id = d.id and v.state in ('pending', 'failed')
    returning v.id`);

/** Ends the draining once nothing is parked. */
export const endDraining = (db: OrgDb, destinationId: string) =>
  db.sql(sql`update destinations d set breaker = 'closed', breaker_since = now()
    where d.id = ${destinationId} and d.org_id = app_org_id() and d.breaker = 'draining'
      and not exists (select 1 from deliveries v where v.destination_id = d.id and v.state = 'parked')`);

/** Milliseconds from now until the destination has something to do; no row, or null: nothing waits. */
export const nextDue = (db: OrgDb, destinationId: string): Statement<{ ms: number | null }[]> =>
  db.sql(sql`select ceil(extract(epoch from greatest(d.resume_at, case when d.breaker = 'open'
      then d.probe_at end, case when d.breaker <> 'open' or w.delivering then w.first end) - now())
      * 1000)::float8 as ms
    from destinations d, lateral (
      select min(v.next_attempt_at) as first, coalesce(bool_or(v.state = 'delivering'), false) as delivering
      from (select next_attempt_at, state from deliveries where destination_id = d.id
        and state in ('pending', 'delivering', 'failed', 'parked') order by next_attempt_at limit 1) v
    ) w
    where d.id = ${destinationId} and d.org_id = app_org_id() and d.status = 'enabled'
      and w.first is not null`);

/** A delivery as it is shown. Times are ISO 8601. */
export type DeliveryRow = {
  id: string;
  org_id: string;
  event_id: string;
  event_type: string;
  vendor_id: string;
  integration_id: string;
  destination_id: string;
  destination_name: string;
  state: DeliveryState;
  attempts: number;
  failures: number;
  replays: number;
  next_attempt_at: string | null;
  last_status: number | null;
  last_cause: string | null;
  last_latency_ms: number | null;
  delivered_at: string | null;
  created_at: string;
  updated_at: string;
};

export type DeliveryFilter = {
  id?: string | undefined;
  eventId?: string | undefined;
  destinationId?: string | undefined;
  state?: DeliveryState | undefined;
  from?: Date | undefined;
  to?: Date | undefined;
};

/** Newest event first; `before` is the id of the last row of the page before. */
export function listDeliveries(
  db: OrgDb,
  filter: DeliveryFilter,
  page: { before?: string | undefined; limit: number },
): Statement<DeliveryRow[]> {
  const conditions = [sql`v.org_id = app_org_id()`];
  if (filter.id) conditions.push(sql`v.id = ${filter.id}`);
  if (filter.eventId) conditions.push(sql`v.event_id = ${filter.eventId}`);
  if (filter.destinationId) conditions.push(sql`v.destination_id = ${filter.destinationId}`);
  if (filter.state) conditions.push(sql`v.state = ${filter.state}`);
  if (filter.from) conditions.push(sql`v.created_at >= ${filter.from.toISOString()}::timestamptz`);
  if (filter.to) conditions.push(sql`v.created_at <= ${filter.to.toISOString()}::timestamptz`);
  if (page.before)
    conditions.push(sql`(v.event_seq, v.id) < (select event_seq, id from deliveries
      where id = ${page.before} and org_id = app_org_id())`);
  return db.sql(sql`select v.id, v.org_id, v.event_id, e.type as event_type, e.vendor_id,
      e.integration_id, v.destination_id, d.name as destination_name, v.state, v.attempts, v.failures,
      v.replays, ${iso(sql`case when v.state in ('pending', 'failed') then v.next_attempt_at end`)}
        as next_attempt_at,
      v.last_status, v.last_cause, v.last_latency_ms, ${iso(sql`v.delivered_at`)} as delivered_at,
      ${iso(sql`v.created_at`)} as created_at, ${iso(sql`v.updated_at`)} as updated_at
    from deliveries v join events e on e.id = v.event_id join destinations d on d.id = v.destination_id
    where ${sql.join(conditions, sql` and `)}
    order by v.event_seq desc, v.id desc limit ${page.limit}`);
}

export type AttemptRow = {
  id: string;
  number: number;
  probe: boolean;
  replay: boolean;
  started_at: string;
  finished_at: string | null;
  status: number | null;
  latency_ms: number | null;
  cause: string | null;
  excerpt: Envelope | null;
};

export const listAttempts = (db: OrgDb, deliveryId: string): Statement<AttemptRow[]> =>
  db.sql(sql`select id, number, probe, replay, ${iso(sql`started_at`)} as started_at,
      ${iso(sql`finished_at`)} as finished_at, status, latency_ms, cause, excerpt
    from delivery_attempts where delivery_id = ${deliveryId} and org_id = app_org_id()
    order by number desc limit 200`);

import { type SQL, sql } from "drizzle-orm";

import { defaultRetentionDays } from "./events.ts";
import type { OrgDb, Statement } from "./org.ts";
import { eventRetention } from "./schema.ts";

export const listRetention = (db: OrgDb) => db.select(eventRetention);

/** Replaces the org's settings, and moves the end of every payload that is still kept. */
export const setRetention = (
  db: OrgDb,
  days: Readonly<Record<string, number>>,
): Statement<unknown>[] => [
  db.delete(eventRetention, sql`true`),
  ...(Object.keys(days).length
    ? [
        db.insert(
          eventRetention,
          Object.entries(days).map(([vendorId, kept]) => ({ vendorId, days: kept })),
        ),
      ]
    : []),
  db.sql(sql`update events e set purge_at = e.received_at + make_interval(days => coalesce(
      (select days from event_retention where org_id = app_org_id() and vendor_id = e.vendor_id),
      (select days from event_retention where org_id = app_org_id() and vendor_id = '*'),
      ${defaultRetentionDays}::int))
    where e.org_id = app_org_id() and e.payload is not null`),
];

/** An undelivered event is kept at least this long after it came, whatever the retention. */
const undeliveredDays = 14;
/** Hashes and ids stay at least this long: longer than any vendor repeats a webhook. */
const dedupDays = 90;

/** Over all orgs, by `runSystem`: payloads whose time has come, and events that nobody needs any more. */
export const purge = (limit: number): SQL[] => [
  // A delivery that did not arrive in all that time is given up with its payload.
  sql`with late as (
      select v.id from events e join deliveries v on v.event_id = e.id
      where e.payload is not null and e.purge_at <= now()
        and e.received_at < now() - make_interval(days => ${undeliveredDays}::int)
        and v.state in ('pending', 'failed', 'parked')
      limit ${limit} for update of v skip locked
    )
    update deliveries v set state = 'dead', last_cause = 'expired', updated_at = now()
    from late where v.id = late.id`,
  sql`with due as (
      select id from events e
      where payload is not null and purge_at <= now() and status <> 'received'
        and not exists (select 1 from deliveries v
          where v.event_id = e.id and v.state not in ('delivered', 'canceled')
            and (v.state <> 'dead'
              or e.received_at >= now() - make_interval(days => ${undeliveredDays}::int)))
      order by purge_at limit ${limit} for update skip locked
    ), gone as (
      update events e set payload = null from due where e.id = due.id returning e.id
    )
    update delivery_attempts a set excerpt = null from gone, deliveries v
    where v.event_id = gone.id and a.delivery_id = v.id and a.excerpt is not null`,
  sql`delete from events where id in (
      select id from events where payload is null and status <> 'received'
        and received_at < now() - make_interval(days => ${dedupDays}::int)
      limit ${limit} for update skip locked
    )`,
  sql`delete from destinations d where status = 'deleted'
    and not exists (select 1 from deliveries v where v.destination_id = d.id)`,
];

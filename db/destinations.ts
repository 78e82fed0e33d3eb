import { and, asc, eq, ne, type SQL, sql } from "drizzle-orm";

import type { OrgDb, Statement } from "./org.ts";
import { destinations } from "./schema.ts";

export type Destination = typeof destinations.$inferSelect;
export type NewDestination = Omit<typeof destinations.$inferInsert, "orgId">;

const notDeleted = ne(destinations.status, "deleted");

export const listDestinations = (db: OrgDb) =>
  db.select(destinations, notDeleted, {
    orderBy: [asc(destinations.createdAt), asc(destinations.id)],
  });

export const getDestination = (db: OrgDb, id: string) =>
  db.select(destinations, and(eq(destinations.id, id), notDeleted), { limit: 1 });

export const addDestination = (db: OrgDb, row: NewDestination) => db.insert(destinations, row);

/** Deliveries that are not settled, by destination. */
export const countWaiting = (
  db: OrgDb,
): Statement<{ destination_id: string; state: string; n: number }[]> =>
  db.sql(sql`select destination_id, state, count(*)::int as n from deliveries
    where org_id = app_org_id() and state in ('pending', 'delivering', 'failed', 'parked', 'dead')
    group by destination_id, state`);

/** Ends the transaction with EH404 or EH412 unless the destination exists at `version`; locks its row. */
export const expectDestination = (db: OrgDb, id: string, version: number | undefined) =>
  db.sql(sql`select app_assert(d.id is not null, 'EH404'),
      app_assert(${version ?? null}::int is null or d.version = ${version ?? null}::int, 'EH412')
    from (select 1) one left join lateral (
      select id, version from destinations
      where id = ${id} and org_id = app_org_id() and status <> 'deleted' for no key update
    ) d on true`);

export const changeDestination = (
  db: OrgDb,
  id: string,
  change: { [K in keyof NewDestination]?: NewDestination[K] | SQL },
) =>
  db.update(
    destinations,
    {
      ...change,
      version: sql`${destinations.version} + 1`,
      updatedAt: sql`now()`,
      updatedBy: sql`coalesce(app_user_id(), ${destinations.updatedBy})`,
    },
    eq(destinations.id, id),
  );

/** What it takes to send again: the breaker lets through what was parked, in order. */
export const released = {
  breaker: sql`case when exists (select 1 from deliveries v
    where v.destination_id = ${destinations.id} and v.state = 'parked') then 'draining' else 'closed' end`,
  breakerSince: sql`now()`,
  consecutiveFailures: 0,
  failedProbes: 0,
  probeAt: null,
  slowLevel: 0,
  resumeAt: null,
  statusReason: null,
} as const;

/** The next delivery goes out at once, to see whether the endpoint is back. */
export const probeNow = (db: OrgDb, id: string) =>
  db.update(
    destinations,
    { probeAt: sql`now()`, resumeAt: null },
    sql`${destinations.id} = ${id} and breaker = 'open'`,
  );

export const cancelWaiting = (db: OrgDb, id: string): Statement<{ id: string }[]> =>
  db.sql(sql`update deliveries set state = 'canceled', updated_at = now()
    where destination_id = ${id} and org_id = app_org_id() and state in ('pending', 'failed', 'parked')
    returning id`);

/** Over all orgs, by `runSystem`: destinations whose own timer should have gone off by now. */
export const overdue = (limit: number): SQL => sql`
  select d.id, d.org_id from destinations d
  where d.status = 'enabled' and (d.resume_at is null or d.resume_at <= now())
    and (d.breaker <> 'open' or d.probe_at <= now() - interval '20 seconds')
    and exists (select 1 from deliveries v where v.destination_id = d.id
      and v.state in ('pending', 'delivering', 'failed', 'parked')
      and v.next_attempt_at <= now() - interval '20 seconds')
  limit ${limit}`;

import { and, asc, eq, gt, inArray, or, type SQL, sql } from "drizzle-orm";

import type { OrgDb } from "./org.ts";
import { integrations } from "./schema.ts";

export type Integration = typeof integrations.$inferSelect;
export type NewIntegration = Omit<typeof integrations.$inferInsert, "orgId">;

export type IntegrationFilter = {
  active?: boolean | undefined;
  vendorIds?: readonly string[] | undefined;
  environment?: "sandbox" | "production" | undefined;
  healthStatus?: Integration["healthStatus"] | undefined;
  /** The id and creation time of the last row of the page before. */
  after?: { createdAt: Date; id: string } | undefined;
  limit?: number | undefined;
};

/** Six visits of the clock: what was good so long ago and was not looked at since is no longer called good. */
const staleMinutes = 30;
const shown = sql`case when enabled and health_status = 'active'
  and last_tested_at < now() - make_interval(mins => ${staleMinutes}::int)
  then 'testing' else health_status end`;

/** The status as it may be shown: green only while somebody still looks. */
export function shownHealth(
  row: Pick<Integration, "enabled" | "healthStatus" | "lastTestedAt">,
  now = Date.now(),
): Integration["healthStatus"] {
  const { enabled, healthStatus, lastTestedAt } = row;
  const isStale = lastTestedAt !== null && now - lastTestedAt.getTime() > staleMinutes * 60_000;
  return enabled && healthStatus === "active" && isStale ? "testing" : healthStatus;
}

export function listIntegrations(db: OrgDb, filter: IntegrationFilter = {}) {
  const { active, vendorIds, environment, healthStatus, after, limit } = filter;
  const where = and(
    active === undefined ? undefined : eq(integrations.enabled, active),
    vendorIds ? inArray(integrations.vendorId, [...vendorIds]) : undefined,
    environment ? eq(integrations.environment, environment) : undefined,
    healthStatus ? sql`${shown} = ${healthStatus}` : undefined,
    after
      ? or(
          gt(integrations.createdAt, after.createdAt),
          and(eq(integrations.createdAt, after.createdAt), gt(integrations.id, after.id)),
        )
      : undefined,
  );
  return db.select(integrations, where, {
    orderBy: [asc(integrations.createdAt), asc(integrations.id)],
    ...(limit === undefined ? {} : { limit }),
  });
}

export const getIntegration = (db: OrgDb, id: string) =>
  db.select(integrations, eq(integrations.id, id), { limit: 1 });

export const addIntegration = (db: OrgDb, row: NewIntegration) => db.insert(integrations, row);

/**
 * Ends the transaction with EH404 or EH412 unless the row exists and is still at `version`;
 * the row stays locked until the transaction ends. It comes before the change that relies on it.
 */
export const expectVersion = (db: OrgDb, id: string, version: number | undefined) =>
  db.sql(sql`select app_assert(i.id is not null, 'EH404'),
      app_assert(${version ?? null}::int is null or i.version = ${version ?? null}::int, 'EH412')
    from (select 1) one left join lateral (
      select id, version from integrations where id = ${id} and org_id = app_org_id() for update
    ) i on true`);

export const changeIntegration = (
  db: OrgDb,
  id: string,
  change: { [K in keyof NewIntegration]?: NewIntegration[K] | SQL },
) =>
  db.update(
    integrations,
    {
      ...change,
      version: sql`${integrations.version} + 1`,
      updatedAt: sql`now()`,
      updatedBy: sql`coalesce(app_user_id(), ${integrations.updatedBy})`,
    },
    eq(integrations.id, id),
  );

export const removeIntegration = (db: OrgDb, id: string) =>
  db.delete(integrations, eq(integrations.id, id));

export type CheckOutcome = {
  /** `inconclusive`: nothing was learned (429, our own time-out). */
  result: "ok" | "failed" | "inconclusive";
  latencyMs: number | null;
  account: string | null;
  cause: string | null;
  error: string | null;
};

/** Three failures in a row open, two successes close. A person's own test counts at once. */
const failuresToOpen = 3;
const successesToClose = 2;
/** Calls that fail now and then open too, once they are half of the last twenty. */
const callsRemembered = 20;
const failedOfRemembered = callsRemembered / 2;

/** `recent_calls` with one more call. */
const withCall = (failed: boolean) =>
  sql`((recent_calls << 1) | ${failed ? 1 : 0}::int) & ${2 ** callsRemembered - 1}::int`;
const failsOften = (calls: SQL) =>
  sql`bit_count((${calls})::bit(${sql.raw(String(callsRemembered))})) >= ${failedOfRemembered}`;

const statusWhen = (condition: SQL, then: Integration["healthStatus"]) =>
  sql`case when not enabled then 'inactive' when ${condition} then ${then} else health_status end`;
/** An error is shown until the status is good again. */
const clearWhen = (condition: SQL, column: SQL) =>
  sql`case when ${condition} or not enabled then null else ${column} end`;

/**
 * Writes what a check found. `decisive` is a test that somebody asked for: it sets the status at
 * once; the clock's probes need three failures in a row to open and two successes to close, and
 * close nothing while real calls fail.
 */
export function recordCheck(
  db: OrgDb,
  id: string,
  outcome: CheckOutcome,
  options: { decisive: boolean; nextCheckAt?: Date | undefined },
) {
  const { decisive, nextCheckAt } = options;
  const seen = {
    lastTestedAt: sql`now()`,
    lastLatencyMs: outcome.latencyMs,
    ...(nextCheckAt
      ? { nextCheckAt: sql`case when enabled then ${nextCheckAt.toISOString()}::timestamptz end` }
      : {}),
  };
  const change = {
    inconclusive: () => seen,
    ok: () => {
      const closes = decisive
        ? sql`true`
        : sql`failed_calls < ${failuresToOpen} and not ${failsOften(sql`recent_calls`)}
            and (health_status = 'active' or consecutive_successes + 1 >= ${successesToClose})`;
      return {
        ...seen,
        account: outcome.account,
        consecutiveFailures: 0,
        consecutiveSuccesses: sql`consecutive_successes + 1`,
        ...(decisive ? { failedCalls: 0, recentCalls: 0 } : {}),
        healthStatus: statusWhen(closes, "active"),
        lastError: clearWhen(closes, sql`last_error`),
        lastCause: clearWhen(closes, sql`last_cause`),
      };
    },
    failed: () => ({
      ...seen,
      consecutiveSuccesses: 0,
      consecutiveFailures: sql`consecutive_failures + 1`,
      lastError: outcome.error,
      lastCause: outcome.cause,
      healthStatus: statusWhen(
        decisive ? sql`true` : sql`consecutive_failures + 1 >= ${failuresToOpen}`,
        "error",
      ),
    }),
  }[outcome.result]();
  return db.update(integrations, change, eq(integrations.id, id));
}

/** What a real call says of the integration: `limited` by a 429 or a 403, it may be the call's own fault. */
export type CallOutcome =
  | { result: "ok" }
  | { result: "failed" | "limited"; cause: string; message: string };

/**
 * A real call as evidence: three in a row that fail turn the status red, and so do ten of the last
 * twenty that fail or are limited, whatever the probes say.
 */
export function recordCall(db: OrgDb, id: string, outcome: CallOutcome) {
  const failed = outcome.result !== "ok";
  const calls = withCall(failed);
  const often = failsOften(calls);
  const seen = {
    recentCalls: calls,
    consecutiveSuccesses: failed ? 0 : sql`consecutive_successes + 1`,
  };
  const change = () => {
    switch (outcome.result) {
      case "ok": {
        const closes = sql`health_status = 'error' and consecutive_failures < ${failuresToOpen}
          and consecutive_successes + 1 >= ${successesToClose} and not ${often}`;
        return {
          failedCalls: 0,
          healthStatus: statusWhen(closes, "active"),
          lastError: clearWhen(closes, sql`last_error`),
          lastCause: clearWhen(closes, sql`last_cause`),
        };
      }
      case "failed":
        return {
          failedCalls: sql`failed_calls + 1`,
          lastError: outcome.message,
          lastCause: outcome.cause,
          healthStatus: statusWhen(sql`failed_calls + 1 >= ${failuresToOpen} or ${often}`, "error"),
        };
      case "limited":
        return {
          lastError: sql`case when ${often} then ${outcome.message} else last_error end`,
          lastCause: sql`case when ${often} then ${outcome.cause} else last_cause end`,
          healthStatus: statusWhen(often, "error"),
        };
    }
  };
  return db.update(integrations, { ...seen, ...change() }, eq(integrations.id, id));
}

export type HealthSummary = {
  total: number;
  enabled: number;
  active: number;
  errors: number;
  inactive: number;
};

export const summarizeIntegrations = (db: OrgDb) =>
  db.sql<HealthSummary>(sql`select count(*)::int as total,
      count(*) filter (where enabled)::int as enabled,
      count(*) filter (where ${shown} = 'active')::int as active,
      count(*) filter (where health_status = 'error')::int as errors,
      count(*) filter (where health_status = 'inactive')::int as inactive
    from integrations where org_id = app_org_id()`);

/**
 * Claims what is due for a check, over all orgs, and moves it on so that no other tick takes it:
 * run by `runSystem`. Times are spread by a hash of the id, so that a restart makes no herd.
 */
export const claimDue = (limit: number, everySeconds: number): SQL => sql`
  update integrations set next_check_at = now() + make_interval(secs =>
    ${everySeconds}::float * (0.9 + 0.2 * (('x' || substr(md5(id::text), 1, 4))::bit(16)::int / 65535.0)))
  where id in (
    select id from integrations where next_check_at <= now() and enabled
    order by next_check_at limit ${limit} for update skip locked
  ) returning id, org_id`;

/** Whose integration a webhook address names; run by `runSystem`, since the vendor has no session. */
export const findIntegration = (id: string): SQL =>
  sql`select * from integrations where id = ${id}`;

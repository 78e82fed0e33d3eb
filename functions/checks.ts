import { createRoute, z } from "@hono/zod-openapi";

import { logActivity } from "../db/activity.ts";
import {
  type CheckOutcome,
  getIntegration,
  type Integration,
  listIntegrations,
  recordCheck,
  summarizeIntegrations,
} from "../db/integrations.ts";
import type { OrgDb } from "../db/org.ts";
import { actionOf } from "../handlers/advice.ts";
import { connectApi } from "../handlers/api.ts";
import { type AnyVendor, environmentNames } from "../handlers/define.ts";
import { failureThrown } from "../handlers/failure.ts";
import type { FieldValues } from "../handlers/fields.ts";
import { loadVendor, vendorId } from "../handlers/registry.ts";
import { Problem, VendorFailure } from "../problem.ts";
import { alsoRequire, chooseOrg, guarded } from "./access.ts";
import { connection, openIntegration, type Target } from "./calls.ts";
import { configure, lendsHeldKey, openValues, storedOf, webhookUrl } from "./credentials.ts";
import { eachLimited } from "./each-limited.ts";
import type { Env } from "./env.ts";
import { ById, json, newApp } from "./http.ts";
import { IntegrationRow, presentIntegration, Summary, TestReport } from "./present.ts";

export type Probe = {
  success: boolean;
  message: string;
  report: z.infer<typeof TestReport>;
};

/** Runs the vendor's own test and reports; a failure of the vendor is a result, never an exception. */
export async function probe(
  env: Env,
  target: Target & Partial<Pick<Integration, "credentials">>,
  vendor: AnyVendor,
  known?: FieldValues,
): Promise<Probe> {
  const started = Date.now();
  const latency = () => Date.now() - started;
  let isConnected = false;
  try {
    const values = known ?? (target.id ? await openValues(env.vault, target as Integration) : {});
    isConnected = vendor.auth(values).kind === "authorization_code";
    const api = connectApi(connection(env, target, vendor, values));
    const { account, checked } = await vendor.test(api, values, target.environment);
    return {
      success: true,
      message: `${vendor.name} accepted the credentials`,
      report: { latency_ms: latency(), account, checked: [...checked], cause: null },
    };
  } catch (thrown) {
    const error = failureThrown(target.vendorId, thrown);
    if (!(error instanceof VendorFailure)) throw error;
    return {
      success: false,
      message: `${error.message.replace(/\.?$/, ".")} ${actionOf(error.failure, isConnected)}`,
      report: { latency_ms: latency(), account: null, checked: [], cause: error.failure },
    };
  }
}

export const outcomeOf = ({ success, message, report }: Probe): CheckOutcome => ({
  result: success
    ? "ok"
    : report.cause === "rate_limited" || report.cause === "timeout"
      ? "inconclusive"
      : "failed",
  latencyMs: report.latency_ms,
  account: report.account,
  cause: report.cause,
  error: success ? null : message,
});

export const checkEverySeconds = 300;
const retryAfterFailureSeconds = 60;
export const nextCheck = (failed = false) =>
  new Date(Date.now() + (failed ? retryAfterFailureSeconds : checkEverySeconds) * 1000);

/** Probes a stored integration and writes what it found; used by people, the clock and the queue. */
export async function check(env: Env, db: OrgDb, row: Integration, decisive: boolean) {
  const vendor = await loadVendor(row.vendorId);
  if (!vendor) throw new Problem("unknown_vendor");
  const result = await probe(env, row, vendor, await openIntegration(env, row));
  const outcome = outcomeOf(result);
  const log = (activityType: "tested" | "health_changed", details: Record<string, unknown>) =>
    logActivity(db, {
      integrationId: row.id,
      vendorId: row.vendorId,
      activityType,
      status: result.success ? "success" : "failure",
      details,
      errorMessage: result.success ? null : result.message,
    });
  const written = recordCheck(db, row.id, outcome, {
    decisive,
    nextCheckAt: nextCheck(outcome.result === "failed"),
  });
  const [[after]] = decisive
    ? await db.run(written, log("tested", { ...result.report }))
    : await db.run(written);
  if (after && !decisive && after.healthStatus !== row.healthStatus)
    await db.run(
      log("health_changed", { from: row.healthStatus, to: after.healthStatus, ...result.report }),
    );
  return { result, after };
}

const TestAnswer = z
  .object({ success: z.boolean(), message: z.string(), data: TestReport })
  .openapi("TestAnswer");
const OrgId = z.union([z.uuid(), z.literal("")]).optional();

const testUnsaved = createRoute({
  method: "post",
  path: "/test",
  operationId: "testCredentials",
  summary: "Test credentials that are not saved",
  ...guarded("integrations:test"),
  request: {
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z.strictObject({
            org_id: OrgId,
            /** An integration whose stored secrets stand in for the masked ones. */
            integration_id: z.uuid().optional(),
            vendor_id: z.string().min(1).max(100),
            environment: z.enum(environmentNames).default("sandbox"),
            api_endpoint: z.string().max(2000).nullable().optional(),
            credentials: z.record(z.string().max(100), z.unknown()).default({}),
          }),
        },
      },
    },
  },
  responses: {
    200: json(TestAnswer, "The result; a test that failed is a 200 with `success: false`"),
  },
});
const testSaved = createRoute({
  method: "post",
  path: "/{id}/test",
  operationId: "testIntegration",
  summary: "Test an integration",
  ...guarded("integrations:test"),
  request: { params: ById },
  responses: {
    200: json(TestAnswer, "The result; a test that failed is a 200 with `success: false`"),
  },
});
const Health = z.object({
  success: z.literal(true),
  data: z.array(IntegrationRow),
  count: z.number().int(),
  summary: Summary,
  message: z.string().optional(),
});
const healthStatus = createRoute({
  method: "get",
  path: "/health/status",
  operationId: "readHealth",
  summary: "Health of all integrations",
  ...guarded("integrations:read"),
  responses: { 200: json(Health, "Rows and totals") },
});
const healthCheck = createRoute({
  method: "post",
  path: "/health/check",
  operationId: "checkHealth",
  summary: "Check all switched-on integrations now",
  ...guarded("integrations:test"),
  request: {
    body: { content: { "application/json": { schema: z.strictObject({ org_id: OrgId }) } } },
  },
  responses: { 200: json(Health, "Rows and totals after the check") },
});

const noSummary = { total: 0, enabled: 0, active: 0, errors: 0, inactive: 0 };

async function readHealth(env: Env, db: OrgDb) {
  const [rows, [summary]] = await db.run(listIntegrations(db), summarizeIntegrations(db));
  const data = await Promise.all(
    rows.map(async (row) => {
      const vendor = await loadVendor(row.vendorId);
      return presentIntegration(
        row,
        vendor ? await webhookUrl(env.settings, vendor, row, false) : null,
      );
    }),
  );
  return {
    rows,
    answer: { success: true as const, data, count: data.length, summary: summary ?? noSummary },
  };
}

export const checkRoutes = newApp()
  .openapi(healthStatus, async (c) => {
    const { answer } = await readHealth(c.env, c.var.db);
    return c.json(answer, 200);
  })
  .openapi(healthCheck, async (c) => {
    const { db } = c.var;
    chooseOrg(c, c.req.valid("json")?.org_id);
    const { rows } = await readHealth(c.env, db);
    const due = rows.filter((row) => row.enabled);
    await eachLimited(due, (row) => check(c.env, db, row, true));
    const { answer } = await readHealth(c.env, db);
    return c.json({ ...answer, message: `${due.length} checked` }, 200);
  })
  .openapi(testUnsaved, async (c) => {
    const { db } = c.var;
    const input = c.req.valid("json");
    chooseOrg(c, input.org_id);
    const [stored] = input.integration_id
      ? await db.run(getIntegration(db, input.integration_id))
      : [[]];
    const { orgId } = await db.authenticate();
    const [row] = stored;
    if (input.integration_id && row?.vendorId !== vendorId(input.vendor_id))
      throw new Problem("not_found");
    const vendor = await loadVendor(input.vendor_id);
    if (!vendor)
      throw new Problem("invalid_request", `There is no vendor named ${input.vendor_id}`, {
        errors: [{ path: "vendor_id", message: "There is no such vendor" }],
      });
    const before = row && storedOf(row, await openValues(c.env.vault, row));
    const { environment } = input;
    const chosen = configure(
      vendor,
      {
        environment,
        endpoint: input.api_endpoint,
        credentials: input.credentials,
      },
      before,
    );
    if (lendsHeldKey(vendor, before, { environment, ...chosen }))
      await alsoRequire(c, "integrations:write");
    const target = {
      orgId,
      vendorId: vendorId(input.vendor_id),
      environment,
      apiEndpoint: chosen.endpoint,
      grantOf: row?.id,
    };
    const { success, message, report } = await probe(c.env, target, vendor, chosen.values);
    return c.json({ success, message, data: report }, 200);
  })
  .openapi(testSaved, async (c) => {
    const { db } = c.var;
    const [[row]] = await db.run(getIntegration(db, c.req.valid("param").id));
    if (!row) throw new Problem("not_found");
    const { result } = await check(c.env, db, row, true);
    return c.json({ success: result.success, message: result.message, data: result.report }, 200);
  });

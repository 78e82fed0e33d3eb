import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";

import { logActivity } from "../db/activity.ts";
import {
  type CallOutcome,
  getIntegration,
  type Integration,
  recordCall,
} from "../db/integrations.ts";
import type { OrgDb } from "../db/org.ts";
import { runOperation } from "../handlers/api.ts";
import type { AnyVendor } from "../handlers/define.ts";
import { Problem, type VendorCause, VendorFailure } from "../problem.ts";
import { guarded } from "./access.ts";
import { connection, openIntegration } from "./calls.ts";
import { type AppEnv, ById, json, newApp } from "./http.ts";
import { afterCall, claim } from "./idempotency.ts";
import { mustLoadVendor } from "./vendors.ts";

export const CallHeaders = z.object({
  /** Kept 72 hours: the same request with the same key is carried out once. */
  "idempotency-key": z.string().min(1).max(255).optional(),
  traceparent: z
    .string()
    .regex(/^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/)
    .optional(),
});

const answer = json(
  z.object({
    success: z.literal(true),
    data: z.object({
      integration_id: z.uuid(),
      vendor_id: z.string(),
      operation: z.string(),
      result: z.unknown(),
      latency_ms: z.number().int(),
    }),
  }),
  "The vendor's answer in the operation's own form; a streaming operation answers with its stream",
);
const Stream = z.string().openapi({ format: "binary" });

const execute = createRoute({
  method: "post",
  path: "/{id}/execute",
  operationId: "execute",
  summary: "Run an operation of the integration's vendor",
  ...guarded("integrations:execute"),
  request: {
    params: ById,
    headers: CallHeaders,
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z.strictObject({
            operation: z.string().min(1).max(100),
            params: z.record(z.string(), z.unknown()).default({}),
          }),
        },
      },
    },
  },
  responses: { 200: { ...answer, content: { ...answer.content, "*/*": { schema: Stream } } } },
});

/** Failures that say something about the integration, not about the params of one call. */
const ofIntegration: ReadonlySet<VendorCause> = new Set([
  "credentials_rejected",
  "credentials_expired",
  "vendor_unavailable",
  "timeout",
  "unexpected_reply",
]);
/** May be the call's own fault, but not if it is so again and again. */
const limited: ReadonlySet<VendorCause> = new Set(["rate_limited", "forbidden"]);

/**
 * What a call says of the integration's health; undefined where it says nothing. Once the caller has
 * left, a call that was cut off does not.
 */
export function outcomeOfCall(
  failure: Pick<VendorFailure, "failure" | "message"> | undefined,
  callerLeft: boolean,
): CallOutcome | undefined {
  if (!failure) return { result: "ok" };
  const { failure: cause, message } = failure;
  if (cause === "timeout" && callerLeft) return undefined;
  if (ofIntegration.has(cause)) return { result: "failed", cause, message };
  return limited.has(cause) ? { result: "limited", cause, message } : undefined;
}

type Done = {
  operation: string;
  latencyMs: number;
  failure?: VendorFailure | undefined;
  callerLeft?: boolean;
  /** The stream has begun: how it ends is what counts. */
  goesOn?: boolean;
};

/** One transaction: the audit row, and the call as evidence of the integration's health. */
async function logCall(
  db: OrgDb,
  row: Integration,
  { operation, latencyMs, failure, callerLeft = false, goesOn = false }: Done,
) {
  const logged = logActivity(db, {
    integrationId: row.id,
    vendorId: row.vendorId,
    activityType: "executed",
    status: failure ? "failure" : "success",
    details: {
      operation,
      latency_ms: latencyMs,
      ...(failure ? { cause: failure.failure, vendor_code: failure.vendorCode } : {}),
    },
    errorMessage: failure?.message ?? null,
  });
  const outcome = goesOn ? undefined : outcomeOfCall(failure, callerLeft);
  await (outcome && isNews(row, outcome) ? count(db, row, outcome, logged) : db.run(logged));
}

/** Good calls are not counted while nothing is wrong, so that they do not wait for one row. */
const isNews = (row: Integration, outcome: CallOutcome) =>
  outcome.result !== "ok" || row.healthStatus === "error" || row.recentCalls !== 0;

async function count(
  db: OrgDb,
  row: Integration,
  outcome: CallOutcome,
  ...before: ReturnType<typeof logActivity>[]
) {
  const [[after]] = await db.run(recordCall(db, row.id, outcome), ...before);
  if (!after || after.healthStatus === row.healthStatus) return;
  await db.run(
    logActivity(db, {
      integrationId: row.id,
      vendorId: row.vendorId,
      activityType: "health_changed",
      status: after.healthStatus === "active" ? "success" : "failure",
      details: { from: row.healthStatus, to: after.healthStatus, by: "calls" },
      errorMessage: after.lastError,
    }),
  );
}

/** A stream that has begun is on record as a call; how it ended is told when it has. */
async function logEnd(db: OrgDb, row: Integration, done: Done) {
  const good: CallOutcome = { result: "ok" };
  if (done.failure) await logCall(db, row, done);
  else if (isNews(row, good)) await count(db, row, good);
}

export type Carried = { result: unknown; latencyMs: number };

/** Runs an operation on an integration and puts its outcome on record, whichever it is. */
export async function carryOut(
  c: Context<AppEnv>,
  row: Integration,
  vendor: AnyVendor,
  operation: string,
  params: unknown,
  headers: z.output<typeof CallHeaders>,
): Promise<Carried> {
  const values = await openIntegration(c.env, row);
  const { db } = c.var;
  const { signal } = c.req.raw;
  const started = Date.now();
  const done = (failure?: VendorFailure): Done => ({
    operation,
    latencyMs: Date.now() - started,
    failure,
    callerLeft: signal.aborted,
  });
  const ended = (failure: VendorFailure | undefined) => {
    if (!signal.aborted) c.executionCtx.waitUntil(logEnd(db, row, done(failure)));
  };
  const more = { traceparent: headers.traceparent, signal, ended };
  let result: unknown;
  try {
    result = await runOperation({
      ...connection(c.env, row, vendor, values, more),
      operation,
      params,
      idempotencyKey: headers["idempotency-key"],
    });
  } catch (error) {
    if (!(error instanceof Problem)) throw afterCall(error);
    if (!(error instanceof VendorFailure)) throw error;
    await logCall(db, row, done(error)).catch((unlogged: unknown) => {
      throw error.mayHaveHappened ? afterCall(unlogged) : unlogged;
    });
    throw error;
  }
  const good = { ...done(), goesOn: result instanceof Response };
  await logCall(db, row, good).catch((unlogged: unknown) => {
    throw afterCall(unlogged);
  });
  const { latencyMs } = good;
  return { result, latencyMs };
}

/** The vendor's bytes under headers of ours: its cookies and directives are not for our address. */
export const streamed = ({ status, headers, body }: Response) =>
  new Response(body, {
    status,
    headers: {
      "content-type": headers.get("content-type") ?? "application/octet-stream",
      "cache-control": "no-store",
    },
  });

export const executeRoutes = newApp().openapi(execute, async (c) => {
  const { db } = c.var;
  const { operation, params } = c.req.valid("json");
  const headers = c.req.valid("header");
  const key = headers["idempotency-key"];
  const found = getIntegration(db, c.req.valid("param").id);
  const use = key === undefined ? undefined : await claim(c, key);
  const [[row], , claimed = [], standing = []] = use
    ? await db.run(found, ...use.statements)
    : await db.run(found);
  const vendor = row && (await mustLoadVendor(row.vendorId));
  const declared =
    vendor && Object.hasOwn(vendor.operations, operation)
      ? vendor.operations[operation]
      : undefined;
  const repeatable =
    declared?.effect === "read" ||
    declared?.idempotent === true ||
    declared?.idempotencyHeader !== undefined;
  const before = await use?.resolve(claimed, standing, repeatable);
  if (before) return before as never;
  try {
    if (!row || !vendor) throw new Problem("not_found");
    if (!row.enabled) throw new Problem("integration_disabled");
    const { result, latencyMs } = await carryOut(c, row, vendor, operation, params, headers);
    if (result instanceof Response) {
      await (declared?.effect === "read" ? use?.fail(undefined) : use?.spend());
      return streamed(result) as never;
    }
    const answer = {
      success: true as const,
      data: {
        integration_id: row.id,
        vendor_id: row.vendorId,
        operation,
        result,
        latency_ms: latencyMs,
      },
    };
    await use?.settle(200, answer);
    return c.json(answer, 200);
  } catch (error) {
    await use?.fail(error);
    throw error;
  }
});

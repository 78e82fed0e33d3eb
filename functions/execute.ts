import { createRoute, z } from "@hono/zod-openapi";

import { logActivity } from "../db/activity.ts";
import { getIntegration, type Integration, recordCall } from "../db/integrations.ts";
import type { OrgDb } from "../db/org.ts";
import { runOperation } from "../handlers/api.ts";
import { Problem, type VendorCause, VendorFailure } from "../problem.ts";
import { guarded } from "./access.ts";
import { connection, openIntegration } from "./calls.ts";
import { json, newApp } from "./http.ts";
import { mustLoadVendor } from "./vendors.ts";

const execute = createRoute({
  method: "post",
  path: "/{id}/execute",
  operationId: "execute",
  summary: "Run an operation of the integration's vendor",
  ...guarded("integrations:execute"),
  request: {
    params: z.object({ id: z.uuid() }),
    headers: z.object({
      "idempotency-key": z.string().min(1).max(255).optional(),
      traceparent: z
        .string()
        .regex(/^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/)
        .optional(),
    }),
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
  responses: {
    200: json(
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
    ),
  },
});

/** Failures that say something about the integration, not about the params of one call. */
const evidence: ReadonlySet<VendorCause> = new Set([
  "credentials_rejected",
  "credentials_expired",
  "vendor_unavailable",
  "unexpected_reply",
]);

/** One transaction: the audit row, and the call as evidence of the integration's health. */
async function logCall(
  db: OrgDb,
  row: Integration,
  operation: string,
  latencyMs: number,
  failure: VendorFailure | undefined,
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
  const telling = failure
    ? evidence.has(failure.failure)
    : row.healthStatus === "error" || row.failedCalls > 0;
  if (!telling) {
    await db.run(logged);
    return;
  }
  const said = failure && { cause: failure.failure, message: failure.message };
  const [, [after]] = await db.run(logged, recordCall(db, row.id, said));
  if (after && after.healthStatus !== row.healthStatus)
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

export const executeRoutes = newApp().openapi(execute, async (c) => {
  const { db } = c.var;
  const { operation, params } = c.req.valid("json");
  const headers = c.req.valid("header");
  const [[row]] = await db.run(getIntegration(db, c.req.valid("param").id));
  if (!row) throw new Problem("not_found");
  if (!row.enabled) throw new Problem("integration_disabled");
  const vendor = await mustLoadVendor(row.vendorId);
  const values = await openIntegration(c.env, row);
  const started = Date.now();
  const latency = () => Date.now() - started;
  try {
    const result = await runOperation({
      ...connection(c.env, row, vendor, values, {
        traceparent: headers.traceparent,
        signal: c.req.raw.signal,
      }),
      operation,
      params,
      idempotencyKey: headers["idempotency-key"],
    });
    await logCall(db, row, operation, latency(), undefined);
    if (result instanceof Response) return result as never;
    const data = {
      integration_id: row.id,
      vendor_id: row.vendorId,
      operation,
      result,
      latency_ms: latency(),
    };
    return c.json({ success: true as const, data }, 200);
  } catch (error) {
    if (error instanceof VendorFailure) await logCall(db, row, operation, latency(), error);
    throw error;
  }
});

import { expect, test } from "vitest";

import type { VendorCause } from "../problem.ts";
import { runOperation } from "./api.ts";
import { exampleValues } from "./define.ts";
import { registry, type VendorId } from "./registry.ts";
import { failureOf, scripted } from "./testing.ts";

type Refusal = {
  vendor: VendorId;
  operation: string;
  status: number;
  body: unknown;
  cause: VendorCause;
  /** How often it is sent in all. */
  requests: number;
};

const refusals: Refusal[] = [
  {
    vendor: "stripe",
    operation: "refundPayment",
    status: 409,
    body: { error: { type: "idempotency_error", code: "idempotency_key_in_use" } },
    cause: "vendor_unavailable",
    requests: 3,
  },
  {
    vendor: "stripe",
    operation: "refundPayment",
    status: 429,
    body: { error: { type: "invalid_request_error", code: "lock_timeout" } },
    cause: "vendor_unavailable",
    requests: 3,
  },
  {
    vendor: "stripe",
    operation: "refundPayment",
    status: 400,
    body: { error: { type: "idempotency_error" } },
    cause: "invalid_request",
    requests: 1,
  },
];

test.each(refusals)(
  "$vendor's $status to $operation is told as $cause",
  async ({ vendor: vendorId, operation, status, body, cause, requests: times }) => {
    const vendor = await registry[vendorId]();
    const { wire, requests } = scripted(Response.json(body, { status }));
    const { params } = vendor.operations[operation]?.example ?? {};
    const run = { vendorId, vendor, values: exampleValues(vendor), wire, operation, params };
    const sleep = async () => undefined;
    const failure = await failureOf(runOperation({ ...run, sleep, environment: "production" }));
    expect(failure.failure).toBe(cause);
    expect(requests).toHaveLength(times);
  },
);

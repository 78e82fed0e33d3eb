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
  {
    vendor: "stripe",
    operation: "createPaymentIntent",
    status: 424,
    body: { error: { type: "api_error" } },
    cause: "vendor_unavailable",
    requests: 3,
  },
  {
    vendor: "stripe",
    operation: "getPaymentIntent",
    status: 200,
    body: { id: "pi_1", status: "x", amount: 1, currency: "usd", created: 9_007_199_254_740_991 },
    cause: "unexpected_reply",
    requests: 1,
  },
  ...(
    [
      ["server_error", "vendor_unavailable"],
      ["rate_limit_exceeded", "rate_limited"],
      ["invalid_prompt", "invalid_request"],
      ["something_new", "unexpected_reply"],
    ] as const
  ).map(([code, cause]) => ({
    vendor: "openai" as const,
    operation: "generateText",
    status: 200,
    body: { id: "resp_1", status: "failed", error: { code, message: "" }, output: [] },
    cause,
    requests: 1,
  })),
  {
    vendor: "openai",
    operation: "generateText",
    status: 429,
    body: { error: { type: "billing_not_active", code: "billing_not_active" } },
    cause: "forbidden",
    requests: 1,
  },
  ...[21_215, 21_219].map((code) => ({
    vendor: "twilio" as const,
    operation: "makeCall",
    status: 400,
    body: { code, message: "", status: 400 },
    cause: "forbidden" as const,
    requests: 1,
  })),
  ...[
    "no_permission",
    "enterprise_is_restricted",
    "user_not_visible",
    "restricted_action_read_only_channel",
    "restricted_action_thread_only_channel",
    "restricted_action_non_threadable_channel",
    "cant_update_message",
    "cant_delete_message",
    "edit_window_closed",
    "compliance_exports_prevent_deletion",
  ].map((error) => ({
    vendor: "slack" as const,
    operation: "updateMessage",
    status: 200,
    body: { ok: false, error },
    cause: "forbidden" as const,
    requests: 1,
  })),
];

test.each(refusals)(
  "$vendor's $status to $operation is told as $cause: $body",
  async ({ vendor: vendorId, operation, status, body, cause, requests: times }) => {
    const vendor = await registry[vendorId]();
    const { wire, requests } = scripted(Response.json(body, { status }));
    const { effect, example } = vendor.operations[operation] ?? {};
    const run = { vendorId, vendor, values: exampleValues(vendor), wire, operation };
    const sleep = async () => undefined;
    const failure = await failureOf(
      runOperation({ ...run, params: example?.params, sleep, environment: "production" }),
    );
    expect(failure.failure).toBe(cause);
    expect(failure.mayHaveHappened && effect === "read", "a read leaves nothing behind").toBe(
      false,
    );
    expect(requests).toHaveLength(times);
  },
);

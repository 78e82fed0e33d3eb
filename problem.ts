/** The one error type: thrown anywhere, rendered once in `functions/app.ts` as RFC 9457. */
export const problems = {
  invalid_json: { status: 422, title: "The body is not valid JSON" },
  invalid_webhook: { status: 400, title: "The webhook could not be read" },
  unauthenticated: { status: 401, title: "Sign in or send an API key" },
  webhook_rejected: { status: 401, title: "The webhook signature was not accepted" },
  forbidden: { status: 403, title: "You may not do this" },
  not_found: { status: 404, title: "Not found" },
  unknown_vendor: { status: 404, title: "There is no such vendor" },
  unknown_operation: { status: 404, title: "The vendor has no such operation" },
  method_not_allowed: { status: 405, title: "This route does not take that method" },
  conflict: { status: 409, title: "This already exists" },
  integration_disabled: { status: 409, title: "The integration is switched off" },
  request_in_progress: { status: 409, title: "The same request is still running" },
  no_integration: { status: 409, title: "No integration can serve this" },
  stale: { status: 412, title: "The record changed since you read it" },
  too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "This content type is not accepted" },
  invalid_request: { status: 422, title: "The request is not valid" },
  vendor_failed: { status: 502, title: "The vendor did not do as asked" },
  too_many_requests: { status: 429, title: "Too many requests" },
  internal: { status: 500, title: "Something went wrong on our side" },
  unavailable: { status: 503, title: "Temporarily out of service" },
} as const;

export type ProblemCode = keyof typeof problems;
export type Issue = { path: string; message: string };

export class Problem extends Error {
  override name = "Problem";
  readonly code: ProblemCode;
  readonly errors: readonly Issue[];
  /** Seconds, for the Retry-After header. */
  readonly retryAfter: number | undefined;
  /** More of the document: RFC 9457 §3.2. */
  members: Readonly<Record<string, unknown>> = {};

  constructor(
    code: ProblemCode,
    detail?: string,
    more: { errors?: readonly Issue[]; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(detail ?? problems[code].title, { cause: more.cause });
    this.code = code;
    this.errors = more.errors ?? [];
    this.retryAfter = more.retryAfter;
  }
}

/** Why a call to a vendor failed, and the status that we answer with. */
export const vendorCauses = {
  credentials_rejected: { status: 424, title: "The vendor refused the credentials" },
  credentials_expired: { status: 424, title: "The credentials have expired" },
  forbidden: { status: 424, title: "The credentials lack a permission" },
  not_found: { status: 404, title: "The vendor has no such record" },
  rate_limited: { status: 429, title: "The vendor's rate limit is reached" },
  vendor_unavailable: { status: 503, title: "The vendor is unavailable" },
  timeout: { status: 504, title: "The vendor did not answer in time" },
  unexpected_reply: { status: 502, title: "The vendor's reply was not understood" },
  invalid_request: { status: 422, title: "The vendor refused the request" },
  not_configured: { status: 409, title: "The integration lacks a setting that this needs" },
} as const;

export type VendorCause = keyof typeof vendorCauses;

/** A failed call to a vendor; `message` is safe to show: it never holds a URL, body or credential. */
export class VendorFailure extends Problem {
  override name = "VendorFailure";
  readonly failure: VendorCause;
  /** The vendor's HTTP status, where one was received. */
  readonly vendorStatus: number | undefined;
  /** The vendor's own error code, such as Twilio's `20003`. */
  readonly vendorCode: string | undefined;
  /** The request reached, or may have reached, the vendor: a write must not be repeated. */
  readonly mayHaveHappened: boolean;

  constructor(
    failure: VendorCause,
    detail?: string,
    more: {
      vendorStatus?: number | undefined;
      vendorCode?: string | undefined;
      retryAfter?: number | undefined;
      mayHaveHappened?: boolean;
      cause?: unknown;
    } = {},
  ) {
    const { retryAfter, cause } = more;
    super("vendor_failed", detail ?? vendorCauses[failure].title, {
      ...(retryAfter === undefined ? {} : { retryAfter }),
      cause,
    });
    this.failure = failure;
    this.vendorStatus = more.vendorStatus;
    this.vendorCode = more.vendorCode;
    this.mayHaveHappened = more.mayHaveHappened ?? false;
  }
}

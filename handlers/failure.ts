import { type VendorCause, vendorCauses, VendorFailure } from "../problem.ts";
import type { FailedReply, Failure } from "./define.ts";

/** What a vendor file's `failure()` is: reads the vendor's own error reply. */
export type ReadFailure = (reply: FailedReply) => Failure | undefined;

/** For what neither the call nor the configuration says: no fault of the call, so that another integration may serve it. */
export const notConfigured = (sentence: string) => new VendorFailure("not_configured", sentence);

/** For `catch`: what the vendor does not have is undefined, every other failure is thrown again. */
export function unlessNotFound(error: unknown): undefined {
  if (error instanceof VendorFailure && error.failure === "not_found") return undefined;
  throw error;
}

/**
 * What a vendor file threw, as a failure. A reply that nobody foresaw may trip the code that reads
 * it: the caller learns that the reply was odd, the log where it tripped, and nobody its text.
 */
export function failureThrown(vendorId: string, error: unknown): unknown {
  const tripped =
    error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError;
  if (!tripped) return error;
  console.error(
    JSON.stringify({
      level: "error",
      message: "vendor file threw",
      vendor: vendorId,
      name: error.name,
      at: /^\s+at (.+)$/m.exec(error.stack ?? "")?.[1],
    }),
  );
  return new VendorFailure("unexpected_reply");
}

const longestWaitSeconds = 7 * 24 * 3_600;

/** `Retry-After` as seconds, an HTTP date (RFC 9110 §10.2.3) or, as some vendors send, an ISO date. */
export function parseRetryAfter(header: string | null, nowMs: number): number | undefined {
  const value = header?.trim();
  if (!value) return undefined;
  const seconds = /^\d+(?:\.\d+)?$/.test(value)
    ? Number(value)
    : /^(?:[A-Za-z]{3,9},|\d{4}-\d\d-\d\d[T ])/.test(value)
      ? (Date.parse(value) - nowMs) / 1_000
      : Number.NaN;
  if (Number.isNaN(seconds)) return undefined;
  return Math.min(Math.max(Math.ceil(seconds), 0), longestWaitSeconds);
}

function causeOf(status: number): VendorCause {
  if (status === 401) return "credentials_rejected";
  if (status === 403) return "forbidden";
  if (status === 404 || status === 410) return "not_found";
  if (status === 429) return "rate_limited";
  if (status === 408 || status >= 500) return "vendor_unavailable";
  if (status === 400 || status === 409 || status === 422) return "invalid_request";
  return status > 400 ? "invalid_request" : "unexpected_reply";
}

/** Cloudflare's own answers for an origin that it could not reach, so that nothing was delivered. */
const neverReached = new Set([521, 522, 523, 525, 526, 530]);

const uncertain = new Set<VendorCause>(["vendor_unavailable", "timeout", "unexpected_reply"]);

/** Codes only: a vendor's free text may hold PHI or echo a credential. */
function safeCode(code: unknown): string | undefined {
  const text = typeof code === "number" ? String(code) : code;
  return typeof text === "string" && /^[\w.:-]{1,64}$/.test(text) ? text : undefined;
}

function usualCode(body: unknown): string | undefined {
  if (!(body instanceof Object)) return undefined;
  const { error, code } = body as { error?: unknown; code?: unknown };
  const inner = error instanceof Object ? (error as { code?: unknown }).code : error;
  return safeCode(inner) ?? safeCode(code);
}

function hint(read: ReadFailure | undefined, reply: FailedReply): Failure | undefined {
  try {
    return read?.(reply);
  } catch {
    // A hook that trips over an odd body must not hide the failure that it was to explain.
    return undefined;
  }
}

/** The failure that a reply stands for; undefined for a success, also by the vendor's own reading. */
export function failureOf(
  reply: FailedReply,
  { read, safe, nowMs }: { read: ReadFailure | undefined; safe: boolean; nowMs: number },
): VendorFailure | undefined {
  const { status, headers, body } = reply;
  const found = hint(read, reply);
  const succeeded = status >= 200 && status < 300;
  if (succeeded && !found?.cause) return undefined;
  const cause = found?.cause ?? causeOf(status);
  const retryAfter = found?.retryAfter ?? parseRetryAfter(headers.get("retry-after"), nowMs);
  const code = safeCode(found?.code) ?? usualCode(body);
  const sentence = found?.message ?? vendorCauses[cause].title;
  return new VendorFailure(cause, code ? `${sentence} (${code})` : sentence, {
    vendorStatus: status,
    vendorCode: code,
    retryAfter,
    mayHaveHappened: !safe && uncertain.has(cause) && !neverReached.has(status),
  });
}

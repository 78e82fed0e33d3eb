import { createHash, timingSafeEqual } from "node:crypto";

import type { FieldValues } from "../handlers/fields.ts";

export const faultKinds = [
  "rate_limited",
  "server_error",
  "maintenance",
  "expired_credentials",
  "forbidden",
  "slow",
  "truncated",
  "wrong_content_type",
  "garbage",
  "reset",
] as const;
export type FaultKind = (typeof faultKinds)[number];

export type Fault = {
  vendor: string;
  kind: FaultKind;
  /** How many requests it hits; until cleared if absent. */
  times?: number | undefined;
  /** Seconds, or an HTTP date, as the vendor's Retry-After. */
  retryAfter?: number | string | undefined;
  /** For `slow`; default 20 s, longer than a client's patience. */
  delayMs?: number | undefined;
  /** Regular expression on the path, to hit a token endpoint alone, for instance. */
  match?: string | undefined;
};

/** The faults that a vendor answers in its own words; the others happen to the bytes. */
export type SpokenFault =
  | "rate_limited"
  | "server_error"
  | "maintenance"
  | "expired_credentials"
  | "forbidden";

export type WebhookOptions = {
  /** The address that the vendor was given, as it signs it. */
  url: string;
  credentials: FieldValues;
  type?: string | undefined;
  /** Merged over the example body of the type, or sent as it is where the vendor's body has no shape. */
  body?: unknown;
  /** Unix seconds; default the clock. */
  now?: number | undefined;
};

export type Simulation = {
  hosts: readonly string[];
  /** Takes requests as they arrive at the vendor: `https://<one of hosts>/path`. */
  app: { fetch: (request: Request) => Response | Promise<Response> };
  /** Values of the vendor's fields that it accepts. Made up, in the right format. */
  credentials: FieldValues;
  faults?: { readonly [K in SpokenFault]?: (fault: Fault, request: Request) => Response };
  webhook?: (options: WebhookOptions) => Promise<Request>;
  /** Params of the handler's operations whose example needs what is not there at the start. */
  params?: { readonly [operation: string]: () => object | Promise<object> };
  /** Operations that need a person's sign-in, and so are forbidden to `credentials`. */
  byPerson?: readonly string[];
  /** Back to the seeded state. */
  reset: () => void;
};

export const defineSimulation = (make: () => Simulation) => make;

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Ids that look random and are the same on every run. */
export function idSequence(seed: string) {
  let count = 0;
  const digest = () => createHash("sha512").update(`${seed}:${count}`).digest();
  return {
    letters(prefix: string, length: number) {
      count += 1;
      const letters = [...digest()].map((byte) => base62[byte % 62]).join("");
      return prefix + letters.slice(0, length);
    },
    hex(prefix: string, length: number) {
      count += 1;
      return prefix + digest().toString("hex").slice(0, length);
    },
    uuid() {
      count += 1;
      const hex = digest().toString("hex");
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
    },
    reset() {
      count = 0;
    },
  };
}

export const unixNow = () => Math.floor(Date.now() / 1000);

/** The user and password of an `Authorization: Basic` header (RFC 7617). */
export function basicCredentials(request: Request): { user: string; password: string } | undefined {
  const [, encoded] =
    /^basic ([a-z0-9+/=]+)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const decoded = Buffer.from(encoded, "base64").toString();
  const colon = decoded.indexOf(":");
  if (colon < 0) return undefined;
  return { user: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

/** The token of an `Authorization: Bearer` header (RFC 6750). */
export function bearerToken(request: Request): string | undefined {
  return /^bearer ([\w\-.~+/]+=*)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
}

export function isSame(expected: unknown, given: string | null | undefined): boolean {
  if (typeof expected !== "string" || typeof given !== "string") return false;
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The Retry-After of a fault, as a header. */
export const retryAfter = (fault: Fault, fallback = 1) => ({
  "retry-after": String(fault.retryAfter ?? fallback),
});

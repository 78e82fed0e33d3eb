import { Webhook } from "standardwebhooks";
import { uint8ArrayToBase64 } from "uint8array-extras";

import type { Destination } from "../db/destinations.ts";
import { parseRetryAfter } from "../handlers/failure.ts";
import { dnsOverHttps, guardedFetch } from "../handlers/outbound.ts";
import { VendorFailure } from "../problem.ts";
import type { Env } from "./env.ts";
import { excerptOf } from "./excerpt.ts";
import { longestRetryAfter } from "./retries.ts";
import { wireOf } from "./wire.ts";

/** What a destination keeps sealed. */
export type Sealed = {
  secret: string;
  /** Secrets before a rotation, each with the end of its overlap (ISO 8601). */
  previous: { secret: string; until: string }[];
  headers: Record<string, string>;
};

export type Message = {
  /** The event's id: the same at every attempt, replay and destination. */
  id: string;
  body: string;
  replay: boolean;
};

/** Why an attempt failed, and what to say of it. */
export const causes = {
  refused: "The endpoint answered with an error",
  rate_limited: "The endpoint asked for fewer requests",
  gone: "The endpoint answered 410 Gone",
  redirected: "The endpoint redirected; deliveries are not redirected",
  timeout: "The endpoint did not answer in 30 seconds",
  unreachable: "The endpoint could not be reached",
  address_refused: "The address is not one that may be called",
  interrupted: "The attempt was cut off on our side; it was made again",
  expired: "The event was given up after its time",
  payload_gone: "The payload is no longer kept",
  erased: "The event was erased for the sake of a person whom it named",
  internal: "The delivery could not be prepared on our side",
} as const;
export type SendCause = keyof typeof causes;

export type Outcome = {
  status: number | null;
  latencyMs: number;
  /** Null: a 2xx came back. */
  cause: SendCause | null;
  excerpt: string | null;
  retryAfter: number | undefined;
};

const timeoutMs = 30_000;
const straight = (request: Request) => fetch(request);
const resolve = dnsOverHttps(straight);

export const newSecret = () =>
  `whsec_${uint8ArrayToBase64(crypto.getRandomValues(new Uint8Array(32)))}`;

/** The secrets that a delivery at `now` is signed with: the current one, and those still in overlap. */
export const signingSecrets = ({ secret, previous }: Sealed, now: number): string[] => [
  secret,
  ...previous.filter(({ until }) => Date.parse(until) > now).map((one) => one.secret),
];

/** The three headers of Standard Webhooks, with one signature for each secret. */
export function signature(message: Pick<Message, "id" | "body">, secrets: string[], now: number) {
  const at = new Date(now);
  return {
    "webhook-id": message.id,
    "webhook-timestamp": String(Math.floor(now / 1000)),
    "webhook-signature": secrets
      .map((secret) => new Webhook(secret).sign(message.id, at, message.body))
      .join(" "),
  };
}

function causeOf(failure: VendorFailure): SendCause {
  if (failure.failure === "timeout") return "timeout";
  if (failure.failure === "invalid_request") return "address_refused";
  return failure.vendorStatus === undefined ? "unreachable" : "redirected";
}

function statusCause(status: number): SendCause {
  if (status === 410) return "gone";
  return status === 429 ? "rate_limited" : "refused";
}

/** One signed POST. Whatever the endpoint does is an outcome; only our own faults throw. */
export async function send(
  env: Env,
  destination: Pick<Destination, "url">,
  sealed: Sealed,
  message: Message,
): Promise<Outcome> {
  const started = Date.now();
  const secrets = signingSecrets(sealed, started);
  const signed = signature(message, secrets, started);
  const hidden = [
    ...secrets.flatMap((secret) => [secret, secret.slice("whsec_".length)]),
    ...Object.values(sealed.headers),
    ...signed["webhook-signature"].split(/[ ,]/),
  ];
  try {
    const response = await guardedFetch(
      {
        method: "POST",
        url: destination.url,
        headers: {
          ...sealed.headers,
          "content-type": "application/json",
          "user-agent": "EHRConnect-Webhooks/1",
          ...signed,
          ...(message.replay ? { "webhook-replay": "true" } : {}),
        },
        body: message.body,
      },
      {
        wire: wireOf(env),
        hosts: ["*"],
        timeoutMs,
        ...(env.settings.SIMULATOR_URL ? {} : { resolve }),
      },
    );
    const latencyMs = Date.now() - started;
    const { status, headers, ok } = response;
    const asked = parseRetryAfter(headers.get("retry-after"), Date.now());
    return {
      status,
      latencyMs,
      cause: ok ? null : statusCause(status),
      excerpt: await excerptOf(response, hidden),
      retryAfter: asked === undefined ? undefined : Math.min(asked, longestRetryAfter),
    };
  } catch (error) {
    if (!(error instanceof VendorFailure)) throw error;
    return {
      status: error.vendorStatus ?? null,
      latencyMs: Date.now() - started,
      cause: causeOf(error),
      excerpt: null,
      retryAfter: undefined,
    };
  }
}

import * as z from "zod";

import type { WebhookEvent } from "./define.ts";
import {
  equal,
  firstOf,
  formOf,
  header,
  hmac,
  type Incoming,
  jsonOf,
  jwt,
  sha256Hex,
  unixSeconds,
  type Verifier,
} from "./signature.ts";

type Secret<C> = (values: C, incoming: Incoming) => string | undefined;

/** Nothing covers it, so that it must not be there. */
const isGetWithBody = ({ method, body }: Incoming) => method === "GET" && body.length > 0;

/** What the token's hash covers: of a GET, its parameters as compact JSON in the order sent. */
const payloadOf = (incoming: Incoming) =>
  incoming.method === "GET"
    ? JSON.stringify(Object.fromEntries(new URL(incoming.url).searchParams))
    : incoming.body;

/**
 * Voice, Messages, Verify and Video. Vonage says that it may rarely forget to sign, and that a 5xx
 * makes it send again: hence 503 where the token is missing.
 */
export const vonageToken = <C>(secret: Secret<C>): Verifier<C> =>
  jwt<C>({
    scheme: "JWT (HS256) with the SHA-256 of the body",
    algorithms: ["HS256"],
    secret,
    token: (incoming) => /^Bearer (.*)$/i.exec(header(incoming, "authorization") ?? "")?.[1],
    check: async ({ payload_hash }, incoming) =>
      typeof payload_hash === "string" &&
      !isGetWithBody(incoming) &&
      equal(await sha256Hex(payloadOf(incoming)), payload_hash.toLowerCase()),
    ageClaim: "iat",
    missingStatus: 503,
  });

const parametersOf = (incoming: Incoming) =>
  incoming.method === "GET" ? new URL(incoming.url).searchParams : formOf(incoming);

/** Retried for a day, so that it may be as old; a repeated one is known by its message id. */
const smsToleranceSeconds = 24 * 3600;

/** The SMS API's own `sig`. MD5 and SHA-1, which an account can also be set to, are not accepted. */
export const vonageSms = <C>(hash: "SHA-256" | "SHA-512", secret: Secret<C>): Verifier<C> =>
  hmac<C>({
    scheme: `HMAC-${hash} of the sorted parameters`,
    hash,
    encoding: "hex",
    secret,
    signatures: (incoming) => {
      const sig = parametersOf(incoming).get("sig");
      return sig === null ? undefined : [sig.toLowerCase()];
    },
    timestamp: (incoming) => unixSeconds(parametersOf(incoming).get("timestamp") ?? undefined),
    toleranceSeconds: smsToleranceSeconds,
    message: (incoming) =>
      isGetWithBody(incoming)
        ? undefined
        : [...parametersOf(incoming)]
            .filter(([name]) => name !== "sig")
            .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
            .map(([name, value]) => `&${name}=${value.replaceAll(/[&=]/g, "_")}`)
            .join(""),
  });

export const vonageSignature = <C>(secret: Secret<C>): Verifier<C> =>
  firstOf(vonageToken(secret), vonageSms("SHA-256", secret), vonageSms("SHA-512", secret));

const text = z.string().optional().catch(undefined);
const Event = z.object({
  message_uuid: text,
  uuid: text,
  request_id: text,
  sessionId: text,
  id: text,
  event: text,
  type: text,
  channel: text,
  status: text,
  timestamp: z.union([z.string(), z.number()]).optional().catch(undefined),
  submitted_at: text,
  connection: z.object({ id: text }).optional().catch(undefined),
  stream: z.object({ id: text }).optional().catch(undefined),
});

const time = (written: string | number | undefined) => {
  if (written === undefined) return {};
  const date = new Date(written);
  return Number.isNaN(date.getTime()) ? {} : { occurredAt: date.toISOString() };
};
const idOf = (...parts: readonly (string | number | undefined)[]) =>
  parts.filter(Boolean).join(".");

/** Video callbacks name a session; each of them may have a secret of its own. */
export const isVideoEvent = (incoming: Incoming) => {
  const body = jsonOf(incoming);
  return body instanceof Object && "sessionId" in body;
};

/** The SMS API's receipts and inbound texts: form fields, parameters of a GET, or JSON. */
function readSms(get: (name: string) => string): WebhookEvent[] {
  const message = get("messageId") || get("message-id");
  if (!message) return [{ type: "other" }];
  const status = get("status");
  return [
    status
      ? { id: idOf(message, status), type: `message.${status}` }
      : { id: message, type: "message.received" },
  ];
}

/** Vonage has no event id: the object, its state and where in the call or session make one. */
export function readVonageEvents(incoming: Incoming): readonly WebhookEvent[] {
  const json = incoming.method === "GET" ? undefined : jsonOf(incoming);
  const { searchParams } = new URL(incoming.url);
  const parameters = incoming.method === "GET" ? searchParams : formOf(incoming);
  const body = json instanceof Object ? json : Object.fromEntries(parameters);
  const { success, data: event } = Event.safeParse(body);
  if (!success) return [{ type: "other" }];
  const { status, timestamp } = event;
  if (event.sessionId) {
    const at = time(timestamp);
    if (event.event === "archive")
      return [{ id: idOf(event.id, status), type: `archive.${status ?? "unknown"}`, ...at }];
    const subject = event.stream?.id ?? event.connection?.id;
    const name = event.event ?? event.type ?? "unknown";
    return [{ id: idOf(event.sessionId, name, subject, timestamp), type: `video.${name}`, ...at }];
  }
  if (event.message_uuid)
    return [
      status
        ? { id: idOf(event.message_uuid, status), type: `message.${status}`, ...time(timestamp) }
        : { id: event.message_uuid, type: "message.received", ...time(timestamp) },
    ];
  if (event.request_id)
    return [
      {
        id: idOf(event.request_id, event.channel, status, event.submitted_at),
        type: `verify.${status ?? "unknown"}`,
        ...time(event.submitted_at),
      },
    ];
  if (event.uuid && status)
    return [{ id: idOf(event.uuid, status), type: `call.${status}`, ...time(timestamp) }];
  return readSms((name) => {
    const value = (body as Record<string, unknown>)[name];
    return typeof value === "string" ? value : "";
  });
}

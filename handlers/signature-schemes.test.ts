import { expect, test } from "vitest";
import * as z from "zod";

import { agoraSignature } from "./agora-webhooks.ts";
import { plivoSignature } from "./plivo-signature.ts";
import {
  bytesOf,
  equal,
  firstOf,
  formOf,
  header,
  hmac,
  type Incoming,
  jsonOf,
  jwt,
  publicKey,
  sha256Base64,
  sha256Hex,
  sharedSecret,
  standardWebhooks,
  unixSeconds,
  type Verifier,
} from "./signature.ts";
import { vonageSms as sms, vonageToken } from "./vonage-signature.ts";
import recorded from "./webhook-vectors.json" with { type: "json" };

const Vector = z.object({
  vendor: z.string(),
  scheme: z.string(),
  case: z.string(),
  method: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  body_base64: z.string(),
  secret: z.string(),
  valid: z.boolean(),
  now: z.number(),
  meta: z.object({ public_key: z.string().optional(), api_key: z.string().optional() }).optional(),
});
const vectors = z.array(Vector).parse(recorded);

const incomingOf = (v: z.infer<typeof Vector>): Incoming => ({
  method: v.method,
  url: v.url,
  headers: new Headers(v.headers),
  body: new Uint8Array(Buffer.from(v.body_base64, "base64")),
});

type Values = { secret: string; publicKey?: string | undefined; apiKey?: string | undefined };
const secret = (values: Values) => values.secret;
const only = (value: string | undefined) => (value === undefined ? undefined : [value]);
const body = (incoming: Incoming) => incoming.body;

/** The value after a fixed prefix; a header without it is malformed, not missing. */
const after = (prefix: string, value: string | undefined) =>
  value === undefined ? undefined : value.startsWith(prefix) ? [value.slice(prefix.length)] : [];

/** `t=1,v1=a,v1=b`, as Stripe and ElevenLabs write it. */
const listed = (incoming: Incoming, name: string, key: string) =>
  header(incoming, name)
    ?.split(",")
    .filter((entry) => entry.startsWith(`${key}=`))
    .map((entry) => entry.slice(key.length + 1));

const timedList = (name: string, version: string, toleranceSeconds: number) => {
  const at = (incoming: Incoming) => listed(incoming, name, "t")?.[0];
  return hmac<Values>({
    scheme: `HMAC-SHA256 of "<t>.<body>"`,
    hash: "SHA-256",
    encoding: "hex",
    anyMatch: true,
    secret,
    signatures: (incoming) => listed(incoming, name, version),
    timestamp: (incoming) => unixSeconds(at(incoming)),
    message: (incoming) => bytesOf(`${at(incoming)}.`, incoming.body),
    toleranceSeconds,
  });
};

const v0 = (signature: string, time: string) =>
  hmac<Values>({
    scheme: `HMAC-SHA256 of "v0:<timestamp>:<body>"`,
    hash: "SHA-256",
    encoding: "hex",
    secret,
    signatures: (incoming) => after("v0=", header(incoming, signature)),
    timestamp: (incoming) => unixSeconds(header(incoming, time)),
    message: (incoming) => bytesOf(`v0:${header(incoming, time)}:`, incoming.body),
  });

const ofBody = (
  name: string,
  options: { encoding: "hex" | "base64"; hash?: "SHA-1"; key?: "hex"; prefix?: string },
) =>
  hmac<Values>({
    scheme: "HMAC of the body",
    hash: options.hash ?? "SHA-256",
    encoding: options.encoding,
    key: options.key ?? "text",
    secret,
    signatures: (incoming) => after(options.prefix ?? "", header(incoming, name)),
    message: body,
  });

const byName = ([a]: [string, string], [b]: [string, string]) => (a < b ? -1 : a > b ? 1 : 0);
const byNameThenValue = (a: [string, string], b: [string, string]) =>
  byName(a, b) || byName([a[1], ""], [b[1], ""]);

// Twilio: URL, then each field sorted by name, a repeated value once.
const twilioFields = (incoming: Incoming) => {
  const fields = [...formOf(incoming)].toSorted(byNameThenValue);
  return fields
    .filter(([name, value], i) => name !== fields[i - 1]?.[0] || value !== fields[i - 1]?.[1])
    .map(([name, value]) => name + value)
    .join("");
};
async function twilioMessage(incoming: Incoming, url: string) {
  const bodyHash = new URL(incoming.url).searchParams.get("bodySHA256");
  if (bodyHash === null) return url + twilioFields(incoming);
  return equal(await sha256Hex(incoming.body), bodyHash) ? url : undefined;
}
const authority = /^(https?:\/\/)([^/?#:]+)(:\d+)?/;
const defaultPorts: Record<string, string> = { "https://": ":443", "http://": ":80" };
const twilioUrls: ((url: string) => string)[] = [
  (url) => url,
  (url) => url.replace(authority, "$1$2"),
  (url) =>
    url.replace(
      authority,
      (_, scheme, host, port) => scheme + host + (port ?? defaultPorts[scheme]),
    ),
  (url) => new URL(url).href,
];
const [twilioFirst, ...twilioRest] = twilioUrls.map((form) =>
  hmac<Values>({
    scheme: "HMAC-SHA1 of the URL and the sorted fields, or of the URL with the body's hash",
    hash: "SHA-1",
    encoding: "base64",
    secret,
    signatures: (incoming) => only(header(incoming, "x-twilio-signature")),
    message: (incoming) => twilioMessage(incoming, form(incoming.url)),
  }),
);
if (!twilioFirst) throw new Error("no form of the URL");
const twilio = firstOf(twilioFirst, ...twilioRest);

// What Plivo sends beside V3, and its own handler refuses.
const plivoV2 = hmac<Values>({
  scheme: `HMAC-SHA256 of "<URL without query><nonce>"`,
  hash: "SHA-256",
  encoding: "base64",
  secret,
  signatures: (incoming) => only(header(incoming, "x-plivo-signature-v2")),
  message: (incoming) => {
    const nonce = header(incoming, "x-plivo-signature-v2-nonce");
    return nonce && /^[^?#]*/.exec(incoming.url)?.[0] + nonce;
  },
});

const vonageSms = firstOf(sms<Values>("SHA-256", secret), sms<Values>("SHA-512", secret));

const livekit = jwt<Values>({
  scheme: "JWT (HS256) with the body's SHA-256",
  algorithms: ["HS256"],
  secret,
  token: (incoming) => header(incoming, "authorization"),
  check: async ({ iss, sha256 }, incoming, { apiKey }) =>
    iss === apiKey &&
    typeof sha256 === "string" &&
    equal(await sha256Base64(incoming.body), sha256),
  toleranceSeconds: 10,
});

const messagebird = jwt<Values>({
  scheme: "JWT with the SHA-256 of the URL and of the body",
  algorithms: ["HS256", "HS384", "HS512"],
  secret,
  token: (incoming) => header(incoming, "messagebird-signature-jwt"),
  check: async ({ iss, jti, url_hash, payload_hash }, incoming) =>
    iss === "MessageBird" &&
    jti !== undefined &&
    typeof url_hash === "string" &&
    equal(await sha256Hex(incoming.url), url_hash) &&
    (incoming.body.length === 0
      ? payload_hash === undefined
      : typeof payload_hash === "string" && equal(await sha256Hex(incoming.body), payload_hash)),
  toleranceSeconds: 5,
});
const messagebirdLegacy = hmac<Values>({
  scheme: `HMAC-SHA256 of "<timestamp>\\n<sorted query>\\n<SHA-256 of the body>"`,
  hash: "SHA-256",
  encoding: "base64",
  secret,
  signatures: (incoming) => only(header(incoming, "messagebird-signature")),
  timestamp: (incoming) => unixSeconds(header(incoming, "messagebird-request-timestamp")),
  toleranceSeconds: 99,
  message: async (incoming) => {
    const query = new URL(incoming.url).searchParams;
    query.sort();
    return bytesOf(
      `${header(incoming, "messagebird-request-timestamp")}\n${query}\n`,
      new Uint8Array(await crypto.subtle.digest("SHA-256", incoming.body)),
    );
  },
});

const hubspotMilliseconds = (incoming: Incoming) => {
  const text = header(incoming, "x-hubspot-request-timestamp");
  return text !== undefined && /^\d{13}$/.test(text) ? Number(text) / 1000 : undefined;
};
const hubspot = hmac<Values>({
  scheme: "HMAC-SHA256 of method, URL, body and time",
  hash: "SHA-256",
  encoding: "base64",
  secret,
  signatures: (incoming) => only(header(incoming, "x-hubspot-signature-v3")),
  timestamp: hubspotMilliseconds,
  message: (incoming) =>
    bytesOf(
      incoming.method,
      incoming.url,
      incoming.body,
      `${header(incoming, "x-hubspot-request-timestamp")}`,
    ),
});
/** v1 and v2 are a plain hash that begins with the secret. */
const hubspotHash = (rest: (incoming: Incoming) => Uint8Array<ArrayBuffer>) =>
  sharedSecret<Values>({
    scheme: "SHA-256 of the secret and the request",
    secret: (values, incoming) => sha256Hex(bytesOf(values.secret, rest(incoming))),
    given: (incoming) => header(incoming, "x-hubspot-signature"),
  });

// Adyen: every item of the batch carries its own signature.
const AdyenItem = z.object({
  pspReference: z.string().default(""),
  originalReference: z.string().default(""),
  merchantAccountCode: z.string().default(""),
  merchantReference: z.string().default(""),
  amount: z.object({ value: z.number(), currency: z.string() }),
  eventCode: z.string().default(""),
  success: z.string().default(""),
  additionalData: z.object({ hmacSignature: z.string().optional() }).default({}),
});
const AdyenBatch = z.object({
  notificationItems: z
    .array(z.object({ NotificationRequestItem: AdyenItem }))
    .min(1)
    .max(100),
});
const adyenItem = hmac<Values>({
  scheme: "HMAC-SHA256 of eight fields of each item",
  hash: "SHA-256",
  encoding: "base64",
  key: "hex",
  secret,
  signatures: (item) => only(AdyenItem.parse(jsonOf(item)).additionalData.hmacSignature),
  message: (item) => {
    const { amount, ...fields } = AdyenItem.parse(jsonOf(item));
    return [
      fields.pspReference,
      fields.originalReference,
      fields.merchantAccountCode,
      fields.merchantReference,
      amount.value,
      amount.currency,
      fields.eventCode,
      fields.success,
    ].join(":");
  },
});
const adyen: Verifier<Values> = {
  scheme: adyenItem.scheme,
  verify: async (incoming, values, at) => {
    const batch = AdyenBatch.safeParse(jsonOf(incoming));
    if (!batch.success) return { ok: false, reason: "malformed" };
    for (const { NotificationRequestItem } of batch.data.notificationItems) {
      const item = { ...incoming, body: bytesOf(JSON.stringify(NotificationRequestItem)) };
      const verdict = await adyenItem.verify(item, values, at);
      if (!verdict.ok) return verdict;
    }
    return { ok: true };
  },
};

const [braintreeAsSent, braintreeWithNewline] = ["", "\n"].map((end) =>
  hmac<Values>({
    scheme: "HMAC-SHA1 of the payload",
    hash: "SHA-1",
    encoding: "hex",
    key: "sha1-of-text",
    secret,
    signatures: (incoming, values) =>
      formOf(incoming)
        .get("bt_signature")
        ?.split("&")
        .flatMap((pair) => after(`${values.publicKey}|`, pair) ?? []),
    message: (incoming) => {
      const payload = formOf(incoming).get("bt_payload") ?? "";
      return /^[A-Za-z0-9+/=\n]+$/.test(payload) ? payload + end : undefined;
    },
  }),
);
if (!braintreeAsSent || !braintreeWithNewline) throw new Error("no payload");

const telnyx = publicKey<Values>({
  scheme: `Ed25519 of "<timestamp>|<body>"`,
  algorithm: "Ed25519",
  key: secret,
  keyEncoding: "base64-raw",
  signature: (incoming) => header(incoming, "telnyx-signature-ed25519"),
  timestamp: (incoming) => unixSeconds(header(incoming, "telnyx-timestamp")),
  message: (incoming) => bytesOf(`${header(incoming, "telnyx-timestamp")}|`, incoming.body),
});
const sendgrid = publicKey<Values>({
  scheme: `ECDSA P-256 of "<timestamp><body>"`,
  algorithm: "ECDSA-P256-SHA256-DER",
  key: secret,
  keyEncoding: "base64-spki",
  signature: (incoming) => header(incoming, "x-twilio-email-event-webhook-signature"),
  message: (incoming) => {
    const at = header(incoming, "x-twilio-email-event-webhook-timestamp");
    return at === undefined ? undefined : bytesOf(at, incoming.body);
  },
});

const standard = standardWebhooks<Values>({ secret });
const svix = standardWebhooks<Values>({ secret, headerPrefix: ["svix-", "webhook-"] });
const hub = ofBody("x-hub-signature-256", { encoding: "hex", prefix: "sha256=" });

const schemes: Record<string, Verifier<Values>> = {
  "stripe-signature-v1": timedList("stripe-signature", "v1", 300),
  "elevenlabs-signature-v0": timedList("elevenlabs-signature", "v0", 1800),
  "x-twilio-signature-form": twilio,
  "x-twilio-signature-bodysha256": twilio,
  "vonage-jwt-hs256": vonageToken<Values>(secret),
  "vonage-sms-sig-sha1hmac": vonageSms,
  "vonage-sms-sig-sha256hmac": vonageSms,
  "vonage-sms-sig-sha512hmac": vonageSms,
  "vonage-sms-sig-md5hash": vonageSms,
  "vonage-sms-sig-md5hmac": vonageSms,
  "x-plivo-signature-v2": plivoV2,
  "x-plivo-signature-v3": plivoSignature<Values>(secret),
  "openai standard-webhooks-v1": standardWebhooks<Values>({
    secret: (values) => (values.secret.startsWith("whsec_") ? values.secret : undefined),
  }),
  "standard-webhooks-v1": standard,
  "svix-v1": svix,
  "livekit-jwt-sha256": livekit,
  "x-zm-signature-v0": v0("x-zm-signature", "x-zm-request-timestamp"),
  "x-slack-signature-v0": v0("x-slack-signature", "x-slack-request-timestamp"),
  "x-hub-signature-256": hub,
  "hub-challenge": sharedSecret<Values>({
    scheme: "A token in the query",
    secret,
    given: (incoming) => new URL(incoming.url).searchParams.get("hub.verify_token") ?? undefined,
  }),
  "x-square-hmacsha256-signature": hmac<Values>({
    scheme: `HMAC-SHA256 of "<URL><body>"`,
    hash: "SHA-256",
    encoding: "base64",
    secret,
    signatures: (incoming) => only(header(incoming, "x-square-hmacsha256-signature")),
    message: (incoming) => bytesOf(incoming.url, incoming.body),
  }),
  "x-twilio-email-event-webhook-ecdsa": sendgrid,
  "telnyx-signature-ed25519": telnyx,
  "messagebird-signature-jwt": messagebird,
  "messagebird-signature-legacy": messagebirdLegacy,
  "adyen-payments-hmac-in-body": adyen,
  "adyen-banking-hmacsignature-header": ofBody("hmacsignature", { encoding: "base64", key: "hex" }),
  "bt_signature-sha1": firstOf(braintreeAsSent, braintreeWithNewline),
  "webhook-signature-sha256-hex": ofBody("webhook-signature", { encoding: "hex" }),
  "x-razorpay-signature-sha256-hex": ofBody("x-razorpay-signature", { encoding: "hex" }),
  "x-metriport-signature-sha256-hex": ofBody("x-metriport-signature", { encoding: "hex" }),
  "x-hubspot-signature-v1": hubspotHash((incoming) => incoming.body),
  "x-hubspot-signature-v2": hubspotHash((incoming) =>
    bytesOf(incoming.method, incoming.url, incoming.body),
  ),
  "x-hubspot-signature-v3": hubspot,
  "agora-signature": ofBody("agora-signature", { encoding: "hex", hash: "SHA-1" }),
  "agora-signature-v2": agoraSignature<Values>(secret),
  "x-zendesk-webhook-signature": hmac<Values>({
    scheme: `HMAC-SHA256 of "<timestamp><body>"`,
    hash: "SHA-256",
    encoding: "base64",
    secret,
    signatures: (incoming) => only(header(incoming, "x-zendesk-webhook-signature")),
    timestamp: (incoming) =>
      Date.parse(header(incoming, "x-zendesk-webhook-signature-timestamp") ?? "") / 1000,
    message: (incoming) =>
      bytesOf(`${header(incoming, "x-zendesk-webhook-signature-timestamp")}`, incoming.body),
  }),
};
const schemeOf = (v: { vendor: string; scheme: string }) => {
  const found = schemes[`${v.vendor} ${v.scheme}`] ?? schemes[v.scheme];
  if (!found) throw new Error(`no definition of ${v.scheme}`);
  return found;
};

/** MD5 and SHA-1, where the sender can be set to SHA-256. */
const refused = new Set([
  "vonage-sms-sig-md5hash",
  "vonage-sms-sig-md5hmac",
  "vonage-sms-sig-sha1hmac",
]);

test.each(vectors)("$vendor $scheme: $case", async (vector) => {
  const { public_key: publicKey, api_key: apiKey } = vector.meta ?? {};
  const values = { secret: vector.secret, publicKey, apiKey };
  const verdict = await schemeOf(vector).verify(incomingOf(vector), values, vector.now);
  expect(verdict.ok, JSON.stringify(verdict)).toBe(vector.valid && !refused.has(vector.scheme));
});

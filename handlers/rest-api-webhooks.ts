import * as z from "zod";

import type { Webhooks } from "./define.ts";
import { password, select, text, type Values } from "./fields.ts";
import { hubChallenge, urlVerification, zoomValidation } from "./handshake.ts";
import {
  bytesOf,
  header,
  hmac,
  type Incoming,
  jsonOf,
  standardWebhooks,
  unixSeconds,
  type Verifier,
} from "./signature.ts";

const dependsOn = { field: "webhookScheme", equals: "hmac" } as const;
const headerPattern = {
  pattern: "^[A-Za-z][A-Za-z0-9-]{0,63}$",
  message: "A header name holds letters, digits and hyphens only",
};

/** How a system that is not a vendor of ours signs its events, and shows that it may send them. */
export const webhookFields = {
  webhookScheme: select({
    label: "Signature",
    help: "Standard Webhooks signs a time as well and is preferred: see the specification.",
    helpUrl: "https://www.standardwebhooks.com/",
    options: [
      { value: "standard", label: "Standard Webhooks" },
      { value: "hmac", label: "HMAC-SHA256, in a header" },
    ],
    default: "standard",
    example: "standard",
  }),
  webhookSecret: password({
    label: "Signing secret",
    required: false,
    help: "The secret that your system signs with. Standard Webhooks: base64, with or without whsec_. HMAC: any text, at least 16 characters.",
    min: 16,
    example: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
  }),
  webhookHeader: text({
    label: "Signature header",
    help: "The header that carries the signature.",
    ...headerPattern,
    dependsOn,
    default: "X-Signature",
    example: "X-Signature",
  }),
  webhookEncoding: select({
    label: "Encoding",
    help: "How the signature is written.",
    options: [
      { value: "hex", label: "Hexadecimal" },
      { value: "base64", label: "Base64" },
    ],
    dependsOn,
    default: "hex",
    example: "hex",
  }),
  webhookPrefix: text({
    label: "Prefix",
    required: false,
    placeholder: "sha256=",
    help: "What stands before the signature in the header, if anything.",
    pattern: "^[A-Za-z0-9=_-]{1,32}$",
    message: "A prefix holds letters, digits and = _ - only",
    dependsOn,
    example: "sha256=",
  }),
  webhookSigned: text({
    label: "What is signed",
    placeholder: "{time}.{body}",
    help: "{body} stands for the bytes of the body and {time} for the text of the time header: “v0:{time}:{body}”, for example. With a time, requests older than five minutes are refused.",
    pattern: "^[A-Za-z0-9.:_|-]{0,16}(\\{time\\}[A-Za-z0-9.:_|-]{0,16})?\\{body\\}$",
    message: "Write {body}, with {time} before it if the time is signed too",
    dependsOn,
    default: "{body}",
    example: "{body}",
  }),
  webhookTimeHeader: text({
    label: "Time header",
    required: false,
    placeholder: "X-Timestamp",
    help: "The header that carries the time, in seconds since 1970; needed where {time} is signed.",
    ...headerPattern,
    dependsOn,
    example: "X-Timestamp",
  }),
  webhookHandshake: select({
    label: "Handshake",
    help: "What your system asks of an address before it sends events there.",
    options: [
      { value: "none", label: "None" },
      { value: "hub", label: "hub.challenge by GET (Meta, WebSub)" },
      { value: "zoom", label: "endpoint.url_validation (Zoom)" },
      { value: "slack", label: "url_verification (Slack and alike)" },
    ],
    default: "none",
    example: "none",
  }),
  webhookVerifyToken: password({
    label: "Verify token",
    help: "The text that you enter beside the address in the other system; it is compared before the challenge is answered.",
    min: 8,
    dependsOn: { field: "webhookHandshake", equals: "hub" },
    example: "example-verify-token",
  }),
};
type Config = Values<
  readonly [{ id: "webhooks"; title: "Webhooks"; fields: typeof webhookFields }]
>;

const standard = standardWebhooks<Config>({ secret: ({ webhookSecret }) => webhookSecret });

const signedBody = ({
  webhookHeader = "X-Signature",
  webhookEncoding = "hex",
  webhookPrefix = "",
  webhookSigned = "{body}",
  webhookTimeHeader,
}: Config) => {
  const [before = ""] = webhookSigned.split("{body}");
  const isTimed = before.includes("{time}");
  const timeOf = (incoming: Incoming) =>
    webhookTimeHeader === undefined ? undefined : header(incoming, webhookTimeHeader);
  return hmac<Config>({
    scheme: `HMAC-SHA256 of ${webhookSigned}`,
    hash: "SHA-256",
    encoding: webhookEncoding,
    secret: ({ webhookSecret }) =>
      isTimed && webhookTimeHeader === undefined ? undefined : webhookSecret,
    signatures: (incoming) => {
      const signature = header(incoming, webhookHeader);
      if (signature === undefined) return undefined;
      return signature.startsWith(webhookPrefix) ? [signature.slice(webhookPrefix.length)] : [];
    },
    ...(isTimed && { timestamp: (incoming) => unixSeconds(timeOf(incoming)) }),
    message: (incoming) =>
      bytesOf(
        before.replace("{time}", () => timeOf(incoming) ?? ""),
        incoming.body,
      ),
  });
};

const verify: Verifier<Config> = {
  scheme: `${standard.scheme}; or HMAC-SHA256 of the body, or of a time and the body, in a header of your choice`,
  toleranceSeconds: 300,
  verify: (incoming, values, now) =>
    (values.webhookScheme === "hmac" ? signedBody(values) : standard).verify(incoming, values, now),
};

const Named = z.object({
  event_id: z.union([z.string().min(1), z.number()]).optional(),
  type: z.string().min(1).optional(),
  event: z.string().min(1).optional(),
  event_type: z.string().min(1).optional(),
});
/** A plain `id` may be that of the record, which changes more than once: it tells no events apart. */
function readEvents(incoming: Incoming, values?: Pick<Config, "webhookScheme">) {
  const body = Named.safeParse(jsonOf(incoming)).data ?? {};
  // Signed by that scheme only: else whoever repeats a request could call it another event.
  const standardId =
    values?.webhookScheme === "standard" ? incoming.headers.get("webhook-id") : undefined;
  const id = standardId || body.event_id;
  const type = body.type ?? body.event_type ?? body.event ?? "event";
  return [{ ...(id !== undefined && { id: String(id) }), type }];
}

export const webhooks: Webhooks<Config> & { secretField: "webhookSecret" } = {
  verify,
  secretField: "webhookSecret",
  challenge: (incoming, { webhookHandshake, webhookVerifyToken }) =>
    webhookHandshake === "hub" ? hubChallenge(incoming, webhookVerifyToken) : undefined,
  handshake(incoming, { webhookHandshake, webhookSecret = "" }) {
    if (webhookHandshake === "slack") return urlVerification(incoming);
    return webhookHandshake === "zoom" ? zoomValidation(incoming, webhookSecret) : undefined;
  },
  events: readEvents,
  types: ["event"],
  // Xero wants an empty body, and nobody minds one.
  reply: () => new Response(null, { status: 200 }),
  setup: [
    "Let your system send a POST with a JSON body to {url} for each event.",
    "Sign it as Standard Webhooks says (https://www.standardwebhooks.com/), or with HMAC-SHA256 in a header, and enter the secret here.",
    "If your system asks the address to prove itself first, choose how under Handshake.",
    "Name each event in the body: `type` is what you filter by, and `event_id`, the same on every retry, tells repeats apart (Standard Webhooks has its own header for that).",
  ],
};

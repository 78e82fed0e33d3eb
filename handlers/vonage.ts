import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import { Phone } from "./capabilities.ts";
import { defineVendor, type FailedReply, type Failure, operation } from "./define.ts";
import { notConfigured } from "./failure.ts";
import { password, type Step, text, textarea, type Values } from "./fields.ts";
import { digits, plus, vonageCalls } from "./vonage-calls.ts";
import { isPairOf, vonageAuth } from "./vonage-keys.ts";
import { isVideoEvent, readVonageEvents, vonageSignature } from "./vonage-signature.ts";
import { vonageVideo } from "./vonage-video.ts";

const steps = [
  {
    id: "account",
    title: "Account",
    fields: {
      apiKey: text({
        label: "API key",
        help: "Vonage dashboard, API settings, at the top.",
        helpUrl: "https://dashboard.nexmo.com/settings",
        secret: true,
        pattern: "^[0-9A-Za-z]{8}$",
        message: "An API key is eight letters and digits",
        example: "abcd1234",
      }),
      apiSecret: password({
        label: "API secret",
        help: "Vonage dashboard, API settings, Account credentials.",
        helpUrl: "https://dashboard.nexmo.com/settings",
        min: 8,
        example: "ExampleSecret0000",
      }),
    },
  },
  {
    id: "application",
    title: "Application",
    description: "Create one with the Messages, Voice, Verify and Video capabilities that you use.",
    fields: {
      applicationId: text({
        label: "Application ID",
        help: "Vonage dashboard, Applications, your application.",
        helpUrl: "https://dashboard.nexmo.com/applications",
        pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        message: "An application ID is 32 hexadecimal digits in five groups",
        example: "78d335fa-323d-4114-9c3d-d6f0d48968cf",
      }),
      privateKey: textarea({
        label: "Private key",
        placeholder: "-----BEGIN PRIVATE KEY-----",
        help: "Your application, Edit, Generate public and private key. The file private.key is downloaded at once; open it in a text editor, and press Save changes.",
        helpUrl: "https://dashboard.nexmo.com/applications",
        secret: true,
        pattern: "^-----BEGIN PRIVATE KEY-----[^]+-----END PRIVATE KEY-----\\s*$",
        message: "Paste the whole file, from -----BEGIN PRIVATE KEY----- on",
        example:
          "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n",
      }),
    },
  },
  {
    id: "sending",
    title: "Sending",
    fields: {
      fromNumber: text({
        label: "From",
        required: false,
        placeholder: "+14155550100",
        help: "Vonage dashboard, Numbers, Your numbers; for texts in some countries also a name of up to 11 characters. Used for texts and calls that name no sender.",
        helpUrl: "https://dashboard.nexmo.com/your-numbers",
        pattern: "^(\\+[1-9]\\d{6,14}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11})$",
        message: "Use + and the country code, +14155550100, or a name of up to 11 characters",
        example: "+14155550100",
      }),
      brandName: text({
        label: "Name in one-time codes",
        required: false,
        placeholder: "Riverside Clinic",
        help: "Patients read it: “Riverside Clinic code: 1234”.",
        max: 16,
        message: "At most 16 characters",
        example: "Riverside Clinic",
      }),
    },
  },
  {
    id: "webhooks",
    title: "Webhooks",
    fields: {
      signatureSecret: password({
        label: "Signature secret",
        required: false,
        help: "Vonage dashboard, API settings, Signed webhooks. Needed to receive webhooks. For texts of the SMS API choose SHA-256 HMAC or SHA-512 HMAC there.",
        helpUrl: "https://dashboard.nexmo.com/settings",
        min: 8,
        message: "A signature secret has at least eight characters",
        example: "vonage0signature0secret0123456789",
      }),
      videoSignatureSecret: password({
        label: "Signature secret of video callbacks",
        required: false,
        help: "Your application, Video, beside the callback address, where another secret was set for it.",
        helpUrl: "https://dashboard.nexmo.com/applications",
        min: 8,
        message: "A signature secret has at least eight characters",
        example: "vonage0video0secret0123456789",
      }),
    },
  },
] as const satisfies readonly Step[];

type Config = Values<typeof steps>;

const account = "https://rest.nexmo.com";

/** The end of `type`, developer.vonage.com/en/api-errors#…: Messages has numbers, the others words. */
function readFailure({ status, body }: FailedReply): Failure | undefined {
  const Spoken = z.object({ type: z.string().optional(), title: z.string().optional() });
  const { type = "", title } = Spoken.safeParse(body).data ?? {};
  // A wrong one-time code is sometimes a mere #bad-request, and only the title tells.
  const wrongCode = status === 400 && title === "Invalid Code";
  const code = wrongCode ? "invalid-code" : /#([\w-]+)$/.exec(type)?.[1];
  if (code === "1000") return { code, cause: "rate_limited" };
  if (code === "1120")
    return { code, message: "The sender is not a number or name that Vonage can use" };
  if (code === "1170") return { code, message: "Vonage cannot send to this number" };
  if (status === 402 || code === "low-balance" || code === "1070")
    return {
      ...(code && { code }),
      cause: "forbidden",
      message: "The Vonage account has run out of credit",
    };
  return code ? { code } : undefined;
}

const MessageRecord = z.object({
  status: z.string().nullish(),
  to: z.string().nullish(),
  from: z.string().nullish(),
  error_code: z.union([z.string(), z.number()]).nullish(),
  date_received: z.string().nullish(),
  date_finalized: z.string().nullish(),
});

const messageId = "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab";
const requestId = "c11236f4-00bf-4b89-84ba-88b25df97315";

export const vendor = defineVendor({
  name: "Vonage",
  aliases: ["nexmo", "opentok", "vonage-video"],
  category: "communication",
  alsoIn: ["telehealth"],
  description:
    "Text messages, voice calls, one-time codes and video visits, recording included, from one application.",
  website: "https://www.vonage.com/communications-apis/",
  documentation: "https://developer.vonage.com/en/documentation",
  keywords: ["sms", "voice", "call", "video", "visit", "otp", "verify", "nexmo", "opentok"],
  icon: "vonage",
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://api.nexmo.com" },
    production: { baseUrl: "https://api.nexmo.com" },
  },
  hosts: ["rest.nexmo.com", "video.api.vonage.com", "api-eu.vonage.com"],
  steps,
  auth: vonageAuth,
  failure: readFailure,
  async test(api, values) {
    const reply = z.object({
      name: z.string().nullish(),
      capabilities: z.record(z.string(), z.unknown()).nullish(),
      keys: z.object({ public_key: z.string().nullish() }).nullish(),
    });
    const found = await api.get("/v2/applications/{applicationId}", reply, { as: "account" });
    const kept = found.keys?.public_key;
    const isPair = kept ? await isPairOf(kept, values) : undefined;
    if (isPair === false)
      throw new VendorFailure(
        "credentials_rejected",
        "The private key is not the one of the application: generate it anew and press Save changes",
      );
    const capabilities = Object.keys(found.capabilities ?? {});
    return {
      account: found.name ? `${found.name} (${values.applicationId})` : values.applicationId,
      checked: [
        "key and secret accepted",
        "application found",
        ...(isPair ? ["private key belongs to the application"] : []),
        ...(capabilities.length ? [`enabled for ${capabilities.join(", ")}`] : []),
      ],
    };
  },
  operations: {
    sendSMS: operation({
      title: "Send a text message",
      description: "By the Messages API, from `from`, else from the configured sender.",
      effect: "write",
      capability: "sms.send",
      params: z.object({
        to: Phone,
        body: z.string().min(1).max(1600),
        from: z.string().min(1).max(16).optional(),
        /** Up to 100 characters, which the webhooks repeat. */
        reference: z.string().max(100).optional(),
        /** Vonage posts what becomes of the message to it; else to the application's status address. */
        statusCallback: z.url({ protocol: /^https$/ }).optional(),
      }),
      result: z.object({ id: z.string(), status: z.string() }),
      example: {
        params: { to: "+15558675310", body: "Your appointment is confirmed!" },
        wire: [{ request: "POST /v1/messages", status: 202, reply: { message_uuid: messageId } }],
        result: { id: messageId, status: "accepted" },
      },
      async run(api, { to, body, from, reference, statusCallback }, values: Config) {
        const sender = from ?? values.fromNumber;
        if (!sender)
          throw notConfigured("Give `from`, or set a sender in the integration's configuration");
        const reply = z.object({ message_uuid: z.string() });
        const { message_uuid } = await api.post("/v1/messages", reply, {
          json: {
            channel: "sms",
            message_type: "text",
            to: digits(to),
            from: digits(sender),
            text: body,
            ...(reference && { client_ref: reference }),
            ...(statusCallback && { webhook_url: statusCallback, webhook_version: "v1" }),
          },
        });
        return { id: message_uuid, status: "accepted" };
      },
    }),
    getSMS: operation({
      title: "Read what became of a text message",
      description:
        "From the Reports API, for which Vonage charges. A message is in it some seconds after it was sent.",
      effect: "read",
      capability: "sms.status",
      params: z.object({ id: z.uuid() }),
      result: z.object({
        id: z.string(),
        status: z.string(),
        to: z.string().optional(),
        from: z.string().optional(),
        error: z.string().optional(),
        sentAt: z.string().optional(),
        updatedAt: z.string().optional(),
      }),
      example: {
        params: { id: messageId },
        wire: [
          {
            request: `GET /v2/reports/records?product=MESSAGES&account_id=abcd1234&direction=outbound&id=${messageId}`,
            reply: {
              request_status: "SUCCESS",
              items_count: 1,
              records: [
                {
                  message_id: messageId,
                  status: "delivered",
                  to: "15558675310",
                  from: "14155550100",
                  error_code: "",
                  date_received: "2026-11-23T12:00:00+0000",
                  date_finalized: "2026-11-23T12:00:03+0000",
                },
              ],
            },
          },
        ],
        result: {
          id: messageId,
          status: "delivered",
          to: "+15558675310",
          from: "+14155550100",
          sentAt: "2026-11-23T12:00:00+0000",
          updatedAt: "2026-11-23T12:00:03+0000",
        },
      },
      async run(api, { id }, values: Config) {
        const reply = z.object({ records: z.array(MessageRecord).default([]) });
        const { records } = await api.get("/v2/reports/records", reply, {
          as: "account",
          query: { product: "MESSAGES", account_id: values.apiKey, direction: "outbound", id },
        });
        const [found] = records;
        if (!found)
          throw new VendorFailure("not_found", "Vonage's reports hold no such message yet");
        return {
          id,
          status: found.status ?? "unknown",
          to: found.to ? plus(found.to) : undefined,
          from: found.from ? plus(found.from) : undefined,
          error: Number(found.error_code ?? 0) === 0 ? undefined : String(found.error_code),
          sentAt: found.date_received ?? undefined,
          updatedAt: found.date_finalized ?? undefined,
        };
      },
    }),
    ...vonageCalls,
    startVerification: operation({
      title: "Send a one-time code",
      effect: "write",
      params: z.object({ to: Phone, channel: z.enum(["sms", "voice"]).default("sms") }),
      result: z.object({ id: z.string(), status: z.string() }),
      example: {
        params: { to: "+15558675310" },
        wire: [{ request: "POST /v2/verify", status: 202, reply: { request_id: requestId } }],
        result: { id: requestId, status: "pending" },
      },
      async run(api, { to, channel }, values: Config) {
        const reply = z.object({ request_id: z.string() });
        const { request_id } = await api.post("/v2/verify", reply, {
          json: {
            brand: values.brandName ?? "Clinic",
            workflow: [{ channel, to: digits(to) }],
          },
        });
        return { id: request_id, status: "pending" };
      },
    }),
    checkVerification: operation({
      title: "Check a one-time code",
      effect: "write",
      params: z.object({ id: z.uuid(), code: z.string().regex(/^\d{4,10}$/, "4–10 digits") }),
      result: z.object({ approved: z.boolean(), status: z.string() }),
      example: {
        params: { id: requestId, code: "1234" },
        wire: [
          {
            request: `POST /v2/verify/${requestId}`,
            reply: { request_id: requestId, status: "completed" },
          },
        ],
        result: { approved: true, status: "completed" },
      },
      async run(api, { id, code }) {
        const call = { path: { id }, json: { code } };
        const reply = z.object({ status: z.string() });
        return api.post("/v2/verify/{id}", reply, call).then(
          ({ status }) => ({ approved: status === "completed", status }),
          (error: unknown) => {
            const { failure, vendorCode } = error instanceof VendorFailure ? error : {};
            if (failure !== "invalid_request" || vendorCode !== "invalid-code") throw error;
            return { approved: false, status: "pending" };
          },
        );
      },
    }),
    lookupNumber: operation({
      title: "Look up a phone number",
      description:
        "Its country, carrier and kind, by Identity Insights, which the application must have been given.",
      effect: "read",
      idempotent: true,
      params: z.object({ number: Phone }),
      result: z.object({
        number: z.string(),
        valid: z.boolean().optional(),
        country: z.string().optional(),
        national: z.string().optional(),
        carrier: z.string().optional(),
        /** `MOBILE`, `LANDLINE`, `VIRTUAL`… */
        lineType: z.string().optional(),
      }),
      example: {
        params: { number: "+14040000000" },
        wire: [
          {
            request: "POST https://api-eu.vonage.com/identity-insights/v1/requests",
            reply: {
              request_id: requestId,
              insights: {
                format: {
                  country_code: "US",
                  number_national: "(404) 000-0000",
                  is_format_valid: true,
                  status: { code: "OK" },
                },
                current_carrier: {
                  name: "Example Wireless",
                  network_type: "MOBILE",
                  status: { code: "OK" },
                },
              },
            },
          },
        ],
        result: {
          number: "+14040000000",
          valid: true,
          country: "US",
          national: "(404) 000-0000",
          carrier: "Example Wireless",
          lineType: "MOBILE",
        },
      },
      async run(api, { number }) {
        const Format = z.object({
          country_code: z.string().nullish(),
          number_national: z.string().nullish(),
          is_format_valid: z.boolean().nullish(),
        });
        const Carrier = z.object({
          name: z.string().nullish(),
          network_type: z.string().nullish(),
        });
        const reply = z.object({
          insights: z.object({ format: Format.nullish(), current_carrier: Carrier.nullish() }),
        });
        const address = "https://api-eu.vonage.com/identity-insights/v1/requests";
        const { insights } = await api.post(address, reply, {
          json: { phone_number: digits(number), insights: { format: {}, current_carrier: {} } },
        });
        const { format, current_carrier: carrier } = insights;
        return {
          number,
          valid: format?.is_format_valid ?? undefined,
          country: format?.country_code ?? undefined,
          national: format?.number_national ?? undefined,
          carrier: carrier?.name ?? undefined,
          lineType: carrier?.network_type ?? undefined,
        };
      },
    }),
    listNumbers: operation({
      title: "List the account's phone numbers",
      effect: "read",
      params: z.object({
        limit: z.number().int().min(1).max(100).default(50),
        cursor: z
          .string()
          .regex(/^[1-9]\d*$/)
          .optional(),
      }),
      result: z.object({
        numbers: z.array(
          z.object({
            number: z.string(),
            country: z.string().optional(),
            type: z.string().optional(),
            features: z.array(z.string()),
          }),
        ),
        next: z.string().optional(),
      }),
      example: {
        params: {},
        wire: [
          {
            request: `GET ${account}/account/numbers?size=50&index=1`,
            reply: {
              count: 1,
              numbers: [
                {
                  country: "US",
                  msisdn: "14155550100",
                  type: "mobile-lvn",
                  features: ["VOICE", "SMS"],
                },
              ],
            },
          },
        ],
        result: {
          numbers: [
            {
              number: "+14155550100",
              country: "US",
              type: "mobile-lvn",
              features: ["VOICE", "SMS"],
            },
          ],
        },
      },
      async run(api, { limit, cursor }) {
        const Number = z.object({
          msisdn: z.string().optional(),
          country: z.string().optional(),
          type: z.string().optional(),
          features: z.array(z.string()).default([]),
        });
        // An account without numbers is answered with an empty object.
        const reply = z.object({
          count: z.number().default(0),
          numbers: z.array(Number).default([]),
        });
        const index = globalThis.Number(cursor ?? 1);
        const { count, numbers } = await api.get(`${account}/account/numbers`, reply, {
          as: "account",
          query: { size: limit, index },
        });
        return {
          numbers: numbers.flatMap(({ msisdn, ...rest }) =>
            msisdn ? [{ number: plus(msisdn), ...rest }] : [],
          ),
          ...(index * limit < count && { next: String(index + 1) }),
        };
      },
    }),
    getBalance: operation({
      title: "Read the account's balance",
      effect: "read",
      params: z.object({}),
      result: z.object({ amount: z.string(), currency: z.string(), autoReload: z.boolean() }),
      example: {
        params: {},
        wire: [
          {
            request: `GET ${account}/account/get-balance`,
            reply: { value: 10.28, autoReload: false },
          },
        ],
        result: { amount: "10.28", currency: "eur", autoReload: false },
      },
      async run(api) {
        const reply = z.object({ value: z.number(), autoReload: z.boolean().default(false) });
        const found = await api.get(`${account}/account/get-balance`, reply, { as: "account" });
        return { amount: String(found.value), currency: "eur", autoReload: found.autoReload };
      },
    }),
    ...vonageVideo,
  },
  webhooks: {
    verify: vonageSignature<Config>(({ signatureSecret, videoSignatureSecret }, incoming) =>
      isVideoEvent(incoming) ? (videoSignatureSecret ?? signatureSecret) : signatureSecret,
    ),
    secretField: "signatureSecret",
    events: readVonageEvents,
    types: [
      ..."submitted delivered rejected undeliverable read received"
        .split(" ")
        .map((state) => `message.${state}`),
      ..."started ringing answered machine human completed busy cancelled failed rejected timeout unanswered disconnected"
        .split(" ")
        .map((state) => `call.${state}`),
      ..."completed failed expired user_rejected".split(" ").map((state) => `verify.${state}`),
      ..."sessionCreated sessionDestroyed connectionCreated connectionDestroyed streamCreated streamDestroyed"
        .split(" ")
        .map((name) => `video.${name}`),
      ..."started paused stopped uploaded available expired failed deleted"
        .split(" ")
        .map((state) => `archive.${state}`),
    ],
    failures: [
      ..."rejected undeliverable".split(" ").map((state) => `message.${state}`),
      ..."busy failed rejected timeout unanswered".split(" ").map((state) => `call.${state}`),
      "verify.failed",
      "archive.failed",
    ],
    setup: [
      "Open Applications and your application, Edit: https://dashboard.nexmo.com/applications",
      "Under Messages enter {url} as Inbound URL and as Status URL; under Voice as Event URL, with POST; under Verify as Status URL.",
      "Under Video enter {url} for session monitoring and for archives, and choose signed callbacks.",
      "Under Voice switch Use signed webhooks on, and copy the signature secret from API settings to here.",
      "Texts that come by the SMS API are signed only where Vonage support switched it on; set its method to SHA-256 HMAC or SHA-512 HMAC in API settings.",
    ],
  },
  rateLimit: { requests: 30, perSeconds: 1 },
  links: [
    { title: "Dashboard", url: "https://dashboard.nexmo.com/" },
    { title: "Status", url: "https://vonageapi.statuspage.io/" },
    { title: "Error codes", url: "https://developer.vonage.com/en/api-errors" },
  ],
});

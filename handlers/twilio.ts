import * as z from "zod";

import { type VendorCause, VendorFailure } from "../problem.ts";
import { Phone } from "./capabilities.ts";
import { defineVendor, operation } from "./define.ts";
import { notConfigured } from "./failure.ts";
import { password, type Step, text, type Values } from "./fields.ts";
import { formOf, type Incoming, jsonOf } from "./signature.ts";
import { twilioSignature } from "./twilio-signature.ts";

const steps = [
  {
    id: "credentials",
    title: "Account credentials",
    fields: {
      accountSid: text({
        label: "Account SID",
        placeholder: "AC…",
        help: "Twilio Console, home page, “Account Info”.",
        helpUrl: "https://console.twilio.com/",
        pattern: "^AC[0-9a-fA-F]{32}$",
        message: "An Account SID is AC and 32 hexadecimal characters",
        example: "AC0123456789abcdef0123456789abcdef",
      }),
      authToken: password({
        label: "Auth token",
        help: "Twilio Console, home page, “Account Info”, press Show. It is also what signs Twilio's webhooks: needed to receive them, even when calls use an API key.",
        helpUrl: "https://console.twilio.com/us1/account/keys-credentials/api-keys",
        pattern: "^[0-9a-fA-F]{32}$",
        message: "An auth token is 32 hexadecimal characters",
        example: "12345678901234567890123456789012",
      }),
      apiKeySid: text({
        label: "API key SID",
        placeholder: "SK…",
        help: "Admin, Account management, API keys & tokens, Create API key. A Main key lets the test read the account's status; a Standard key is enough for everything else.",
        helpUrl: "https://console.twilio.com/us1/account/keys-credentials/api-keys",
        pattern: "^SK[0-9a-fA-F]{32}$",
        message: "An API key SID is SK and 32 hexadecimal characters",
        example: "SK0123456789abcdef0123456789abcdef",
      }),
      apiKeySecret: password({
        label: "API key secret",
        help: "Shown once, when the API key is created.",
        helpUrl: "https://console.twilio.com/us1/account/keys-credentials/api-keys",
        example: "abcdefghijklmnopqrstuvwxyz012345",
      }),
    },
    oneOf: [
      { label: "Auth token", fields: ["authToken"] },
      { label: "API key", fields: ["apiKeySid", "apiKeySecret"] },
    ],
  },
  {
    id: "sending",
    title: "Sending",
    fields: {
      fromNumber: text({
        label: "From number",
        required: false,
        placeholder: "+14155550100",
        help: "Phone Numbers, Manage, Active numbers. Used for texts and calls that name no sender.",
        helpUrl: "https://console.twilio.com/us1/develop/phone-numbers/manage/incoming",
        pattern: "^\\+[1-9]\\d{6,14}$",
        message: "Use + and the country code: +14155550100",
        example: "+14155550100",
      }),
      messagingServiceSid: text({
        label: "Messaging Service SID",
        required: false,
        placeholder: "MG…",
        help: "Messaging, Services. Chooses the number for each text, and is needed to schedule one. Takes precedence over the from number for texts.",
        helpUrl: "https://console.twilio.com/us1/develop/sms/services",
        pattern: "^MG[0-9a-fA-F]{32}$",
        message: "A Messaging Service SID is MG and 32 hexadecimal characters",
        example: "MG0123456789abcdef0123456789abcdef",
      }),
      verifyServiceSid: text({
        label: "Verify Service SID",
        required: false,
        placeholder: "VA…",
        help: "Verify, Services. Needed only to send and check one-time codes.",
        helpUrl: "https://console.twilio.com/us1/develop/verify/services",
        pattern: "^VA[0-9a-fA-F]{32}$",
        message: "A Verify Service SID is VA and 32 hexadecimal characters",
        example: "VA0123456789abcdef0123456789abcdef",
      }),
    },
  },
] as const satisfies readonly Step[];

type Config = Values<typeof steps>;

/** Codes of twilio.com/docs/api/errors that a clinic can do something about. */
const failures: Record<string, [VendorCause, string?]> = {
  "20003": ["credentials_rejected", "Twilio refused the credentials, or the account is suspended"],
  "20008": ["forbidden", "Twilio's test credentials cannot do this"],
  "20404": ["not_found"],
  "20429": ["rate_limited"],
  "21211": ["invalid_request", "Twilio cannot send to this number"],
  "21212": ["invalid_request", "The sender is not a number that Twilio can use"],
  "21215": ["forbidden", "This country is not allowed in Twilio's Voice Geographic permissions"],
  "21219": ["forbidden", "A trial account can only reach numbers that it has verified"],
  "21408": ["forbidden", "This country is not allowed in Twilio's Messaging Geo permissions"],
  "21606": ["invalid_request", "The sender does not belong to this account or cannot send texts"],
  "21608": ["forbidden", "A trial account can only send to numbers that it has verified"],
  "21610": ["invalid_request", "The recipient has opted out by replying STOP"],
  "21614": ["invalid_request", "The number cannot receive texts"],
};

const Https = z.url({ protocol: /^https$/ });
const MessageId = z.string().regex(/^(SM|MM)[0-9a-fA-F]{32}$/, "A message id is SM…");
const Cursor = z.string().regex(/^\d+\.\S+$/, "Give what `next` said");
const account = "/2010-04-01/Accounts/{accountSid}";

/** Twilio's own document lets everything be null; without an id there is nothing to speak of. */
const Status = z.string().catch("unknown");
const Message = z.object({
  sid: z.string(),
  status: Status,
  to: z.string().nullish(),
  from: z.string().nullish(),
  body: z.string().nullish(),
  direction: z.string().nullish(),
  num_segments: z.string().nullish(),
  error_code: z.number().nullish(),
  date_sent: z.string().nullish(),
});
const Call = z.object({
  sid: z.string(),
  status: Status,
  duration: z.string().nullish(),
  start_time: z.string().nullish(),
  end_time: z.string().nullish(),
  answered_by: z.string().nullish(),
});

/** Twilio writes RFC 2822 dates. */
const iso = (date: string | null | undefined) =>
  date && !Number.isNaN(Date.parse(date)) ? new Date(date).toISOString() : undefined;
const whole = (number: string | null | undefined) =>
  number && /^\d+$/.test(number) ? Number(number) : undefined;

const Sms = z.object({
  id: z.string(),
  status: z.string(),
  to: z.string().optional(),
  from: z.string().optional(),
  body: z.string().optional(),
  direction: z.string().optional(),
  segments: z.number().int().optional(),
  /** Twilio's error code, when it was not delivered. */
  error: z.string().optional(),
  sentAt: z.string().optional(),
});
const sms = (message: z.output<typeof Message>): z.input<typeof Sms> => ({
  id: message.sid,
  status: message.status,
  to: message.to ?? undefined,
  from: message.from ?? undefined,
  body: message.body ?? undefined,
  direction: message.direction ?? undefined,
  segments: whole(message.num_segments),
  error: message.error_code ? String(message.error_code) : undefined,
  sentAt: iso(message.date_sent),
});

const escapeXml = (say: string) =>
  say.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);

const verifyService = (values: Config) => {
  if (!values.verifyServiceSid)
    throw notConfigured("Set the Verify Service SID in the integration's configuration first");
  return "https://verify.twilio.com/v2/Services/{verifyServiceSid}";
};

const CloudEvents = z.array(
  z.object({ id: z.string(), type: z.string(), time: z.string().optional() }),
);

/** A status callback has no event id: the object, its state and its place in the row make one. */
function readEvents(incoming: Incoming) {
  const batch = CloudEvents.safeParse(jsonOf(incoming));
  if (batch.success)
    return batch.data.map(({ id, type, time }) => ({ id, type, occurredAt: time }));
  const form = incoming.method === "GET" ? new URL(incoming.url).searchParams : formOf(incoming);
  const get = (name: string) => form.get(name) ?? "";
  const at = iso(get("Timestamp"));
  const event = (kind: string, sid: string, status: string) => ({
    id: [sid, status, get("SequenceNumber")].filter(Boolean).join("."),
    type: `${kind}.${status || "unknown"}`,
    ...(at && { occurredAt: at }),
  });
  const message = get("MessageSid") || get("SmsSid");
  if (message) return [event("message", message, get("MessageStatus") || get("SmsStatus"))];
  if (get("RecordingSid")) return [event("recording", get("RecordingSid"), get("RecordingStatus"))];
  if (get("CallSid")) {
    const { id, ...call } = event("call", get("CallSid"), get("CallStatus"));
    // Only status callbacks count up; a call flow may ask many times in one state.
    return [get("SequenceNumber") ? { id, ...call } : call];
  }
  return [{ type: "other" }];
}

const root = "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef";
const verify = "https://verify.twilio.com/v2/Services/VA0123456789abcdef0123456789abcdef";
const messageId = "SM0123456789abcdef0123456789abcdef";
const callId = "CA0123456789abcdef0123456789abcdef";

const exampleMessage = {
  sid: messageId,
  status: "undelivered",
  to: "+15558675310",
  from: "+14155550100",
  body: "Your appointment is confirmed!",
  direction: "outbound-api",
  num_segments: "1",
  error_code: 30005,
  date_sent: "Mon, 23 Nov 2026 12:00:01 +0000",
};

const exampleSms = {
  id: messageId,
  status: "undelivered",
  to: "+15558675310",
  from: "+14155550100",
  body: "Your appointment is confirmed!",
  direction: "outbound-api",
  segments: 1,
  error: "30005",
  sentAt: "2026-11-23T12:00:01.000Z",
};

const messageStates =
  "accepted queued sending sent delivered partially_delivered undelivered failed receiving received read scheduled canceled";
const callStates = "initiated queued ringing in-progress completed busy no-answer failed canceled";
const types = [
  ...messageStates.split(" ").map((state) => `message.${state}`),
  ...callStates.split(" ").map((state) => `call.${state}`),
  "recording.completed",
  "recording.absent",
  "recording.failed",
];

export const vendor = defineVendor({
  name: "Twilio",
  category: "communication",
  description:
    "Text messages, voice calls and one-time codes: appointment reminders, results calls and patient sign-in.",
  website: "https://www.twilio.com",
  documentation: "https://www.twilio.com/docs",
  keywords: ["sms", "text", "voice", "call", "reminder", "otp", "verify", "phone"],
  featured: true,
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://api.twilio.com" },
    production: { baseUrl: "https://api.twilio.com" },
  },
  hosts: ["verify.twilio.com"],
  steps,
  formerly: { phoneNumber: "fromNumber" },
  auth: ({ accountSid, authToken, apiKeySid, apiKeySecret }) =>
    apiKeySid && apiKeySecret
      ? { kind: "basic", user: apiKeySid, password: apiKeySecret }
      : { kind: "basic", user: accountSid, password: authToken ?? "" },
  failure: ({ body }) => {
    const { data } = z.object({ code: z.number() }).safeParse(body);
    if (!data) return undefined;
    const code = String(data.code);
    const [cause, message] = failures[code] ?? [];
    return { code, ...(cause && { cause }), ...(message && { message }) };
  },
  async test(api, { accountSid, apiKeySid }, environment) {
    const reply = z.object({ friendly_name: z.string().nullish(), status: z.string() });
    const found = await api.get(`${account}.json`, reply).catch((error: unknown) => {
      if (!(error instanceof VendorFailure)) throw error;
      // Test credentials are known to Twilio, but may read nothing.
      if (error.vendorCode === "20008" && environment === "sandbox") return "test credentials";
      // Standard and restricted keys may not read the account: 401 with code 20003.
      if (apiKeySid && [401, 403].includes(error.vendorStatus ?? 0)) return "key";
      throw error;
    });
    if (found === "test credentials")
      return { account: `Test credentials of ${accountSid}`, checked: ["credentials recognized"] };
    if (found === "key") {
      const numbers = z.object({ incoming_phone_numbers: z.array(z.unknown()) });
      await api.get(`${account}/IncomingPhoneNumbers.json`, numbers, { query: { PageSize: 1 } });
      return { account: accountSid, checked: ["API key accepted", "phone numbers can be read"] };
    }
    if (found.status !== "active")
      throw new VendorFailure("forbidden", `Twilio says that the account is ${found.status}`);
    return {
      account: `${found.friendly_name ?? "Account"} (${accountSid})`,
      checked: ["credentials accepted", "account is active"],
    };
  },
  operations: {
    sendSMS: operation({
      title: "Send a text message",
      description:
        "Sends from `from`, else from the configured Messaging Service or number. `message` is accepted as another name of `body`.",
      effect: "write",
      capability: "sms.send",
      params: z
        .object({
          to: Phone,
          body: z.string().min(1).max(1600).optional(),
          message: z.string().min(1).max(1600).optional(),
          from: z.string().optional(),
          mediaUrls: z.array(Https).max(10).optional(),
          /** ISO 8601, from 5 minutes to 35 days ahead; needs a Messaging Service. */
          sendAt: z.iso.datetime({ offset: true }).optional(),
          statusCallback: Https.optional(),
        })
        .refine(({ body, message, mediaUrls }) => body ?? message ?? mediaUrls?.length, {
          message: "Give the text to send",
          path: ["body"],
        }),
      result: z.object({
        id: z.string(),
        messageId: z.string(),
        status: z.string(),
        segments: z.number().int().optional(),
      }),
      example: {
        params: { to: "+15558675310", message: "Your appointment is confirmed!" },
        wire: [
          {
            request: `POST ${root}/Messages.json`,
            status: 201,
            reply: {
              ...exampleMessage,
              status: "accepted",
              from: null,
              error_code: null,
              date_sent: null,
            },
          },
        ],
        result: { id: messageId, messageId, status: "accepted", segments: 1 },
      },
      async run(api, params, values: Config) {
        const { to, from, sendAt } = params;
        const service = from ? undefined : values.messagingServiceSid;
        const sender = from ?? values.fromNumber;
        if (!service && !sender)
          throw notConfigured("Give `from`, or set a sender in the integration's configuration");
        if (sendAt && from)
          throw new VendorFailure("invalid_request", "A text with `sendAt` must not have `from`");
        if (sendAt && !service)
          throw notConfigured("To send later, set a Messaging Service in the configuration first");
        const message = await api.post(`${account}/Messages.json`, Message, {
          form: {
            To: to,
            Body: params.body ?? params.message,
            ...(service ? { MessagingServiceSid: service } : { From: sender }),
            MediaUrl: params.mediaUrls,
            StatusCallback: params.statusCallback,
            ...(sendAt && { ScheduleType: "fixed", SendAt: sendAt }),
          },
        });
        const { id, status, segments } = sms(message);
        return { id, messageId: id, status, segments };
      },
    }),
    getSMS: operation({
      title: "Read a text message and what became of it",
      effect: "read",
      capability: "sms.status",
      params: z.object({ id: MessageId }),
      result: Sms,
      example: {
        params: { id: messageId },
        wire: [{ request: `GET ${root}/Messages/${messageId}.json`, reply: exampleMessage }],
        result: exampleSms,
      },
      run: async (api, path) =>
        sms(await api.get(`${account}/Messages/{id}.json`, Message, { path })),
    }),
    listSMS: operation({
      title: "List text messages, sent and received",
      effect: "read",
      params: z.object({
        to: Phone.optional(),
        from: Phone.optional(),
        sentOnOrAfter: z.iso.date().optional(),
        limit: z.number().int().min(1).max(1000).default(50),
        cursor: Cursor.optional(),
      }),
      result: z.object({ messages: z.array(Sms), next: z.string().optional() }),
      example: {
        params: { to: "+15558675310", limit: 1 },
        wire: [
          {
            request: `GET ${root}/Messages.json?To=%2B15558675310&PageSize=1`,
            reply: {
              messages: [exampleMessage],
              next_page_uri: `${root}/Messages.json?To=%2B15558675310&PageSize=1&Page=1&PageToken=PASM1`,
            },
          },
        ],
        result: { messages: [exampleSms], next: "1.PASM1" },
      },
      async run(api, { to, from, sentOnOrAfter, limit, cursor }) {
        const [, page, token] = /^(\d+)\.(.+)$/.exec(cursor ?? "") ?? [];
        const reply = z.object({ messages: z.array(Message), next_page_uri: z.string().nullish() });
        const { messages, next_page_uri } = await api.get(`${account}/Messages.json`, reply, {
          query: {
            To: to,
            From: from,
            "DateSent>": sentOnOrAfter && `${sentOnOrAfter}T00:00:00Z`,
            PageSize: limit,
            Page: page,
            PageToken: token,
          },
        });
        const next = new URLSearchParams(next_page_uri?.split("?")[1]);
        const at = [next.get("Page"), next.get("PageToken")];
        return { messages: messages.map(sms), next: at.every(Boolean) ? at.join(".") : undefined };
      },
    }),
    deleteSMS: operation({
      title: "Delete a text message from Twilio's log",
      description: "So that no health information stays at Twilio.",
      effect: "write",
      idempotent: true,
      params: z.object({ id: MessageId }),
      result: z.object({ id: z.string(), deleted: z.literal(true) }),
      example: {
        params: { id: messageId },
        wire: [{ request: `DELETE ${root}/Messages/${messageId}.json`, status: 204, reply: "" }],
        result: { id: messageId, deleted: true },
      },
      async run(api, { id }) {
        await api.send("DELETE", `${account}/Messages/{id}.json`, { path: { id } });
        return { id, deleted: true as const };
      },
    }),
    makeCall: operation({
      title: "Call a number",
      description:
        "Says `say`, or does what the TwiML in `twiml` or at `url` says, when the call is answered.",
      effect: "write",
      capability: "voice.call",
      params: z
        .object({
          to: Phone,
          from: z.string().optional(),
          say: z.string().min(1).max(3000).optional(),
          /** BCP 47: `es-MX`. */
          language: z.string().max(20).optional(),
          twiml: z.string().min(1).max(4000).optional(),
          url: Https.optional(),
          statusCallback: Https.optional(),
        })
        .refine(({ say, twiml, url }) => [say, twiml, url].filter(Boolean).length === 1, {
          message: "Give exactly one of say, twiml and url",
          path: ["say"],
        }),
      result: z.object({ id: z.string(), callId: z.string(), status: z.string() }),
      example: {
        params: { to: "+15558675310", say: "Your test results are ready." },
        wire: [{ request: `POST ${root}/Calls.json`, reply: { sid: callId, status: "queued" } }],
        result: { id: callId, callId, status: "queued" },
      },
      async run(api, { to, from, say, language, twiml, url, statusCallback }, values: Config) {
        const caller = from ?? values.fromNumber;
        if (!caller) throw notConfigured("Give `from`, or set a from number in the configuration");
        const tongue = language ? ` language="${escapeXml(language)}"` : "";
        const spoken = say && `<Response><Say${tongue}>${escapeXml(say)}</Say></Response>`;
        const { sid, status } = await api.post(`${account}/Calls.json`, Call, {
          form: {
            To: to,
            From: caller,
            Twiml: spoken ?? twiml,
            Url: url,
            StatusCallback: statusCallback,
            ...(statusCallback && {
              StatusCallbackEvent: ["initiated", "ringing", "answered", "completed"],
            }),
          },
        });
        return { id: sid, callId: sid, status };
      },
    }),
    getCall: operation({
      title: "Read a call and what became of it",
      effect: "read",
      params: z.object({ id: z.string().regex(/^CA[0-9a-fA-F]{32}$/, "A call id is CA…") }),
      result: z.object({
        id: z.string(),
        status: z.string(),
        seconds: z.number().int().optional(),
        startedAt: z.string().optional(),
        endedAt: z.string().optional(),
        answeredBy: z.string().optional(),
      }),
      example: {
        params: { id: callId },
        wire: [
          {
            request: `GET ${root}/Calls/${callId}.json`,
            reply: {
              sid: callId,
              status: "completed",
              duration: "31",
              start_time: "Mon, 23 Nov 2026 12:00:00 +0000",
              end_time: "Mon, 23 Nov 2026 12:00:31 +0000",
              answered_by: null,
            },
          },
        ],
        result: {
          id: callId,
          status: "completed",
          seconds: 31,
          startedAt: "2026-11-23T12:00:00.000Z",
          endedAt: "2026-11-23T12:00:31.000Z",
        },
      },
      async run(api, { id }) {
        const call = await api.get(`${account}/Calls/{id}.json`, Call, { path: { id } });
        return {
          id: call.sid,
          status: call.status,
          seconds: whole(call.duration),
          startedAt: iso(call.start_time),
          endedAt: iso(call.end_time),
          answeredBy: call.answered_by ?? undefined,
        };
      },
    }),
    startVerification: operation({
      title: "Send a one-time code",
      effect: "write",
      params: z.object({ to: Phone, channel: z.enum(["sms", "call"]).default("sms") }),
      result: z.object({ id: z.string(), status: z.string() }),
      example: {
        params: { to: "+15558675310" },
        wire: [
          {
            request: `POST ${verify}/Verifications`,
            status: 201,
            reply: { sid: "VE00000000000000000000000000000001", status: "pending" },
          },
        ],
        result: { id: "VE00000000000000000000000000000001", status: "pending" },
      },
      async run(api, { to, channel }, values: Config) {
        const reply = z.object({ sid: z.string(), status: Status });
        const path = `${verifyService(values)}/Verifications`;
        const { sid, status } = await api.post(path, reply, { form: { To: to, Channel: channel } });
        return { id: sid, status };
      },
    }),
    checkVerification: operation({
      title: "Check a one-time code",
      effect: "write",
      params: z.object({ to: Phone, code: z.string().regex(/^\d{4,10}$/, "4–10 digits") }),
      result: z.object({ approved: z.boolean(), status: z.string() }),
      example: {
        params: { to: "+15558675310", code: "123456" },
        wire: [{ request: `POST ${verify}/VerificationCheck`, reply: { status: "approved" } }],
        result: { approved: true, status: "approved" },
      },
      async run(api, { to, code }, values: Config) {
        const reply = z.object({ status: Status });
        const path = `${verifyService(values)}/VerificationCheck`;
        const { status } = await api.post(path, reply, { form: { To: to, Code: code } });
        return { approved: status === "approved", status };
      },
    }),
  },
  webhooks: {
    verify: twilioSignature<Config>(({ authToken }) => authToken),
    secretField: "authToken",
    events: readEvents,
    types,
    failures: types.filter((type) => /\.(?:undelivered|failed|busy|no-answer|absent)$/.test(type)),
    setup: [
      "Open Phone Numbers, Manage, Active numbers and choose your number: https://console.twilio.com/us1/develop/phone-numbers/manage/incoming",
      "Under Messaging Configuration, “A message comes in”, choose Webhook, enter {url} and HTTP POST.",
      "Under Voice Configuration, “Call status changes”, enter {url} and HTTP POST.",
      "For delivery reports, set {url} as “Delivery Status Callback” of your Messaging Service, or pass it as statusCallback with each text.",
      "Twilio signs with the auth token: it must be set here even if calls use an API key.",
    ],
    // Any other content type on an inbound text or call is Twilio's error 12300.
    reply: () =>
      new Response('<?xml version="1.0" encoding="UTF-8"?><Response/>', {
        headers: { "content-type": "text/xml" },
      }),
  },
  links: [
    { title: "Console", url: "https://console.twilio.com/" },
    { title: "Status", url: "https://status.twilio.com/" },
    { title: "Error codes", url: "https://www.twilio.com/docs/api/errors" },
    { title: "HIPAA", url: "https://www.twilio.com/docs/usage/hipaa" },
  ],
});

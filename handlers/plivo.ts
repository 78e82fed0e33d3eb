import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import { Phone } from "./capabilities.ts";
import { defineVendor, operation } from "./define.ts";
import { notConfigured } from "./failure.ts";
import { password, type Step, text, url, type Values } from "./fields.ts";
import { account, answerCall, digits, Https, iso, plivoCalls, plus, Uuid } from "./plivo-calls.ts";
import { plivoSignature, readPlivoEvents } from "./plivo-signature.ts";
import { speechXml } from "./plivo-speech.ts";

const steps = [
  {
    id: "credentials",
    title: "Account credentials",
    fields: {
      authId: text({
        label: "Auth ID",
        placeholder: "MA…",
        help: "Plivo Console, home page, top right. A subaccount has its own, which starts SA.",
        helpUrl: "https://console.plivo.com/dashboard/",
        pattern: "^(MA|SA)[0-9A-Z]{18}$",
        message: "An Auth ID is MA or SA and 18 capital letters and digits",
        example: "MAXXXXXXXXXXXXXXXXXX",
      }),
      authToken: password({
        label: "Auth token",
        help: "Beside the Auth ID. It also signs Plivo's webhooks.",
        helpUrl: "https://console.plivo.com/dashboard/",
        pattern: "^[A-Za-z0-9]{20,80}$",
        message: "An auth token is letters and digits only",
        example: "ExampleExampleExampleExampleExampleExamp",
      }),
    },
  },
  {
    id: "sending",
    title: "Sending",
    fields: {
      fromNumber: text({
        label: "From number",
        required: false,
        placeholder: "+14155550100",
        help: "Phone Numbers, Your Numbers. Used for texts and calls that name no sender.",
        helpUrl: "https://console.plivo.com/phone-numbers/your-numbers/",
        pattern: "^\\+[1-9]\\d{6,14}$",
        message: "Use + and the country code: +14155550100",
        example: "+14155550100",
      }),
      powerpackUuid: text({
        label: "Powerpack UUID",
        required: false,
        help: "Messaging, Powerpacks. Chooses the number for each text, and takes precedence over the from number for texts.",
        helpUrl: "https://console.plivo.com/sms/powerpack/",
        pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        message: "A Powerpack UUID is 32 hexadecimal digits in five groups",
        example: "86bbb125-97bb-4d72-89fd-81d5c515b015",
      }),
      answerUrl: url({
        label: "This integration's webhook address",
        required: false,
        help: "Save first, then copy the webhook address from the integration's page to here. Plivo asks it what to say when a call is answered; needed only for calls that speak a text.",
        message: "Paste the webhook address, which starts https://",
        example: "https://integrations.example.com/webhooks/plivo/0190a1b2",
      }),
      verifyAppUuid: text({
        label: "Verify application UUID",
        required: false,
        help: "Verify, Applications. Plivo's default application serves where it is left out.",
        helpUrl: "https://console.plivo.com/verify/application/",
        pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        message: "An application UUID is 32 hexadecimal digits in five groups",
        example: "eff1854e-2682-4222-a5c0-b1a16d9bb4aa",
      }),
    },
  },
] as const satisfies readonly Step[];

type Config = Values<typeof steps>;

const Message = z.object({
  message_uuid: z.string(),
  message_state: z.string(),
  to_number: z.string().nullish(),
  from_number: z.string().nullish(),
  message_direction: z.string().nullish(),
  message_time: z.string().nullish(),
  units: z.number().int().nullish(),
  error_code: z.union([z.string(), z.number()]).nullish(),
});
const Sms = z.object({
  id: z.string(),
  status: z.string(),
  to: z.string().optional(),
  from: z.string().optional(),
  direction: z.string().optional(),
  segments: z.number().int().optional(),
  /** Plivo's error code, when it was not delivered. */
  error: z.string().optional(),
  sentAt: z.string().optional(),
});
const sms = (message: z.output<typeof Message>): z.input<typeof Sms> => ({
  id: message.message_uuid,
  status: message.message_state,
  to: plus(message.to_number),
  from: plus(message.from_number),
  direction: message.message_direction ?? undefined,
  segments: message.units ?? undefined,
  error: Number(message.error_code ?? 0) === 0 ? undefined : String(message.error_code),
  sentAt: iso(message.message_time),
});

const OwnNumber = z.object({
  number: z.string(),
  alias: z.string().nullish(),
  number_type: z.string().nullish(),
  sms_enabled: z.boolean().nullish(),
  voice_enabled: z.boolean().nullish(),
});
const Page = z.object({ limit: z.number(), offset: z.number(), next: z.string().nullish() });
const pageOf = ({ limit, offset, next }: z.output<typeof Page>) =>
  next ? { next: String(offset + limit) } : {};
const Paging = {
  limit: z.number().int().min(1).max(20).default(20),
  cursor: z.string().regex(/^\d+$/).optional(),
};

const Account = z.object({
  api_id: z.string(),
  name: z.string().nullish(),
  cash_credits: z.string().nullish(),
  billing_mode: z.string().nullish(),
});

const root = "/v1/Account/MAXXXXXXXXXXXXXXXXXX";
const messageId = "5b40a428-bfc7-4daf-9d06-726c558bf3b8";
const sessionId = "4124e518-a8c9-4feb-8cff-d86636ba9234";
const api_id = "948b53a2-3f08-11e7-b6f4-061564b78b75";
const exampleMessage = {
  message_uuid: messageId,
  message_state: "delivered",
  to_number: "15558675310",
  from_number: "14155550100",
  message_direction: "outbound",
  message_time: "2026-11-23 17:30:01+05:30",
  units: 1,
  error_code: null,
};
const exampleSms = {
  id: messageId,
  status: "delivered",
  to: "+15558675310",
  from: "+14155550100",
  direction: "outbound",
  segments: 1,
  sentAt: "2026-11-23T12:00:01.000Z",
};

export const vendor = defineVendor({
  name: "Plivo",
  category: "communication",
  description:
    "Text messages, voice calls and one-time codes worldwide: reminders, results calls and patient sign-in.",
  website: "https://www.plivo.com",
  documentation: "https://www.plivo.com/docs/",
  keywords: ["sms", "text", "voice", "call", "reminder", "otp", "verify", "lookup", "phone"],
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://api.plivo.com" },
    production: { baseUrl: "https://api.plivo.com" },
  },
  hosts: ["lookup.plivo.com"],
  steps,
  formerly: { accountSid: "authId" },
  auth: ({ authId, authToken }) => ({ kind: "basic", user: authId, password: authToken }),
  failure: ({ status }) =>
    status === 402
      ? { cause: "forbidden", message: "The Plivo account has run out of credit" }
      : undefined,
  async test(api, { authId }) {
    const found = await api.get(`${account}/`, Account);
    return {
      account: found.name ? `${found.name} (${authId})` : authId,
      checked: ["credentials accepted", "account can be read"],
    };
  },
  operations: {
    sendSMS: operation({
      title: "Send a text message",
      description:
        "Sends from `from`, else from the configured Powerpack or number. Plivo keeps the text out of its logs unless `log` is true.",
      effect: "write",
      capability: "sms.send",
      params: z.object({
        to: Phone,
        body: z.string().min(1).max(1600),
        from: z.string().min(1).max(16).optional(),
        mediaUrls: z.array(Https).max(10).optional(),
        /** For India: the ids under which the text is registered. */
        dltEntityId: z.string().max(40).optional(),
        dltTemplateId: z.string().max(40).optional(),
        /** Plivo posts what becomes of the message to it. */
        statusCallback: Https.optional(),
        log: z.boolean().default(false),
      }),
      result: z.object({ id: z.string(), status: z.string() }),
      example: {
        params: { to: "+15558675310", body: "Your appointment is confirmed!" },
        wire: [
          {
            request: `POST ${root}/Message/`,
            status: 202,
            reply: { api_id, message: "message(s) queued", message_uuid: [messageId] },
          },
        ],
        result: { id: messageId, status: "queued" },
      },
      async run(api, params, values: Config) {
        const powerpack = params.from ? undefined : values.powerpackUuid;
        const sender = params.from ?? values.fromNumber;
        if (!powerpack && !sender)
          throw notConfigured("Give `from`, or set a sender in the integration's configuration");
        const reply = z.object({ message_uuid: z.array(z.string()).min(1) });
        const { message_uuid } = await api.post(`${account}/Message/`, reply, {
          json: {
            ...(powerpack ? { powerpack_uuid: powerpack } : { src: digits(sender ?? "") }),
            dst: digits(params.to),
            text: params.body,
            ...(params.mediaUrls?.length && { type: "mms", media_urls: params.mediaUrls }),
            ...(params.dltEntityId && { dlt_entity_id: params.dltEntityId }),
            ...(params.dltTemplateId && { dlt_template_id: params.dltTemplateId }),
            ...(params.statusCallback && { url: params.statusCallback, method: "POST" }),
            log: params.log,
          },
        });
        return { id: message_uuid[0] ?? "", status: "queued" };
      },
    }),
    getSMS: operation({
      title: "Read what became of a text message",
      effect: "read",
      capability: "sms.status",
      params: z.object({ id: Uuid }),
      result: Sms,
      example: {
        params: { id: messageId },
        wire: [
          { request: `GET ${root}/Message/${messageId}/`, reply: { api_id, ...exampleMessage } },
        ],
        result: exampleSms,
      },
      run: async (api, { id }) =>
        sms(await api.get(`${account}/Message/{id}/`, Message, { path: { id } })),
    }),
    listSMS: operation({
      title: "List text messages, sent and received",
      effect: "read",
      params: z.object({
        direction: z.enum(["inbound", "outbound"]).optional(),
        status: z
          .enum(["queued", "sent", "failed", "delivered", "undelivered", "received"])
          .optional(),
        ...Paging,
      }),
      result: z.object({ messages: z.array(Sms), next: z.string().optional() }),
      example: {
        params: { limit: 1 },
        wire: [
          {
            request: `GET ${root}/Message/?limit=1&offset=0`,
            reply: {
              api_id,
              meta: { limit: 1, offset: 0, next: `${root}/Message/?limit=1&offset=1` },
              objects: [exampleMessage],
            },
          },
        ],
        result: { messages: [exampleSms], next: "1" },
      },
      async run(api, { direction, status, limit, cursor }) {
        const reply = z.object({ meta: Page, objects: z.array(Message) });
        const { meta, objects } = await api.get(`${account}/Message/`, reply, {
          query: {
            message_direction: direction,
            message_state: status,
            limit,
            offset: cursor ?? 0,
          },
        });
        return { messages: objects.map(sms), ...pageOf(meta) };
      },
    }),
    ...plivoCalls,
    startVerification: operation({
      title: "Send a one-time code",
      effect: "write",
      params: z.object({ to: Phone, channel: z.enum(["sms", "voice"]).default("sms") }),
      result: z.object({ id: z.string(), status: z.string() }),
      example: {
        params: { to: "+15558675310" },
        wire: [
          {
            request: `POST ${root}/Verify/Session/`,
            status: 202,
            reply: { api_id, message: "Session initiated", session_uuid: sessionId },
          },
        ],
        result: { id: sessionId, status: "pending" },
      },
      async run(api, { to, channel }, { verifyAppUuid }: Config) {
        const reply = z.object({ session_uuid: z.string() });
        const { session_uuid } = await api.post(`${account}/Verify/Session/`, reply, {
          json: {
            recipient: digits(to),
            channel,
            ...(verifyAppUuid && { app_uuid: verifyAppUuid }),
          },
        });
        return { id: session_uuid, status: "pending" };
      },
    }),
    checkVerification: operation({
      title: "Check a one-time code",
      effect: "write",
      params: z.object({ id: Uuid, code: z.string().regex(/^\d{4,10}$/, "4–10 digits") }),
      result: z.object({ approved: z.boolean(), status: z.string() }),
      example: {
        params: { id: sessionId, code: "123456" },
        wire: [
          {
            request: `POST ${root}/Verify/Session/${sessionId}/`,
            reply: { api_id, message: "session validated successfully." },
          },
        ],
        result: { approved: true, status: "approved" },
      },
      async run(api, { id, code }) {
        const call = { path: { id }, json: { otp: code } };
        return api
          .post(`${account}/Verify/Session/{id}/`, z.object({ api_id: z.string() }), call)
          .then(
            () => ({ approved: true, status: "approved" }),
            (error: unknown) => {
              // A wrong code is a 400; a session that is over or unknown is a 404.
              if (!(error instanceof VendorFailure) || error.failure !== "invalid_request")
                throw error;
              return { approved: false, status: "pending" };
            },
          );
      },
    }),
    lookupNumber: operation({
      title: "Look up a phone number",
      description: "Its country, its carrier, and whether it is a mobile that can receive texts.",
      effect: "read",
      params: z.object({ number: Phone }),
      result: z.object({
        number: z.string(),
        country: z.string().optional(),
        national: z.string().optional(),
        carrier: z.string().optional(),
        /** `mobile`, `fixed`, `voip`… */
        lineType: z.string().optional(),
        ported: z.boolean().optional(),
      }),
      example: {
        params: { number: "+14154305555" },
        wire: [
          {
            request: "GET https://lookup.plivo.com/v1/Number/+14154305555?type=carrier",
            reply: {
              api_id,
              phone_number: "+14154305555",
              country: { iso2: "US", iso3: "USA", name: "United States" },
              format: { e164: "+14154305555", national: "(415) 430-5555" },
              carrier: { name: "Cingular Wireless", type: "mobile", ported: "yes" },
            },
          },
        ],
        result: {
          number: "+14154305555",
          country: "US",
          national: "(415) 430-5555",
          carrier: "Cingular Wireless",
          lineType: "mobile",
          ported: true,
        },
      },
      async run(api, { number }) {
        const reply = z.object({
          phone_number: z.string().nullish(),
          country: z.object({ iso2: z.string().nullish() }).nullish(),
          format: z.object({ national: z.string().nullish() }).nullish(),
          carrier: z
            .object({
              name: z.string().nullish(),
              type: z.string().nullish(),
              ported: z.string().nullish(),
            })
            .nullish(),
        });
        const found = await api.get("https://lookup.plivo.com/v1/Number/{number}", reply, {
          path: { number },
          query: { type: "carrier" },
        });
        const { carrier } = found;
        return {
          number: found.phone_number ?? number,
          country: found.country?.iso2 ?? undefined,
          national: found.format?.national ?? undefined,
          carrier: carrier?.name ?? undefined,
          lineType: carrier?.type ?? undefined,
          ported: carrier?.ported ? carrier.ported === "yes" : undefined,
        };
      },
    }),
    listNumbers: operation({
      title: "List the account's phone numbers",
      effect: "read",
      params: z.object(Paging),
      result: z.object({
        numbers: z.array(
          z.object({
            number: z.string(),
            alias: z.string().optional(),
            type: z.string().optional(),
            sms: z.boolean().optional(),
            voice: z.boolean().optional(),
          }),
        ),
        next: z.string().optional(),
      }),
      example: {
        params: {},
        wire: [
          {
            request: `GET ${root}/Number/?limit=20&offset=0`,
            reply: {
              api_id,
              meta: { limit: 20, offset: 0, next: null },
              objects: [
                {
                  number: "14155550100",
                  alias: "Front desk",
                  number_type: "local",
                  sms_enabled: true,
                  voice_enabled: true,
                },
              ],
            },
          },
        ],
        result: {
          numbers: [
            { number: "+14155550100", alias: "Front desk", type: "local", sms: true, voice: true },
          ],
        },
      },
      async run(api, { limit, cursor }) {
        const reply = z.object({ meta: Page, objects: z.array(OwnNumber) });
        const query = { limit, offset: cursor ?? 0 };
        const { meta, objects } = await api.get(`${account}/Number/`, reply, { query });
        return {
          numbers: objects.map((each) => ({
            number: plus(each.number) ?? each.number,
            alias: each.alias ?? undefined,
            type: each.number_type ?? undefined,
            sms: each.sms_enabled ?? undefined,
            voice: each.voice_enabled ?? undefined,
          })),
          ...pageOf(meta),
        };
      },
    }),
    getBalance: operation({
      title: "Read the account's balance",
      effect: "read",
      params: z.object({}),
      result: z.object({ amount: z.string(), currency: z.string() }),
      example: {
        params: {},
        wire: [
          { request: `GET ${root}/`, reply: { api_id, name: "Clinic", cash_credits: "25.00000" } },
        ],
        result: { amount: "25.00000", currency: "usd" },
      },
      async run(api) {
        const { cash_credits } = await api.get(`${account}/`, Account);
        if (!cash_credits) throw new VendorFailure("unexpected_reply", "Plivo names no balance");
        return { amount: cash_credits, currency: "usd" };
      },
    }),
  },
  webhooks: {
    verify: plivoSignature<Config>(({ authToken }) => authToken),
    secretField: "authToken",
    handshake: answerCall,
    events: readPlivoEvents,
    types: [
      ..."queued sent failed delivered undelivered read received"
        .split(" ")
        .map((state) => `message.${state}`),
      ..."ringing in-progress completed busy failed timeout no-answer cancel"
        .split(" ")
        .map((state) => `call.${state}`),
    ],
    failures: [
      ..."failed undelivered".split(" ").map((state) => `message.${state}`),
      ..."busy failed timeout no-answer".split(" ").map((state) => `call.${state}`),
    ],
    setup: [
      "Open Messaging, Applications (XML) and choose or create one: https://console.plivo.com/active-voice-apps/",
      "Enter {url} as Message URL, as Answer URL and as Hangup URL, each with POST.",
      "Under Phone Numbers, Your Numbers, give your number this application.",
      "For delivery reports, pass {url} as statusCallback with each text.",
    ],
    // An Answer URL must answer with Plivo XML, and the others do not mind it.
    reply: () => speechXml(),
  },
  rateLimit: { requests: 300, perSeconds: 5 },
  links: [
    { title: "Console", url: "https://console.plivo.com/" },
    { title: "Status", url: "https://status.plivo.com/" },
    {
      title: "Error codes",
      url: "https://www.plivo.com/docs/messaging/troubleshooting/error-codes/",
    },
  ],
});

import * as z from "zod";

import { Phone } from "./capabilities.ts";
import { defineVendor, type FailedReply, type Failure, operation } from "./define.ts";
import {
  account,
  Amount,
  amount,
  exotelCalls,
  type ExotelValues,
  Https,
  Sid,
} from "./exotel-calls.ts";
import {
  confirmExotel,
  exotelEventTypes,
  exotelVerifier,
  messageState,
  readExotelEvents,
} from "./exotel-webhooks.ts";
import { notConfigured } from "./failure.ts";
import { password, select, type Step, text, url } from "./fields.ts";

const settings = "https://my.exotel.com/apisettings/site#api-credentials";

const steps = [
  {
    id: "credentials",
    title: "API credentials",
    fields: {
      subdomain: select({
        label: "Region",
        help: "Where you sign in: my.exotel.com is Singapore, my.in.exotel.com and my.mum1.exotel.com are Mumbai. A key works in its own region only.",
        options: [
          { value: "api.exotel.com", label: "Singapore (api.exotel.com)" },
          { value: "api.in.exotel.com", label: "Mumbai (api.in.exotel.com)" },
        ],
        example: "api.in.exotel.com",
      }),
      accountSid: text({
        label: "Account SID",
        help: "Exotel dashboard, Settings, API settings.",
        helpUrl: settings,
        pattern: "^[\\w-]{2,64}$",
        message: "An account SID is letters and digits",
        example: "riverside1",
      }),
      apiKey: text({
        label: "API key",
        help: "Exotel dashboard, Settings, API settings.",
        helpUrl: settings,
        secret: true,
        pattern: "^[\\w-]{8,128}$",
        message: "An API key is letters and digits",
        example: "0000000000000000000000000000000000example0key000",
      }),
      apiToken: password({
        label: "API token",
        help: "Beside the API key.",
        helpUrl: settings,
        pattern: "^[\\w-]{8,128}$",
        message: "An API token is letters and digits",
        example: "00000000000000000000000000000000example0token000",
      }),
    },
  },
  {
    id: "sending",
    title: "Texts and calls",
    fields: {
      exoPhone: text({
        label: "ExoPhone",
        required: false,
        placeholder: "08047112233",
        help: "Your virtual number: the caller of calls, and the sender of texts without a sender ID.",
        helpUrl: "https://my.exotel.com/numbers",
        pattern: "^(\\+[1-9]\\d{6,14}|0\\d{6,13})$",
        message: "As Exotel lists it, with a 0 or + first: 08047112233",
        example: "08047112233",
      }),
      senderId: text({
        label: "Sender ID",
        required: false,
        placeholder: "RIVRSD",
        help: "The header under which texts go out; in India it must be registered for DLT.",
        pattern: "^[A-Za-z0-9-]{3,11}$",
        message: "A sender ID is 3 to 11 letters and digits",
        example: "RIVRSD",
      }),
      dltEntityId: text({
        label: "DLT entity ID",
        required: false,
        help: "Without it Indian operators block every text. It is on the portal where you registered for DLT.",
        pattern: "^\\d{8,25}$",
        message: "A DLT entity ID is digits only",
        example: "1101456789012345678",
      }),
      dltTemplateId: text({
        label: "DLT template ID",
        required: false,
        help: "Of the template that texts follow, where one message names none itself.",
        pattern: "^\\d{8,25}$",
        message: "A DLT template ID is digits only",
        example: "1107161234567890123",
      }),
      flowId: text({
        label: "Flow",
        required: false,
        help: "The number of the flow that calls play, in App Bazaar, where one call names none itself.",
        helpUrl: "https://my.exotel.com/apps",
        pattern: "^\\d{1,12}$",
        message: "A flow's ID is digits only",
        example: "926",
      }),
      callbackUrl: url({
        label: "This integration's webhook address",
        required: false,
        secret: true,
        help: "Save first, then copy the webhook address from the integration's page to here: every text and call then reports to it.",
        message: "Paste the webhook address, which starts https://",
        example: "https://integrations.example.com/webhooks/exotel/0190a1b2?token=example-token",
      }),
    },
  },
] as const satisfies readonly Step[];

const Exception = z.object({
  RestException: z.object({
    Status: z.union([z.number(), z.string()]).optional(),
    Code: z.union([z.number(), z.string()]).optional(),
    Message: z.string().optional(),
  }),
});
function failure({ status, body }: FailedReply): Failure | undefined {
  const said = Exception.safeParse(body).data?.RestException;
  const words = typeof body === "string" ? body : said?.Message;
  // A text that is not there is no failure to Exotel.
  if (status === 200 && /^no matching results/i.test(words ?? "")) return { cause: "not_found" };
  const code = said?.Code === undefined ? {} : { code: String(said.Code) };
  if (status === 402)
    return { ...code, cause: "forbidden", message: "Exotel's plan or credit does not allow it" };
  if (String(said?.Code) === "40405") return { ...code, cause: "rate_limited" };
  // Some things that are not there are answered with 400, and 404 in the body.
  if (status === 400 && String(said?.Status) === "404") return { ...code, cause: "not_found" };
  return said && code;
}

const Message = z.object({
  SMSMessage: z.object({
    Sid: z.string(),
    Status: z.string(),
    From: z.string().nullish(),
    To: z.string().nullish(),
    DetailedStatus: z.string().nullish(),
    DetailedStatusCode: Amount,
    DateSent: z.string().nullish(),
    Price: Amount,
  }),
});

const root = "/v1/Accounts/riverside1";
const smsId = "0b6c6a98f32682862ce6edf1bdab3526";
const exampleSms = {
  Sid: smsId,
  AccountSid: "riverside1",
  From: "RIVRSD",
  To: "+919876543210",
  Body: "Your appointment is confirmed!",
  Status: "queued",
  DateCreated: "2026-11-23 17:30:00",
  DateUpdated: "2026-11-23 17:30:00",
  DateSent: null,
  Price: null,
  Uri: `${root}/SMS/Messages/${smsId}`,
};

export const vendor = defineVendor({
  name: "Exotel",
  category: "communication",
  description:
    "Text messages and calls in India and South-East Asia: reminders with DLT registration, calls between clinic and patient, and flows.",
  website: "https://exotel.com",
  documentation: "https://developer.exotel.com/docs",
  keywords: ["sms", "text", "voice", "call", "reminder", "india", "dlt", "ivr", "phone"],
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://{subdomain}", hosts: ["api.exotel.com", "api.in.exotel.com"] },
    production: { baseUrl: "https://{subdomain}", hosts: ["api.exotel.com", "api.in.exotel.com"] },
  },
  steps,
  auth: ({ apiKey, apiToken }) => ({ kind: "basic", user: apiKey, password: apiToken }),
  failure,
  async test(api, { accountSid, subdomain }) {
    // Exotel's own example of authentication; the account is in the path, so that it must be the key's.
    const reply = z.object({ Metadata: z.object({}), Calls: z.array(z.unknown()) });
    await api.get(`${account}/Calls.json`, reply, { query: { PageSize: 1 } });
    const region = subdomain === "api.in.exotel.com" ? "Mumbai" : "Singapore";
    return {
      account: `${accountSid} (${region})`,
      checked: ["key and token accepted", "account found in this region", "calls can be read"],
    };
  },
  operations: {
    sendSMS: operation({
      title: "Send a text message",
      description:
        "Sends from `from`, else from the configured sender ID or ExoPhone. In India the text must follow a registered template.",
      effect: "write",
      capability: "sms.send",
      params: z.object({
        to: Phone,
        body: z.string().min(1).max(2000),
        from: z.string().min(3).max(16).optional(),
        dltEntityId: z.string().max(40).optional(),
        dltTemplateId: z.string().max(40).optional(),
        type: z.enum(["transactional", "transactional_opt_in", "promotional"]).optional(),
        /** Comes back in the callbacks. */
        reference: z.string().max(128).optional(),
        /** Exotel posts what becomes of the text to it; else to the configured webhook address. */
        statusCallback: Https.optional(),
      }),
      result: z.object({ id: z.string(), status: z.string() }),
      example: {
        params: { to: "+919876543210", body: "Your appointment is confirmed!" },
        wire: [{ request: `POST ${root}/Sms/send.json`, reply: { SMSMessage: exampleSms } }],
        result: { id: smsId, status: "queued" },
      },
      async run(api, params, values: ExotelValues) {
        const from = params.from ?? values.senderId ?? values.exoPhone;
        if (!from)
          throw notConfigured("Give `from`, or set a sender in the integration's configuration");
        const { SMSMessage: sms } = await api.post(`${account}/Sms/send.json`, Message, {
          form: {
            From: from,
            To: params.to,
            Body: params.body,
            EncodingType: /[^ -~\r\n]/.test(params.body) ? "unicode" : "plain",
            DltEntityId: params.dltEntityId ?? values.dltEntityId,
            DltTemplateId: params.dltTemplateId ?? values.dltTemplateId,
            SmsType: params.type,
            CustomField: params.reference,
            StatusCallback: params.statusCallback ?? values.callbackUrl,
          },
        });
        return { id: sms.Sid, status: sms.Status };
      },
    }),
    getSMS: operation({
      title: "Read what became of a text message",
      effect: "read",
      capability: "sms.status",
      params: z.object({ id: Sid }),
      result: z.object({
        id: z.string(),
        /** queued, sent, delivered or failed. */
        status: z.string(),
        to: z.string().optional(),
        from: z.string().optional(),
        /** As Exotel names it: FAILED_DND, FAILED_DLT_TEMPLATE. */
        error: z.string().optional(),
        /** As Exotel writes it, 2026-11-23 17:30:00, in the account's own time zone. */
        sentAt: z.string().optional(),
        price: z.number().optional(),
      }),
      example: {
        params: { id: smsId },
        wire: [
          {
            request: `GET ${root}/SMS/Messages/${smsId}.json`,
            reply: {
              SMSMessage: {
                ...exampleSms,
                Status: "sent",
                DetailedStatusCode: 20_005,
                DetailedStatus: "DELIVERED_TO_HANDSET",
                DateSent: "2026-11-23 17:30:02",
                Price: 0.18,
              },
            },
          },
        ],
        result: {
          id: smsId,
          status: "delivered",
          to: "+919876543210",
          from: "RIVRSD",
          sentAt: "2026-11-23 17:30:02",
          price: 0.18,
        },
      },
      async run(api, { id }) {
        const path = { id };
        const { SMSMessage: sms } = await api.get(`${account}/SMS/Messages/{id}.json`, Message, {
          path,
        });
        const status = messageState(sms.Status, sms.DetailedStatus ?? "");
        return {
          id: sms.Sid,
          status,
          to: sms.To || undefined,
          from: sms.From || undefined,
          error: status === "failed" ? sms.DetailedStatus || sms.Status : undefined,
          sentAt: sms.DateSent || undefined,
          price: amount(sms.Price),
        };
      },
    }),
    ...exotelCalls,
    lookupNumber: operation({
      title: "Look up an Indian phone number",
      description: "Its kind, operator and circle, and whether it refuses advertising (DND).",
      effect: "read",
      params: z.object({
        number: z.string().regex(/^\+91\d{10}$/, "An Indian number: +91 and ten digits"),
      }),
      result: z.object({
        number: z.string(),
        type: z.string().optional(),
        operator: z.string().optional(),
        circle: z.string().optional(),
        /** Absent where Exotel cannot say. */
        doNotDisturb: z.boolean().optional(),
      }),
      example: {
        params: { number: "+919876543210" },
        wire: [
          {
            request: `GET ${root}/Numbers/09876543210.json`,
            reply: {
              Numbers: {
                PhoneNumber: "09876543210",
                Circle: "GJ",
                CircleName: "Gujarat Telecom Circle",
                Type: "Mobile",
                Operator: "A",
                OperatorName: "Airtel",
                DND: "Yes",
              },
            },
          },
        ],
        result: {
          number: "+919876543210",
          type: "Mobile",
          operator: "Airtel",
          circle: "Gujarat Telecom Circle",
          doNotDisturb: true,
        },
      },
      async run(api, { number }) {
        const reply = z.object({
          Numbers: z.object({
            Type: z.string().nullish(),
            OperatorName: z.string().nullish(),
            CircleName: z.string().nullish(),
            DND: z.string().nullish(),
          }),
        });
        const path = { number: number.replace(/^\+91/, "0") };
        const { Numbers: found } = await api.get(`${account}/Numbers/{number}.json`, reply, {
          path,
        });
        return {
          number,
          type: found.Type || undefined,
          operator: found.OperatorName || undefined,
          circle: found.CircleName || undefined,
          doNotDisturb: found.DND === "Yes" ? true : found.DND === "No" ? false : undefined,
        };
      },
    }),
    listNumbers: operation({
      title: "List the account's ExoPhones",
      effect: "read",
      params: z.object({
        limit: z.number().int().min(1).max(100).default(50),
        cursor: z
          .string()
          .regex(/^\d{1,6}$/)
          .optional(),
      }),
      result: z.object({
        numbers: z.array(
          z.object({
            number: z.string(),
            name: z.string().optional(),
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
            request: "GET /v2_beta/Accounts/riverside1/IncomingPhoneNumbers?Page=0&PageSize=50",
            reply: {
              page: 0,
              page_size: 50,
              next_page_uri: null,
              previous_page_uri: null,
              incoming_phone_numbers: [
                {
                  sid: "08047112233",
                  phone_number: "+918047112233",
                  friendly_name: "Front desk",
                  number_type: "Landline",
                  capabilities: { voice: true, sms: false },
                  country: "IN",
                  region: "KA",
                },
              ],
            },
          },
        ],
        result: {
          numbers: [
            {
              number: "+918047112233",
              name: "Front desk",
              type: "Landline",
              sms: false,
              voice: true,
            },
          ],
        },
      },
      async run(api, { limit, cursor = "0" }) {
        const reply = z.object({
          next_page_uri: z.string().nullish(),
          incoming_phone_numbers: z.array(
            z.object({
              phone_number: z.string(),
              friendly_name: z.string().nullish(),
              number_type: z.string().nullish(),
              capabilities: z
                .object({ voice: z.boolean().optional(), sms: z.boolean().optional() })
                .nullish()
                .catch(undefined),
            }),
          ),
        });
        const page = await api.get("/v2_beta/Accounts/{accountSid}/IncomingPhoneNumbers", reply, {
          query: { Page: cursor, PageSize: limit },
        });
        const { next_page_uri: uri, incoming_phone_numbers: numbers } = page;
        // Exotel's own example names no next page at all.
        const more = uri === undefined ? numbers.length >= limit : uri;
        return {
          numbers: numbers.map((found) => ({
            number: found.phone_number,
            name: found.friendly_name || undefined,
            type: found.number_type || undefined,
            sms: found.capabilities?.sms,
            voice: found.capabilities?.voice,
          })),
          ...(more && { next: String(Number(cursor) + 1) }),
        };
      },
    }),
    getBalance: operation({
      title: "Read the account's balance",
      effect: "read",
      params: z.object({}),
      result: z.object({
        balance: z.number(),
        currency: z.string(),
        plan: z.string().optional(),
      }),
      example: {
        params: {},
        wire: [
          {
            request: `GET ${root}/Balance.json`,
            reply: {
              Account: {
                AccountSid: "riverside1",
                BalanceData: {
                  Balance: "1543.75",
                  Currency: "INR",
                  PricingPlan: "Pay As You Go",
                  DateUpdated: "2026-11-23 17:30:00",
                },
              },
            },
          },
        ],
        result: { balance: 1543.75, currency: "INR", plan: "Pay As You Go" },
      },
      async run(api) {
        const reply = z.object({
          Account: z.object({
            BalanceData: z.object({
              Balance: z.union([z.number(), z.string().regex(/^-?\d+(\.\d+)?$/)]).transform(Number),
              Currency: z.string(),
              PricingPlan: z.string().nullish(),
            }),
          }),
        });
        const { Account: found } = await api.get(`${account}/Balance.json`, reply);
        const { Balance: balance, Currency: currency, PricingPlan } = found.BalanceData;
        return { balance, currency, plan: PricingPlan || undefined };
      },
    }),
  },
  webhooks: {
    verify: exotelVerifier,
    events: readExotelEvents,
    types: exotelEventTypes,
    failures: ["call.failed", "call.busy", "call.no-answer", "message.failed"],
    setup: [
      "Copy {url}, of which the token must stay secret, into the field “This integration's webhook address”: texts and calls sent from here then report to it.",
      "For texts and calls that start elsewhere, enter it in the Exotel dashboard under Settings, Webhooks, and for incoming texts under Settings, SMS settings.",
      "Exotel signs nothing: what an event says is read back from the API before it is believed.",
    ],
    confirm: confirmExotel,
  },
  rateLimit: { requests: 200, perSeconds: 60 },
  links: [
    { title: "Dashboard", url: "https://my.exotel.com/" },
    { title: "Status", url: "https://status.exotel.com/" },
    { title: "DLT", url: "https://developer.exotel.com/docs/sms-support/dlt-registration" },
  ],
});

import * as z from "zod";

import { Phone } from "./capabilities.ts";
import { operation } from "./define.ts";
import { notConfigured } from "./failure.ts";

export const account = "/v1/Accounts/{accountSid}";

export type ExotelValues = {
  accountSid: string;
  exoPhone?: string | undefined;
  senderId?: string | undefined;
  dltEntityId?: string | undefined;
  dltTemplateId?: string | undefined;
  flowId?: string | undefined;
  callbackUrl?: string | undefined;
};

export const Sid = z.string().regex(/^[\w-]{1,100}$/, "An id of Exotel's is letters and digits");
export const Https = z.url({ protocol: /^https$/ }).max(1000);
/** `null`, "" or a number, some of them as text. */
export const Amount = z.union([z.number(), z.string()]).nullish();
export function amount(value: z.output<typeof Amount>): number | undefined {
  if (value === null || value === undefined || value === "") return undefined;
  const found = Number(value);
  return Number.isNaN(found) ? undefined : found;
}

const Call = z.object({
  Sid: z.string(),
  Status: z.string(),
  From: z.string().nullish(),
  To: z.string().nullish(),
  PhoneNumberSid: z.string().nullish(),
  Direction: z.string().nullish(),
  StartTime: z.string().nullish(),
  EndTime: z.string().nullish(),
  Duration: Amount,
  Price: Amount,
  RecordingUrl: z.string().nullish(),
});
const OneCall = z.object({ Call });
const CallView = z.object({
  id: z.string(),
  status: z.string(),
  from: z.string().optional(),
  to: z.string().optional(),
  callerId: z.string().optional(),
  direction: z.string().optional(),
  /** As Exotel writes it, 2026-11-23 17:30:00, in the account's own time zone. */
  startedAt: z.string().optional(),
  endedAt: z.string().optional(),
  /** Exotel fills it in, and the price, some minutes after the end. */
  seconds: z.number().optional(),
  price: z.number().optional(),
  recordingUrl: z.string().optional(),
});
const callView = (call: z.output<typeof Call>): z.input<typeof CallView> => ({
  id: call.Sid,
  status: call.Status,
  from: call.From || undefined,
  to: call.To || undefined,
  callerId: call.PhoneNumberSid || undefined,
  direction: call.Direction || undefined,
  startedAt: call.StartTime || undefined,
  endedAt: call.EndTime || undefined,
  seconds: amount(call.Duration),
  price: amount(call.Price),
  recordingUrl: call.RecordingUrl || undefined,
});
const Moment = z
  .string()
  .regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/, "Write it so: 2026-11-01 00:00:00");
const Begun = z.object({ id: z.string(), status: z.string() });

const Manner = {
  callerId: z.string().min(5).max(16).optional(),
  record: z.boolean().default(false),
  maxSeconds: z.number().int().min(1).max(14_400).optional(),
  ringSeconds: z.number().int().min(5).max(300).optional(),
  /** Comes back in the callbacks, and is passed to the flow. */
  reference: z.string().max(128).optional(),
  /** Exotel posts what becomes of the call to it; else to the configured webhook address. */
  statusCallback: Https.optional(),
};
const AnyManner = z.object(Manner);

function mannerOf(params: z.output<typeof AnyManner>, values: ExotelValues) {
  const callerId = params.callerId ?? values.exoPhone;
  if (!callerId)
    throw notConfigured("Give `callerId`, or set an ExoPhone in the integration's configuration");
  const callback = params.statusCallback ?? values.callbackUrl;
  return {
    CallerId: callerId,
    CallType: "trans",
    TimeLimit: params.maxSeconds,
    TimeOut: params.ringSeconds,
    Record: params.record,
    CustomField: params.reference,
    ...(callback && {
      StatusCallback: callback,
      "StatusCallbackEvents[0]": "terminal",
      "StatusCallbackEvents[1]": "answered",
      StatusCallbackContentType: "application/json",
    }),
  };
}

const root = "/v1/Accounts/riverside1";
const callId = "80bfbec2d78bbbf10fb851f4fa165211";
const exampleCall = {
  Sid: callId,
  ParentCallSid: null,
  DateCreated: "2026-11-23 17:30:00",
  DateUpdated: "2026-11-23 17:30:03",
  AccountSid: "riverside1",
  To: "09876543211",
  From: "09876543210",
  PhoneNumberSid: "08047112233",
  Status: "in-progress",
  StartTime: "2026-11-23 17:30:03",
  EndTime: null,
  Duration: null,
  Price: null,
  Direction: "outbound-api",
  RecordingUrl: null,
};
const endedCall = {
  ...exampleCall,
  Status: "completed",
  EndTime: "2026-11-23 17:31:20",
  Duration: "17",
  Price: "1.500",
};
const endedView = {
  id: callId,
  status: "completed",
  from: "09876543210",
  to: "09876543211",
  callerId: "08047112233",
  direction: "outbound-api",
  startedAt: "2026-11-23 17:30:03",
  endedAt: "2026-11-23 17:31:20",
  seconds: 17,
  price: 1.5,
};

/** developer.exotel.com, Voice v1. */
export const exotelCalls = {
  connectCall: operation({
    title: "Connect two people by phone",
    description:
      "Exotel calls `from` first and, once they answer, `to`; both see the ExoPhone as the caller.",
    effect: "write",
    params: z.object({ from: Phone, to: Phone, ...Manner }),
    result: Begun,
    example: {
      params: { from: "+919876543210", to: "+919876543211" },
      wire: [{ request: `POST ${root}/Calls/connect.json`, reply: { Call: exampleCall } }],
      result: { id: callId, status: "in-progress" },
    },
    async run(api, { from, to, ...params }, values: ExotelValues) {
      const form = { From: from, To: to, ...mannerOf(params, values) };
      const { Call: call } = await api.post(`${account}/Calls/connect.json`, OneCall, { form });
      return { id: call.Sid, status: call.Status };
    },
  }),
  connectToFlow: operation({
    title: "Call somebody and play a flow",
    description:
      "What is said and asked is built as a flow in Exotel's App Bazaar: Exotel reads out no text that is sent along with a call.",
    effect: "write",
    params: z.object({
      to: Phone,
      flow: z
        .string()
        .regex(/^\d{1,12}$/)
        .optional(),
      ...Manner,
    }),
    result: Begun,
    example: {
      params: { to: "+919876543210", flow: "926" },
      wire: [{ request: `POST ${root}/Calls/connect.json`, reply: { Call: exampleCall } }],
      result: { id: callId, status: "in-progress" },
    },
    async run(api, { to, flow = "", ...params }, values: ExotelValues) {
      const chosen = flow || values.flowId;
      if (!chosen)
        throw notConfigured("Give `flow`, or set one in the integration's configuration");
      const form = {
        From: to,
        Url: `http://my.exotel.com/${values.accountSid}/exoml/start_voice/${chosen}`,
        ...mannerOf(params, values),
      };
      const { Call: call } = await api.post(`${account}/Calls/connect.json`, OneCall, { form });
      return { id: call.Sid, status: call.Status };
    },
  }),
  getCall: operation({
    title: "Read what became of a call",
    effect: "read",
    params: z.object({ id: Sid }),
    result: CallView,
    example: {
      params: { id: callId },
      wire: [{ request: `GET ${root}/Calls/${callId}.json`, reply: { Call: endedCall } }],
      result: endedView,
    },
    run: async (api, { id }) =>
      callView((await api.get(`${account}/Calls/{id}.json`, OneCall, { path: { id } })).Call),
  }),
  listCalls: operation({
    title: "List calls, newest first",
    description:
      "Exotel reads a month at a time at most, and six months back: `after` and `before` choose which.",
    effect: "read",
    params: z.object({
      status: z.enum(["completed", "failed", "busy", "no-answer"]).optional(),
      direction: z.enum(["inbound", "outbound-dial", "outbound-api"]).optional(),
      from: Phone.optional(),
      to: Phone.optional(),
      /** 2026-11-01 00:00:00, in the account's own time zone. */
      after: Moment.optional(),
      before: Moment.optional(),
      limit: z.number().int().min(1).max(100).default(50),
      cursor: z.string().max(500).optional(),
    }),
    result: z.object({ calls: z.array(CallView), next: z.string().optional() }),
    example: {
      params: { status: "completed", limit: 1 },
      wire: [
        {
          request: `GET ${root}/Calls.json?Status=completed&PageSize=1`,
          reply: {
            Metadata: {
              Total: 2,
              PageSize: 1,
              FirstPageUri: `${root}/Calls.json?Status=completed&PageSize=1`,
              PrevPageUri: null,
              NextPageUri: `${root}/Calls.json?Status=completed&PageSize=1&After=MTIzNDU2`,
            },
            Calls: [endedCall],
          },
        },
      ],
      result: { calls: [endedView], next: "MTIzNDU2" },
    },
    async run(api, { status, direction, from, to, after, before, limit, cursor }) {
      const range = [after && `gte:${after}`, before && `lte:${before}`].filter(Boolean).join(";");
      const reply = z.object({
        Metadata: z.object({ NextPageUri: z.string().nullish() }),
        Calls: z.array(Call),
      });
      const page = await api.get(`${account}/Calls.json`, reply, {
        query: {
          Status: status,
          Direction: direction,
          From: from,
          To: to,
          DateCreated: range || undefined,
          PageSize: limit,
          After: cursor,
        },
      });
      const { NextPageUri: uri } = page.Metadata;
      const next = URL.parse(uri ?? "", "https://api.exotel.com")?.searchParams.get("After");
      return { calls: page.Calls.map(callView), ...(next && { next }) };
    },
  }),
};

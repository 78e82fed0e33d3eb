import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";

import {
  basicCredentials,
  defineSimulation,
  idSequence,
  isSame,
  unixNow,
  type WebhookOptions,
} from "./define.ts";

const credentials = {
  subdomain: "api.in.exotel.com",
  accountSid: "riverside1",
  apiKey: "0000000000000000000000000000000000000example0key000",
  apiToken: "00000000000000000000000000000000000example0token000",
  exoPhone: "08047112233",
  senderId: "RIVRSD",
  dltEntityId: "1101456789012345678",
  dltTemplateId: "1107161234567890123",
  flowId: "926",
  callbackUrl: "https://integrations.example.com/webhooks/exotel/0190a1b2?token=example-token",
};

/** Calls and texts in each of their states. */
export const exotelSeeded = {
  ringing: "10000000000000000000000000000001",
  ongoing: "10000000000000000000000000000002",
  completed: "80bfbec2d78bbbf10fb851f4fa165211",
  failed: "10000000000000000000000000000004",
  busy: "10000000000000000000000000000005",
  unanswered: "10000000000000000000000000000006",
  queuedSms: "20000000000000000000000000000001",
  sentSms: "20000000000000000000000000000002",
  deliveredSms: "0b6c6a98f32682862ce6edf1bdab3526",
  failedSms: "20000000000000000000000000000004",
  receivedSms: "20000000000000000000000000000005",
};

type Row = Record<string, unknown> & { Sid: string; Status: string };

const refusal = (status: number, message: string, code?: number) =>
  Response.json(
    {
      RestException: {
        Status: status,
        Message: message,
        ...(code !== undefined && { Code: code }),
      },
    },
    { status },
  );
function refuse(status: number, message: string, code?: number): never {
  throw new HTTPException(status as 400, { res: refusal(status, message, code) });
}

/** YYYY-MM-DD HH:mm:ss in India. */
const indianTime = (seconds = unixNow()) =>
  new Date((seconds + 5.5 * 3600) * 1000).toISOString().slice(0, 19).replace("T", " ");

export const simulation = defineSimulation(() => {
  const ids = idSequence("exotel");
  const calls = new Map<string, Row>();
  const messages = new Map<string, Row>();

  function addCall(fields: Partial<Row> & Pick<Row, "Sid" | "Status">) {
    const call: Row = {
      ParentCallSid: null,
      DateCreated: indianTime(),
      DateUpdated: indianTime(),
      AccountSid: credentials.accountSid,
      To: "09876543211",
      From: "09876543210",
      PhoneNumberSid: credentials.exoPhone,
      StartTime: indianTime(),
      EndTime: null,
      Duration: null,
      Price: null,
      Direction: "outbound-api",
      AnsweredBy: null,
      RecordingUrl: null,
      Uri: `/v1/Accounts/${credentials.accountSid}/Calls.json/${fields.Sid}`,
      ...fields,
    };
    calls.set(call.Sid, call);
    return call;
  }
  function addMessage(fields: Partial<Row> & Pick<Row, "Sid" | "Status">) {
    const message: Row = {
      AccountSid: credentials.accountSid,
      From: credentials.senderId,
      To: "+919876543210",
      Body: "Your appointment is confirmed!",
      DateCreated: indianTime(),
      DateUpdated: indianTime(),
      DateSent: null,
      Price: null,
      Uri: `/v1/Accounts/${credentials.accountSid}/SMS/Messages/${fields.Sid}`,
      ...fields,
    };
    messages.set(message.Sid, message);
    return message;
  }
  const says = (DetailedStatusCode: number, DetailedStatus: string) => ({
    DetailedStatusCode,
    DetailedStatus,
  });
  function seed() {
    for (const each of [calls, messages]) each.clear();
    ids.reset();
    const { ringing, ongoing, completed, failed, busy, unanswered, ...sms } = exotelSeeded;
    addCall({ Sid: ringing, Status: "ringing" });
    addCall({ Sid: ongoing, Status: "in-progress" });
    addCall({ Sid: failed, Status: "failed", EndTime: indianTime() });
    addCall({ Sid: busy, Status: "busy", EndTime: indianTime() });
    addCall({ Sid: unanswered, Status: "no-answer", EndTime: indianTime() });
    const ended = { EndTime: indianTime(), Duration: "17", Price: "1.500" };
    const RecordingUrl = "https://recordings.example/80bfbec2.mp3";
    addCall({ Sid: completed, Status: "completed", RecordingUrl, ...ended });
    addMessage({ Sid: sms.queuedSms, Status: "queued" });
    addMessage({ Sid: sms.sentSms, Status: "submitted", ...says(21_020, "submitted") });
    const sent = { DateSent: indianTime(), Price: 0.18 };
    const delivered = says(20_005, "DELIVERED_TO_HANDSET");
    addMessage({ Sid: sms.deliveredSms, Status: "sent", ...delivered, ...sent });
    addMessage({ Sid: sms.failedSms, Status: "failed", ...says(23_005, "FAILED_DND") });
    const from = { From: "+919876543210", To: credentials.exoPhone, Body: "YES" };
    addMessage({ Sid: sms.receivedSms, Status: "received", Direction: "inbound", ...from });
  }
  seed();

  const app = new Hono();
  app.notFound(() => refusal(404, "Resource not found"));
  app.use("*", async (c, next) => {
    const given = basicCredentials(c.req.raw);
    const region = new URL(c.req.url).host;
    if (
      !given ||
      !isSame(credentials.apiKey, given.user) ||
      !isSame(credentials.apiToken, given.password) ||
      region !== credentials.subdomain
    )
      return refusal(401, "Authentication failed. Invalid API Key or Token.", 20_003);
    const [, , , sid] = new URL(c.req.url).pathname.split("/");
    if (sid !== credentials.accountSid) return refusal(404, "Account not found");
    return next();
  });
  const form = async (request: Request) => {
    const type = request.headers.get("content-type")?.split(";")[0];
    if (type !== "application/x-www-form-urlencoded") return refuse(400, "Send a form", 34_001);
    return new URLSearchParams(await request.text());
  };
  const isNumber = (number: string | null) =>
    number !== null && /^(\+[1-9]\d{6,14}|0\d{6,13})$/.test(number);
  const account = app.basePath("/v1/Accounts/:account");

  account.post("/Calls/connect.json", async (c) => {
    const sent = await form(c.req.raw);
    const [from, to, flow] = [sent.get("From"), sent.get("To"), sent.get("Url")];
    if (!isNumber(from)) return refusal(400, "From is missing or invalid", 34_001);
    if ((to === null) === (flow === null)) return refusal(400, "Give To or Url", 34_001);
    if (to !== null && !isNumber(to)) return refusal(400, "To is invalid", 34_001);
    if (sent.get("CallerId") !== credentials.exoPhone)
      return refusal(400, "CallerId is not an ExoPhone of this account", 34_001);
    const start = `http://my.exotel.com/${credentials.accountSid}/exoml/start_voice/`;
    if (flow !== null && !(flow.startsWith(start) && /^\d+$/.test(flow.slice(start.length))))
      return refusal(400, "Url is not a flow of this account", 34_001);
    const limit = Number(sent.get("TimeLimit") ?? 1);
    if (!(limit >= 1 && limit <= 14_400)) return refusal(400, "TimeLimit is invalid", 34_001);
    const events = [...sent].filter(([name]) => name.startsWith("StatusCallbackEvents"));
    if (events.some(([, event]) => !["terminal", "answered"].includes(event)))
      return refusal(400, "StatusCallbackEvents is invalid", 34_001);
    const call = { Sid: ids.hex("", 32), Status: "in-progress", From: from };
    return c.json({ Call: addCall({ ...call, To: to ?? credentials.exoPhone }) });
  });
  account.get("/Calls/:file", (c) => {
    const found = calls.get(c.req.param("file").replace(/\.json$/, ""));
    return found ? c.json({ Call: found }) : refusal(404, "No matching results");
  });
  account.get("/Calls.json", (c) => {
    const size = Number(c.req.query("PageSize") ?? 50);
    if (!(size >= 1 && size <= 100)) return refusal(400, "PageSize is invalid", 34_001);
    const range = c.req.query("DateCreated");
    if (range && !/^(gte|lte):[\d :-]{19}(;(gte|lte):[\d :-]{19})?$/.test(range))
      return refusal(400, "DateCreated is invalid", 34_001);
    const found = [...calls.values()]
      .filter((call) =>
        ["Status", "Direction"].every((name) =>
          [undefined, call[name]].includes(c.req.query(name)),
        ),
      )
      .toReversed();
    const after = c.req.query("After");
    const from = after ? found.findIndex(({ Sid }) => Sid === after) + 1 : 0;
    const page = found.slice(from, from + size);
    const next = new URLSearchParams(c.req.query());
    next.set("After", page.at(-1)?.Sid ?? "");
    const uri = `/v1/Accounts/${credentials.accountSid}/Calls.json?`;
    return c.json({
      Metadata: {
        Total: found.length,
        PageSize: size,
        FirstPageUri: uri,
        PrevPageUri: null,
        NextPageUri: from + size < found.length ? uri + next.toString() : null,
      },
      Calls: page,
    });
  });

  account.post("/Sms/send.json", async (c) => {
    const sent = await form(c.req.raw);
    const [to, body] = [sent.get("To"), sent.get("Body") ?? ""];
    if (!isNumber(to)) return refusal(400, "To is missing or invalid");
    if (!body || body.length > 2000) return refusal(400, "Body is missing or too long");
    const from = sent.get("From");
    if (from !== credentials.senderId && from !== credentials.exoPhone)
      return refusal(400, "From is not an approved sender");
    const plain = (sent.get("EncodingType") ?? "plain") === "plain";
    if (plain && /[^ -~\r\n]/.test(body)) return refusal(400, "Body is not plain");
    const message = { Sid: ids.hex("", 32), Status: "queued", From: from, To: to, Body: body };
    const row = addMessage(message);
    const answer = c.json({ SMSMessage: { ...row } });
    // What the operator says of it next: in India nothing passes that is not registered.
    const registered = sent.has("DltEntityId") || !to?.startsWith("+91");
    Object.assign(
      row,
      registered
        ? { Status: "sent", ...says(20_005, "DELIVERED_TO_HANDSET"), DateSent: indianTime() }
        : { Status: "failed", ...says(23_081, "FAILED_DLT_ENTITY") },
    );
    return answer;
  });
  account.get("/SMS/Messages/:file", (c) => {
    const found = messages.get(c.req.param("file").replace(/\.json$/, ""));
    return found ? c.json({ SMSMessage: found }) : refusal(200, "No matching results");
  });

  account.get("/Numbers/:file", (c) => {
    const number = c.req.param("file").replace(/\.json$/, "");
    if (!/^0\d{10}$/.test(number)) return refusal(400, "Not an Indian number");
    return c.json({
      Numbers: {
        PhoneNumber: number,
        Circle: "GJ",
        CircleName: "Gujarat Telecom Circle",
        Type: number.startsWith("079") ? "Landline" : "Mobile",
        Operator: "A",
        OperatorName: "Airtel",
        DND: number.endsWith("0") ? "Yes" : number.endsWith("1") ? "No" : "Unavailable",
      },
    });
  });
  account.get("/Balance.json", (c) =>
    c.json({
      Account: {
        AccountSid: credentials.accountSid,
        BalanceData: {
          Balance: "1543.75",
          Currency: "INR",
          PricingPlan: "Pay As You Go",
          DateUpdated: indianTime(),
        },
      },
    }),
  );
  app.get("/v2_beta/Accounts/:account/IncomingPhoneNumbers", (c) => {
    const [page, size] = [Number(c.req.query("Page")), Number(c.req.query("PageSize") ?? 50)];
    const owned = ["Front desk", "Night line"].map((friendly_name, i) => ({
      sid: `0804711223${3 + i}`,
      phone_number: `+91804711223${3 + i}`,
      friendly_name,
      number_type: "Landline",
      capabilities: { voice: true, sms: false },
      country: "IN",
      region: "KA",
    }));
    const more = (page + 1) * size < owned.length;
    const uri = `http://twilix.exotel.com${c.req.path}?Page=${page + 1}&PageSize=${size}`;
    return c.json({
      page,
      page_size: size,
      next_page_uri: more ? uri : null,
      previous_page_uri: null,
      incoming_phone_numbers: owned.slice(page * size, (page + 1) * size),
    });
  });

  const told: Readonly<Record<string, object>> = {
    "call.answered": {
      CallSid: exotelSeeded.ongoing,
      EventType: "answered",
      Status: "in-progress",
    },
    "call.completed": { CallSid: exotelSeeded.completed, Status: "completed" },
    "call.failed": { CallSid: exotelSeeded.failed, Status: "failed" },
    "call.busy": { CallSid: exotelSeeded.busy, Status: "busy" },
    "call.no-answer": { CallSid: exotelSeeded.unanswered, Status: "no-answer" },
    "call.reported": { CallSid: exotelSeeded.ongoing, CallType: "call-attempt" },
    "message.sent": {
      SmsSid: exotelSeeded.sentSms,
      Status: "submitted",
      DetailedStatus: "submitted",
    },
    "message.delivered": {
      SmsSid: exotelSeeded.deliveredSms,
      Status: "sent",
      DetailedStatus: "DELIVERED_TO_HANDSET",
      DetailedStatusCode: 20_005,
    },
    "message.failed": {
      SmsSid: exotelSeeded.failedSms,
      Status: "failed",
      DetailedStatus: "FAILED_DND",
      DetailedStatusCode: 23_005,
    },
    "message.received": { SmsSid: exotelSeeded.receivedSms, Body: "YES" },
  };
  /** Exotel signs nothing. Of calls it posts JSON where that was asked for; of texts a form. */
  async function webhook({ url, type = "call.completed", body: more, now }: WebhookOptions) {
    const { Status, ...rest } = told[type] as { Status?: string };
    const event: Record<string, unknown> = {
      AccountSid: credentials.accountSid,
      DateUpdated: indianTime(now),
      From: "09876543210",
      To: "09876543211",
      ...(Status !== undefined && { Status }),
      ...rest,
      ...(more as object | undefined),
    };
    if ("CallSid" in event) {
      const Legs = [{ OnCallDuration: 41, Status: "completed", AnsweredBy: "NA" }];
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ EventType: "terminal", Legs, ...event });
      return new Request(url, { method: "POST", headers, body });
    }
    const fields = Object.entries(event).map(([name, value]) => [name, String(value)]);
    return new Request(url, { method: "POST", body: new URLSearchParams(fields) });
  }

  return {
    hosts: ["api.exotel.com", "api.in.exotel.com"],
    app,
    credentials,
    webhook,
    faults: {
      rate_limited: () => refusal(429, "Too many requests"),
      server_error: () => refusal(500, "Internal server error"),
      maintenance: () => refusal(503, "Service unavailable"),
      expired_credentials: () =>
        refusal(401, "Authentication failed. Invalid API Key or Token.", 20_003),
      forbidden: () => refusal(403, "Account suspended"),
    },
    reset: seed,
  };
});

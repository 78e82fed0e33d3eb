import { createHmac } from "node:crypto";

import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";

import {
  basicCredentials,
  defineSimulation,
  idSequence,
  isSame,
  retryAfter,
  type WebhookOptions,
} from "./define.ts";

const credentials = {
  authId: "MAXXXXXXXXXXXXXXXXXX",
  authToken: "ExampleExampleExampleExampleExampleExamp",
  fromNumber: "+14155550100",
  answerUrl: "https://integrations.example.com/webhooks/plivo/0190a1b2",
};
const number = "14155550100";
/** The code that every verification sends: a simulated patient knows it. */
export const plivoCode = "123456";

const seeded = {
  message: "5b40a428-bfc7-4daf-9d06-726c558bf3b8",
  call: "9834029e-58b6-11e1-b8b7-a5bd0e4e126f",
  session: "4124e518-a8c9-4feb-8cff-d86636ba9234",
};

type Message = Record<string, unknown> & { message_uuid: string; message_state: string };
type Call = { from: string; to: string; ended: boolean };
type Session = { recipient: string; checks: number };

/** Plivo writes times in the account's zone: `2026-11-23 17:30:01+05:30`. */
const written = () => `${new Date().toISOString().slice(0, 19).replace("T", " ")}+00:00`;

/** Address, sorted query and sorted fields, as Plivo's own SDKs put them together for V3. */
export function signPlivo(url: string, form: Readonly<Record<string, string>>, token: string) {
  const { searchParams } = new URL(url);
  const query = [...searchParams].map((pair) => pair.join("=")).toSorted();
  const fields = Object.keys(form)
    .toSorted()
    .map((name) => `${name}${form[name]}`);
  const text = fields.length
    ? `${url.split("?")[0]}?${query.join("&")}${query.length ? "." : ""}${fields.join("")}`
    : url.split("?")[0] + (query.length ? `?${query.join("&")}` : "");
  return (nonce: string) => createHmac("sha256", token).update(`${text}.${nonce}`).digest("base64");
}

export const simulation = defineSimulation(() => {
  const ids = idSequence("plivo");
  const app = new Hono();
  const root = `/v1/Account/${credentials.authId}`;
  const messages = new Map<string, Message>();
  const calls = new Map<string, Call>();
  const sessions = new Map<string, Session>();

  const reply = (status: number, body: object, headers = {}) =>
    Response.json({ api_id: ids.uuid(), ...body }, { status, headers });
  const failure = (status: number, error: string, headers = {}) =>
    reply(status, { error }, headers);
  function refuse(status: number, error: string): never {
    throw new HTTPException(status as 400, { res: failure(status, error) });
  }

  function addMessage(fields: Partial<Message> & Pick<Message, "message_uuid">) {
    const message: Message = {
      error_code: null,
      from_number: number,
      message_direction: "outbound",
      message_state: "queued",
      message_time: written(),
      message_type: "sms",
      resource_uri: `${root}/Message/${fields.message_uuid}/`,
      total_amount: "0.00550",
      total_rate: "0.00550",
      units: 1,
      ...fields,
    };
    messages.set(message.message_uuid, message);
  }
  function seed() {
    for (const each of [messages, calls, sessions]) each.clear();
    ids.reset();
    addMessage({ message_uuid: seeded.message, to_number: "15558675310" });
    calls.set(seeded.call, { from: number, to: "15558675310", ended: false });
    sessions.set(seeded.session, { recipient: "15558675310", checks: 0 });
  }
  seed();

  app.use("*", async (c, next) => {
    const given = basicCredentials(c.req.raw);
    if (!isSame(credentials.authId, given?.user) || !isSame(credentials.authToken, given?.password))
      return failure(401, "authentication failed");
    if (c.req.path.startsWith("/v1/Account/") && !c.req.path.startsWith(`${root}/`))
      return failure(404, "not found");
    if (
      c.req.method === "POST" &&
      c.req.header("content-type")?.split(";")[0] !== "application/json"
    )
      return failure(400, "content-type must be application/json");
    return next();
  });
  app.notFound(() => failure(404, "not found"));

  const isDialable = (value: unknown): value is string =>
    typeof value === "string" && /^\+?[1-9]\d{6,14}$/.test(value);
  const body = async (request: { json: () => Promise<unknown> }) =>
    (await request.json().catch(() => refuse(400, "invalid JSON"))) as Record<string, unknown>;
  function page(query: (name: string) => string | undefined, name: string, all: readonly object[]) {
    const limit = globalThis.Number(query("limit") ?? 20);
    const offset = globalThis.Number(query("offset") ?? 0);
    if (!(limit >= 1 && limit <= 20)) refuse(400, "limit must be between 1 and 20");
    const more = offset + limit < all.length;
    return reply(200, {
      meta: {
        limit,
        offset,
        next: more ? `${root}/${name}/?limit=${limit}&offset=${offset + limit}` : null,
        previous: null,
        total_count: all.length,
      },
      objects: all.slice(offset, offset + limit),
    });
  }

  // Plivo's own Node SDK asks with two slashes.
  app.on("GET", [`${root}/`, `${root}//`], () =>
    reply(200, {
      account_type: "standard",
      auth_id: credentials.authId,
      auto_recharge: false,
      billing_mode: "prepaid",
      cash_credits: "25.00000",
      name: "Simulated Clinic",
      resource_uri: `${root}/`,
      timezone: "Etc/UTC",
    }),
  );
  app.get(`${root}/Number/`, (c) =>
    page((name) => c.req.query(name), "Number", [
      {
        alias: "Front desk",
        number,
        number_type: "local",
        region: "California, UNITED STATES",
        sms_enabled: true,
        voice_enabled: true,
      },
    ]),
  );

  app.post(`${root}/Message/`, async (c) => {
    const {
      src,
      powerpack_uuid: powerpack,
      dst,
      text,
      type,
      media_urls: media,
    } = await body(c.req);
    if (Boolean(src) === Boolean(powerpack))
      return refuse(400, "exactly one of src and powerpack_uuid is required");
    if (typeof dst !== "string") return refuse(400, "dst is a mandatory parameter");
    const recipients = dst.split("<");
    if (!recipients.every(isDialable)) return refuse(400, "invalid dst");
    if (!text && !(type === "mms" && Array.isArray(media)))
      return refuse(400, "text is a mandatory parameter");
    if (src && src !== number) return refuse(400, `${String(src)} is not a number of this account`);
    const created = recipients.map((to_number) => {
      const message_uuid = ids.uuid();
      addMessage({ message_uuid, to_number, from_number: src ?? number });
      return message_uuid;
    });
    return reply(202, { message: "message(s) queued", message_uuid: created });
  });
  app.get(`${root}/Message/`, (c) => {
    const [direction, state] = [c.req.query("message_direction"), c.req.query("message_state")];
    const found = [...messages.values()].filter(
      (message) =>
        (direction ?? message["message_direction"]) === message["message_direction"] &&
        (state ?? message.message_state) === message.message_state,
    );
    return page((name) => c.req.query(name), "Message", found.toReversed());
  });
  /** Delivered by the time that anybody asks. */
  app.get(`${root}/Message/:id/`, (c) => {
    const found = messages.get(c.req.param("id"));
    if (!found) return refuse(404, "not found");
    if (found.message_state === "queued") found.message_state = "delivered";
    return reply(200, found);
  });

  app.post(`${root}/Call/`, async (c) => {
    const { from, to, answer_url: answerUrl } = await body(c.req);
    if (!isDialable(from)) return refuse(400, "from parameter not present or invalid");
    if (!isDialable(to)) return refuse(400, "to parameter not present or invalid");
    if (typeof answerUrl !== "string" || !URL.canParse(answerUrl))
      return refuse(400, "answer_url parameter not present or invalid");
    const id = ids.uuid();
    calls.set(id, { from, to, ended: false });
    return reply(201, { message: "call fired", request_uuid: id });
  });
  const call = (id: string, ended: boolean) => {
    const found = calls.get(id);
    return found?.ended === ended ? found : refuse(404, "not found");
  };
  // Plivo's own Node SDK leaves the slash out where it asks for a live call.
  app.on("GET", [`${root}/Call/:id/`, `${root}/Call/:id`], (c) => {
    const call_uuid = c.req.param("id") ?? "";
    if (c.req.query("status") === "live") {
      const { from, to } = call(call_uuid, false);
      const ids = { call_uuid, request_uuid: call_uuid };
      return reply(200, { ...ids, call_status: "in-progress", direction: "outbound", from, to });
    }
    if (c.req.query("status") === "queued") return refuse(404, "not found");
    const { from, to } = call(call_uuid, true);
    return reply(200, {
      call_uuid,
      call_direction: "outbound",
      call_duration: 12,
      call_state: "ANSWER",
      end_time: written(),
      from_number: from,
      hangup_cause_name: "Normal Hangup",
      initiation_time: written(),
      to_number: to,
    });
  });
  app.delete(`${root}/Call/:id/`, (c) => {
    call(c.req.param("id"), false).ended = true;
    return c.body(null, 204);
  });

  app.post(`${root}/Verify/Session/`, async (c) => {
    const { recipient, channel = "sms" } = await body(c.req);
    if (!isDialable(recipient)) return refuse(400, "recipient is invalid");
    if (channel !== "sms" && channel !== "voice") return refuse(400, "channel is invalid");
    const session_uuid = ids.uuid();
    sessions.set(session_uuid, { recipient, checks: 0 });
    return reply(202, { message: "Session initiated", session_uuid });
  });
  app.post(`${root}/Verify/Session/:id/`, async (c) => {
    const session = sessions.get(c.req.param("id"));
    if (!session) return refuse(404, "session not found");
    const { otp } = await body(c.req);
    session.checks += 1;
    if (otp !== plivoCode) return refuse(400, "incorrect otp");
    sessions.delete(c.req.param("id"));
    return reply(200, { message: "session validated successfully." });
  });

  app.get("/v1/Number/:number", (c) => {
    const e164 = `+${c.req.param("number").replace(/^\+/, "")}`;
    if (c.req.query("type") !== "carrier") return refuse(400, "type must be carrier");
    if (!isDialable(e164))
      return reply(404, { error_code: 404, message: "Phone number is invalid or does not exist." });
    const [, area, exchange, line] = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(e164) ?? [];
    return reply(200, {
      phone_number: e164,
      country: area ? { iso2: "US", iso3: "USA", name: "United States" } : null,
      format: { e164, national: area ? `(${area}) ${exchange}-${line}` : e164 },
      carrier: { name: "Simulated Wireless", type: "mobile", ported: "no" },
      resource_uri: `/v1/Number/${e164}?type=carrier`,
    });
  });

  function parameters(type: string): Record<string, string> {
    const [subject = "message", event = "delivered"] = type.split(".");
    if (subject === "call")
      return {
        CallStatus: event,
        CallUUID: ids.uuid(),
        Direction: "outbound",
        Event: event === "in-progress" ? "StartApp" : "Hangup",
        From: number,
        To: "14155550101",
      };
    const message = { MessageUUID: ids.uuid(), Type: "sms" };
    return event === "received"
      ? { ...message, From: "14155550101", Text: "Yes, I will come.", To: number }
      : { ...message, From: number, Sequence: "2", Status: event, To: "14155550101", Units: "1" };
  }
  async function webhook({ url, credentials: given, type, body: more }: WebhookOptions) {
    const form = {
      ...parameters(type ?? "message.delivered"),
      ...(more as Record<string, string> | undefined),
    };
    const nonce = ids.hex("", 20);
    return new Request(url, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "x-plivo-signature-v3": signPlivo(url, form, String(given["authToken"]))(nonce),
        "x-plivo-signature-v3-nonce": nonce,
      },
      body: new URLSearchParams(form).toString(),
    });
  }

  return {
    hosts: ["api.plivo.com", "lookup.plivo.com"],
    app,
    credentials,
    webhook,
    faults: {
      rate_limited: (fault) =>
        failure(429, "too many requests", fault.retryAfter === undefined ? {} : retryAfter(fault)),
      server_error: () => failure(500, "internal server error"),
      expired_credentials: () => failure(401, "authentication failed"),
      forbidden: () => failure(403, "the account may not do this"),
    },
    reset: seed,
  };
});

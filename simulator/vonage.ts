import { createHash } from "node:crypto";

import { Hono } from "hono";
import { SignJWT } from "jose";

import {
  defineSimulation,
  idSequence,
  retryAfter,
  unixNow,
  type WebhookOptions,
} from "./define.ts";
import {
  credentials,
  isNumber,
  jsonBody,
  problem,
  publicPem,
  refuse,
  requireAccount,
  requireApplication,
} from "./vonage/account.ts";
import { newVideo, seeded as video } from "./vonage/video.ts";

const number = "14155550100";
/** The code that every verification sends: a simulated patient knows it. */
export const vonageCode = "1234";

const seeded = {
  message: "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab",
  call: "63f61863-4a51-4f6b-86e1-46edebcf9356",
  request: "c11236f4-00bf-4b89-84ba-88b25df97315",
};

const application = {
  id: credentials.applicationId,
  name: "Simulated Clinic",
  capabilities: { messages: {}, voice: {}, verify: {}, video: {} },
  keys: { public_key: publicPem },
  privacy: { improve_ai: false },
};

type Sent = { to: string; from: string; received: string };
type Call = { uuid: string; status: string; to: unknown; from: unknown };

const invalid = (code: number, title: string): never => refuse(422, `/messages#${code}`, title);
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

export const simulation = defineSimulation(() => {
  const ids = idSequence("vonage");
  const messages = new Map<string, Sent>();
  const calls = new Map<string, Call>();
  const requests = new Map<string, { checks: number }>();
  const seed = () => {
    for (const each of [messages, calls, requests]) each.clear();
    const received = new Date().toISOString();
    messages.set(seeded.message, { to: "15558675310", from: number, received });
    const ends = { to: { type: "phone", number: "15558675310" }, from: { type: "phone", number } };
    calls.set(seeded.call, { uuid: seeded.call, status: "started", ...ends });
    requests.set(seeded.request, { checks: 0 });
  };
  seed();

  const notFound = () => problem(404, "#not-found", "Not found");
  const api = new Hono().notFound(notFound);
  const rest = new Hono().notFound(notFound);
  const insights = new Hono().notFound(notFound);
  const visits = newVideo(ids);

  api.get("/v2/applications/:id", (c) => {
    requireAccount(c.req.raw);
    return c.req.param("id") === application.id ? c.json(application) : notFound();
  });
  api.get("/v2/reports/records", (c) => {
    requireAccount(c.req.raw);
    const query = (name: string) => c.req.query(name);
    if (query("account_id") !== credentials.apiKey)
      return problem(403, "#forbidden", "Not this account's");
    if (query("product") !== "MESSAGES" || query("direction") !== "outbound")
      return problem(422, "/reports#invalid", "Invalid product or direction");
    const id = query("id") ?? "";
    const found = messages.get(id);
    const record = found && {
      account_id: credentials.apiKey,
      date_finalized: new Date().toISOString(),
      date_received: found.received,
      direction: "outbound",
      error_code: "",
      from: found.from,
      message_id: id,
      provider: "sms",
      status: "delivered",
      to: found.to,
    };
    return c.json({
      request_id: ids.uuid(),
      request_status: "SUCCESS",
      items_count: found ? 1 : 0,
      ...(record ? { records: [record] } : { ids_not_found: id, records: [] }),
    });
  });

  api.use("/v1/*", async (c, next) => {
    await requireApplication(c.req.raw);
    return next();
  });
  api.use("/v2/verify/*", async (c, next) => {
    await requireApplication(c.req.raw);
    return next();
  });

  api.post("/v1/messages", async (c) => {
    const body = await jsonBody(c.req.raw);
    const { channel, message_type: type, to, from, text } = body;
    if (channel !== "sms" || type !== "text") return invalid(1020, "Invalid channel");
    if (!isNumber(to)) return invalid(1170, "Invalid or missing Msisdn Param");
    const name = /^(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}$/;
    if (typeof from !== "string" || (from !== number && !name.test(from)))
      return invalid(1120, "Illegal sender address - rejected");
    if (typeof text !== "string" || text === "") return invalid(1010, "Missing params");
    const message_uuid = ids.uuid();
    messages.set(message_uuid, { to, from, received: new Date().toISOString() });
    return c.json({ message_uuid }, 202);
  });

  api.post("/v1/calls", async (c) => {
    const body = await jsonBody(c.req.raw);
    const [to] = Array.isArray(body["to"]) ? (body["to"] as Record<string, unknown>[]) : [];
    const from = body["from"] as Record<string, unknown> | undefined;
    if (to?.["type"] !== "phone" || !isNumber(to["number"]))
      return problem(400, "#bad-request", "Bad Request: to");
    if (from?.["number"] !== number) return problem(400, "#bad-request", "Bad Request: from");
    const ncco = body["ncco"];
    const answers = body["answer_url"];
    if (!Array.isArray(ncco) === !Array.isArray(answers))
      return problem(400, "#bad-request", "Give one of ncco and answer_url");
    const isTalk = (action: Record<string, unknown>) =>
      action["action"] !== "talk" || String(action["text"]).length <= 1500;
    if (Array.isArray(ncco) && !(ncco as Record<string, unknown>[]).every(isTalk))
      return problem(400, "#bad-request", "A talk action takes 1500 characters");
    const uuid = ids.uuid();
    calls.set(uuid, { uuid, status: "started", to, from });
    const conversation_uuid = `CON-${ids.uuid()}`;
    return c.json({ uuid, status: "started", direction: "outbound", conversation_uuid }, 201);
  });
  const call = (id: string) => calls.get(id) ?? refuse(404, "#not-found", "Not found");
  api.get("/v1/calls/:id", (c) => {
    const found = call(c.req.param("id"));
    const over = found.status === "completed" && {
      duration: "12",
      start_time: new Date().toISOString(),
      end_time: new Date().toISOString(),
    };
    return c.json({ ...found, ...over, direction: "outbound" });
  });
  api.put("/v1/calls/:id", async (c) => {
    const { action } = await jsonBody(c.req.raw);
    if (action !== "hangup") return problem(400, "#bad-request", "Unknown action");
    call(c.req.param("id")).status = "completed";
    return c.body(null, 204);
  });

  api.post("/v2/verify", async (c) => {
    const { brand, workflow } = await jsonBody(c.req.raw);
    const steps = Array.isArray(workflow) ? (workflow as Record<string, unknown>[]) : [];
    const fits = ({ channel, to }: Record<string, unknown>) =>
      (channel === "sms" || channel === "voice") && isNumber(to);
    if (typeof brand !== "string" || !brand || steps.length === 0 || !steps.every(fits))
      return problem(422, "/verify#invalid-params", "Invalid params");
    const request_id = ids.uuid();
    requests.set(request_id, { checks: 0 });
    return c.json({ request_id }, 202);
  });
  api.post("/v2/verify/:id", async (c) => {
    const id = c.req.param("id");
    const found = requests.get(id);
    if (!found) return notFound();
    found.checks += 1;
    if (found.checks > 3)
      return problem(410, "/verify#expired", "An incorrect code too many times");
    const { code } = await jsonBody(c.req.raw);
    if (code !== vonageCode) return problem(400, "/verify#invalid-code", "Invalid Code");
    requests.delete(id);
    return c.json({ request_id: id, status: "completed" });
  });

  rest.use("*", async (c, next) => {
    requireAccount(c.req.raw);
    return next();
  });
  rest.get("/account/get-balance", (c) => c.json({ value: 10.28, autoReload: false }));
  rest.get("/account/numbers", (c) => {
    const size = Number(c.req.query("size") ?? 10);
    if (!(size >= 1 && size <= 100))
      return c.json({ "error-code": "420", "error-code-label": "size is invalid" }, 420 as 400);
    const own = {
      country: "US",
      features: ["VOICE", "SMS"],
      msisdn: number,
      type: "mobile-lvn",
    };
    return c.json(c.req.query("index") === "1" ? { count: 1, numbers: [own] } : {});
  });

  insights.post("/identity-insights/v1/requests", async (c) => {
    await requireApplication(c.req.raw);
    const body = await jsonBody(c.req.raw);
    const phone = String(body["phone_number"]).replace(/^\+/, "");
    const wanted = body["insights"];
    if (!(wanted instanceof Object) || Object.keys(wanted).length === 0)
      return problem(422, "/identity-insights#invalid", "No insight was asked for");
    const [, area, exchange, line] = /^1(\d{3})(\d{3})(\d{4})$/.exec(phone) ?? [];
    const status = { code: "OK", message: "Success" };
    const answers = {
      format: {
        country_code: area ? "US" : null,
        is_format_valid: isNumber(phone),
        number_international: `+${phone}`,
        number_national: area ? `(${area}) ${exchange}-${line}` : phone,
        status,
      },
      current_carrier: { name: "Simulated Wireless", network_type: "MOBILE", status },
    };
    return c.json({
      request_id: ids.uuid(),
      insights: Object.fromEntries(
        Object.entries(answers).filter(([name]) => Object.hasOwn(wanted, name)),
      ),
    });
  });

  function event(type: string, now: number): object {
    const [subject = "message", name = "delivered"] = type.split(".");
    const timestamp = new Date(now * 1000).toISOString();
    const phones = { from: number, to: "14155550101" };
    switch (subject) {
      case "call":
        return {
          ...phones,
          conversation_uuid: `CON-${ids.uuid()}`,
          direction: "outbound",
          status: name,
          timestamp,
          uuid: ids.uuid(),
        };
      case "verify":
        return {
          channel: "sms",
          request_id: ids.uuid(),
          status: name,
          submitted_at: timestamp,
          type: "summary",
        };
      case "video":
        return {
          connection: { id: ids.uuid(), createdAt: now * 1000, data: "patient-1" },
          event: name,
          projectId: credentials.applicationId,
          sessionId: video.session,
          timestamp: now * 1000,
        };
      case "archive":
        return {
          createdAt: now * 1000,
          event: "archive",
          id: video.running,
          sessionId: video.session,
          status: name,
        };
      default:
        return name === "received"
          ? {
              channel: "sms",
              from: "14155550101",
              message_type: "text",
              message_uuid: ids.uuid(),
              text: "Yes, I will come.",
              timestamp,
              to: number,
            }
          : { ...phones, channel: "sms", message_uuid: ids.uuid(), status: name, timestamp };
    }
  }
  async function webhook({ url, credentials: given, type, body, now = unixNow() }: WebhookOptions) {
    const about = event(type ?? "message.delivered", now);
    const text = JSON.stringify({ ...about, ...(body as object | undefined) });
    const secret = given["sessionId" in about ? "videoSignatureSecret" : "signatureSecret"];
    const claims = {
      api_key: given["apiKey"],
      application_id: given["applicationId"],
      payload_hash: sha256(text),
    };
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .setIssuedAt(now)
      .setIssuer("Vonage")
      .setJti(ids.uuid())
      .sign(Buffer.from(String(secret)));
    return new Request(url, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: text,
    });
  }

  const byHost: Record<string, Hono> = {
    "api.nexmo.com": api,
    "rest.nexmo.com": rest,
    "video.api.vonage.com": visits.app,
    "api-eu.vonage.com": insights,
  };
  return {
    hosts: Object.keys(byHost),
    app: {
      fetch: (request) => byHost[new URL(request.url).host]?.fetch(request) ?? notFound(),
    },
    credentials,
    webhook,
    params: { deleteVideoRecording: () => ({ id: video.finished }) },
    faults: {
      rate_limited: (fault) =>
        problem(
          429,
          "/messages#1000",
          "Throttled",
          fault.retryAfter === undefined ? {} : retryAfter(fault),
        ),
      server_error: () => problem(500, "#internal-error", "Internal error"),
      expired_credentials: () =>
        problem(401, "#unauthorized", "You did not provide correct credentials"),
      forbidden: () => problem(403, "#forbidden", "Your account may not do this"),
    },
    reset() {
      ids.reset();
      seed();
      visits.reset();
    },
  };
});

import { createHmac } from "node:crypto";

import { type Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";

import {
  bearerToken,
  defineSimulation,
  idSequence,
  isSame,
  retryAfter,
  unixNow,
  type WebhookOptions,
} from "./define.ts";
import { newCodes } from "./derived/codes.ts";

const credentials = {
  botToken: "xoxb-000000000000-000000000000-exampleexampleexample000",
  signingSecret: "slack0signing0secret0123456789ab",
  defaultChannel: "C0123456789",
};
/** The same app for “Connect with Slack”. */
export const slackApp = {
  clientId: "000000000000.000000000000",
  clientSecret: "slack0client0secret0123456789abcd",
};
/** Installed without `chat:write`. */
export const slackReadOnlyToken = "xoxb-000000000000-000000000000-ReadOnlyReadOnlyReadOnly";

const team = "T0000000001";
const bot = { user: "U0000000001", bot: "B0000000001", app: "A0000000001" };
const readScopes = ["channels:read", "groups:read", "users:read", "users:read.email"];
const writeScopes = ["chat:write", "im:write", "mpim:write"];

const channels = [
  { id: "C0123456789", name: "front-desk", is_member: true, is_archived: false },
  { id: "C0000000002", name: "on-call", is_member: true, is_archived: false },
  { id: "C0000000003", name: "billing", is_member: false, is_archived: false },
  { id: "C0000000004", name: "old-clinic", is_member: true, is_archived: true },
].map((channel) => ({ ...channel, is_channel: true, is_private: false, num_members: 4 }));
const users = [
  { id: "U0123456789", name: "nora", email: "nora@clinic.example.com", real: "Nora Nurse" },
  { id: "U0000000003", name: "dan", email: "dan@clinic.example.com", real: "Dan Desk" },
];

type Arguments = Record<string, unknown>;
type C = Context<{ Variables: { args: Arguments } }>;
type Message = { ts: string; channel: string; text: string };

/** Slack says no with 200. */
const no = (error: string, more: object = {}) => Response.json({ ok: false, error, ...more });
function refuse(error: string, more?: object): never {
  throw new HTTPException(200, { res: no(error, more) });
}

const requiredScopes: Record<string, string> = {
  "chat.postMessage": "chat:write",
  "chat.update": "chat:write",
  "chat.delete": "chat:write",
  "chat.scheduleMessage": "chat:write",
  "chat.deleteScheduledMessage": "chat:write",
  "conversations.open": "im:write",
};
/** Methods that read take no JSON. */
const formOnly = new Set([
  "auth.test",
  "conversations.list",
  "conversations.info",
  "users.lookupByEmail",
  "users.info",
]);

async function readArguments(c: C, method: string): Promise<Arguments> {
  const query = Object.fromEntries(new URL(c.req.url).searchParams);
  const text = await c.req.text();
  const type = c.req.header("content-type") ?? "";
  if (text === "") return query;
  if (type.startsWith("application/x-www-form-urlencoded"))
    return { ...query, ...Object.fromEntries(new URLSearchParams(text)) };
  if (!type.startsWith("application/json")) return refuse("invalid_post_type");
  try {
    const sent: unknown = JSON.parse(text);
    if (typeof sent !== "object" || sent === null || Array.isArray(sent))
      return refuse("json_not_object");
    return formOnly.has(method) ? query : { ...query, ...sent };
  } catch (error) {
    if (error instanceof HTTPException) throw error;
    return refuse("invalid_json");
  }
}

const text = (args: Arguments, name: string) => {
  const value = args[name];
  return value === undefined || value === null || value === "" ? undefined : String(value);
};

export const simulation = defineSimulation(() => {
  const ids = idSequence("slack");
  const messages = new Map<string, Message>();
  const scheduled = new Map<string, { channel: string; postAt: number }>();
  const direct = new Map<string, string>();
  let posted = 0;
  /** One earlier message, to edit and to delete. */
  function seed() {
    const early = { channel: "C0123456789", ts: "1795435200.000100", text: "Room 3 is ready." };
    messages.set(`${early.channel}/${early.ts}`, early);
  }
  seed();
  const app = new Hono<{ Variables: { args: Arguments } }>();
  const codes = newCodes(
    {
      kind: "authorization_code",
      authorizeUrl: "https://slack.com/oauth/v2/authorize",
      tokenUrl: "https://slack.com/api/oauth.v2.access",
      ...slackApp,
      style: "basic",
      scopes: [],
      scopeSeparator: ",",
      pkce: false,
    },
    ids,
    {
      consent: { vendor: "Slack" },
      accessToken: () => ids.letters("xoxe.xoxb-1-", 60),
      lifetimeSeconds: 43_200,
      extra: {
        ok: true,
        token_type: "bot",
        bot_user_id: bot.user,
        app_id: bot.app,
        team: { id: team, name: "Simulated Clinic" },
        enterprise: null,
      },
    },
  );
  app.get("/oauth/v2/authorize", (c) => codes.authorize(new URL(c.req.url).searchParams));
  app.post("/api/oauth.v2.access", async (c) => {
    const form = new URLSearchParams(await c.req.raw.clone().text());
    const reply = await codes.token(c.req.raw);
    if (reply.ok) return reply;
    const { error } = (await reply.json()) as { error: string };
    if (error === "invalid_client") return no("bad_client_secret");
    return no(form.has("refresh_token") ? "invalid_refresh_token" : "invalid_code");
  });

  app.use("/api/:method", async (c, next) => {
    const method = c.req.param("method");
    const args = await readArguments(c, method);
    const token = bearerToken(c.req.raw) ?? text(args, "token");
    if (token === undefined) return no("not_authed");
    const readOnly = isSame(slackReadOnlyToken, token);
    const allowed = codes.scopeOf(token);
    if (!readOnly && allowed === undefined && !isSame(credentials.botToken, token))
      return no(token.startsWith("xoxe.") ? "token_expired" : "invalid_auth");
    const scopes = allowed?.split(",") ?? (readOnly ? readScopes : [...readScopes, ...writeScopes]);
    const needed = requiredScopes[method];
    if (needed !== undefined && !scopes.includes(needed))
      return no("missing_scope", { needed, provided: scopes.join(",") });
    c.set("args", args);
    await next();
    c.res.headers.set("x-oauth-scopes", scopes.join(","));
    return undefined;
  });
  const on = (method: string, handle: (args: Arguments, c: C) => object) =>
    app.on(["GET", "POST"], `/api/${method}`, (c) =>
      c.json({ ok: true, ...handle(c.get("args"), c) }),
    );
  app.notFound((c) => no("unknown_method", { req_method: c.req.path.replace("/api/", "") }));

  on("auth.test", () => ({
    url: "https://simulated-clinic.slack.com/",
    team: "Simulated Clinic",
    user: "clinicbot",
    team_id: team,
    user_id: bot.user,
    bot_id: bot.bot,
    is_enterprise_install: false,
  }));

  on("auth.revoke", (args, c) => {
    codes.end(text(args, "token") ?? bearerToken(c.req.raw) ?? "");
    return { revoked: true };
  });

  /** A channel by id or #name, a direct message, or a user's id. */
  function destination(args: Arguments): string {
    const wanted = text(args, "channel") ?? refuse("channel_not_found");
    if ([...direct.values()].includes(wanted)) return wanted;
    const user = users.find(({ id }) => id === wanted);
    if (user) return openDirect(user.id);
    const channel = channels.find(({ id, name }) => id === wanted || `#${name}` === wanted);
    if (!channel) return refuse("channel_not_found");
    if (channel.is_archived) return refuse("is_archived");
    if (!channel.is_member) return refuse("not_in_channel");
    return channel.id;
  }
  function openDirect(key: string) {
    const id = direct.get(key) ?? ids.letters("D0", 9).toUpperCase();
    direct.set(key, id);
    return id;
  }
  function content(args: Arguments): string {
    const said = text(args, "text");
    if (said === undefined && !args["blocks"] && !args["attachments"]) return refuse("no_text");
    if ((said?.length ?? 0) > 40_000) return refuse("msg_too_long");
    if (typeof args["blocks"] === "string" && !args["blocks"].startsWith("["))
      return refuse("invalid_blocks_format");
    return said ?? "";
  }
  const view = ({ ts, text: said }: Message) => ({
    app_id: bot.app,
    bot_id: bot.bot,
    team,
    text: said,
    ts,
    type: "message",
    user: bot.user,
  });

  on("chat.postMessage", (args) => {
    const channel = destination(args);
    const said = content(args);
    posted += 1;
    const message = { channel, text: said, ts: `${unixNow()}.${String(posted).padStart(6, "0")}` };
    messages.set(`${channel}/${message.ts}`, message);
    return { channel, ts: message.ts, message: view(message) };
  });
  const message = (args: Arguments) =>
    messages.get(`${text(args, "channel")}/${text(args, "ts")}`) ?? refuse("message_not_found");
  on("chat.update", (args) => {
    const found = message(args);
    found.text = content(args);
    return { channel: found.channel, ts: found.ts, text: found.text, message: view(found) };
  });
  on("chat.delete", (args) => {
    const { channel, ts } = message(args);
    messages.delete(`${channel}/${ts}`);
    return { channel, ts };
  });

  on("chat.scheduleMessage", (args) => {
    const channel = destination(args);
    const said = content(args);
    const postAt = Number(text(args, "post_at"));
    if (!Number.isInteger(postAt)) return refuse("invalid_time");
    if (postAt <= unixNow()) return refuse("time_in_past");
    if (postAt > unixNow() + 120 * 86_400) return refuse("time_too_far");
    const id = ids.letters("Q", 10).toUpperCase();
    scheduled.set(id, { channel, postAt });
    const sent = { channel, text: said, ts: "" };
    return { channel, scheduled_message_id: id, post_at: postAt, message: view(sent) };
  });
  on("chat.deleteScheduledMessage", (args) => {
    const found = scheduled.delete(text(args, "scheduled_message_id") ?? "");
    return found ? {} : refuse("invalid_scheduled_message_id");
  });

  on("conversations.open", (args) => {
    const wanted = text(args, "users")?.split(",") ?? refuse("users_list_not_supplied");
    if (wanted.length > 8) return refuse("too_many_users");
    if (wanted.some((id) => !users.some((user) => user.id === id))) return refuse("user_not_found");
    const key = wanted.toSorted().join(",");
    const open = direct.has(key) ? { already_open: true, no_op: true } : {};
    return { ...open, channel: { id: openDirect(key) } };
  });
  on("conversations.list", (args) => {
    const limit = Number(text(args, "limit") ?? 100);
    if (!(limit >= 1 && limit <= 1000)) return refuse("invalid_limit");
    const cursor = text(args, "cursor");
    const [, offset] = /^team:(\d+)$/.exec(Buffer.from(cursor ?? "", "base64").toString()) ?? [];
    if (cursor !== undefined && offset === undefined) return refuse("invalid_cursor");
    const start = Number(offset ?? 0);
    const all = channels.filter(
      (channel) => !channel.is_archived || text(args, "exclude_archived") !== "true",
    );
    const end = start + limit;
    const next = end < all.length ? Buffer.from(`team:${end}`).toString("base64") : "";
    return { channels: all.slice(start, end), response_metadata: { next_cursor: next } };
  });

  const person = ({ id, name, email, real }: (typeof users)[number]) => ({
    user: {
      id,
      team_id: team,
      name,
      deleted: false,
      real_name: real,
      profile: { email, real_name: real, display_name: real },
      is_bot: false,
    },
  });
  on("users.lookupByEmail", (args) => {
    const email = text(args, "email") ?? refuse("invalid_arguments");
    const found = users.find((user) => user.email === email.toLowerCase());
    return found ? person(found) : refuse("users_not_found");
  });
  on("users.info", (args) => {
    const found = users.find(({ id }) => id === text(args, "user"));
    return found ? person(found) : refuse("user_not_found");
  });

  /** A `body` of text goes out as it is: slash commands and interactions are forms. */
  async function webhook({
    url,
    credentials: given,
    type = "message",
    body,
    now = unixNow(),
  }: WebhookOptions) {
    const event =
      type === "url_verification"
        ? { type, token: "simulated", challenge: ids.letters("", 32) }
        : {
            token: "simulated",
            team_id: team,
            api_app_id: bot.app,
            event: {
              type,
              channel: "C0123456789",
              user: "U0123456789",
              text: "The next patient is here",
              ts: `${now}.000001`,
              event_ts: `${now}.000001`,
            },
            type: "event_callback",
            event_id: ids.letters("Ev0", 8).toUpperCase(),
            event_time: now,
            authorizations: [{ team_id: team, user_id: bot.user, is_bot: true }],
          };
    const payload =
      typeof body === "string"
        ? body
        : JSON.stringify({ ...event, ...(body as object | undefined) });
    const mac = createHmac("sha256", String(given["signingSecret"]));
    return new Request(url, {
      method: "POST",
      headers: {
        "content-type":
          typeof body === "string" ? "application/x-www-form-urlencoded" : "application/json",
        "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "x-slack-request-timestamp": String(now),
        "x-slack-signature": `v0=${mac.update(`v0:${now}:${payload}`).digest("hex")}`,
      },
      body: payload,
    });
  }

  return {
    hosts: ["slack.com"],
    app,
    credentials,
    webhook,
    faults: {
      rate_limited: (fault) =>
        Response.json(
          { ok: false, error: "ratelimited" },
          { status: 429, headers: retryAfter(fault) },
        ),
      server_error: () => Response.json({ ok: false, error: "internal_error" }, { status: 500 }),
      expired_credentials: () => no("token_expired"),
      forbidden: () =>
        no("missing_scope", { needed: "chat:write", provided: readScopes.join(",") }),
    },
    params: {
      scheduleMessage: () => ({
        text: "Huddle in five minutes.",
        at: new Date(Date.now() + 3_600_000).toISOString(),
      }),
    },
    reset() {
      messages.clear();
      scheduled.clear();
      direct.clear();
      ids.reset();
      codes.reset();
      posted = 0;
      seed();
    },
  };
});

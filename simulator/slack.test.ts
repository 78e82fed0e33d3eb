import { ErrorCode, LogLevel, WebClient } from "@slack/web-api";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { vendor } from "../handlers/slack.ts";
import { startSimulator, startVendor } from "./server.ts";
import { slackReadOnlyToken } from "./slack.ts";
import { connectVendor, type Meaning, testParity } from "./wire.ts";

const simulator = await startVendor("slack");
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const { credentials, webhook } = simulator.simulation("slack");
const client = (token?: string) =>
  new WebClient(token, {
    slackApiUrl: `${simulator.url}/api/`,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    logLevel: LogLevel.ERROR,
  });
const slack = client(String(credentials["botToken"]));
const channel = String(credentials["defaultChannel"]);
const refused = (error: string) => ({ code: ErrorCode.PlatformError, data: { ok: false, error } });

describe("authentication", () => {
  test("says who the token is, and which scopes it has", async () => {
    await expect(slack.auth.test()).resolves.toMatchObject({
      ok: true,
      team: "Simulated Clinic",
      response_metadata: { scopes: expect.arrayContaining(["chat:write"]) },
    });
  });

  test("refuses a wrong token and no token, both with 200", async () => {
    await expect(client("xoxb-wrong").auth.test()).rejects.toMatchObject(refused("invalid_auth"));
    await expect(client().auth.test()).rejects.toMatchObject(refused("not_authed"));
    expect(simulator.requests().map(({ status }) => status)).toEqual([200, 200]);
  });

  test("refuses to post without the scope", async () => {
    const reader = client(slackReadOnlyToken);
    await expect(reader.chat.postMessage({ channel, text: "Hello" })).rejects.toMatchObject({
      code: ErrorCode.PlatformError,
      data: { error: "missing_scope", needed: "chat:write" },
    });
  });
});

describe("messages", () => {
  test("posts, edits and deletes a message", async () => {
    const { ts, message } = await slack.chat.postMessage({ channel, text: "Room 2 is free" });
    expect(message).toMatchObject({ text: "Room 2 is free", type: "message" });
    const edited = await slack.chat.update({ channel, ts: String(ts), text: "Room 3 is free" });
    expect(edited.text).toBe("Room 3 is free");
    await slack.chat.delete({ channel, ts: String(ts) });
    await expect(slack.chat.delete({ channel, ts: String(ts) })).rejects.toMatchObject(
      refused("message_not_found"),
    );
  });

  test.each([
    ["C0000000000", "channel_not_found"],
    ["C0000000003", "not_in_channel"],
    ["C0000000004", "is_archived"],
  ])("refuses to post to %s: %s", async (wrong, error) => {
    await expect(slack.chat.postMessage({ channel: wrong, text: "Hello" })).rejects.toMatchObject(
      refused(error),
    );
  });

  test("schedules within 120 days and takes it back once", async () => {
    const soon = Math.floor(Date.now() / 1000) + 3600;
    const at = (post_at: number) => slack.chat.scheduleMessage({ channel, text: "Later", post_at });
    const { scheduled_message_id } = await at(soon);
    const back = { channel, scheduled_message_id: String(scheduled_message_id) };
    await expect(slack.chat.deleteScheduledMessage(back)).resolves.toMatchObject({ ok: true });
    await expect(slack.chat.deleteScheduledMessage(back)).rejects.toMatchObject(
      refused("invalid_scheduled_message_id"),
    );
    await expect(at(soon - 7200)).rejects.toMatchObject(refused("time_in_past"));
    await expect(at(soon + 121 * 86_400)).rejects.toMatchObject(refused("time_too_far"));
  });

  test("finds a person by email and writes to them", async () => {
    const { user } = await slack.users.lookupByEmail({ email: "nora@clinic.example.com" });
    const opened = await slack.conversations.open({ users: String(user?.id) });
    const again = await slack.conversations.open({ users: String(user?.id) });
    expect(again).toMatchObject({ already_open: true, channel: { id: opened.channel?.id } });
    const posted = await slack.chat.postMessage({
      channel: String(opened.channel?.id),
      text: "Please call back",
    });
    expect(posted.channel).toBe(opened.channel?.id);
    await expect(
      slack.users.lookupByEmail({ email: "nobody@clinic.example" }),
    ).rejects.toMatchObject(refused("users_not_found"));
  });

  test("pages through channels by cursor", async () => {
    const names: string[] = [];
    for await (const page of slack.paginate("conversations.list", { limit: 3 }))
      for (const { name } of (page as unknown as { channels: { name: string }[] }).channels)
        names.push(name);
    expect(names).toEqual(["front-desk", "on-call", "billing", "old-clinic"]);
    await expect(slack.conversations.list({ cursor: "nonsense" })).rejects.toMatchObject(
      refused("invalid_cursor"),
    );
  });

  test("refuses a method that does not exist", async () => {
    await expect(slack.apiCall("chat.shout")).rejects.toMatchObject(refused("unknown_method"));
  });
});

describe("webhooks and faults", () => {
  test("signs Slack's published example as Slack does", async () => {
    const request = await webhook?.({
      url: "https://edge.example/webhooks/slack/1",
      credentials: { signingSecret: "8f742231b10e8888abcd99yyyzzz85a5" },
      now: 1_531_420_618,
      body: "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    });
    expect(request?.headers.get("x-slack-signature")).toBe(
      "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    );
  });

  test("sends the challenge and events with an id of their own", async () => {
    const send = async (type: string) => {
      const request = await webhook?.({ url: "https://edge.example/", credentials, type });
      return request?.json() as Promise<Record<string, unknown>>;
    };
    await expect(send("url_verification")).resolves.toMatchObject({
      type: "url_verification",
      challenge: expect.stringMatching(/^\w{32}$/),
    });
    const [one, two] = [await send("app_mention"), await send("app_mention")];
    expect(one).toMatchObject({ type: "event_callback", event: { type: "app_mention" } });
    expect(one["event_id"]).not.toBe(two["event_id"]);
  });

  test("rate limits with Retry-After as the SDK's own error", async () => {
    simulator.fault({ vendor: "slack", kind: "rate_limited", retryAfter: 30, times: 1 });
    await expect(slack.auth.test()).rejects.toMatchObject({
      code: ErrorCode.RateLimitedError,
      retryAfter: 30,
    });
  });

  test.each([
    ["expired_credentials", "token_expired"],
    ["forbidden", "missing_scope"],
  ] as const)("%s is %s", async (kind, error) => {
    simulator.fault({ vendor: "slack", kind, times: 1 });
    await expect(slack.auth.test()).rejects.toMatchObject(refused(error));
  });
});

const wire = await startSimulator({ vendors: ["slack"] });
afterAll(() => wire.close());
const sdk = new WebClient(String(credentials["botToken"]), {
  fetch: wire.fetch,
  retryConfig: { retries: 0 },
  logLevel: LogLevel.ERROR,
});
const ts = "1795435200.000100";
const blocks = [{ type: "section", text: { type: "mrkdwn", text: "*Room 3* & more: 100 %" } }];
const at = Math.floor(Date.now() / 1000) + 3600;
const { response_metadata: { next_cursor: second = "" } = {} } = await sdk.conversations.list({
  exclude_archived: true,
  limit: 2,
});
const reads = {
  but: "the SDK posts every call, while Slack takes its reading methods by GET too",
  ours: (sdks: readonly Meaning[]) =>
    sdks.map(({ type, body, ...rest }) => {
      expect(rest.method).toBe("POST");
      expect(type).toBe(body && "application/x-www-form-urlencoded");
      return { ...rest, method: "GET", query: (body ?? []) as string[] };
    }),
};

testParity(connectVendor(wire, "slack", vendor), {
  rows: [
    ["test", {}, () => sdk.auth.test(), reads],
    [
      "postMessage",
      { text: "Room 3 is ready." },
      () => sdk.chat.postMessage({ channel, text: "Room 3 is ready.", unfurl_links: false }),
    ],
    [
      "postMessage",
      { text: "Zoë & Jo: 100 %", channel: "C0000000002", blocks, thread: ts },
      () =>
        sdk.chat.postMessage({
          channel: "C0000000002",
          text: "Zoë & Jo: 100 %",
          blocks,
          thread_ts: ts,
          unfurl_links: false,
        }),
    ],
    [
      "updateMessage",
      { id: ts, channel, text: "Room 3 is taken.", blocks },
      () => sdk.chat.update({ ts, channel, text: "Room 3 is taken.", blocks }),
    ],
    ["deleteMessage", { id: ts, channel }, () => sdk.chat.delete({ ts, channel })],
    [
      "scheduleMessage",
      { text: "Huddle in five minutes.", at: new Date(at * 1000).toISOString() },
      () => sdk.chat.scheduleMessage({ channel, text: "Huddle in five minutes.", post_at: at }),
    ],
    [
      "scheduleMessage",
      { text: "Huddle", at: new Date(at * 1000).toISOString(), channel: "C0000000002" },
      () => sdk.chat.scheduleMessage({ channel: "C0000000002", text: "Huddle", post_at: at }),
    ],
    [
      "openDirectMessage",
      { users: ["U0123456789", "U0000000003"] },
      () => sdk.conversations.open({ users: "U0123456789,U0000000003" }),
    ],
    [
      "findUserByEmail",
      { email: "nora@clinic.example.com" },
      () => sdk.users.lookupByEmail({ email: "nora@clinic.example.com" }),
      reads,
    ],
    [
      "listChannels",
      { limit: 2 },
      () =>
        sdk.conversations.list({
          types: "public_channel,private_channel",
          exclude_archived: true,
          limit: 2,
        }),
      reads,
    ],
    [
      "listChannels",
      { limit: 2, cursor: second },
      () =>
        sdk.conversations.list({
          types: "public_channel,private_channel",
          exclude_archived: true,
          limit: 2,
          cursor: second,
        }),
      reads,
    ],
  ],
});

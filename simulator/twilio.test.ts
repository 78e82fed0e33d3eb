import twilio from "twilio";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { vendor } from "../handlers/twilio.ts";
import { startSimulator, startVendor } from "./server.ts";
import { twilioApiKey } from "./twilio.ts";
import { seeded } from "./twilio/messaging.ts";
import { verificationCode } from "./twilio/verify.ts";
import { connectVendor, saidBy, testParity } from "./wire.ts";

const simulator = await startVendor("twilio");
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const { credentials, webhook } = simulator.simulation("twilio");
const accountSid = String(credentials["accountSid"]);
const authToken = String(credentials["authToken"]);
const from = String(credentials["fromNumber"]);
const messagingServiceSid = String(credentials["messagingServiceSid"]);
const service = String(credentials["verifyServiceSid"]);
const to = "+14155550101";

/** The SDK builds https URLs of several hosts; its HTTP client sends them elsewhere. */
function httpClientTo(place: (url: URL) => string) {
  const httpClient = new twilio.RequestClient();
  httpClient.axios.interceptors.request.use((config) =>
    Object.assign(config, { url: place(new URL(config.url ?? "")) }),
  );
  return httpClient;
}
const httpClient = httpClientTo(({ pathname, search }) => simulator.url + pathname + search);
const client = (user = accountSid, password = authToken) =>
  twilio(user, password, { accountSid, httpClient });
const sdk = client();

describe("authentication", () => {
  test("accepts the account's token and reads the account", async () => {
    await expect(sdk.api.v2010.accounts(accountSid).fetch()).resolves.toMatchObject({
      status: "active",
      friendlyName: "Simulated Clinic",
    });
  });

  test.each([
    ["another token", accountSid, "f".repeat(32), "Authenticate"],
    [
      "another account",
      `AC${"f".repeat(32)}`,
      authToken,
      "Authentication Error - invalid username",
    ],
  ])("refuses %s with 20003", async (_, user, password, message) => {
    await expect(client(user, password).messages.list()).rejects.toMatchObject({
      constructor: twilio.RestException,
      status: 401,
      code: 20003,
      message,
    });
  });

  test("lets a Standard API key send but not read the account", async () => {
    const keyed = client(twilioApiKey.apiKeySid, twilioApiKey.apiKeySecret);
    await expect(keyed.messages.create({ to, from, body: "Hello" })).resolves.toMatchObject({
      status: "queued",
    });
    await expect(keyed.api.v2010.accounts(accountSid).fetch()).rejects.toMatchObject({
      code: 20003,
    });
  });
});

describe("messages and calls", () => {
  test("sends a text, and it is delivered when read back", async () => {
    const sent = await sdk.messages.create({ to, from, body: "x".repeat(161) });
    expect(sent).toMatchObject({ status: "queued", numSegments: "2", to, from });
    expect(sent.sid).toMatch(/^SM[0-9a-f]{32}$/);
    await expect(sdk.messages(sent.sid).fetch()).resolves.toMatchObject({
      status: "delivered",
      dateSent: expect.any(Date),
    });
    await expect(sdk.messages(sent.sid).remove()).resolves.toBe(true);
    await expect(sdk.messages(sent.sid).fetch()).rejects.toMatchObject({
      status: 404,
      code: 20404,
    });
  });

  test.each([
    [{ to: "5550101", from, body: "Hello" }, 21211],
    [{ to: "+15005550001", from, body: "Hello" }, 21211],
    [{ to: "+15005550004", from, body: "Hello" }, 21610],
    [{ to: "+15005550009", from, body: "Hello" }, 21614],
    [{ to, from: "+14155550199", body: "Hello" }, 21606],
    [{ to, from: "not a number!", body: "Hello" }, 21212],
    [{ to, body: "Hello" }, 21603],
    [{ to, from }, 21602],
    [{ to, from, body: "x".repeat(1601) }, 21617],
  ])("refuses %j with %i", async (message, code) => {
    await expect(sdk.messages.create(message)).rejects.toMatchObject({
      constructor: twilio.RestException,
      status: 400,
      code,
      moreInfo: `https://www.twilio.com/docs/errors/${code}`,
    });
  });

  test("schedules through a messaging service only, and cancels", async () => {
    const sendAt = new Date(Date.now() + 3_600_000);
    const scheduled = { to, body: "Tomorrow at 9", scheduleType: "fixed" as const, sendAt };
    await expect(sdk.messages.create({ ...scheduled, from })).rejects.toMatchObject({
      code: 35118,
    });
    const { sid, status } = await sdk.messages.create({ ...scheduled, messagingServiceSid });
    expect(status).toBe("scheduled");
    const canceled = await sdk.messages(sid).update({ status: "canceled" });
    expect(canceled.status).toBe("canceled");
  });

  test("pages through messages, newest first", async () => {
    for (let i = 1; i <= 7; i += 1) await sdk.messages.create({ to, from, body: `Message ${i}` });
    const all = await sdk.messages.list({ to, pageSize: 3 });
    expect(all.map(({ body }) => body)).toEqual([7, 6, 5, 4, 3, 2, 1].map((i) => `Message ${i}`));
    expect(simulator.requests().filter(({ method }) => method === "GET")).toHaveLength(3);
  });

  test("calls, and refuses a call without instructions", async () => {
    const twiml = "<Response><Say>Hello</Say></Response>";
    const { sid, status } = await sdk.calls.create({ to, from, twiml });
    expect(status).toBe("queued");
    await expect(sdk.calls(sid).fetch()).resolves.toMatchObject({ status: "completed" });
    await expect(
      sdk.calls.create({ to, from } as Parameters<typeof sdk.calls.create>[0]),
    ).rejects.toMatchObject({ code: 21205 });
    await expect(sdk.calls.create({ to, from: "+14155550199", twiml })).rejects.toMatchObject({
      code: 21210,
    });
  });

  test("reads the balance and the numbers", async () => {
    await expect(sdk.balance.fetch()).resolves.toMatchObject({ currency: "USD" });
    await expect(sdk.incomingPhoneNumbers.list()).resolves.toMatchObject([{ phoneNumber: from }]);
  });
});

describe("lookups and verify", () => {
  test("looks a number up, and says what is wrong with a bad one", async () => {
    const numbers = sdk.lookups.v2.phoneNumbers;
    await expect(numbers(to).fetch({ fields: "line_type_intelligence" })).resolves.toMatchObject({
      valid: true,
      countryCode: "US",
      nationalFormat: "(415) 555-0101",
      lineTypeIntelligence: { type: "mobile" },
    });
    await expect(numbers("+1415").fetch()).resolves.toMatchObject({
      valid: false,
      validationErrors: ["TOO_SHORT"],
    });
  });

  test("approves the right code once", async () => {
    const { verifications, verificationChecks } = sdk.verify.v2.services(service);
    await expect(verifications.create({ to, channel: "sms" })).resolves.toMatchObject({
      status: "pending",
    });
    await expect(verificationChecks.create({ to, code: "000000" })).resolves.toMatchObject({
      status: "pending",
      valid: false,
    });
    await expect(verificationChecks.create({ to, code: verificationCode })).resolves.toMatchObject({
      status: "approved",
      valid: true,
    });
    await expect(verificationChecks.create({ to, code: verificationCode })).rejects.toMatchObject({
      status: 404,
    });
  });

  test("stops sending codes after five, with Retry-After", async () => {
    const { verifications } = sdk.verify.v2.services(service);
    for (let i = 0; i < 5; i += 1) await verifications.create({ to, channel: "sms" });
    await expect(verifications.create({ to, channel: "sms" })).rejects.toMatchObject({
      status: 429,
      code: 60203,
    });
  });
});

describe("webhooks and faults", () => {
  const url = "https://edge.example/webhooks/twilio/1?x=1";
  test.each(["message.delivered", "message.received", "call.completed"])(
    "signs %s so that the SDK's verifier accepts it, and only unaltered",
    async (type) => {
      const request = await webhook?.({ url, credentials, type });
      const signature = request?.headers.get("x-twilio-signature") ?? "";
      const params = Object.fromEntries(new URLSearchParams(await request?.text()));
      expect(twilio.validateRequest(authToken, signature, url, params)).toBe(true);
      const altered = { ...params, From: "+19995550100" };
      expect(twilio.validateRequest(authToken, signature, url, altered)).toBe(false);
    },
  );

  test.each([
    ["rate_limited", 429, 20429],
    ["server_error", 500, 20500],
    ["expired_credentials", 401, 20003],
    ["forbidden", 403, 20403],
  ] as const)("%s is a RestException of %i", async (kind, status, code) => {
    simulator.fault({ vendor: "twilio", kind, times: 1 });
    await expect(sdk.balance.fetch()).rejects.toMatchObject({ status, code });
  });
});

const wire = await startSimulator({ vendors: ["twilio"] });
afterAll(() => wire.close());
const toWire = httpClientTo(
  ({ host, pathname, search }) => `${wire.url}/${host}${pathname}${search}`,
);
const theirs = twilio(accountSid, authToken, { accountSid, httpClient: toWire });
const connected = connectVendor(wire, "twilio", vendor);
const patient = "+15558675310";
const body = "Zoë & Jo: 100 % at 10+";
const statusCallback = "https://clinic.example/twilio?visit=42&x=1";
const soon = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3_600_000);
const calls = (request: Partial<Parameters<typeof theirs.calls.create>[0]>) =>
  theirs.calls.create({ to, from, ...request } as Parameters<typeof theirs.calls.create>[0]);

testParity(connected, {
  rows: [
    ["test", {}, () => theirs.api.v2010.accounts(accountSid).fetch()],
    ["sendSMS", { to, body }, () => theirs.messages.create({ to, body, messagingServiceSid })],
    [
      "sendSMS",
      {
        to,
        message: body,
        from,
        mediaUrls: ["https://clinic.example/a.png", "https://clinic.example/b.png?x=1&y=2"],
        statusCallback,
      },
      () =>
        theirs.messages.create({
          to,
          body,
          from,
          mediaUrl: ["https://clinic.example/a.png", "https://clinic.example/b.png?x=1&y=2"],
          statusCallback,
        }),
    ],
    [
      "sendSMS",
      { to, body, sendAt: soon.toISOString().replace(".000Z", "Z") },
      () =>
        theirs.messages.create({
          to,
          body,
          messagingServiceSid,
          scheduleType: "fixed",
          sendAt: soon,
        }),
    ],
    ["getSMS", { id: seeded.message }, () => theirs.messages(seeded.message).fetch()],
    [
      "listSMS",
      { to: patient, from, limit: 5 },
      () => theirs.messages.page({ to: patient, from, pageSize: 5 }),
    ],
    [
      "listSMS",
      { limit: 5, cursor: "1.PASM1" },
      () => theirs.messages.page({ pageSize: 5, pageNumber: 1, pageToken: "PASM1" }),
    ],
    [
      "listSMS",
      { limit: 5, sentOnOrAfter: "2026-11-01" },
      () => theirs.messages.page({ pageSize: 5, dateSentAfter: new Date("2026-11-01") }),
    ],
    ["deleteSMS", { id: seeded.message }, () => theirs.messages(seeded.message).remove()],
    [
      "makeCall",
      { to, say: "Ana <Lopez> & Jo", language: "es-MX" },
      () =>
        calls({
          twiml: '<Response><Say language="es-MX">Ana &#60;Lopez&#62; &#38; Jo</Say></Response>',
        }),
    ],
    [
      "makeCall",
      { to, url: "https://clinic.example/twiml.xml", statusCallback },
      () =>
        calls({
          url: "https://clinic.example/twiml.xml",
          statusCallback,
          statusCallbackEvent: ["initiated", "ringing", "answered", "completed"],
        }),
    ],
    [
      "makeCall",
      { to, from, twiml: "<Response><Pause/></Response>" },
      () => calls({ twiml: "<Response><Pause/></Response>" }),
    ],
    ["getCall", { id: seeded.call }, () => theirs.calls(seeded.call).fetch()],
    [
      "startVerification",
      { to, channel: "call" },
      () => theirs.verify.v2.services(service).verifications.create({ to, channel: "call" }),
    ],
    [
      "checkVerification",
      { to: patient, code: "000000" },
      () =>
        theirs.verify.v2
          .services(service)
          .verificationChecks.create({ to: patient, code: "000000" }),
    ],
  ],
});

test("an API key proves itself as the SDK's does, in the name of the account", async () => {
  const { apiKeySid, apiKeySecret } = twilioApiKey;
  const keyed = twilio(apiKeySid, apiKeySecret, { accountSid, httpClient: toWire });
  const said = await saidBy(connected, () => keyed.messages(seeded.message).fetch());
  const values = connected.changed({ apiKeySid, apiKeySecret });
  const ours = await saidBy(connected, () =>
    connected.run("getSMS", { id: seeded.message }, values),
  );
  expect(ours).toEqual(said);
  expect(ours).toMatchObject([{ authorization: { basic: `${apiKeySid}:${apiKeySecret}` } }]);
});

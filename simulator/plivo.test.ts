import { createRequire } from "node:module";

import * as plivo from "plivo";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import type { FieldValues } from "../handlers/fields.ts";
import { openSpeech } from "../handlers/plivo-speech.ts";
import { vendor } from "../handlers/plivo.ts";
import { plivoCode, signPlivo } from "./plivo.ts";
import { startSimulator } from "./server.ts";
import { causesOf, connectVendor, testParity } from "./wire.ts";

const simulator = await startSimulator({ vendors: ["plivo"] });
const connected = connectVendor(simulator, "plivo", vendor);
const { credentials, run } = connected;
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

/** The SDK has its addresses built in; its HTTP client sends them here. */
const { default: axios } = createRequire(createRequire(import.meta.url).resolve("plivo"))(
  "axios",
) as { default: { defaults: { adapter: unknown } } };
axios.defaults.adapter = async (config: Sent) => {
  const response = await simulator.fetch(config.url, {
    method: config.method,
    headers: config.headers.toJSON(),
    ...(config.data && config.method !== "get" ? { body: config.data } : {}),
  });
  const text = await response.text();
  const { status } = response;
  const reply = { status, config, headers: {}, data: text ? JSON.parse(text) : "" };
  if (response.ok) return reply;
  throw Object.assign(new Error(text), { config, response: reply });
};
type Sent = {
  method: string;
  url: string;
  data?: string;
  headers: { toJSON: () => Record<string, string> };
};

const client = (token = String(credentials["authToken"])) =>
  new plivo.Client(String(credentials["authId"]), token);
const sdk = client();
const to = "+14155550101";
const body = "Your appointment is confirmed!";
const call = "9834029e-58b6-11e1-b8b7-a5bd0e4e126f";
const message = "5b40a428-bfc7-4daf-9d06-726c558bf3b8";
const session = "4124e518-a8c9-4feb-8cff-d86636ba9234";

describe("the simulation, as the SDK knows it", () => {
  test("reads the account, and refuses another token", async () => {
    await expect(sdk.accounts.get()).resolves.toMatchObject({ name: "Simulated Clinic" });
    await expect(client("another").accounts.get()).rejects.toMatchObject({ status: 401 });
  });

  test.each([
    [{ src: "14155550199", dst: "14155550101", text: body }, "not a number of this account"],
    [{ src: "14155550100", dst: "555", text: body }, "invalid dst"],
    [{ src: "14155550100", dst: "14155550101" }, "text is a mandatory parameter"],
  ])("refuses %j", async (sent, why) => {
    const { src, dst, text } = sent as Record<string, string>;
    const refused = await sdk.messages
      .create(src ?? "", dst ?? "", text ?? "")
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 400, message: expect.stringContaining(why) });
  });

  test("delivers a text, and a call ends when it is hung up", async () => {
    const sent = await sdk.messages.create("14155550100", "14155550101", body);
    const read = await sdk.messages.get(sent.messageUuid[0] ?? "");
    expect(read.messageState).toBe("delivered");
    await expect(sdk.calls.get(call)).rejects.toMatchObject({ status: 404 });
    await sdk.calls.hangup(call);
    await expect(sdk.calls.get(call)).resolves.toMatchObject({ callState: "ANSWER" });
  });

  test.each(["message.delivered", "message.received", "call.completed"])(
    "signs %s so that the SDK's verifier accepts it, and only unaltered",
    async (type) => {
      const url = "https://edge.example/webhooks/plivo/1?x=1";
      const token = String(credentials["authToken"]);
      const request = await simulator.simulation("plivo").webhook?.({ url, credentials, type });
      const signature = request?.headers.get("x-plivo-signature-v3") ?? "";
      const nonce = request?.headers.get("x-plivo-signature-v3-nonce") ?? "";
      const form = Object.fromEntries(new URLSearchParams(await request?.text()));
      expect(plivo.validateV3Signature("POST", url, nonce, token, signature, form)).toBe(true);
      const altered = { ...form, From: "19995550100" };
      expect(plivo.validateV3Signature("POST", url, nonce, token, signature, altered)).toBe(false);
    },
  );
});

const url = "https://clinic.example/plivo.xml";
testParity(connected, {
  rows: [
    [
      "sendSMS",
      { to, body },
      () => sdk.messages.create("14155550100", "14155550101", body, { log: false }),
    ],
    [
      "sendSMS",
      {
        to,
        body,
        from: "+14155550100",
        mediaUrls: ["https://clinic.example/a.png"],
        dltEntityId: "1101456789012345678",
        dltTemplateId: "1107161234567890123",
        statusCallback: "https://clinic.example/plivo?x=1",
        log: true,
      },
      () =>
        sdk.messages.create("14155550100", "14155550101", body, {
          type: "mms",
          media_urls: ["https://clinic.example/a.png"],
          dlt_entity_id: "1101456789012345678",
          dlt_template_id: "1107161234567890123",
          url: "https://clinic.example/plivo?x=1",
          method: "POST",
          log: true,
        }),
    ],
    ["getSMS", { id: message }, () => sdk.messages.get(message)],
    [
      "listSMS",
      { direction: "outbound", limit: 5 },
      () => sdk.messages.list({ message_direction: "outbound", limit: 5, offset: 0 }),
    ],
    [
      "listSMS",
      { status: "delivered", limit: 5, cursor: "5" },
      () => sdk.messages.list({ message_state: "delivered", limit: 5, offset: 5 }),
    ],
    [
      "startVerification",
      { to, channel: "voice" },
      () => sdk.verify_session.create({ recipient: "14155550101", channel: "voice" }),
    ],
    [
      "checkVerification",
      { id: session, code: "000000" },
      () => sdk.verify_session.validate({ id: session, otp: "000000" }).catch(() => undefined),
    ],
    ["lookupNumber", { number: to }, () => sdk.lookup.get(to)],
    ["listNumbers", {}, () => sdk.numbers.list({ limit: 20, offset: 0 })],
    ["listNumbers", { limit: 1, cursor: "1" }, () => sdk.numbers.list({ limit: 1, offset: 1 })],
    [
      "getBalance",
      {},
      () => sdk.accounts.get(),
      {
        but: "the SDK sends a doubled slash",
        ours: (sdks) =>
          sdks.map((each) => ({ ...each, address: each.address.replace(/\/\/$/, "/") })),
      },
    ],
    [
      "hangUp",
      { id: call },
      () => sdk.calls.hangup(call),
      {
        but: "the SDK sends an empty object, for which a DELETE has no use",
        ours: (sdks) =>
          sdks.map(({ type, body: sent, ...rest }) => {
            expect([type, sent]).toEqual(["application/json", {}]);
            return rest;
          }),
      },
    ],
    [
      "makeCall",
      { to, from: "+14155550100", url },
      () => sdk.calls.create("14155550100", "14155550101", url, { answerMethod: "POST" }),
      {
        but: "we tell where the end of the call is to be reported",
        ours: (sdks) =>
          sdks.map((each) => ({
            ...each,
            body: {
              ...Object(each.body),
              hangup_url: credentials["answerUrl"],
              hangup_method: "POST",
            },
          })),
      },
    ],
    [
      "getCall",
      { id: call },
      () => sdk.calls.get(call).catch(() => sdk.calls.getLiveCall(call)),
      {
        but: "the SDK leaves the last slash out of the address of a live call",
        ours: (sdks) =>
          sdks.map((each, i) => (i === 1 ? { ...each, address: `${each.address}/` } : each)),
      },
    ],
  ],
  beyond: {
    "makeCall.say": "what Plivo fetches is sealed into the address, anew each time: tested below",
    "makeCall.language": "it is sealed with what is said",
  },
});

describe("the handler", () => {
  test("says whose account it is", async () => {
    await expect(connected.test()).resolves.toMatchObject({
      account: "Simulated Clinic (MAXXXXXXXXXXXXXXXXXX)",
    });
  });

  test("names each way in which its test can fail", async () => {
    const authToken = "AnotherAnotherAnotherAnotherAnother";
    expect(await causesOf(connected, { ...credentials, authToken })).toEqual({
      wrongKey: "credentials_rejected",
      // Plivo's tokens do not expire; a replaced one is refused like a wrong one.
      expiredKey: "credentials_rejected",
      missingScope: "forbidden",
      unreachable: "vendor_unavailable",
      tooMany: "rate_limited",
      garbage: "unexpected_reply",
    });
  });

  test.each(Object.entries(vendor.operations))(
    "%s: its example works against the simulation",
    async (name, { example, result }) => {
      const code = { ...example.params, ...("code" in example.params && { code: plivoCode }) };
      expect(result.safeParse(await run(name, code)).error).toBeUndefined();
    },
  );

  test("approves the right code only", async () => {
    const wrong = await run("checkVerification", { id: session, code: "000000" });
    expect(wrong).toEqual({ approved: false, status: "pending" });
    const right = await run("checkVerification", { id: session, code: plivoCode });
    expect(right).toEqual({ approved: true, status: "approved" });
    await expect(run("checkVerification", { id: session, code: plivoCode })).rejects.toMatchObject({
      failure: "not_found",
    });
  });

  test("pages through texts, newest first", async () => {
    for (let i = 0; i < 4; i += 1) await run("sendSMS", { to, body });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = (await run("listSMS", { limit: 2, ...(cursor && { cursor }) })) as {
        messages: { id: string }[];
        next?: string;
      };
      seen.push(...page.messages.map(({ id }) => id));
      cursor = page.next;
    } while (cursor);
    expect(new Set(seen).size).toBe(5);
    expect(seen.at(-1)).toBe(message);
  });

  test("says that a sender or the webhook address is missing before it asks Plivo", async () => {
    const { authId = "", authToken = "" } = credentials;
    const bare = { authId, authToken };
    const refused = { failure: "not_configured", mayHaveHappened: false };
    await expect(run("sendSMS", { to, body }, { values: bare })).rejects.toMatchObject(refused);
    const numbered = { ...bare, fromNumber: "+14155550100" };
    await expect(run("makeCall", { to, say: "Hello" }, { values: numbered })).rejects.toMatchObject(
      refused,
    );
    expect(simulator.requests("plivo")).toEqual([]);
  });
});

describe("a call that speaks", () => {
  const say = "José, your result is <ready> & fine. ✓";
  const answerUrl = "https://integrations.example.com/webhooks/plivo/0190a1b2?x=1";
  const values: FieldValues = { ...credentials, answerUrl };
  const token = String(values["authToken"]);

  async function placed() {
    await run("makeCall", { to, say, language: "es-US" }, { values });
    const [recorded] = simulator.requests("plivo");
    const sent = JSON.parse(Buffer.from(recorded?.body ?? "").toString()) as { answer_url: string };
    return sent.answer_url;
  }
  async function answer(url: string) {
    const form = { CallUUID: call, CallStatus: "in-progress", Event: "StartApp" };
    const incoming = {
      method: "POST",
      url,
      headers: new Headers({
        "x-plivo-signature-v3": signPlivo(url, form, token)("12345678901234567890"),
        "x-plivo-signature-v3-nonce": "12345678901234567890",
      }),
      body: new Uint8Array(Buffer.from(new URLSearchParams(form).toString())),
    };
    const held = { ...values, authToken: token, webhookToken: "unused" };
    const verdict = await vendor.webhooks?.verify.verify(incoming, held as never, 0);
    expect(verdict).toEqual({ ok: true });
    return vendor.webhooks?.handshake?.(incoming, held as never);
  }

  test("tells Plivo the text when it asks, and nobody who reads the address", async () => {
    const url = await placed();
    expect(new URL(url).searchParams.get("x")).toBe("1");
    expect(decodeURIComponent(url)).not.toMatch(/José|result/);
    const response = await answer(url);
    expect(response?.headers.get("content-type")).toBe("text/xml");
    expect(await response?.text()).toBe(
      '<?xml version="1.0" encoding="UTF-8"?><Response><Speak language="es-US">José, your result is &#60;ready&#62; &#38; fine. ✓</Speak></Response>',
    );
  });

  test("says nothing that was not sealed with the account's own token", async () => {
    const sealed = new URL(await placed()).searchParams.get("say") ?? "";
    expect(await openSpeech(sealed, token)).toEqual({ say, language: "es-US" });
    expect(await openSpeech(sealed, "another")).toBeUndefined();
    for (const text of ["", "A", "not base64!", sealed.slice(2), `${sealed}A`])
      expect(await openSpeech(text, token)).toBeUndefined();
    const response = await answer(`${answerUrl}&say=${sealed.slice(2)}`);
    expect(await response?.text()).toMatch(/<Response><\/Response>$/);
  });

  test("is an event where Plivo reports, and does not ask", async () => {
    expect(await answer(answerUrl)).toBeUndefined();
  });
});

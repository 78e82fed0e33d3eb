import { createHmac, createPublicKey } from "node:crypto";

import { tokenGenerate, verifySignature } from "@vonage/jwt";
import { Vonage } from "@vonage/server-sdk";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import type { FieldValues } from "../handlers/fields.ts";
import { vonageSms } from "../handlers/vonage-signature.ts";
import { vendor } from "../handlers/vonage.ts";
import { startSimulator } from "./server.ts";
import { demoKey } from "./smart/keys.ts";
import { vonageCode } from "./vonage.ts";
import { seeded } from "./vonage/video.ts";
import { causesOf, connectVendor, testParity } from "./wire.ts";

const simulator = await startSimulator({ vendors: ["vonage"] });
const connected = connectVendor(simulator, "vonage", vendor);
const { credentials, run } = connected;
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const apiKey = String(credentials["apiKey"]);
const applicationId = String(credentials["applicationId"]);
const privateKey = String(credentials["privateKey"]);
const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "pem" }).toString();
const sdk = new Vonage(
  { apiKey, apiSecret: String(credentials["apiSecret"]), applicationId, privateKey },
  {
    apiHost: `${simulator.url}/api.nexmo.com`,
    restHost: `${simulator.url}/rest.nexmo.com`,
    videoHost: `${simulator.url}/video.api.vonage.com`,
  },
);
const to = "+14155550101";
const body = "Your appointment is confirmed!";
const message = "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab";
const call = "63f61863-4a51-4f6b-86e1-46edebcf9356";
const verification = "c11236f4-00bf-4b89-84ba-88b25df97315";
const { session } = seeded;

/** Runs an SDK's function with arguments that its enums would not let through. */
const loosely = (target: object, name: string, ...args: unknown[]) =>
  (target as Record<string, (...args: unknown[]) => Promise<unknown>>)[name]?.(...args) ??
  Promise.reject(new Error(`The SDK has no ${name}`));

const phone = (number: string) => ({ type: "phone", number });

testParity(connected, {
  rows: [
    ["test", {}, () => sdk.applications.getApplication(applicationId)],
    [
      "sendSMS",
      { to, body, reference: "visit-42" },
      () =>
        loosely(sdk.messages, "send", {
          channel: "sms",
          messageType: "text",
          to: "14155550101",
          from: "14155550100",
          text: body,
          clientRef: "visit-42",
        }),
    ],
    [
      "sendSMS",
      { to, body, from: "Riverside", statusCallback: "https://clinic.example/v?x=1" },
      () =>
        loosely(sdk.messages, "send", {
          channel: "sms",
          messageType: "text",
          to: "14155550101",
          from: "Riverside",
          text: body,
          webhookUrl: "https://clinic.example/v?x=1",
          webhookVersion: "v1",
        }),
    ],
    [
      "getSMS",
      { id: message },
      () =>
        loosely(sdk.reports, "getRecords", {
          product: "MESSAGES",
          accountId: apiKey,
          direction: "outbound",
          id: message,
        }),
    ],
    [
      "makeCall",
      { to, say: "Hello", language: "es-MX" },
      () =>
        loosely(sdk.voice, "createOutboundCall", {
          to: [phone("14155550101")],
          from: phone("14155550100"),
          ncco: [{ action: "talk", text: "Hello", language: "es-MX" }],
        }),
    ],
    [
      "makeCall",
      {
        to,
        from: "+14155550100",
        url: "https://clinic.example/ncco.json",
        statusCallback: "https://clinic.example/v",
      },
      () =>
        loosely(sdk.voice, "createOutboundCall", {
          to: [phone("14155550101")],
          from: phone("14155550100"),
          answerUrl: ["https://clinic.example/ncco.json"],
          eventUrl: ["https://clinic.example/v"],
        }),
    ],
    ["getCall", { id: call }, () => sdk.voice.getCall(call)],
    ["hangUp", { id: call }, () => sdk.voice.hangupCall(call)],
    [
      "startVerification",
      { to },
      () =>
        loosely(sdk.verify2, "newRequest", {
          brand: "Riverside Clinic",
          workflow: [{ channel: "sms", to: "14155550101" }],
        }),
    ],
    [
      "startVerification",
      { to, channel: "voice" },
      () =>
        loosely(sdk.verify2, "newRequest", {
          brand: "Riverside Clinic",
          workflow: [{ channel: "voice", to: "14155550101" }],
        }),
    ],
    [
      "checkVerification",
      { id: verification, code: "0000" },
      () => sdk.verify2.checkCode(verification, "0000").catch(() => undefined),
    ],
    ["listNumbers", {}, () => sdk.numbers.getOwnedNumbers({ size: 50, index: 1 })],
    [
      "listNumbers",
      { limit: 1, cursor: "2" },
      () => sdk.numbers.getOwnedNumbers({ size: 1, index: 2 }),
    ],
    ["getBalance", {}, () => sdk.accounts.getBalance()],
    [
      "createVideoSession",
      { name: "Visit 42" },
      () => sdk.video.createSession(),
      {
        but: 'the SDK sends a location that it has not as the word "null"',
        ours: (sdks) =>
          sdks.map((each) => {
            expect(each.body).toContain("location=null");
            const form = each.body as string[];
            return { ...each, body: form.filter((field) => field !== "location=null") };
          }),
      },
    ],
    [
      "createVideoSession",
      { name: "Visit 43", record: true, mediaMode: "routed", location: "192.0.2.7" },
      () =>
        loosely(sdk.video, "createSession", {
          archiveMode: "always",
          mediaMode: "disabled",
          location: "192.0.2.7",
        }),
    ],
    [
      "createVideoSession",
      { name: "Visit 44", mediaMode: "relayed", location: "192.0.2.7" },
      () => loosely(sdk.video, "createSession", { mediaMode: "enabled", location: "192.0.2.7" }),
    ],
    ["listVideoStreams", { room: session }, () => sdk.video.getStreamInfo(session)],
    [
      "disconnectVideoUser",
      { room: session, connection: seeded.connection },
      () => sdk.video.disconnectClient(session, seeded.connection),
    ],
    [
      "startVideoRecording",
      { room: session, name: "Visit 42" },
      () =>
        loosely(sdk.video, "startArchive", session, {
          name: "Visit 42",
          hasAudio: true,
          hasVideo: true,
          outputMode: "composed",
        }),
    ],
    [
      "startVideoRecording",
      { room: session, audioOnly: true, output: "individual" },
      () =>
        loosely(sdk.video, "startArchive", session, {
          hasAudio: true,
          hasVideo: false,
          outputMode: "individual",
        }),
    ],
    ["stopVideoRecording", { id: seeded.running }, () => sdk.video.stopArchive(seeded.running)],
    ["getVideoRecording", { id: seeded.running }, () => sdk.video.getArchive(seeded.running)],
    [
      "listVideoRecordings",
      { room: session },
      () => sdk.video.searchArchives({ sessionId: session, count: 50, offset: 0 }),
    ],
    [
      "listVideoRecordings",
      { limit: 1, cursor: "1" },
      () => sdk.video.searchArchives({ count: 1, offset: 1 }),
    ],
    [
      "deleteVideoRecording",
      { id: seeded.finished },
      () => sdk.video.deleteArchive(seeded.finished),
    ],
  ],
  beyond: {
    createVideoToken: "it asks nothing of Vonage: held against the SDK's token below",
    "createVideoSession.description": "Vonage keeps no description of a session",
    lookupNumber: "the SDK has Number Insight only, which Identity Insights has taken the place of",
  },
});

describe("tokens", () => {
  const minted = async (params: object) =>
    (await run("createVideoToken", { room: session, user: "patient-1", ...params })) as {
      token: string;
      expiresAt: string;
    };

  test.each([
    [{ role: "host", ttlSeconds: 600 }, "moderator"],
    [{}, "publisher"],
  ])("of a participant say what the SDK's say: %j", async (params, role) => {
    const { token, expiresAt } = await minted(params);
    const { exp = 0, iat = 0, jti, ...claims } = decodeJwt(token);
    const expireTime = exp;
    const options = { role, data: "patient-1", expireTime };
    const theirs = sdk.video.generateClientToken(session, options as never);
    const { exp: theirEnd, iat: _iat, jti: _jti, ...theirClaims } = decodeJwt(theirs);
    expect(claims).toEqual(theirClaims);
    expect(theirEnd).toBe(exp);
    expect(decodeProtectedHeader(token)).toEqual(decodeProtectedHeader(theirs));
    expect(exp - iat).toBe("ttlSeconds" in params ? params.ttlSeconds : 3600);
    expect(expiresAt).toBe(new Date(exp * 1000).toISOString());
    expect(jti).toMatch(/^[\da-f-]{36}$/);
  });

  test("are accepted by the SDK's verifier, with the application's key only", async () => {
    const { token } = await minted({});
    expect(verifySignature(token, publicKey)).toBe(true);
    const other = createPublicKey(demoKey("RS384", "another").privateKey);
    const pem = other.export({ type: "spki", format: "pem" }).toString();
    expect(verifySignature(token, pem)).toBe(false);
    const [head, , signature] = token.split(".");
    const [, claims] = tokenGenerate(applicationId, privateKey).split(".");
    expect(verifySignature(`${head}.${claims}.${signature}`, publicKey)).toBe(false);
  });

  test("of a call hold an id and fifteen minutes, as the SDK's do", async () => {
    await run("getCall", { id: call });
    const [recorded] = simulator.requests("vonage");
    const token = recorded?.headers.get("authorization")?.replace("Bearer ", "") ?? "";
    const theirs = decodeJwt(tokenGenerate(applicationId, privateKey));
    const ours = decodeJwt(token);
    expect(Object.keys(ours).toSorted()).toEqual(Object.keys(theirs).toSorted());
    expect(Number(ours.exp) - Number(ours.iat)).toBe(Number(theirs.exp) - Number(theirs.iat));
    expect(verifySignature(token, publicKey)).toBe(true);
  });
});

describe("webhooks", () => {
  const url = "https://edge.example/webhooks/vonage/1";
  const send = async (type: string) => {
    const { webhook } = simulator.simulation("vonage");
    const request = (await webhook?.({ url, credentials, type })) ?? expect.fail();
    const token = request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
    const incoming = {
      method: request.method,
      url,
      headers: request.headers,
      body: new Uint8Array(await request.arrayBuffer()),
    };
    return { token, incoming };
  };
  const verdictOf = async (incoming: Parameters<typeof read>[0], values: FieldValues) =>
    vendor.webhooks?.verify.verify(incoming, values as never, Math.floor(Date.now() / 1000));
  const read = vendor.webhooks?.events ?? expect.fail();

  test.each(["message.delivered", "call.completed"])(
    "%s is signed so that the SDK's verifier accepts it",
    async (type) => {
      const { token } = await send(type);
      expect(verifySignature(token, String(credentials["signatureSecret"]))).toBe(true);
      expect(verifySignature(token, "another")).toBe(false);
    },
  );

  test("of video are checked with their own secret, and with the account's where they have none", async () => {
    const { incoming } = await send("video.connectionCreated");
    expect(await verdictOf(incoming, credentials)).toEqual({ ok: true });
    const { videoSignatureSecret, ...without } = credentials;
    expect(await verdictOf(incoming, without)).toMatchObject({ ok: false, reason: "mismatch" });
    const signatureSecret = String(videoSignatureSecret);
    expect(await verdictOf(incoming, { ...without, signatureSecret })).toEqual({ ok: true });
  });

  test("are asked for again where Vonage forgot to sign", async () => {
    const { incoming } = await send("message.delivered");
    incoming.headers.delete("authorization");
    const expected = { ok: false, reason: "missing", status: 503 };
    expect(await verdictOf(incoming, credentials)).toEqual(expected);
  });

  test.each([
    ["call.completed", /^call\.completed$/],
    ["message.received", /^message\.received$/],
    ["archive.available", /^archive\.available$/],
    ["video.streamCreated", /^video\.streamCreated$/],
    ["verify.completed", /^verify\.completed$/],
  ])("read as events with an id that a repetition shares: %s", async (type, expected) => {
    const { incoming } = await send(type);
    const [event] = read(incoming);
    expect(event?.type).toMatch(expected);
    expect(event?.id).toBeTruthy();
    expect(read(incoming)).toEqual([event]);
  });

  const parameters = {
    msisdn: "447700900001",
    messageId: "0A0000000123ABCD1",
    text: "a=b & c Zoë",
    timestamp: "1760000000",
  };
  const secret = "my_signature_secret_1234";
  test.each([
    ["SHA-256", "sha256", "SHA256HMAC"],
    ["SHA-512", "sha512", "SHA512HMAC"],
  ] as const)(
    "of the SMS API with %s are judged as the SDK judges them",
    async (hash, name, kind) => {
      const text = Object.entries(parameters)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => `&${key}=${value.replaceAll(/[&=]/g, "_")}`)
        .join("");
      const sig = createHmac(name, secret).update(text).digest("hex");
      const verify = (sent: Record<string, string>) =>
        vonageSms<unknown>(hash, () => secret).verify(
          {
            method: "POST",
            url,
            headers: new Headers(),
            body: new Uint8Array(Buffer.from(new URLSearchParams(sent).toString())),
          },
          {},
          1_760_000_000,
        );
      for (const sent of [parameters, { ...parameters, text: "altered" }]) {
        const theirs = sdk.sms.verifySignature(sig, sent, secret, kind as never);
        expect((await verify({ ...sent, sig })).ok).toBe(theirs);
      }
      expect((await verify({ ...parameters, sig: sig.slice(2) })).ok).toBe(false);
    },
  );
});

describe("the handler", () => {
  test("says which application it is, and for what", async () => {
    await expect(connected.test()).resolves.toEqual({
      account: `Simulated Clinic (${applicationId})`,
      checked: [
        "key and secret accepted",
        "application found",
        "private key belongs to the application",
        "enabled for messages, voice, verify, video",
      ],
    });
  });

  test("does not pass with the private key of another application, nor with none", async () => {
    const other = { ...credentials, privateKey: demoKey("RS384", "another").privateKey };
    expect(await connected.cause({ values: other })).toBe("credentials_rejected");
    const unreadable = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    expect(await connected.cause(connected.changed({ privateKey: unreadable }))).toBe(
      "credentials_rejected",
    );
  });

  test("names each way in which its test can fail", async () => {
    const apiSecret = "AnotherSecret0000";
    expect(await causesOf(connected, { ...credentials, apiSecret })).toEqual({
      wrongKey: "credentials_rejected",
      // Vonage's secrets and keys do not expire; a revoked one is refused like a wrong one.
      expiredKey: "credentials_rejected",
      missingScope: "forbidden",
      unreachable: "vendor_unavailable",
      tooMany: "rate_limited",
      garbage: "unexpected_reply",
    });
  });

  test("refuses a wrong code without forgetting the right one", async () => {
    const check = (code: string) => run("checkVerification", { id: verification, code });
    expect(await check("0000")).toEqual({ approved: false, status: "pending" });
    expect(await check(vonageCode)).toEqual({ approved: true, status: "completed" });
    await expect(check(vonageCode)).rejects.toMatchObject({ failure: "not_found" });
  });

  test("looks a number up without its plus, as Vonage's models write it", async () => {
    await run("lookupNumber", { number: to });
    const [recorded] = simulator.requests("vonage");
    expect(JSON.parse(Buffer.from(recorded?.body ?? "").toString())).toMatchObject({
      phone_number: "14155550101",
    });
  });

  test("says a long text in parts that Vonage takes, whole", async () => {
    const say = "Please bring your insurance card. ".repeat(80).trim();
    await run("makeCall", { to, say });
    const [recorded] = simulator.requests("vonage");
    const sent = JSON.parse(Buffer.from(recorded?.body ?? "").toString()) as {
      ncco: { text: string }[];
    };
    expect(sent.ncco.length).toBe(2);
    expect(sent.ncco.map(({ text }) => text).join("")).toBe(say);
  });

  test.each([
    [{ to, body, from: "+14155550199" }, "1120"],
    [{ to: "+1234567", body, from: "Clinic 24/7" }, "1120"],
  ])("tells Vonage's code for %j", async (params, vendorCode) => {
    await expect(run("sendSMS", params)).rejects.toMatchObject({
      failure: "invalid_request",
      vendorCode,
    });
  });

  test("pages through recordings", async () => {
    for (let i = 0; i < 3; i += 1) await run("startVideoRecording", { room: session });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = (await run("listVideoRecordings", { limit: 2, ...(cursor && { cursor }) })) as {
        recordings: { id: string }[];
        next?: string;
      };
      seen.push(...page.recordings.map(({ id }) => id));
      cursor = page.next;
    } while (cursor);
    expect(new Set(seen).size).toBe(5);
  });
});

import { createHash, createHmac } from "node:crypto";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { parseFields } from "./fields.ts";
import {
  braintreeChallenge,
  hubChallenge,
  urlVerification,
  validationToken,
  zoomValidation,
} from "./handshake.ts";
import { vendor } from "./rest-api.ts";
import type { Incoming } from "./signature.ts";
import vectors from "./webhook-vectors.json" with { type: "json" };

const address = "https://hooks.example.com/webhooks/x/1";
const asked = (method: string, query: Record<string, string> = {}, body = ""): Incoming => ({
  method,
  url: `${address}?${new URLSearchParams(query).toString()}`,
  headers: new Headers(),
  body: new TextEncoder().encode(body),
});
const recorded = (name: string) => {
  const vector = vectors.find((one) => one.case === name) ?? expect.fail(`no vector ${name}`);
  const incoming: Incoming = {
    method: vector.method,
    url: vector.url,
    headers: new Headers(vector.headers as Record<string, string>),
    body: new Uint8Array(Buffer.from(vector.body_base64, "base64")),
  };
  return { ...vector, incoming };
};

test("Zoom's question is answered as recorded", async () => {
  const { incoming, secret, meta } = recorded("handshake-url-validation");
  const answer = await zoomValidation(incoming, secret);
  const expected = (meta as { expected_response: { status: number; json: unknown } })
    .expected_response;
  expect(answer?.status).toBe(expected.status);
  expect(await answer?.json()).toEqual(expected.json);
  expect(await zoomValidation(asked("POST", {}, '{"event":"meeting.started"}'), secret)).toBe(
    undefined,
  );
});

test("Meta's is answered for the verify token, and for no other", async () => {
  const query = { "hub.mode": "subscribe", "hub.challenge": "1158201444" };
  const withToken = (token: string, more = {}) =>
    asked("GET", { ...query, "hub.verify_token": token, ...more });
  const answer = hubChallenge(withToken("meatyhamhock"), "meatyhamhock");
  expect(answer?.status).toBe(200);
  expect(answer?.headers.get("content-type")).toMatch(/^text\/plain/);
  expect(await answer?.text()).toBe("1158201444");
  for (const [incoming, token] of [
    [withToken("another"), "meatyhamhock"],
    [withToken(""), ""],
    [withToken("meatyhamhock"), undefined],
    [withToken("meatyhamhock", { "hub.mode": "unsubscribe" }), "meatyhamhock"],
  ] as const) {
    const refused = hubChallenge(incoming, token);
    expect(refused?.status).toBe(403);
    expect(await refused?.text()).not.toContain("1158201444");
  }
  expect(hubChallenge(asked("POST", query, "{}"), "meatyhamhock")).toBeUndefined();
  expect(hubChallenge(asked("GET"), "meatyhamhock")).toBeUndefined();
});

test("Microsoft's token comes back decoded, as text that no browser takes for a page", async () => {
  const token = "Validation: Testing client <script> +%2B";
  const answer = validationToken(asked("POST", { validationToken: token }));
  expect(answer?.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(await answer?.text()).toBe(token);
  expect(validationToken(asked("POST", {}, "{}"))).toBeUndefined();
  expect(validationToken(asked("GET", { validationToken: token }))).toBeUndefined();
});

test("Braintree's challenge is signed with the SHA-1 of the private key, and nothing else is", async () => {
  const keys = { publicKey: "integration_public_key", privateKey: "integration_private_key" };
  const challenge = "20f9f8ed05f77439fe955c977e4c8a53";
  const key = createHash("sha1").update(keys.privateKey).digest();
  const mac = createHmac("sha1", key).update(challenge).digest("hex");
  const answer = await braintreeChallenge(asked("GET", { bt_challenge: challenge }), keys);
  expect(await answer?.text()).toBe(`integration_public_key|${mac}`);
  for (const other of ["not a challenge", "20F9F8ED05F77439FE955C977E4C8A53", "ab"])
    expect(await braintreeChallenge(asked("GET", { bt_challenge: other }), keys)).toBeUndefined();
});

test("whatever is asked, none of them throws", async () => {
  const incoming = fc.record({
    method: fc.constantFrom("GET", "POST", ""),
    url: fc.oneof(fc.string(), fc.webUrl({ withQueryParameters: true })),
    headers: fc.constant(new Headers()),
    body: fc.oneof(fc.string(), fc.json()).map((text) => new TextEncoder().encode(text)),
  });
  await fc.assert(
    fc.asyncProperty(incoming, async (one) => {
      urlVerification(one);
      hubChallenge(one, "token");
      validationToken(one);
      await zoomValidation(one, "secret");
      await braintreeChallenge(one, { publicKey: "a", privateKey: "b" });
    }),
  );
});

const restApi = (fields: Record<string, string>) => {
  const { values, issues } = parseFields(vendor.steps, { authKind: "none", ...fields });
  expect(issues).toEqual([]);
  return values as never;
};

test("a system that signs a time is verified, and an old request of it refused", async () => {
  const secret = "0123456789abcdef";
  const now = 1_760_000_000;
  const body = '{"event":"meeting.started"}';
  const sign = (time: number) =>
    createHmac("sha256", secret).update(`v0:${time}:${body}`).digest("hex");
  const sent = (time: number, signature: string): Incoming => ({
    ...asked("POST", {}, body),
    headers: new Headers({ "x-zm-signature": `v0=${signature}`, "x-zm-time": String(time) }),
  });
  const fields = {
    webhookScheme: "hmac",
    webhookSecret: secret,
    webhookHeader: "X-Zm-Signature",
    webhookPrefix: "v0=",
    webhookSigned: "v0:{time}:{body}",
  };
  const values = restApi({ ...fields, webhookTimeHeader: "X-Zm-Time" });
  const verdict = async (incoming: Incoming, given = values) =>
    vendor.webhooks?.verify.verify(incoming, given, now);
  expect(await verdict(sent(now, sign(now)))).toEqual({ ok: true });
  expect(await verdict(sent(now - 301, sign(now - 301)))).toMatchObject({ reason: "stale" });
  expect(await verdict(sent(now, sign(now - 1)))).toMatchObject({ reason: "mismatch" });
  expect(await verdict(sent(now, sign(now)), restApi(fields))).toMatchObject({
    reason: "not_configured",
  });
});

test("the generic integration answers signed questions after the signature only", async () => {
  const question = asked("POST", {}, '{"type":"url_verification","challenge":"abc"}');
  const values = restApi({
    webhookHandshake: "slack",
    webhookSecret: "whsec_MDEyMzQ1Njc4OWFiY2RlZg==",
  });
  expect(vendor.webhooks?.challenge?.(question, values)).toBeUndefined();
  const answer = await vendor.webhooks?.handshake?.(question, values);
  expect(await answer?.json()).toEqual({ challenge: "abc" });
  const without = restApi({});
  expect(await vendor.webhooks?.handshake?.(question, without)).toBeUndefined();
});

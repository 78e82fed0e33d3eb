import { createHmac } from "node:crypto";

import { neon, neonConfig } from "@neondatabase/serverless";
import Stripe from "stripe";
import twilio from "twilio";
import { expect, inject, test } from "vitest";

import { addSimulated, call, newOrg, type TestOrg } from "../scripts/world.ts";

const world = inject("world");
neonConfig.fetchEndpoint = world.endpoint;
const sql = neon(world.databaseUrl);
const stripe = new Stripe("sk_test_unused");
const webhookSecret = "whsec_0123456789abcdef0123456789abcdef";

async function addStripe(org: TestOrg) {
  const reply = await org.call("POST", "/api/integrations", {
    vendor_id: "stripe",
    environment: "sandbox",
    credentials: { secretKey: "sk_test_0123456789abcdefghijklmn", webhookSecret },
  });
  expect(reply.status, JSON.stringify(reply.body)).toBe(201);
  return reply.body.data as { id: string; webhook_url: string };
}

const event = (id: string, more: object = {}) =>
  JSON.stringify({
    id,
    object: "event",
    type: "payment_intent.succeeded",
    created: 1_760_000_000,
    data: { object: { id: "pi_1" } },
    ...more,
  });
const signed = (payload: string, secret = webhookSecret) => ({
  "content-type": "application/json; charset=utf-8",
  "stripe-signature": stripe.webhooks.generateTestHeaderString({ payload, secret }),
});
const path = (url: string) => `${world.url}${new URL(url).pathname}`;
const received = async (org: TestOrg) =>
  (await org.call("GET", "/api/activity?activity_type=webhook_received")).body["count"];

test("a signed webhook is stored once, however often it comes", async () => {
  const org = await newOrg(world);
  const { webhook_url } = await addStripe(org);
  const payload = event("evt_1");
  const replies = await Promise.all(
    Array.from({ length: 8 }, () => call(path(webhook_url), "POST", payload, signed(payload))),
  );
  expect(replies.map((reply) => reply.status)).toEqual(Array(8).fill(200));
  expect(await received(org)).toBe(1);
  const again = event("evt_1", { livemode: false });
  expect((await call(path(webhook_url), "POST", again, signed(again))).status).toBe(200);
  expect(await received(org)).toBe(1);
});

test("two events whose long ids differ at their ends alone are two", async () => {
  const org = await newOrg(world);
  const { webhook_url } = await addStripe(org);
  for (const end of ["a", "b", "b"]) {
    const payload = event(`evt_${"0".repeat(400)}${end}`);
    expect((await call(path(webhook_url), "POST", payload, signed(payload))).status).toBe(200);
  }
  expect(await received(org)).toBe(2);
});

test("a webhook that is not signed with this integration's secret stores nothing", async () => {
  const org = await newOrg(world);
  const { webhook_url } = await addStripe(org);
  const payload = event("evt_2");
  const send = (headers: Record<string, string>, body = payload) =>
    call(path(webhook_url), "POST", body, headers);
  const stale = stripe.webhooks.generateTestHeaderString({
    payload,
    secret: webhookSecret,
    timestamp: Math.floor(Date.now() / 1000) - 3600,
  });
  for (const reply of [
    await send({ "content-type": "application/json" }),
    await send(signed(payload, "whsec_another")),
    await send(signed(payload), `${payload} `),
    await send({ "stripe-signature": stale }),
    await send({ "stripe-signature": "" }),
    await send({ "stripe-signature": "t=,v1=" }),
  ]) {
    expect(reply.status).toBe(401);
    expect(reply.body["code"]).toBe("webhook_rejected");
  }
  expect(await received(org)).toBe(0);
  // One row a minute, however many come: nobody can fill the log from outside.
  const rejected = await org.call("GET", "/api/activity?activity_type=webhook_rejected");
  expect(rejected.body.data).toMatchObject([{ details: { reason: "missing" } }]);
});

test("addresses that name no integration are not found", async () => {
  const org = await newOrg(world);
  const { id } = await addStripe(org);
  const payload = event("evt_3");
  for (const address of [
    `/webhooks/stripe/${crypto.randomUUID()}`,
    `/webhooks/twilio/${id}`,
    `/webhooks/nope/${id}`,
    "/webhooks/stripe/not-a-uuid",
  ])
    expect((await call(`${world.url}${address}`, "POST", payload, signed(payload))).status).toBe(
      404,
    );
});

test("a new secret is in force at once, and the old one is not", async () => {
  const org = await newOrg(world);
  const { id, webhook_url } = await addStripe(org);
  const first = event("evt_4");
  expect((await call(path(webhook_url), "POST", first, signed(first))).status).toBe(200);
  const next = "whsec_ffffffffffffffffffffffffffffffff";
  await org.call("PUT", `/api/integrations/${id}`, { credentials: { webhookSecret: next } });
  const second = event("evt_5");
  expect((await call(path(webhook_url), "POST", second, signed(second))).status).toBe(401);
  expect((await call(path(webhook_url), "POST", second, signed(second, next))).status).toBe(200);
});

test("a secret that changed where this isolate could not see it refuses no webhook", async () => {
  const org = await newOrg(world);
  const { id, webhook_url } = await addStripe(org);
  const [before] = await sql`select credentials from integrations where id = ${id}`;
  const remembered = "whsec_ffffffffffffffffffffffffffffffff";
  await org.call("PUT", `/api/integrations/${id}`, { credentials: { webhookSecret: remembered } });
  const first = event("evt_8");
  expect((await call(path(webhook_url), "POST", first, signed(first, remembered))).status).toBe(
    200,
  );
  await sql`update integrations set credentials = ${JSON.stringify(before?.["credentials"])}::jsonb where id = ${id}`;
  const second = event("evt_9");
  expect((await call(path(webhook_url), "POST", second, signed(second))).status).toBe(200);
  expect((await call(path(webhook_url), "POST", first, signed(first, remembered))).status).toBe(
    401,
  );
});

test("a body over the limit is refused, one of 5 MB is not", async () => {
  const org = await newOrg(world);
  const { webhook_url } = await addStripe(org);
  const large = event("evt_6", { filler: "x".repeat(5 * 1024 * 1024) });
  expect((await call(path(webhook_url), "POST", large, signed(large))).status).toBe(200);
  const tooLarge = event("evt_7", { filler: "x".repeat(7 * 1024 * 1024) });
  expect((await call(path(webhook_url), "POST", tooLarge, signed(tooLarge))).status).toBe(413);
});

test("a handshake is answered for the right verify token alone, and is no event", async () => {
  const org = await newOrg(world);
  const token = "a verify token of the clinic";
  const reply = await org.call("POST", "/api/integrations", {
    vendor_id: "rest-api",
    environment: "sandbox",
    api_endpoint: "https://api.clinic.example/v1",
    credentials: {
      authKind: "none",
      webhookScheme: "hmac",
      webhookSecret: "5ec7e7-of-a-webhook",
      webhookHandshake: "hub",
      webhookVerifyToken: token,
    },
  });
  expect(reply.status, JSON.stringify(reply.body)).toBe(201);
  const { webhook_url } = reply.body.data as { webhook_url: string };
  const ask = (given: string) => {
    const query = new URLSearchParams({
      "hub.mode": "subscribe",
      "hub.challenge": "1158201444",
      "hub.verify_token": given,
    });
    return fetch(`${path(webhook_url)}?${query.toString()}`);
  };
  const answer = await ask(token);
  expect([answer.status, await answer.text()]).toEqual([200, "1158201444"]);
  expect(answer.headers.get("set-cookie")).toBeNull();
  expect((await ask("another")).status).toBe(403);
  expect(await received(org)).toBe(0);
});

const added = async (org: TestOrg, vendorId: string, credentials?: object) =>
  new URL((await addSimulated(org, vendorId, { ...(credentials && { credentials }) })).webhook_url);

test("an address that is signed is the public one, whatever host the request came to", async () => {
  const authToken = "5d41402abc4b2a76b9719d911017c592";
  const url = await added(await newOrg(world), "twilio", { authToken });
  const fields = { MessageSid: "SM1", MessageStatus: "delivered" };
  const post = async (signedFor: string) => {
    const signature = twilio.getExpectedTwilioSignature(authToken, signedFor, fields);
    const headers = { "x-twilio-signature": signature };
    const body = new URLSearchParams(fields);
    return (await fetch(world.url + url.pathname, { method: "POST", headers, body })).status;
  };
  expect(await post(url.href)).toBe(200);
  expect(await post(world.url + url.pathname)).toBe(401);
});

test("of webhooks without a body the query tells one from another, and is kept without its token", async () => {
  const org = await newOrg(world);
  const url = await added(org, "exotel");
  const token = url.searchParams.get("token") ?? "none";
  for (const step of ["1", "2", "2"]) {
    const query = new URLSearchParams({ CallSid: "passthru", digits: step, token });
    expect((await fetch(`${world.url}${url.pathname}?${query}`)).status).toBe(200);
  }
  const events = (await org.call("GET", "/api/events")).body.data as { id: string }[];
  const opened = await Promise.all(
    events.map(async ({ id }) => {
      const { data } = (await org.call("GET", `/api/events/${id}`)).body;
      return JSON.parse((data as { payload: { data: string } }).payload.data) as object;
    }),
  );
  expect(opened).toEqual(["2", "1"].map((digits) => ({ CallSid: "passthru", digits })));
});

test("a batch is as many events, but one beyond a hundred: each is kept with the whole body", async () => {
  const org = await newOrg(world);
  const webhookSecret = "notification-secret-0123456789abcdef";
  const url = await added(org, "athenahealth", { webhookSecret });
  const send = async (length: number) => {
    const notificationEvent = Array.from({ length }, (_, at) => ({ id: `${length}-${at}` }));
    const resource = { resourceType: "SubscriptionStatus", topic: "x/Patient.update" };
    const body = JSON.stringify({
      resourceType: "Bundle",
      type: "history",
      entry: [{ resource: { ...resource, notificationEvent } }],
    });
    const signature = createHmac("sha256", webhookSecret).update(body).digest("hex");
    const headers = {
      "content-type": "application/json",
      "x-hub-signature": `sha256=${signature}`,
    };
    expect((await call(world.url + url.pathname, "POST", body, headers)).status).toBe(200);
    return received(org);
  };
  expect(await send(3)).toBe(3);
  expect(await send(101)).toBe(4);
});

import { neon, neonConfig } from "@neondatabase/serverless";
import Stripe from "stripe";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { eventually, type Receiver, startReceiver } from "../scripts/receiver.ts";
import { call, newMember, newOrg, startWorld, type TestOrg, type World } from "../scripts/world.ts";

/** A world of its own: these tests play the clock. */
let world: World;
const receivers: Receiver[] = [];
beforeAll(async () => {
  world = await startWorld(inject("world").engine);
});
afterAll(async () => {
  await Promise.all(receivers.map((one) => one.close()));
  await world.stop();
});

const place = () => ({
  url: world.url,
  databaseUrl: world.database.url,
  endpoint: world.database.endpoint,
  publicUrl: world.url.replace("127.0.0.1", "localhost"),
});
const database = () => {
  neonConfig.fetchEndpoint = world.database.endpoint;
  return neon(world.database.url);
};
const webhookSecret = "whsec_0123456789abcdef0123456789abcdef";
const stripe = new Stripe("sk_test_unused");

async function receiver() {
  const one = await startReceiver(world.simulator.url);
  receivers.push(one);
  return one;
}

async function addStripe(org: TestOrg, environment = "sandbox") {
  const prefix = environment === "sandbox" ? "sk_test" : "sk_live";
  const reply = await org.call("POST", "/api/integrations", {
    vendor_id: "stripe",
    environment,
    credentials: { secretKey: `${prefix}_0123456789abcdefghijklmn`, webhookSecret },
  });
  expect(reply.status, JSON.stringify(reply.body)).toBe(201);
  return reply.body.data as { id: string; webhook_url: string };
}

type Destination = {
  id: string;
  secret: string;
  status: string;
  status_reason: string | null;
  breaker: string;
  held_until: string | null;
  next_probe_at: string | null;
  waiting: Record<string, number>;
};
async function addDestination(org: TestOrg, to: Receiver, more: object = {}) {
  const reply = await org.call("POST", "/api/destinations", { name: "Ours", url: to.url, ...more });
  expect(reply.status, JSON.stringify(reply.body)).toBe(201);
  const destination = reply.body.data as Destination;
  to.secrets.push(destination.secret);
  return destination;
}
const readDestination = async (org: TestOrg, id: string) =>
  (await org.call("GET", `/api/destinations/${id}`)).body.data as Destination;

let counter = 0;
async function post(webhookUrl: string, type = "payment_intent.succeeded", more: object = {}) {
  counter += 1;
  const id = `evt_${counter}`;
  const payload = JSON.stringify({
    id,
    object: "event",
    type,
    created: 1_760_000_000,
    data: { object: { id: "pi_1", amount: 12 } },
    ...more,
  });
  const signature = stripe.webhooks.generateTestHeaderString({ payload, secret: webhookSecret });
  const reply = await call(`${world.url}${new URL(webhookUrl).pathname}`, "POST", payload, {
    "content-type": "application/json",
    "stripe-signature": signature,
  });
  expect(reply.status).toBe(200);
  return payload;
}

type Delivery = {
  id: string;
  event_id: string;
  destination_id: string;
  state: string;
  attempts: number;
  failures: number;
  next_attempt_at: string | null;
  last_status: number | null;
  last_cause: string | null;
};
type Try = Record<string, unknown> & {
  status: number;
  cause: string | null;
  excerpt: string | null;
  probe: boolean;
};
const list = async (org: TestOrg, query = "") =>
  (await org.call("GET", `/api/deliveries?limit=200${query}`)).body.data as Delivery[];
const inState = (org: TestOrg, state: string, count = 1, query = "") =>
  eventually(async () => {
    const rows = await list(org, `&state=${state}${query}`);
    return rows.length === count && rows;
  }, `${count} deliveries ${state}`);
const tries = async (org: TestOrg, id: string) =>
  ((await org.call("GET", `/api/deliveries/${id}`)).body.data as { tries: Try[] }).tries;

/** As if the wait were over: what is due after it, is due now. */
async function skipWait(org: TestOrg) {
  const sql = database();
  await sql`update deliveries set next_attempt_at = now() - interval '1 minute'
    where org_id = ${org.orgId} and state in ('failed', 'pending', 'delivering', 'parked')`;
  await sql`update destinations set resume_at = null,
    probe_at = case when probe_at is not null then now() - interval '1 minute' end
    where org_id = ${org.orgId}`;
  await world.worker.tick();
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.concurrent("an event", () => {
  test("goes, signed, to the destinations whose filters it fits, and to no other org", async () => {
    const [org, other] = [await newOrg(place()), await newOrg(place())];
    const [fits, wrongType, wrongVendor, foreign] = await Promise.all(
      Array.from({ length: 4 }, receiver),
    );
    if (!fits || !wrongType || !wrongVendor || !foreign) throw new Error("no receivers");
    const { id: integrationId, webhook_url } = await addStripe(org);
    await addDestination(org, fits, {
      event_types: ["stripe.payment_intent.*"],
      vendor_ids: ["stripe", "twilio"],
      integration_ids: [integrationId],
      headers: { Authorization: "Bearer destination-own-token" },
    });
    await addDestination(org, wrongType, { event_types: ["charge.*", "payment_intent"] });
    await addDestination(org, wrongVendor, { vendor_ids: ["twilio"] });
    await addDestination(other, foreign);
    const payload = await post(webhook_url);
    const [row] = await inState(org, "delivered");
    const [delivered] = fits.received;
    expect(delivered).toMatchObject({
      verified: true,
      id: row?.event_id,
      headers: {
        authorization: "Bearer destination-own-token",
        "content-type": "application/json",
        "user-agent": "EHRConnect-Webhooks/1",
      },
      body: {
        id: row?.event_id,
        type: "stripe.payment_intent.succeeded",
        timestamp: new Date(1_760_000_000_000).toISOString(),
        org_id: org.orgId,
        integration_id: integrationId,
        vendor_id: "stripe",
        data_encoding: "json",
        data: JSON.parse(payload),
      },
    });
    expect(delivered?.headers).not.toHaveProperty("webhook-replay");
    expect(await list(org)).toHaveLength(1);
    await pause(300);
    for (const silent of [wrongType, wrongVendor, foreign]) expect(silent.received).toEqual([]);
    expect(await list(other)).toEqual([]);
    const event = await org.call("GET", `/api/events/${row?.event_id}`);
    expect(event.body.data).toMatchObject({
      type: "payment_intent.succeeded",
      status: "processed",
      deliveries: { delivered: 1 },
      payload: { encoding: "json", data: payload },
      destinations: [{ state: "delivered", last_status: 200 }],
    });
  });

  test("is tried again by its schedule until the endpoint takes it, always under the same id", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    await addDestination(org, to);
    to.answer = () => ({
      status: to.received.length < 3 ? 500 : 204,
      headers: { "content-type": "application/json" },
      ...(to.received.length < 3
        ? { body: '{"error":"sorry","token":"abcdef","note":"Bearer abc.def"}' }
        : {}),
    });
    await post(webhook_url);
    const [first] = await inState(org, "failed");
    const wait = Date.parse(first?.next_attempt_at ?? "") - (to.received[0]?.at ?? 0);
    expect(wait).toBeGreaterThanOrEqual(4_990);
    expect(wait).toBeLessThan(8_000);
    // The second attempt is the destination's own alarm: nobody ticks here.
    await eventually(() => to.received.length === 2, "the second attempt", 12_000);
    await eventually(async () => (await list(org))[0]?.failures === 2, "the second failure");
    await skipWait(org);
    const [row] = await inState(org, "delivered");
    expect(row).toMatchObject({ attempts: 3, failures: 2, last_status: 204, last_cause: null });
    expect(new Set(to.received.map((one) => one.id)).size).toBe(1);
    expect(to.received.every((one) => one.verified)).toBe(true);
    expect(await tries(org, row?.id ?? "")).toMatchObject([
      { number: 3, status: 204, cause: null, excerpt: null },
      { number: 2, status: 500, cause: "refused" },
      {
        number: 1,
        status: 500,
        cause: "refused",
        excerpt: '{"error":"sorry","token":••••,"note":"Bearer ••••"}',
      },
    ]);
  });

  test("is dead after ten attempts, and a replay sends it again under its own id", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    await addDestination(org, to);
    to.answer = () => ({ status: 400 });
    await post(webhook_url);
    for (let attempts = 1; attempts < 10; attempts++) {
      await eventually(
        async () => (await list(org, "&state=failed"))[0]?.failures === attempts,
        `failure ${attempts}`,
      );
      await skipWait(org);
    }
    const [dead] = await inState(org, "dead");
    expect(dead).toMatchObject({ attempts: 10, failures: 10, last_status: 400 });
    expect(to.received).toHaveLength(10);
    const logged = await org.call("GET", "/api/activity?activity_type=delivery_dead");
    expect(logged.body["count"]).toBe(1);
    to.answer = () => ({ status: 200 });
    const replay = await org.call("POST", `/api/events/${dead?.event_id}/replay`);
    expect(replay.body.data).toMatchObject({ deliveries: 1 });
    await inState(org, "delivered");
    const last = to.received.at(-1);
    expect(last).toMatchObject({ verified: true, headers: { "webhook-replay": "true" } });
    expect(last?.id).toBe(to.received[0]?.id);
  });
});

describe.concurrent("a destination", () => {
  test("that answers 410 is disabled with its reason; what waits is parked and goes out later", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    const { id } = await addDestination(org, to, { concurrency: 1 });
    to.answer = () => ({ status: to.received.length === 1 ? 500 : 410 });
    await post(webhook_url);
    await inState(org, "failed");
    await post(webhook_url);
    await inState(org, "dead");
    await inState(org, "parked");
    expect(await readDestination(org, id)).toMatchObject({
      status: "disabled",
      status_reason: "The endpoint answered 410 Gone",
    });
    const logged = await org.call("GET", "/api/activity?activity_type=destination_disabled");
    expect(logged.body["count"]).toBe(1);
    await post(webhook_url);
    await pause(1_500);
    expect(to.received).toHaveLength(2);
    to.answer = () => ({ status: 200 });
    await org.call("PUT", `/api/destinations/${id}`, { status: "enabled" });
    await inState(org, "delivered");
    expect(await readDestination(org, id)).toMatchObject({
      status: "enabled",
      status_reason: null,
    });
  });

  test("that answers 429 is left alone for as long as it asks", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    const { id } = await addDestination(org, to);
    to.answer = () => ({ status: 429, headers: { "retry-after": "1000" } });
    await post(webhook_url);
    const [row] = await inState(org, "failed");
    const asked = (to.received[0]?.at ?? 0) + 1_000_000;
    expect(Date.parse(row?.next_attempt_at ?? "")).toBeGreaterThanOrEqual(asked);
    const { held_until: held } = await readDestination(org, id);
    expect(Math.abs(Date.parse(held ?? "") - asked)).toBeLessThan(5_000);
    await post(webhook_url);
    await inState(org, "pending");
    await world.worker.tick();
    await pause(1_500);
    expect(to.received).toHaveLength(1);
    to.answer = () => ({ status: 200 });
    await skipWait(org);
    await inState(org, "delivered", 2);
  });

  test("that keeps failing is left alone but for probes; nothing is lost, and order is kept", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    const { id } = await addDestination(org, to);
    to.answer = () => ({ status: 503 });
    for (let i = 0; i < 6; i++) await post(webhook_url);
    await eventually(async () => (await readDestination(org, id)).breaker === "open", "it opens");
    await inState(org, "parked", 6);
    const sent = to.received.length;
    await post(webhook_url);
    await inState(org, "parked", 7);
    await world.worker.tick();
    await pause(1_000);
    expect(to.received).toHaveLength(sent);
    // A probe that fails is an attempt that does not count.
    await skipWait(org);
    await eventually(() => to.received.length === sent + 1, "a probe");
    await inState(org, "parked", 7);
    expect((await list(org)).every((row) => row.failures <= 1)).toBe(true);

    to.answer = () => ({ status: 200 });
    const from = to.received.length;
    await skipWait(org);
    const rows = await inState(org, "delivered", 7);
    const order = to.received.slice(from).map((one) => one.id);
    expect(order).toEqual(rows.map((row) => row.event_id).toReversed());
    await eventually(
      async () => (await readDestination(org, id)).breaker === "closed",
      "it closes",
    );
    const logged = (await org.call("GET", "/api/activity")).body.data as {
      activity_type: string;
    }[];
    const types = logged.map((row) => row.activity_type);
    expect(types.filter((type) => type.startsWith("breaker"))).toEqual([
      "breaker_closed",
      "breaker_opened",
    ]);
  });

  test("whose breaker a single bad event cannot open, gets every other event", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    const { id } = await addDestination(org, to);
    to.answer = ({ body }) => ({ status: body.type.endsWith("charge.failed") ? 500 : 200 });
    await post(webhook_url, "charge.failed");
    for (let failures = 1; failures < 7; failures++) {
      await eventually(
        async () => (await list(org, "&state=failed"))[0]?.failures === failures,
        `failure ${failures}`,
      );
      await skipWait(org);
    }
    expect((await readDestination(org, id)).breaker).toBe("closed");
    await post(webhook_url);
    await inState(org, "delivered");
  });

  test("that is paused keeps its events, and gets them in order when it goes on", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    const { id } = await addDestination(org, to, { status: "paused" });
    for (let i = 0; i < 5; i++) await post(webhook_url);
    await inState(org, "parked", 5);
    await world.worker.tick();
    expect(to.received).toEqual([]);
    await org.call("PUT", `/api/destinations/${id}`, { status: "enabled" });
    const rows = await inState(org, "delivered", 5);
    expect(to.received.map((one) => one.id)).toEqual(rows.map((row) => row.event_id).toReversed());
    expect(to.peak).toBe(1);
  });

  test("never has more requests under way than it allows", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    await addDestination(org, to, { concurrency: 3 });
    to.answer = () => ({ status: 200, delayMs: 100 });
    await Promise.all(Array.from({ length: 20 }, () => post(webhook_url)));
    await inState(org, "delivered", 20);
    expect(to.peak).toBe(3);
  });

  test("verifies with the old and the new secret while they overlap, and then only with the new", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    const { id, secret } = await addDestination(org, to);
    const rotated = await org.call("POST", `/api/destinations/${id}/rotate-secret`);
    const next = (rotated.body.data as Destination).secret;
    expect(next).not.toBe(secret);
    await post(webhook_url);
    await eventually(() => to.received.length === 1, "a delivery");
    expect(to.received[0]?.verified).toBe(true);
    to.secrets = [next];
    await org.call("POST", `/api/destinations/${id}/test`);
    expect(to.received[1]).toMatchObject({ verified: true, body: { type: "test.ping" } });
    expect(to.received[1]?.headers["webhook-signature"]?.split(" ")).toHaveLength(2);
    const hard = await org.call("POST", `/api/destinations/${id}/rotate-secret`, {
      overlap_hours: 0,
    });
    to.secrets = [(hard.body.data as Destination).secret];
    await org.call("POST", `/api/destinations/${id}/test`);
    expect(to.received[2]?.verified).toBe(true);
    // The first rotation promised a day: the first secret still signs, the one in between does not.
    to.secrets = [next];
    await org.call("POST", `/api/destinations/${id}/test`);
    expect(to.received[3]?.verified).toBe(false);
  });

  test("is refused where its address could reach inside, or back to us", async () => {
    const org = await newOrg(place());
    for (const url of [
      "http://receiver.example/hooks",
      "https://localhost/hooks",
      "https://127.0.0.1/hooks",
      "https://[::1]/hooks",
      "https://2130706433/",
      "https://169.254.169.254/latest/meta-data",
      "https://metadata.google.internal/",
      "https://user:pass@receiver.example/",
      "https://receiver.example:8443/",
      "ftp://receiver.example/",
      "not a url",
    ]) {
      const reply = await org.call("POST", "/api/destinations", { name: "Bad", url });
      expect(reply.status, url).toBe(422);
      expect(reply.body["errors"], url).toMatchObject([{ path: "url" }]);
    }
    for (const name of ["webhook-signature", "Host", "content-length", "bad name"]) {
      const reply = await org.call("POST", "/api/destinations", {
        name: "Bad",
        url: "https://receiver.example/",
        headers: { [name]: "x" },
      });
      expect(reply.status, name).toBe(422);
    }
  });

  test("shows its secret once, keeps masked headers, and leaves no secret in any answer or log", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    const value = "custom-header-value-1234";
    const { id, secret } = await addDestination(org, to, { headers: { "X-Key": value } });
    const shown = await readDestination(org, id);
    expect(shown).toMatchObject({ headers: { "x-key": "••••1234" } });
    await org.call("PUT", `/api/destinations/${id}`, {
      headers: { "x-key": "••••1234", "x-more": "plain" },
    });
    to.answer = ({ headers, text }) => ({
      status: 500,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ secret, seen: headers, text }),
    });
    await post(webhook_url);
    const [row] = await inState(org, "failed");
    expect(to.received[0]?.headers).toMatchObject({ "x-key": value, "x-more": "plain" });
    const answers = JSON.stringify([
      (await org.call("GET", `/api/deliveries/${row?.id}`)).body,
      (await org.call("GET", "/api/destinations")).body,
      (await org.call("GET", "/api/activity")).body,
      (await org.call("POST", `/api/destinations/${id}/test`)).body,
      world.logs,
    ]);
    for (const canary of [secret, secret.slice(6), value]) expect(answers).not.toContain(canary);
    const stored =
      await database()`select excerpt, (select sealed from destinations where id = ${id})
      from delivery_attempts where delivery_id = ${row?.id}`;
    expect(JSON.stringify(stored)).not.toContain("seen");
  });

  test("reports what its endpoint said to a test", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { id } = await addDestination(org, to);
    const good = await org.call("POST", `/api/destinations/${id}/test`);
    expect(good.body).toMatchObject({ success: true, data: { status: 200, excerpt: "ok" } });
    to.answer = () => ({ status: 302, headers: { location: "https://elsewhere.example/" } });
    const moved = await org.call("POST", `/api/destinations/${id}/test`);
    expect(moved.body).toMatchObject({
      success: false,
      data: { status: 302, cause: "redirected" },
    });
    await to.close();
    const gone = await org.call("POST", `/api/destinations/${id}/test`);
    expect(gone.status).toBe(200);
    expect(gone.body).toMatchObject({ success: false, data: { status: null } });
  });

  test("that is deleted gets nothing more; its history stays", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    const { id } = await addDestination(org, to);
    to.answer = () => ({ status: 500 });
    await post(webhook_url);
    await inState(org, "failed");
    const removed = await org.call("DELETE", `/api/destinations/${id}`);
    expect(removed.body.data).toEqual({ id, canceled: 1 });
    expect((await org.call("GET", `/api/destinations/${id}`)).status).toBe(404);
    await post(webhook_url);
    await skipWait(org);
    await pause(1_500);
    expect(to.received).toHaveLength(1);
    expect(await list(org)).toMatchObject([{ state: "canceled", destination_id: id }]);
    const [row] = await database()`select sealed, url from destinations where id = ${id}`;
    expect(row).toEqual({ sealed: null, url: new URL(to.url).origin });
  });

  test("changes only at the version that was read", async () => {
    const org = await newOrg(place());
    const { id } = await addDestination(org, await receiver());
    const put = (version: string) =>
      org.call("PUT", `/api/destinations/${id}`, { name: "New" }, { "if-match": version });
    expect((await put('"1"')).status).toBe(200);
    expect((await put('"1"')).status).toBe(412);
  });
});

describe.concurrent("a replay", () => {
  test("takes one, several, a filter or a range; counts first when asked", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    await addDestination(org, to, { event_types: ["payment_intent.*"] });
    await post(webhook_url);
    await post(webhook_url, "charge.refunded");
    await post(webhook_url, "payment_intent.created");
    await inState(org, "delivered", 2);
    const replay = async (body: object) => {
      const reply = await org.call("POST", "/api/events/replay", body);
      expect(reply.status, JSON.stringify(reply.body)).toBe(200);
      return reply.body.data;
    };
    expect(await replay({ filter: { vendor_id: "stripe" }, dry_run: true })).toEqual({
      events: 3,
      without_payload: 0,
      not_confirmed: 0,
      deliveries: 2,
      under_way: 0,
      dry_run: true,
    });
    expect(to.received).toHaveLength(2);
    expect(await replay({ filter: { type: "stripe.*.created" } })).toMatchObject({ deliveries: 1 });
    await eventually(() => to.received.length === 3, "the replay");
    await inState(org, "delivered", 2);
    const hour = 3_600_000;
    const range = {
      from: new Date(Date.now() - hour).toISOString(),
      to: new Date(Date.now() + hour).toISOString(),
    };
    expect(await replay({ range })).toMatchObject({ events: 3, deliveries: 2 });
    await eventually(() => to.received.length === 5, "the range");
    await inState(org, "delivered", 2);
    // To a destination that did not exist when the events came, past its filter.
    const late = await receiver();
    const { id } = await addDestination(org, late, { event_types: ["nothing"] });
    expect(await replay({ range, destination_id: id })).toMatchObject({ deliveries: 3 });
    await eventually(() => late.received.length === 3, "the late destination");
    expect(late.received.every((one) => one.headers["webhook-replay"] === "true")).toBe(true);
    for (const bad of [{}, { filter: {} }, { ids: [] }, { range: { from: range.from } }])
      expect((await org.call("POST", "/api/events/replay", bad)).status).toBe(422);
  });

  test("stays within the org and the role", async () => {
    const [org, other] = [await newOrg(place()), await newOrg(place())];
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    const { id } = await addDestination(org, to);
    await post(webhook_url);
    const [row] = await inState(org, "delivered");
    const event = `/api/events/${row?.event_id}`;
    expect((await other.call("GET", event)).status).toBe(404);
    expect((await other.call("POST", `${event}/replay`)).status).toBe(404);
    expect((await other.call("GET", `/api/deliveries/${row?.id}`)).status).toBe(404);
    expect((await other.call("GET", `/api/destinations/${id}`)).status).toBe(404);
    expect((await other.call("PUT", `/api/destinations/${id}`, { name: "x" })).status).toBe(404);
    expect((await other.call("DELETE", `/api/destinations/${id}`)).status).toBe(404);
    expect((await other.call("POST", `/api/destinations/${id}/test`)).status).toBe(404);
    expect((await other.call("POST", `/api/destinations/${id}/rotate-secret`)).status).toBe(404);
    const foreign = await addDestination(other, await receiver());
    const across = { destination_id: foreign.id };
    expect((await org.call("POST", `${event}/replay`, across)).status).toBe(404);

    const viewer = await newMember(place(), org.orgId, "viewer");
    const as = (method: string, path: string, body?: unknown) =>
      call(`${world.url}${path}`, method, body, { cookie: viewer.cookie });
    const seen = await as("GET", event);
    expect(seen.body.data).toMatchObject({ payload: null, payload_withheld: "role" });
    expect((await as("POST", `${event}/replay`)).status).toBe(403);
    expect((await as("POST", "/api/destinations", { name: "x", url: to.url })).status).toBe(403);
    await org.call("GET", event);
    const opened = await org.call("GET", "/api/activity?activity_type=payload_opened");
    expect(opened.body["count"]).toBe(1);
  });
});

describe.concurrent("a payload", () => {
  test("of retention 0 is gone once it is delivered, but not before", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    await addDestination(org, to);
    const set = await org.call("PUT", "/api/events/retention", {
      default_days: 7,
      vendors: { stripe: 0 },
    });
    expect(set.status).toBe(200);
    expect((await org.call("GET", "/api/events/retention")).body.data).toEqual({
      default_days: 7,
      vendors: { stripe: 0 },
    });
    to.answer = () => ({ status: 500, headers: { "content-type": "text/plain" }, body: "no" });
    await post(webhook_url);
    const [failed] = await inState(org, "failed");
    await world.worker.tick();
    const event = `/api/events/${failed?.event_id}`;
    expect((await org.call("GET", event)).body.data).toMatchObject({ has_payload: true });
    to.answer = () => ({ status: 200 });
    await skipWait(org);
    const [row] = await inState(org, "delivered");
    const { data } = (await org.call("GET", event)).body;
    expect(data).toMatchObject({
      has_payload: false,
      payload: null,
      payload_withheld: "not_kept",
      body_hash: expect.stringMatching(/^[\da-f]{64}$/),
    });
    expect((await tries(org, row?.id ?? "")).map((one) => one.excerpt)).toEqual([null, null]);
    const replay = await org.call("POST", `${event}/replay`);
    expect(replay.status).toBe(409);
    expect(replay.body["error"]).toMatch(/no longer kept/);
  });

  test("goes when its days are over; one that was not delivered waits for 14 days, then is dead", async () => {
    const org = await newOrg(place());
    const to = await receiver();
    const { webhook_url } = await addStripe(org);
    await addDestination(org, to, { event_types: ["payment_intent.*"] });
    await org.call("PUT", "/api/events/retention", { default_days: 2, vendors: {} });
    to.answer = () => ({ status: 500 });
    await post(webhook_url);
    await post(webhook_url, "charge.refunded");
    await inState(org, "failed");
    const sql = database();
    const age = async (days: number) => {
      await sql`update events set received_at = now() - make_interval(days => ${days}::int),
        purge_at = now() - interval '1 minute' where org_id = ${org.orgId}`;
      await world.worker.tick();
    };
    const kept = async () =>
      Object.fromEntries(
        (
          (await org.call("GET", "/api/events")).body.data as {
            type: string;
            has_payload: boolean;
          }[]
        ).map((row) => [row.type, row.has_payload]),
      );
    await age(3);
    expect(await kept()).toEqual({ "payment_intent.succeeded": true, "charge.refunded": false });
    await age(15);
    expect(await kept()).toEqual({ "payment_intent.succeeded": false, "charge.refunded": false });
    expect(await list(org)).toMatchObject([{ state: "dead", last_cause: "expired" }]);
    await age(91);
    expect(await kept()).toEqual({});
  });
});

test("an event that its vendor did not sign is forwarded once the vendor's own API confirms it", async () => {
  const org = await newOrg(place());
  const to = await receiver();
  const { credentials } = world.simulator.simulation("assemblyai");
  const added = await org.call("POST", "/api/integrations", {
    vendor_id: "assemblyai",
    environment: "production",
    credentials,
  });
  expect(added.status, JSON.stringify(added.body)).toBe(201);
  const url = new URL((added.body.data as { webhook_url: string }).webhook_url);
  const address = `${world.url}${url.pathname}${url.search}`;
  await addDestination(org, to);
  const statuses = async () =>
    ((await org.call("GET", "/api/events")).body.data as { status: string }[]).map(
      (row) => row.status,
    );

  const [invented] = await world.simulator.sendWebhook("assemblyai", {
    url: address,
    credentials,
    body: { transcript_id: crypto.randomUUID(), status: "completed" },
  });
  expect(invented?.status).toBe(200);
  await eventually(async () => (await statuses())[0] === "failed", "it is refused");
  const refused = await org.call("GET", "/api/activity?activity_type=webhook_rejected");
  expect(refused.body.data).toMatchObject([{ details: { reason: "not_confirmed" } }]);

  world.simulator.fault({ vendor: "assemblyai", kind: "maintenance", times: 20 });
  const [sent] = await world.simulator.sendWebhook("assemblyai", { url: address, credentials });
  expect(sent?.status).toBe(200);
  await pause(4_000);
  expect(await statuses()).toEqual(["received", "failed"]);
  world.simulator.clearFaults("assemblyai");
  await database()`update events set process_at = now() where org_id = ${org.orgId}`;
  await world.worker.tick();
  await inState(org, "delivered");
  expect(await statuses()).toEqual(["processed", "failed"]);
  expect(to.received).toHaveLength(1);
  // The token that stands for the vendor's signature is in the address: it goes nowhere.
  const token = url.searchParams.get("token") ?? "no token";
  expect(JSON.stringify([to.received, world.logs])).not.toContain(token);
});

test("events are found by integration, vendor, type, state and time, page by page", async () => {
  const org = await newOrg(place());
  const { id, webhook_url } = await addStripe(org);
  for (const type of ["charge.refunded", "charge.failed", "payout.paid"])
    await post(webhook_url, type);
  const types = async (query: string) =>
    ((await org.call("GET", `/api/events?${query}`)).body.data as { type: string }[]).map(
      (row) => row.type,
    );
  const all = ["payout.paid", "charge.failed", "charge.refunded"];
  await eventually(async () => (await types("status=processed")).length === 3, "all are settled");
  expect(await types("")).toEqual(all);
  expect(await types("type=charge.*")).toEqual(all.slice(1));
  expect(await types("type=stripe.*.paid")).toEqual(["payout.paid"]);
  expect(await types("type=charge_failed")).toEqual([]);
  expect(await types(`integration_id=${id}&vendor_id=stripe`)).toEqual(all);
  expect(await types(`integration_id=${crypto.randomUUID()}`)).toEqual([]);
  expect(await types("vendor_id=twilio")).toEqual([]);
  expect(await types("status=received")).toEqual([]);
  expect(await types(`to=${new Date(0).toISOString()}`)).toEqual([]);
  expect(await types("delivery_state=dead")).toEqual([]);
  const first = await org.call("GET", "/api/events?limit=2");
  expect(first.body["count"]).toBe(2);
  expect(await types(`limit=2&cursor=${String(first.body["next_cursor"])}`)).toEqual([
    "charge.refunded",
  ]);
});

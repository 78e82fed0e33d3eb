import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { loadVendor, registry } from "../handlers/registry.ts";
import { type Forwarding, pause, startForwarding } from "../scripts/forwarding-world.ts";
import { eventually } from "../scripts/receiver.ts";
import { call, newMember } from "../scripts/world.ts";

let f: Forwarding;
beforeAll(async () => {
  f = await startForwarding(inject("world").engine);
});
afterAll(() => f.close());

describe.concurrent("a replay", () => {
  test("takes one, several, a filter or a range; counts first when asked", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    await f.addDestination(org, to, { event_types: ["payment_intent.*"] });
    await f.post(webhook_url);
    await f.post(webhook_url, "charge.refunded");
    await f.post(webhook_url, "payment_intent.created");
    await f.inState(org, "delivered", 2);
    const replay = async (body: object) => {
      const reply = await org.call("POST", "/api/events/replay", body);
      expect(reply.status, JSON.stringify(reply.body)).toBe(200);
      return reply.body.data;
    };
    expect(await replay({ filter: { vendor_id: "stripe" }, dry_run: true })).toEqual({
      events: 3,
      without_payload: 0,
      erased: 0,
      not_confirmed: 0,
      deliveries: 2,
      under_way: 0,
      dry_run: true,
    });
    expect(to.received).toHaveLength(2);
    expect(await replay({ filter: { type: "stripe.*.created" } })).toMatchObject({ deliveries: 1 });
    await eventually(() => to.received.length === 3, "the replay");
    await f.inState(org, "delivered", 2);
    const hour = 3_600_000;
    const range = {
      from: new Date(Date.now() - hour).toISOString(),
      to: new Date(Date.now() + hour).toISOString(),
    };
    expect(await replay({ range })).toMatchObject({ events: 3, deliveries: 2 });
    await eventually(() => to.received.length === 5, "the range");
    await f.inState(org, "delivered", 2);
    // To a destination that did not exist when the events came, past its filter.
    const late = await f.receiver();
    const { id } = await f.addDestination(org, late, { event_types: ["nothing"] });
    expect(await replay({ range, destination_id: id })).toMatchObject({ deliveries: 3 });
    await eventually(() => late.received.length === 3, "the late destination");
    expect(late.received.every((one) => one.headers["webhook-replay"] === "true")).toBe(true);
    for (const bad of [{}, { filter: {} }, { ids: [] }, { range: { from: range.from } }])
      expect((await org.call("POST", "/api/events/replay", bad)).status).toBe(422);
  });

  test("stays within the org and the role", async () => {
    const [org, other] = [await f.newOrg(), await f.newOrg()];
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    const { id } = await f.addDestination(org, to);
    await f.post(webhook_url);
    const [row] = await f.inState(org, "delivered");
    const event = `/api/events/${row?.event_id}`;
    expect((await other.call("GET", event)).status).toBe(404);
    expect((await other.call("POST", `${event}/replay`)).status).toBe(404);
    expect((await other.call("GET", `/api/deliveries/${row?.id}`)).status).toBe(404);
    expect((await other.call("GET", `/api/destinations/${id}`)).status).toBe(404);
    expect((await other.call("PUT", `/api/destinations/${id}`, { name: "x" })).status).toBe(404);
    expect((await other.call("DELETE", `/api/destinations/${id}`)).status).toBe(404);
    expect((await other.call("POST", `/api/destinations/${id}/test`)).status).toBe(404);
    expect((await other.call("POST", `/api/destinations/${id}/rotate-secret`)).status).toBe(404);
    const foreign = await f.addDestination(other, await f.receiver());
    const across = { destination_id: foreign.id };
    expect((await org.call("POST", `${event}/replay`, across)).status).toBe(404);

    const viewer = await newMember(f.place, org.orgId, "viewer");
    const as = (method: string, path: string, body?: unknown) =>
      call(`${f.world.url}${path}`, method, body, { cookie: viewer.cookie });
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
    const org = await f.newOrg();
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    await f.addDestination(org, to);
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
    await f.post(webhook_url);
    const [failed] = await f.inState(org, "failed");
    await f.world.worker.tick();
    const event = `/api/events/${failed?.event_id}`;
    expect((await org.call("GET", event)).body.data).toMatchObject({ has_payload: true });
    to.answer = () => ({ status: 200 });
    await f.skipWait(org);
    const [row] = await f.inState(org, "delivered");
    const { data } = (await org.call("GET", event)).body;
    expect(data).toMatchObject({
      has_payload: false,
      payload: null,
      payload_withheld: "not_kept",
      body_hash: expect.stringMatching(/^[\da-f]{64}$/),
    });
    expect((await f.attempts(org, row?.id ?? "")).map((one) => one.excerpt)).toEqual([null, null]);
    const replay = await org.call("POST", `${event}/replay`);
    expect(replay.status).toBe(409);
    expect(replay.body["error"]).toMatch(/no longer kept/);
  });

  test("goes when its days are over; one that was not delivered waits for 14 days, then is dead", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    await f.addDestination(org, to, { event_types: ["payment_intent.*"] });
    await org.call("PUT", "/api/events/retention", { default_days: 2, vendors: {} });
    to.answer = () => ({ status: 500 });
    await f.post(webhook_url);
    await f.post(webhook_url, "charge.refunded");
    await f.inState(org, "failed");
    const sql = f.database();
    const age = async (days: number) => {
      await sql`update events set received_at = now() - make_interval(days => ${days}::int),
        purge_at = now() - interval '1 minute' where org_id = ${org.orgId}`;
      await f.world.worker.tick();
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
    expect(await f.list(org)).toMatchObject([{ state: "dead", last_cause: "expired" }]);
    await age(91);
    expect(await kept()).toEqual({});
  });
});

test("an event that its vendor did not sign is forwarded once the vendor's own API confirms it", async () => {
  const org = await f.newOrg();
  const to = await f.receiver();
  const { credentials } = f.world.simulator.simulation("assemblyai");
  const added = await org.call("POST", "/api/integrations", {
    vendor_id: "assemblyai",
    environment: "production",
    credentials,
  });
  expect(added.status, JSON.stringify(added.body)).toBe(201);
  const url = new URL((added.body.data as { webhook_url: string }).webhook_url);
  const address = `${f.world.url}${url.pathname}${url.search}`;
  await f.addDestination(org, to);
  const statuses = async () =>
    ((await org.call("GET", "/api/events")).body.data as { status: string }[]).map(
      (row) => row.status,
    );

  const [invented] = await f.world.simulator.sendWebhook("assemblyai", {
    url: address,
    credentials,
    body: { transcript_id: crypto.randomUUID(), status: "completed" },
  });
  expect(invented?.status).toBe(200);
  // The vendor's records may be late: it is asked again before anything is refused.
  const asked = () => f.world.simulator.requests("assemblyai").length;
  await eventually(async () => asked() > 0, "the vendor is asked");
  await pause(500);
  expect(await statuses()).toEqual(["received"]);
  await f.database()`update events set process_at = now(),
    received_at = now() - interval '11 minutes' where org_id = ${org.orgId}`;
  await f.world.worker.tick();
  await eventually(async () => (await statuses())[0] === "failed", "it is refused");
  const refused = await org.call("GET", "/api/activity?activity_type=webhook_rejected");
  expect(refused.body.data).toMatchObject([{ details: { reason: "not_confirmed" } }]);
  const ids = ((await org.call("GET", "/api/events")).body.data as { id: string }[]).map(
    (one) => one.id,
  );
  const replay = await org.call("POST", "/api/events/replay", { ids });
  expect(replay.body.data).toMatchObject({ not_confirmed: 1, deliveries: 0 });
  expect(await f.list(org)).toEqual([]);

  f.world.simulator.fault({ vendor: "assemblyai", kind: "maintenance", times: 20 });
  const [sent] = await f.world.simulator.sendWebhook("assemblyai", { url: address, credentials });
  expect(sent?.status).toBe(200);
  await pause(4_000);
  expect(await statuses()).toEqual(["received", "failed"]);
  // Had it been refused, by a forger who was first, say, the vendor's own would not be lost.
  await f.database()`update events set status = 'failed' where org_id = ${org.orgId}`;
  const [row] = (await org.call("GET", "/api/events")).body.data as { id: string }[];
  const { payload } = (await org.call("GET", `/api/events/${row?.id}`)).body.data as {
    payload: { data: string };
  };
  await f.world.simulator.sendWebhook("assemblyai", {
    url: address,
    credentials,
    body: JSON.parse(payload.data) as Record<string, unknown>,
  });
  expect(await statuses()).toEqual(["received", "failed"]);
  f.world.simulator.clearFaults("assemblyai");
  await f.database()`update events set process_at = now() where org_id = ${org.orgId}`;
  await f.world.worker.tick();
  await f.inState(org, "delivered");
  expect(await statuses()).toEqual(["processed", "failed"]);
  expect(to.received).toHaveLength(1);
  // The token that stands for the vendor's signature is in the address: it goes nowhere.
  const token = url.searchParams.get("token") ?? "no token";
  expect(JSON.stringify([to.received, f.world.logs])).not.toContain(token);
});

test("what a vendor reports as failed is a failure in the activity", async () => {
  const org = await f.newOrg();
  const { webhook_url } = await f.addStripe(org);
  await f.post(webhook_url, "payment_intent.succeeded");
  await f.post(webhook_url, "payment_intent.payment_failed");
  const { data } = (await org.call("GET", "/api/activity?activity_type=webhook_received")).body;
  expect(data).toMatchObject([
    { status: "failure", error_message: "Stripe reports payment_intent.payment_failed" },
    { status: "success", error_message: null },
  ]);
});

test("every type that stands for a failure is one that its vendor sends", async () => {
  for (const id of Object.keys(registry)) {
    const { types = [], failures = [] } = (await loadVendor(id))?.webhooks ?? {};
    expect(types, id).toEqual(expect.arrayContaining([...failures]));
  }
});

test("events are found by integration, vendor, type, state and time, page by page", async () => {
  const org = await f.newOrg();
  const { id, webhook_url } = await f.addStripe(org);
  for (const type of ["charge.refunded", "charge.failed", "payout.paid"])
    await f.post(webhook_url, type);
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

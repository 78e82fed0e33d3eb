import { randomBytes, randomInt } from "node:crypto";

import { neon, neonConfig } from "@neondatabase/serverless";
import Stripe from "stripe";
import { afterAll, expect, inject, test } from "vitest";

import { eventually, type Receiver, startReceiver } from "../scripts/receiver.ts";
import { activityOf, signedIn, signedInMember, type Visitor } from "../scripts/visitor.ts";
import { addSimulated, call, newOrg, type TestOrg } from "../scripts/world.ts";

const world = inject("world");
neonConfig.fetchEndpoint = world.endpoint;
const sql = neon(world.databaseUrl);
const stripe = new Stripe("sk_test_unused");
const webhookSecret = "whsec_0123456789abcdef0123456789abcdef";
const receivers: Receiver[] = [];
afterAll(() => Promise.all(receivers.map((one) => one.close())));

type Row = { id: string; state?: string; last_cause?: string; has_payload?: boolean; type: string };
type Step = {
  run_id: string;
  found: Record<"events" | "deliveries" | "excerpts" | "answers", number>;
  searched: { events: number; answers: number };
  unreadable: number;
  done: boolean;
  cursor: string | null;
};

const newPerson = () => {
  const digits = String(randomInt(1e7)).padStart(7, "0");
  return {
    name: `Cnry Wagtail-${randomBytes(4).toString("hex")}`,
    phone: `+1 (555) ${digits.slice(0, 3)}-${digits.slice(3)}`,
    compact: `+1555${digits}`,
  };
};

/** An org with an owner who is signed in, an integration that sends webhooks, and a destination. */
async function newClinic() {
  const org = await newOrg(world);
  const owner = await signedIn(world, org.email);
  const added = await org.call("POST", "/api/integrations", {
    vendor_id: "stripe",
    environment: "sandbox",
    credentials: { secretKey: "sk_test_0123456789abcdefghijklmn", webhookSecret },
  });
  const { webhook_url } = added.body.data as { webhook_url: string };
  const post = async (content: object, id = `evt_${randomBytes(8).toString("hex")}`) => {
    const payload = JSON.stringify({
      id,
      object: "event",
      type: "charge.refunded",
      data: { object: content },
    });
    const signature = stripe.webhooks.generateTestHeaderString({ payload, secret: webhookSecret });
    const reply = await call(`${world.url}${new URL(webhook_url).pathname}`, "POST", payload, {
      "content-type": "application/json",
      "stripe-signature": signature,
    });
    expect(reply.status, JSON.stringify(reply.body)).toBe(200);
    return id;
  };
  const rows = async (path: string) => (await org.call("GET", path)).body.data as Row[];
  const settled = (count: number) =>
    eventually(
      async () => (await rows("/api/events?status=processed&limit=200")).length === count,
      `${count} events settled`,
    );
  return { org, owner, post, rows, settled };
}

async function addReceiver(org: TestOrg) {
  const receiver = await startReceiver(world.simulatorUrl);
  receivers.push(receiver);
  const body = { name: "Ours", url: receiver.url };
  expect((await org.call("POST", "/api/destinations", body)).status).toBe(201);
  return receiver;
}

const step = (by: Visitor, subject: string, dryRun: boolean, cursor?: string | null) =>
  by.ask("POST", "/api/erasures", { subject, dry_run: dryRun, ...(cursor ? { cursor } : {}) });

/** All steps; `between` runs after each that is not the last. */
async function run(
  by: Visitor,
  subject: string,
  dryRun: boolean,
  between?: () => Promise<unknown>,
) {
  for (let steps = 1, cursor: string | null = null; ; steps++) {
    const reply = await step(by, subject, dryRun, cursor);
    expect(reply.status, JSON.stringify(reply.body)).toBe(200);
    const data = reply.body.data as Step;
    if (data.done) return { ...data, steps };
    ({ cursor } = data);
    await between?.();
  }
}

test.concurrent("erases what names a person, counted first, in one org only, and says so without the name", async () => {
  const [ours, theirs] = [await newClinic(), await newClinic()];
  const person = newPerson();
  const id = await ours.post({ customer: { first_name: "Cnry", phone: person.compact } });
  await ours.post({ note: `Seen: ${person.name.toUpperCase()}` });
  await ours.post({ customer: { phone: "+15550000000" } });
  await theirs.post({ customer: { phone: person.compact } });
  await ours.settled(3);
  const receiver = await addReceiver(ours.org);
  receiver.answer = () => ({
    status: 500,
    // It is tried again meanwhile, whatever the machine is busy with.
    body: receiver.received.length > 1 ? "no" : `no: ${person.compact}`,
    headers: { "content-type": "text/plain" },
  });
  await ours.post({
    note: "the endpoint's reply names the person, the event does not",
  });
  await eventually(
    async () => (await ours.rows("/api/deliveries")).some((row) => row.state === "failed"),
    "it failed",
  );
  await ours.settled(4);

  const dry = await run(ours.owner, person.phone, true);
  expect(dry).toMatchObject({
    found: { events: 1, deliveries: 0, excerpts: 1, answers: 0 },
    searched: { events: 4 },
    unreadable: 0,
  });
  expect((await ours.rows("/api/events")).every((row) => row.has_payload)).toBe(true);
  expect(await activityOf(ours.org, "subject_erased")).toEqual([]);

  const erased = await run(ours.owner, person.phone, false);
  expect(erased.found).toEqual(dry.found);
  expect((await run(ours.owner, person.name, false)).found.events).toBe(1);
  const events = await ours.rows("/api/events");
  expect(events.map((row) => row.has_payload)).toEqual([true, true, false, false]);
  expect(events[3]).toMatchObject({
    erased_at: expect.any(String),
    erased_by: `user:${ours.org.userId}`,
    headers: {},
    content_type: null,
  });
  expect((await theirs.rows("/api/events")).map((row) => row.has_payload)).toEqual([true]);
  const [failed] = await ours.rows("/api/deliveries");
  const { data } = (await ours.org.call("GET", `/api/deliveries/${failed?.id}`)).body;
  expect((data as { tries: object[] }).tries.at(-1)).toMatchObject({ number: 1, excerpt: null });

  const event = `/api/events/${events[3]?.id}`;
  expect((await ours.org.call("GET", event)).body.data).toMatchObject({
    payload: null,
    payload_withheld: "erased",
  });
  const replay = await ours.org.call("POST", `${event}/replay`);
  expect(replay.status).toBe(409);
  expect(replay.body["error"]).toMatch(/erased on request/);
  const many = await ours.org.call("POST", "/api/events/replay", { ids: [events[3]?.id] });
  expect(many.body.data).toMatchObject({ deliveries: 0, erased: 1 });

  // The vendor repeats itself: the row that stays recognizes it, and had it been refused, too.
  for (const status of ["processed", "failed"]) {
    await sql`update events set status = ${status} where id = ${events[3]?.id}`;
    await ours.post({ customer: { phone: person.compact } }, id);
  }
  expect((await run(ours.owner, person.phone, true)).found.events).toBe(0);
  expect((await ours.org.call("GET", event)).body.data).toMatchObject({
    duplicates: 2,
    payload: null,
  });

  const logged = await activityOf(ours.org, "subject_erased");
  expect(logged.map(({ details }) => details)).toMatchObject([
    { done: true, events: 1 },
    { events: 1, subject: expect.stringMatching(/^[\da-f]{64}$/) },
    { done: true, events: 1, excerpts: 1, searched: 4 },
    { run_id: erased.run_id, events: 1, excerpts: 1 },
  ]);
  expect(logged.every(({ actor }) => actor === `user:${ours.org.userId}`)).toBe(true);
  const verified = await ours.org.call("GET", "/api/activity/verify");
  expect(verified.body.data).toMatchObject({ intact: true });
  expect(JSON.stringify(await ours.rows("/api/activity?limit=200"))).not.toContain("Wagtail");
});

test.concurrent("takes what is kept of an answer, whose key then does nothing a second time", async () => {
  const { org, owner } = await newClinic();
  const person = newPerson();
  const added = await addSimulated(org, "twilio", { enabled: true });
  const path = `/api/integrations/${added.id}/execute`;
  const body = { operation: "sendSMS", params: { to: person.compact, body: "See you at nine" } };
  const headers = { "idempotency-key": `sms ${person.compact}` };
  const sent = await org.call("POST", path, body, headers);
  expect(sent.status, JSON.stringify(sent.body)).toBe(200);
  const keys = await sql`select key from idempotency_keys where org_id = ${org.orgId}`;
  expect(JSON.stringify(keys)).not.toContain(person.compact);

  const { id } = (sent.body.data as { result: { id: string } }).result;
  expect((await run(owner, id.toLowerCase(), false)).found.answers).toBe(1);
  const again = await org.call("POST", path, body, headers);
  expect(again.status).toBe(409);
  expect(again.body["error"]).toMatch(/was carried out/);
});

test.concurrent("is for owners and admins in person", async () => {
  const { org } = await newClinic();
  const body = { subject: "Cnry Nobody", dry_run: true };
  expect((await org.call("POST", "/api/erasures", body)).status).toBe(403);
  for (const [role, status] of [
    ["admin", 200],
    ["member", 403],
    ["viewer", 403],
  ] as const) {
    const { visitor } = await signedInMember(world, org, role);
    expect((await step(visitor, body.subject, true)).status, role).toBe(status);
  }
});

test.concurrent("refuses a subject that is too short, and a cursor of another search or org", async () => {
  const [ours, theirs] = [await newClinic(), await newClinic()];
  for (const subject of ["", "   ", "Li", "- . -", "x".repeat(201)])
    expect((await step(ours.owner, subject, true)).status, subject).toBe(422);
  for (const cursor of ["nonsense", "e30"])
    expect((await step(ours.owner, "Cnry Nobody", true, cursor)).status, cursor).toBe(422);
  await inParallel(450, (i) => ours.post({ i }));
  const { cursor, searched } = (await step(ours.owner, "Cnry Nobody", true)).body.data as Step;
  expect(searched.events).toBeGreaterThanOrEqual(400);
  const goOn = async (by: Visitor, subject: string, dryRun: boolean) =>
    (await step(by, subject, dryRun, cursor)).status;
  expect(await goOn(ours.owner, "Cnry Somebody", true)).toBe(422);
  expect(await goOn(ours.owner, "Cnry Nobody", false)).toBe(422);
  expect(await goOn(theirs.owner, "Cnry Nobody", true)).toBe(422);
  expect(await goOn(ours.owner, "cnry NOBODY", true)).toBe(200);
});

async function inParallel(count: number, work: (i: number) => Promise<unknown>) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 20 }, worker));
}

test.concurrent("goes on where it stopped, and finds what came meanwhile", async () => {
  const { owner, post, rows } = await newClinic();
  const person = newPerson();
  const passed = await post({ i: -1 });
  await inParallel(450, (i) => post(i % 45 === 0 ? { phone: person.compact } : { i }));
  const done = await run(owner, person.phone, false, async () => {
    await post({ phone: person.compact });
    // As one that took its number before the search passed there, and was written after.
    await sql`update events set headers = jsonb_build_object('user-agent', ${person.compact}::text)
      where dedup_key = ${passed}`;
  });
  expect(done.steps).toBeGreaterThan(1);
  expect(done.found.events).toBe(11 + done.steps - 1);
  expect(done.searched.events).toBeGreaterThanOrEqual(450);
  expect((await run(owner, person.phone, true)).found.events).toBe(0);
  expect(
    (await rows("/api/events?limit=200")).filter((row) => !row.has_payload).length,
  ).toBeGreaterThan(0);
});

test.concurrent("looks into the address of a webhook that has no body", async () => {
  const { org, owner, rows } = await newClinic();
  const person = newPerson();
  const { webhook_url } = await addSimulated(org, "exotel");
  const { pathname, searchParams } = new URL(webhook_url);
  searchParams.set("CallSid", "passthru");
  searchParams.set("From", person.compact);
  expect((await fetch(`${world.url}${pathname}?${searchParams}`)).status).toBe(200);
  expect((await run(owner, person.phone, false)).found.events).toBe(1);
  expect(await rows("/api/events")).toMatchObject([{ has_payload: false }]);
});

test.concurrent("an event that is being delivered is sent to its end, and leaves nothing behind", async () => {
  const { org, owner, post, rows } = await newClinic();
  const person = newPerson();
  const receiver = await addReceiver(org);
  let release: (status: number) => void = () => {};
  receiver.answer = async ({ text }) => {
    const status = await new Promise<number>((resolve) => {
      release = resolve;
    });
    return { status, body: text, headers: { "content-type": "text/plain" } };
  };
  for (const [status, state, cause] of [
    [200, "delivered", null],
    [500, "canceled", "erased"],
  ] as const) {
    const before = receiver.received.length;
    await post({ phone: person.compact });
    await eventually(() => receiver.received.length > before, "it is under way");
    expect((await run(owner, person.phone, false)).found).toMatchObject({
      events: 1,
      deliveries: 0,
    });
    release(status);
    const row = await eventually(
      async () => (await rows(`/api/deliveries?state=${state}`))[0],
      `it is ${state}`,
    );
    expect(row.last_cause).toBe(cause);
    const { tries } = (await org.call("GET", `/api/deliveries/${row.id}`)).body.data as {
      tries: { excerpt: string | null }[];
    };
    expect(tries.map(({ excerpt }) => excerpt)).toEqual([null]);
  }
});

test.concurrent("a delivery that waits ends with its event", async () => {
  const { org, owner, post, rows, settled } = await newClinic();
  const person = newPerson();
  const receiver = await addReceiver(org);
  const [destination] = await rows("/api/destinations");
  await org.call("PUT", `/api/destinations/${destination?.id}`, { status: "paused" });
  await post({ phone: person.compact });
  await settled(1);
  expect((await run(owner, person.phone, true)).found.deliveries).toBe(1);
  expect((await run(owner, person.phone, false)).found).toMatchObject({ events: 1, deliveries: 1 });
  expect(await rows("/api/deliveries")).toMatchObject([
    { state: "canceled", last_cause: "erased" },
  ]);
  await org.call("PUT", `/api/destinations/${destination?.id}`, { status: "enabled" });
  await post({ phone: "+15550000000" });
  await eventually(() => receiver.received.length > 0, "the next one");
  expect(receiver.received.map(({ text }) => text).join()).not.toContain(person.compact);
});

/** What each table can hold of a person, and what an erasure does to it. A new table has to say. */
const tables: Record<string, string> = {
  events: "erased: payload, headers, content type; type and vendor's id where they name the person",
  delivery_attempts: "erased: excerpts",
  idempotency_keys: "erased: answers; keys are hashes",
  deliveries: "ended; states and codes only",
  integration_activity_log: "kept: names, counts and codes only, append-only",
  activity_heads: "kept: hashes",
  integrations: "kept: configuration; credentials are sealed",
  grants: "kept: tokens, sealed",
  oauth_states: "kept: a sign-in under way, ten minutes",
  destinations: "kept: configuration",
  event_retention: "kept: days",
  signing_keys: "kept: keys",
  identity_providers: "kept: configuration",
  organizations: "kept: the customer",
  users: "kept: the customer's staff, who are removed as members",
  sessions: "kept: the customer's staff",
  accounts: "kept: the customer's staff",
  members: "kept: the customer's staff",
  invitations: "kept: the customer's staff",
  two_factors: "kept: the customer's staff",
  verifications: "kept: the customer's staff",
  api_keys: "kept: hashes",
  rate_limits: "kept: counts by hash",
};

test("every table is accounted for", async () => {
  const rows = await sql`select table_name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE'`;
  expect(rows.map((row) => row["table_name"] as string).toSorted()).toEqual(
    Object.keys(tables).toSorted(),
  );
});

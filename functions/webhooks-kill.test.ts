import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { neon, neonConfig } from "@neondatabase/serverless";
import Stripe from "stripe";
import { afterAll, afterEach, beforeAll, expect, inject, test } from "vitest";

import { startPostgres } from "../db/local/postgres.ts";
import { startDatabase } from "../db/local/server.ts";
import { migrate } from "../db/migrate.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../scripts/database-proxy.ts";
import { eventually, type Receiver, startReceiver } from "../scripts/receiver.ts";
import { startWorkerProcess, type WorkerProcess } from "../scripts/worker-process.ts";
import { freePort, newSecrets, type WorkerOptions } from "../scripts/worker.ts";
import { newOrg, type TestOrg } from "../scripts/world.ts";
import { startSimulator } from "../simulator/server.ts";

/** The real Worker in a process that is killed; the database, the receiver and the vendor live on. */
let proxy: DatabaseProxy;
let to: Receiver;
let worker: WorkerProcess;
let options: Omit<WorkerOptions, "log">;
let databaseUrl: string;
let directEndpoint: string;
let org: TestOrg;
let integrationId: string;
const closers: (() => Promise<unknown> | void)[] = [];

const webhookSecret = "whsec_0123456789abcdef0123456789abcdef";
const stripe = new Stripe("sk_test_unused");

beforeAll(async () => {
  const postgres = inject("world").engine === "postgres" ? await startPostgres() : undefined;
  const database = await startDatabase(postgres ? { url: postgres.url } : {});
  ({ url: databaseUrl, endpoint: directEndpoint } = database);
  await migrate(databaseUrl, directEndpoint);
  const simulator = await startSimulator();
  proxy = await startDatabaseProxy(directEndpoint);
  const stateFolder = mkdtempSync(join(tmpdir(), "worker-state-"));
  options = {
    databaseUrl,
    databaseEndpoint: proxy.endpoint,
    simulatorUrl: simulator.url,
    secrets: newSecrets(),
    port: await freePort(),
    stateFolder,
  };
  worker = await startWorkerProcess(options);
  to = await startReceiver(simulator.url);
  closers.push(
    () => worker.kill(),
    () => to.close(),
    () => simulator.close(),
    () => proxy.stop(),
    () => database.close(),
    () => postgres?.stop(),
    () => rmSync(stateFolder, { recursive: true, force: true }),
  );
  org = await newOrg({ url: worker.url, databaseUrl, endpoint: directEndpoint });
  const added = await org.call("POST", "/api/integrations", {
    vendor_id: "stripe",
    environment: "sandbox",
    credentials: { secretKey: "sk_test_0123456789abcdefghijklmn", webhookSecret },
  });
  integrationId = (added.body.data as { id: string }).id;
  const destination = await org.call("POST", "/api/destinations", { name: "Ours", url: to.url });
  to.secrets.push((destination.body.data as { secret: string }).secret);
});
afterAll(async () => {
  for (const close of closers) await close();
});
afterEach(() => {
  proxy.before = () => {};
  proxy.after = () => {};
  to.answer = () => ({ status: 200 });
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const restart = async () => {
  worker = await startWorkerProcess(options);
};
const database = () => {
  neonConfig.fetchEndpoint = directEndpoint;
  return neon(databaseUrl);
};

/** The status; undefined where the connection broke, as a vendor would see it. */
async function post(id: string): Promise<number | undefined> {
  const payload = JSON.stringify({ id, object: "event", type: "charge.succeeded", created: 1 });
  const signature = stripe.webhooks.generateTestHeaderString({ payload, secret: webhookSecret });
  try {
    const response = await fetch(`${worker.url}/webhooks/stripe/${integrationId}`, {
      method: "POST",
      body: payload,
      headers: { "content-type": "application/json", "stripe-signature": signature },
      signal: AbortSignal.timeout(5_000),
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return undefined;
  }
}

/** Kills the Worker at the first request to the database whose text holds `part`. */
function killAt(moment: "before" | "after", part: string): Promise<void> {
  return new Promise((resolve) => {
    let killed = false;
    proxy[moment] = async (statements) => {
      if (killed || !statements.includes(part)) return;
      killed = true;
      await worker.kill();
      resolve();
      throw new Error("nobody listens any more");
    };
  });
}

/** Time passes: what waits for the clock, for a lease or for a retry is due, and the clock strikes. */
async function timePasses() {
  const sql = database();
  await sql`update events set process_at = now() - interval '1 second' where id in (
    select id from events where status = 'received' for update skip locked)`;
  await sql`update deliveries set next_attempt_at = now() - interval '1 minute' where id in (
    select id from deliveries where state in ('pending', 'failed', 'delivering', 'parked')
    for update skip locked)`;
  await sql`update destinations set resume_at = null,
    probe_at = case when probe_at is not null then now() - interval '1 minute' end`;
  await worker.tick();
}

const receivedOf = (id: string) =>
  to.received.filter((one) => (one.body.data as { id: string }).id === id);
const delivered = async (id: string) => {
  const rows = await database()`select e.id, v.state, v.attempts from events e
    left join deliveries v on v.event_id = e.id where e.dedup_key = ${id}`;
  return rows.length === 1 && rows[0]?.["state"] === "delivered" ? rows[0] : undefined;
};

test("killed after the event is stored and before it is queued, it is delivered all the same", async () => {
  const killed = killAt("after", "insert into events");
  const answered = post("evt_stored");
  await killed;
  expect(await answered).toBeUndefined();
  await restart();
  // The vendor heard nothing and sends again: the same event.
  expect(await post("evt_stored")).toBe(200);
  await timePasses();
  const row = await eventually(() => delivered("evt_stored"), "the delivery");
  expect(receivedOf("evt_stored").map((one) => one.id)).toEqual([row["id"]]);
});

test("killed with the event in the queue, it is delivered by the sweep", async () => {
  const killed = killAt("before", "insert into deliveries");
  expect(await post("evt_queued")).toBe(200);
  await killed;
  await restart();
  await timePasses();
  const row = await eventually(() => delivered("evt_queued"), "the delivery");
  expect(receivedOf("evt_queued").map((one) => one.id)).toEqual([row["id"]]);
});

test("killed once the delivery is due and before it is sent, it is sent", async () => {
  const killed = killAt("before", "set state = 'delivering'");
  expect(await post("evt_due")).toBe(200);
  await killed;
  await restart();
  await timePasses();
  const row = await eventually(() => delivered("evt_due"), "the delivery");
  expect(receivedOf("evt_due").map((one) => one.id)).toEqual([row["id"]]);
});

test("killed while the endpoint answers, the event is sent again under the same id", async () => {
  const reached = new Promise<void>((resolve) => {
    to.answer = async () => {
      resolve();
      await pause(60_000);
      return { status: 200 };
    };
  });
  expect(await post("evt_sent")).toBe(200);
  await reached;
  await worker.kill();
  to.answer = () => ({ status: 200 });
  await restart();
  await timePasses();
  const row = await eventually(() => delivered("evt_sent"), "the delivery");
  const twice = receivedOf("evt_sent");
  expect(twice.map((one) => one.id)).toEqual([row["id"], row["id"]]);
  expect(twice.every((one) => one.verified)).toBe(true);
  const { data } = (await org.call("GET", `/api/deliveries?event_id=${row["id"]}`)).body;
  const [{ id } = { id: "" }] = data as { id: string }[];
  const read = await org.call("GET", `/api/deliveries/${id}`);
  expect((read.body.data as { tries: unknown[] }).tries).toMatchObject([
    { number: 2, status: 200, cause: null },
    { number: 1, status: null, cause: "interrupted" },
  ]);
});

test("with the database away a vendor gets 503 and nothing is lost", async () => {
  expect(await post("evt_before_outage")).toBe(200);
  await proxy.stop();
  try {
    for (const id of ["evt_outage_1", "evt_outage_2", "evt_before_outage"])
      expect(await post(id)).toBe(503);
  } finally {
    await proxy.start();
  }
  expect(await post("evt_outage_1")).toBe(200);
  await timePasses();
  for (const id of ["evt_before_outage", "evt_outage_1"])
    await eventually(() => delivered(id), `the delivery of ${id}`);
  expect(receivedOf("evt_outage_2")).toEqual([]);
});

test("with the database away for a moment while the endpoint answers, nothing is sent twice", async () => {
  to.answer = async () => {
    await proxy.stop();
    setTimeout(() => void proxy.start(), 1_000);
    return { status: 200 };
  };
  expect(await post("evt_unwritten")).toBe(200);
  const row = await eventually(() => delivered("evt_unwritten"), "the delivery");
  expect(row["attempts"]).toBe(1);
  expect(receivedOf("evt_unwritten")).toHaveLength(1);
});

test("verifying, storing and queueing takes two round trips, and one while the integration is known", async () => {
  await worker.kill();
  await restart();
  // What the killed one left to alarms and queues is done first.
  for (let before = -1; before !== proxy.trips;) {
    before = proxy.trips;
    await pause(1_500);
  }
  // The queue's own work comes later, and its batch waits a second.
  proxy.trips = 0;
  expect(await post("evt_trips_1")).toBe(200);
  expect(proxy.trips).toBe(2);
  proxy.trips = 0;
  expect(await post("evt_trips_2")).toBe(200);
  expect(proxy.trips).toBe(1);
  await eventually(() => delivered("evt_trips_2"), "the delivery");
});

test("killed over and over under load, every acknowledged event arrives, each under one id", async () => {
  const storm = { kills: 0 };
  to.answer = () => ({ status: Math.random() < 0.1 ? 503 : 200, delayMs: Math.random() * 100 });
  const killing = (async () => {
    while (storm.kills < 5) {
      await pause(500 + Math.random() * 1_000);
      await worker.kill();
      storm.kills += 1;
      await restart();
      if (storm.kills !== 2) continue;
      await proxy.stop();
      await pause(500);
      await proxy.start();
    }
  })();
  const acknowledged: string[] = [];
  let refusals = 0;
  await Promise.all(
    Array.from({ length: 6 }, async (_, sender) => {
      for (let i = 0; storm.kills < 5; i++) {
        const id = `evt_storm_${sender}_${i}`;
        // A vendor sends until it hears a 2xx.
        while ((await post(id)) !== 200) {
          refusals += 1;
          await pause(50);
        }
        acknowledged.push(id);
        await pause(20);
      }
    }),
  );
  await killing;
  const sql = database();
  await eventually(
    async () => {
      await timePasses();
      await pause(300);
      const [row] =
        await sql`select count(*)::int as n from events e join deliveries v on v.event_id = e.id
        where e.dedup_key like 'evt_storm_%' and v.state = 'delivered'`;
      return row?.["n"] === acknowledged.length;
    },
    "all deliveries",
    60_000,
  );
  const stored = await sql`select id, dedup_key from events where dedup_key like 'evt_storm_%'`;
  expect(stored.map((row) => row["dedup_key"] as string).toSorted()).toEqual(
    acknowledged.toSorted(),
  );
  const idOf = new Map(stored.map((row) => [row["dedup_key"] as string, row["id"] as string]));
  for (const id of acknowledged) {
    const copies = receivedOf(id);
    expect(copies.length, id).toBeGreaterThanOrEqual(1);
    expect(new Set(copies.map((one) => one.id)), id).toEqual(new Set([idOf.get(id)]));
  }
  expect(to.received.every((one) => one.verified)).toBe(true);
  const copies = to.received.filter((one) =>
    acknowledged.includes((one.body.data as { id: string }).id),
  );
  console.log(
    `${acknowledged.length} acknowledged after ${refusals} refusals, ${storm.kills} kills, ${copies.length - acknowledged.length} repeated deliveries, 0 lost`,
  );
}, 240_000);

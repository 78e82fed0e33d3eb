import { randomBytes, randomUUID } from "node:crypto";

import { neonConfig } from "@neondatabase/serverless";
import { sql } from "drizzle-orm";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

import { addOrg } from "../scripts/seed.ts";
import { openClient } from "./client.ts";
import {
  type Claimed,
  claim,
  endDraining,
  type Finish,
  finishAttempt,
  nextDue,
  parkWaiting,
} from "./deliveries.ts";
import {
  addDestination,
  cancelWaiting,
  changeDestination,
  getDestination,
  released,
} from "./destinations.ts";
import { addEvent, replayEvents, routeEvents } from "./events.ts";
import { type Database, startDatabase } from "./local/server.ts";
import { migrate } from "./migrate.ts";
import { OrgDb } from "./org.ts";
import type { DeliveryState, Envelope } from "./schema.ts";

let database: Database;
let orgId: string;

async function newOrg() {
  const suffix = randomBytes(5).toString("hex");
  const id = randomUUID();
  await addOrg(database.url, {
    orgId: id,
    name: suffix,
    slug: suffix,
    person: "Terry",
    email: `${suffix}@clinic.example`,
    password: "a long test password",
    apiKey: `ehr_${suffix}_key`,
  });
  return id;
}

beforeAll(async () => {
  database = await startDatabase();
  neonConfig.fetchEndpoint = (_host, port) => `http://127.0.0.1:${port}/sql`;
  await migrate(database.url);
  orgId = await newOrg();
});
afterAll(() => database.close());

const open = (id = orgId) => new OrgDb(openClient(database.url), { orgId: id, actor: "clock" });
const envelope: Envelope = { v: 1, kek: "KEY_1", dk: "", dv: 1, iv: "", ct: "" };

async function newDestination(db: OrgDb, concurrency = 5) {
  const id = randomUUID();
  // Its own vendor, so that only this run's events fit it.
  const vendorId = `vendor-${id}`;
  await db.run(
    addDestination(db, {
      id,
      name: "Ours",
      url: "https://receiver.example/",
      vendorIds: [vendorId],
      concurrency,
      sealed: envelope,
    }),
  );
  return { id, vendorId };
}

async function newEvent(db: OrgDb, vendorId: string) {
  const id = randomUUID();
  await db.run(
    addEvent(db, {
      id,
      integrationId: randomUUID(),
      vendorId,
      dedupKey: id,
      type: "thing.happened",
      failure: null,
      occurredAt: undefined,
      receivedAt: new Date(),
      sizeBytes: 2,
      headers: {},
      contentType: null,
      bodyHash: "",
      payload: envelope,
    }),
  );
  return id;
}

const end = (claimed: Claimed, more: Partial<Finish>): Finish => ({
  id: claimed.id,
  attempt: claimed.attempt,
  status: 500,
  latencyMs: 1,
  cause: "refused",
  excerpt: null,
  retryAt: claimed.failures >= 9 ? null : new Date(Date.now() + 60_000),
  down: false,
  slow: false,
  holdSeconds: 0,
  gone: false,
  ...more,
});

const answers = {
  taken: { cause: null, status: 200, retryAt: null },
  refused: {},
  away: { cause: "unreachable", status: null, down: true },
  busy: { cause: "rate_limited", status: 429, down: true, slow: true, holdSeconds: 30 },
  gone: { cause: "gone", status: 410, gone: true },
} satisfies Record<string, Partial<Finish>>;
type Answer = keyof typeof answers;

type Row = {
  id: string;
  event_id: string;
  event_seq: number;
  state: DeliveryState;
  attempts: number;
  failures: number;
};

/** A destination as the tests see it, with what is known to have been answered to each attempt. */
class Run {
  readonly db: OrgDb;
  readonly id: string;
  readonly vendorId: string;
  readonly concurrency: number;
  events: string[] = [];
  underWay: Claimed[] = [];
  taken = new Set<string>();
  deleted = false;

  constructor(db: OrgDb, place: { id: string; vendorId: string }, concurrency: number) {
    this.db = db;
    this.id = place.id;
    this.vendorId = place.vendorId;
    this.concurrency = concurrency;
  }

  async rows(): Promise<Row[]> {
    const [rows] = await this.db.run(
      this.db
        .sql<Row>(sql`select id, event_id, event_seq::int as event_seq, state, attempts, failures
        from deliveries where destination_id = ${this.id} order by event_seq`),
    );
    return rows;
  }

  async destination() {
    const [[row]] = await this.db.run(getDestination(this.db, this.id));
    return row;
  }

  async arrive() {
    const event = await newEvent(this.db, this.vendorId);
    await this.db.run(routeEvents(this.db, [event]));
    const row = await this.destination();
    if (row && row.status !== "disabled") this.events.push(event);
  }

  async claim() {
    const before = await this.destination();
    const waiting = (await this.rows()).filter((row) =>
      ["pending", "failed", "parked"].includes(row.state),
    );
    const [, claimed] = await this.db.run(endDraining(this.db, this.id), claim(this.db, this.id));
    const room = this.concurrency - this.underWay.length;
    expect(claimed.length).toBeLessThanOrEqual(Math.max(room, 0));
    if (before?.status !== "enabled") expect(claimed).toEqual([]);
    if (before?.breaker === "open") expect(claimed.length).toBeLessThanOrEqual(1);
    if (before?.breaker === "draining" && claimed[0]) {
      expect(claimed).toHaveLength(1);
      const parked = waiting.find((row) => row.state === "parked");
      const sent = waiting.find((row) => row.id === claimed[0]?.id);
      if (parked && sent) expect(sent.event_seq).toBeLessThanOrEqual(parked.event_seq);
    }
    this.underWay.push(...claimed);
  }

  async finish(answer: Answer) {
    const claimed = this.underWay.shift();
    if (!claimed) return;
    if (answer === "taken") this.taken.add(claimed.event_id);
    await this.db.run(
      finishAttempt(this.db, this.id, end(claimed, answers[answer])),
      parkWaiting(this.db, this.id),
    );
  }

  /** The Worker dies with its attempts under way: nobody writes how they ended. */
  async crash() {
    this.underWay = [];
    await this.pass();
  }

  async pass() {
    await this.db.run(
      this.db.sql(sql`update deliveries set next_attempt_at = now() - interval '1 second'
        where destination_id = ${this.id} and (state in ('pending', 'failed', 'parked')
          or (state = 'delivering' and id <> all(array[${sql.join(
            [sql`null`, ...this.underWay.map((one) => sql`${one.id}`)],
            sql`, `,
          )}]::uuid[]) is not false))`),
      this.db.sql(sql`update destinations set resume_at = null,
        probe_at = case when breaker = 'open' then now() - interval '1 second' end
        where id = ${this.id}`),
    );
  }

  async set(status: "enabled" | "paused" | "disabled") {
    await this.db.run(
      changeDestination(this.db, this.id, {
        status,
        ...(status === "enabled" ? released : {}),
      }),
      parkWaiting(this.db, this.id),
    );
  }

  async replay() {
    if (this.events.length) await this.db.run(replayEvents(this.db, { ids: this.events }, this.id));
  }

  async check() {
    const rows = await this.rows();
    // None is lost, none is made twice.
    expect(rows.map((row) => row.event_id).toSorted()).toEqual(this.events.toSorted());
    for (const row of rows) {
      if (row.state === "delivered") expect(this.taken.has(row.event_id)).toBe(true);
      expect(row.failures).toBeLessThanOrEqual(Math.min(row.attempts, 10));
    }
    const going = rows.filter((row) => row.state === "delivering").map((row) => row.id);
    expect(going).toEqual(expect.arrayContaining(this.underWay.map((one) => one.id)));
    const row = await this.destination();
    if (row?.breaker === "open" || row?.status !== "enabled")
      expect(rows.filter((one) => ["pending", "failed"].includes(one.state))).toEqual([]);
  }

  /** A good endpoint and time enough: then everything arrives that was not given up. */
  async recover() {
    for (const _ of this.underWay.slice()) await this.finish("taken");
    await this.set("enabled");
    for (let i = 0; i < 200; i++) {
      await this.pass();
      await this.claim();
      if (!this.underWay.length) break;
      while (this.underWay.length) await this.finish("taken");
    }
    const states = new Set((await this.rows()).map((row) => row.state));
    states.delete("delivered");
    states.delete("dead");
    expect([...states]).toEqual([]);
    expect((await this.destination())?.breaker).toBe("closed");
    const [[due]] = await this.db.run(nextDue(this.db, this.id));
    expect(due?.ms ?? null).toBeNull();
  }
}

type Step =
  | [keyof Pick<Run, "arrive" | "claim" | "crash" | "pass" | "replay">]
  | ["finish", Answer]
  | ["set", "enabled" | "paused" | "disabled"];
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>(["arrive"]) },
  { weight: 6, arbitrary: fc.constant<Step>(["claim"]) },
  { weight: 3, arbitrary: fc.constant<Step>(["pass"]) },
  { weight: 1, arbitrary: fc.constant<Step>(["crash"]) },
  { weight: 1, arbitrary: fc.constant<Step>(["replay"]) },
  {
    weight: 10,
    arbitrary: fc
      .constantFrom<Answer>("taken", "refused", "refused", "away", "away", "busy", "gone")
      .map((answer): Step => ["finish", answer]),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("enabled" as const, "paused" as const, "disabled" as const)
      .map((status): Step => ["set", status]),
  },
);

test("whatever happens in whatever order, no delivery is lost, doubled or called delivered when it is not", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.constantFrom(1, 3, 5),
      async (steps, concurrency) => {
        const db = open();
        const run = new Run(db, await newDestination(db, concurrency), concurrency);
        for (const [name, argument] of steps) {
          if (name === "finish") await run.finish(argument);
          else if (name === "set") await run.set(argument);
          else await run[name]();
          await run.check();
        }
        await run.recover();
      },
    ),
    { numRuns: 25 },
  );
});

test("an attempt whose lease ran out changes nothing but its own row", async () => {
  const db = open();
  const run = new Run(db, await newDestination(db, 1), 1);
  await run.arrive();
  await run.claim();
  const [lost] = run.underWay;
  await run.crash();
  await run.claim();
  const [current] = run.underWay;
  expect(current?.id).toBe(lost?.id);
  expect(current?.attempt).toBe(2);
  if (!lost) throw new Error("nothing was claimed");
  await db.run(finishAttempt(db, run.id, end(lost, { retryAt: null })));
  expect(await run.rows()).toMatchObject([{ state: "delivering", failures: 0 }]);
  await run.finish("taken");
  expect(await run.rows()).toMatchObject([{ state: "delivered", attempts: 2 }]);
});

test("an endpoint that is too slow, or asks for less, gets one at a time until it keeps up", async () => {
  const db = open();
  const run = new Run(db, await newDestination(db), 5);
  for (let i = 0; i < 4; i++) await run.arrive();
  const claimed = async () => {
    await run.pass();
    await run.claim();
    return run.underWay.length;
  };
  expect(await claimed()).toBe(4);
  for (const answer of ["taken", "taken", "taken", "busy"] as const) await run.finish(answer);
  for (let i = 0; i < 4; i++) await run.arrive();
  expect(await claimed()).toBe(1);
  await run.finish("taken");
  expect(await claimed()).toBe(4);
});

test("a probe that one bad event spoils is followed by one with another event", async () => {
  const db = open();
  const run = new Run(db, await newDestination(db), 5);
  for (let i = 0; i < 5; i++) await run.arrive();
  await run.claim();
  while (run.underWay.length) await run.finish("away");
  const probed: (string | undefined)[] = [];
  for (const answer of ["refused", "taken"] as const) {
    expect((await run.destination())?.breaker).toBe("open");
    await run.pass();
    await run.claim();
    probed.push(run.underWay[0]?.event_id);
    await run.finish(answer);
  }
  expect(probed).toEqual(run.events.slice(0, 2));
  expect((await run.destination())?.breaker).toBe("draining");
});

test("a replay sends again what has arrived, and leaves alone what is on its way", async () => {
  const db = open();
  const run = new Run(db, await newDestination(db, 2), 2);
  for (let i = 0; i < 3; i++) await run.arrive();
  await run.claim();
  await run.finish("taken");
  const states = async () => (await run.rows()).map((row) => row.state);
  expect(await states()).toEqual(["delivered", "delivering", "pending"]);
  await run.replay();
  expect(await states()).toEqual(["pending", "delivering", "pending"]);
  await run.check();
});

test("a delivery cannot be made across orgs, even by hand", async () => {
  const other = open(await newOrg());
  const db = open();
  const theirs = await newDestination(other);
  const event = await newEvent(db, theirs.vendorId);
  const insert = (by: OrgDb) =>
    by.run(
      by.sql(sql`insert into deliveries (org_id, event_id, destination_id, event_seq)
        values (app_org_id(), ${event}, ${theirs.id}, 1)`),
    );
  await expect(insert(db)).rejects.toMatchObject({ code: "23503" });
  await expect(insert(other)).rejects.toMatchObject({ code: "23503" });
  expect((await db.run(routeEvents(db, [event])))[0]).toEqual([]);
  expect((await db.run(replayEvents(db, { ids: [event] }, theirs.id)))[0]).toEqual([]);
});

test("what is deleted cancels what waits, and a success under way still counts", async () => {
  const db = open();
  const run = new Run(db, await newDestination(db, 1), 1);
  await run.arrive();
  await run.arrive();
  await run.claim();
  await db.run(
    changeDestination(db, run.id, { status: "deleted", sealed: null }),
    cancelWaiting(db, run.id),
  );
  await run.finish("taken");
  expect((await run.rows()).map((row) => row.state)).toEqual(["delivered", "canceled"]);
});

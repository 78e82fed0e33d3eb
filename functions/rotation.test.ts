import { randomBytes, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";

import { neon, neonConfig } from "@neondatabase/serverless";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { openClient } from "../db/client.ts";
import { startPostgres } from "../db/local/postgres.ts";
import { type Database, startDatabase } from "../db/local/server.ts";
import { migrate } from "../db/migrate.ts";
import type { Envelope } from "../db/schema.ts";
import { Problem } from "../problem.ts";
import { countByKek, rotate } from "./rotation.ts";
import { openVault, secretKeyRing } from "./vault.ts";

const count = 10_000;
const keys = {
  KEY_1: randomBytes(32).toString("base64"),
  KEY_2: randomBytes(32).toString("base64"),
};
const before = openVault(secretKeyRing({ KEY_1: keys.KEY_1 }));
const after = openVault(secretKeyRing(keys));

let database: Database;
let stop: () => Promise<void> = async () => {};
beforeAll(async () => {
  const postgres = inject("world").engine === "postgres" ? await startPostgres() : undefined;
  database = await startDatabase(postgres ? { url: postgres.url } : {});
  stop = async () => {
    await database.close();
    await postgres?.stop();
  };
  neonConfig.fetchEndpoint = (_host, port) => `http://127.0.0.1:${port}/sql`;
  await migrate(database.url);
});
afterAll(() => stop());

test("a rotation under readers and writers, stopped and resumed half way, fails no read and forgets no row", async () => {
  const sql = neon(database.url);
  const client = openClient(database.url);
  const orgId = randomUUID();
  await sql`insert into organizations (id, name, slug) values (${orgId}, 'Org', ${orgId})`;
  const ids = Array.from({ length: count }, () => randomUUID());
  const sealed = await Promise.all(ids.map((id) => before.seal({ orgId, id }, { secret: id })));
  await sql`insert into integrations (id, org_id, vendor_id, credentials)
    select t.id::uuid, ${orgId}, 'v' || t.n, t.credentials::jsonb
    from unnest(${ids}::text[], ${sealed.map((one) => JSON.stringify(one))}::text[])
      with ordinality as t(id, credentials, n)`;

  let running = true;
  let reads = 0;
  let writes = 0;
  const any = () => ids[Math.floor(Math.random() * count)] ?? "";
  const reader = async () => {
    while (running) {
      const id = any();
      const [row] = await sql`select credentials from integrations where id = ${id}`;
      const opened = await after.open<{ secret: string }>(
        { orgId, id },
        row?.["credentials"] as Envelope,
      );
      expect(opened.secret).toContain(id);
      reads += 1;
    }
  };
  const writer = async () => {
    while (running) {
      const id = any();
      const next = await after.seal({ orgId, id }, { secret: `${id} again` }, 2);
      await sql`update integrations set credentials = ${JSON.stringify(next)}::jsonb where id = ${id}`;
      writes += 1;
    }
  };
  const load = [reader(), reader(), writer()];

  let moved = 0;
  for (let step = 0; step < 3; step++)
    moved += (await rotate(client, after, { limit: 1_500 })).moved;
  const half = await countByKek(client);
  expect(half["KEY_1"]).toBeGreaterThan(0);
  expect(half["KEY_2"]).toBeGreaterThan(0);
  for (let left = true; left;) {
    const step = await rotate(client, after, { limit: 2_000 });
    moved += step.moved;
    left = step.left;
  }
  running = false;
  await Promise.all(load);
  expect(await countByKek(client)).toEqual({ KEY_2: count });
  expect(reads).toBeGreaterThan(10);
  expect(writes).toBeGreaterThan(5);
  expect(moved).toBeLessThanOrEqual(count);

  const alone = openVault(secretKeyRing({ KEY_2: keys.KEY_2 }));
  const rows = await sql`select id, credentials from integrations`;
  for (const row of rows) {
    const id = row["id"] as string;
    const opened = await alone.open<{ secret: string }>(
      { orgId, id },
      row["credentials"] as Envelope,
    );
    expect(opened.secret).toContain(id);
  }
});

test("data keys are replaced too, and what was sealed stays the same", async () => {
  const client = openClient(database.url);
  const sql = neon(database.url);
  const version = Math.floor(Date.now() / 1000);
  const before = new Map(
    (await sql`select id, credentials from integrations`).map((row) => [
      row["id"],
      row["credentials"] as Envelope,
    ]),
  );
  for (let left = true; left;)
    ({ left } = await rotate(client, after, { limit: 2_500, dataKeysBefore: version }));
  const rows = await sql`select id, org_id, credentials from integrations`;
  for (const row of rows) {
    const envelope = row["credentials"] as Envelope;
    const owner = { orgId: row["org_id"] as string, id: row["id"] as string };
    expect(envelope.dv).toBe(version);
    expect(envelope.ct).not.toBe(before.get(row["id"])?.ct);
    expect((await after.open<{ secret: string }>(owner, envelope)).secret).toContain(owner.id);
  }
  expect((await rotate(client, after, { limit: 10, dataKeysBefore: version })).moved).toBe(0);
});

test("what is written while its envelope is being moved is not written over", async () => {
  const sql = neon(database.url);
  const owner = { orgId: randomUUID(), id: randomUUID() };
  const old = JSON.stringify(await before.seal(owner, "spent"));
  await sql`insert into organizations (id, name, slug) values (${owner.orgId}, 'Org', ${owner.orgId})`;
  await sql`insert into integrations (id, org_id, vendor_id, credentials)
    values (${owner.id}, ${owner.orgId}, 'twilio', ${old}::jsonb)`;
  const slow: typeof after = {
    ...after,
    async rewrap(of, envelope) {
      const next = JSON.stringify(await before.seal(of, "fresh"));
      await sql`update integrations set credentials = ${next}::jsonb where id = ${of.id}`;
      return after.rewrap(of, envelope);
    },
  };
  const step = await rotate(openClient(database.url), slow, { limit: 10 });
  expect(step).toMatchObject({ moved: 0, contended: 1, left: true });
  const [row] = await sql`select credentials from integrations where id = ${owner.id}`;
  expect(await after.open(owner, row?.["credentials"] as Envelope)).toBe("fresh");
  expect(await rotate(openClient(database.url), after, { limit: 10 })).toMatchObject({ moved: 1 });
});

test("what no key opens is told and passed over; while a key service is away nothing is called so", async () => {
  const sql = neon(database.url);
  const client = openClient(database.url);
  const orgId = randomUUID();
  await sql`insert into organizations (id, name, slug) values (${orgId}, 'Org', ${orgId})`;
  const add = async (vault: typeof before, n: number) => {
    const id = randomUUID();
    const envelope = JSON.stringify(await vault.seal({ orgId, id }, n));
    await sql`insert into integrations (id, org_id, vendor_id, credentials)
      values (${id}, ${orgId}, ${`v${n}`}, ${envelope}::jsonb)`;
    return id;
  };
  const lost = openVault(secretKeyRing({ KEY_0: randomBytes(32).toString("base64") }));
  const unreadable = [await add(lost, 1), await add(lost, 2)];
  await add(before, 3);
  const away: typeof after = {
    ...after,
    rewrap: () => Promise.reject(new Problem("unavailable")),
  };
  await expect(rotate(client, away, { limit: 3 })).rejects.toMatchObject({ code: "unavailable" });
  const step = await rotate(client, after, { limit: 3 });
  expect(step).toMatchObject({ moved: 1, left: true });
  expect(step.unreadable.toSorted()).toEqual(unreadable.toSorted());
  await add(before, 4);
  const next = await rotate(client, after, { limit: 1, except: unreadable });
  expect(next).toMatchObject({ moved: 1, unreadable: [] });
});

test("every column of envelopes says which key wraps it, and one look into an index finds an older", async () => {
  const sql = neon(database.url);
  const schema = await readFile(new URL("../db/schema.ts", import.meta.url), "utf8");
  const declared = [...schema.matchAll(/jsonb\("(\w+)"\)\s*\.\$type<Envelope/g)].map(
    ([, name]) => name,
  );
  const beside = await sql`select left(column_name, -4) as name from information_schema.columns
    where table_schema = 'public' and is_generated = 'ALWAYS'`;
  expect(beside.map((row) => row["name"] as string).toSorted()).toEqual(declared.toSorted());
  const found = await sql`explain (format json) select credentials_kek from integrations
    where credentials_kek > 'KEY_2' order by 1 limit 1`;
  expect(JSON.stringify(found)).toContain("integrations_credentials_kek");
});

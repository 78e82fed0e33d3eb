import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { neon, neonConfig, NeonDbError } from "@neondatabase/serverless";
import { eq, sql as raw } from "drizzle-orm";
import { drizzle } from "drizzle-orm/neon-http";
import { integer, jsonb, pgTable, text, timestamp, uuid } from "drizzle-orm/pg-core";
import * as fc from "fast-check";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";

import { openEmbedded } from "./engine.ts";
import { findPostgres, startPostgres, type Postgres } from "./postgres.ts";
import { startDatabase, type Database } from "./server.ts";

// To start a database takes seconds, more on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
neonConfig.fetchEndpoint = (host, port) => `http://${host}:${port}/sql`;

const isInstalled = findPostgres() !== undefined;
if (!isInstalled) console.warn("No Postgres server is installed: only PGlite is tested");

let postgres: Postgres | undefined;
const databases: Partial<Record<"PGlite" | "Postgres", Database>> = {};
let snapshot: Blob;
beforeAll(async () => {
  const engine = await openEmbedded();
  snapshot = await engine.snapshot();
  await engine.close();
  databases.PGlite = await startDatabase({ snapshot });
  if (!isInstalled) return;
  postgres = await startPostgres();
  databases.Postgres = await startDatabase({ url: postgres.url });
});
afterAll(async () => {
  for (const database of Object.values(databases)) await database.close();
  await postgres?.stop();
});

const get = (name: "PGlite" | "Postgres") => databases[name] ?? expect.fail(`${name} is not up`);
let tables = 0;
const newName = () => `t_${++tables}`;
const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail("did not fail"),
    (error: unknown) => error as NeonDbError,
  );

/** Query and parameters; the oracle is what `pg` makes of the same on a real Postgres. */
const expressions: [query: string, params?: unknown[]][] = [
  ["select 1 as a, 2 as a, 3 as b"],
  ["select null as nothing, ''::text as empty, true as yes, false as no"],
  ["select 32767::int2, 2147483647::int4, 9223372036854775807::int8, (-1)::int8"],
  ["select 1.10::numeric, 12345678901234567890.123456789::numeric, 'NaN'::numeric, 0.0::numeric"],
  ["select 0.1::float8, 1e300::float8, 'Infinity'::float8, '-Infinity'::float8, 0.1::float4"],
  ["select 'Ünïcödé 🩺 \\ '' \" {}'::text, 'x'::char(5), 'y'::varchar(3), E'a\\tb\\nc'"],
  ["select '2024-02-29'::date, '12:34:56.789'::time, '2024-02-29 12:34:56.789123'::timestamp"],
  ["select '2024-02-29 12:34:56.789+05:30'::timestamptz, '0044-03-15 BC'::date, 'infinity'::date"],
  ["select '1 year 2 mons 3 days 04:05:06.7'::interval, '-1 day'::interval, '0'::interval"],
  [
    `select '{"b": [1, null, "x"], "a": {"n": 1.0}}'::json, '{"b":1,  "a":2}'::jsonb, 'null'::jsonb`,
  ],
  ["select '\\xdeadbeef00'::bytea, ''::bytea"],
  [
    "select array[1,2,null]::int[], '{}'::text[], array[[1,2],[3,4]], array[9007199254740993]::int8[]",
  ],
  [
    `select array['a','b,c','d"e','f\\g','NULL',null,'']::text[], array[true,false], array['x'::bytea]`,
  ],
  [
    "select array['2024-01-01'::date], array['2024-01-01 00:00:00+00'::timestamptz], array[1.5::numeric]",
  ],
  [
    "select 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, '127.0.0.1/8'::inet, '08:00:2b:01:02:03'::macaddr",
  ],
  [
    "select '(1,2)'::point, '<(1,2),3>'::circle, int4range(1, 5), '[2024-01-01,2024-02-01)'::daterange",
  ],
  [
    "select row(1, 'a', null), to_tsvector('simple', 'two words'), '101'::bit(3), 'public'::regnamespace",
  ],
  ["select $1::text, $2::int, $3::bool, $4::float8", ["text", 42, true, 1.5]],
  ["select $1::text, $1::int, $2::text is null", ["7", null]],
  ["select $1::jsonb, $2::json, $3::jsonb", [{ a: [1, { b: null }] }, '{"k":1}', '"text"']],
  ["select $1::text[], $2::int[], $3::text[]", [["a", null, 'q"\\,{}'], [1, 2], []]],
  ["select $1::bytea, $2::timestamptz", [Buffer.from([0, 255, 92]), new Date(1700000000123)]],
  [
    "select $1::numeric, $2::int8, $3::uuid",
    ["0.10", "9223372036854775807", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"],
  ],
  ["select x, x * $1 as y from generate_series(1, 5) as x where x > $2", [10, 2]],
  ["select 1 where false"],
  ["select"],
  [""],
  ["-- nothing"],
  ["show transaction_isolation"],
  ["values (1, 'a'), (2, 'b')"],
  ["create temp table if not exists scratch (id int primary key, name text)"],
  ["explain (costs off) select 1"],
  ["do $$ begin perform 1; end $$"],
  ["select count(*), sum(x), avg(x), max(x)::text from generate_series(1, 100) x"],
  ["select oid, typname, typlen, typrelid from pg_type where typname = 'int4'"],
];

describe.runIf(isInstalled)("compared with pg on a real Postgres", () => {
  let oracle: Client;
  beforeAll(async () => {
    oracle = new Client(postgres?.url);
    await oracle.connect();
  });
  afterAll(() => oracle.end());

  describe.each(["PGlite", "Postgres"] as const)("%s", (name) => {
    test.each(expressions)("%s", async (query, params = []) => {
      const expected = await oracle.query({ text: query, values: params, rowMode: "array" });
      const sql = neon(get(name).url, { fullResults: true, arrayMode: true });
      const actual = await sql.query(query, params);
      expect(actual.rows).toEqual(expected.rows);
      expect(actual.fields).toEqual(expected.fields.map((field) => ({ ...field })));
      expect(actual.command || null).toBe(expected.command);
      expect(actual.rowCount).toBe(expected.rowCount);
    });
  });
});

const engines = isInstalled ? (["PGlite", "Postgres"] as const) : (["PGlite"] as const);
describe.each(engines)("%s", (name) => {
  const connect = () => neon(get(name).url);
  const exec = (sql: string) => get(name).engine.exec(sql);

  const noNul = (sent: unknown) => !JSON.stringify(sent).includes("\\u0000");
  const same = (sent: unknown) => sent;
  const parsed = (sent: unknown) => JSON.parse(String(sent));
  const toJson = (value: unknown) => JSON.stringify(value);
  test.each<[type: string, sent: fc.Arbitrary<unknown>, expected: (sent: unknown) => unknown]>([
    ["text", fc.string({ unit: "binary" }).filter(noNul), (sent) => String(sent).toWellFormed()],
    ["jsonb", fc.jsonValue({ stringUnit: "grapheme" }).filter(noNul).map(toJson), parsed],
    ["json", fc.jsonValue().map(toJson), parsed],
    ["bytea", fc.uint8Array().map((bytes) => Buffer.from(bytes)), same],
    ["float8", fc.double().map((value) => value + 0), same],
    ["int4", fc.integer(), same],
    ["int8", fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), String],
    ["numeric", fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), String],
    ["text[]", fc.array(fc.option(fc.string({ unit: "grapheme" }).filter(noNul))), same],
  ])("any %s comes back as it went", async (type, values, expected) => {
    const property = fc.asyncProperty(values, async (sent) => {
      const [row] = await connect().query(`select $1::${type}`, [sent], { arrayMode: true });
      expect(row?.[0]).toEqual(expected(sent));
    });
    await fc.assert(property, { numRuns: 60 });
  });

  test("rows are objects, arrays or full results", async () => {
    const sql = connect();
    expect(await sql`select 1 as a, 'x' as b`).toEqual([{ a: 1, b: "x" }]);
    expect(await sql.query("select 1 as a, 2 as a", [], { arrayMode: true })).toEqual([[1, 2]]);
    const full = await sql.query("select 1 as a", [], { fullResults: true });
    expect(full).toMatchObject({ command: "SELECT", rowCount: 1, rowAsArray: false });
    expect(full.fields).toEqual([
      {
        name: "a",
        tableID: 0,
        columnID: 0,
        dataTypeID: 23,
        dataTypeSize: 4,
        dataTypeModifier: -1,
        format: "text",
      },
    ]);
  });

  test("an insert, update and delete tell how many rows they touched", async () => {
    const table = newName();
    await exec(`create table ${table} (id int)`);
    const sql = neon(get(name).url, { fullResults: true });
    const touched = async (query: string) => {
      const { command, rowCount } = await sql.query(query);
      return [command, rowCount];
    };
    expect(await touched(`insert into ${table} values (1), (2), (3)`)).toEqual(["INSERT", 3]);
    expect(await touched(`update ${table} set id = 9 where id > 1`)).toEqual(["UPDATE", 2]);
    expect(await touched(`delete from ${table}`)).toEqual(["DELETE", 3]);
    expect(await touched(`drop table ${table}`)).toEqual(["DROP", null]);
  });

  test("a batch is one transaction: one failure undoes all of it", async () => {
    const table = newName();
    await exec(`create table ${table} (id int primary key)`);
    const sql = connect();
    const insert = (id: number) => sql.query(`insert into ${table} values ($1)`, [id]);
    const count = () => sql.query(`select count(*)::int as n from ${table}`);
    expect(await failureOf(sql.transaction([insert(1), insert(2), insert(1)]))).toMatchObject({
      code: "23505",
      constraint: `${table}_pkey`,
      detail: "Key (id)=(1) already exists.",
      severity: "ERROR",
      schema: "public",
      table,
    });
    expect(await count()).toEqual([{ n: 0 }]);
    expect(await sql.transaction([insert(1), insert(2), count()])).toEqual([[], [], [{ n: 2 }]]);
    expect(await sql.transaction([])).toEqual([]);
  });

  test("a constraint that is checked at the commit fails the batch", async () => {
    const table = newName();
    await exec(`create table ${table} (id int unique deferrable initially deferred)`);
    const sql = connect();
    const insert = sql.query(`insert into ${table} values (1)`);
    expect(await failureOf(sql.transaction([insert, insert]))).toMatchObject({ code: "23505" });
    expect(await sql.query(`select * from ${table}`)).toEqual([]);
  });

  test.each([
    ["ReadUncommitted", "read uncommitted"],
    ["ReadCommitted", "read committed"],
    ["RepeatableRead", "repeatable read"],
    ["Serializable", "serializable"],
  ] as const)("a batch runs at %s", async (isolationLevel, level) => {
    const sql = connect();
    const modes = ["isolation", "read_only", "deferrable"].map((mode) => `transaction_${mode}`);
    const show = async (options?: Parameters<typeof sql.transaction>[1]) => {
      const results = await sql.transaction(
        modes.map((mode) => sql.query(`show ${mode}`)),
        options,
      );
      return results.flat().flatMap((row) => Object.values(row));
    };
    const strict = { isolationLevel, readOnly: true, deferrable: true };
    expect(await show(strict)).toEqual([level, "on", "on"]);
    expect(await show({ isolationLevel })).toEqual([level, "off", "off"]);
    expect(await show()).toEqual(["read committed", "off", "off"]);
  });

  test("a read-only batch cannot write", async () => {
    const sql = connect();
    const write = sql`create table never (id int)`;
    const failure = await failureOf(sql.transaction([write], { readOnly: true }));
    expect(failure).toMatchObject({ code: "25006" });
  });

  test("an error has all the fields that Postgres sent", async () => {
    const sql = connect();
    const syntax = await failureOf(sql`select 1 form nowhere`);
    expect(syntax).toBeInstanceOf(NeonDbError);
    expect(syntax).toMatchObject({ code: "42601", position: "15", severity: "ERROR" });
    expect(syntax.message).toBe('syntax error at or near "nowhere"');
    const hinted = await failureOf(sql`select upper(1)`);
    expect(hinted).toMatchObject({ code: "42883", position: "8" });
    expect(hinted.hint).toMatch(/type cast/);
    const inner = await failureOf(sql`do $$ begin execute 'selec'; end $$`);
    expect(inner).toMatchObject({ code: "42601", internalPosition: "1", internalQuery: "selec" });
    expect(inner.where).toContain("PL/pgSQL function inline_code_block line 1");
    expect(inner.routine).toBeTypeOf("string");
    expect(await failureOf(sql.query("select $1::int", ["x"]))).toMatchObject({ code: "22P02" });
    expect(await failureOf(sql.query("select $1, $2", ["x"]))).toMatchObject({ code: "08P01" });
    expect(await failureOf(sql`select 1; select 2`)).toMatchObject({ code: "42601" });
    expect(await failureOf(sql.query("select $1::text", ["\0"]))).toMatchObject({ code: "22021" });
    expect((await failureOf(sql.query("select 1 \0"))).message).toMatch("NUL");
  });

  test("drizzle reads, writes and batches", async () => {
    const table = newName();
    const notes = pgTable(table, {
      id: uuid().primaryKey().defaultRandom(),
      title: text().notNull().unique(),
      size: integer(),
      tags: text().array().notNull().default([]),
      detail: jsonb().$type<{ a: (number | null)[] }>(),
      at: timestamp({ withTimezone: true }).notNull(),
    });
    await exec(`create table ${table} (id uuid primary key default gen_random_uuid(),
      title text not null unique, size int, tags text[] not null default '{}', detail jsonb,
      at timestamptz not null)`);
    const db = drizzle(connect());
    const note = { tags: ["x", 'y"z'], detail: { a: [1, null] }, at: new Date(1700000000123) };
    const [inserted, found, counted] = await db.batch([
      db
        .insert(notes)
        .values({ title: "one", size: 1, ...note })
        .returning(),
      db.select().from(notes).where(eq(notes.title, "one")),
      db.execute(raw`select count(*)::int as n from ${notes}`),
    ]);
    expect(found).toEqual(inserted);
    expect(found).toMatchObject([{ title: "one", size: 1, ...note }]);
    expect(counted.rows).toEqual([{ n: 1 }]);
    const twice = db.batch([
      db.update(notes).set({ size: 2 }),
      db.insert(notes).values({ title: "one", at: new Date() }),
    ]);
    expect(await failureOf(twice)).toMatchObject({ code: "23505" });
    expect(await db.select({ size: notes.size }).from(notes)).toEqual([{ size: 1 }]);
  });

  test("row-level security follows the role and the setting of the batch, and both end with it", async () => {
    const table = newName();
    await exec(`
      create role ${table}_role nologin;
      create table ${table} (org_id uuid not null, name text not null);
      alter table ${table} enable row level security;
      alter table ${table} force row level security;
      create policy own on ${table}
        using (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
      grant select, insert on ${table} to ${table}_role;`);
    const [a, b] = [crypto.randomUUID(), crypto.randomUUID()];
    const sql = connect();
    const as = async (org: string, query: string, params: unknown[] = []) => {
      const [, rows] = await sql.transaction([
        sql`select set_config('role', ${`${table}_role`}, true), set_config('app.org_id', ${org}, true)`,
        sql.query(query, params),
      ]);
      return rows;
    };
    const insert = `insert into ${table} values ($1, $2)`;
    await as(a, insert, [a, "of a"]);
    await as(b, insert, [b, "of b"]);
    expect(await as(a, `select name from ${table}`)).toEqual([{ name: "of a" }]);
    expect(await as(b, `select name from ${table}`)).toEqual([{ name: "of b" }]);
    expect(await as("", `select name from ${table}`)).toEqual([]);
    expect(await failureOf(as(a, insert, [b, "stolen"]))).toMatchObject({ code: "42501" });
    expect(await failureOf(as(a, `delete from ${table}`))).toMatchObject({ code: "42501" });
    const [after] =
      await sql`select current_user as user, current_setting('app.org_id', true) as org`;
    expect(after?.["user"]).toBe("postgres");
    expect(after?.["org"] ?? "").toBe("");
  });

  test("fifty batches at once see only their own settings and rows", async () => {
    const table = newName();
    await exec(`create table ${table} (batch int, step int)`);
    const sql = connect();
    const read = sql`select current_setting('app.org_id') as org`;
    const batches = Array.from({ length: 50 }, (_, batch) =>
      sql.transaction([
        sql`select set_config('app.org_id', ${`org ${batch}`}, true)`,
        sql.query(`insert into ${table} values ($1, 1)`, [batch]),
        read,
        sql.query(`insert into ${table} select $1, count(*) + 1 from ${table} where batch = $1`, [
          batch,
        ]),
        batch % 5 === 0 ? sql`select 1 / ${0}::int` : read,
      ]),
    );
    const settled = await Promise.allSettled(batches);
    for (const [batch, result] of settled.entries()) {
      if (batch % 5 === 0) expect(result).toMatchObject({ reason: { code: "22012" } });
      else
        expect(result).toMatchObject({
          value: [{}, [], [{ org: `org ${batch}` }], [], [{ org: `org ${batch}` }]],
        });
    }
    const rows = await sql.query(`select batch, sum(step)::int as steps from ${table} group by 1`);
    expect(rows).toHaveLength(40);
    expect(rows.every((row) => row["steps"] === 3 && Number(row["batch"]) % 5)).toBe(true);
  });

  test("nothing that a request does to its session reaches the next one", async () => {
    const sql = connect();
    await exec("create role other_role nologin");
    for (const query of [
      "set application_name = 'dirty'",
      "select set_config('app.org_id', 'dirty', false)",
      "set role other_role",
      "set session authorization other_role",
      "prepare leftover as select 1",
      "create temp table leftover (id int)",
      "select pg_advisory_lock(42)",
      "begin",
    ]) {
      await sql.query(query);
    }
    for (let i = 0; i < 12; i++) {
      const [state] = await sql`select current_user as user, session_user as session,
        coalesce(current_setting('app.org_id', true), '') as org,
        current_setting('application_name') <> 'dirty' as clean,
        (select count(*)::int from pg_prepared_statements where name = 'leftover') as prepared,
        to_regclass('pg_temp.leftover') as temp,
        (select count(*)::int from pg_locks
          where locktype = 'advisory' and pid = pg_backend_pid()) as locks`;
      expect(state).toEqual({
        user: "postgres",
        session: "postgres",
        org: "",
        clean: true,
        prepared: 0,
        temp: null,
        locks: 0,
      });
    }
    const prepared = sql.transaction([
      sql`prepare p as select 7 as n`,
      sql`execute p`,
      sql`execute p`,
    ]);
    expect(await prepared).toEqual([[], [{ n: 7 }], [{ n: 7 }]]);
    const same = await Promise.all(
      Array.from({ length: 30 }, (_, n) => sql`select ${n}::int as n`),
    );
    expect(same).toEqual(Array.from({ length: 30 }, (_, n) => [{ n }]));
  });

  test("a COPY is refused and does not block what comes after it", async () => {
    const table = newName();
    await exec(`create table ${table} (id int)`);
    const sql = connect();
    expect(await failureOf(sql.query(`copy ${table} from stdin`))).toMatchObject({ code: "57014" });
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  });

  test("a caller that goes away neither blocks the queue nor leaves half a batch", async () => {
    const table = newName();
    await exec(`create table ${table} (id int)`);
    const sql = connect();
    const outcomes = Array.from({ length: 30 }, async (_, id) => {
      const abort = new AbortController();
      setTimeout(() => abort.abort(), id % 10);
      const insert = sql.query(`insert into ${table} values ($1)`, [id]);
      const slow = sql`select count(*) from generate_series(1, 20000)`;
      await sql.transaction([insert, slow, insert], { fetchOptions: { signal: abort.signal } });
    });
    await Promise.allSettled(outcomes);
    const rows = await sql.query(`select id from ${table} group by id having count(*) <> 2`);
    expect(rows).toEqual([]);
  });

  const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) => {
    const { endpoint, url } = get(name);
    const all = { "Neon-Connection-String": url, "Neon-Raw-Text-Output": "true", ...headers };
    return fetch(endpoint, { method: "POST", body, headers: all });
  };

  test.each(["", "{", "null", "[]", "{}", '{"query":1}', '{"query":"select 1","params":{}}'])(
    "the body %j is a bad request",
    async (body) => {
      const response = await post(body);
      expect(response.status).toBe(400);
      expect(await response.json()).toEqual({ message: expect.any(String) });
    },
  );

  test("parameters that are not text are encoded as Neon does", async () => {
    const params = [1.5, true, null, { a: "é" }, [1, null, 'q"', [2]], { b: [1] }];
    const types = ["float8", "bool", "int", "json", "text", "jsonb"];
    const query = `select ${types.map((type, i) => `$${i + 1}::${type} as p${i}`).join(", ")}`;
    const response = await post(JSON.stringify({ query, params }));
    expect(await response.json()).toMatchObject({
      rowAsArray: false,
      rows: [
        {
          p0: "1.5",
          p1: "t",
          p2: null,
          p3: '{"a":"é"}',
          p4: '{"1",NULL,"q\\"",{"2"}}',
          p5: '{"b": [1]}',
        },
      ],
    });
  });

  test("an unknown isolation level, another output or another path is refused", async () => {
    const batch = JSON.stringify({ queries: [{ query: "select 1" }] });
    expect((await post(batch, { "Neon-Batch-Isolation-Level": "Chaos" })).status).toBe(400);
    expect((await post(batch, { "Neon-Raw-Text-Output": "false" })).status).toBe(400);
    expect((await post(batch, { "Neon-Connection-String": "?" })).status).toBe(400);
    expect((await fetch(get(name).endpoint)).status).toBe(405);
    expect((await fetch(new URL("/other", get(name).endpoint))).status).toBe(404);
  });

  test("a wrong password is refused like Postgres refuses it", async () => {
    const url = new URL(get(name).url);
    url.password = "guess";
    const failure = await failureOf(neon(url.href)`select 1`);
    expect(failure).toMatchObject({ code: "28P01" });
    expect(failure.message).toBe('password authentication failed for user "postgres"');
  });

  test("a body above the limit is refused, one below it is not", async () => {
    expect((await post(new Uint8Array(64 * 1024 * 1024 + 1))).status).toBe(413);
    const big = "x".repeat(5_000_000);
    expect(await connect()`select ${big} as big`).toEqual([{ big }]);
  });
});

describe("PGlite", () => {
  test("a snapshot starts a copy with the same rows", async () => {
    const engine = await openEmbedded({ snapshot });
    await engine.exec("create table kept (id int); insert into kept values (1), (2)");
    const kept = await engine.snapshot();
    await engine.close();
    const database = await startDatabase({ snapshot: kept, password: "p@ss:w/rd %!'()*" });
    expect(await neon(database.url)`select sum(id)::int as sum from kept`).toEqual([{ sum: 3 }]);
    await database.close();
    expect((await failureOf(database.engine.exec("select 1"))).name).toBe("DatabaseGone");
  });

  test("a folder keeps its rows and is open once", async () => {
    const dataDir = newFolder();
    // What a process leaves that was killed while it made the database.
    mkdirSync(join(dataDir, "pgdata.new"));
    writeFileSync(join(dataDir, "pgdata.new", "PG_VERSION"), "18\n");
    const first = await startDatabase({ dataDir, snapshot });
    await neon(first.url)`create table kept as select 1 as id`;
    await expect(startDatabase({ dataDir })).rejects.toThrow("open in another process");
    await first.close();
    const second = await startDatabase({ dataDir });
    expect(await neon(second.url)`select id from kept`).toEqual([{ id: 1 }]);
    await second.close();
  });

  test("a crash is an error, now and later, and not a wait", async () => {
    const database = await startDatabase({ snapshot });
    const sql = neon(database.url);
    await sql`create function endless(n int) returns int language plpgsql as 'begin return endless(n + 1); end'`;
    for (const query of ["select endless(1)", "select 1"]) {
      expect((await failureOf(sql.query(query))).message).toMatch("HTTP status 503");
    }
    await database.close();
  });

  test("nothing acknowledged is lost when the process is killed", async () => {
    const folder = newFolder();
    await (await openEmbedded({ dataDir: folder, snapshot })).close();
    const acknowledged = new Set<string>();
    for (const count of [1, 10, 30]) {
      for (const id of await writeUntilKilled(folder, count)) acknowledged.add(id);
    }
    const engine = await openEmbedded({ dataDir: folder });
    const { rows } = await engine.query({ query: "select id, note from written", params: [] });
    await engine.close();
    const found = new Map(rows as [string, string][]);
    expect(acknowledged.size).toBeGreaterThan(40);
    expect([...acknowledged].filter((id) => found.get(id)?.length !== 2000)).toEqual([]);
  });
});

describe.runIf(isInstalled)("Postgres", () => {
  test("after a lost connection the next request gets a new one", async () => {
    const own = await startPostgres();
    const database = await startDatabase({ url: own.url });
    const sql = neon(database.url);
    const failure = await failureOf(sql`select pg_terminate_backend(pg_backend_pid())`);
    expect(failure.message).toMatch("HTTP status 503");
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
    await own.stop();
    expect((await failureOf(sql`select 1`)).message).toMatch("HTTP status 503");
    await database.close();
  });
});

function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), "pglite-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Kills the writer in the midst of its work after `count` rows; returns what it had acknowledged. */
async function writeUntilKilled(folder: string, count: number) {
  const writer = `
    import { neon, neonConfig } from "@neondatabase/serverless";
    import { startDatabase } from ${JSON.stringify(join(import.meta.dirname, "server.ts"))};
    const database = await startDatabase({ dataDir: ${JSON.stringify(folder)} });
    neonConfig.fetchEndpoint = database.endpoint;
    const sql = neon(database.url);
    await sql\`create table if not exists written (id uuid primary key, note text)\`;
    for (;;) {
      const id = crypto.randomUUID();
      await sql.transaction([
        sql\`insert into written values (\${id}, '')\`,
        sql\`update written set note = repeat('x', 2000) where id = \${id}\`,
      ]);
      process.stdout.write(id + "\\n");
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", writer], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const ids: string[] = [];
  for await (const id of createInterface(child.stdout)) {
    if (ids.push(id) === count) child.kill("SIGKILL");
  }
  expect((await exited)[1]).toBe("SIGKILL");
  return ids;
}

import { randomBytes, randomUUID } from "node:crypto";

import { neon, neonConfig } from "@neondatabase/serverless";
import { eq, getTableColumns, getTableName, is, sql } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { addOrg } from "../scripts/seed.ts";
import { logActivity } from "./activity.ts";
import { openClient } from "./client.ts";
import {
  addIntegration,
  changeIntegration,
  expectVersion,
  getIntegration,
  listIntegrations,
} from "./integrations.ts";
import { type Postgres, startPostgres } from "./local/postgres.ts";
import { type Database, startDatabase } from "./local/server.ts";
import { migrate } from "./migrate.ts";
import { OrgDb, type OrgTable, runSystem } from "./org.ts";
import * as schema from "./schema.ts";

const tenantTables = Object.values(schema).filter(
  (table): table is typeof table & OrgTable =>
    is(table, PgTable) &&
    "orgId" in getTableColumns(table) &&
    getTableName(table) !== "activity_heads",
);

describe.each(["pglite", "postgres"])("tenancy on %s", (engine) => {
  let database: Database;
  let postgres: Postgres | undefined;

  beforeAll(async () => {
    if (engine === "postgres") postgres = await startPostgres();
    database = await startDatabase(postgres ? { url: postgres.url } : {});
    neonConfig.fetchEndpoint = (_host, port) => `http://127.0.0.1:${port}/sql`;
    await migrate(database.url);
  });
  afterAll(async () => {
    await database.close();
    await postgres?.stop();
  });

  const client = () => openClient(database.url);
  const open = (orgId: string) => new OrgDb(client(), { orgId, actor: "clock" });
  async function newOrg() {
    const suffix = randomBytes(5).toString("hex");
    const orgId = randomUUID();
    const apiKey = `ehr_${suffix}_key`;
    await addOrg(database.url, {
      orgId,
      name: suffix,
      slug: suffix,
      person: "Terry",
      email: `${suffix}@clinic.example`,
      password: "a long test password",
      apiKey,
    });
    const db = open(orgId);
    const id = randomUUID();
    await db.run(
      addIntegration(db, { id, vendorId: "twilio" }),
      logActivity(db, {
        integrationId: id,
        vendorId: "twilio",
        activityType: "created",
        status: "success",
      }),
    );
    return { orgId, db, id };
  }

  test("another org's rows can neither be read, changed nor removed", async () => {
    const [a, b] = [await newOrg(), await newOrg()];
    expect((await a.db.run(getIntegration(a.db, b.id)))[0]).toEqual([]);
    expect((await a.db.run(changeIntegration(a.db, b.id, { enabled: true })))[0]).toEqual([]);
    expect(
      (await a.db.run(a.db.delete(schema.integrations, eq(schema.integrations.id, b.id))))[0],
    ).toEqual([]);
    const [[row]] = await b.db.run(getIntegration(b.db, b.id));
    expect(row).toMatchObject({ id: b.id, orgId: b.orgId, enabled: false });
  });

  test("no table gives another org's rows to hand-written SQL without a filter", async () => {
    const [a, b] = [await newOrg(), await newOrg()];
    for (const table of tenantTables) {
      const [rows] = await a.db.run(a.db.sql<{ org_id: string }>(sql`select org_id from ${table}`));
      expect(
        rows.filter((row) => row.org_id !== a.orgId),
        getTableName(table),
      ).toEqual([]);
    }
    await expect(
      a.db.run(
        a.db.sql(sql`insert into integrations (org_id, vendor_id) values (${b.orgId}, 'stripe')`),
      ),
    ).rejects.toMatchObject({ code: "42501" });
    await expect(
      a.db.run(a.db.sql(sql`update integrations set org_id = ${b.orgId}`)),
    ).rejects.toMatchObject({ code: "42501" });
  });

  test("without an org nothing is seen, and sign-in tables are closed to tenants", async () => {
    const { db } = await newOrg();
    for (const table of tenantTables) {
      const [, , rows] = (await client().batch([
        client().execute(sql`select set_config('role', 'ehrconnect_tenant', true)`),
        client().execute(sql`select 1`),
        client().execute(sql`select * from ${table}`),
      ])) as unknown as { rows: unknown[] }[];
      expect(rows?.rows, getTableName(table)).toEqual([]);
    }
    for (const name of [
      "users",
      "sessions",
      "accounts",
      "api_keys",
      "members",
      "organizations",
      "activity_heads",
    ])
      await expect(
        db.run(db.sql(sql`select * from ${sql.identifier(name)}`)),
        name,
      ).rejects.toMatchObject({ code: "42501" });
  });

  test("every tenant table is under forced row security with both policies", async () => {
    const query = neon(database.url);
    for (const table of tenantTables) {
      const name = getTableName(table);
      const [row] =
        await query`select relrowsecurity, relforcerowsecurity from pg_class where oid = ${name}::regclass`;
      expect(row, name).toEqual({ relrowsecurity: true, relforcerowsecurity: true });
      expect(
        getTableConfig(table)
          .policies.map((policy) => policy.name)
          .toSorted(),
        name,
      ).toEqual(["system", "tenant"]);
    }
    const roles =
      await query`select rolname from pg_roles where rolname like 'ehrconnect_%' and (rolbypassrls or rolsuper or rolcanlogin)`;
    expect(roles).toEqual([]);
  });

  test("the audit log can only grow, and its chain shows a change", async () => {
    const { db, id, orgId } = await newOrg();
    for (const statement of [
      sql`update integration_activity_log set status = 'failure'`,
      sql`delete from integration_activity_log`,
      sql`truncate integration_activity_log`,
    ]) {
      await expect(db.run(db.sql(statement))).rejects.toMatchObject({ code: "42501" });
      await expect(runSystem(client(), statement)).rejects.toMatchObject({ code: "42501" });
    }
    await Promise.all(
      Array.from({ length: 10 }, () =>
        db.run(
          logActivity(db, {
            integrationId: id,
            vendorId: "twilio",
            activityType: "tested",
            status: "success",
          }),
        ),
      ),
    );
    const [rows] = await db.run(
      db.sql<{ seq: string; prev_hash: string; hash: string; good: boolean }>(sql`
        select seq, prev_hash, hash, hash = activity_digest(prev_hash, seq, id, org_id, integration_id,
          vendor_id, activity_type, status, details, error_message, actor, created_by, ip, request_id,
          created_at) as good
        from integration_activity_log order by seq`),
    );
    expect(rows.map((row) => Number(row.seq))).toEqual(rows.map((_, index) => index + 1));
    expect(rows.length).toBe(11);
    rows.forEach((row, index) => {
      expect(row.good).toBe(true);
      expect(row.prev_hash).toBe(index ? rows[index - 1]?.hash : "");
    });
    expect(orgId).toBeTruthy();
  });

  test("a transaction is all or nothing", async () => {
    const { db } = await newOrg();
    await expect(
      db.run(
        addIntegration(db, { vendorId: "stripe" }),
        addIntegration(db, { vendorId: "slack" }),
        addIntegration(db, { vendorId: "stripe" }),
      ),
    ).rejects.toMatchObject({ code: "23505" });
    const [rows] = await db.run(listIntegrations(db));
    expect(rows.map((row) => row.vendorId)).toEqual(["twilio"]);
  });

  test("of two changes that expect the same version one wins", async () => {
    const { orgId, id } = await newOrg();
    const change = async () => {
      const db = open(orgId);
      await db.run(expectVersion(db, id, 1), changeIntegration(db, id, { enabled: true }));
    };
    const settled = await Promise.allSettled(Array.from({ length: 6 }, change));
    expect(settled.filter((one) => one.status === "fulfilled")).toHaveLength(1);
    for (const one of settled)
      if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "EH412" });
  });

  test("applying the migrations again changes nothing", async () => {
    expect(await migrate(database.url)).toBe(0);
  });
});

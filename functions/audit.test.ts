import { neon, neonConfig } from "@neondatabase/serverless";
import { describe, expect, inject, test } from "vitest";

import { newOrg, type TestOrg } from "../scripts/world.ts";
import { csvCell } from "./audit.ts";

const world = inject("world");
neonConfig.fetchEndpoint = world.endpoint;
const sql = neon(world.databaseUrl);

const fill = (org: TestOrg, rows: number) =>
  sql`insert into integration_activity_log (org_id, activity_type, status, details)
    select ${org.orgId}, 'tested', 'success', jsonb_build_object('n', n) from generate_series(1, ${rows}) n`;
const verify = async (org: TestOrg) =>
  (await org.call("GET", "/api/activity/verify")).body.data as {
    intact: boolean;
    rows: number;
    first_bad_seq: number | null;
    head: string;
  };
async function download(org: TestOrg, query: string) {
  const response = await fetch(`${world.url}/api/activity/export?${query}`, {
    headers: { authorization: `Bearer ${org.apiKey}` },
  });
  return { response, text: await response.text() };
}

describe("the audit log", () => {
  test("is exported whole, in order, and only one's own", async () => {
    const [org, other] = [await newOrg(world), await newOrg(world)];
    await fill(org, 2_345);
    await fill(other, 3);
    const { response, text } = await download(org, "format=ndjson");
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    const rows = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { seq: number; org_id: string });
    expect(rows.map((row) => row.seq)).toEqual(Array.from({ length: 2_345 }, (_, i) => i + 1));
    expect(new Set(rows.map((row) => row.org_id))).toEqual(new Set([org.orgId]));
    const csv = await download(org, "format=csv");
    expect(csv.response.headers.get("content-type")).toContain("text/csv");
    const lines = csv.text.trim().split("\r\n");
    expect(lines).toHaveLength(2_346);
    expect(lines[0]).toContain("seq,created_at,activity_type");
  });

  test("verifies, and shows the first row that was changed, removed or cut off", async () => {
    const org = await newOrg(world);
    expect(await verify(org)).toEqual({ intact: true, rows: 0, first_bad_seq: null, head: "" });
    await fill(org, 20);
    const good = await verify(org);
    expect(good).toMatchObject({ intact: true, rows: 20, first_bad_seq: null });
    expect(good.head).toMatch(/^[0-9a-f]{64}$/);
    const change = (seq: number, status: string) =>
      sql`update integration_activity_log set status = ${status} where org_id = ${org.orgId} and seq = ${seq}`;
    await change(7, "failure");
    expect(await verify(org)).toMatchObject({ intact: false, first_bad_seq: 7 });
    await change(7, "success");
    expect(await verify(org)).toEqual(good);
    await sql`delete from integration_activity_log where org_id = ${org.orgId} and seq = 20`;
    expect(await verify(org)).toMatchObject({ intact: false, rows: 19 });
    await sql`delete from integration_activity_log where org_id = ${org.orgId} and seq = 3`;
    expect(await verify(org)).toMatchObject({ intact: false, first_bad_seq: 4 });
  });

  test("shows a change of any column of a row", async () => {
    const [org, other] = [await newOrg(world), await newOrg(world)];
    await fill(org, 3);
    const [row] = await sql`select id from integration_activity_log
      where org_id = ${org.orgId} and seq = 2`;
    const columns = await sql`select column_name as name, data_type as type
      from information_schema.columns where table_name = 'integration_activity_log'`;
    const another: Record<string, string> = {
      uuid: crypto.randomUUID(),
      jsonb: '{"n":"2"}',
      bigint: "9",
      "timestamp with time zone": "2026-01-01T00:00:00.000001Z",
    };
    let id = row?.["id"] as string;
    const set = async (name: string, type: string, value: string | null) => {
      await sql.query(
        `update integration_activity_log set ${name} = cast($1 as ${type}) where id = $2`,
        [value, id],
      );
      if (name === "id" && value) id = value;
    };
    for (const { name, type } of columns as { name: string; type: string }[]) {
      const [before] = await sql.query(
        `select cast(${name} as text) as value from integration_activity_log where id = $1`,
        [id],
      );
      await set(name, type, name === "org_id" ? other.orgId : (another[type] ?? "another"));
      expect(await verify(org), name).toMatchObject({ intact: false });
      await set(name, type, before?.["value"] as string | null);
      expect(await verify(org), name).toMatchObject({ intact: true });
    }
  });

  test("verifies rows from before the digest held the vendor and the person", async () => {
    const org = await newOrg(world);
    await fill(org, 1);
    await sql`update integration_activity_log set hash = activity_digest(prev_hash, seq, id, org_id,
        integration_id, activity_type, status, details, error_message, actor, ip, request_id, created_at)
      where org_id = ${org.orgId}`;
    await sql`update activity_heads h set hash = a.hash from integration_activity_log a
      where a.org_id = h.org_id and h.org_id = ${org.orgId}`;
    await fill(org, 2);
    expect(await verify(org)).toMatchObject({ intact: true, rows: 3 });
  });

  test("writes cells that no spreadsheet runs and no parser breaks", () => {
    expect(csvCell("=HYPERLINK(1)")).toBe("'=HYPERLINK(1)");
    expect(csvCell("@SUM(A1)")).toBe("'@SUM(A1)");
    expect(csvCell('say "hi", then\nleave')).toBe('"say ""hi"", then\nleave"');
    expect(csvCell(-5)).toBe("-5");
    expect(csvCell(null)).toBe("");
    expect(csvCell({ a: 1 })).toBe('"{""a"":1}"');
  });
});

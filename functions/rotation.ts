import { sql } from "drizzle-orm";

import type { Client } from "../db/client.ts";
import { runSystem } from "../db/org.ts";
import type { Envelope } from "../db/schema.ts";
import type { Vault } from "./vault.ts";

export type RotationProgress = {
  /** Envelopes moved in this call. */
  moved: number;
  /** Envelopes that somebody changed at the same time: the next call takes them. */
  contended: number;
  /** Whether there may be more. */
  left: boolean;
};

type Sealed = { table: string; column: string };
type Row = { id: string; org_id: string; sealed: Envelope };

/** Every column that can hold an envelope is found in the catalog, so that none is forgotten. */
async function sealedColumns(client: Client): Promise<Sealed[]> {
  const [rows = []] = await runSystem(
    client,
    sql`select c.table_name, c.column_name from information_schema.columns c
      where c.table_schema = 'public' and c.data_type = 'jsonb'
        and exists (select 1 from information_schema.columns o
          where o.table_schema = 'public' and o.table_name = c.table_name and o.column_name = 'org_id')
      order by 1, 2`,
  );
  return rows.map((row) => ({
    table: row["table_name"] as string,
    column: row["column_name"] as string,
  }));
}

/**
 * Moves up to `limit` envelopes to the current key-encryption key, or with `dataKeysBefore` gives
 * those with an older data key a new one. Each is replaced only if it is still the one that was
 * read, so that it can run beside readers and writers, stop anywhere, and be started again.
 */
export async function rotate(
  client: Client,
  vault: Vault,
  options: { limit: number; dataKeysBefore?: number },
): Promise<RotationProgress> {
  const progress: RotationProgress = { moved: 0, contended: 0, left: false };
  for (const { table, column } of await sealedColumns(client)) {
    const remaining = options.limit - progress.moved - progress.contended;
    if (remaining <= 0) return { ...progress, left: true };
    const name = sql.identifier(column);
    const [rows = []] = await runSystem(
      client,
      sql`select id, org_id, ${name} as sealed from ${sql.identifier(table)}
        where jsonb_typeof(${name}) = 'object' and ${name} ? 'ct' and ${name} ? 'kek'
          and (${name} ->> 'kek' <> ${vault.currentKek}
            ${options.dataKeysBefore === undefined ? sql`` : sql`or (${name} ->> 'dv')::int < ${options.dataKeysBefore}`})
        order by id limit ${remaining}`,
    );
    if (!rows.length) continue;
    const moves = await Promise.all(
      (rows as Row[]).map(async (row) => {
        const owner = { orgId: row.org_id, id: row.id };
        const next =
          options.dataKeysBefore === undefined
            ? await vault.rewrap(owner, row.sealed)
            : await vault.seal(owner, await vault.open(owner, row.sealed), options.dataKeysBefore);
        return sql`update ${sql.identifier(table)} set ${name} = ${JSON.stringify(next)}::jsonb
          where id = ${row.id} and ${name} = ${JSON.stringify(row.sealed)}::jsonb returning id`;
      }),
    );
    const results = await runSystem(client, ...moves);
    for (const updated of results)
      if (updated.length) progress.moved += 1;
      else progress.contended += 1;
    if (rows.length === remaining) return { ...progress, left: true };
  }
  return { ...progress, left: progress.contended > 0 };
}

/** How many envelopes each key-encryption key still wraps. */
export async function countByKek(client: Client): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { table, column } of await sealedColumns(client)) {
    const name = sql.identifier(column);
    const [rows = []] = await runSystem(
      client,
      sql`select ${name} ->> 'kek' as kek, count(*)::int as n from ${sql.identifier(table)}
        where jsonb_typeof(${name}) = 'object' and ${name} ? 'ct' and ${name} ? 'kek' group by 1`,
    );
    for (const row of rows) {
      const kek = row["kek"] as string;
      counts[kek] = (counts[kek] ?? 0) + (row["n"] as number);
    }
  }
  return counts;
}

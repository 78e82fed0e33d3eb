import { type SQL, sql } from "drizzle-orm";

import type { Client } from "../db/client.ts";
import { uuids } from "../db/events.ts";
import { runSystem } from "../db/org.ts";
import type { Envelope } from "../db/schema.ts";
import { Problem } from "../problem.ts";
import { eachLimited } from "./each-limited.ts";
import type { Vault } from "./vault.ts";

export type RotationProgress = {
  /** Envelopes moved in this call. */
  moved: number;
  /** Envelopes that somebody changed at the same time: the next call takes them. */
  contended: number;
  /** Rows whose envelope opens under no key that is configured: they stay as they are. */
  unreadable: string[];
  /** Whether there may be more. */
  left: boolean;
};

type Sealed = { table: string; column: string };
type Row = { id: string; org_id: string; sealed: Envelope };

/**
 * Every column of envelopes, found in the catalog by its `…_kek` beside it: a generated column with an
 * index, so that nothing has to be read to see that nothing is left.
 */
async function sealedColumns(client: Client): Promise<Sealed[]> {
  const [rows = []] = await runSystem(
    client,
    sql`select table_name, left(column_name, -4) as column_name from information_schema.columns
      where table_schema = 'public' and is_generated = 'ALWAYS' and column_name like '%\_kek'
      order by 1, 2`,
  );
  return rows.map((row) => ({
    table: row["table_name"] as string,
    column: row["column_name"] as string,
  }));
}

const kekOf = ({ column }: Sealed) => sql.identifier(`${column}_kek`);

/** The keys that still wrap something, each found by one step into the index. */
const keksOf = (sealed: Sealed) => {
  const [table, kek] = [sql.identifier(sealed.table), kekOf(sealed)];
  return sql`with recursive keks as (
      (select ${kek} as kek from ${table} where ${kek} is not null order by 1 limit 1)
      union all
      select (select ${kek} from ${table} where ${kek} > keks.kek order by 1 limit 1)
      from keks where keks.kek is not null
    ) select kek from keks where kek is not null`;
};

/** What is to be moved in a column: the keys other than the current, or data keys that are too old. */
async function toMove(
  client: Client,
  vault: Vault,
  columns: readonly Sealed[],
  dataKeysBefore: number | undefined,
): Promise<{ sealed: Sealed; which: SQL }[]> {
  if (dataKeysBefore !== undefined)
    return columns.map((sealed) => {
      const name = sql.identifier(sealed.column);
      const older = sql`(${name} ->> 'dv')::int < ${dataKeysBefore}`;
      return {
        sealed,
        which: sql`${kekOf(sealed)} is not null and (${kekOf(sealed)} <> ${vault.currentKek} or ${older})`,
      };
    });
  const found = await runSystem(client, ...columns.map(keksOf));
  return columns.flatMap((sealed, i) => {
    const old = (found[i] ?? []).map((row) => row["kek"] as string);
    const others = old.filter((kek) => kek !== vault.currentKek);
    const list = sql.join(
      others.map((kek) => sql`${kek}`),
      sql`, `,
    );
    return others.length ? [{ sealed, which: sql`${kekOf(sealed)} in (${list})` }] : [];
  });
}

/**
 * Moves up to `limit` envelopes to the current key-encryption key, or with `dataKeysBefore` gives
 * those with an older data key a new one. Each is replaced only if it is still the one that was
 * read, so that it can run beside readers and writers, stop anywhere, and be started again. Rows in
 * `except` are left alone; a key service that is away ends the call with a `Problem`.
 */
export async function rotate(
  client: Client,
  vault: Vault,
  {
    limit,
    dataKeysBefore,
    except = [],
  }: { limit: number; dataKeysBefore?: number; except?: readonly string[] },
): Promise<RotationProgress> {
  const progress: RotationProgress = { moved: 0, contended: 0, unreadable: [], left: false };
  const columns = await sealedColumns(client);
  for (const { sealed, which } of await toMove(client, vault, columns, dataKeysBefore)) {
    const remaining = limit - progress.moved - progress.contended - progress.unreadable.length;
    if (remaining <= 0) return { ...progress, left: true };
    const [table, name] = [sql.identifier(sealed.table), sql.identifier(sealed.column)];
    const [rows = []] = await runSystem(
      client,
      sql`select id, org_id, ${name} as sealed from ${table}
        where (${which}) and id <> all(${uuids(except)}) limit ${remaining}`,
    );
    if (!rows.length) continue;
    const moves: { id: string; before: Envelope; next: Envelope }[] = [];
    await eachLimited(rows as Row[], async ({ id, org_id: orgId, sealed: before }) => {
      const owner = { orgId, id };
      try {
        const next =
          dataKeysBefore === undefined
            ? await vault.rewrap(owner, before)
            : await vault.seal(owner, await vault.open(owner, before), dataKeysBefore);
        moves.push({ id, before, next });
      } catch (error) {
        if (error instanceof Problem) throw error;
        progress.unreadable.push(id);
      }
    });
    const [updated = []] = await runSystem(
      client,
      sql`update ${table} t set ${name} = m.next
        from jsonb_to_recordset(${JSON.stringify(moves)}::jsonb) as m(id uuid, before jsonb, next jsonb)
        where t.id = m.id and t.${name} = m.before returning t.id`,
    );
    progress.moved += updated.length;
    progress.contended += moves.length - updated.length;
    if (rows.length === remaining) return { ...progress, left: true };
  }
  return { ...progress, left: progress.contended > 0 };
}

/** How many envelopes each key-encryption key still wraps. */
export async function countByKek(client: Client): Promise<Record<string, number>> {
  const columns = await sealedColumns(client);
  const found = await runSystem(
    client,
    ...columns.map(
      (sealed) => sql`select ${kekOf(sealed)} as kek, count(*)::int as n
        from ${sql.identifier(sealed.table)} where ${kekOf(sealed)} is not null group by 1`,
    ),
  );
  const counts: Record<string, number> = {};
  for (const row of found.flat()) {
    const kek = row["kek"] as string;
    counts[kek] = (counts[kek] ?? 0) + (row["n"] as number);
  }
  return counts;
}

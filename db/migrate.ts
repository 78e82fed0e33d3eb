import { readFile } from "node:fs/promises";

import { neon, neonConfig } from "@neondatabase/serverless";
import { readMigrationFiles } from "drizzle-orm/migrator";

const folder = new URL("./migrations", import.meta.url).pathname;
const security = new URL("./security.sql", import.meta.url);

/**
 * Applies what is missing, each migration in one transaction together with its journal row, then
 * `security.sql`. Returns how many were applied. Throws Postgres's error on the first that fails.
 */
export async function migrate(url: string, endpoint?: string): Promise<number> {
  if (endpoint) neonConfig.fetchEndpoint = endpoint;
  const sql = neon(url);
  await sql.transaction([
    sql`create schema if not exists drizzle`,
    sql`create table if not exists drizzle.__drizzle_migrations (
      id serial primary key, hash text not null, created_at bigint)`,
  ]);
  const [last] = (await sql`select created_at from drizzle.__drizzle_migrations
    order by created_at desc limit 1`) as { created_at: string }[];
  const missing = readMigrationFiles({ migrationsFolder: folder }).filter(
    (migration) => !last || Number(last.created_at) < migration.folderMillis,
  );
  for (const { sql: statements, hash, folderMillis } of missing)
    await sql.transaction([
      ...statements.map((statement) => sql.query(statement)),
      sql`insert into drizzle.__drizzle_migrations (hash, created_at) values (${hash}, ${folderMillis})`,
    ]);
  const text = await readFile(security, "utf8");
  await sql.transaction(text.split("--> statement-breakpoint").map((part) => sql.query(part)));
  return missing.length;
}

import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { genRegistry } from "./gen-registry.ts";

const root = new URL("..", import.meta.url).pathname;
const kit = join(root, "node_modules/drizzle-kit/bin.cjs");

const generate = (out: string) =>
  execFileSync(
    process.execPath,
    [kit, "generate", "--dialect", "postgresql", "--schema", "./db/schema.ts", "--out", out],
    { cwd: root, encoding: "utf8" },
  );

/** Whether the schema has changes that no migration has yet: tried on a copy, so nothing is written. */
function missingMigration(): boolean {
  const copy = mkdtempSync(join(root, "db/.check-"));
  try {
    cpSync(join(root, "db/migrations"), copy, { recursive: true });
    const before = readdirSync(copy).length;
    generate(`./db/${copy.split("/").at(-1)}`);
    return readdirSync(copy).length !== before;
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/** Writes what is derived from the code; with `check` only says what is out of date. */
export async function gen(check: boolean): Promise<string[]> {
  const stale = await genRegistry(check);
  if (check) return missingMigration() ? [...stale, "db/migrations"] : stale;
  console.log(generate("./db/migrations").trim().split("\n").at(-1));
  return stale;
}

if (import.meta.main) {
  const check = process.argv.includes("--check");
  const stale = await gen(check);
  if (check && stale.length) {
    console.error(`Out of date: ${stale.join(", ")}. Run npm run gen.`);
    process.exitCode = 1;
  }
}

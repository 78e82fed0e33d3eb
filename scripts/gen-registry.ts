import { readdir, readFile, writeFile } from "node:fs/promises";

import { vendorCard } from "../handlers/catalog.ts";
import type { AnyVendor } from "../handlers/define.ts";

const handlers = new URL("../handlers/", import.meta.url);

/** Ids of the files in handlers/ that declare a vendor. */
export async function listVendors(): Promise<string[]> {
  const names = (await readdir(handlers)).filter((name) => /^[\w-]+(?<!\.test)\.ts$/.test(name));
  const sources = await Promise.all(
    names.map(async (name) => [name, await readFile(new URL(name, handlers), "utf8")] as const),
  );
  return sources
    .filter(([, source]) => source.includes("export const vendor = defineVendor("))
    .map(([name]) => name.replace(/\.ts$/, ""))
    .toSorted();
}

function registrySource(ids: readonly string[]) {
  const entries = ids.map((id) => `  "${id}": () => import("./${id}.ts").then((m) => m.vendor),\n`);
  return `// Written by scripts/gen-registry.ts; do not edit.
import type { AnyVendor } from "./define.ts";

/** Lazy, since building every vendor's schemas costs a cold start more than it may take. */
export const registry = {
${entries.join("")}} satisfies Record<string, () => Promise<AnyVendor>>;

export type VendorId = keyof typeof registry;

export async function loadVendor(id: string): Promise<AnyVendor | undefined> {
  return Object.hasOwn(registry, id) ? registry[id as VendorId]() : undefined;
}
`;
}

async function catalogSource(ids: readonly string[]) {
  const cards = await Promise.all(
    ids.map(async (id) => {
      const path = new URL(`${id}.ts`, handlers).href;
      const { vendor } = (await import(path)) as { vendor: AnyVendor };
      return vendorCard(id, vendor);
    }),
  );
  const byName = new Intl.Collator("en").compare;
  return `${JSON.stringify(
    cards.toSorted((a, b) => byName(a.name, b.name)),
    null,
    2,
  )}\n`;
}

/** Names the generated files that differ from what the vendor files say; writes them unless `check`. */
export async function genRegistry(check: boolean): Promise<string[]> {
  const ids = await listVendors();
  const files = { "registry.ts": registrySource(ids), "catalog.json": await catalogSource(ids) };
  const outdated: string[] = [];
  for (const [name, source] of Object.entries(files)) {
    const path = new URL(name, handlers);
    if ((await readFile(path, "utf8").catch(() => undefined)) === source) continue;
    outdated.push(`handlers/${name}`);
    if (!check) await writeFile(path, source);
  }
  return outdated;
}

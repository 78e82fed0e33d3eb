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

type Loaded = readonly { id: string; vendor: AnyVendor }[];

const load = (ids: readonly string[]): Promise<Loaded> =>
  Promise.all(
    ids.map(async (id) => {
      const path = new URL(`${id}.ts`, handlers).href;
      const { vendor } = (await import(path)) as { vendor: AnyVendor };
      return { id, vendor };
    }),
  );

function registrySource(loaded: Loaded) {
  const ids = loaded.map(({ id }) => id);
  const former = loaded.flatMap(({ id, vendor }) =>
    (vendor.aliases ?? []).map((alias) => `  "${alias}": "${id}",\n`),
  );
  const entries = ids.map((id) => `  "${id}": () => import("./${id}.ts").then((m) => m.vendor),\n`);
  return `// Written by scripts/gen-registry.ts; do not edit.
import type { AnyVendor } from "./define.ts";

/** Lazy, since building every vendor's schemas costs a cold start more than it may take. */
export const registry = {
${entries.join("")}} satisfies Record<string, () => Promise<AnyVendor>>;

export type VendorId = keyof typeof registry;

const aliases: Readonly<Record<string, VendorId>> = {
${former.join("")}};

/** The id that a vendor has now: \`cerner\` is \`oracle-health\`. Any other text stays as it is. */
export const vendorId = (id: string): string =>
  Object.hasOwn(aliases, id) ? (aliases[id] ?? id) : id;

export async function loadVendor(id: string): Promise<AnyVendor | undefined> {
  const known = vendorId(id);
  return Object.hasOwn(registry, known) ? registry[known as VendorId]() : undefined;
}
`;
}

function catalogSource(loaded: Loaded) {
  const cards = loaded.map(({ id, vendor }) => vendorCard(id, vendor));
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
  const loaded = await load(ids);
  const files = { "registry.ts": registrySource(loaded), "catalog.json": catalogSource(loaded) };
  const outdated: string[] = [];
  for (const [name, source] of Object.entries(files)) {
    const path = new URL(name, handlers);
    if ((await readFile(path, "utf8").catch(() => undefined)) === source) continue;
    outdated.push(`handlers/${name}`);
    if (!check) await writeFile(path, source);
  }
  return outdated;
}

import { createHash } from "node:crypto";

import { neon, neonConfig } from "@neondatabase/serverless";

import type { Envelope } from "../db/schema.ts";
import { openVault, secretKeyRing } from "../functions/vault.ts";
import { loadVendor, registry } from "../handlers/registry.ts";
import {
  type Canary,
  leaksIn,
  plantedIn,
  type Seen,
  type Sent,
  seenIn,
  sentIn,
} from "./canaries.ts";

type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

function* leaves(value: Json, path: readonly string[] = []): Generator<[string[], string]> {
  if (typeof value === "string") yield [[...path], value];
  else if (Array.isArray(value)) for (const each of value) yield* leaves(each, path);
  else if (value instanceof Object)
    for (const [name, each] of Object.entries(value)) yield* leaves(each, [...path, name]);
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** The fields that hold a secret with one vendor, and are plain with none. */
async function secretFields(): Promise<ReadonlySet<string>> {
  const secret = new Set<string>();
  const plain = new Set<string>();
  for (const id of Object.keys(registry))
    for (const step of (await loadVendor(id))?.steps ?? [])
      for (const [name, field] of Object.entries(step.fields))
        (field.secret ? secret : plain).add(name);
  return new Set([...secret].filter((name) => !plain.has(name)));
}

const secretNames = /secret|password|passphrase|private_?key/i;
const personal = /^\+\d{8,15}$|^[^\s@]+@[^\s@]+\.[a-z]+$/i;

function canariesOf(sent: Sent, fields: ReadonlySet<string>): Canary[] {
  const { path, headers, body } = sent;
  const found: Canary[] = [];
  const key = /^bearer (.+)$/i.exec(headers["authorization"] ?? "")?.[1] ?? headers["x-api-key"];
  if (key) {
    const stored = createHash("sha256").update(key).digest("base64url");
    found.push({ what: "an API key", kind: "secret", value: key });
    found.push({ what: "an API key's stored form", kind: "stored", value: stored });
  }
  // A session's token is nothing without the signature behind its dot.
  for (const cookie of (headers["cookie"] ?? "").split("; ")) {
    const value = cookie.replace(/^[^=]*=/, "");
    if (value.includes(".")) found.push({ what: "a cookie", kind: "secret", value });
  }
  const json = parse(body);
  if (json === undefined) return found;
  for (const [names, value] of leaves(json)) {
    const name = names.at(-1) ?? "";
    const isField = names.includes("credentials") && fields.has(name);
    if (
      isField ||
      secretNames.test(name) ||
      (names.includes("headers") && path.includes("/destinations"))
    )
      found.push({ what: `${name}, sent to ${path.split("/")[2]}`, kind: "secret", value });
    const isPerson =
      (path.endsWith("/execute") && names[0] === "params" && personal.test(value)) ||
      (path === "/api/erasures" && name === "subject");
    if (isPerson) found.push({ what: `${name} of a person`, kind: "person", value });
  }
  return found;
}

/** What an answer shows on purpose is looked for in all others. */
const revealed: readonly [RegExp, string, string][] = [
  [/^POST \/api\/keys$/, "key", "new API key"],
  [/^POST \/api\/destinations(\/[^/]+\/rotate-secret)?$/, "secret", "new signing secret"],
  [
    /^POST \/api\/auth\/two-factor\/(enable|generate-backup-codes)$/,
    "backupCodes",
    "new backup code",
  ],
];

function canariesShown({ where, text }: Seen): Canary[] {
  const rule = revealed.find(([route]) => route.test(where));
  const json = rule && parse(text.slice(text.indexOf("\n\n") + 2));
  if (!rule || json === undefined) return [];
  const [, field, what] = rule;
  return [...leaves(json)].flatMap(([names, value]) =>
    names.at(-1) === field ? [{ what, kind: "secret" as const, value }] : [],
  );
}

type Watched = {
  folder: string;
  database: { url: string; endpoint: string };
  secrets: Readonly<Record<string, string>>;
  logs: readonly string[];
};

const rowsAtOnce = 2_000;

async function* dump(databaseUrl: string): AsyncGenerator<Seen> {
  const sql = neon(databaseUrl);
  const tables = await sql`select table_schema as schema, table_name as name
    from information_schema.tables
    where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`;
  for (const { schema, name } of tables)
    for (let offset = 0; ; offset += rowsAtOnce) {
      const rows = await sql.query(
        `select to_jsonb(t)::text as row from "${schema}"."${name}" t order by ctid
          limit ${rowsAtOnce} offset ${offset}`,
      );
      if (rows.length)
        yield { where: `table ${name}`, text: rows.map(({ row }) => row as string).join("\n") };
      if (rows.length < rowsAtOnce) break;
    }
}

/** The private halves of signing keys are made in the Worker: only its own key opens them. */
async function signingKeys({ database, secrets }: Watched): Promise<Canary[]> {
  const vault = openVault(secretKeyRing(secrets));
  const sql = neon(database.url);
  const rows = await sql`select id, org_id, private_key from signing_keys
    where private_key is not null`;
  const opened = await Promise.all(
    rows.map((row) =>
      vault
        .open<Json>(
          { orgId: row["org_id"] as string, id: row["id"] as string },
          row["private_key"] as Envelope,
        )
        .then((key) =>
          [...leaves(key)].map(([, value]) => ({
            what: "a signing key's private half",
            kind: "secret" as const,
            value,
          })),
        )
        // Moved between rows, or sealed by another key: by tests of just that.
        .catch(() => []),
    ),
  );
  return opened.flat();
}

/** Searches all that the Worker answered, logged and stored for all that was planted in it. */
export async function findLeaks(watched: Watched): Promise<string[]> {
  const { folder, database, secrets, logs } = watched;
  neonConfig.fetchEndpoint = database.endpoint;
  const fields = await secretFields();
  const answers = [...seenIn(folder)];
  const stored: Seen[] = [];
  for await (const rows of dump(database.url)) stored.push(rows);
  // The first that tells of a value names it: a key that was shown when it was made is no other's.
  const canaries: Canary[] = [
    ...answers.flatMap(canariesShown),
    ...Object.entries(secrets)
      .filter(([name]) => /^KEY_\d|SECRET$/.test(name))
      .map(([name, value]) => ({ what: `the Worker's ${name}`, kind: "secret" as const, value })),
    ...plantedIn(folder),
    ...[...sentIn(folder)].flatMap((sent) => canariesOf(sent, fields)),
    ...(await signingKeys(watched)),
  ];
  const lines = logs.map((text) => ({ where: "the log", text }));
  const leaks = leaksIn(canaries, [...answers, ...stored, ...lines]);
  return leaks.map(({ where, what, times }) => `  ${where}: ${what} (${times} times)`);
}

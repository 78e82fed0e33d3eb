import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Secrets and persons that tests planted, what the Worker answered, and the search for the ones in
 * the other. Tests run in processes of their own, so both are files in a folder of the world's.
 */
export type Canary = {
  /** What it is, for whoever reads that it leaked: never the value. */
  what: string;
  /** `secret`: shown nowhere; `stored`: a form that only the database may hold; `person`: PHI. */
  kind: "secret" | "stored" | "person";
  value: string;
};
export type Seen = { where: string; text: string };
/** What a test sent: canaries are found in it once the world ends. */
export type Sent = { path: string; headers: Record<string, string>; body: string };

const shortest = 10;
/** A row of zeros is no one's own. */
const fewestCharacters = 4;

export const canaryFolder = (worldUrl: string) =>
  join(tmpdir(), `ehrconnect-canaries-${new URL(worldUrl).port}`);

export function openCanaries(worldUrl: string): string {
  const folder = canaryFolder(worldUrl);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  return folder;
}

const written = new Map<string, Set<string>>();

/** Appends what this process has not written yet. */
function append(folder: string, file: string, rows: readonly (Canary | Seen | Sent)[]) {
  if (!existsSync(folder)) return;
  const known = written.get(folder + file) ?? new Set<string>();
  written.set(folder + file, known);
  const lines = [...new Set(rows.map((row) => `${JSON.stringify(row)}\n`))].filter(
    (line) => !known.has(line),
  );
  for (const line of lines) if (line.length < 10_000) known.add(line);
  if (lines.length) appendFileSync(join(folder, `${file}-${process.pid}`), lines.join(""));
}

export const plant = (folder: string, canaries: readonly Canary[]) =>
  append(folder, "planted", canaries);

export const record = (folder: string, seen: Seen) => append(folder, "seen", [seen]);

export function recordSent(folder: string, { path, headers, body }: Sent) {
  const kept = Object.entries(headers).filter(([name]) =>
    ["authorization", "x-api-key", "cookie"].includes(name),
  );
  if (kept.length || body)
    append(folder, "sent", [
      { path, headers: Object.fromEntries(kept), body: body.slice(0, 100_000) },
    ]);
}

function* rowsOf<T>(folder: string, file: string): Generator<T> {
  for (const name of readdirSync(folder).filter((each) => each.startsWith(`${file}-`)))
    for (const line of readFileSync(join(folder, name), "utf8").split("\n"))
      if (line) yield JSON.parse(line) as T;
}

export const plantedIn = (folder: string) => [...rowsOf<Canary>(folder, "planted")];
export const seenIn = (folder: string) => rowsOf<Seen>(folder, "seen");
export const sentIn = (folder: string) => rowsOf<Sent>(folder, "sent");

/** What can be told from other text: line by line, without a PEM's frame and masks sent back. */
const unique = (canaries: readonly Canary[]) =>
  canaries.flatMap(({ value, ...what }) =>
    value
      .split(/\r?\n/)
      .map((line) => ({ ...what, value: line.trim() }))
      .filter(
        (one) =>
          one.value.length >= shortest &&
          new Set(one.value).size >= fewestCharacters &&
          !/^-----|^•/.test(one.value) &&
          // A password that nobody may have, as tests of just that send it.
          !(one.kind === "secret" && /^\d+$/.test(one.value)),
      ),
  );

/** The canary as it may turn up: plain, escaped for JSON or a URL, and at each place inside base64. */
function formsOf(value: string): string[] {
  const bytes = Buffer.from(value);
  const shifted = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .slice([0, 2, 3][shift], Math.floor(((shift + bytes.length) * 4) / 3)),
  );
  const all = [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    encodeURIComponent(value).replaceAll("%20", "+"),
    ...shifted,
    ...shifted.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  ];
  return [...new Set(all)].filter((form) => form.length >= shortest);
}

const slots = 1 << 20;
/** 31 to the power of the window: what the character that leaves it counted for. */
const leaving = Array.from({ length: shortest }).reduce<number>((n) => Math.imul(n, 31), 1);

/**
 * Finds any of thousands of texts in one pass: a hash that rolls over ten characters (Rabin and
 * Karp), compared by the last ten of each, since keys and tokens begin alike.
 */
export function finderOf(canaries: readonly Canary[]): (text: string) => Set<Canary> {
  const filter = new Uint8Array(slots);
  const byHash = new Map<number, { form: string; canary: Canary }[]>();
  const known = new Set<string>();
  for (const canary of unique(canaries))
    for (const form of formsOf(canary.value)) {
      if (known.has(form)) continue;
      known.add(form);
      let hash = 0;
      for (let i = form.length - shortest; i < form.length; i++)
        hash = (Math.imul(hash, 31) + form.charCodeAt(i)) | 0;
      filter[hash & (slots - 1)] = 1;
      byHash.set(hash, [...(byHash.get(hash) ?? []), { form, canary }]);
    }
  return (text) => {
    const found = new Set<Canary>();
    let hash = 0;
    for (let i = 0; i < text.length; i++) {
      hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
      if (i >= shortest) hash = (hash - Math.imul(text.charCodeAt(i - shortest), leaving)) | 0;
      if (filter[hash & (slots - 1)] === 1)
        for (const { form, canary } of byHash.get(hash) ?? [])
          if (text.endsWith(form, i + 1)) found.add(canary);
    }
    return found;
  };
}

type Allowed = { where: RegExp; kind: Canary["kind"]; what?: RegExp };

/** What shows on purpose, and only there. */
const allowed: readonly Allowed[] = [
  // A secret of one's own, once, when it is made.
  { where: /^POST \/api\/keys$/, kind: "secret", what: /^new API key$/ },
  {
    where: /^POST \/api\/destinations(\/[^/]+\/rotate-secret)?$/,
    kind: "secret",
    what: /^new signing secret$/,
  },
  {
    where: /^POST \/api\/auth\/two-factor\/(enable|generate-backup-codes)$/,
    kind: "secret",
    what: /^new backup code$/,
  },
  // The simulator's credentials, in development only.
  { where: /^GET \/api\/integrations\/vendors\/[^/]+\/demo-credentials$/, kind: "secret" },
  // What a call brought is its answer; the vendors' pages show examples.
  { where: /^POST \/api\/integrations(\/[^/]+)?\/execute$/, kind: "person" },
  { where: /^GET \/api\/integrations\/(vendors|capabilities)\b/, kind: "person" },
  { where: /^GET \/api\/(openapi\.json|docs)$/, kind: "person" },
  // The payload viewer, and what an endpoint replied, for roles that may see them.
  { where: /^GET \/api\/(events|deliveries)\/[^/]+$/, kind: "person" },
  { where: /^table api_keys$/, kind: "stored" },
];

const uuid = /[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g;

export type Leak = { where: string; what: string; times: number };

export function leaksIn(canaries: readonly Canary[], seen: Iterable<Seen>): Leak[] {
  const find = finderOf(canaries);
  const leaks = new Map<string, Leak>();
  for (const { where, text } of seen)
    for (const { what, kind } of find(text)) {
      if (
        allowed.some(
          (rule) => rule.kind === kind && rule.where.test(where) && (rule.what?.test(what) ?? true),
        )
      )
        continue;
      const route = where.replace(uuid, "{id}");
      const key = `${route} shows ${what}`;
      leaks.set(key, { where: route, what, times: (leaks.get(key)?.times ?? 0) + 1 });
    }
  return [...leaks.values()];
}

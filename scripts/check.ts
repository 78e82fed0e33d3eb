import { spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";

const root = new URL("..", import.meta.url).pathname;
const bin = (name: string) => join(root, "node_modules/.bin", name);
const mostLines = 600;

type Gate = { name: string; run: () => Promise<string | undefined> };

/** A program's output where it failed, else undefined. */
const program = (name: string, command: string, ...args: string[]): Gate => ({
  name,
  run: () =>
    new Promise((resolve) => {
      let output = "";
      const child = spawn(command, args, {
        cwd: root,
        env: { ...process.env, ASTRO_TELEMETRY_DISABLED: "1", FORCE_COLOR: "0" },
      });
      child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
      child.on("error", (error) => resolve(error.message));
      child.on("close", (code) => resolve(code === 0 ? undefined : output));
    }),
});

function sources(folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return /^(node_modules|dist|\.)/.test(entry.name) ? [] : sources(path);
    return /\.(ts|tsx|astro|css|md)$/.test(entry.name) ? [path] : [];
  });
}

/** Files that are too long to read in one sitting, and paths that the docs quote but that are gone. */
async function houseRules(): Promise<string | undefined> {
  const complaints: string[] = [];
  for (const path of sources()) {
    const text = readFileSync(path, "utf8");
    const name = relative(root, path);
    const lines = text.split("\n").length;
    if (lines > mostLines && !name.endsWith(".md") && name !== "handlers/registry.ts")
      complaints.push(`${name} has ${lines} lines; ${mostLines} is the most`);
    if (!name.endsWith(".md")) continue;
    for (const [, quoted = ""] of text.matchAll(
      /`((?:functions|handlers|db|site|simulator|bench|scripts|docs)\/[\w./<>-]*)`/g,
    )) {
      if (quoted.includes("<")) continue;
      if (!statSync(join(root, quoted), { throwIfNoEntry: false }))
        complaints.push(`${name} quotes ${quoted}, which does not exist`);
    }
  }
  return complaints.length ? complaints.join("\n") : undefined;
}

const gates: Gate[] = [
  program("format", bin("oxfmt"), "--check"),
  program("lint", bin("oxlint"), "--type-aware"),
  program("types", bin("tsc"), "-p", "."),
  program(
    "site types",
    bin("astro"),
    "check",
    "--root",
    "site",
    "--minimumFailingSeverity",
    "error",
  ),
  program("generated files", process.execPath, "scripts/gen.ts", "--check"),
  program("unused code", bin("knip")),
  { name: "house rules", run: houseRules },
];

export async function check(): Promise<boolean> {
  let good = true;
  for (const gate of gates) {
    const started = Date.now();
    const complaint = await gate.run();
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    console.log(`${complaint === undefined ? "✓" : "✗"} ${gate.name} (${seconds} s)`);
    if (complaint !== undefined) {
      good = false;
      console.error(complaint.trim());
    }
  }
  return good;
}

if (import.meta.main && !(await check())) process.exitCode = 1;

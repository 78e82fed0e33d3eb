import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { loadVendor, registry } from "../handlers/registry.ts";
import { loadSimulation } from "../simulator/simulations.ts";
import { type Canary, canaryFolder, leaksIn, openCanaries, plant, plantedIn } from "./canaries.ts";
import { demo } from "./seed.ts";
import { testPassword } from "./visitor.ts";
import { root } from "./worker.ts";

const secret = (value: string): Canary => ({ what: "a secret", kind: "secret", value });
const person = (value: string): Canary => ({ what: "a person", kind: "person", value });
const leaks = (canary: Canary, text: string, where = "GET /api/integrations") =>
  leaksIn([canary], [{ where, text }]).length;

const value = 'Cnry "Zebra" é/finch+77';
test.each([
  ["plain", value],
  ["inside JSON", JSON.stringify({ a: value })],
  ["inside a URL", `https://x.example/?q=${encodeURIComponent(value)}&r`],
  ["inside a form", new URLSearchParams({ q: value }).toString()],
  ["base64", Buffer.from(value).toString("base64")],
  ["base64 after one byte", Buffer.from(`a${value}b`).toString("base64")],
  ["base64 after two", Buffer.from(`ab${value}c`).toString("base64")],
  ["base64url", Buffer.from(`user:${value}`).toString("base64url")],
])("a canary is found %s", (_form, text) => {
  expect(leaks(secret(value), `before ${text} after`)).toBe(1);
});

test("each of thousands is found, and nothing else", () => {
  const many = Array.from({ length: 5_000 }, (_none, i) =>
    secret(`eyJhbGciOiJSUzI1NiJ9.canary-${i}`),
  );
  const text = "x".repeat(1_000_000);
  expect(leaksIn(many, [{ where: "a", text }])).toEqual([]);
  expect(
    leaksIn(many, [{ where: "a", text: `${text}eyJhbGciOiJSUzI1NiJ9.canary-4321${text}` }]),
  ).toHaveLength(1);
  expect(
    leaks(secret("one-line-of-a-key\nanother-line-of-a-key"), "an another-line-of-a-key"),
  ).toBe(1);
});

test("what is shown on purpose is allowed there and nowhere else", () => {
  const phone = person("+155501234567");
  expect(leaks(phone, phone.value, "POST /api/integrations/x/execute")).toBe(0);
  expect(leaks(phone, phone.value, "GET /api/events/x")).toBe(0);
  expect(leaks(phone, phone.value, "GET /api/events")).toBe(1);
  expect(leaks(phone, phone.value, "the log")).toBe(1);
  expect(leaks(secret(phone.value), phone.value, "GET /api/events/x")).toBe(1);
});

test("what one process plants, another finds", () => {
  const url = "http://127.0.0.1:1";
  const folder = openCanaries(url);
  plant(folder, [secret(value), secret(value)]);
  expect(plantedIn(canaryFolder(url))).toEqual([secret(value)]);
  rmSync(folder, { recursive: true });
});

function* filesOf(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesOf(path);
    else yield path;
  }
}

/** Secrets that the simulator takes: those that the definitions give as an example, and others. */
async function simulated(): Promise<{ examples: Canary[]; others: Canary[] }> {
  const [examples, others]: Canary[][] = [[], []];
  for (const id of Object.keys(registry)) {
    const { credentials } = await loadSimulation(id);
    for (const step of (await loadVendor(id))?.steps ?? [])
      for (const [name, field] of Object.entries(step.fields)) {
        const given = credentials[name];
        // A sequence is no one's own.
        if (!field.secret || typeof given !== "string" || given.includes("0123456789")) continue;
        (given === field.example ? examples : others)?.push({
          ...secret(given),
          what: `${id}'s ${name}`,
        });
      }
  }
  return { examples: examples ?? [], others: others ?? [] };
}

test("what is built holds no secret of the simulator, the demo or the tests", async () => {
  const dist = join(root, "dist");
  const built = [...filesOf(dist)].filter((path) => statSync(path).size > 0);
  expect(built.some((path) => path.endsWith("dist/worker/index.js"))).toBe(true);
  expect(built.some((path) => path.endsWith("dist/site/index.html"))).toBe(true);
  // A source map would ship what the code says beside itself.
  expect(built.filter((path) => path.endsWith(".map"))).toEqual([]);
  const { examples, others } = await simulated();
  expect(examples.length).toBeGreaterThan(20);
  const planted = [...others, ...[demo.password, demo.apiKey, testPassword].map(secret)];
  const read = (path: string) => ({ where: path, text: readFileSync(path, "latin1") });
  expect(leaksIn(planted, built.map(read))).toEqual([]);
  const site = built.filter((path) => path.includes("/dist/site/"));
  expect(leaksIn(examples, site.map(read))).toEqual([]);
});

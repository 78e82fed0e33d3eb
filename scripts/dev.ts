import { watch } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import { startDatabase } from "../db/local/server.ts";
import { migrate } from "../db/migrate.ts";
import { startSimulator } from "../simulator/server.ts";
import { demo, seed } from "./seed.ts";
import { buildSite, buildWorker, freePort, keepSecrets, root, startWorker } from "./worker.ts";

const port = await choosePort();
const dataDir = process.env["DATA_DIR"] ?? join(root, ".data");
const databaseUrl = process.env["DATABASE_URL"];
const isNeon = databaseUrl !== undefined && /\.neon\.tech\b/.test(databaseUrl);

async function choosePort(): Promise<number> {
  const text = process.env["PORT"] ?? "8787";
  const wanted = Number(text);
  if (!Number.isInteger(wanted) || wanted < 0 || wanted > 65_535)
    fail(`PORT must be a number from 0 to 65535, not "${text}".`);
  if (wanted === 0) return freePort();
  const taken = await new Promise<boolean>((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(true));
    server.listen(wanted, "127.0.0.1", () => server.close(() => resolve(false)));
  });
  if (taken)
    fail(`Port ${wanted} is taken. Stop what runs there, or choose another: PORT=8788 npm run dev`);
  return wanted;
}

function fail(sentence: string): never {
  console.error(`\n  ${sentence}\n`);
  process.exit(1);
}

/** A line that says what is being done, and then how long it took. */
async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const started = Date.now();
  process.stdout.write(`  … ${what}`);
  const ended = (mark: string) =>
    process.stdout.write(
      `${process.stdout.isTTY ? "\r" : "\n"}  ${mark} ${what} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`,
    );
  try {
    const result = await work();
    ended("✓");
    return result;
  } catch (error) {
    ended("✗");
    throw error;
  }
}

console.log("\n  EHRConnect Integrations\n");
try {
  const database = isNeon
    ? { url: databaseUrl, endpoint: undefined, close: async () => {} }
    : await step(databaseUrl ? "Connecting to Postgres" : "Opening the embedded Postgres", () =>
        startDatabase(databaseUrl ? { url: databaseUrl } : { dataDir: join(dataDir, "postgres") }),
      );
  await step("Migrating the database", async () => {
    await migrate(database.url, database.endpoint);
    await seed(database.url, database.endpoint);
  });
  // The tests start it over the build that they have made.
  if (!process.env["SKIP_BUILD"]) {
    await step("Building the site", buildSite);
    await step("Building the Worker", buildWorker);
  }
  const simulator = await startSimulator();
  const worker = await step("Starting the Worker", async () =>
    startWorker({
      databaseUrl: database.url,
      databaseEndpoint: database.endpoint,
      simulatorUrl: process.env["LIVE_VENDORS"] ? undefined : simulator.url,
      secrets: await keepSecrets(dataDir),
      port,
      stateFolder: join(dataDir, "state"),
      ...(process.env["LOG"] ? { log: console.log } : {}),
    }),
  );
  const clock = setInterval(() => {
    worker.tick().catch((error: unknown) => console.error("  The clock failed:", error));
  }, 60_000);

  let stopping = false;
  const stop = async () => {
    if (stopping) process.exit(1);
    stopping = true;
    clearInterval(clock);
    await worker.stop();
    await Promise.all([simulator.close(), database.close()]);
    process.exit(0);
  };
  process.on("SIGINT", () => void stop());
  process.on("SIGTERM", () => void stop());

  if (!process.env["SKIP_BUILD"]) rebuildOnChange(() => worker.reload());
  console.log(`
  Ready:      http://localhost:${port}
  Demo login: ${demo.email}  /  ${demo.password}
  API key:    ${demo.apiKey}
  Org:        ${demo.orgId}
  API docs:   http://localhost:${port}/api/docs
  Simulator:  ${simulator.url}

  Press Ctrl-C to stop. The data stays in ${dataDir}.
`);
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}

/** A saved file shows up without a restart: the Worker's or the site's, whichever it belongs to. */
function rebuildOnChange(reload: () => Promise<void>) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const dirty = new Set<"site" | "worker">();
  const rebuild = async () => {
    const parts = [...dirty];
    dirty.clear();
    if (parts.includes("site")) await step("Rebuilding the site", buildSite);
    await step("Rebuilding the Worker", async () => {
      await buildWorker();
      await reload();
    });
  };
  const parts = {
    functions: "worker",
    handlers: "worker",
    db: "worker",
    "site/src": "site",
  } as const;
  for (const [folder, part] of Object.entries(parts))
    watch(join(root, folder), { recursive: true }, (_kind, name) => {
      if (!name || /\.test\.|migrations|local/.test(name)) return;
      dirty.add(part);
      clearTimeout(timer);
      timer = setTimeout(() => {
        rebuild().catch((error: unknown) =>
          console.error(error instanceof Error ? error.message : error),
        );
      }, 200);
    });
}

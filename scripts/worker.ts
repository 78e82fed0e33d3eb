import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";

const run = promisify(execFile);
export const root = new URL("..", import.meta.url).pathname;
const built = join(root, "dist/worker");

/** Bundles the Worker as `wrangler deploy` would, so that what runs here is what ships. */
export async function buildWorker(): Promise<void> {
  await mkdir(join(root, "dist/site"), { recursive: true });
  const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
  const options = ["deploy", "--dry-run", "--outdir", built];
  await run(process.execPath, [wrangler, ...options], {
    cwd: root,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "true" },
  });
}

export async function buildSite(): Promise<void> {
  const astro = join(root, "node_modules/astro/bin/astro.mjs");
  await run(process.execPath, [astro, "build", "--root", join(root, "site")], {
    cwd: root,
    env: { ...process.env, ASTRO_TELEMETRY_DISABLED: "1" },
    maxBuffer: 64 * 1024 * 1024,
  });
}

export type WorkerSecrets = {
  AUTH_SECRET: string;
  URL_TOKEN_SECRET: string;
  KEY_1: string;
} & Record<string, string>;

export const newSecrets = (): WorkerSecrets => ({
  AUTH_SECRET: randomBytes(32).toString("base64"),
  URL_TOKEN_SECRET: randomBytes(32).toString("base64"),
  KEY_1: randomBytes(32).toString("base64"),
});

/** The secrets of a data folder: made once, so that what was sealed before a restart still opens. */
export async function keepSecrets(folder: string): Promise<WorkerSecrets> {
  const file = join(folder, "secrets.json");
  try {
    return JSON.parse(await readFile(file, "utf8")) as WorkerSecrets;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const secrets = newSecrets();
    await mkdir(folder, { recursive: true });
    await writeFile(file, JSON.stringify(secrets, null, 2), { mode: 0o600, flag: "wx" });
    return secrets;
  }
}

export type RunningWorker = {
  url: string;
  miniflare: Miniflare;
  /** What the clock does each minute; `at` is the minute that it strikes. */
  tick(at?: Date): Promise<void>;
  /** Takes the newest build. */
  reload(): Promise<void>;
  stop(): Promise<void>;
};

export type WorkerOptions = {
  databaseUrl: string;
  /** SQL over HTTP; without it the driver asks Neon. */
  databaseEndpoint?: string | undefined;
  simulatorUrl?: string | undefined;
  secrets: Readonly<Record<string, string>>;
  /** What else Miniflare is told of the Worker: bindings of its own, or where its requests go. */
  more?: Readonly<Record<string, unknown>>;
  port?: number;
  publicUrl?: string;
  /** Where Durable Objects and queues are kept; in memory without it. */
  stateFolder?: string | undefined;
  /** The folder of the build; `dist/worker` unless given. */
  build?: string;
  log?: (line: string) => void;
};

export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(root, "wrangler.toml"));
  const port = options.port ?? (await freePort());
  const publicUrl = options.publicUrl ?? `http://localhost:${port}`;
  const { log, build = built } = options;
  // Converting reads the built file, so that each reload does it anew.
  const configured = () =>
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port,
      handleStructuredLogs: log ? ({ message }) => log(message) : () => {},
      ...(options.stateFolder ? { resourcePersistencePath: options.stateFolder } : {}),
      workers: [
        {
          ...(workerOptions as object),
          name: "integrations",
          rootPath: build,
          modules: [{ type: "ESModule", path: join(build, "index.js") }],
          bindings: {
            ...options.secrets,
            DATABASE_URL: options.databaseUrl,
            ...(options.databaseEndpoint ? { DATABASE_ENDPOINT: options.databaseEndpoint } : {}),
            ...(options.simulatorUrl ? { SIMULATOR_URL: options.simulatorUrl } : {}),
            PUBLIC_URL: publicUrl,
          },
          ...options.more,
        },
      ],
    });
  const miniflare = new Miniflare(configured());
  await miniflare.ready;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    miniflare,
    async tick(at = new Date()) {
      const worker = await miniflare.getWorker("integrations");
      const { outcome } = await worker.scheduled({ cron: "* * * * *", scheduledTime: at });
      if (outcome !== "ok") throw new Error(`The clock ended with ${outcome}`);
    },
    reload: () => miniflare.setOptions(configured()),
    stop: () => miniflare.dispose(),
  };
}

export async function freePort(): Promise<number> {
  const { createServer } = await import("node:net");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

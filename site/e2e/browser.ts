import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { type Browser, chromium } from "playwright-core";

import { root } from "../../scripts/worker.ts";

const installed = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

type Executable = { path: string; env?: Record<string, string> };

/** The browser inside `@sparticuz/chromium`, with the libraries that a bare machine lacks. */
async function unpackChromium(): Promise<Executable> {
  const bin = join(root, "node_modules/@sparticuz/chromium/bin");
  const folder = join(root, "node_modules/.cache/chromium");
  const outer = process.env["TMPDIR"];
  await mkdir(folder, { recursive: true });
  const done = join(folder, "unpacked");
  // It unpacks into the folder for temporary files; half of it, if it was killed meanwhile.
  if (!existsSync(done)) await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  process.env["TMPDIR"] = folder;
  try {
    const packed = await import("@sparticuz/chromium");
    const path = await packed.default.executablePath(bin);
    await packed.inflate(join(bin, "al2023.tar.br"));
    await mkdir(done, { recursive: true });
    const env = {
      LD_LIBRARY_PATH: join(folder, "al2023/lib"),
      FONTCONFIG_PATH: join(folder, "fonts"),
    };
    return { path, env };
  } finally {
    if (outer === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = outer;
  }
}

/** The system's Chromium, else the one that npm brought. `BROWSER=npm` chooses the latter. */
export async function openBrowser(): Promise<Browser> {
  const found = process.env["BROWSER"] === "npm" ? undefined : installed.find(existsSync);
  const { path, env } = found ? { path: found } : await unpackChromium();
  return chromium.launch({
    executablePath: path,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
    ...(env ? { env: { ...process.env, ...env } as Record<string, string> } : {}),
  });
}

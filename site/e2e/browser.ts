import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
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

const packed = join(root, "node_modules/@sparticuz/chromium");
const cache = join(root, "node_modules/.cache");

/** Its own configuration knows only the fonts in /tmp/fonts, and without any font it crashes. */
const fontConfig = (fonts: string) => `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${fonts}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${join(fonts, "cache")}</cachedir>
</fontconfig>
`;

/** Fills a folder of its own and then moves it into place: tests that start together do not meet. */
async function unpackInto(folder: string): Promise<void> {
  const outer = process.env["TMPDIR"];
  await mkdir(cache, { recursive: true });
  const half = await mkdtemp(join(cache, "chromium-unpacking-"));
  // The package unpacks to wherever temporary files go.
  process.env["TMPDIR"] = half;
  try {
    const bin = join(packed, "bin");
    const { default: pack, inflate } = await import("@sparticuz/chromium");
    await pack.executablePath(bin);
    await inflate(join(bin, "al2023.tar.br"));
  } finally {
    if (outer === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = outer;
  }
  await writeFile(join(half, "fonts.conf"), fontConfig(join(folder, "fonts")));
  try {
    await rename(half, folder);
  } catch (error) {
    await rm(half, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}

/** The browser inside `@sparticuz/chromium`, with the libraries and fonts that a bare machine lacks. */
async function unpackedChromium(): Promise<Executable> {
  const { version } = JSON.parse(await readFile(join(packed, "package.json"), "utf8")) as {
    version: string;
  };
  const folder = join(cache, `chromium-${version}`);
  if (!existsSync(folder)) await unpackInto(folder);
  return {
    path: join(folder, "chromium"),
    env: {
      LD_LIBRARY_PATH: join(folder, "al2023/lib"),
      FONTCONFIG_FILE: join(folder, "fonts.conf"),
    },
  };
}

/** The system's Chromium, else the one that npm brought. `BROWSER=npm` chooses the latter. */
export async function openBrowser(): Promise<Browser> {
  const found = process.env["BROWSER"] === "npm" ? undefined : installed.find(existsSync);
  const { path, env } = found ? { path: found } : await unpackedChromium();
  return chromium.launch({
    executablePath: path,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
    ...(env ? { env: { ...process.env, ...env } as Record<string, string> } : {}),
  });
}

import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { Browser, BrowserContext, Page } from "playwright-core";
import { expect } from "vitest";

import { canaryFolder, record, recordSent } from "../../scripts/canaries.ts";
import { demo } from "../../scripts/seed.ts";
import { root } from "../../scripts/worker.ts";

const axe = await readFile(join(root, "node_modules/axe-core/axe.min.js"), "utf8");

export const widths = { desktop: 1440, phone: 390 } as const;
export type Look = { width?: number; theme?: "light" | "dark" };
/** What fits hangs on the width and contrast on the theme: two looks try both of each. */
export const looks = [
  { width: widths.desktop, theme: "light" },
  { width: widths.phone, theme: "dark" },
] as const satisfies readonly Look[];

export type Visitor = {
  context: BrowserContext;
  page: Page;
  /** What went wrong unasked: console errors, exceptions, failed requests, broken policies. */
  troubles: string[];
  leave(): Promise<void>;
};

/** Problem documents are answers that the page expects; the browser logs them all the same. */
const isAnswer = (text: string) => /^Failed to load resource: .* status of 4\d\d/.test(text);

export async function visit(browser: Browser, origin: string, look: Look = {}): Promise<Visitor> {
  const context = await browser.newContext({
    baseURL: origin,
    viewport: { width: look.width ?? widths.desktop, height: 900 },
    colorScheme: look.theme ?? "light",
    reducedMotion: "reduce",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const troubles: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !isAnswer(message.text())) troubles.push(message.text());
  });
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("response", (response) => {
    if (response.status() >= 500) troubles.push(`${response.status()} ${response.url()}`);
  });
  watch(page, canaryFolder(origin));
  return { context, page, troubles, leave: () => context.close() };
}

/** What the page sends and is answered is searched like all other traffic; see scripts/canaries.ts. */
function watch(page: Page, folder: string) {
  page.on("response", (response) => {
    const request = response.request();
    const { pathname } = new URL(response.url());
    if (!pathname.startsWith("/api/")) return;
    const body = request.postData() ?? "";
    request.allHeaders().then(
      (headers) => recordSent(folder, { path: pathname, headers, body }),
      () => undefined,
    );
    response.text().then(
      (text) => record(folder, { where: `${request.method()} ${pathname}`, text: `\n\n${text}` }),
      // The page was left before the answer was read.
      () => undefined,
    );
  });
}

export async function signIn(page: Page, who: { email: string; password: string } = demo) {
  await page.goto("/sign-in/");
  await page.getByLabel("Work email").fill(who.email);
  await page.getByLabel("Password").fill(who.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: /^Account:/ }).waitFor();
}

/** Nothing on the page is loading any more. */
export async function settled(page: Page): Promise<void> {
  await expect
    .poll(() => page.locator(".skeleton:visible, [aria-busy=true]").count(), { timeout: 15_000 })
    .toBe(0);
}

type AxeResult = {
  violations: { id: string; help: string; nodes: { target: unknown; failureSummary?: string }[] }[];
};

/** Runs axe over what is on the screen and expects nothing to be wrong. */
export async function expectAccessible(page: Page, what: string): Promise<void> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate<AxeResult>(
    "axe.run(document, { resultTypes: ['violations'] })",
  );
  const found = violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} (${help}): ${target} ${failureSummary ?? ""}`),
  );
  expect(found, what).toEqual([]);
}

/**
 * The page is not wider than the screen, nor what is in a drawer or dialog than that. Identifiers
 * are random, and where one has a hyphen it may wrap by luck: they are measured without.
 */
export async function expectNoSideways(page: Page, what: string): Promise<void> {
  const wider = await page.evaluate<number>(`(() => {
    const texts = [...document.querySelectorAll("code, .mono")].flatMap((code) =>
      [...code.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE));
    const were = texts.map((text) => text.nodeValue);
    for (const text of texts) text.nodeValue = text.nodeValue.replaceAll(/\\S/g, "m");
    const wider = Math.max(...[document.documentElement, ...document.querySelectorAll("dialog, .drawer-body")]
      .map((box) => box.scrollWidth - box.clientWidth));
    texts.forEach((text, at) => { text.nodeValue = were[at]; });
    return wider;
  })()`);
  expect(wider, `${what} scrolls sideways`).toBeLessThanOrEqual(0);
}

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { demo, seed } from "../../scripts/seed.ts";
import { root } from "../../scripts/worker.ts";
import { call, newMember, startWorld, type World } from "../../scripts/world.ts";
import { openBrowser } from "./browser.ts";
import {
  expectAccessible,
  expectNoSideways,
  looks,
  settled,
  signIn,
  visit,
  widths,
} from "./visitor.ts";

let world: World;
let browser: Browser;
let origin: string;
let integrationId: string;
let eventId: string;

beforeAll(async () => {
  [world, browser] = await Promise.all([startWorld("pglite"), openBrowser()]);
  await seed(world.database.url, world.database.endpoint);
  origin = world.url.replace("127.0.0.1", "localhost");
  const credentials = world.simulator.simulation("twilio").credentials;
  const api = async (method: string, path: string, body?: unknown) => {
    const authorization = `Bearer ${demo.apiKey}`;
    const reply = await call(`${world.url}${path}`, method, body, { authorization });
    expect(reply.status, JSON.stringify(reply.body)).toBeLessThan(300);
    return reply.body.data;
  };
  const added = (await api("POST", "/api/integrations", {
    vendor_id: "twilio",
    environment: "production",
    enabled: true,
    credentials,
  })) as { id: string; webhook_url: string };
  integrationId = added.id;
  await api("POST", "/api/destinations", {
    name: "Nobody answers",
    url: "https://hooks.nobody.example/ehrconnect",
    event_types: ["twilio.*"],
  });
  await world.simulator.sendWebhook("twilio", { url: added.webhook_url, credentials });
  const [event] = (await api("GET", "/api/events")) as { id: string }[];
  eventId = event?.id ?? "";
});
afterAll(async () => {
  await browser?.close();
  await world?.stop();
});

const openPages = [
  "/",
  "/?q=zzzz",
  "/vendors/twilio/",
  "/sign-in/",
  "/sign-up/",
  "/problems/",
  "/problems/credentials_rejected/",
  "/problems/not_found/",
  "/api/docs",
];
const ownPages = (): string[] => [
  "/",
  "/integrations/",
  ...["overview", "try", "activity", "webhooks", "settings"].map(
    (section) => `/integrations/view/?id=${integrationId}&section=${section}`,
  ),
  "/activity/",
  "/events/",
  `/events/?id=${eventId}`,
  "/destinations/",
];

describe.each(looks)("at $width, $theme", (look) => {
  test("pages for everybody are accessible, fit and log no error", async () => {
    const { page, troubles, leave } = await visit(browser, origin, look);
    for (const path of [...openPages, "/no/such/page"]) {
      await page.goto(path);
      await settled(page);
      await expectAccessible(page, path);
      await expectNoSideways(page, path);
    }
    expect(troubles).toEqual([]);
    await leave();
  });

  test("pages for members are accessible, fit and log no error", async () => {
    const { page, troubles, leave } = await visit(browser, origin, look);
    await signIn(page);
    for (const path of ownPages()) {
      await page.goto(path);
      await settled(page);
      await expectAccessible(page, path);
      await expectNoSideways(page, path);
    }
    expect(troubles).toEqual([]);
    await leave();
  });
});

test("on a phone the chosen tab is in sight, the API's text before its list, and who did what", async () => {
  const { page, leave } = await visit(browser, origin, { width: widths.phone });
  await page.goto("/api/docs");
  const heading = page.getByRole("heading", { name: "Activity", exact: true });
  expect((await heading.boundingBox())?.y).toBeLessThan(900);
  await page.getByRole("link", { name: /^Events \d+$/ }).click();
  await expect
    .poll(
      async () =>
        (await page.getByRole("heading", { name: "Events", exact: true }).boundingBox())?.y,
    )
    .toBeLessThan(100);
  await signIn(page);
  await page.goto(`/integrations/view/?id=${integrationId}&section=settings`);
  await settled(page);
  const tab = await page.getByRole("tab", { name: "Settings" }).boundingBox();
  expect((tab?.x ?? 0) + (tab?.width ?? Infinity)).toBeLessThanOrEqual(widths.phone);
  await page.goto("/events/");
  await settled(page);
  const middles = await page
    .locator(".events li")
    .first()
    .locator(".event-deliveries, time")
    .evaluateAll((parts) =>
      parts.map((part) => {
        const { top, height } = part.getBoundingClientRect();
        return Math.round(top + height / 2);
      }),
    );
  expect(middles[0]).toBe(middles[1]);
  await page.goto("/activity/");
  await page.getByText("by the key “Demo key”").first().waitFor();
  await leave();
});

test("an address that leads nowhere is a 404 with a page of ours", async () => {
  const reply = await fetch(`${origin}/no/such/page`);
  expect(reply.status).toBe(404);
  expect(await reply.text()).toContain("There is nothing here");
  expect(reply.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
});

test("static pages carry the security headers, and hashed files are kept for a year", async () => {
  const page = await fetch(`${origin}/`);
  const policy = page.headers.get("content-security-policy");
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self'");
  expect(policy).not.toContain("unsafe");
  expect(page.headers.get("strict-transport-security")).toContain("max-age=63072000");
  expect(page.headers.get("x-content-type-options")).toBe("nosniff");
  expect(page.headers.get("referrer-policy")).toBe("no-referrer");
  expect(page.headers.get("permissions-policy")).toContain("camera=()");
  expect(page.headers.get("cache-control")).not.toContain("immutable");
  const file = /\/_astro\/[\w.-]+\.js/.exec(await page.text())?.[0];
  const script = await fetch(origin + file);
  expect(script.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
});

test("security.txt names a contact and has not expired", async () => {
  const reply = await fetch(`${origin}/.well-known/security.txt`);
  expect(reply.headers.get("content-type")).toMatch(/^text\/plain/);
  const text = await reply.text();
  expect(text).toMatch(/^Contact: (mailto:|https:)/m);
  expect(Date.parse(/^Expires: (.*)$/m.exec(text)?.[1] ?? "")).toBeGreaterThan(Date.now());
});

test("no built page holds an inline script, an inline style or a handler", () => {
  const built = join(root, "dist/site");
  const pages = readdirSync(built, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".html"),
  );
  expect(pages.length).toBeGreaterThan(20);
  for (const file of pages) {
    const html = readFileSync(join(built, file), "utf8");
    expect(html, file).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/);
    expect(html, file).not.toMatch(/<style|\sstyle=|\son[a-z]+="/);
  }
});

test("the drawer works with the keyboard alone, and gives the focus back", async () => {
  const { page, troubles, leave } = await visit(browser, origin);
  await signIn(page);
  await page.goto("/");
  await page.keyboard.press("/");
  await page.keyboard.type("stripe");
  const opener = page.getByRole("button", { name: "Configure Stripe" });
  for (let i = 0; i < 12 && !(await opener.evaluate((e) => e.matches(":focus"))); i++)
    await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  const drawer = page.getByRole("dialog");
  await drawer.getByRole("heading", { name: "Configure Stripe" }).waitFor();
  const focused = () => page.evaluate<string>("document.activeElement.id");
  const values = world.simulator.simulation("stripe").credentials;
  const action = drawer.locator(".drawer-foot .button-primary");
  for (let steps = 0; steps < 60; steps++) {
    if (await drawer.getByText("Stripe is saved").isVisible()) break;
    await page.keyboard.press("Tab");
    const value = values[(await focused()).replace(/^field-/, "")];
    if (value !== undefined && (await page.locator(":focus").inputValue()) === "")
      await page.keyboard.type(String(value));
    if (!(await action.evaluate((e) => e.matches(":focus")))) continue;
    await page.keyboard.press("Enter");
    await expect.poll(() => drawer.locator(".spinner").count()).toBe(0);
  }
  await drawer.getByText("Stripe is saved").waitFor();
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press("Tab");
    expect(
      await page.evaluate(
        "document.querySelector('dialog').contains(document.activeElement) || document.activeElement === document.body",
      ),
    ).toBe(true);
  }
  await page.keyboard.press("Escape");
  await drawer.waitFor({ state: "detached" });
  await expect.poll(() => page.evaluate("document.activeElement.dataset.configure")).toBe("stripe");
  expect(troubles).toEqual([]);
  await leave();
});

test("whoever may only look is offered nothing else", async () => {
  const who = await newMember(
    {
      url: world.url,
      publicUrl: origin,
      databaseUrl: world.database.url,
      endpoint: world.database.endpoint,
    },
    demo.orgId,
    "viewer",
  );
  const { context, page, troubles, leave } = await visit(browser, origin);
  await context.addCookies(
    who.cookie.split("; ").map((pair) => {
      const at = pair.indexOf("=");
      return { name: pair.slice(0, at), value: pair.slice(at + 1), url: origin };
    }),
  );
  const offered = () => page.locator("main button:visible").allInnerTexts();
  await page.goto("/");
  await page.getByRole("button", { name: /^Account:/ }).waitFor();
  await expect.poll(() => page.locator("[data-configure]:visible").count()).toBe(0);
  await page.goto("/integrations/");
  await page.locator(".line", { hasText: "Twilio" }).waitFor();
  expect((await offered()).join()).not.toMatch(/Test|Check|On|Off/);
  await page.getByRole("button", { name: "More for Twilio production" }).click();
  expect(await page.getByRole("menuitem").allInnerTexts()).toEqual([
    "Activity",
    "Copy webhook URL",
  ]);
  await page.goto(`/integrations/view/?id=${integrationId}&section=settings`);
  await page.getByRole("heading", { name: "Configuration" }).waitFor();
  expect((await offered()).join()).not.toMatch(/Edit|Delete|Test/);
  expect(await page.getByRole("tab", { name: "Try it" }).count()).toBe(0);
  await page.goto(`/integrations/view/?id=${integrationId}&section=webhooks`);
  await page.getByRole("heading", { name: "Webhook address" }).waitFor();
  expect((await offered()).join()).not.toMatch(/Send/);
  await page.goto(`/events/?id=${eventId}`);
  await page.getByText("Your role does not show payloads").waitFor();
  expect(await page.getByRole("button", { name: "Send again" }).count()).toBe(0);
  await page.keyboard.press("Escape");
  expect((await offered()).join()).not.toMatch(/Send|Retention/);
  await page.goto("/activity/");
  await page.getByText("by an API key").first().waitFor();
  await page.goto("/destinations/");
  await page.getByRole("button", { name: "More for Nobody answers" }).click();
  expect(await page.getByRole("menuitem").allInnerTexts()).toEqual(["Deliveries"]);
  expect((await offered()).join()).not.toMatch(/Add|Test|On|Off/);
  await page.goto("/?configure=stripe");
  await page.getByText(/Only owners and admins/).waitFor();
  expect(troubles).toEqual([]);
  await leave();
});

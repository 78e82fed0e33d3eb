import { neon, neonConfig } from "@neondatabase/serverless";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { demo, seed } from "../../scripts/seed.ts";
import { startWorld, type World } from "../../scripts/world.ts";
import { openBrowser } from "./browser.ts";
import { expectAccessible, signIn, visit, type Visitor } from "./visitor.ts";
import { wizardOf } from "./wizard.ts";

let world: World;
let browser: Browser;
let visitor: Visitor;
let page: Page;
let origin: string;

beforeAll(async () => {
  [world, browser] = await Promise.all([startWorld("pglite"), openBrowser()]);
  await seed(world.database.url, world.database.endpoint);
  origin = world.url.replace("127.0.0.1", "localhost");
  visitor = await visit(browser, origin);
  page = visitor.page;
});
afterAll(async () => {
  await browser?.close();
  await world?.stop();
});

const credentialsOf = (vendor: string) => world.simulator.simulation(vendor).credentials;

/** Makes every integration due and lets the clock tick until each was looked at. */
async function tick() {
  neonConfig.fetchEndpoint = world.database.endpoint;
  const sql = neon(world.database.url);
  const due = await sql`update integrations
    set next_check_at = now() - interval '1 second', last_tested_at = null
    where enabled returning id`;
  await world.worker.tick();
  const unchecked = async () =>
    (await sql`select id from integrations where enabled and last_tested_at is null`).length;
  expect(due.length).toBeGreaterThan(0);
  await expect.poll(unchecked, { timeout: 20_000 }).toBe(0);
}

test("a visitor who is signed out browses, and is asked to sign in to configure", async () => {
  await page.goto("/");
  await page.getByRole("heading", { name: "Everything your EHR needs to talk to" }).waitFor();
  expect(await page.locator(".card:visible").count()).toBeGreaterThan(5);
  await page.getByRole("link", { name: "Twilio", exact: true }).click();
  await page.getByRole("heading", { name: "Operations" }).waitFor();
  await page.getByRole("button", { name: "Configure" }).click();
  await page.getByText("You come back to where you were").waitFor();
  await page.goto("/integrations/");
  await page.waitForURL(/\/sign-in\/\?next=/);
});

test("a wrong password is refused and a right one signs in", async () => {
  await page.goto("/sign-in/");
  await page.getByLabel("Work email").fill(demo.email);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page
    .getByRole("alert")
    .filter({ hasText: /invalid/i })
    .waitFor();
  await signIn(page);
  await page.getByRole("button", { name: "Organization: Riverside Family Clinic" }).waitFor();
});

test("a vendor is found by tab, by search and by category", async () => {
  await page.goto("/");
  const names = () => page.locator(".card:visible h2").allTextContents();
  const all = (await names()).length;
  await page.getByRole("tab", { name: /^Clinical/ }).click();
  expect(await names()).toContain("Epic");
  expect(await names()).not.toContain("Twilio");
  await page.getByRole("tab", { name: /^All/ }).click();
  expect(await names()).toHaveLength(all);
  await page.keyboard.press("/");
  await page.keyboard.type("text message");
  expect(await names()).toContain("Twilio");
  expect(await names()).not.toContain("Stripe");
  expect(new URL(page.url()).searchParams.get("q")).toBe("text message");
  await page.keyboard.press("Escape");
  await page.getByLabel("Category").selectOption("payment");
  expect(await names()).toContain("Stripe");
  await page.getByLabel("Category").selectOption("");
  await page.getByLabel("Search vendors").fill("no such thing at all");
  await page.getByRole("heading", { name: "No vendor matches" }).waitFor();
  await page.getByRole("button", { name: "Clear all filters" }).click();
  expect(await names()).toHaveLength(all);
});

test("Epic's wizard says what is wrong, fails on a wrong key, passes, saves and switches on", async () => {
  const { drawer, button, press, fill, toVerify, toStart } = wizardOf(page);
  await page.getByRole("button", { name: "Configure Epic" }).click();
  await drawer.getByText("Step 1 of").waitFor();
  await press("Next");
  await drawer.getByText("Client ID is required").waitFor();
  await fill({ clientId: "short" });
  await press("Next");
  await drawer.getByText(/Invalid client ID format/).waitFor();
  await expectAccessible(page, "the wizard with complaints");
  const values = credentialsOf("epic");
  await toVerify({ ...values, clientId: "11111111-1111-4111-8111-111111111111" });
  await expectAccessible(page, "the verify step");
  await press("Test");
  await drawer.getByText("What this means and what to do").waitFor();
  expect(await button("Save").count()).toBe(0);

  await toStart();
  await fill({ clientId: String(values["clientId"]) });
  await toVerify();
  await drawer.getByText("Values changed after the last test").waitFor();
  await press("Test again");
  await drawer.getByText(/^Test passed/).waitFor();
  await press("Save");
  await drawer.getByText("Epic is saved").waitFor();
  await expectAccessible(page, "the saved view");
  await press("Switch on");
  await drawer.getByText("Epic is saved and on").waitFor();
  await press("Done");
  const state = page.locator('.card[data-vendor="epic"] .status-good');
  await state.filter({ hasText: "Active" }).waitFor();
});

test("an operation runs from the integration's page", async () => {
  await page.goto("/integrations/");
  await page.getByRole("link", { name: "Epic" }).click();
  await page.getByRole("tab", { name: "Try it" }).click();
  await page.getByLabel("Operation").selectOption("searchPatients");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByLabel("Result").getByText("Give something to search by").waitFor();
  await page.getByRole("button", { name: "Fill in the example" }).click();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByLabel("Result").getByText("Done").waitFor();
});

test("Twilio is configured, and its signed webhook shows up in the activity", async () => {
  await page.goto("/?q=twilio");
  const { drawer, press, toVerify } = wizardOf(page);
  await page.getByRole("button", { name: "Configure Twilio" }).click();
  const values = credentialsOf("twilio");
  await toVerify(values);
  await press("Test");
  await drawer.getByText(/^Test passed/).waitFor();
  await press("Save");
  await press("Switch on");
  await drawer.getByText("Twilio is saved and on").waitFor();
  const address = await drawer.getByLabel("Webhook address").textContent();
  expect(address).toMatch(new RegExp(`^${origin}/webhooks/twilio/`));
  await drawer.getByRole("button", { name: "Copy" }).click();
  expect(await page.evaluate("navigator.clipboard.readText()")).toBe(address);
  await drawer.getByRole("link", { name: "View integration" }).click();

  const [sent] = await world.simulator.sendWebhook("twilio", {
    url: String(address),
    credentials: values,
  });
  expect(sent?.status).toBe(200);
  const [forged] = await world.simulator.sendWebhook("twilio", {
    url: String(address),
    credentials: { ...values, authToken: "ffffffffffffffffffffffffffffffff" },
  });
  expect(forged?.status).toBe(401);
  await page.getByRole("tab", { name: "Activity" }).click();
  await page.getByText("Webhook received").waitFor();
  await page.getByText("Webhook rejected").waitFor();
});

test("the clock turns a failing integration red, on the card and in the list, and back", async () => {
  world.simulator.fault({ vendor: "twilio", kind: "maintenance" });
  for (let i = 0; i < 3; i++) await tick();
  await page.goto("/integrations/");
  const line = page.locator(".line", { hasText: "Twilio" });
  await line.locator(".status-bad").filter({ hasText: "Error" }).waitFor();
  await page.goto("/");
  const state = page.locator('.card[data-vendor="twilio"] .card-state');
  await state.locator(".status-bad").filter({ hasText: "Error" }).waitFor();
  await expectAccessible(page, "the marketplace with an error");

  world.simulator.clearFaults();
  for (let i = 0; i < 2; i++) await tick();
  await page.reload();
  await state.locator(".status-good").filter({ hasText: "Active" }).waitFor();
  await page.goto("/activity/");
  await page.locator(".acts").getByText("Status changed").first().waitFor();
});

test("an integration is switched off and deleted", async () => {
  await page.goto("/integrations/");
  const line = page.locator(".line", { hasText: "Twilio" });
  await line.getByRole("switch").click();
  await line.getByText("Inactive").waitFor();
  await line.getByRole("button", { name: /^More for/ }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page
    .getByRole("alertdialog")
    .getByRole("button", { name: /Delete/ })
    .click();
  await line.waitFor({ state: "detached" });
  await page.goto("/?q=twilio");
  await page.getByRole("button", { name: "Configure Twilio" }).waitFor();
});

test("nothing went wrong on the way", () => {
  expect(visitor.troubles).toEqual([]);
});

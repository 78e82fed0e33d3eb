import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { seed } from "../../scripts/seed.ts";
import { startWorld, type World } from "../../scripts/world.ts";
import { slackApp } from "../../simulator/slack.ts";
import { openBrowser } from "./browser.ts";
import {
  expectAccessible,
  expectNoSideways,
  signIn,
  visit,
  type Visitor,
  widths,
} from "./visitor.ts";
import { wizardOf } from "./wizard.ts";

let world: World;
let browser: Browser;
let visitor: Visitor;
let page: Page;

beforeAll(async () => {
  [world, browser] = await Promise.all([startWorld("pglite"), openBrowser()]);
  await seed(world.database.url, world.database.endpoint);
  visitor = await visit(browser, world.url.replace("127.0.0.1", "localhost"));
  page = visitor.page;
  await signIn(page);
});
afterAll(async () => {
  await browser?.close();
  await world?.stop();
});

const panel = () => page.getByRole("region", { name: "Sign-in at Slack" });

test("Slack is saved, refused at its own page, and says why nothing came of it", async () => {
  const { drawer, press, fill } = wizardOf(page);
  await page.goto("/");
  await page.getByRole("button", { name: "Configure Slack" }).click();
  await drawer.getByText("Step 1 of").waitFor();
  await drawer.getByRole("radio", { name: "Connect with Slack" }).check();
  await fill(slackApp);
  const redirect = new URL("/oauth/callback", page.url()).href;
  expect(await drawer.getByLabel("Redirect URL").textContent()).toBe(redirect);
  await expectAccessible(page, "the choice to connect");
  await press("Next");
  await press("Next");
  await drawer.getByText("Then you sign in at Slack").waitFor();
  await press("Save and connect");
  await page.getByRole("heading", { name: "EHRConnect asks for access" }).waitFor();
  expect(page.url()).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/slack\.com\/oauth\/v2\/authorize/);
  await page.getByRole("link", { name: "Deny" }).click();
  await page.waitForURL(/\/integrations\/view\/\?id=/);
  await page.getByText("The vendor was told not to allow it").waitFor();
  await panel().getByText("Not connected yet").waitFor();
  expect(page.url(), "a reload does not say it again").not.toContain("oauth_error");
  await expectAccessible(page, "a sign-in that was refused");
});

test("it is connected from the integration's page, which shows what was granted", async () => {
  await panel().getByRole("button", { name: "Connect with Slack" }).click();
  await page.getByRole("link", { name: "Allow" }).click();
  await page.getByText("Connected: the vendor accepted the sign-in").waitFor();
  await panel().getByText("Renewed by itself").waitFor();
  const granted = panel().locator("dt", { hasText: "Granted" }).locator("xpath=..");
  expect(await granted.locator("code").allTextContents()).toContain("chat:write");
  await page.getByRole("switch", { name: "Slack is on" }).click();
  await page.getByText("Simulated Clinic (as clinicbot)").waitFor();
  await expectAccessible(page, "a connected integration");
  await page.setViewportSize({ width: widths.phone, height: 900 });
  await expectNoSideways(page, "a connected integration on a phone");
  await page.setViewportSize({ width: widths.desktop, height: 900 });
});

test("it is disconnected with a question, and can be connected again", async () => {
  await panel().getByRole("button", { name: "Disconnect" }).click();
  const question = page.getByRole("alertdialog");
  await question.getByText("Its tokens are revoked at Slack").waitFor();
  await question.getByRole("button", { name: "Disconnect" }).click();
  await page.getByText("Slack confirmed that its access tokens are void").waitFor();
  await panel().getByText("Not connected yet").waitFor();
  await panel().getByRole("button", { name: "Connect with Slack" }).click();
  await page.getByRole("link", { name: "Allow" }).click();
  await panel().getByRole("button", { name: "Reconnect" }).waitFor();
  expect(visitor.troubles).toEqual([]);
});

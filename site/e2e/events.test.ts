import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { type Receiver, startReceiver } from "../../scripts/receiver.ts";
import { demo, seed } from "../../scripts/seed.ts";
import { call, startWorld, type World } from "../../scripts/world.ts";
import { openBrowser } from "./browser.ts";
import {
  expectAccessible,
  expectNoSideways,
  signIn,
  visit,
  type Visitor,
  widths,
} from "./visitor.ts";

let world: World;
let browser: Browser;
let visitor: Visitor;
let page: Page;
let receiver: Receiver;
let integrationId: string;
let webhookUrl: string;
let secret: string;

beforeAll(async () => {
  [world, browser] = await Promise.all([startWorld("pglite"), openBrowser()]);
  await seed(world.database.url, world.database.endpoint);
  receiver = await startReceiver(world.simulator.url);
  const added = await call(
    `${world.url}/api/integrations`,
    "POST",
    {
      vendor_id: "stripe",
      enabled: true,
      credentials: world.simulator.simulation("stripe").credentials,
    },
    { authorization: `Bearer ${demo.apiKey}` },
  );
  expect(added.status, JSON.stringify(added.body)).toBe(201);
  const row = added.body.data as { id: string; webhook_url: string };
  integrationId = row.id;
  webhookUrl = row.webhook_url;
  visitor = await visit(browser, world.url.replace("127.0.0.1", "localhost"));
  page = visitor.page;
  await signIn(page);
});
afterAll(async () => {
  await browser?.close();
  await receiver?.close();
  await world?.stop();
});

const send = (type: string) =>
  world.simulator.sendWebhook("stripe", {
    url: webhookUrl,
    credentials: world.simulator.simulation("stripe").credentials,
    type,
  });

test("a destination is added, and its secret shown once", async () => {
  await page.goto("/destinations/");
  await page.getByRole("heading", { name: "No destinations yet" }).waitFor();
  await page.getByRole("button", { name: "Add destination" }).click();
  const drawer = page.getByRole("dialog");
  await drawer.getByRole("button", { name: "Add destination" }).click();
  await drawer.getByText("A name is required").waitFor();
  await drawer.getByLabel("Name", { exact: true }).fill("Billing");
  await drawer.getByLabel("Endpoint").fill("https://10.0.0.1/hooks");
  await drawer.getByRole("button", { name: "Add destination" }).click();
  await drawer.getByText(/^The address /).waitFor();
  await expectAccessible(page, "the drawer with a complaint");
  await drawer.getByLabel("Endpoint").fill(receiver.url);
  await drawer.getByLabel(/^Event types/).fill("payment_intent.*");
  await drawer.getByRole("button", { name: "Add a header" }).click();
  await drawer.getByLabel("Header 1: name").fill("X-Clinic");
  await drawer.getByLabel("Header 1: value").fill("riverside-header-value");
  await drawer.getByRole("button", { name: "Add destination" }).click();
  secret = (await drawer.getByLabel("Signing secret").textContent()) ?? "";
  expect(secret).toMatch(/^whsec_/);
  receiver.secrets = [secret];
  await expectAccessible(page, "the secret");
  await drawer.getByRole("button", { name: "I have copied it" }).click();
  await page.reload();
  await page.getByRole("heading", { name: "Billing" }).waitFor();
  expect(await page.content()).not.toContain(secret);
});

test("a test is sent, signed and with its headers", async () => {
  await page.getByRole("button", { name: "Send a test to Billing" }).click();
  await page.getByText(/^The endpoint took it \(200\) in \d+ ms$/).waitFor();
  expect(receiver.received).toHaveLength(1);
  expect(receiver.received[0]).toMatchObject({ verified: true, body: { type: "test.ping" } });
  expect(receiver.received[0]?.headers["x-clinic"]).toBe("riverside-header-value");
});

test("a webhook shows up in the live tail and is delivered", async () => {
  await page.goto("/events/");
  await page.getByRole("heading", { name: "No events yet" }).waitFor();
  await send("payment_intent.succeeded");
  const line = page.locator(".events li", { hasText: "payment_intent.succeeded" });
  await line.getByText("Delivered").waitFor();
  expect(receiver.received.at(-1)).toMatchObject({
    verified: true,
    body: { type: "stripe.payment_intent.succeeded" },
  });
});

test("a pause holds the tail, and resuming catches up", async () => {
  await page.getByRole("button", { name: "Pause" }).click();
  await send("charge.refunded");
  const line = page.locator(".events li", { hasText: "charge.refunded" });
  await page.waitForTimeout(4000);
  expect(await line.count()).toBe(0);
  await page.getByRole("button", { name: "Resume" }).click();
  await line.waitFor();
});

test("an event opens with its payload, headers and attempts, and is sent again", async () => {
  await page.getByRole("button", { name: "payment_intent.succeeded" }).click();
  const drawer = page.getByRole("dialog");
  await drawer.getByText("Signature verified").waitFor();
  const payload = (await drawer.getByLabel("Payload").textContent()) ?? "";
  expect(JSON.parse(payload)).toMatchObject({ type: "payment_intent.succeeded" });
  await drawer.getByText("content-type").waitFor();
  await drawer.getByRole("button", { name: /^Billing/ }).click();
  await drawer.getByText("Attempt 1").waitFor();
  await expectAccessible(page, "an opened event");
  const before = receiver.received.length;
  await drawer.getByRole("button", { name: "Send again" }).click();
  await page.getByText("On its way to 1 destination").waitFor();
  await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(before + 1);
  expect(receiver.received.at(-1)?.id).toBe(receiver.received.at(-2)?.id);
  expect(new URL(page.url()).searchParams.get("id")).toMatch(/^[\da-f-]{36}$/);
  await page.keyboard.press("Escape");
});

test("filters narrow the list and stay in the address", async () => {
  await page.getByLabel("Event type").focus();
  // Slower than the tail asks, which must not take away what is half typed.
  await page.keyboard.type("charge.*", { delay: 600 });
  await page.keyboard.press("Enter");
  await page.locator(".events li", { hasText: "charge.refunded" }).waitFor();
  await expect
    .poll(() => page.locator(".events li", { hasText: "payment_intent" }).count())
    .toBe(0);
  expect(new URL(page.url()).searchParams.get("type")).toBe("charge.*");
  await page.getByLabel("Event type").fill("no.such.type");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "None matches" }).waitFor();
  await page.getByRole("button", { name: "Clear the filters" }).click();
  await page.locator(".events li", { hasText: "payment_intent" }).waitFor();
});

test("a filter is sent again after its count was shown", async () => {
  await page.getByLabel("Vendor").selectOption("stripe");
  await page.getByRole("button", { name: "Send again…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Events that match: Stripe.").waitFor();
  await dialog.getByText("1 delivery").waitFor();
  await dialog.getByText("of 2 events").waitFor();
  await expectAccessible(page, "the replay");
  const before = receiver.received.length;
  await dialog.getByRole("button", { name: "Send 1 again" }).click();
  await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(before + 1);
});

test("how long payloads are kept is set", async () => {
  await page.getByRole("button", { name: "Retention" }).click();
  await page.getByLabel("All vendors").selectOption("7");
  await expectAccessible(page, "the retention");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Retention saved").waitFor();
  await page.getByRole("button", { name: "Retention" }).click();
  await expect.poll(() => page.getByLabel("All vendors").inputValue()).toBe("7");
  await page.keyboard.press("Escape");
});

test("a failing endpoint shows every attempt, status and excerpt", async () => {
  receiver.answer = () => ({
    status: 500,
    body: "the ledger is locked",
    headers: { "content-type": "text/plain" },
  });
  await send("payment_intent.canceled");
  const line = page.locator(".events li", { hasText: "payment_intent.canceled" });
  await line.getByText("Will retry").waitFor();
  await page.goto("/destinations/");
  await page.getByRole("button", { name: "More for Billing" }).click();
  await page.getByRole("menuitem", { name: "Deliveries" }).click();
  const drawer = page.getByRole("dialog");
  await drawer.getByRole("button", { name: /payment_intent\.canceled/ }).click();
  await drawer.getByText("the ledger is locked").first().waitFor();
  await drawer.getByText("500", { exact: true }).first().waitFor();
  await expectAccessible(page, "the deliveries");
  await page.keyboard.press("Escape");
  receiver.answer = () => ({ status: 200 });
});

test("a secret is rotated with an overlap, and both sign", async () => {
  await page.getByRole("button", { name: "More for Billing" }).click();
  await page.getByRole("menuitem", { name: "Rotate secret" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Make a new secret" }).click();
  const fresh = (await dialog.getByLabel("Signing secret").textContent()) ?? "";
  expect(fresh).not.toBe(secret);
  await dialog.getByRole("button", { name: "I have copied it" }).click();
  for (const each of [secret, fresh]) {
    receiver.secrets = [each];
    const before = receiver.received.length;
    await page.getByRole("button", { name: "Send a test to Billing" }).click();
    await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBeGreaterThan(before);
    const pings = receiver.received.filter(({ body }) => body.type === "test.ping");
    expect(pings.at(-1)?.verified).toBe(true);
  }
});

test("a destination is paused, changed and deleted", async () => {
  await page.getByRole("switch", { name: "Billing is enabled" }).click();
  await page
    .locator(".line", { hasText: "Billing" })
    .getByText("Paused", { exact: true })
    .waitFor();
  await page.getByRole("button", { name: "More for Billing" }).click();
  await page.getByRole("menuitem", { name: "Edit" }).click();
  const drawer = page.getByRole("dialog");
  await drawer.getByLabel("Name", { exact: true }).fill("Ledger");
  await drawer.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "Ledger" }).waitFor();
  await page.getByRole("button", { name: "More for Ledger" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("heading", { name: "No destinations yet" }).waitFor();
});

test("a signed test event is sent from the integration's page in development", async () => {
  await page.goto(`/integrations/view/?id=${integrationId}&section=webhooks`);
  await page.getByRole("button", { name: "Send a signed test event" }).click();
  await page.getByText("The event was signed, sent and accepted").waitFor();
  await page.getByRole("link", { name: "Events received" }).click();
  await page.locator(".events li").first().waitFor();
});

test("a person is looked for, and erased once the count is confirmed, by keyboard alone", async () => {
  const patient = "Cnry Kittiwake";
  await world.simulator.sendWebhook("stripe", {
    url: webhookUrl,
    credentials: world.simulator.simulation("stripe").credentials,
    type: "payment_intent.processing",
    body: { description: `For ${patient}` },
  });
  const look = async ({ page: on }: Visitor) => {
    await on.goto("/events/");
    await on.getByRole("button", { name: "Erase a person…" }).press("Enter");
    const dialog = on.getByRole("dialog");
    await dialog.getByLabel(/^Phone, email/).waitFor();
    await expectAccessible(on, "the question");
    await on.keyboard.type(patient);
    await on.keyboard.press("Enter");
    await dialog.getByRole("heading", { name: "Erase what names this person?" }).waitFor();
    await dialog.getByText("1 webhook", { exact: true }).waitFor();
    return dialog;
  };
  const other = await visit(browser, world.url.replace("127.0.0.1", "localhost"), {
    theme: "dark",
    width: widths.phone,
  });
  await signIn(other.page);
  await look(other);
  await expectAccessible(other.page, "the count on a phone");
  await expectNoSideways(other.page, "the count on a phone");
  expect(other.troubles).toEqual([]);
  await other.leave();
  const dialog = await look(visitor);
  const erase = dialog.getByRole("button", { name: "Erase 1 webhook" });
  while (!(await erase.evaluate((button) => button.matches(":focus"))))
    await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await dialog.getByRole("heading", { name: "Erased" }).waitFor();
  await expectAccessible(page, "the end");
  await page.keyboard.press("Escape");
  const line = page.locator(".events li", { hasText: "payment_intent.processing" });
  await line.getByText("Erased").waitFor();
  await line.getByRole("button").click();
  await page.getByText(/^It was erased on request by you on /).waitFor();
  await expectAccessible(page, "an erased event");
  expect(await page.getByRole("button", { name: "Send again", exact: true }).isDisabled()).toBe(
    true,
  );
  await page.keyboard.press("Escape");
});

test("nothing went wrong on the way", () => {
  expect(visitor.troubles).toEqual([]);
});

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import type { AnyVendor } from "../../handlers/define.ts";
import { loadVendor, registry } from "../../handlers/registry.ts";
import { seed } from "../../scripts/seed.ts";
import { startWorld, type World } from "../../scripts/world.ts";
import { loadSimulation } from "../../simulator/simulations.ts";
import { openBrowser } from "./browser.ts";
import { signIn, visit, type Visitor } from "./visitor.ts";
import { wizardOf } from "./wizard.ts";

type Known = { id: string; vendor: AnyVendor };

/** Whoever must consent at the vendor first has a story of their own. */
async function needsConsent({ id, vendor }: Known): Promise<boolean> {
  const { credentials } = await loadSimulation(id);
  return vendor.auth(credentials).kind === "authorization_code";
}

const all: Known[] = [];
for (const id of Object.keys(registry)) {
  const vendor = await loadVendor(id);
  if (vendor && !(await needsConsent({ id, vendor }))) all.push({ id, vendor });
}

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

/** An operation whose example works against the simulation as it is at the start. */
function easiest({ id, vendor }: Known): string {
  const { params = {} } = world.simulator.simulation(id);
  const names = Object.keys(vendor.operations).filter((name) => !(name in params));
  const reads = names.filter((name) => vendor.operations[name]?.effect === "read");
  const [name] = [...reads, ...names];
  if (!name) throw new Error(`${id} has no operation to run`);
  return name;
}

async function configure(known: Known): Promise<void> {
  const { name } = known.vendor;
  await page.goto(`/vendors/${known.id}/`);
  await page.getByRole("button", { name: "Configure" }).click();
  const { drawer, press, toVerify } = wizardOf(page);
  await press("Fill in with demo values");
  await toVerify();
  await press("Test");
  await drawer.getByText(/^Test passed/).waitFor();
  await press("Save");
  await press("Switch on");
  await drawer.getByText(`${name} is saved and on`).waitFor();
  await drawer.getByRole("link", { name: "View integration" }).click();
}

async function runOne(known: Known): Promise<void> {
  await page.getByRole("tab", { name: "Try it" }).click();
  await page.getByLabel("Operation").selectOption(easiest(known));
  const example = page.getByRole("button", { name: "Fill in the example" });
  if (await example.isVisible()) await example.click();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const confirm = page.getByRole("alertdialog").getByRole("button", { name: "Run it" });
  const result = page.getByLabel("Result");
  const settled = result.getByText("Done").or(result.getByText("It did not work"));
  await confirm.or(settled).waitFor();
  if (await confirm.isVisible()) await confirm.click();
  await settled.waitFor();
  expect(await result.textContent()).toMatch(/Done/);
}

test.each(all)(
  "$id is configured with demo values, tested, switched on and called",
  async (known) => {
    await configure(known);
    await runOne(known);
  },
);

test("nothing went wrong on the way", () => {
  expect(visitor.troubles).toEqual([]);
});

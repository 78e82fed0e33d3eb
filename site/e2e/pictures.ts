import { join } from "node:path";

import { demo, seed } from "../../scripts/seed.ts";
import { root } from "../../scripts/worker.ts";
import { call, startWorld } from "../../scripts/world.ts";
import { openBrowser } from "./browser.ts";
import { signIn, visit } from "./visitor.ts";
import { wizardOf } from "./wizard.ts";

// `node site/e2e/pictures.ts`, after a build: takes the README's pictures anew.
const world = await startWorld("pglite");
await seed(world.database.url, world.database.endpoint);
const browser = await openBrowser();
const owned = ["stripe", "twilio", "slack", "openai"];
try {
  for (const vendor of owned) {
    const reply = await call(
      `${world.url}/api/integrations`,
      "POST",
      {
        vendor_id: vendor,
        enabled: true,
        credentials: world.simulator.simulation(vendor).credentials,
      },
      { authorization: `Bearer ${demo.apiKey}` },
    );
    if (reply.status !== 201) throw new Error(`${vendor}: ${JSON.stringify(reply.body)}`);
  }
  world.simulator.fault({ vendor: "slack", kind: "expired_credentials" });
  await call(
    `${world.url}/api/integrations/health/check`,
    "POST",
    {},
    {
      authorization: `Bearer ${demo.apiKey}`,
    },
  );
  const { page } = await visit(browser, world.url.replace("127.0.0.1", "localhost"));
  await signIn(page);
  await page.goto("/");
  await page.getByRole("button", { name: "Configure Epic" }).click();
  const { drawer, press, toVerify } = wizardOf(page);
  await press("Fill in with demo values");
  await toVerify();
  await press("Test");
  await drawer.getByText(/^Test passed/).waitFor();
  await page.screenshot({ path: join(root, "docs/wizard.png") });

  await press("Save");
  await press("Switch on");
  await drawer.getByText("Epic is saved and on").waitFor();
  await press("Done");
  await page.locator(".card-owned").nth(owned.length).waitFor();
  await page.mouse.move(0, 0);
  await page.screenshot({ path: join(root, "docs/marketplace.png") });
} finally {
  await browser.close();
  await world.stop();
}

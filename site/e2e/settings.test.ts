import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { startIdentityProvider, startNameServer } from "../../scripts/identity-provider.ts";
import { addOrg } from "../../scripts/seed.ts";
import { codeAt, stepNow } from "../../scripts/totp.ts";
import { call, newMember, startWorld, type World } from "../../scripts/world.ts";
import { openBrowser } from "./browser.ts";
import { expectAccessible, expectNoSideways, looks, signIn, visit } from "./visitor.ts";
import { wizardOf } from "./wizard.ts";

let world: World;
let browser: Browser;
let origin: string;

beforeAll(async () => {
  [world, browser] = await Promise.all([startWorld("pglite"), openBrowser()]);
  origin = world.url.replace("127.0.0.1", "localhost");
});
afterAll(async () => {
  await browser?.close();
  await world?.stop();
});

/** An org of its own for each test, with an owner to sign in as. */
async function newOwner(named = "Harbor Clinic") {
  const suffix = randomUUID().slice(0, 8);
  const org = {
    orgId: randomUUID(),
    name: `${named} ${suffix}`,
    slug: `harbor-${suffix}`,
    person: "Olivia Owner",
    email: `olivia-${suffix}@harbor.example`,
    password: "a long test password",
    apiKey: `ehr_${randomUUID()}`,
  };
  await addOrg(world.database.url, org);
  return org;
}

const settled = async (page: Page) => {
  await page.waitForLoadState("networkidle");
  await page.locator("#settings:not([aria-busy])").waitFor();
};

/** With `SHOTS=folder`, what is on the screen is kept for people to look at. */
async function shoot(page: Page, name: string) {
  const folder = process.env["SHOTS"];
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}.png` });
}

describe.each(looks)("settings at $width, $theme", (look) => {
  test("are accessible, fit and log no error, however long the name is", async () => {
    const owner = await newOwner("Saint Bartholomew and Northumberland Community Health Trust");
    const { page, troubles, leave } = await visit(browser, origin, look);
    const check = async (what: string) => {
      await expectAccessible(page, what);
      await expectNoSideways(page, what);
      await shoot(page, `${look.width}-${look.theme}-${what.replaceAll(/\W+/g, "-")}`);
    };
    await signIn(page, owner);
    for (const path of [
      "/settings/",
      "/settings/keys/",
      "/settings/signing-keys/",
      "/settings/sso/",
      "/settings/security/",
    ]) {
      await page.goto(path);
      await settled(page);
      await check(path);
    }
    await page.goto("/settings/");
    await page.getByRole("button", { name: "Invite" }).click();
    await check("invite");
    await page.getByLabel("Work email").fill("nora@harbor.example");
    await page.getByRole("button", { name: "Make the invitation" }).click();
    await page.getByText("Hand this link over").waitFor();
    await check("invited");
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByRole("button", { name: "Copy link for nora@harbor.example" }).waitFor();
    await check("members");
    await page.goto("/settings/keys/");
    await page.getByRole("button", { name: "New key" }).click();
    await check("new-key");
    await page.keyboard.press("Escape");
    await page.goto("/settings/signing-keys/");
    await page.getByRole("button", { name: "New signing key" }).click();
    await check("new-signing-key");
    await page.getByRole("button", { name: "Make the key" }).click();
    await page.getByText("Your new signing key").waitFor();
    await check("made-signing-key");
    await page.getByRole("button", { name: "Done" }).click();
    await check("signing-keys");
    await page.getByRole("button", { name: /^Retire the key/ }).click();
    await check("retire-signing-key");
    await page.keyboard.press("Escape");
    await page.goto("/settings/sso/");
    await page.getByRole("button", { name: "Add a provider" }).click();
    await check("new-provider");
    await page.keyboard.press("Escape");
    await page.goto("/settings/security/");
    await page.getByRole("button", { name: "Set up" }).click();
    await page.getByLabel("Your password").fill(owner.password);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("img", { name: /QR code/ }).waitFor();
    await check("enrol");
    for (const path of ["/sign-in/?error=sso_refused", "/reset-password/#token"]) {
      await page.goto(path);
      await page.waitForLoadState("networkidle");
      await check(path);
    }
    expect(troubles).toEqual([]);
    await leave();
  });
});

test("a key is made, shown once, works, and ends", async () => {
  const owner = await newOwner();
  const { page, troubles, leave } = await visit(browser, origin);
  await signIn(page, owner);
  await page.getByRole("button", { name: /^Organization:/ }).click();
  await page.getByRole("menuitem", { name: "API keys" }).click();
  await page.getByText("Demo key").waitFor();
  await page.getByRole("button", { name: "New key" }).click();
  await page.getByLabel("Name").fill("Nightly export");
  await page.getByLabel("Read the activity log").check();
  await page.getByRole("button", { name: "Make the key" }).click();
  const key = (await page.getByLabel("API key", { exact: true }).textContent()) ?? "";
  expect(key).toMatch(/^ehr_[\w-]{43}$/);
  await page.getByRole("button", { name: "I have copied it" }).click();
  const entry = page.getByRole("listitem").filter({ hasText: "Nightly export" });
  await entry.getByText("activity:read").waitFor();
  expect(await page.content()).not.toContain(key);
  const ask = () =>
    call(`${world.url}/api/activity`, "GET", undefined, { authorization: `Bearer ${key}` });
  expect((await ask()).status).toBe(200);
  await page.reload();
  await entry.getByText("Used just now").waitFor();
  await page.getByRole("button", { name: "Revoke Nightly export" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Revoke" }).click();
  await entry.waitFor({ state: "detached" });
  expect((await ask()).status).toBe(401);
  expect(troubles).toEqual([]);
  await leave();
});

test("a signing key is made, is not retired while an integration signs with it, and then is", async () => {
  const owner = await newOwner();
  const { page, troubles, leave } = await visit(browser, origin);
  await signIn(page, owner);
  await page.goto("/vendors/veradigm/");
  await page.getByRole("button", { name: "Configure" }).click();
  const { drawer, press } = wizardOf(page);
  await press("Next");
  await drawer.getByText("Key that we hold (hosted JWKS)").click();
  const [keysPage] = await Promise.all([
    page.context().waitForEvent("page"),
    drawer.getByRole("link", { name: "Signing keys" }).click(),
  ]);
  await keysPage.getByText("No signing keys yet").waitFor();
  await keysPage.getByRole("button", { name: "New signing key" }).click();
  await keysPage.getByLabel("ES384").check();
  await keysPage.getByRole("button", { name: "Make the key" }).click();
  const dialog = keysPage.getByRole("dialog");
  const kid = (await dialog.getByLabel("Key ID", { exact: true }).textContent()) ?? "";
  const url = (await dialog.getByLabel("JWK Set URL", { exact: true }).textContent()) ?? "";
  await keysPage.getByRole("button", { name: "Done" }).click();
  const entry = keysPage.getByRole("listitem").filter({ hasText: kid });
  await entry.getByText("Ready").waitFor();
  const published = await (await fetch(`${world.url}${new URL(url).pathname}`)).json();
  expect(published).toMatchObject({ keys: [{ kid, alg: "ES384" }] });

  const bearer = { authorization: `Bearer ${owner.apiKey}` };
  const added = await call(
    `${world.url}/api/integrations`,
    "POST",
    {
      vendor_id: "veradigm",
      credentials: { clientId: "20000000-0000-4000-8000-000000000009", signingKeyId: kid },
    },
    bearer,
  );
  expect(added.status, JSON.stringify(added.body)).toBe(201);
  await keysPage.reload();
  await entry.getByText("In use").waitFor();
  await entry.getByRole("link", { name: "Veradigm (Allscripts)" }).waitFor();
  const retire = keysPage.getByRole("button", { name: `Retire the key ${kid}` });
  await retire.click();
  await keysPage.getByRole("alertdialog").getByText("Give each another key first").waitFor();
  await keysPage.getByRole("button", { name: "Close" }).click();
  const { id } = added.body.data as { id: string };
  await call(`${world.url}/api/integrations/${id}`, "DELETE", undefined, bearer);
  await keysPage.reload();
  await retire.click();
  await keysPage.getByRole("button", { name: "Retire", exact: true }).click();
  await entry.getByText("in the key set until").waitFor();
  expect(await retire.count()).toBe(0);
  expect(troubles).toEqual([]);
  await leave();
});

test("who may only look sees signing keys, and is offered nothing", async () => {
  const owner = await newOwner();
  const bearer = { authorization: `Bearer ${owner.apiKey}` };
  const viewer = await newMember(
    {
      url: world.url,
      publicUrl: origin,
      databaseUrl: world.database.url,
      endpoint: world.database.endpoint,
    },
    owner.orgId,
    "viewer",
  );
  const { page, troubles, leave } = await visit(browser, origin);
  await signIn(page, { email: viewer.email, password: owner.password });
  await page.goto("/settings/signing-keys/");
  await page.getByText("Owners and admins make one.").waitFor();
  await call(`${world.url}/api/signing-keys`, "POST", { algorithm: "RS384" }, bearer);
  await page.reload();
  await page.getByText("RS384").waitFor();
  await page.getByRole("button", { name: "Copy" }).first().waitFor();
  expect(await page.getByRole("button", { name: /New signing key|Retire/ }).count()).toBe(0);
  expect(troubles).toEqual([]);
  await leave();
});

test("somebody is invited, joins by the link, and is given a role", async () => {
  const owner = await newOwner();
  const mine = await visit(browser, origin);
  await signIn(mine.page, owner);
  await mine.page.goto("/settings/");
  await mine.page.getByRole("button", { name: "Invite" }).click();
  const email = `nora-${randomUUID().slice(0, 8)}@harbor.example`;
  await mine.page.getByLabel("Work email").fill(email);
  await mine.page.getByLabel("Viewer").check();
  await mine.page.getByRole("button", { name: "Make the invitation" }).click();
  const link = (await mine.page.getByLabel("Invitation link", { exact: true }).textContent()) ?? "";
  await mine.page.getByRole("button", { name: "Done" }).click();

  const theirs = await visit(browser, origin);
  await theirs.page.goto(link);
  await theirs.page.getByRole("link", { name: "Create an account" }).click();
  await theirs.page.getByLabel("Your name").fill("Nora New");
  await theirs.page.getByLabel("Work email").fill(email);
  await theirs.page.getByLabel("Password").fill("nora has a long one");
  await theirs.page.getByRole("button", { name: "Create account" }).click();
  await theirs.page.getByRole("button", { name: /^Join Harbor Clinic/ }).click();
  await theirs.page.waitForURL(/\/integrations\//);
  await theirs.page.goto("/settings/keys/");
  await theirs.page.getByText("Owners and admins manage keys").waitFor();

  await mine.page.reload();
  await mine.page.getByLabel("Role of Nora New").selectOption("admin");
  await mine.page.getByText("Nora New is admin now").waitFor();
  await theirs.page.reload();
  await theirs.page.getByText("Demo key").waitFor();

  await mine.page.getByRole("button", { name: "More for Nora New" }).click();
  await mine.page.getByRole("menuitem", { name: "Reset password" }).click();
  await mine.page.getByRole("button", { name: "Make a link" }).click();
  const reset = (await mine.page.getByLabel("Reset link", { exact: true }).textContent()) ?? "";
  await theirs.page.goto(reset);
  await theirs.page.getByLabel("New password").fill("nora has another one");
  await theirs.page.getByRole("button", { name: "Set the password" }).click();
  await theirs.page.getByText("Your new password is set").waitFor();
  await signIn(theirs.page, { email, password: "nora has another one" });
  expect([...mine.troubles, ...theirs.troubles]).toEqual([]);
  await mine.leave();
  await theirs.leave();
});

test("the second step is set up, asked for, and replaced by a backup code", async () => {
  const owner = await newOwner();
  const { page, troubles, leave } = await visit(browser, origin);
  await signIn(page, owner);
  await page.goto("/settings/security/");
  await page.getByRole("button", { name: "Set up" }).click();
  await page.getByLabel("Your password").fill(owner.password);
  await page.getByRole("button", { name: "Continue" }).click();
  const secret = (await page.getByLabel("Key", { exact: true }).textContent()) ?? "";
  const step = stepNow();
  await page.getByLabel("Code that the app shows").fill(codeAt(secret, step - 1));
  await page.getByRole("button", { name: "Switch on" }).click();
  await page.getByRole("heading", { name: "Your backup codes" }).waitFor();
  const codes = await page
    .getByRole("list", { name: "Backup codes" })
    .getByRole("listitem")
    .allTextContents();
  await page.getByRole("button", { name: "I have kept them" }).click();
  await page.getByRole("button", { name: "Switch off" }).waitFor();

  const enter = async (code: string) => {
    const visitor = await visit(browser, origin);
    await visitor.page.goto("/sign-in/");
    await visitor.page.getByLabel("Work email").fill(owner.email);
    await visitor.page.getByLabel("Password").fill(owner.password);
    await visitor.page.getByRole("button", { name: "Sign in" }).click();
    await visitor.page.getByLabel("Code of your authenticator app").fill(code);
    await visitor.page.getByRole("button", { name: "Continue" }).click();
    return visitor;
  };
  const wrong = await enter("000000");
  await wrong.page.getByRole("alert").waitFor();
  await wrong.leave();
  const right = await enter(codeAt(secret, stepNow()));
  await right.page.getByRole("button", { name: /^Account:/ }).waitFor();
  const backup = await enter(codes[0] ?? "");
  await backup.page.getByRole("button", { name: /^Account:/ }).waitFor();

  await page.reload();
  await page.getByRole("button", { name: "End all others" }).click();
  await page.getByText("Every other session has ended").waitFor();
  await right.page.goto("/integrations/");
  await right.page.waitForURL(/\/sign-in\//);
  expect(troubles).toEqual([]);
  await right.leave();
  await backup.leave();
  await leave();
});

test("single sign-on is set up, and a colleague comes in by it", async () => {
  const owner = await newOwner();
  const [idp, names] = await Promise.all([
    startIdentityProvider(world.simulator.url),
    startNameServer(world.simulator.url),
  ]);
  idp.register("https://not-yet.example/");
  const domain = `${randomUUID().slice(0, 8)}.example.org`;
  const mine = await visit(browser, origin);
  await signIn(mine.page, owner);
  await mine.page.goto("/settings/sso/");
  await mine.page.getByRole("button", { name: "Add a provider" }).click();
  await mine.page.getByLabel("Name").fill("Clinic directory");
  await mine.page.getByLabel("Email domain").fill(domain);
  await mine.page.getByLabel("Issuer").fill("https://10.0.0.1/");
  await mine.page.getByLabel("Client ID").fill(idp.client.id);
  await mine.page.getByLabel("Client secret").fill(idp.client.secret);
  await mine.page.getByRole("button", { name: "Add", exact: true }).click();
  await mine.page.getByText("must name its host by a plain domain name").waitFor();
  await mine.page.getByLabel("Issuer").fill(idp.issuer);
  await mine.page.getByRole("button", { name: "Add", exact: true }).click();
  const field = async (name: string) =>
    (await mine.page.getByLabel(name, { exact: true }).textContent()) ?? "";
  idp.register(await field("Redirect address"));
  await mine.page.getByRole("button", { name: "Verify" }).click();
  await mine.page.getByText("has no TXT record yet").waitFor();
  await shoot(mine.page, "provider-waits");
  await expectAccessible(mine.page, "a provider that waits");
  names.records.set(await field("Record name"), [await field("Record value")]);
  await mine.page.getByRole("button", { name: "Verify" }).click();
  await mine.page.getByText("In use").waitFor();

  const email = `mara@${domain}`;
  idp.signInAs({ sub: "mara", email, email_verified: true, name: "Mara Jones" });
  const theirs = await visit(browser, origin);
  // The provider's public name leads nowhere from here: its part is played over loopback.
  await theirs.page.route(`${new URL(idp.issuer).origin}/**`, async (route) =>
    route.fulfill({ status: 302, headers: { location: await idp.follow(route.request().url()) } }),
  );
  await theirs.page.goto("/sign-in/?next=/settings/security/");
  await theirs.page.getByRole("button", { name: "Continue with single sign-on" }).click();
  await theirs.page.getByLabel("Work email").fill(email);
  await theirs.page.getByRole("button", { name: "Continue with single sign-on" }).click();
  await theirs.page.getByText("You sign in at your organization").waitFor();
  await theirs.page.getByRole("button", { name: /^Organization:/ }).click();
  await theirs.page.getByText("You came by single sign-on").waitFor();
  expect(await theirs.page.getByRole("menuitem", { name: "New organization" }).count()).toBe(0);
  await theirs.page.goto(`/invitations/?id=${randomUUID()}`);
  await theirs.page.getByRole("link", { name: "Sign in with your password" }).waitFor();
  await expectAccessible(theirs.page, "an invitation elsewhere");
  await mine.page.goto("/settings/");
  await mine.page.getByText("Mara Jones").waitFor();
  expect([...mine.troubles, ...theirs.troubles]).toEqual([]);
  await mine.leave();
  await theirs.leave();
  await Promise.all([idp.close(), names.close()]);
});

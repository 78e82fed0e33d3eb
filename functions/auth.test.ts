import { randomBytes } from "node:crypto";

import { neon, neonConfig } from "@neondatabase/serverless";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { codeAt, stepNow } from "../scripts/totp.ts";
import {
  activityOf,
  signedIn,
  signedInMember,
  testPassword as password,
  Visitor,
} from "../scripts/visitor.ts";
import { newSecrets, type RunningWorker, startWorker } from "../scripts/worker.ts";
import { call, newOrg, type Reply } from "../scripts/world.ts";

const world = inject("world");

beforeAll(() => {
  neonConfig.fetchEndpoint = world.endpoint;
});

const body = (reply: Reply) => reply.body as Record<string, unknown>;
const newEmail = () => `${randomBytes(6).toString("hex")}@clinic.example`;

describe("sessions", () => {
  test("are listed and ended one by one, at once for the API too", async () => {
    const org = await newOrg(world);
    const [here, there, third] = [
      await signedIn(world, org.email),
      await signedIn(world, org.email),
      await signedIn(world, org.email),
    ];
    const works = async (visitor: Visitor) =>
      (await visitor.ask("GET", "/api/integrations")).status;
    const list = (await here.auth("/list-sessions")).body as unknown as { token: string }[];
    expect(list).toHaveLength(3);
    const [token] = [...there.cookies.values()].map(
      (value) => decodeURIComponent(value).split(".")[0],
    );
    expect(await works(there)).toBe(200);
    expect((await here.auth("/revoke-session", { token })).status).toBe(200);
    expect(await works(there)).toBe(401);
    expect(await works(third)).toBe(200);
    expect((await here.auth("/revoke-other-sessions", {})).status).toBe(200);
    expect(await works(third)).toBe(401);
    expect(await works(here)).toBe(200);
    expect((await here.auth("/sign-out", {})).status).toBe(200);
    expect(await works(here)).toBe(401);
  });

  test("of somebody else are not ended, even by their token", async () => {
    const [mine, theirs] = [await newOrg(world), await newOrg(world)];
    const [me, them] = [await signedIn(world, mine.email), await signedIn(world, theirs.email)];
    const [token] = [...them.cookies.values()].map(
      (value) => decodeURIComponent(value).split(".")[0],
    );
    await me.auth("/revoke-session", { token });
    expect((await them.ask("GET", "/api/integrations")).status).toBe(200);
  });

  test("begin anew at sign-in: one that was planted before is not taken over", async () => {
    const org = await newOrg(world);
    const attacker = await signedIn(world, (await newOrg(world)).email);
    const victim = new Visitor(world);
    for (const [name, value] of attacker.cookies) victim.cookies.set(name, value);
    const planted = [...victim.cookies.values()];
    expect((await victim.signIn(org.email, password)).status).toBe(200);
    expect([...victim.cookies.values()]).not.toEqual(planted);
    const own = await victim.auth("/get-session");
    expect(body(own)["user"]).toMatchObject({ email: org.email });
    expect(body(await attacker.auth("/get-session"))["user"]).not.toMatchObject({
      email: org.email,
    });
  });

  test("end with a forged or unsigned cookie unopened", async () => {
    const org = await newOrg(world);
    const visitor = await signedIn(world, org.email);
    const [[name, value] = ["", ""]] = [...visitor.cookies];
    const [token = ""] = decodeURIComponent(value).split(".");
    for (const forged of [token, `${token}.AAAA`, `${token}.${"A".repeat(43)}=`]) {
      visitor.cookies.set(name, encodeURIComponent(forged));
      expect((await visitor.ask("GET", "/api/integrations")).status).toBe(401);
    }
  });
});

describe("passwords", () => {
  test("that are short, common, regular or the person's own name are refused", async () => {
    const visitor = new Visitor(world);
    for (const [email, weak] of [
      [newEmail(), "short-one"],
      [newEmail(), "Password1234!"],
      [newEmail(), "qwertyuiop123"],
      [newEmail(), "aaaaaaaaaaaa"],
      [newEmail(), "123456789012"],
      [newEmail(), "abcabcabcabc"],
      ["mara.jones@clinic.example", "my mara.jones pass"],
    ]) {
      const reply = await visitor.auth("/sign-up/email", { name: "Mara", email, password: weak });
      expect(reply.status, weak).toBe(400);
      expect(body(reply)["message"], weak).toEqual(expect.any(String));
    }
    expect(visitor.cookies.size).toBe(0);
  });

  test("when changed end every other session, and need the old one", async () => {
    const org = await newOrg(world);
    const [here, there] = [await signedIn(world, org.email), await signedIn(world, org.email)];
    const change = (currentPassword: string, newPassword: string) =>
      here.auth("/change-password", { currentPassword, newPassword, revokeOtherSessions: false });
    expect((await change("not the old password", "an altogether new one")).status).toBe(400);
    expect((await change(org.password, "passwordpassword")).status).toBe(400);
    expect((await there.ask("GET", "/api/integrations")).status).toBe(200);
    expect((await change(org.password, "an altogether new one")).status).toBe(200);
    expect((await there.ask("GET", "/api/integrations")).status).toBe(401);
    expect((await here.ask("GET", "/api/integrations")).status).toBe(200);
    expect((await new Visitor(world).signIn(org.email, org.password)).status).toBe(401);
    await signedIn(world, org.email, "an altogether new one");
  });

  test("are reset by a link that an owner or admin hands over, once", async () => {
    const org = await newOrg(world);
    const owner = await signedIn(world, org.email);
    const { email, userId, visitor } = await signedInMember(world, org, "member");
    const ask = (by: Visitor, who: string) =>
      by.auth("/organization/create-password-reset", { organizationId: org.orgId, userId: who });
    expect((await ask(visitor, org.userId)).status).toBe(403);
    const { visitor: admin } = await signedInMember(world, org, "admin");
    expect((await ask(admin, org.userId)).status).toBe(403);
    const stranger = await signedIn(world, (await newOrg(world)).email);
    expect((await ask(stranger, userId)).status).toBe(403);
    const made = await ask(owner, userId);
    expect(made.status, JSON.stringify(made.body)).toBe(200);
    const left = Date.parse(String(body(made)["expiresAt"])) - Date.now();
    expect(left).toBeLessThanOrEqual(60 * 60_000);
    const token = String(body(made)["url"]).split("#")[1];
    const reset = (newPassword: string) =>
      new Visitor(world).auth("/reset-password", { token, newPassword });
    expect((await reset("password1234")).status).toBe(400);
    expect((await reset("an altogether new one")).status).toBe(200);
    expect((await reset("another one altogether")).status).toBe(400);
    expect((await visitor.ask("GET", "/api/integrations")).status).toBe(401);
    await signedIn(world, email, "an altogether new one");
    expect(await activityOf(org, "password_reset_created")).toMatchObject([
      { details: { user_id: userId }, actor: `user:${org.userId}` },
    ]);
  });

  test("are not reset by a link that was made before its person joined another organization", async () => {
    const [org, other] = [await newOrg(world), await newOrg(world)];
    const owner = await signedIn(world, org.email);
    const { userId } = await signedInMember(world, org, "member");
    const made = await owner.auth("/organization/create-password-reset", {
      organizationId: org.orgId,
      userId,
    });
    const token = String(body(made)["url"]).split("#")[1];
    await neon(world.databaseUrl)`insert into members (organization_id, user_id, role)
      values (${other.orgId}, ${userId}, 'viewer')`;
    const newPassword = "an altogether new one";
    expect((await new Visitor(world).auth("/reset-password", { token, newPassword })).status).toBe(
      400,
    );
  });

  test("of somebody who also belongs elsewhere are not reset from here", async () => {
    const [org, other] = [await newOrg(world), await newOrg(world)];
    await neon(world.databaseUrl)`insert into members (organization_id, user_id, role)
      values (${org.orgId}, ${other.userId}, 'viewer')`;
    const owner = await signedIn(world, org.email);
    const made = await owner.auth("/organization/create-password-reset", {
      organizationId: org.orgId,
      userId: other.userId,
    });
    expect(made.status).toBe(403);
  });
});

async function withTwoFactor() {
  const org = await newOrg(world);
  const visitor = await signedIn(world, org.email);
  const begun = await visitor.auth("/two-factor/enable", { password: org.password });
  expect(begun.status, JSON.stringify(begun.body)).toBe(200);
  const uri = new URL(String(body(begun)["totpURI"]));
  const secret = uri.searchParams.get("secret") ?? "";
  const backupCodes = body(begun)["backupCodes"] as string[];
  // The step before is still accepted, and leaves the present one to sign in with.
  const done = await visitor.auth("/two-factor/verify-totp", {
    code: codeAt(secret, stepNow() - 1),
  });
  expect(done.status, JSON.stringify(done.body)).toBe(200);
  return { org, visitor, secret, backupCodes, uri };
}

describe("two-factor", () => {
  test("is asked for at sign-in, and its codes count once", async () => {
    const { org, secret, uri } = await withTwoFactor();
    expect(uri.protocol).toBe("otpauth:");
    expect(uri.searchParams.get("issuer")).toBe("EHRConnect");
    const visitor = new Visitor(world);
    const first = await visitor.signIn(org.email, org.password);
    expect(body(first)).toMatchObject({ twoFactorRedirect: true });
    expect((await visitor.ask("GET", "/api/integrations")).status).toBe(401);
    const verify = (by: Visitor, code: string) => by.auth("/two-factor/verify-totp", { code });
    expect((await verify(visitor, "000000")).status).toBe(401);
    const code = codeAt(secret, stepNow());
    expect((await verify(visitor, code)).status).toBe(200);
    expect((await visitor.ask("GET", "/api/integrations")).status).toBe(200);

    const overlooker = new Visitor(world);
    await overlooker.signIn(org.email, org.password);
    expect((await verify(overlooker, code)).status).toBe(401);
    expect((await overlooker.ask("GET", "/api/integrations")).status).toBe(401);
    // Without the password the code is worth nothing.
    expect((await verify(new Visitor(world), codeAt(secret, stepNow()))).status).toBe(401);
  });

  test("is passed by a backup code, once", async () => {
    const { org, backupCodes } = await withTwoFactor();
    expect(backupCodes.length).toBeGreaterThanOrEqual(8);
    const [code = ""] = backupCodes;
    const enter = async () => {
      const visitor = new Visitor(world);
      await visitor.signIn(org.email, org.password);
      return visitor.auth("/two-factor/verify-backup-code", { code });
    };
    expect((await enter()).status).toBe(200);
    expect((await enter()).status).toBe(401);
    const stored = await neon(world.databaseUrl)`
      select secret, backup_codes from two_factors where user_id = ${org.userId}`;
    for (const each of backupCodes) expect(JSON.stringify(stored)).not.toContain(each);
  });

  test("stops guessing", async () => {
    const { org } = await withTwoFactor();
    const visitor = new Visitor(world);
    await visitor.signIn(org.email, org.password);
    const statuses: number[] = [];
    for (let code = 0; code < 7; code++)
      statuses.push(
        (await visitor.auth("/two-factor/verify-totp", { code: `00000${code}` })).status,
      );
    expect(statuses).not.toContain(200);
    expect((await visitor.auth("/get-session")).body).toBeNull();
    const late = await visitor.auth("/two-factor/verify-totp", { code: "123456" });
    expect(late.status).toBe(401);
  });

  test("is switched off with the password only", async () => {
    const { org, visitor } = await withTwoFactor();
    const off = (words: string) => visitor.auth("/two-factor/disable", { password: words });
    expect((await off("not the old password")).status).toBe(400);
    expect(body(await new Visitor(world).signIn(org.email, org.password))).toMatchObject({
      twoFactorRedirect: true,
    });
    expect((await off(org.password)).status).toBe(200);
    await signedIn(world, org.email);
    expect((await visitor.ask("GET", "/api/integrations")).status).toBe(200);
  });
});

describe("requests from elsewhere", () => {
  test("do nothing for a signed-in user", async () => {
    const org = await newOrg(world);
    const visitor = await signedIn(world, org.email);
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: `${world.publicUrl}.evil.example` },
    ]) {
      expect(
        (
          await visitor.auth(
            "/change-password",
            { currentPassword: org.password, newPassword: "an altogether new one" },
            headers,
          )
        ).status,
      ).toBe(403);
      expect((await visitor.auth("/sign-out", {}, headers)).status).toBe(403);
      expect(
        (
          await visitor.ask(
            "POST",
            "/api/keys",
            { name: "x", scopes: ["integrations:read"] },
            headers,
          )
        ).status,
      ).toBe(403);
    }
    const form = {
      "content-type": "application/x-www-form-urlencoded",
      origin: "https://evil.example",
      "sec-fetch-site": "cross-site",
      "sec-fetch-mode": "navigate",
    };
    const login = await new Visitor(world).ask(
      "POST",
      "/api/auth/sign-in/email",
      `email=${encodeURIComponent(org.email)}&password=x`,
      form,
    );
    expect([403, 415]).toContain(login.status);
    await signedIn(world, org.email);
  });

  test("cannot read answers unless their origin is allowed", async () => {
    const org = await newOrg(world);
    for (const path of ["/api/integrations", "/api/keys", "/api/auth/get-session"]) {
      const reply = await org.call("GET", path, undefined, { origin: "https://evil.example" });
      expect(reply.headers.get("access-control-allow-origin"), path).toBeNull();
    }
  });

  test("find nothing of Better Auth but what is used", async () => {
    const owner = await signedIn(world, (await newOrg(world)).email);
    for (const path of [
      "/organization/delete",
      "/organization/list-user-invitations",
      "/organization/get-full-organization",
      "/update-session",
      "/delete-user",
      "/change-email",
      "/sign-in/social",
      "/two-factor/send-otp",
      "/api-key/create",
      "/sso/register",
      "/sign-in/email/",
      "/ok",
    ])
      expect((await owner.auth(path, {})).status, path).toBe(404);
  });
});

describe("a public deployment", () => {
  const publicUrl = "https://integrations.example";
  const allowed = "https://app.example";
  const logs: string[] = [];
  let worker: RunningWorker;
  let open: { url: string; publicUrl: string };
  beforeAll(async () => {
    worker = await startWorker({
      databaseUrl: world.databaseUrl,
      databaseEndpoint: world.endpoint,
      simulatorUrl: world.simulatorUrl,
      secrets: { ...newSecrets(), ALLOWED_ORIGINS: allowed, LIMIT_SIGN_IN: "15" },
      publicUrl,
      log: (line) => logs.push(line),
    });
    open = { url: worker.url, publicUrl };
  });
  afterAll(() => worker?.stop());
  const from = () => ({ "cf-connecting-ip": `203.0.113.${Math.floor(Math.random() * 250)}` });

  test("keeps its cookies to itself and to https", async () => {
    const org = await newOrg(world);
    const visitor = new Visitor(open);
    const reply = await visitor.auth(
      "/sign-in/email",
      { email: org.email, password: org.password },
      from(),
    );
    expect(reply.status).toBe(200);
    expect(visitor.lines.length).toBeGreaterThan(0);
    for (const line of visitor.lines) {
      expect(line).toMatch(/^__Secure-/);
      expect(line).toMatch(/; HttpOnly/i);
      expect(line).toMatch(/; Secure/i);
      expect(line).toMatch(/; SameSite=Lax/i);
      expect(line).toMatch(/; Path=\//i);
      expect(line).not.toMatch(/; Domain=/i);
    }
    const [session = ""] = visitor.lines.filter((line) => line.includes("session_token="));
    expect((await visitor.ask("GET", "/api/integrations")).status).toBe(200);
    const planted = session.replace(/^__Secure-|;.*$/g, "");
    expect(planted).toMatch(/^better-auth\.session_token=/);
    const list = `${open.url}/api/integrations`;
    expect((await call(list, "GET", undefined, { cookie: planted })).status).toBe(401);
    expect(reply.headers.get("cache-control") ?? "no-store").toContain("no-store");
  });

  test("answers allowed origins, with credentials, and lets them act", async () => {
    const org = await newOrg(world);
    const asked = await fetch(`${open.url}/api/integrations`, {
      method: "OPTIONS",
      headers: {
        origin: allowed,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-org-id",
      },
    });
    expect(asked.headers.get("access-control-allow-origin")).toBe(allowed);
    expect(asked.headers.get("access-control-allow-credentials")).toBe("true");
    expect(asked.headers.get("access-control-allow-headers")).toContain("x-org-id");
    expect(asked.headers.get("vary")).toMatch(/origin/i);
    const visitor = new Visitor({ url: open.url, publicUrl: allowed });
    expect(
      (await visitor.auth("/sign-in/email", { email: org.email, password: org.password }, from()))
        .status,
    ).toBe(200);
    const stranger = await fetch(`${open.url}/api/integrations`, {
      method: "OPTIONS",
      headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
    });
    expect(stranger.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("locks an account for a while after ten wrong passwords, whoever sends them", async () => {
    const org = await newOrg(world);
    const guess = (email: string, words: string, at: number) =>
      new Visitor(open).auth(
        "/sign-in/email",
        { email, password: words },
        { "cf-connecting-ip": `198.51.100.${at}` },
      );
    const wrong = await Promise.all(
      Array.from({ length: 10 }, (_, at) => guess(org.email, "not the right password", at)),
    );
    expect(new Set(wrong.map((reply) => reply.status))).toEqual(new Set([401]));
    const locked = await guess(org.email.toUpperCase(), org.password, 77);
    expect(locked.status).toBe(429);
    expect(Number(locked.headers.get("retry-after"))).toBeGreaterThan(60);
    expect((await guess((await newOrg(world)).email, password, 78)).status).toBe(200);
    // Nobody learns from it which addresses have an account.
    const nobody = newEmail();
    const unknown: Reply[] = [];
    for (let at = 0; at < 11; at++)
      unknown.push(await guess(nobody, "not the right password", 100 + at));
    expect(unknown[0]?.body).toEqual(wrong[0]?.body);
    expect(unknown[10]?.status).toBe(429);
    expect(unknown[10]?.body).toEqual(locked.body);
    const keys = await neon(world.databaseUrl)`select key from rate_limits`;
    expect(JSON.stringify(keys)).not.toContain(org.email);
    // The window ends, and who goes on guessing does not put that off.
    await neon(
      world.databaseUrl,
    )`update rate_limits set resets_at = now() + interval '1 minute' where key like 'sign-in %'`;
    const still = await guess(org.email, "not the right password", 79);
    expect(still.status).toBe(429);
    expect(Number(still.headers.get("retry-after"))).toBeLessThanOrEqual(60);
    await neon(
      world.databaseUrl,
    )`update rate_limits set resets_at = now() where key like 'sign-in %'`;
    expect((await guess(org.email, org.password, 79)).status).toBe(200);
  });

  test("forgets wrong passwords once the right one came", async () => {
    const org = await newOrg(world);
    const guess = (words: string, at: number) =>
      new Visitor(open).auth(
        "/sign-in/email",
        { email: org.email, password: words },
        { "cf-connecting-ip": `192.0.2.${at}` },
      );
    for (let at = 0; at < 9; at++) await guess("not the right password", at);
    expect((await guess(org.password, 10)).status).toBe(200);
    for (let at = 0; at < 9; at++)
      expect((await guess("not the right password", 20 + at)).status).toBe(401);
    expect((await guess(org.password, 30)).status).toBe(200);
  });

  test("lets one address try so often a minute and no more, over all isolates", async () => {
    const ip = { "cf-connecting-ip": `100.64.${Math.floor(Math.random() * 250)}.9` };
    const tries = await Promise.all(
      Array.from({ length: 20 }, () =>
        new Visitor(open).auth(
          "/sign-in/email",
          { email: newEmail(), password: "not the right password" },
          ip,
        ),
      ),
    );
    expect(tries.filter((reply) => reply.status === 401)).toHaveLength(15);
    const refused = tries.filter((reply) => reply.status === 429);
    expect(refused).toHaveLength(5);
    expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  test("writes no address and no password into its log, even when the database refuses", async () => {
    const email = newEmail();
    const made = await Promise.all(
      Array.from({ length: 4 }, () =>
        new Visitor(open).auth("/sign-up/email", { name: "Mara Canary", email, password }, from()),
      ),
    );
    expect(made.filter((reply) => reply.status === 200)).toHaveLength(1);
    await new Visitor(open).auth("/sign-in/email", { email, password: "x" }, { origin: "null" });
    expect(logs.join("\n")).toContain("/api/auth/*");
    for (const planted of [email, password, "Mara Canary", "clinic.example"])
      expect(logs.join("\n")).not.toContain(planted);
  });
});

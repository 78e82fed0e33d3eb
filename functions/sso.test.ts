import { randomBytes } from "node:crypto";

import { neon, neonConfig } from "@neondatabase/serverless";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import {
  type Claims,
  type Shape,
  shapes,
  startIdentityProvider,
  startNameServer,
} from "../scripts/identity-provider.ts";
import { codeAt, stepNow } from "../scripts/totp.ts";
import { signedIn, testPassword as password, Visitor } from "../scripts/visitor.ts";
import { newMember, newOrg, type Reply, type TestOrg } from "../scripts/world.ts";

const world = inject("world");
const sql = () => neon(world.databaseUrl);

type Row = Record<string, unknown> & { id: string };
const rowOf = (reply: Reply) => reply.body.data as Row;
const newDomain = () => `${randomBytes(6).toString("hex")}.example.org`;

let names: Awaited<ReturnType<typeof startNameServer>>;
const running: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  neonConfig.fetchEndpoint = world.endpoint;
  names = await startNameServer(world.simulatorUrl);
});
afterAll(async () => {
  await names?.close();
  await Promise.all(running.map((one) => one.close()));
});

async function newProvider(shape?: Shape) {
  const idp = await startIdentityProvider(world.simulatorUrl, shape);
  running.push(idp);
  idp.register("https://not-yet.example/");
  return idp;
}
type Idp = Awaited<ReturnType<typeof newProvider>>;

const add = (by: Visitor, idp: Idp, domain: string, more: object = {}) =>
  by.ask("POST", "/api/sso", {
    name: "Clinic directory",
    domain,
    issuer: idp.issuer,
    client_id: idp.client.id,
    client_secret: idp.client.secret,
    ...more,
  });

/** An organization whose people sign in at a provider of their own. */
async function withSso(shape?: Shape, org?: TestOrg) {
  const [owned, idp] = [org ?? (await newOrg(world)), await newProvider(shape)];
  const owner = await signedIn(world, owned.email);
  const domain = newDomain();
  const added = await add(owner, idp, domain);
  expect(added.status, JSON.stringify(added.body)).toBe(201);
  const row = rowOf(added);
  idp.register(String(row["redirect_uri"]));
  names.records.set(String(row["txt_name"]), ["v=spf1 -all", String(row["txt_value"])]);
  const verified = await owner.ask("POST", `/api/sso/${row.id}/verify`);
  expect(verified.body.success, JSON.stringify(verified.body)).toBe(true);
  return { org: owned, owner, idp, domain, row };
}

async function begin(visitor: Visitor, email: string, next = "/integrations/"): Promise<string> {
  const started = await visitor.auth("/sso/start", { email, next });
  expect(started.status, JSON.stringify(started.body)).toBe(200);
  return String((started.body as Record<string, unknown>)["url"]);
}
/** Through the provider and back; the address that the browser is sent to in the end. */
async function signIn(idp: Idp, visitor: Visitor, email: string, claims: Claims): Promise<string> {
  idp.signInAs(claims);
  const back = await idp.follow(await begin(visitor, email));
  return land(visitor, back);
}
async function land(visitor: Visitor, back: string): Promise<string> {
  const { pathname, search } = new URL(back);
  const reply = await visitor.ask("GET", pathname + search);
  expect(reply.status, JSON.stringify(reply.body)).toBe(302);
  return (reply.headers.get("location") ?? "").replace(world.publicUrl, "");
}
const person = (domain: string, more: Partial<Claims> = {}): Claims & { email: string } => ({
  sub: randomBytes(6).toString("hex"),
  email: `${randomBytes(4).toString("hex")}@${domain}`,
  email_verified: true,
  name: "Mara Jones",
  ...more,
});
async function whoIs(visitor: Visitor) {
  const reply = await visitor.auth("/get-session");
  return reply.body as unknown as {
    user: { id: string; email: string; name: string; twoFactorEnabled: boolean };
    session: { activeOrganizationId: string };
  } | null;
}

describe.each(Object.entries(shapes))("a provider like %s", (name, shape) => {
  test("lets people of the verified domain in, as members", async () => {
    const { org, idp, domain, row } = await withSso(shape);
    const { email, ...who } = person(domain);
    const claims: Claims =
      name === "entra"
        ? { sub: who.sub, name: "Mara Jones", preferred_username: email }
        : { ...who, email };
    const visitor = new Visitor(world);
    expect(await signIn(idp, visitor, email, claims)).toBe("/integrations/");
    const session = await whoIs(visitor);
    expect(session).toMatchObject({
      user: { email, name: "Mara Jones" },
      session: { activeOrganizationId: org.orgId },
    });
    expect((await visitor.ask("GET", "/api/integrations")).status).toBe(200);
    expect((await visitor.ask("GET", "/api/sso")).status).toBe(403);
    const again = new Visitor(world);
    expect(await signIn(idp, again, email, claims)).toBe("/integrations/");
    expect((await whoIs(again))?.user.id).toBe(session?.user.id);
    expect(await sql()`select role from members where user_id = ${session?.user.id}`).toEqual([
      { role: "member" },
    ]);
    const kept = await sql()`select * from accounts where user_id = ${session?.user.id}`;
    expect(kept).toMatchObject([
      { provider_id: `sso:${row.id}`, access_token: null, id_token: null, password: null },
    ]);
    const log = await org.call("GET", "/api/activity");
    const types = (log.body.data as { activity_type: string }[]).map((one) => one.activity_type);
    expect(types).toEqual(["member_joined", "sso_verified", "sso_added"]);
  });
});

describe("a provider", () => {
  test("is used by nobody before its domain is proved", async () => {
    const [org, idp] = [await newOrg(world), await newProvider()];
    const owner = await signedIn(world, org.email);
    const domain = newDomain();
    const row = rowOf(await add(owner, idp, domain));
    expect(row).toMatchObject({ domain, verified_at: null, txt_name: `_ehrconnect.${domain}` });
    const start = () => new Visitor(world).auth("/sso/start", { email: `mara@${domain}` });
    expect((await start()).status).toBe(404);
    const verify = () => owner.ask("POST", `/api/sso/${row.id}/verify`);
    expect((await verify()).body).toMatchObject({ success: false });
    names.records.set(`_ehrconnect.${domain}`, ["ehrconnect-domain-verification=another"]);
    expect((await verify()).body).toMatchObject({ success: false });
    expect((await start()).status).toBe(404);
    names.records.set(`_ehrconnect.${domain}`, [String(row["txt_value"])]);
    expect((await verify()).body).toMatchObject({ success: true });
    expect((await start()).status).toBe(200);
    expect((await owner.ask("DELETE", `/api/sso/${row.id}`)).status).toBe(200);
    expect((await start()).status).toBe(404);
  });

  test("keeps its secret sealed and to itself", async () => {
    const { owner, idp, row } = await withSso();
    const list = await owner.ask("GET", "/api/sso");
    expect(JSON.stringify(list.body)).not.toContain(idp.client.secret);
    const [stored] = await sql()`select * from identity_providers where id = ${row.id}`;
    expect(stored?.["client_secret"]).toMatchObject({ ct: expect.any(String) });
    expect(JSON.stringify(stored)).not.toContain(idp.client.secret);
  });

  test("must lie on a public host and describe itself", async () => {
    const owner = await signedIn(world, (await newOrg(world)).email);
    const idp = await newProvider();
    for (const issuer of [
      idp.issuer.replace("https:", "http:"),
      "https://127.0.0.1/",
      "https://[::1]/",
      "https://2130706433/",
      "https://169.254.169.254/latest",
      "https://metadata.google.internal/",
      "https://localhost/",
      "https://user:secret@idp.example.com/",
      "https://idp.example.com:8443/",
      `${idp.issuer}?x=1`,
      `${idp.issuer}/other`,
      idp.issuer.replace("/realms/clinic", ""),
      "https://nobody-there.example.com/",
    ]) {
      const reply = await add(owner, idp, newDomain(), { issuer });
      expect(reply.status, issuer).toBe(422);
      expect(reply.body["errors"], issuer).toMatchObject([{ path: "issuer" }]);
    }
    const odd = await newProvider();
    for (const [name, address] of [
      ["authorization_endpoint", "javascript:alert(1)"],
      ["authorization_endpoint", "http://idp.example.com/auth"],
      ["token_endpoint", "https://127.0.0.1/token"],
      ["jwks_uri", "https://metadata.google.internal/keys"],
    ] as const) {
      odd.describe({ [name]: address });
      const reply = await add(owner, odd, newDomain());
      expect([reply.status, reply.body["detail"]], address).toEqual([
        422,
        expect.stringContaining(name),
      ]);
    }
    const pasted = `${idp.issuer}/.well-known/openid-configuration`;
    expect(rowOf(await add(owner, idp, newDomain(), { issuer: pasted }))["issuer"]).toBe(
      idp.issuer,
    );
    for (const domain of ["clinic", "a b.example", "*.example.org", "https://x.org", "10.0.0.1"])
      expect((await add(owner, idp, domain)).status, domain).toBe(422);
  });

  test("belongs to one organization, and so does a domain that was proved", async () => {
    const { owner: theirs, domain, row } = await withSso();
    const org = await newOrg(world);
    const ours = await signedIn(world, org.email);
    expect((await ours.ask("GET", "/api/sso")).body["count"]).toBe(0);
    for (const [method, path] of [
      ["POST", `/api/sso/${row.id}/verify`],
      ["DELETE", `/api/sso/${row.id}`],
    ] as const)
      expect((await ours.ask(method, path)).status).toBe(404);
    // A claim without proof keeps nobody out, and proof cannot be given twice.
    const claim = rowOf(await add(ours, await newProvider(), domain));
    names.records.set(String(claim["txt_name"]), [String(claim["txt_value"])]);
    expect((await ours.ask("POST", `/api/sso/${claim.id}/verify`)).status).toBe(409);
    expect((await theirs.ask("GET", "/api/sso")).body["count"]).toBe(1);
    for (const role of ["member", "viewer"]) {
      const { email } = await newMember(world, org.orgId, role);
      const visitor = await signedIn(world, email);
      expect((await visitor.ask("GET", "/api/sso")).status, role).toBe(403);
      expect((await add(visitor, await newProvider(), newDomain())).status, role).toBe(403);
    }
  });
});

describe("an answer of the provider", () => {
  test("counts once, in the browser that asked, within ten minutes", async () => {
    const { idp, domain } = await withSso();
    const who = person(domain);
    idp.signInAs(who);
    const visitor = new Visitor(world);
    const back = await idp.follow(await begin(visitor, who.email));
    const elsewhere = new Visitor(world);
    expect(await land(elsewhere, back)).toBe("/sign-in/?error=sso_expired");
    const other = new Visitor(world);
    await begin(other, who.email);
    expect(await land(other, back)).toBe("/sign-in/?error=sso_expired");
    expect(idp.tokenRequests).toBe(0);
    const cookies = new Map(visitor.cookies);
    expect(await land(visitor, back)).toBe("/integrations/");
    for (const [name, value] of cookies) visitor.cookies.set(name, value);
    expect(await land(visitor, back)).toBe("/sign-in/?error=sso_expired");
    expect(idp.tokenRequests).toBe(1);

    const late = new Visitor(world);
    const slow = await idp.follow(await begin(late, who.email));
    await sql()`update verifications set expires_at = now() where identifier like 'sso:%'
      and value like ${`%${new URL(slow).searchParams.get("state")}%`}`;
    expect(await land(late, slow)).toBe("/sign-in/?error=sso_expired");
  });

  test("is refused when it comes from, or to the address of, another provider", async () => {
    const [one, two] = [await withSso(), await withSso()];
    const who = person(one.domain);
    one.idp.signInAs(who);
    const change = async (alter: (back: URL) => void) => {
      const visitor = new Visitor(world);
      const back = new URL(await one.idp.follow(await begin(visitor, who.email)));
      alter(back);
      return land(visitor, back.href);
    };
    expect(await change((back) => back.searchParams.set("iss", two.idp.issuer))).toBe(
      "/sign-in/?error=sso_refused",
    );
    expect(await change((back) => back.searchParams.delete("iss"))).toBe(
      "/sign-in/?error=sso_refused",
    );
    expect(
      await change((back) => {
        back.pathname = back.pathname.replace(one.row.id, two.row.id);
      }),
    ).toBe("/sign-in/?error=sso_expired");
    expect(await change((back) => back.searchParams.set("code", "made-up"))).toBe(
      "/sign-in/?error=sso_refused",
    );
    expect(
      await change((back) => {
        back.searchParams.delete("code");
        back.searchParams.set("error", "access_denied");
      }),
    ).toBe("/sign-in/?error=sso_refused");
  });

  test("is refused when its ID token was altered", async () => {
    const { idp, domain } = await withSso();
    const who = person(domain);
    const forge = (change: (payload: Record<string, unknown>) => object) => (token: string) => {
      const [head = "", payload = "", signature = ""] = token.split(".");
      const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as Record<
        string,
        unknown
      >;
      const altered = Buffer.from(JSON.stringify(change(claims))).toString("base64url");
      return [head, altered, signature].join(".");
    };
    for (const change of [
      forge((claims) => ({ ...claims, email: `ceo@${domain}` })),
      forge((claims) => ({ ...claims, nonce: "another" })),
      forge((claims) => ({ ...claims, aud: "another" })),
      forge((claims) => ({ ...claims, iss: "https://another.example.com" })),
      forge((claims) => ({ ...claims, exp: 1 })),
      (token: string) => `${token.slice(0, -6)}AAAAAA`,
      (token: string) =>
        `${Buffer.from('{"alg":"none"}').toString("base64url")}.${token.split(".")[1]}.`,
    ]) {
      idp.alter(change);
      const visitor = new Visitor(world);
      expect(await signIn(idp, visitor, who.email, who)).toBe("/sign-in/?error=sso_refused");
      expect(await whoIs(visitor)).toBeNull();
    }
    idp.alter(undefined);
    expect(await signIn(idp, new Visitor(world), who.email, who)).toBe("/integrations/");
  });

  test("opens no account outside the domain, nor of an address that the provider did not check", async () => {
    const { idp, domain } = await withSso();
    const stranger = await newOrg(world);
    const cases: [Partial<Claims>, string][] = [
      [{ email: stranger.email }, "sso_wrong_domain"],
      [{ email: `mara@sub.${domain}` }, "sso_wrong_domain"],
      [{ email: `mara@evil.example@${domain}.evil.example` }, "sso_wrong_domain"],
      [{ email_verified: false }, "sso_email_unverified"],
    ];
    for (const [more, error] of cases) {
      const visitor = new Visitor(world);
      const claims = person(domain, more);
      expect(await signIn(idp, visitor, `mara@${domain}`, claims), error).toBe(
        `/sign-in/?error=${error}`,
      );
      expect(await whoIs(visitor)).toBeNull();
    }
    const { sub } = person(domain);
    expect(await signIn(idp, new Visitor(world), `mara@${domain}`, { sub })).toBe(
      "/sign-in/?error=sso_no_email",
    );
  });

  test("leads back to this site only", async () => {
    const { idp, domain } = await withSso();
    const who = person(domain);
    idp.signInAs(who);
    for (const next of ["//evil.example", "https://evil.example", "/\\evil.example", "evil"]) {
      const visitor = new Visitor(world);
      expect(await land(visitor, await idp.follow(await begin(visitor, who.email, next)))).toBe(
        "/",
      );
    }
  });
});

const register = async (email: string) => {
  const visitor = new Visitor(world);
  const made = await visitor.auth("/sign-up/email", { name: "Mara", email, password });
  expect(made.status).toBe(200);
  const { user } = made.body as unknown as { user: { id: string } };
  return { visitor, userId: user.id };
};
async function addSecondStep(visitor: Visitor, words: string) {
  const begun = await visitor.auth("/two-factor/enable", { password: words });
  const uri = new URL(String((begun.body as Record<string, unknown>)["totpURI"]));
  const secret = uri.searchParams.get("secret") ?? "";
  return visitor.auth("/two-factor/verify-totp", { code: codeAt(secret, stepNow()) });
}
const join = (org: TestOrg, userId: string, role: string) =>
  sql()`insert into members (organization_id, user_id, role) values (${org.orgId}, ${userId}, ${role})`;
const tokenOf = (visitor: Visitor) =>
  [...visitor.cookies]
    .filter(([name]) => name.endsWith("session_token"))
    .map(([, value]) => decodeURIComponent(value).split(".")[0])[0];
const reads = async (visitor: Visitor, org: TestOrg) =>
  (await visitor.ask("GET", "/api/integrations", undefined, { "x-org-id": org.orgId })).status;
/** Of a person who belongs there with a password already, in a browser that came by single sign-on. */
async function memberBySso(role: string) {
  const at = await withSso();
  const who = person(at.domain);
  const { userId } = await register(who.email);
  await join(at.org, userId, role);
  const visitor = new Visitor(world);
  expect(await signIn(at.idp, visitor, who.email, who)).toBe("/integrations/");
  return { ...at, who, userId, visitor };
}

describe("an account that was there before", () => {
  test("of a member of this organization alone is taken over, with its role", async () => {
    const { org, idp, domain } = await withSso();
    const who = person(domain);
    const { userId } = await register(who.email);
    await join(org, userId, "admin");
    const visitor = new Visitor(world);
    expect(await signIn(idp, visitor, who.email, who)).toBe("/integrations/");
    expect((await whoIs(visitor))?.user.id).toBe(userId);
    expect((await visitor.ask("GET", "/api/keys")).status).toBe(200);
    await signedIn(world, who.email);
  });

  test("of another organization is not, unless its person is signed in to it", async () => {
    const { idp, domain, org } = await withSso();
    const elsewhere = await newOrg(world);
    const who = person(domain);
    const { visitor: themselves, userId } = await register(who.email);
    await join(elsewhere, userId, "admin");
    await join(org, userId, "member");
    const visitor = new Visitor(world);
    expect(await signIn(idp, visitor, who.email, who)).toBe("/sign-in/?error=sso_account_exists");
    expect(await whoIs(visitor)).toBeNull();
    expect(await signIn(idp, themselves, who.email, who)).toBe("/integrations/");
    // What the person agreed to is to come in here by it, not everywhere they belong.
    const later = new Visitor(world);
    expect(await signIn(idp, later, who.email, who)).toBe("/integrations/");
    for (const one of [themselves, later]) {
      expect(await reads(one, org)).toBe(200);
      expect(await reads(one, elsewhere)).toBe(403);
    }
    expect(await reads(await signedIn(world, who.email), elsewhere)).toBe(200);
  });

  test("in no organization loses its password and sessions: nobody proved that address", async () => {
    const { idp, domain } = await withSso();
    const who = person(domain);
    const { visitor: squatter, userId } = await register(who.email);
    expect((await addSecondStep(squatter, password)).status).toBe(200);
    const visitor = new Visitor(world);
    expect(await signIn(idp, visitor, who.email, who)).toBe("/integrations/");
    expect((await whoIs(visitor))?.user).toMatchObject({ id: userId, twoFactorEnabled: false });
    expect(await sql()`select 1 from two_factors where user_id = ${userId}`).toEqual([]);
    expect(await whoIs(squatter)).toBeNull();
    expect((await new Visitor(world).signIn(who.email, password)).status).toBe(401);
  });
});

describe("a session that came by single sign-on", () => {
  test("stays in its organization, whatever else its person belongs to", async () => {
    const { org, who, userId, visitor } = await memberBySso("admin");
    const elsewhere = await newOrg(world);
    await join(elsewhere, userId, "owner");
    const byPassword = await signedIn(world, who.email);
    expect(await reads(byPassword, elsewhere)).toBe(200);

    const refused = await visitor.ask("GET", "/api/keys", undefined, {
      "x-org-id": elsewhere.orgId,
    });
    expect(refused).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining("single sign-on of another organization") },
    });
    expect(await reads(visitor, org)).toBe(200);
    expect((await visitor.ask("GET", "/api/keys")).body["data"]).toHaveLength(1);

    const orgsOf = async (by: Visitor) =>
      ((await by.auth("/organization/list")).body as unknown as Row[]).map((one) => one.id);
    expect(await orgsOf(visitor)).toEqual([org.orgId]);
    expect((await orgsOf(byPassword)).toSorted()).toEqual([org.orgId, elsewhere.orgId].toSorted());

    const [{ slug, member } = {}] = await sql()`select o.slug, m.id as member
      from organizations o join members m on m.organization_id = o.id
      where o.id = ${elsewhere.orgId} and m.user_id = ${elsewhere.userId}`;
    const theirOwner = await signedIn(world, elsewhere.email);
    const invited = `${randomBytes(4).toString("hex")}@clinic.example`;
    const made = await theirOwner.auth("/organization/invite-member", {
      organizationId: elsewhere.orgId,
      email: invited,
      role: "member",
    });
    const invitationId = (made.body as unknown as Row).id;
    const organizationId = elsewhere.orgId;
    const there = `organizationId=${organizationId}`;
    for (const [path, body] of [
      ["/organization/set-active", { organizationId }],
      ["/organization/set-active", { organizationSlug: slug }],
      ["/organization/update", { organizationId, data: { name: "Taken" } }],
      [`/organization/list-members?${there}`],
      [`/organization/list-members?organizationSlug=${String(slug)}`],
      [`/organization/list-members?organizationId=${org.orgId}&${there}`],
      [`/organization/list-members?${there}&disableCookieCache=x&disableRefresh=x`],
      [`/organization/list-invitations?${there}`],
      [`/organization/get-active-member-role?${there}`],
      ["/organization/update-member-role", { organizationId, memberId: member, role: "viewer" }],
      ["/organization/remove-member", { organizationId, memberIdOrEmail: member }],
      ["/organization/invite-member", { organizationId, email: invited, role: "admin" }],
      ["/organization/create-password-reset", { organizationId, userId: elsewhere.userId }],
      ["/organization/leave", { organizationId }],
      ["/organization/create", { name: "Another", slug: randomBytes(6).toString("hex") }],
      [`/organization/get-invitation?id=${invitationId}`],
      ["/organization/accept-invitation", { invitationId }],
      ["/organization/reject-invitation", { invitationId }],
      ["/organization/cancel-invitation", { invitationId }],
      ["/list-accounts"],
      ["/list-sessions"],
      ["/revoke-session", { token: tokenOf(byPassword) }],
      ["/revoke-other-sessions", {}],
      ["/update-user", { name: "Another" }],
      ["/change-password", { currentPassword: password, newPassword: "an altogether new one" }],
      ["/two-factor/enable", { password }],
      ["/two-factor/disable", { password }],
      ["/two-factor/generate-backup-codes", { password }],
      ["/two-factor/verify-totp", { code: "123456" }],
      ["/two-factor/verify-backup-code", { code: "abcde-fghij" }],
    ] as [string, object?][]) {
      const reply = await visitor.auth(path, body);
      expect(reply, path).toMatchObject({
        status: 403,
        body: { code: "SSO_SESSION", message: expect.stringContaining("single sign-on") },
      });
    }
    expect(await reads(byPassword, elsewhere)).toBe(200);
    for (const [path, body] of [
      ["/organization/set-active", { organizationId: org.orgId }],
      [`/organization/list-members?organizationId=${org.orgId}`],
      ["/organization/list-invitations"],
      ["/organization/get-active-member-role"],
    ] as [string, object?][])
      expect((await visitor.auth(path, body)).status, path).toBe(200);

    await sql()`delete from members where user_id = ${userId} and organization_id = ${org.orgId}`;
    expect((await visitor.ask("GET", "/api/integrations")).status).toBe(403);
    expect(await orgsOf(visitor)).toEqual([]);
  });

  test("accepts no invitation elsewhere: a session by password does", async () => {
    const { who, visitor } = await memberBySso("member");
    const elsewhere = await newOrg(world);
    const theirOwner = await signedIn(world, elsewhere.email);
    const made = await theirOwner.auth("/organization/invite-member", {
      organizationId: elsewhere.orgId,
      email: who.email,
      role: "admin",
    });
    const accept = (by: Visitor) =>
      by.auth("/organization/accept-invitation", {
        invitationId: (made.body as unknown as Row).id,
      });
    expect((await accept(visitor)).status).toBe(403);
    const byPassword = await signedIn(world, who.email);
    expect((await accept(byPassword)).status).toBe(200);
    expect(await reads(byPassword, elsewhere)).toBe(200);
    expect(await reads(visitor, elsewhere)).toBe(403);
  });

  test("changes an account that is good here alone, and what replaces it reaches no further", async () => {
    const { userId, visitor, org } = await memberBySso("member");
    const newPassword = "an altogether new one";
    expect((await visitor.auth("/list-sessions")).status).toBe(200);
    const steps = [
      () => visitor.auth("/change-password", { currentPassword: password, newPassword }),
      () => addSecondStep(visitor, newPassword),
      () => visitor.auth("/two-factor/disable", { password: newPassword }),
    ];
    for (const step of steps) {
      const before = tokenOf(visitor);
      const reply = await step();
      expect(reply.status, JSON.stringify(reply.body)).toBe(200);
      expect(tokenOf(visitor)).not.toBe(before);
      expect(
        await sql()`select distinct sso_org_id as org from sessions where token = ${tokenOf(visitor)}`,
      ).toEqual([{ org: org.orgId }]);
    }
    const elsewhere = await newOrg(world);
    await join(elsewhere, userId, "admin");
    expect(await reads(visitor, elsewhere)).toBe(403);
    expect(await reads(visitor, org)).toBe(200);
  });

  test("is not made active elsewhere by the database either", async () => {
    const { visitor } = await memberBySso("member");
    const elsewhere = await newOrg(world);
    await expect(
      sql()`update sessions set active_organization_id = ${elsewhere.orgId} where token = ${tokenOf(visitor)}`,
    ).rejects.toMatchObject({ constraint: "sessions_active_in_sso_org" });
  });
});

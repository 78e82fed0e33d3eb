import { randomUUID } from "node:crypto";

import { neon, neonConfig } from "@neondatabase/serverless";
import { beforeAll, describe, expect, inject, test } from "vitest";

import { call, newMember, newOrg, type TestOrg } from "../scripts/world.ts";
import { forPeople, permissions, type Role, roles } from "./access.ts";

const world = inject("world");
neonConfig.fetchEndpoint = world.endpoint;
const sql = neon(world.databaseUrl);

type Schema = {
  $ref?: string;
  type?: string | string[];
  format?: string;
  pattern?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minItems?: number;
};
type Route = {
  name: string;
  method: string;
  path: string;
  permission: string | undefined;
  body: Schema | undefined;
};

const document = (await (await fetch(`${world.url}/api/openapi.json`)).json()) as {
  paths: Record<string, Record<string, Record<string, unknown>>>;
  components: { schemas: Record<string, Schema> };
};

/** The smallest value that a schema takes, so that what is refused is refused for who asks. */
function sample(schema: Schema): unknown {
  if (schema.$ref)
    return sample(document.components.schemas[schema.$ref.split("/").at(-1) ?? ""] ?? {});
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf?.[0]) return sample(schema.anyOf[0]);
  const type = [schema.type].flat()[0];
  if (type === "object")
    return Object.fromEntries(
      (schema.required ?? []).map((name) => [name, sample(schema.properties?.[name] ?? {})]),
    );
  if (type === "array") return schema.minItems ? [sample(schema.items ?? {})] : [];
  if (type === "boolean") return false;
  if (type === "integer" || type === "number") return 1;
  if (schema.format === "uuid") return randomUUID();
  if (schema.format === "uri") return "https://receiver.example/hook";
  if (schema.format === "email") return "somebody@clinic.example";
  return "twilio";
}

const routes: Route[] = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => {
    const body = operation["requestBody"] as
      | { content: Record<string, { schema: Schema }> }
      | undefined;
    return {
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      permission: operation["x-permission"] as string | undefined,
      body: Object.values(body?.content ?? {})[0]?.schema,
    };
  }),
);
const guarded = routes.filter((route) => route.permission);

type Records = Record<string, string>;

/** A record of every kind that a route names by id, keyed by the path before the id. */
async function addRecords(org: TestOrg): Promise<Records> {
  const added = await org.call("POST", "/api/integrations", {
    vendor_id: "twilio",
    environment: "production",
    credentials: {
      accountSid: `AC${"0".repeat(32)}`,
      authToken: "5ec7e7ab1ec0ffee4a11ba5e0ddba112",
    },
  });
  expect(added.status, JSON.stringify(added.body)).toBe(201);
  const integration = (added.body.data as { id: string }).id;
  const [event, destination, delivery] = [randomUUID(), randomUUID(), randomUUID()];
  await sql.transaction([
    sql`insert into events (id, org_id, integration_id, vendor_id, dedup_key, type, size_bytes, body_hash)
      values (${event}, ${org.orgId}, ${integration}, 'twilio', ${event}, 'message.sent', 2, 'hash')`,
    sql`insert into destinations (id, org_id, name, url)
      values (${destination}, ${org.orgId}, 'Theirs', 'https://receiver.example/')`,
    sql`insert into deliveries (id, org_id, event_id, destination_id, event_seq)
      select ${delivery}, ${org.orgId}, ${event}, ${destination}, seq from events where id = ${event}`,
  ]);
  const [key] = await sql`select id from api_keys where reference_id = ${org.orgId}`;
  return {
    "/api/integrations": integration,
    "/api/events": event,
    "/api/destinations": destination,
    "/api/deliveries": delivery,
    "/api/keys": key?.["id"] as string,
    "/api/signing-keys": randomUUID(),
    "/api/sso": randomUUID(),
  };
}

const fill = (path: string, records: Records): string =>
  path.replace(/^(.*?)\/\{id\}/, (_all, before: string) => {
    const id = records[before];
    if (!id) throw new Error(`No record is made for ${before}/{id}: add one to addRecords`);
    return `${before}/${id}`;
  });

const rolesOf: Readonly<Record<string, readonly Role[]>> = { ...permissions, ...forPeople };

test("who looks changes nothing, and members do what their work takes", () => {
  const may = (role: Role) => Object.keys(rolesOf).filter((name) => rolesOf[name]?.includes(role));
  const reads = Object.keys(permissions).filter((name) => name.endsWith(":read"));
  const work = ["integrations:test", "integrations:execute", "events:replay"];
  expect(may("viewer")).toEqual(reads);
  expect(may("member").toSorted()).toEqual([...reads, ...work].toSorted());
  for (const role of ["admin", "owner"] as const) expect(may(role)).toEqual(Object.keys(rolesOf));
});

let mine: TestOrg;
let theirs: TestOrg;
let own: Records;
let foreign: Records;
let revoked: TestOrg;
let expired: TestOrg;
const cookies = new Map<Role, string>();
beforeAll(async () => {
  [mine, theirs] = [await newOrg(world), await newOrg(world)];
  [own, foreign] = [await addRecords(mine), await addRecords(theirs)];
  [revoked, expired] = [await newOrg(world), await newOrg(world)];
  await sql`update api_keys set enabled = false where reference_id = ${revoked.orgId}`;
  await sql`update api_keys set expires_at = now() - interval '1 second' where reference_id = ${expired.orgId}`;
  for (const role of roles) cookies.set(role, (await newMember(world, mine.orgId, role)).cookie);
});

const ask = (route: Route, records: Records, headers: Record<string, string>) =>
  call(
    `${world.url}${fill(route.path, records)}`,
    route.method,
    route.body ? sample(route.body) : undefined,
    headers,
  );

test("every route states a permission or is public on purpose", () => {
  expect(guarded.length).toBeGreaterThan(20);
  const open = routes.filter((route) => !route.permission).map((route) => route.name);
  for (const name of open)
    expect(name).toMatch(/^GET \/(api\/integrations\/(vendors|capabilities)|\.well-known)/);
});

describe.each(guarded)("$name", (route) => {
  test("is closed to nobody, a wrong or revoked key, and an ended session", async () => {
    for (const headers of [
      {},
      { authorization: "Bearer ehr_wrong-wrong-wrong" },
      { authorization: `Bearer ${revoked.apiKey}` },
      { authorization: `Bearer ${expired.apiKey}` },
      { cookie: "better-auth.session_token=forged.AAAA" },
    ] as Record<string, string>[])
      expect((await ask(route, own, headers)).status, JSON.stringify(headers)).toBe(401);
  });

  test("is closed to another org's key that names this org", async () => {
    const headers = { authorization: `Bearer ${theirs.apiKey}`, "x-org-id": mine.orgId };
    expect((await ask(route, own, headers)).status).toBe(403);
  });

  if (route.path.includes("{id}"))
    test("does not know another org's record", async () => {
      const headers = { cookie: cookies.get("owner") ?? "", origin: world.publicUrl };
      const reply = await ask(route, foreign, headers);
      // A list under a foreign record is empty; anything else is not found.
      if (reply.status === 200) expect(reply.body["count"]).toBe(0);
      else expect(reply.status, JSON.stringify(reply.body)).toBe(404);
    });

  test("is open to exactly the roles of its permission", async () => {
    const records = Object.fromEntries(Object.keys(own).map((key) => [key, randomUUID()]));
    for (const [role, cookie] of cookies) {
      const { status } = await ask(route, records, { cookie, origin: world.publicUrl });
      if (rolesOf[route.permission ?? ""]?.includes(role))
        expect([401, 403], role).not.toContain(status);
      else expect(status, role).toBe(403);
    }
  });
});

test("a key with scopes may do what they say and nothing else", async () => {
  const org = await newOrg(world);
  await sql`update api_keys set permissions = '{"integrations":["read"]}' where reference_id = ${org.orgId}`;
  expect((await org.call("GET", "/api/integrations")).status).toBe(200);
  expect((await org.call("POST", "/api/integrations", { vendor_id: "twilio" })).status).toBe(403);
  expect((await org.call("GET", "/api/activity")).status).toBe(403);
});

test("no key opens a route without its scope, and none what only people may", async () => {
  const scopes = Object.keys(permissions);
  const keys = new Map<string, string>();
  for (const missing of ["", ...scopes]) {
    const org = await newOrg(world);
    const granted: Record<string, string[]> = {};
    for (const scope of scopes.filter((one) => one !== missing)) {
      const [resource = "", action = ""] = scope.split(":");
      (granted[resource] ??= []).push(action);
    }
    await sql`update api_keys set permissions = ${JSON.stringify(granted)}
      where reference_id = ${org.orgId}`;
    keys.set(missing, org.apiKey);
  }
  const nobody = Object.fromEntries(Object.keys(own).map((path) => [path, randomUUID()]));
  for (const route of guarded) {
    const { permission = "" } = route;
    const status = async (without: string) =>
      (await ask(route, nobody, { authorization: `Bearer ${keys.get(without)}` })).status;
    expect(await status(permission in forPeople ? "" : permission), route.name).toBe(403);
    if (!(permission in forPeople)) expect([401, 403], route.name).not.toContain(await status(""));
  }
});

test("every kind of answer has the security headers", async () => {
  const { apiKey } = mine;
  const page = await (await fetch(`${world.url}/`)).text();
  for (const [method, path] of [
    ["GET", "/api/integrations"],
    ["PATCH", "/api/integrations"],
    ["POST", "/api/integrations"],
    ["OPTIONS", "/api/integrations"],
    ["GET", "/api/integrations/vendors"],
    ["GET", "/api/activity/export?format=csv"],
    ["GET", "/api/openapi.json"],
    ["GET", "/api/docs"],
    ["GET", "/api/nothing"],
    ["GET", "/api/auth/get-session"],
    ["GET", "/api/auth/nothing"],
    ["GET", "/oauth/callback"],
    ["POST", "/webhooks/stripe/nothing"],
    ["GET", "/.well-known/jwks.json"],
    ["GET", "/.well-known/security.txt"],
    ["GET", "/healthz"],
    ["GET", "/"],
    ["GET", "/integrations"],
    ["GET", "/nothing/here"],
    ["GET", /\/_astro\/[^"']+\.js/.exec(page)?.[0] ?? "no script"],
  ] as const) {
    const { headers } = await fetch(world.url + path, {
      method,
      redirect: "manual",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      ...(method === "POST" ? { body: "{" } : {}),
    });
    const name = `${method} ${path}`;
    expect(headers.get("content-security-policy"), name).toMatch(/^default-src 'none'/);
    expect(headers.get("content-security-policy"), name).not.toContain("unsafe");
    expect(headers.get("strict-transport-security"), name).toContain("max-age=63072000");
    expect(headers.get("x-content-type-options"), name).toBe("nosniff");
    expect(headers.get("x-frame-options"), name).toBe("DENY");
    expect(headers.get("referrer-policy"), name).toBe("no-referrer");
  }
});

test("a session that was ended is closed at once", async () => {
  const org = await newOrg(world);
  const { cookie, userId } = await newMember(world, org.orgId, "owner");
  const list = () => call(`${world.url}/api/integrations`, "GET", undefined, { cookie });
  expect((await list()).status).toBe(200);
  await sql`update sessions set expires_at = now() - interval '1 second' where user_id = ${userId}`;
  expect((await list()).status).toBe(401);
});

test("a ciphertext that was moved to another row does not open", async () => {
  await sql`update integrations set credentials = (select credentials from integrations where id = ${own["/api/integrations"]})
    where id = ${foreign["/api/integrations"]}`;
  const path = `/api/integrations/${foreign["/api/integrations"]}`;
  const reply = await theirs.call("POST", `${path}/test`);
  expect(reply.status).toBe(500);
  expect(reply.body["code"]).toBe("internal");
});

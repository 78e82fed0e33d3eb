import { neon, neonConfig } from "@neondatabase/serverless";
import { beforeAll, describe, expect, inject, test } from "vitest";

import { activityOf, signedIn, signedInMember, type Visitor } from "../scripts/visitor.ts";
import { newOrg, type Reply } from "../scripts/world.ts";
import { permissions } from "./access.ts";

const world = inject("world");

beforeAll(() => {
  neonConfig.fetchEndpoint = world.endpoint;
});

const rowOf = (reply: Reply) => reply.body.data as Record<string, unknown> & { id: string };
const makeKey = (visitor: Visitor, more: object = {}) =>
  visitor.ask("POST", "/api/keys", {
    name: "Nightly export",
    scopes: ["integrations:read"],
    expires_in_days: 30,
    ...more,
  });

describe("API keys", () => {
  test("are made with scopes and an expiry, shown once, listed and revoked", async () => {
    const org = await newOrg(world);
    const owner = await signedIn(world, org.email);
    const made = await makeKey(owner);
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    const { id, key } = rowOf(made) as { id: string; key: string };
    expect(key).toMatch(/^ehr_[\w-]{43}$/);
    expect(rowOf(made)).toMatchObject({
      name: "Nightly export",
      start: key.slice(0, 10),
      scopes: ["integrations:read"],
      created_by: org.userId,
      last_used_at: null,
    });
    const days = (Date.parse(String(rowOf(made)["expires_at"])) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29.9);
    expect(days).toBeLessThanOrEqual(30);

    const bearer = { authorization: `Bearer ${key}` };
    expect((await org.call("GET", "/api/integrations", undefined, bearer)).status).toBe(200);
    expect((await org.call("GET", "/api/activity", undefined, bearer)).status).toBe(403);
    expect(
      (
        await org.call("GET", "/api/integrations", undefined, {
          "x-api-key": key,
          authorization: "",
        })
      ).status,
    ).toBe(200);

    const list = await owner.ask("GET", "/api/keys");
    const row = (list.body.data as { id: string }[]).find((one) => one.id === id);
    expect(row).toMatchObject({ last_used_at: expect.any(String) });
    expect(JSON.stringify(list.body)).not.toContain(key);
    expect(list.body["scopes"]).toEqual(Object.keys(permissions));
    const [stored] = await neon(world.databaseUrl)`select * from api_keys where id = ${id}`;
    expect(JSON.stringify(stored)).not.toContain(key);

    expect((await owner.ask("DELETE", `/api/keys/${id}`)).status).toBe(200);
    expect((await org.call("GET", "/api/integrations", undefined, bearer)).status).toBe(401);
    expect((await owner.ask("DELETE", `/api/keys/${id}`)).status).toBe(404);
    for (const type of ["key_created", "key_revoked"]) {
      const [logged] = await activityOf(org, type);
      expect(logged, type).toMatchObject({
        details: { key_id: id, name: "Nightly export" },
        actor: `user:${org.userId}`,
      });
      expect(JSON.stringify(logged)).not.toContain(key.slice(10));
    }
  });

  test("may have every scope that a route asks of a key, and no other", async () => {
    const org = await newOrg(world);
    const owner = await signedIn(world, org.email);
    const scopes = Object.keys(permissions);
    const made = await makeKey(owner, { scopes });
    expect(rowOf(made)["scopes"]).toEqual(scopes);
    for (const refused of [["keys:write"], ["sso:write"], ["integrations:*"], [], ["x"]])
      expect((await makeKey(owner, { scopes: refused })).status, String(refused)).toBe(422);
    for (const scope of scopes) {
      const only = await makeKey(owner, { scopes: [scope] });
      const bearer = { authorization: `Bearer ${String(rowOf(only)["key"])}` };
      const reads = await org.call("GET", "/api/integrations", undefined, bearer);
      expect(reads.status, scope).toBe(scope === "integrations:read" ? 200 : 403);
    }
  });

  test("expire when they say, and within 366 days", async () => {
    const org = await newOrg(world);
    const owner = await signedIn(world, org.email);
    for (const days of [0, -1, 367, 1.5])
      expect((await makeKey(owner, { expires_in_days: days })).status, String(days)).toBe(422);
    const made = await makeKey(owner, { expires_in_days: 366 });
    const bearer = { authorization: `Bearer ${String(rowOf(made)["key"])}` };
    expect((await org.call("GET", "/api/integrations", undefined, bearer)).status).toBe(200);
    await neon(world.databaseUrl)`
      update api_keys set expires_at = now() - interval '1 second' where id = ${rowOf(made).id}`;
    expect((await org.call("GET", "/api/integrations", undefined, bearer)).status).toBe(401);
  });

  test("are managed by owners and admins only, and never by a key", async () => {
    const org = await newOrg(world);
    const { visitor: admin } = await signedInMember(world, org, "admin");
    const made = await makeKey(admin);
    expect(made.status).toBe(201);
    for (const role of ["member", "viewer"]) {
      const { visitor } = await signedInMember(world, org, role);
      expect((await visitor.ask("GET", "/api/keys")).status, role).toBe(403);
      expect((await makeKey(visitor)).status, role).toBe(403);
      expect((await visitor.ask("DELETE", `/api/keys/${rowOf(made).id}`)).status, role).toBe(403);
    }
    expect((await org.call("GET", "/api/keys")).status).toBe(403);
    expect(
      (await org.call("POST", "/api/keys", { name: "x", scopes: ["integrations:read"] })).status,
    ).toBe(403);
    expect((await org.call("GET", "/api/sso")).status).toBe(403);
    const wrong = { authorization: "Bearer ehr_nobody_knows_this_key" };
    expect((await org.call("GET", "/api/keys", undefined, wrong)).status).toBe(401);
  });

  test("of another organization cannot be seen or revoked", async () => {
    const [ours, theirs] = [await newOrg(world), await newOrg(world)];
    const made = await makeKey(await signedIn(world, theirs.email));
    const us = await signedIn(world, ours.email);
    const list = await us.ask("GET", "/api/keys");
    expect((list.body.data as { id: string }[]).map((row) => row.id)).not.toContain(rowOf(made).id);
    expect((await us.ask("DELETE", `/api/keys/${rowOf(made).id}`)).status).toBe(404);
    const there = { "x-org-id": theirs.orgId };
    expect((await us.ask("GET", "/api/keys", undefined, there)).status).toBe(403);
    expect((await us.ask("DELETE", `/api/keys/${rowOf(made).id}`, undefined, there)).status).toBe(
      403,
    );
    const bearer = { authorization: `Bearer ${String(rowOf(made)["key"])}` };
    expect((await theirs.call("GET", "/api/integrations", undefined, bearer)).status).toBe(200);
  });

  test("cannot be made without end", async () => {
    const org = await newOrg(world);
    const owner = await signedIn(world, org.email);
    const made = await Promise.all(Array.from({ length: 24 }, () => makeKey(owner)));
    const refused = made.filter((reply) => reply.status === 429);
    // One was there with the organization.
    expect(made.filter((reply) => reply.status === 201)).toHaveLength(19);
    expect(refused).toHaveLength(5);
    expect(await activityOf(org, "key_created")).toHaveLength(19);
  });
});

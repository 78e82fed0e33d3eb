import { randomUUID } from "node:crypto";

import { neon, neonConfig } from "@neondatabase/serverless";
import { createLocalJWKSet, type JWK } from "jose";
import { describe, expect, inject, test } from "vitest";

import { openClient } from "../db/client.ts";
import { OrgDb } from "../db/org.ts";
import { expectUnused } from "../db/signing-keys.ts";
import { call, newMember, newOrg, type TestOrg } from "../scripts/world.ts";

const world = inject("world");
neonConfig.fetchEndpoint = world.endpoint;
const sql = neon(world.databaseUrl);

type Key = {
  id: string;
  kid: string;
  algorithm: string;
  public_jwk: JWK;
  retired_at: string | null;
  jwks_url: string;
};
const make = async (org: TestOrg, algorithm: "RS384" | "ES384" = "ES384") => {
  const reply = await org.call("POST", "/api/signing-keys", { algorithm });
  expect(reply.status, JSON.stringify(reply.body)).toBe(201);
  return reply.body.data as Key;
};
const keySet = async (orgId: string) => {
  const reply = await call(`${world.url}/.well-known/jwks/${orgId}.json`, "GET");
  expect(reply.status).toBe(200);
  return reply.body as unknown as { keys: JWK[] };
};

/** The app's registration at the simulated vendor, which fetches the JWK Set that it is told. */
const register = (host: string, clientId: string, jwksUrl: string) =>
  call(`${world.simulatorUrl}/${host}/simulated-portal/apps`, "POST", {
    clientId,
    jwksUrl,
    scopes: ["system/Patient.rs", "system/Group.rs"],
  });
const cerner = (kid: string, clientId: string) => ({
  vendor_id: "cerner",
  environment: "sandbox",
  credentials: {
    tenantId: "ec2458f2-1e24-41c8-b71b-0e701af7583d",
    clientId,
    signingKeyId: kid,
    scopes: "system/Patient.read",
  },
});
const oracle = "fhir-ehr-code.cerner.com";

test("a signing key signs for no new address unless its caller may add integrations", async () => {
  const org = await newOrg(world);
  const { kid } = await make(org);
  const { cookie } = await newMember(world, org.orgId, "member");
  const draft = {
    vendor_id: "epic",
    environment: "production",
    api_endpoint: "https://collector.example/fhir",
    credentials: {
      clientId: "7a9b2c4d-0000-4000-8000-000000000000",
      signingKeyId: kid,
      tokenUrl: "https://fhir.epic.com/interconnect-fhir-oauth/oauth2/token",
    },
  };
  const headers = { cookie, origin: world.publicUrl };
  const asked = await call(`${world.url}/api/integrations/test`, "POST", draft, headers);
  expect(asked.status, JSON.stringify(asked.body)).toBe(403);
  expect((await org.call("POST", "/api/integrations/test", draft)).status).toBe(200);
});

describe("a signing key", () => {
  test.each(["RS384", "ES384"] as const)(
    "of %s is made, listed and published, and its private half is nowhere to be seen",
    async (algorithm) => {
      const org = await newOrg(world);
      const key = await make(org, algorithm);
      expect(key).toMatchObject({ algorithm, retired_at: null });
      expect(key.jwks_url).toBe(`${world.publicUrl}/.well-known/jwks/${org.orgId}.json`);
      const list = await org.call("GET", "/api/signing-keys");
      expect(list.body).toMatchObject({
        count: 1,
        jwks_url: key.jwks_url,
        data: [{ kid: key.kid }],
      });
      const byPath = await keySet(org.orgId);
      const byQuery = await call(`${world.url}/.well-known/jwks.json?org=${org.orgId}`, "GET");
      expect(byQuery.headers.get("cache-control")).toBe("public, max-age=300");
      expect(byQuery.body).toEqual(byPath);
      expect(byPath.keys).toMatchObject([{ kid: key.kid, alg: algorithm, use: "sig" }]);
      createLocalJWKSet(byPath);
      const [row] = await sql`select private_key from signing_keys where id = ${key.id}`;
      expect(Object.keys(row?.["private_key"] as object)).toContain("ct");
      const shown = JSON.stringify([key, list.body, byPath, row]);
      expect(shown).not.toContain("PRIVATE");
      for (const secret of ["d", "p", "q", "dp", "dq", "qi"])
        expect(key.public_jwk).not.toHaveProperty(secret);
    },
  );

  test("is in the set of its own organization only", async () => {
    const [mine, theirs] = [await newOrg(world), await newOrg(world)];
    await make(mine);
    expect((await keySet(theirs.orgId)).keys).toEqual([]);
    expect((await keySet(randomUUID())).keys).toEqual([]);
    expect((await theirs.call("GET", "/api/signing-keys")).body["count"]).toBe(0);
  });

  test.each(["/.well-known/jwks.json", "/.well-known/jwks.json?org=x", "/.well-known/jwks/x.json"])(
    "is not looked for at %s",
    async (path) => {
      expect((await call(world.url + path, "GET")).status).toBe(422);
    },
  );

  const scopes = "system/Patient.read";
  test.each([
    ["cerner", "RS384", oracle, { tenantId: "ec2458f2-1e24-41c8-b71b-0e701af7583d" }],
    ["cerner", "ES384", oracle, { tenantId: "ec2458f2-1e24-41c8-b71b-0e701af7583d" }],
    ["veradigm", "ES384", "fhir.fhirpoint.open.allscripts.com", {}],
    ["eclinicalworks", "RS384", "fhir4.eclinicalworks.com", { practiceCode: "FEIGCD" }],
    ["athenahealth", "RS384", "api.preview.platform.athenahealth.com", { practiceId: "195900" }],
  ] as const)(
    "signs assertions for %s by %s, which the vendor verifies by the published set",
    async (vendorId, algorithm, host, more) => {
      const org = await newOrg(world);
      const key = await make(org, algorithm);
      const clientId = randomUUID();
      expect((await register(host, clientId, key.jwks_url)).status).toBe(201);
      const created = await org.call("POST", "/api/integrations", {
        vendor_id: vendorId,
        environment: "sandbox",
        enabled: true,
        credentials: { ...more, clientId, signingKeyId: key.kid, scopes },
      });
      expect(created.status, JSON.stringify(created.body)).toBe(201);
      const row = created.body.data as { id: string; credentials: object; test: object };
      expect(row.test).toMatchObject({ success: true });
      expect(row.credentials).toMatchObject({ signingKeyId: key.kid });
      expect(row.credentials).not.toHaveProperty("privateKey");
      const found = await org.call("POST", `/api/integrations/${row.id}/execute`, {
        operation: "searchPatients",
        params: { family: "Lopez" },
      });
      expect(found.body).toMatchObject({ data: { result: { patients: [{ family: "Lopez" }] } } });
      const shown = await org.call("GET", `/api/integrations/${row.id}`);
      expect(JSON.stringify(shown.body)).not.toContain("PRIVATE");
    },
  );

  test("of another organization signs nothing", async () => {
    const [mine, theirs] = [await newOrg(world), await newOrg(world)];
    const key = await make(theirs);
    const clientId = randomUUID();
    await register(oracle, clientId, key.jwks_url);
    const tested = await mine.call("POST", "/api/integrations/test", cerner(key.kid, clientId));
    expect(tested.body).toMatchObject({
      success: false,
      data: { cause: "credentials_rejected" },
    });
  });

  test("is not retired while an integration signs with it", async () => {
    const org = await newOrg(world);
    const key = await make(org);
    const created = await org.call("POST", "/api/integrations", cerner(key.kid, randomUUID()));
    const unused = await make(org);
    const { id } = created.body.data as { id: string };
    const list = await org.call("GET", "/api/signing-keys");
    expect(list.body.data).toMatchObject([
      { id: unused.id, used_by: [] },
      { id: key.id, used_by: [{ id, vendor_id: "oracle-health", environment: "sandbox" }] },
    ]);
    const refused = await org.call("DELETE", `/api/signing-keys/${key.id}`);
    expect(refused.status).toBe(409);
    expect(refused.body["error"]).toContain("oracle-health (sandbox)");
    // Where one begins to between that look and the deed, the transaction itself refuses.
    const client = openClient(world.databaseUrl, world.endpoint);
    const db = new OrgDb(client, { orgId: org.orgId, actor: "clock" });
    await expect(db.run(expectUnused(db, key.kid))).rejects.toMatchObject({ code: "EH412" });
    await org.call("DELETE", `/api/integrations/${id}`);
    expect((await org.call("DELETE", `/api/signing-keys/${key.id}`)).status).toBe(200);
  });

  test("that was retired signs nothing, is erased, and leaves the set after a day", async () => {
    const org = await newOrg(world);
    const key = await make(org);
    const clientId = randomUUID();
    await register(oracle, clientId, key.jwks_url);
    const retired = await org.call("DELETE", `/api/signing-keys/${key.id}`);
    expect(retired.body).toMatchObject({ data: { retired_at: expect.any(String) } });
    const again = await org.call("DELETE", `/api/signing-keys/${key.id}`);
    expect(again.body.data).toEqual(retired.body.data);
    expect((await keySet(org.orgId)).keys).toMatchObject([{ kid: key.kid }]);
    const [row] = await sql`select private_key from signing_keys where id = ${key.id}`;
    expect(row?.["private_key"]).toBeNull();
    const tested = await org.call("POST", "/api/integrations/test", cerner(key.kid, clientId));
    expect(tested.body).toMatchObject({ success: false, data: { cause: "credentials_expired" } });
    await sql`update signing_keys set retired_at = now() - interval '25 hours' where id = ${key.id}`;
    expect((await keySet(org.orgId)).keys).toEqual([]);
    const log = await org.call("GET", "/api/activity");
    const types = (log.body.data as { activity_type: string }[]).map((each) => each.activity_type);
    expect(types).toEqual(["signing_key_retired", "signing_key_created"]);
  });

  test("is one of twenty at most", async () => {
    const org = await newOrg(world);
    await sql`insert into signing_keys (org_id, kid, algorithm, public_jwk)
      select ${org.orgId}, 'kid-' || n, 'ES384', '{}' from generate_series(1, 20) n`;
    const refused = await org.call("POST", "/api/signing-keys", { algorithm: "ES384" });
    expect(refused.status).toBe(409);
  });
});

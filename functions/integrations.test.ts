import { neon, neonConfig } from "@neondatabase/serverless";
import { inject } from "vitest";
import { describe, expect, test } from "vitest";

import { call, newMember, newOrg, type TestOrg } from "../scripts/world.ts";

const world = inject("world");
const twilio = {
  vendor_id: "twilio",
  environment: "production",
  credentials: { accountSid: `AC${"0".repeat(32)}`, authToken: "5ec7e7ab1ec0ffee4a11ba5e0ddbcdef" },
};
type Row = Record<string, unknown> & { id: string; credentials: Record<string, string> };

const rowOf = (reply: { body: { data?: unknown } }) => reply.body.data as Row;
const add = async (org: TestOrg, more: object = {}) => {
  const reply = await org.call("POST", "/api/integrations", { ...twilio, ...more });
  expect(reply.status, JSON.stringify(reply.body)).toBe(201);
  return rowOf(reply);
};

describe("integrations", () => {
  test("are created, listed, read, changed and deleted in one envelope", async () => {
    const org = await newOrg(world);
    const row = await add(org);
    expect(row).toMatchObject({
      org_id: org.orgId,
      vendor_id: "twilio",
      enabled: false,
      environment: "production",
      health_status: "inactive",
      credentials: { authToken: "••••cdef" },
    });
    const list = await org.call("GET", `/api/integrations?org_id=${org.orgId}`, undefined, {
      "x-org-id": org.orgId,
    });
    expect(list.body).toMatchObject({ success: true, count: 1, data: [{ id: row.id }] });
    expect(list.body["summary"]).toEqual({
      total: 1,
      enabled: 0,
      active: 0,
      errors: 0,
      inactive: 1,
    });
    const read = await org.call("GET", `/api/integrations/${row.id}`);
    expect(read.headers.get("etag")).toBe('"1"');
    const mapping = { id: "m1", workflow: "Reminders", enabled: true };
    const changed = await org.call("PUT", `/api/integrations/${row.id}`, {
      usage_mappings: [mapping],
    });
    expect(rowOf(changed)).toMatchObject({ usage_mappings: [mapping], version: 2 });
    expect((await org.call("DELETE", `/api/integrations/${row.id}`)).status).toBe(200);
    expect((await org.call("GET", `/api/integrations/${row.id}`)).status).toBe(404);
  });

  test("keep a secret that is sent back as its mask, and replace one that is new", async () => {
    const org = await newOrg(world);
    const row = await add(org);
    const kept = await org.call("PUT", `/api/integrations/${row.id}`, {
      credentials: row.credentials,
    });
    expect(rowOf(kept).credentials["authToken"]).toBe("••••cdef");
    const added = await org.call("PUT", `/api/integrations/${row.id}`, {
      credentials: { authToken: `${row.credentials["authToken"]}9999` },
    });
    expect([added.status, added.body]).toMatchObject([
      422,
      { errors: [{ path: "credentials.authToken", message: expect.stringMatching(/whole/) }] },
    ]);
    const authToken = "ffffffffffffffffffffffffffff9999";
    const replaced = await org.call("PUT", `/api/integrations/${row.id}`, {
      credentials: { authToken },
    });
    expect(rowOf(replaced).credentials["authToken"]).toBe("••••9999");
    expect(rowOf(replaced).credentials["accountSid"]).toBe(twilio.credentials.accountSid);
  });

  test("send a stored secret nowhere but to where it was entered for", async () => {
    const org = await newOrg(world);
    const api_endpoint = "https://api.clinic.example/v1";
    const asks = { vendor_id: "rest-api", environment: "production", api_endpoint };
    const bearerToken = "a-token-that-nobody-reads";
    const row = await add(org, { ...asks, credentials: { authKind: "bearer", bearerToken } });
    const { cookie } = await newMember(world, org.orgId, "member");
    const test = (more: object) =>
      call(
        `${world.url}/api/integrations/test`,
        "POST",
        { ...asks, integration_id: row.id, ...more },
        { cookie, origin: world.publicUrl },
      );
    const again = { errors: [{ path: "credentials.bearerToken" }] };
    const elsewhere = { api_endpoint: "https://collector.example/v1" };
    for (const credentials of [{}, row.credentials]) {
      const reply = await test({ ...elsewhere, credentials });
      expect([reply.status, reply.body]).toMatchObject([422, again]);
    }
    const change = (more: object) => org.call("PUT", `/api/integrations/${row.id}`, more);
    const moved = await change(elsewhere);
    expect([moved.status, moved.body]).toMatchObject([422, again]);
    expect((await test({})).status).toBe(200);
    expect((await test({ api_endpoint: "https://api.clinic.example/v2" })).status).toBe(200);
    expect((await test({ ...elsewhere, credentials: { bearerToken: "my-own" } })).status).toBe(200);
    expect((await change({ ...elsewhere, credentials: { bearerToken } })).status).toBe(200);
  });

  test("send a client secret to no other token URL", async () => {
    const org = await newOrg(world);
    const asks = {
      vendor_id: "rest-api",
      environment: "production",
      api_endpoint: "https://api.clinic.example/v1",
    };
    const tokenUrl = "https://auth.clinic.example/token";
    const client = { authKind: "oauth2", clientId: "ehr", clientSecret: "a-secret-of-a-client" };
    const row = await add(org, { ...asks, credentials: { ...client, tokenUrl } });
    const test = (url: string) =>
      org.call("POST", "/api/integrations/test", {
        ...asks,
        integration_id: row.id,
        credentials: { tokenUrl: url },
      });
    const reply = await test("https://collector.example/token");
    expect([reply.status, reply.body]).toMatchObject([
      422,
      { errors: [{ path: "credentials.clientSecret" }] },
    ]);
    expect((await test("https://auth.clinic.example/v2/token")).status).toBe(200);
  });

  test("send the client secret of a sign-in to no other server that discovery would name", async () => {
    const org = await newOrg(world);
    const row = await add(org, {
      vendor_id: "epic",
      api_endpoint: "https://epic.clinic.example/api/FHIR/R4",
      credentials: {
        signIn: "user",
        clientId: "00000000-0000-4000-8000-000000000000",
        clientSecret: "a-secret-of-a-client",
        tokenUrl: "https://epic.clinic.example/oauth2/token",
      },
    });
    const moved = await org.call("PUT", `/api/integrations/${row.id}`, {
      api_endpoint: "https://collector.example/api/FHIR/R4",
    });
    expect([moved.status, moved.body]).toMatchObject([
      422,
      { errors: [{ path: "credentials.clientSecret" }] },
    ]);
  });

  test("of another org are not found, and an org one does not belong to is forbidden", async () => {
    const [mine, theirs] = [await newOrg(world), await newOrg(world)];
    const row = await add(theirs);
    for (const [method, path, body] of [
      ["GET", `/api/integrations/${row.id}`],
      ["PUT", `/api/integrations/${row.id}`, { enabled: true }],
      ["DELETE", `/api/integrations/${row.id}`],
      ["POST", `/api/integrations/${row.id}/toggle`, { enabled: true }],
      ["POST", `/api/integrations/${row.id}/test`],
      ["POST", `/api/integrations/${row.id}/execute`, { operation: "sendSMS" }],
    ] as const)
      expect((await mine.call(method, path, body)).status, `${method} ${path}`).toBe(404);
    const foreign = await mine.call("GET", "/api/integrations", undefined, {
      "x-org-id": theirs.orgId,
    });
    expect(foreign.status).toBe(403);
    const inBody = await mine.call("POST", "/api/integrations", {
      ...twilio,
      org_id: theirs.orgId,
    });
    expect(inBody.status).toBe(403);
    expect((await theirs.call("GET", "/api/integrations")).body["count"]).toBe(1);
  });

  test("are listed with one whose vendor this version does not know", async () => {
    const org = await newOrg(world);
    const row = await add(org);
    neonConfig.fetchEndpoint = world.endpoint;
    await neon(world.databaseUrl)`
      update integrations set vendor_id = 'of-a-newer-version' where id = ${row.id}`;
    await add(org);
    const list = await org.call("GET", "/api/integrations");
    expect(list.status).toBe(200);
    expect((list.body.data as Row[]).map((each) => each["vendor_id"]).toSorted()).toEqual([
      "of-a-newer-version",
      "twilio",
    ]);
    expect((await org.call("GET", "/api/integrations/health/status")).status).toBe(200);
    expect((await org.call("DELETE", `/api/integrations/${row.id}`)).status).toBe(200);
  });

  test("may exist once for a vendor and environment", async () => {
    const org = await newOrg(world);
    await add(org);
    const twin = await org.call("POST", "/api/integrations", twilio);
    expect(twin.status).toBe(409);
    expect(twin.body).toMatchObject({
      code: "conflict",
      detail: expect.stringMatching(/^This vendor has an integration in this environment already/),
    });
    const [a, b] = await Promise.all([
      org.call("POST", "/api/integrations", { ...twilio, environment: "sandbox" }),
      org.call("POST", "/api/integrations", { ...twilio, environment: "sandbox" }),
    ]);
    expect(new Set([a.status, b.status])).toEqual(new Set([201, 409]));
  });

  test("refuse a change that was made on an older version", async () => {
    const org = await newOrg(world);
    const row = await add(org);
    const change = (ifMatch: string) =>
      org.call(
        "PUT",
        `/api/integrations/${row.id}`,
        { usage_mappings: [] },
        { "if-match": ifMatch },
      );
    expect((await change('"1"')).status).toBe(200);
    expect((await change('"1"')).status).toBe(412);
    for (const none of ["nonsense", '"9999999999"']) expect((await change(none)).status).toBe(412);
    expect((await change('"2"')).status).toBe(200);
  });
});

describe("bad input", () => {
  const problem = async (
    org: TestOrg,
    request: [method: string, path: string, body?: unknown, headers?: Record<string, string>],
    status: number,
    path?: string,
  ) => {
    const reply = await org.call(...request);
    expect(reply.status, JSON.stringify(reply.body)).toBe(status);
    expect(reply.headers.get("content-type")).toBe("application/problem+json");
    expect(reply.body).toMatchObject({ success: false, status, error: expect.any(String) });
    if (path)
      expect((reply.body["errors"] as { path: string }[]).map((error) => error.path)).toContain(
        path,
      );
  };

  test("gets a problem document that names the field, and writes nothing", async () => {
    const org = await newOrg(world);
    const post = (body: unknown, headers?: Record<string, string>) =>
      ["POST", "/api/integrations", body, headers] as [
        string,
        string,
        unknown,
        Record<string, string>?,
      ];
    const json = { "content-type": "application/json" };
    await problem(org, post({ ...twilio, vendor_id: "nope" }), 422, "vendor_id");
    await problem(org, post({ ...twilio, colour: "red" }), 422, "colour");
    await problem(org, post({ ...twilio, environment: "moon" }), 422, "environment");
    await problem(
      org,
      post({ ...twilio, credentials: { ...twilio.credentials, accountSid: "nope" } }),
      422,
      "credentials.accountSid",
    );
    await problem(org, post({ ...twilio, credentials: {} }), 422, "credentials.accountSid");
    await problem(
      org,
      post({ ...twilio, credentials: { ...twilio.credentials, nope: "x" } }),
      422,
      "credentials.nope",
    );
    await problem(
      org,
      post({ ...twilio, api_endpoint: "https://169.254.169.254/" }),
      422,
      "api_endpoint",
    );
    await problem(
      org,
      post({ ...twilio, api_endpoint: "http://api.twilio.com/" }),
      422,
      "api_endpoint",
    );
    await problem(org, post("{not json", json), 422, "body");
    await problem(org, post("[]", json), 422);
    await problem(org, post("a=b", { "content-type": "application/x-www-form-urlencoded" }), 415);
    await problem(org, post(`{"vendor_id":"${"x".repeat(10 * 1024 * 1024)}"}`, json), 413);
    await problem(org, ["GET", "/api/integrations/not-a-uuid"], 422, "id");
    await problem(org, ["GET", "/api/integrations?limit=0"], 422, "limit");
    await problem(org, ["GET", "/api/integrations?cursor=zzz"], 422, "cursor");
    await problem(org, ["GET", "/api/nothing"], 404);
    await problem(org, ["GET", "/api/integrations/vendors/nope"], 404);
    await problem(
      org,
      ["GET", "/api/integrations", undefined, { "x-org-id": "nope" }],
      422,
      "x-org-id",
    );
    const list = await org.call("GET", "/api/integrations");
    expect(list.body["count"]).toBe(0);
    expect((await org.call("GET", "/api/activity")).body["count"]).toBe(0);
  });

  test("is not even spoken about without a session or key", async () => {
    for (const headers of [
      {},
      { authorization: "Bearer wrong-wrong-wrong" },
      { cookie: "better-auth.session_token=a.b" },
    ]) {
      const reply = await call(`${world.url}/api/integrations`, "POST", "{bad", {
        "content-type": "application/json",
        ...(headers as Record<string, string>),
      });
      expect(reply.status).toBe(401);
      expect(reply.headers.get("www-authenticate")).toBe("Bearer");
    }
  });
});

describe("roles", () => {
  test("let viewers look, members test and call, admins change", async () => {
    const org = await newOrg(world);
    const row = await add(org);
    const may = async (role: string, method: string, path: string, body?: unknown) => {
      const { cookie } = await newMember(world, org.orgId, role);
      const reply = await call(`${world.url}${path}`, method, body, {
        cookie,
        origin: world.publicUrl,
      });
      return reply.status !== 403;
    };
    const path = `/api/integrations/${row.id}`;
    expect(await may("viewer", "GET", path)).toBe(true);
    expect(await may("viewer", "POST", `${path}/test`)).toBe(false);
    expect(await may("viewer", "DELETE", path)).toBe(false);
    expect(await may("member", "POST", `${path}/test`)).toBe(true);
    expect(await may("member", "PUT", path, { enabled: false })).toBe(false);
    expect(await may("admin", "PUT", path, { enabled: false })).toBe(true);
  });

  test("tell the token of a webhook address to those alone who may set it up", async () => {
    const org = await newOrg(world);
    const demo = await org.call("GET", "/api/integrations/vendors/exotel/demo-credentials");
    const row = await add(org, { vendor_id: "exotel", credentials: demo.body.data });
    const told: boolean[] = [];
    for (const role of ["owner", "admin", "member", "viewer"]) {
      const { cookie } = await newMember(world, org.orgId, role);
      const replies = await Promise.all(
        [`/${row.id}`, ""].map((path) =>
          call(`${world.url}/api/integrations${path}`, "GET", undefined, { cookie }),
        ),
      );
      told.push(replies.some(({ body }) => /token=[\w-]{10}/.test(JSON.stringify(body))));
    }
    expect(told).toEqual([true, true, false, false]);
  });

  test("do not count when a page of another site makes the browser ask", async () => {
    const org = await newOrg(world);
    const { cookie } = await newMember(world, org.orgId, "owner");
    const ask = (headers: Record<string, string>) =>
      call(`${world.url}/api/integrations`, "POST", twilio, { cookie, ...headers });
    expect((await ask({ origin: "https://evil.example" })).status).toBe(403);
    expect((await ask({ "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await ask({ origin: world.publicUrl })).status).toBe(201);
  });
});

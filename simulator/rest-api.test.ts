import { createHmac } from "node:crypto";

import { Webhook } from "standardwebhooks";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { restApiCredentials } from "./rest-api.ts";
import { startSimulator } from "./server.ts";

const simulator = await startSimulator({ vendors: ["rest-api"] });
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const base = "https://api.clinic.example/v1";
const { basic, bearer, header, oauth2, query } = restApiCredentials;
const authorization = { authorization: `Bearer ${bearer.bearerToken}` };
const call = (method: string, path: string, body?: object, headers: Record<string, string> = {}) =>
  simulator.fetch(base + path, {
    method,
    headers: { ...authorization, "content-type": "application/json", ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
const basicHeader = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

describe("authentication", () => {
  const me = (headers: Record<string, string>, search = "") =>
    simulator.fetch(`${base}/me${search}`, { headers });

  test("takes Basic, bearer, header and query keys, and nothing else", async () => {
    const user = basicHeader(basic.username, basic.password);
    expect(await (await me({ authorization: user })).json()).toEqual({ caller: "ehrconnect" });
    expect((await me(authorization)).status).toBe(200);
    expect((await me({ [header.headerName]: header.headerValue })).status).toBe(200);
    expect((await me({}, `?${query.queryName}=${query.queryValue}`)).status).toBe(200);
    expect((await me({})).status).toBe(401);
    expect((await me({ authorization: "Bearer wrong" })).status).toBe(401);
    expect((await me({ authorization: basicHeader(basic.username, "wrong") })).status).toBe(401);
  });

  test.each([
    ["Basic", { authorization: basicHeader(oauth2.clientId, oauth2.clientSecret) }, {}],
    ["the form", {}, { client_id: oauth2.clientId, client_secret: oauth2.clientSecret }],
  ])("issues a token to the client that %s names", async (_, headers, fields) => {
    const form = { grant_type: "client_credentials", scope: oauth2.scope, ...fields };
    const ask = (body: Record<string, string>, given: Record<string, string> = headers) =>
      simulator.fetch(oauth2.tokenUrl, {
        method: "POST",
        headers: given,
        body: new URLSearchParams(body),
      });
    const issued = (await (await ask(form)).json()) as { access_token: string };
    expect((await me({ authorization: `Bearer ${issued.access_token}` })).status).toBe(200);
    expect((await ask({ ...form, scope: "admin" })).status).toBe(400);
    expect((await ask({ ...form, client_secret: "wrong" }, {})).status).toBe(401);
    simulator.fault({ vendor: "rest-api", kind: "expired_credentials", times: 1 });
    for (let i = 0; i < 2; i += 1)
      expect((await me({ authorization: `Bearer ${issued.access_token}` })).status).toBe(401);
  });

  test("issues a token for a JSON body", async () => {
    const { clientId: client_id, clientSecret: client_secret } = oauth2;
    const reply = await simulator.fetch(oauth2.tokenUrl, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ grant_type: "client_credentials", client_id, client_secret }),
    });
    expect(await reply.json()).toMatchObject({ token_type: "Bearer", scope: "read" });
  });
});

describe("items", () => {
  test("are created, read, replaced, changed and deleted", async () => {
    const made = await call("POST", "/items", { name: "Gauze", stock: 3 });
    expect([made.status, made.headers.get("location")]).toEqual([201, "/items/43"]);
    const partial = await call("GET", "/items/43?fields=stock");
    expect(await partial.json()).toEqual({ id: "43", stock: 3 });
    expect(await (await call("PATCH", "/items/43", { stock: 2 })).json()).toMatchObject({
      name: "Gauze",
      stock: 2,
    });
    expect(await (await call("PUT", "/items/43", { name: "Tape" })).json()).toEqual({
      id: "43",
      name: "Tape",
    });
    expect((await call("DELETE", "/items/43")).status).toBe(204);
    expect((await call("GET", "/items/43")).status).toBe(404);
  });

  test("are not overwritten by one who read an earlier version", async () => {
    const match = { "if-match": '"7"' };
    const first = await call("PUT", "/items/42", { name: "Saline", stock: 1 }, match);
    expect([first.status, first.headers.get("etag")]).toEqual([200, '"8"']);
    expect((await call("PUT", "/items/42", { stock: 0 }, match)).status).toBe(412);
  });

  test("are not made of anything but JSON objects", async () => {
    expect((await call("POST", "/items", [])).status).toBe(400);
    expect((await call("POST", "/items", {}, { "content-type": "text/plain" })).status).toBe(415);
  });
});

describe("webhooks", () => {
  const { webhook, credentials } = simulator.simulation("rest-api");
  const url = "https://edge.example/webhooks/rest-api/1";

  test("are signed as Standard Webhooks verifies", async () => {
    const request = await webhook?.({ url, credentials });
    const body = (await request?.text()) ?? "";
    const headers = Object.fromEntries(request?.headers ?? []);
    const verifier = new Webhook(String(credentials["webhookSecret"]));
    expect(verifier.verify(body, headers)).toMatchObject({ type: "item.changed" });
    expect(() => verifier.verify(`${body} `, headers)).toThrow();
  });

  test("are signed with a plain HMAC where that is configured", async () => {
    const secret = "a secret of the clinic";
    const hmac = {
      webhookScheme: "hmac",
      webhookHeader: "X-Clinic-Signature",
      webhookPrefix: "sha256=",
      webhookSecret: secret,
    };
    const request = await webhook?.({ url, credentials: { ...credentials, ...hmac } });
    const body = (await request?.text()) ?? "";
    const expected = createHmac("sha256", secret).update(body).digest("hex");
    expect(request?.headers.get("x-clinic-signature")).toBe(`sha256=${expected}`);
  });
});

import { describe, expect, test } from "vitest";
import * as z from "zod";

import { type Auth, connectApi, runOperation } from "../../handlers/api.ts";
import { type AnyVendor, defineVendor, operation } from "../../handlers/define.ts";
import { text } from "../../handlers/fields.ts";
import type { Simulation } from "../define.ts";
import { demoKey } from "../smart/keys.ts";
import { deriveSimulation } from "./vendor.ts";

const Record = z.object({ id: z.string(), name: z.string() });
const vendorWith = (auth: Auth): AnyVendor =>
  defineVendor({
    name: "Vendor",
    category: "custom",
    description: "Made up",
    website: "https://vendor.example",
    documentation: "https://vendor.example",
    keywords: ["made-up"],
    access: { kind: "self-serve" },
    environments: { sandbox: { baseUrl: "https://api.vendor.example/v1" } },
    hosts: ["auth.vendor.example"],
    steps: [
      {
        id: "one",
        title: "One",
        fields: { site: text({ label: "Site", help: "Yours", example: "a" }) },
      },
    ],
    auth: () => auth,
    async test(api) {
      const { name } = await api.get(
        "/me",
        z.object({ name: z.string(), active: z.literal(true) }),
      );
      return { account: name, checked: ["read"] };
    },
    operations: {
      read: operation({
        title: "Read",
        effect: "read",
        params: z.object({ id: z.string() }),
        result: Record,
        example: {
          params: { id: "r-1" },
          wire: [{ request: "GET /records/r-1", reply: { id: "r-1", name: "One" } }],
          result: { id: "r-1", name: "One" },
        },
        run: (api, { id }) => api.get("/records/{id}", Record, { path: { id } }),
      }),
      add: operation({
        title: "Add",
        effect: "write",
        params: z.object({ name: z.string() }),
        result: Record,
        example: {
          params: { name: "Two" },
          wire: [{ request: "POST /call", status: 201, reply: { id: "r-2", name: "Two" } }],
          result: { id: "r-2", name: "Two" },
        },
        run: (api, { name }) => api.post("/call", Record, { json: { method: "add", name } }),
      }),
      find: operation({
        title: "Find",
        effect: "read",
        params: z.object({ name: z.string() }),
        result: Record,
        example: {
          params: { name: "Three" },
          wire: [{ request: "POST /call", reply: { id: "r-3", name: "Three" } }],
          result: { id: "r-3", name: "Three" },
        },
        run: (api, { name }) => api.post("/call", Record, { json: { method: "find", name } }),
      }),
    },
  });

const optionsOf = (simulation: Simulation, vendor: AnyVendor) => ({
  vendorId: "vendor",
  vendor,
  values: simulation.credentials,
  environment: "sandbox" as const,
  wire: async (request: Request) => simulation.app.fetch(request),
  sleep: async () => undefined,
});

const tokenUrl = "https://auth.vendor.example/token";
const client = { tokenUrl, clientId: "client", scope: "all" };
const jwt = (head: object, claims: object) =>
  [head, claims, { signature: true }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
const key = demoKey("ES384", "derived-test");

const good: [kind: string, right: Auth, wrong: Auth][] = [
  [
    "basic",
    { kind: "basic", user: "u", password: "p" },
    { kind: "basic", user: "u", password: "x" },
  ],
  ["bearer", { kind: "bearer", token: "right" }, { kind: "bearer", token: "wrong" }],
  [
    "header",
    { kind: "header", headers: { "X-Key": "right" } },
    { kind: "header", headers: { "X-Key": "wrong" } },
  ],
  [
    "query",
    { kind: "query", name: "key", value: "right" },
    { kind: "query", name: "key", value: "wrong" },
  ],
  ...(["basic", "body", "json"] as const).map((style): [string, Auth, Auth] => [
    `client credentials by ${style}`,
    { ...client, kind: "client_credentials", clientSecret: "right", style },
    { ...client, kind: "client_credentials", clientSecret: "wrong", style },
  ]),
  [
    "private_key_jwt with discovery",
    {
      kind: "private_key_jwt",
      clientId: "c",
      privateKey: key.privateKey,
      algorithm: "ES384",
      scope: "system/*.rs",
    },
    {
      kind: "private_key_jwt",
      clientId: "c",
      privateKey: demoKey("ES384", "other").privateKey,
      algorithm: "ES384",
      scope: "system/*.rs",
    },
  ],
  [
    "a signed JWT",
    {
      kind: "signed_jwt",
      token: async (now) => jwt({ alg: "HS256" }, { iss: "right", iat: now, exp: now + 60 }),
    },
    {
      kind: "signed_jwt",
      token: async (now) => jwt({ alg: "HS256" }, { iss: "wrong", iat: now, exp: now + 60 }),
    },
  ],
  [
    "AWS signatures",
    {
      kind: "aws_sigv4",
      accessKeyId: "AKID",
      secretAccessKey: "right",
      region: "us-east-1",
      service: "healthlake",
    },
    {
      kind: "aws_sigv4",
      accessKeyId: "AKID",
      secretAccessKey: "wrong",
      region: "us-east-1",
      service: "healthlake",
    },
  ],
  [
    "a session",
    {
      kind: "session",
      async login(api) {
        const { token } = await api.post("/login", z.object({ token: z.string() }), { json: {} });
        return { headers: { "x-session": token }, expiresInSeconds: 60 };
      },
    },
    {
      kind: "session",
      login: async () => ({ headers: { "x-session": "wrong" }, expiresInSeconds: 60 }),
    },
  ],
];

describe.each(good)("a vendor with %s", (_, auth, wrong) => {
  const vendor = vendorWith(auth);

  test("passes its test and its examples", async () => {
    const simulation = deriveSimulation("vendor", vendor);
    const options = optionsOf(simulation, vendor);
    await expect(
      vendor.test(connectApi(options), simulation.credentials, "sandbox"),
    ).resolves.toEqual({
      account: "simulated",
      checked: ["read"],
    });
    for (const [operation, { example }] of Object.entries(vendor.operations))
      await expect(
        runOperation({ ...options, operation, params: example.params }),
      ).resolves.toEqual(example.result);
    const other = { ...options, operation: "read", params: { id: "r-77" } };
    await expect(runOperation(other)).resolves.toMatchObject({ name: "One" });
  });

  test("is refused with other credentials", async () => {
    const simulation = deriveSimulation("vendor", vendor);
    const options = optionsOf(simulation, vendorWith(wrong));
    await expect(
      runOperation({ ...options, operation: "read", params: { id: "r-1" } }),
    ).rejects.toMatchObject({ failure: "credentials_rejected" });
  });
});

describe("a vendor with an authorization code", () => {
  const auth = {
    kind: "authorization_code",
    authorizeUrl: "https://auth.vendor.example/authorize",
    tokenUrl,
    clientId: "client",
    clientSecret: "secret",
    style: "basic",
    scopes: ["all"],
    pkce: true,
  } as const;

  test("redirects with a code, takes it once, and rotates refresh tokens", async () => {
    const simulation = deriveSimulation("vendor", vendorWith(auth));
    expect(simulation.hosts).toContain("auth.vendor.example");
    const ask = async (url: string, form: Record<string, string>) => {
      const basic = Buffer.from("client:secret").toString("base64");
      const reply = await simulation.app.fetch(
        new Request(url, {
          method: "POST",
          headers: { authorization: `Basic ${basic}` },
          body: new URLSearchParams(form),
        }),
      );
      return {
        status: reply.status,
        body: (await reply.json()) as { access_token: string; refresh_token: string },
      };
    };
    const redirect_uri = "https://edge.example/oauth/callback";
    const query = new URLSearchParams({
      response_type: "code",
      client_id: "client",
      redirect_uri,
      state: "s",
      code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
      code_challenge_method: "S256",
    });
    const agreed = await simulation.app.fetch(new Request(`${auth.authorizeUrl}?${query}`));
    const back = new URL(agreed.headers.get("location") ?? "");
    expect(back.searchParams.get("state")).toBe("s");
    const code = back.searchParams.get("code") ?? "";
    // The verifier and challenge of RFC 7636, appendix B.
    const code_verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const exchange = { grant_type: "authorization_code", code, redirect_uri, code_verifier };
    const first = await ask(tokenUrl, exchange);
    expect(first.status).toBe(200);
    expect((await ask(tokenUrl, exchange)).status).toBe(400);
    const refresh = { grant_type: "refresh_token", refresh_token: first.body.refresh_token };
    const second = await ask(tokenUrl, refresh);
    expect((await ask(tokenUrl, refresh)).status).toBe(400);
    const read = await simulation.app.fetch(
      new Request("https://api.vendor.example/v1/records/r-1", {
        headers: { authorization: `Bearer ${second.body.access_token}` },
      }),
    );
    expect(await read.json()).toEqual({ id: "r-1", name: "One" });
  });
});

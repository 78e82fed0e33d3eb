import { exportPKCS8, generateKeyPair } from "jose";
import { describe, expect, test } from "vitest";

import { VendorFailure } from "../problem.ts";
import {
  type BackendServices,
  clientAssertion,
  type ClientCredentials,
  discoverSmart,
  fetchBackendServices,
  fetchClientCredentials,
  memoryTokens,
  type Token,
} from "./oauth.ts";
import type { Wire } from "./outbound.ts";
import { failureOf } from "./testing.ts";

const replying =
  (reply: unknown, status = 200): Wire =>
  async () =>
    typeof reply === "string" ? new Response(reply, { status }) : Response.json(reply, { status });

const secret = "s3cret/with+odd=chars&more";
const clientOf = (style: "basic" | "body" | "json"): ClientCredentials => ({
  kind: "client_credentials",
  tokenUrl: "https://idp.example/token",
  clientId: style,
  clientSecret: secret,
  scope: "system/Patient.read",
  style,
});
const fhir = "https://fhir.example/r4";

describe("the client assertion", () => {
  test("is for the token URL, lives less than five minutes, and is never the same twice", async () => {
    const { privateKey } = await generateKeyPair("ES384", { extractable: true });
    const auth: BackendServices = {
      kind: "private_key_jwt",
      clientId: "epic-client",
      privateKey: await exportPKCS8(privateKey),
      keyId: "key-1",
      algorithm: "ES384",
      scope: "system/*.rs",
    };
    const now = Date.parse("2026-11-23T10:00:00.500Z");
    const parts = async () => {
      const jwt = await clientAssertion(auth, "https://idp.example/token", now);
      return jwt
        .split(".")
        .slice(0, 2)
        .map((part): unknown => JSON.parse(Buffer.from(part, "base64url").toString()));
    };
    const [header, claims] = await parts();
    expect(header).toEqual({ alg: "ES384", typ: "JWT", kid: "key-1" });
    expect(claims).toEqual({
      iss: "epic-client",
      sub: "epic-client",
      aud: "https://idp.example/token",
      iat: Math.floor(now / 1_000),
      exp: Math.floor(now / 1_000) + 240,
      jti: expect.stringMatching(/^[\da-f-]{36}$/),
    });
    expect((await parts())[1]).not.toEqual(claims);
  });

  test.each([
    ["nothing", ""],
    ["a PKCS#1 key", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"],
    ["a broken PEM", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"],
    ["broken JSON", '{"kty":'],
    ["a public key", '{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}'],
    ["a symmetric key", '{"kty":"oct","k":"c2VjcmV0LWNhbmFyeQ"}'],
  ])(
    "says how a key must look when it is %s, and does not repeat it",
    async (_what, privateKey) => {
      const auth: BackendServices = {
        kind: "private_key_jwt",
        clientId: "c",
        privateKey,
        algorithm: "RS384",
        scope: "s",
      };
      const failure = await failureOf(clientAssertion(auth, "https://idp.example/token", 0));
      expect(failure.failure).toBe("credentials_rejected");
      expect(failure.message).toContain("PKCS#8");
      expect(failure.cause).toBeUndefined();
    },
  );
});

describe("SMART discovery", () => {
  test("asks the FHIR base, and sends the assertion to the token endpoint it names", async () => {
    const { privateKey } = await generateKeyPair("RS384", { extractable: true });
    const asked: string[] = [];
    const wire: Wire = async (request) => {
      asked.push(`${request.method} ${request.url}`);
      return request.method === "GET"
        ? Response.json({ token_endpoint: "https://login.fhir.example/token", capabilities: [] })
        : Response.json({
            access_token: "t",
            token_type: "Bearer",
            expires_in: 300,
            patient: "p1",
          });
    };
    const auth: BackendServices = {
      kind: "private_key_jwt",
      clientId: "c",
      privateKey: await exportPKCS8(privateKey),
      algorithm: "RS384",
      scope: "system/*.rs",
    };
    const token = await fetchBackendServices(auth, `${fhir}/`, { wire, now: () => 1_000 });
    expect(token).toEqual({
      accessToken: "t",
      expiresAt: 301_000,
      refreshToken: undefined,
      scope: "system/*.rs",
      extra: { patient: "p1" },
    });
    expect(asked).toEqual([
      "GET https://fhir.example/r4/.well-known/smart-configuration",
      "POST https://login.fhir.example/token",
    ]);
  });

  test.each([
    ["http", { token_endpoint: "http://login.example/token" }],
    ["a private address", { token_endpoint: "https://169.254.169.254/token" }],
    ["no token endpoint", { authorization_endpoint: "https://login.example/authorize" }],
    [
      "a private authorize URL",
      { token_endpoint: "https://a.example/t", authorization_endpoint: "https://localhost/" },
    ],
    ["a page", "<html></html>"],
    ["a list", []],
  ])("refuses a configuration with %s", async (_what, configuration) => {
    const found = discoverSmart(fhir, { wire: replying(configuration) });
    expect(await failureOf(found)).toMatchObject({ failure: "unexpected_reply" });
  });
});

describe("what token endpoints answer", () => {
  const ask = (reply: unknown, status?: number, style: "basic" | "json" = "basic") =>
    fetchClientCredentials(clientOf(style), fhir, { wire: replying(reply, status), now: () => 0 });

  test.each([
    ["no token_type", { access_token: "t" }, undefined],
    ["a token_type of its own", { access_token: "t", token_type: "bot" }, undefined],
    ["expires_in as text", { access_token: "t", expires_in: "60" }, 60_000],
    ["an ID token", { access_token: "t", id_token: "not a jwt", expires_in: 60 }, 60_000],
  ])("is understood with %s", async (_what, reply, expiresAt) => {
    for (const style of ["basic", "json"] as const)
      expect(await ask(reply, 200, style)).toMatchObject({ accessToken: "t", expiresAt });
  });

  test.each([
    ["a page", "<html>", 200],
    ["nothing", "", 200],
    ["a list", [], 200],
    ["no token", { token_type: "bearer" }, 200],
    ["an empty token", { access_token: "" }, 200],
    ["a token that no header can hold", { access_token: "a\r\nb" }, 200],
    ["a token that is a number", { access_token: 5 }, 200],
    ["a 404 page", "<html>", 404],
    ["a 400 page", "<html>", 400],
  ])("is an unexpected reply with %s", async (_what, reply, status) => {
    for (const style of ["basic", "json"] as const)
      expect(await failureOf(ask(reply, status, style))).toMatchObject({
        failure: "unexpected_reply",
      });
  });

  test.each([
    ["invalid_client", 400, "credentials_rejected"],
    ["unauthorized_client", 400, "credentials_rejected"],
    ["invalid_grant", 400, "credentials_expired"],
    ["invalid_scope", 400, "forbidden"],
    ["temporarily_unavailable", 400, "vendor_unavailable"],
    ["invalid_client", 503, "vendor_unavailable"],
    ["slow_down", 429, "rate_limited"],
    ["something_else", 401, "credentials_rejected"],
    ["something_else", 403, "forbidden"],
  ])("names %s with %i for what it is: %s", async (error, status, failure) => {
    const failed = await failureOf(ask({ error, error_description: "canary PHI" }, status));
    expect(failed).toMatchObject({ failure, vendorCode: error, mayHaveHappened: false });
    expect(failed.message).not.toContain("canary");
  });

  test("is read by the vendor where it is not RFC 6749", async () => {
    const slack = fetchClientCredentials(clientOf("json"), fhir, {
      wire: replying({ ok: false, error: "bad_client_secret" }),
      failure: ({ body }) =>
        body instanceof Object && "ok" in body && body.ok === false
          ? { cause: "credentials_rejected", code: "bad_client_secret" }
          : undefined,
    });
    expect(await failureOf(slack)).toMatchObject({
      failure: "credentials_rejected",
      vendorCode: "bad_client_secret",
    });
  });

  test("is named by the vendor where a standard code means something else there", async () => {
    const forScopes = (code: string) =>
      fetchClientCredentials(clientOf("basic"), fhir, {
        wire: replying({ error: "invalid_grant" }, 400),
        failure: () => ({ cause: "forbidden", code, message: "A scope is not allowed" }),
      });
    expect(await failureOf(forScopes("invalid_grant"))).toMatchObject({
      failure: "forbidden",
      message: "A scope is not allowed (invalid_grant)",
    });
    expect(await failureOf(forScopes("another"))).toMatchObject({ failure: "credentials_expired" });
  });

  test.each(["http://idp.example/token", "https://10.0.0.1/token", "https://localhost/token", "x"])(
    "sends no secret to %s",
    async (tokenUrl) => {
      const wire: Wire = () => Promise.reject(new Error("was called"));
      const asked = fetchClientCredentials({ ...clientOf("basic"), tokenUrl }, fhir, { wire });
      expect(await failureOf(asked)).toMatchObject({ failure: "invalid_request" });
    },
  );

  test("sends a JSON grant where the vendor wants one", async () => {
    let sent: unknown;
    const wire: Wire = async (request) => {
      sent = await request.json();
      return Response.json({ access_token: "t" });
    };
    const auth = { ...clientOf("json"), extra: { audience: "https://api.example" } };
    await fetchClientCredentials(auth, fhir, { wire });
    expect(sent).toEqual({
      grant_type: "client_credentials",
      client_id: "json",
      client_secret: secret,
      scope: "system/Patient.read",
      audience: "https://api.example",
    });
  });

  test("keeps plain client ids and secrets as they are in Basic, and encodes the rest", async () => {
    const header = async (clientId: string, clientSecret: string) => {
      let sent = "";
      const wire: Wire = async (request) => {
        sent = atob(request.headers.get("authorization")?.replace("Basic ", "") ?? "");
        return Response.json({ access_token: "t" });
      };
      await fetchClientCredentials({ ...clientOf("basic"), clientId, clientSecret }, fhir, {
        wire,
      });
      return sent;
    };
    expect(await header("0oa-ab.cd_ef", "A-b_c.9")).toBe("0oa-ab.cd_ef:A-b_c.9");
    expect(await header("a:b", "c d+é")).toBe("a%3Ab:c+d%2B%C3%A9");
  });
});

describe("memoryTokens", () => {
  const counting = (lifetimeMs: number | undefined, now: () => number) => {
    let count = 0;
    return async (): Promise<Token> => {
      count += 1;
      await new Promise((resolve) => setImmediate(resolve));
      const expiresAt = lifetimeMs === undefined ? undefined : now() + lifetimeMs;
      return { accessToken: `token-${count}`, expiresAt };
    };
  };

  test("fetches once for many callers, and anew shortly before the end", async () => {
    let now = 0;
    const tokens = memoryTokens(() => now);
    const fetchToken = counting(3_600_000, () => now);
    const many = await Promise.all(Array.from({ length: 50 }, () => tokens.get("a", fetchToken)));
    expect(new Set(many.map((each) => each.accessToken))).toEqual(new Set(["token-1"]));
    now = 3_600_000 - 60_001;
    expect((await tokens.get("a", fetchToken)).accessToken).toBe("token-1");
    now += 1;
    expect((await tokens.get("a", fetchToken)).accessToken).toBe("token-2");
  });

  test("keeps a tenth of a short life back, and a token without an end for good", async () => {
    let now = 0;
    const tokens = memoryTokens(() => now);
    const short = counting(100_000, () => now);
    await tokens.get("short", short);
    now = 89_999;
    expect((await tokens.get("short", short)).accessToken).toBe("token-1");
    now = 90_000;
    expect((await tokens.get("short", short)).accessToken).toBe("token-2");
    const endless = counting(undefined, () => now);
    await tokens.get("endless", endless);
    now = 1e12;
    expect((await tokens.get("endless", endless)).accessToken).toBe("token-1");
  });

  test("does not keep a failure, nor drop a newer token than the refused one", async () => {
    const tokens = memoryTokens(() => 0);
    const down = () => Promise.reject(new VendorFailure("vendor_unavailable"));
    expect(await failureOf(tokens.get("a", down))).toMatchObject({ failure: "vendor_unavailable" });
    const fetchToken = counting(undefined, () => 0);
    const first = await tokens.get("a", fetchToken);
    await tokens.drop("a", first);
    const second = await tokens.get("a", fetchToken);
    await tokens.drop("a", first);
    expect(await tokens.get("a", fetchToken)).toBe(second);
    await tokens.drop("a");
    expect((await tokens.get("a", fetchToken)).accessToken).toBe("token-3");
  });
});

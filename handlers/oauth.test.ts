import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { exportJWK, exportPKCS8, generateKeyPair, type JWK } from "jose";
import { Provider } from "oidc-provider";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { VendorFailure } from "../problem.ts";
import {
  type AuthorizationCode,
  type BackendServices,
  type ClientCredentials,
  clientAssertion,
  discoverSmart,
  exchangeCode,
  fetchBackendServices,
  fetchClientCredentials,
  memoryTokens,
  type Outlet,
  refreshGrant,
  revokeGrant,
  startAuthorization,
  type Token,
} from "./oauth.ts";
import type { Wire } from "./outbound.ts";

async function failureOf(work: Promise<unknown>): Promise<VendorFailure> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof VendorFailure) return error;
  throw new Error("It did not fail as a VendorFailure", { cause: error });
}

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

describe("against a certified server", () => {
  const redirectUri = "https://app.example/callback";
  const server = createServer();
  let wire: Wire;
  let rsa: { pem: string; jwk: JWK };
  let ec: { pem: string; jwk: JWK };
  const outlet = (): Outlet => ({ wire });

  const newKey = async (alg: string, kid: string) => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(privateKey)), kid, alg };
    return {
      pem: await exportPKCS8(privateKey),
      jwk,
      open: { ...(await exportJWK(publicKey)), kid, alg },
    };
  };

  beforeAll(async () => {
    const [first, second] = await Promise.all([newKey("RS384", "rsa-1"), newKey("ES384", "ec-1")]);
    rsa = first;
    ec = second;
    const machine = { grant_types: ["client_credentials"], redirect_uris: [], response_types: [] };
    const signs = { ...machine, token_endpoint_auth_method: "private_key_jwt" as const };
    const person = {
      client_secret: secret,
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: [redirectUri],
      scope: "openid launch/patient",
    };
    const provider = new Provider("https://idp.example", {
      clients: [
        {
          client_id: "basic",
          client_secret: secret,
          scope: "system/Patient.read",
          ...machine,
        },
        {
          client_id: "body",
          client_secret: secret,
          token_endpoint_auth_method: "client_secret_post",
          ...machine,
        },
        {
          client_id: "rsa",
          token_endpoint_auth_signing_alg: "RS384",
          jwks: { keys: [first.open] },
          ...signs,
        },
        {
          client_id: "ec",
          token_endpoint_auth_signing_alg: "ES384",
          jwks: { keys: [second.open] },
          ...signs,
        },
        { client_id: "person", ...person },
      ],
      jwks: { keys: [{ ...(await newKey("RS256", "server")).jwk, use: "sig" }] },
      ttl: Object.fromEntries(
        [
          "AccessToken",
          "AuthorizationCode",
          "ClientCredentials",
          "Grant",
          "IdToken",
          "Interaction",
          "RefreshToken",
          "Session",
        ].map((kind) => [kind, 600]),
      ),
      scopes: ["openid", "system/Patient.read", "launch/patient"],
      features: {
        clientCredentials: { enabled: true },
        revocation: {
          enabled: true,
          allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId,
        },
        devInteractions: { enabled: false },
      },
      enabledJWA: { clientAuthSigningAlgValues: ["RS384", "ES384"] },
      issueRefreshToken: async () => true,
      rotateRefreshToken: true,
      pkce: { required: () => true },
      findAccount: async (_ctx, accountId) => ({
        accountId,
        claims: async () => ({ sub: accountId }),
      }),
      interactions: { url: (_ctx, { uid }) => `https://idp.example/interaction/${uid}` },
    });
    provider.proxy = true;
    const handle = provider.callback();
    server.on("request", (request, response) => {
      if (!request.url?.startsWith("/interaction/")) return void handle(request, response);
      void (async () => {
        const { prompt, params } = await provider.interactionDetails(request, response);
        const login = { login: { accountId: "clinician" } };
        const grant = new provider.Grant({
          accountId: "clinician",
          clientId: String(params["client_id"]),
        });
        grant.addOIDCScope(String(params["scope"]));
        const answer =
          prompt.name === "login" ? login : { consent: { grantId: await grant.save() } };
        await provider.interactionFinished(request, response, answer);
      })();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    wire = async (request) => {
      const { host, pathname, search } = new URL(request.url);
      if (host !== "idp.example") throw new TypeError(`Nobody is at ${host}`);
      const mapped = new Request(root + pathname + search, request);
      mapped.headers.set("x-forwarded-proto", "https");
      mapped.headers.set("x-forwarded-host", host);
      return fetch(mapped);
    };
  });
  afterAll(() => server.close());

  test.each(["basic", "body"] as const)("gets a token with a secret sent as %s", async (style) => {
    const before = Date.now();
    const token = await fetchClientCredentials(clientOf(style), fhir, outlet());
    expect(token.accessToken.length).toBeGreaterThan(20);
    expect(token.scope).toBe("system/Patient.read");
    expect(token.expiresAt).toBeGreaterThan(before + 60_000);
  });

  test.each(["basic", "body"] as const)(
    "is told that a wrong secret is wrong (%s)",
    async (style) => {
      const wrong = { ...clientOf(style), clientSecret: "wrong" };
      expect(await failureOf(fetchClientCredentials(wrong, fhir, outlet()))).toMatchObject({
        failure: "credentials_rejected",
        vendorCode: "invalid_client",
        vendorStatus: 401,
      });
    },
  );

  test("is told that a scope is not granted", async () => {
    const greedy = { ...clientOf("basic"), scope: "launch/patient" };
    expect(await failureOf(fetchClientCredentials(greedy, fhir, outlet()))).toMatchObject({
      failure: "forbidden",
      vendorCode: "invalid_scope",
    });
  });

  test.each([
    ["RS384", "PEM", () => ["rsa", rsa.pem, "rsa-1"]],
    ["RS384", "JWK", () => ["rsa", JSON.stringify(rsa.jwk), undefined]],
    ["ES384", "PEM", () => ["ec", ec.pem, "ec-1"]],
    ["ES384", "JWK", () => ["ec", JSON.stringify(ec.jwk), undefined]],
  ] as const)(
    "gets a token with an assertion signed with %s from a %s",
    async (algorithm, _form, key) => {
      const [clientId = "", privateKey = "", keyId] = key();
      const auth: BackendServices = {
        kind: "private_key_jwt",
        tokenUrl: "https://idp.example/token",
        clientId,
        privateKey,
        keyId,
        algorithm,
        scope: "system/Patient.read",
      };
      const token = await fetchBackendServices(auth, fhir, outlet());
      expect(token.accessToken.length).toBeGreaterThan(20);
      const again = await fetchBackendServices(auth, fhir, outlet());
      expect(again.accessToken, "each assertion has its own jti").not.toBe(token.accessToken);

      const stranger = await newKey(algorithm, keyId ?? "stranger");
      const forged = { ...auth, privateKey: stranger.pem };
      expect(await failureOf(fetchBackendServices(forged, fhir, outlet()))).toMatchObject({
        failure: "credentials_rejected",
        vendorCode: "invalid_client",
      });
    },
  );

  const person: AuthorizationCode = {
    kind: "authorization_code",
    authorizeUrl: "https://idp.example/auth",
    tokenUrl: "https://idp.example/token",
    revokeUrl: "https://idp.example/token/revocation",
    issuer: "https://idp.example",
    clientId: "person",
    clientSecret: secret,
    style: "basic",
    scopes: ["openid", "launch/patient"],
    pkce: true,
  };

  /** The browser's part: follows redirects, keeps cookies, and stops at our redirect URI. */
  async function signIn(start: string): Promise<URLSearchParams> {
    const cookies = new Map<string, string>();
    let at = start;
    for (let hop = 0; hop < 10; hop++) {
      if (at.startsWith(redirectUri)) return new URL(at).searchParams;
      const cookie = [...cookies].map((pair) => pair.join("=")).join("; ");
      const response = await wire(new Request(at, { headers: { cookie }, redirect: "manual" }));
      for (const line of response.headers.getSetCookie()) {
        const [name = "", value = ""] = line.split(";", 1)[0]?.split("=") ?? [];
        cookies.set(name, value);
      }
      at = new URL(response.headers.get("location") ?? "", at).href;
    }
    throw new Error("The sign-in went round in circles");
  }

  async function authorize() {
    const state = crypto.randomUUID();
    const { url, codeVerifier } = await startAuthorization(person, { redirectUri, state });
    return { url, state, codeVerifier, redirectUri, parameters: await signIn(url) };
  }

  test("asks for consent with PKCE, exchanges the code, rotates and revokes", async () => {
    const { url, ...callback } = await authorize();
    expect(Object.fromEntries(new URL(url).searchParams)).toMatchObject({
      response_type: "code",
      client_id: "person",
      redirect_uri: redirectUri,
      scope: "openid launch/patient",
      code_challenge_method: "S256",
    });
    const token = await exchangeCode(person, callback, outlet());
    expect(token.scope).toBe("openid launch/patient");
    const { refreshToken = "" } = token;

    const second = await refreshGrant(person, refreshToken, outlet());
    expect(second.accessToken).not.toBe(token.accessToken);
    expect(second.refreshToken).not.toBe(refreshToken);

    const revoked = { value: second.refreshToken ?? "", type: "refresh_token" } as const;
    expect(await revokeGrant(person, revoked, outlet())).toBe(true);
    expect(await failureOf(refreshGrant(person, revoked.value, outlet()))).toMatchObject({
      failure: "credentials_expired",
      vendorCode: "invalid_grant",
    });
  });

  test("loses the grant when a rotated refresh token is used again", async () => {
    const { refreshToken = "" } = await exchangeCode(person, await authorize(), outlet());
    const { refreshToken: rotated = "" } = await refreshGrant(person, refreshToken, outlet());
    for (const used of [refreshToken, rotated])
      expect(await failureOf(refreshGrant(person, used, outlet()))).toMatchObject({
        failure: "credentials_expired",
      });
  });

  test("does not exchange a code twice, nor with another verifier", async () => {
    const expired = { failure: "credentials_expired", vendorCode: "invalid_grant" };
    const callback = await authorize();
    await exchangeCode(person, callback, outlet());
    expect(await failureOf(exchangeCode(person, callback, outlet()))).toMatchObject(expired);
    const other = { ...(await authorize()), codeVerifier: "x".repeat(43) };
    expect(await failureOf(exchangeCode(person, other, outlet()))).toMatchObject(expired);
  });

  test("accepts only the answer to its own question, from the right issuer", async () => {
    const { parameters, ...callback } = await authorize();
    const changed = (name: string, value?: string) => {
      const copy = new URLSearchParams(parameters);
      if (value === undefined) copy.delete(name);
      else copy.set(name, value);
      return exchangeCode(person, { ...callback, parameters: copy }, outlet());
    };
    for (const wrong of [
      changed("state", "another"),
      changed("state"),
      changed("iss", "https://evil.example"),
    ])
      expect(await failureOf(wrong)).toMatchObject({
        failure: "invalid_request",
        message: "The sign-in was not one that we started",
      });
    const refusal = new URLSearchParams({ state: callback.state, error: "access_denied" });
    const refused = exchangeCode(person, { ...callback, parameters: refusal }, outlet());
    expect(await failureOf(refused)).toMatchObject({
      failure: "forbidden",
      vendorCode: "access_denied",
    });
    const token = await exchangeCode(person, { ...callback, parameters }, outlet());
    expect(token.accessToken).toBeTruthy();
  });
});

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

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { exportJWK, exportPKCS8, generateKeyPair, type JWK } from "jose";
import { Provider } from "oidc-provider";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import {
  type BackendServices,
  type ClientCredentials,
  exchangeCode,
  fetchBackendServices,
  fetchClientCredentials,
  type LocatedCode,
  type Outlet,
  refreshGrant,
  revokeGrant,
  startAuthorization,
} from "./oauth.ts";
import type { Wire } from "./outbound.ts";
import { failureOf } from "./testing.ts";

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

  const person: LocatedCode = {
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

    expect(await revokeGrant(person, second, outlet())).toBe(true);
    const revoked = refreshGrant(person, second.refreshToken ?? "", outlet());
    expect(await failureOf(revoked)).toMatchObject({
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

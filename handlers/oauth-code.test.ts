import { exportPKCS8, generateKeyPair } from "jose";
import { expect, test } from "vitest";

import {
  type AuthorizationCode,
  exchangeCode,
  locateCode,
  refreshGrant,
  revokeGrant,
  startAuthorization,
  type Token,
} from "./oauth.ts";
import type { Wire } from "./outbound.ts";
import { failureOf } from "./testing.ts";

const redirectUri = "https://app.example/oauth/callback";
const smart: AuthorizationCode = {
  kind: "authorization_code",
  clientId: "ehr-app",
  style: "none",
  scopes: ["openid", "user/Patient.rs"],
  pkce: true,
};
const plain: AuthorizationCode = {
  ...smart,
  authorizeUrl: "https://login.example/authorize",
  tokenUrl: "https://api.example/token",
  revokeUrl: "https://api.example/revoke",
  clientSecret: "s3cret",
  style: "basic",
};
const fhir = "https://fhir.example/r4";
const configuration = {
  issuer: fhir,
  authorization_endpoint: "https://login.fhir.example/authorize",
  token_endpoint: "https://login.fhir.example/token",
  revocation_endpoint: "https://login.fhir.example/revoke",
};

/** Answers each path from a table, and keeps what was asked. */
function server(replies: Readonly<Record<string, unknown>>) {
  const asked: { url: string; body: URLSearchParams; headers: Headers }[] = [];
  const wire: Wire = async (request) => {
    const body = new URLSearchParams(await request.clone().text());
    asked.push({ url: request.url, body, headers: request.headers });
    const reply = replies[new URL(request.url).pathname];
    return reply === undefined ? new Response(null, { status: 404 }) : Response.json(reply);
  };
  return { asked, outlet: { wire, now: () => 1_000 } };
}

test("a FHIR server without addresses is asked for them, and named as the audience", async () => {
  const { outlet, asked } = server({ "/r4/.well-known/smart-configuration": configuration });
  const located = await locateCode(smart, fhir, outlet);
  expect(asked.map(({ url }) => url)).toEqual([`${fhir}/.well-known/smart-configuration`]);
  const { url } = await startAuthorization(located, { redirectUri, state: "s" });
  expect(url).toMatch(/^https:\/\/login\.fhir\.example\/authorize\?/);
  expect(Object.fromEntries(new URL(url).searchParams)).toMatchObject({
    aud: fhir,
    code_challenge_method: "S256",
    redirect_uri: redirectUri,
    scope: "openid user/Patient.rs",
  });
  expect(located).toMatchObject({ revokeUrl: "https://login.fhir.example/revoke", issuer: fhir });
});

test("a FHIR server that knows only machines lets no person sign in", async () => {
  const { authorization_endpoint: _, ...machines } = configuration;
  const { outlet } = server({ "/r4/.well-known/smart-configuration": machines });
  expect(await failureOf(locateCode(smart, fhir, outlet))).toMatchObject({
    message: "The FHIR server lets no person sign in",
  });
});

test.each(["authorizeUrl", "tokenUrl", "revokeUrl"] as const)(
  "%s may not lead to a private address",
  async (name) => {
    const { outlet, asked } = server({});
    for (const url of ["https://169.254.169.254/x", "http://login.example/", "https://localhost/"])
      expect(await failureOf(locateCode({ ...plain, [name]: url }, fhir, outlet))).toMatchObject({
        failure: "invalid_request",
      });
    expect(asked).toEqual([]);
  },
);

test("an answer names its server by an address of that server, or not at all", async () => {
  const { outlet, asked } = server({ "/token": { access_token: "t", token_type: "bearer" } });
  const located = await locateCode(plain, fhir, outlet);
  const exchange = (iss?: string, auth = located) =>
    exchangeCode(
      auth,
      {
        parameters: new URLSearchParams({ code: "c", state: "s", ...(iss && { iss }) }),
        redirectUri,
        state: "s",
        codeVerifier: "v".repeat(43),
      },
      outlet,
    );
  for (const iss of [undefined, "https://login.example/tenant", "https://api.example"])
    expect((await exchange(iss)).accessToken).toBe("t");
  const stranger = { message: "The sign-in was not one that we started" };
  const sent = asked.length;
  for (const iss of ["https://evil.example", "https://login.example.evil.example", "nonsense"])
    expect(await failureOf(exchange(iss))).toMatchObject(stranger);
  const known = { ...located, issuer: "https://login.example/a", issRequired: true };
  for (const iss of [undefined, "https://login.example/b", "https://login.example"])
    expect(await failureOf(exchange(iss, known))).toMatchObject(stranger);
  expect(asked.length, "no code went anywhere").toBe(sent);
  expect((await exchange("https://login.example/a", known)).accessToken).toBe("t");
});

test("a client that signs proves itself by a statement for the token endpoint", async () => {
  const { privateKey } = await generateKeyPair("ES384", { extractable: true });
  const pem = await exportPKCS8(privateKey);
  const { outlet, asked } = server({ "/token": { access_token: "t", token_type: "bearer" } });
  const auth: AuthorizationCode = {
    ...plain,
    style: "private_key_jwt",
    signing: { privateKey: pem, keyId: "k", algorithm: "ES384" },
  };
  await refreshGrant(await locateCode(auth, fhir, outlet), "r1", outlet);
  const [request] = asked;
  const [, claims = ""] = request?.body.get("client_assertion")?.split(".") ?? [];
  expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject({
    iss: "ehr-app",
    aud: "https://api.example/token",
  });
  expect(request?.headers.has("authorization")).toBe(false);
  expect(request?.body.has("client_secret")).toBe(false);
});

test("a refresh keeps the refresh token that is not replaced, and tells when it ends", async () => {
  const { outlet } = server({
    "/token": { access_token: "t", expires_in: 60, refresh_token_expires_in: 3600 },
  });
  const token = await refreshGrant(await locateCode(plain, fhir, outlet), "r1", outlet);
  expect(token).toMatchObject({
    refreshToken: "r1",
    expiresAt: 61_000,
    refreshExpiresAt: 3_601_000,
    scope: undefined,
  });
});

test("a grant has ended by invalid_grant, whatever else the vendor means by it", async () => {
  const wire: Wire = async () => Response.json({ error: "invalid_grant" }, { status: 400 });
  const another = { cause: "forbidden", code: "invalid_grant" } as const;
  const outlet = { wire, now: () => 1_000, failure: () => another };
  const located = await locateCode(plain, fhir, outlet);
  expect(await failureOf(refreshGrant(located, "r1", outlet))).toMatchObject({
    failure: "credentials_expired",
    vendorCode: "invalid_grant",
  });
});

const token: Token = { accessToken: "a1", refreshToken: "r1", extra: { account: "acct_1" } };

test("both tokens are revoked", async () => {
  const { outlet, asked } = server({ "/revoke": {} });
  expect(await revokeGrant(await locateCode(plain, fhir, outlet), token, outlet)).toBe(true);
  expect(asked.map(({ body }) => [body.get("token_type_hint"), body.get("token")])).toEqual([
    ["refresh_token", "r1"],
    ["access_token", "a1"],
  ]);
});

test("a vendor with its own way of revocation gets that, and one with none is not asked", async () => {
  const { outlet, asked } = server({ "/revoke": {} });
  const own = await locateCode(plain, fhir, outlet);
  const revocation = ({ extra }: Token) => ({ form: { account: extra?.["account"] ?? "" } });
  expect(await revokeGrant({ ...own, revocation }, token, outlet)).toBe(true);
  expect(asked.map(({ body }) => Object.fromEntries(body))).toEqual([{ account: "acct_1" }]);
  expect(await revokeGrant({ ...own, revokeUrl: undefined }, token, outlet)).toBe(false);
});

import * as oauth from "oauth4webapi";

import { guardedFetch, whyRefused } from "../handlers/outbound.ts";
import { VendorFailure } from "../problem.ts";
import type { Env } from "./env.ts";
import { resolveOf, wireOf } from "./wire.ts";

/** What an organization's OpenID provider is asked for: who signs in, and nothing that lasts. */
const scope = "openid email profile";
const timeoutMs = 10_000;
const discoveryLifetimeMs = 5 * 60_000;

export type OidcClient = { issuer: string; clientId: string; clientSecret: string };

/** Every request to a tenant's provider goes through the outbound guard. */
const through = (env: Env) => ({
  async [oauth.customFetch](url: string, init: oauth.CustomFetchOptions<string, unknown>) {
    const { body } = init;
    return guardedFetch(
      {
        method: init.method,
        url,
        headers: new Headers(init.headers),
        ...(body === undefined || body === null
          ? {}
          : { body: body instanceof URLSearchParams ? body.toString() : (body as string) }),
      },
      {
        wire: wireOf(env),
        hosts: ["*"],
        resolve: resolveOf(env),
        safe: true,
        timeoutMs,
        maxBytes: 1024 * 1024,
      },
    );
  },
});

const discovered = new Map<string, { server: oauth.AuthorizationServer; until: number }>();

/** Why a provider cannot be used, in words for the admin who adds it. */
export class ProviderRefused extends Error {
  override name = "ProviderRefused";
}

/** Reads and checks the discovery document. Throws `ProviderRefused`. */
export async function discover(env: Env, issuer: string): Promise<oauth.AuthorizationServer> {
  const known = discovered.get(issuer);
  if (known && known.until > Date.now()) return known.server;
  const server = await readDocument(env, issuer);
  for (const name of ["authorization_endpoint", "token_endpoint", "jwks_uri"] as const) {
    const url = server[name];
    if (!url) throw new ProviderRefused(`Its discovery document names no ${name}`);
    const refused = whyRefused(url, ["*"]);
    if (refused) throw new ProviderRefused(`Its ${name} ${refused}`);
  }
  if (discovered.size >= 500) discovered.clear();
  discovered.set(issuer, { server, until: Date.now() + discoveryLifetimeMs });
  return server;
}

async function readDocument(env: Env, issuer: string): Promise<oauth.AuthorizationServer> {
  const refused = whyRefused(issuer, ["*"]);
  if (refused) throw new ProviderRefused(`The address ${refused}`);
  const url = new URL(issuer);
  try {
    const response = await oauth.discoveryRequest(url, through(env));
    return await oauth.processDiscoveryResponse(url, response);
  } catch (error) {
    if (error instanceof VendorFailure) throw new ProviderRefused(error.message);
    if (error instanceof oauth.OperationProcessingError)
      throw new ProviderRefused(
        error.code === oauth.JSON_ATTRIBUTE_COMPARISON
          ? "Its discovery document names another issuer. Copy the issuer from there"
          : "There is no discovery document at this address",
      );
    throw error;
  }
}

export type Pending = { state: string; nonce: string; verifier: string };

export const newPending = (): Pending => ({
  state: oauth.generateRandomState(),
  nonce: oauth.generateRandomNonce(),
  verifier: oauth.generateRandomCodeVerifier(),
});

/** Where the browser goes: authorization code with PKCE (S256), state and nonce. */
export async function authorizationUrl(
  server: oauth.AuthorizationServer,
  clientId: string,
  redirectUri: string,
  pending: Pending,
  email: string,
): Promise<string> {
  const url = new URL(server.authorization_endpoint ?? "");
  for (const [name, value] of Object.entries({
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    scope,
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
    code_challenge_method: "S256",
    login_hint: email,
  }))
    url.searchParams.set(name, value);
  return url.href;
}

export type Identity = {
  subject: string;
  email: string | undefined;
  /** Undefined where the provider does not say, as Entra does not. */
  emailVerified: boolean | undefined;
  name: string | undefined;
};

const text = (value: unknown) => (typeof value === "string" && value ? value : undefined);

const identityOf = (subject: string, claims: Record<string, unknown>): Identity => {
  const { email, email_verified: verified, preferred_username: username, name } = claims;
  return {
    subject,
    // Entra leaves `email` out unless it is configured; the user name there is an address.
    email: text(email) ?? (text(username)?.includes("@") ? text(username) : undefined),
    emailVerified: verified === undefined ? undefined : verified === true || verified === "true",
    name: text(name),
  };
};

/**
 * Redeems the code that came back and checks the ID token: signature, issuer, audience, nonce,
 * times, and the `iss` of the answer itself (RFC 9207). Throws what oauth4webapi throws, or
 * `VendorFailure`.
 */
export async function identify(
  env: Env,
  server: oauth.AuthorizationServer,
  { clientId, clientSecret }: Omit<OidcClient, "issuer">,
  answer: URL,
  redirectUri: string,
  pending: Pending,
): Promise<Identity> {
  const client: oauth.Client = { client_id: clientId };
  const methods = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
  const authenticate = methods.includes("client_secret_basic")
    ? oauth.ClientSecretBasic(clientSecret)
    : oauth.ClientSecretPost(clientSecret);
  const parameters = oauth.validateAuthResponse(server, client, answer, pending.state);
  const options = through(env);
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    authenticate,
    parameters,
    redirectUri,
    pending.verifier,
    options,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: pending.nonce,
    requireIdToken: true,
  });
  await oauth.validateApplicationLevelSignature(server, response, options);
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  if (!claims) throw new Error("The provider sent no ID token");
  const found = identityOf(claims.sub, claims);
  if (found.email || !server.userinfo_endpoint) return found;
  const reply = await oauth.userInfoRequest(server, client, tokens.access_token, options);
  const profile = await oauth.processUserInfoResponse(server, client, claims.sub, reply);
  const more = identityOf(claims.sub, profile);
  return { ...more, name: found.name ?? more.name };
}

/** The texts of a name's TXT records, asked of Cloudflare's resolver over HTTPS. */
export async function txtRecords(env: Env, name: string): Promise<string[]> {
  const url = `https://cloudflare-dns.com/dns-query?name=${encodeURIComponent(name)}&type=TXT`;
  const response = await wireOf(env)(
    new Request(url, {
      headers: { accept: "application/dns-json" },
      signal: AbortSignal.timeout(5_000),
    }),
  );
  const reply: unknown = await response.json();
  const answers: unknown = reply instanceof Object ? Reflect.get(reply, "Answer") : undefined;
  return (Array.isArray(answers) ? answers : []).flatMap((answer: unknown) => {
    const { type, data } = answer as { type?: unknown; data?: unknown };
    if (type !== 16 || typeof data !== "string") return [];
    // A record longer than 255 bytes comes as several strings in quotes.
    const parts = [...data.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((part) => part[1] ?? "");
    return [parts.length ? parts.join("") : data];
  });
}

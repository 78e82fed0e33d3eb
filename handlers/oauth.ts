import { importJWK, importPKCS8, type JWK, SignJWT } from "jose";
import * as oauth from "oauth4webapi";
import * as z from "zod";

import { type VendorCause, vendorCauses, VendorFailure } from "../problem.ts";
import type { Auth } from "./api.ts";
import { failureOf, type ReadFailure } from "./failure.ts";
import { guardedFetch, type Resolve, type Wire, whyRefused } from "./outbound.ts";

/** Plain JSON, so that it can be sealed and stored. */
export type Token = {
  accessToken: string;
  /** Unix milliseconds; without one it holds until the vendor refuses it. */
  expiresAt?: number | undefined;
  refreshToken?: string | undefined;
  /** Unix milliseconds, of the refresh token, where the vendor says it. */
  refreshExpiresAt?: number | undefined;
  /** As granted, which may be less than was asked. */
  scope?: string | undefined;
  /** Sent instead of `Authorization: Bearer`: what a session login answered. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** The reply's other text members, such as SMART's `patient` or Salesforce's `instance_url`. */
  extra?: Readonly<Record<string, string>> | undefined;
};

/** Keeps the tokens of one integration. One fetch at a time for a key. */
export type Tokens = {
  get(key: string, fetchToken: () => Promise<Token>): Promise<Token>;
  /** Forgets the token; given the refused one, only if it is still the one that is kept. */
  drop(key: string, refused?: Token): Promise<void>;
};

const longestSkewMs = 60_000;

/** Fresh enough to be sent: a minute is left, or a tenth of a short life. */
export const isFresh = ({ expiresAt }: Token, fetchedAt: number, nowMs: number) =>
  expiresAt === undefined ||
  nowMs < expiresAt - Math.min(longestSkewMs, Math.max(0, expiresAt - fetchedAt) / 10);

export function memoryTokens(now: () => number = Date.now): Tokens {
  const kept = new Map<string, { token: Token; fetchedAt: number }>();
  const running = new Map<string, Promise<Token>>();
  return {
    async get(key, fetchToken) {
      const found = kept.get(key);
      if (found && isFresh(found.token, found.fetchedAt, now())) return found.token;
      const joined = running.get(key);
      if (joined) return joined;
      const started = fetchToken()
        .then((token) => {
          kept.set(key, { token, fetchedAt: now() });
          return token;
        })
        .finally(() => running.delete(key));
      running.set(key, started);
      return started;
    },
    async drop(key, refused) {
      if (!refused || kept.get(key)?.token.accessToken === refused.accessToken) kept.delete(key);
    },
  };
}

/** How token endpoints are reached. They may be on any public host: a tenant's own, or discovered. */
export type Outlet = {
  wire: Wire;
  resolve?: Resolve | undefined;
  now?: (() => number) | undefined;
  timeoutMs?: number | undefined;
  /** The vendor's reading of error replies that RFC 6749 does not explain. */
  failure?: ReadFailure | undefined;
};

type OfKind<K extends Auth["kind"]> = Extract<Auth, { kind: K }>;
export type ClientCredentials = OfKind<"client_credentials">;
export type BackendServices = OfKind<"private_key_jwt">;
export type AuthorizationCode = OfKind<"authorization_code">;
/** Plain JSON, so that the server that began a grant is the one that refreshes and revokes it. */
export type Endpoints = {
  authorizeUrl: string;
  tokenUrl: string;
  revokeUrl?: string | undefined;
  issuer?: string | undefined;
  issRequired?: boolean | undefined;
};
export type LocatedCode = AuthorizationCode & Endpoints;

const causes: Readonly<Record<string, VendorCause>> = {
  invalid_client: "credentials_rejected",
  unauthorized_client: "credentials_rejected",
  invalid_grant: "credentials_expired",
  invalid_scope: "forbidden",
  access_denied: "forbidden",
  invalid_request: "invalid_request",
  invalid_target: "invalid_request",
  unsupported_grant_type: "invalid_request",
  unsupported_response_type: "invalid_request",
  server_error: "vendor_unavailable",
  temporarily_unavailable: "vendor_unavailable",
};

const ErrorReply = z.object({ error: z.string() });

const standardFailure: ReadFailure = ({ status, body }) => {
  const code = ErrorReply.safeParse(body).data?.error;
  const cause = code === undefined || status === 429 || status >= 500 ? undefined : causes[code];
  if (code === undefined || cause === undefined) return undefined;
  return { cause, code, message: `${vendorCauses[cause].title} at sign-in` };
};

function tokenFailure(status: number, headers: Headers, text: string, outlet: Outlet) {
  let body: unknown = text;
  let readable = true;
  try {
    body = JSON.parse(text);
  } catch {
    readable = false;
  }
  const nowMs = (outlet.now ?? Date.now)();
  const read: ReadFailure = (reply) => {
    const [standard, own] = [standardFailure(reply), outlet.failure?.(reply)];
    // What the vendor says of that very code is closer to what it means there.
    return own?.cause && own.code === standard?.code ? own : (standard ?? own);
  };
  const failure = failureOf({ status, headers, body }, { read, safe: true, nowMs });
  const unexplained = status === 400 || status === 404 || status === 422;
  return failure && !readable && unexplained ? notUnderstood(status) : failure;
}

/** A request to an OAuth endpoint: failures are thrown, a success is handed on for its checks. */
async function ask(url: string, init: RequestInit, outlet: Outlet) {
  const { wire, resolve, timeoutMs } = outlet;
  const response = await guardedFetch(
    {
      method: init.method ?? "GET",
      url,
      headers: new Headers(init.headers),
      ...(init.body != null && { body: String(init.body) }),
    },
    { wire, hosts: ["*"], resolve, safe: true, timeoutMs, maxBytes: 1024 * 1024 },
  );
  const text = await response.text();
  const failure = tokenFailure(response.status, response.headers, text, outlet);
  if (failure) throw failure;
  return { status: response.status, headers: response.headers, text };
}

const TokenReply = z.looseObject({ access_token: z.string().min(1) });

/** Makes oauth4webapi send through the guard and read what vendors really answer. */
const through = (outlet: Outlet) => ({
  async [oauth.customFetch](url: string, init: oauth.CustomFetchOptions<string, unknown>) {
    const { status, headers, text } = await ask(url, init as RequestInit, outlet);
    const reply = TokenReply.safeParse(parseJson(text));
    if (!reply.success) return new Response(text || null, { status, headers });
    // Vendors leave out token_type or invent one (Slack's is "bot"); an ID token is not used here.
    const { id_token: _, ...rest } = reply.data;
    return Response.json({ ...rest, token_type: "bearer" });
  },
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const notUnderstood = (vendorStatus?: number) =>
  new VendorFailure("unexpected_reply", "The token endpoint's reply was not understood", {
    vendorStatus,
  });

/** Error replies never get here, so what oauth4webapi complains of is an odd success. */
async function checked<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const odd =
      error instanceof oauth.OperationProcessingError ||
      error instanceof oauth.WWWAuthenticateChallengeError;
    if (odd) throw notUnderstood();
    throw error;
  }
}

const reserved = new Set([
  "access_token",
  "refresh_token",
  "expires_in",
  "token_type",
  "scope",
  "id_token",
]);

/** Some vendors send it as a text; whatever else it is, is none. */
const secondsOf = (value: unknown) =>
  typeof value === "number" || typeof value === "string" ? Number(value) : Number.NaN;
const longestLifeSeconds = 10 * 365 * 86_400;
/** Whatever the vendor says, it is a time that `Date` and the database know. */
const endOf = (seconds: number, nowMs: number) =>
  nowMs + Math.min(Math.max(seconds, 0), longestLifeSeconds) * 1_000;

function toToken(
  reply: Readonly<Record<string, unknown>>,
  asked: string | undefined,
  nowMs: number,
) {
  const { access_token: accessToken, refresh_token: refreshToken, scope } = reply;
  const lifetime = secondsOf(reply["expires_in"]);
  // Not in RFC 6749: the first is Microsoft's and GitHub's name, the second Keycloak's; 0 is for ever.
  const lasting = secondsOf(reply["refresh_token_expires_in"] ?? reply["refresh_expires_in"]);
  if (typeof accessToken !== "string" || /[^\u0021-\u007e]/.test(accessToken))
    throw new VendorFailure("unexpected_reply", "The vendor's access token cannot be sent");
  const extra = Object.entries(reply).flatMap(([name, value]) =>
    typeof value === "string" && !reserved.has(name) ? [[name, value] as const] : [],
  );
  const token: Token = {
    accessToken,
    expiresAt: Number.isFinite(lifetime) ? endOf(lifetime, nowMs) : undefined,
    refreshToken: typeof refreshToken === "string" ? refreshToken : undefined,
    ...(lasting > 0 && { refreshExpiresAt: endOf(lasting, nowMs) }),
    scope: typeof scope === "string" ? scope : asked,
    extra: Object.fromEntries(extra),
  };
  return token;
}

/**
 * RFC 6749 §2.3.1 form-encodes both halves. Letters, digits and `-._` stay as they are, since
 * many servers do not decode them.
 */
function basicClient(clientId: string, clientSecret: string): oauth.ClientAuth {
  const encode = (text: string) => new URLSearchParams([["", text]]).toString().slice(1);
  return (_as, _client, _body, headers) => {
    headers.set("authorization", `Basic ${btoa(`${encode(clientId)}:${encode(clientSecret)}`)}`);
  };
}

const server = (tokenUrl: string, issuer?: string): oauth.AuthorizationServer => ({
  issuer: issuer ?? new URL(tokenUrl).origin,
  token_endpoint: tokenUrl,
});

function requireTokenUrl(url: string) {
  const refused = whyRefused(url, ["*"]);
  if (refused) throw new VendorFailure("invalid_request", `The token URL ${refused}`);
  return url;
}

async function tokenEndpoint(tokenUrl: string | undefined, baseUrl: string, outlet: Outlet) {
  if (!tokenUrl) return (await discoverSmart(baseUrl, outlet)).token_endpoint;
  const { origin } = new URL(baseUrl);
  return requireTokenUrl(tokenUrl.startsWith("/") ? origin + tokenUrl : tokenUrl);
}

/** Without a token URL of its own, the vendor's is discovered at `baseUrl`. */
export async function fetchClientCredentials(
  auth: ClientCredentials,
  baseUrl: string,
  outlet: Outlet,
): Promise<Token> {
  const { clientId, clientSecret, scope, style, extra } = auth;
  const tokenUrl = await tokenEndpoint(auth.tokenUrl, baseUrl, outlet);
  const now = outlet.now ?? Date.now;
  const parameters: Record<string, string> = { ...(scope && { scope }), ...extra };
  if (style === "json") {
    const grant = { grant_type: "client_credentials", client_id: clientId };
    const { text } = await ask(
      tokenUrl,
      {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify({ ...grant, client_secret: clientSecret, ...parameters }),
      },
      outlet,
    );
    const reply = TokenReply.safeParse(parseJson(text));
    if (!reply.success) throw notUnderstood();
    return toToken(reply.data, scope, now());
  }
  const as = server(tokenUrl);
  const client = { client_id: clientId };
  const proof =
    style === "basic" ? basicClient(clientId, clientSecret) : oauth.ClientSecretPost(clientSecret);
  const reply = await checked(
    oauth
      .clientCredentialsGrantRequest(as, client, proof, parameters, through(outlet))
      .then((response) => oauth.processClientCredentialsResponse(as, client, response)),
  );
  return toToken(reply, scope, now());
}

async function importKey(privateKey: string, algorithm: string) {
  try {
    const text = privateKey.trim();
    if (!text.startsWith("{")) return { key: await importPKCS8(text, algorithm), kid: undefined };
    const jwk = JSON.parse(text) as JWK;
    const key = await importJWK({ ...jwk, alg: algorithm }, algorithm);
    if (key instanceof Uint8Array || key.type !== "private") throw new Error("not a private key");
    return { key, kid: jwk.kid };
  } catch {
    throw new VendorFailure(
      "credentials_rejected",
      `The private key could not be read: give a PKCS#8 PEM ("BEGIN PRIVATE KEY") or a JWK for ${algorithm}`,
    );
  }
}

/** The signed statement of RFC 7523 §2.2, as SMART Backend Services wants it. */
export async function clientAssertion(
  auth: BackendServices,
  audience: string,
  nowMs: number,
): Promise<string> {
  const { key, kid } = await importKey(auth.privateKey, auth.algorithm);
  const keyId = auth.keyId ?? kid;
  const issuedAt = Math.floor(nowMs / 1_000);
  return (
    new SignJWT({})
      .setProtectedHeader({ alg: auth.algorithm, typ: "JWT", ...(keyId && { kid: keyId }) })
      .setIssuer(auth.clientId)
      .setSubject(auth.clientId)
      .setAudience(audience)
      .setJti(crypto.randomUUID())
      .setIssuedAt(issuedAt)
      // Five minutes is the limit; one is kept back for a vendor whose clock runs behind ours.
      .setExpirationTime(issuedAt + 240)
      .sign(key)
  );
}

const SmartConfiguration = z.object({
  token_endpoint: z.string(),
  authorization_endpoint: z.string().optional(),
  revocation_endpoint: z.string().optional(),
  issuer: z.string().optional(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
  scopes_supported: z.array(z.string()).optional(),
  capabilities: z.array(z.string()).optional(),
});
export type SmartConfiguration = z.output<typeof SmartConfiguration>;

/** SMART App Launch §2.2: where a FHIR server's tokens come from. */
export async function discoverSmart(fhirBase: string, outlet: Outlet): Promise<SmartConfiguration> {
  const url = `${fhirBase.replace(/\/+$/, "")}/.well-known/smart-configuration`;
  const { text } = await ask(url, { headers: { accept: "application/json" } }, outlet);
  const { data: found } = SmartConfiguration.safeParse(parseJson(text));
  const { token_endpoint, authorization_endpoint, revocation_endpoint } = found ?? {};
  const endpoints = [token_endpoint, authorization_endpoint, revocation_endpoint];
  if (!found || endpoints.some((each) => each !== undefined && whyRefused(each, ["*"])))
    throw new VendorFailure(
      "unexpected_reply",
      "The FHIR server's SMART configuration was not understood",
    );
  return found;
}

export async function fetchBackendServices(
  auth: BackendServices,
  fhirBase: string,
  outlet: Outlet,
): Promise<Token> {
  const now = outlet.now ?? Date.now;
  const tokenUrl = await tokenEndpoint(auth.tokenUrl, fhirBase, outlet);
  const assertion = await clientAssertion(auth, tokenUrl, now());
  const as = server(tokenUrl);
  const client = { client_id: auth.clientId };
  const proof = byAssertion(async () => assertion);
  const reply = await checked(
    oauth
      .clientCredentialsGrantRequest(as, client, proof, { scope: auth.scope }, through(outlet))
      .then((response) => oauth.processClientCredentialsResponse(as, client, response)),
  );
  return toToken(reply, auth.scope, now());
}

/**
 * Where a person signs in and tokens come from: as the vendor declares it, else as the FHIR base says,
 * which is then named as `aud`, so that the token is good at no other server (SMART App Launch §2.1).
 */
export async function locateCode(
  auth: AuthorizationCode,
  fhirBase: string,
  outlet: Outlet,
): Promise<LocatedCode> {
  const { authorizeUrl, tokenUrl, revokeUrl } = auth;
  if (authorizeUrl && tokenUrl) {
    for (const url of [authorizeUrl, tokenUrl, ...(revokeUrl ? [revokeUrl] : [])]) {
      const refused = whyRefused(url, ["*"]);
      if (refused) throw new VendorFailure("invalid_request", `The sign-in address ${refused}`);
    }
    return { ...auth, authorizeUrl, tokenUrl };
  }
  const found = await discoverSmart(fhirBase, outlet);
  if (!found.authorization_endpoint)
    throw new VendorFailure("invalid_request", "The FHIR server lets no person sign in");
  return {
    ...auth,
    authorizeUrl: found.authorization_endpoint,
    tokenUrl: tokenUrl ? requireTokenUrl(tokenUrl) : found.token_endpoint,
    revokeUrl: found.revocation_endpoint,
    issuer: found.issuer,
    issRequired: found.authorization_response_iss_parameter_supported,
    extra: { ...auth.extra, aud: fhirBase },
  };
}

const codeServer = (auth: LocatedCode): oauth.AuthorizationServer => ({
  ...server(auth.tokenUrl, auth.issuer),
  authorization_endpoint: auth.authorizeUrl,
  ...(auth.revokeUrl && { revocation_endpoint: auth.revokeUrl }),
  ...(auth.issRequired && { authorization_response_iss_parameter_supported: true }),
});

function codeClient(auth: LocatedCode, nowMs: number) {
  const { clientId, clientSecret, style, signing, tokenUrl } = auth;
  const client = { client_id: clientId };
  if (style === "private_key_jwt" && signing) {
    const signer = { kind: "private_key_jwt" as const, clientId, ...signing, scope: "" };
    return { client, proof: byAssertion(() => clientAssertion(signer, tokenUrl, nowMs)) };
  }
  const proof =
    style === "none" || clientSecret === undefined
      ? oauth.None()
      : style === "basic"
        ? basicClient(clientId, clientSecret)
        : oauth.ClientSecretPost(clientSecret);
  return { client, proof };
}

/** RFC 7523 §2.2. */
function byAssertion(assert: () => Promise<string>): oauth.ClientAuth {
  return async (_as, _client, body) => {
    body.set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    body.set("client_assertion", await assert());
  };
}

/** Where to send the person's browser, and the secret to keep until they come back. */
export async function startAuthorization(
  auth: LocatedCode,
  { redirectUri, state }: { redirectUri: string; state: string },
): Promise<{ url: string; codeVerifier: string | undefined }> {
  const url = new URL(auth.authorizeUrl);
  const codeVerifier = auth.pkce ? oauth.generateRandomCodeVerifier() : undefined;
  const parameters: Record<string, string> = {
    ...auth.extra,
    response_type: "code",
    client_id: auth.clientId,
    redirect_uri: redirectUri,
    state,
    ...(auth.scopes.length && { scope: auth.scopes.join(auth.scopeSeparator ?? " ") }),
    ...(codeVerifier && {
      code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: "S256",
    }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return { url: url.href, codeVerifier };
}

export type Callback = {
  /** The query of the request to our redirect URI. */
  parameters: URLSearchParams;
  redirectUri: string;
  state: string;
  codeVerifier: string | undefined;
};

/** What comes of a person's grant ends in `invalid_grant` as the standard says, whatever else a vendor means by it. */
const ofGrant = (outlet: Outlet): Outlet => ({
  ...outlet,
  failure: (reply) =>
    standardFailure(reply)?.code === "invalid_grant" ? undefined : outlet.failure?.(reply),
});

/** Checks `state` and `iss` (RFC 9207) of the answer to an authorization, and exchanges its code. */
export async function exchangeCode(
  auth: LocatedCode,
  { parameters, redirectUri, state, codeVerifier }: Callback,
  outlet: Outlet,
): Promise<Token> {
  requireTokenUrl(auth.tokenUrl);
  const now = outlet.now ?? Date.now;
  const as = codeServer({ ...auth, issuer: auth.issuer ?? issuerAtHome(auth, parameters) });
  const { client, proof } = codeClient(auth, now());
  const answer = acceptAnswer(as, client, parameters, state);
  const reply = await checked(
    oauth
      .authorizationCodeGrantRequest(
        as,
        client,
        proof,
        answer,
        redirectUri,
        codeVerifier ?? oauth.nopkce,
        through(ofGrant(outlet)),
      )
      .then((response) => oauth.processAuthorizationCodeResponse(as, client, response)),
  );
  return toToken(reply, auth.scopes.join(" "), now());
}

/**
 * A server whose issuer is not known may name itself, if by an address of its own: the code of
 * another server is never sent to it (the mix-up of RFC 9207 §1).
 */
function issuerAtHome({ authorizeUrl, tokenUrl }: LocatedCode, parameters: URLSearchParams) {
  const iss = parameters.get("iss") ?? undefined;
  const home = [authorizeUrl, tokenUrl].map((url) => new URL(url).origin);
  return home.includes(URL.parse(iss ?? "")?.origin ?? "") ? iss : undefined;
}

function acceptAnswer(
  as: oauth.AuthorizationServer,
  client: oauth.Client,
  parameters: URLSearchParams,
  state: string,
) {
  try {
    return oauth.validateAuthResponse(as, client, parameters, state);
  } catch (error) {
    if (!(error instanceof oauth.AuthorizationResponseError))
      throw new VendorFailure("invalid_request", "The sign-in was not one that we started");
    const cause = causes[error.error] ?? "unexpected_reply";
    const vendorCode = error.error in causes ? error.error : undefined;
    throw new VendorFailure(cause, `${vendorCauses[cause].title} at sign-in`, { vendorCode });
  }
}

/**
 * RFC 6749 §6. A server that rotates answers a new refresh token: save it before the token is used.
 * `scope` is left out where the reply has none, since it is then what it was.
 */
export async function refreshGrant(
  auth: LocatedCode,
  refreshToken: string,
  outlet: Outlet,
): Promise<Token> {
  requireTokenUrl(auth.tokenUrl);
  const now = outlet.now ?? Date.now;
  const as = codeServer(auth);
  const { client, proof } = codeClient(auth, now());
  const reply = await checked(
    oauth
      .refreshTokenGrantRequest(as, client, proof, refreshToken, through(ofGrant(outlet)))
      .then((response) => oauth.processRefreshTokenResponse(as, client, response)),
  );
  const token = toToken(reply, undefined, now());
  return { ...token, refreshToken: token.refreshToken ?? refreshToken };
}

/**
 * RFC 7009, or the vendor's own way. Answers false where the vendor has no revocation endpoint.
 * Servers differ in whether one token takes the other with it, so that both are revoked.
 */
export async function revokeGrant(
  auth: LocatedCode,
  token: Token,
  outlet: Outlet,
): Promise<boolean> {
  const { revokeUrl } = auth;
  if (!revokeUrl) return false;
  requireTokenUrl(revokeUrl);
  if (auth.revocation) {
    const { headers, form } = auth.revocation(token);
    await ask(
      revokeUrl,
      { method: "POST", headers: formHeaders(headers), body: formOf(form) },
      outlet,
    );
    return true;
  }
  const as = codeServer(auth);
  const { client, proof } = codeClient(auth, (outlet.now ?? Date.now)());
  const kinds = [
    ["refresh_token", token.refreshToken],
    ["access_token", token.accessToken],
  ] as const;
  for (const [hint, value] of kinds)
    if (value !== undefined)
      await oauth.revocationRequest(as, client, proof, value, {
        ...through(outlet),
        additionalParameters: { token_type_hint: hint },
      });
  return true;
}

const formOf = (form: Readonly<Record<string, string>>) => new URLSearchParams(form).toString();
const formHeaders = (headers: Readonly<Record<string, string>> | undefined) => ({
  "content-type": "application/x-www-form-urlencoded",
  accept: "application/json",
  ...headers,
});

import { createHash } from "node:crypto";

import { html } from "hono/html";

import type { LocatedCode } from "../../handlers/oauth.ts";
import { basicCredentials, bearerToken, type idSequence, isSame, unixNow } from "../define.ts";

type Code = { app: string; redirect: string; challenge: string | null; scope: string };
/** Everything that came of one code. */
type Family = {
  app: string;
  scope: string;
  refreshTokens: Set<string>;
  accessTokens: Set<string>;
};

export type CodeOptions = {
  /** Asks the person in the browser; without it everybody has already agreed. */
  consent?: { vendor: string };
  accessToken?: () => string;
  lifetimeSeconds?: number | undefined;
  /** A refresh token that is used twice ends all that came of its code (RFC 9700 §4.14.2). */
  revokesFamily?: boolean;
  /** Which apps there are, and which of them proves itself by a request, where it is not the one with the secret. */
  apps?: {
    has: (clientId: string) => boolean;
    prove: (request: Request) => Promise<string | undefined>;
  };
  /** Of the form that the vendor answers; the standard's members are merged over it. */
  extra?: Readonly<Record<string, unknown>>;
};

function consentPage(vendor: string, query: URLSearchParams, separator: string) {
  const decide = (decision: string) =>
    `?${new URLSearchParams([...query, ["decision", decision]])}`;
  const scopes = (query.get("scope") ?? "").split(separator).filter(Boolean);
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${vendor} (simulated)</title>
        <link rel="icon" href="data:," />
        <style>
          body {
            font:
              16px/1.5 system-ui,
              sans-serif;
            max-width: 32rem;
            margin: 4rem auto;
            padding: 0 1rem;
          }
          a {
            display: inline-block;
            padding: 0.6rem 1.2rem;
            border: 1px solid;
            border-radius: 0.5rem;
          }
        </style>
      </head>
      <body>
        <p>Simulated ${vendor}: nothing here is real.</p>
        <h1>EHRConnect asks for access</h1>
        <ul>
          ${scopes.map((scope) => html`<li><code>${scope}</code></li>`)}
        </ul>
        <p><a href="${decide("allow")}">Allow</a> <a href="${decide("deny")}">Deny</a></p>
      </body>
    </html>`;
  return new Response(String(page), { headers: { "content-type": "text/html; charset=utf-8" } });
}

/** Without addresses it is not asked to `serve`, and with `apps` none of its own is needed. */
type Registration = Omit<LocatedCode, "authorizeUrl" | "tokenUrl" | "clientId"> &
  Partial<LocatedCode>;

/** An authorization server with rotating refresh tokens (RFC 6749 §4.1, RFC 7636, RFC 7009, RFC 9207). */
export function newCodes(
  auth: Registration,
  ids: ReturnType<typeof idSequence>,
  options: CodeOptions = {},
) {
  const { consent, accessToken = () => ids.letters("", 40), lifetimeSeconds = 3600 } = options;
  const withSecret: NonNullable<CodeOptions["apps"]> = {
    has: (clientId) => clientId === auth.clientId,
    async prove(request) {
      const form = new URLSearchParams(await request.text());
      const given = basicCredentials(request);
      const isProved =
        (given?.user ?? form.get("client_id")) === auth.clientId &&
        (auth.style === "none" ||
          isSame(auth.clientSecret, given?.password ?? form.get("client_secret")));
      return isProved ? auth.clientId : undefined;
    },
  };
  const { apps = withSecret } = options;
  const codes = new Map<string, Code>();
  const families = new Map<string, Family>();
  const accessTokens = new Map<string, { until: number; scope: string }>();
  const refuse = (error: string, status = 400) => Response.json({ error }, { status });

  function authorize(query: URLSearchParams): Response {
    const redirect = query.get("redirect_uri");
    const app = query.get("client_id") ?? "";
    if (!apps.has(app) || redirect === null || !URL.canParse(redirect))
      return new Response("unknown client or redirect_uri", { status: 400 });
    const back = new URL(redirect);
    const state = query.get("state");
    if (state !== null) back.searchParams.set("state", state);
    if (auth.issuer) back.searchParams.set("iss", auth.issuer);
    const challenge = query.get("code_challenge");
    const isComplete =
      query.get("response_type") === "code" &&
      (!auth.pkce || (challenge !== null && query.get("code_challenge_method") === "S256"));
    const decision = consent ? query.get("decision") : "allow";
    if (!isComplete) back.searchParams.set("error", "invalid_request");
    else if (consent && decision === null)
      return consentPage(consent.vendor, query, auth.scopeSeparator ?? " ");
    else if (decision !== "allow") back.searchParams.set("error", "access_denied");
    else {
      const code = ids.letters("", 32);
      codes.set(code, { app, redirect, challenge, scope: query.get("scope") ?? "" });
      back.searchParams.set("code", code);
    }
    return Response.redirect(back, 302);
  }

  function grant(family: Family): Response {
    const { scope } = family;
    const [access_token, refresh_token] = [accessToken(), ids.letters("", 40)];
    accessTokens.set(access_token, { until: unixNow() + lifetimeSeconds, scope });
    family.accessTokens.add(access_token);
    family.refreshTokens.add(refresh_token);
    families.set(refresh_token, family);
    return Response.json(
      {
        token_type: "Bearer",
        ...options.extra,
        access_token,
        refresh_token,
        expires_in: lifetimeSeconds,
        scope,
      },
      { headers: { "cache-control": "no-store" } },
    );
  }

  function end(family: Family) {
    for (const each of family.accessTokens) accessTokens.delete(each);
    family.refreshTokens.clear();
  }

  async function token(request: Request): Promise<Response> {
    const app = await apps.prove(request.clone());
    if (app === undefined) return refuse("invalid_client", 401);
    const form = new URLSearchParams(await request.text());
    if (form.get("grant_type") === "authorization_code") {
      const code = codes.get(form.get("code") ?? "");
      codes.delete(form.get("code") ?? "");
      const challenge = createHash("sha256")
        .update(form.get("code_verifier") ?? "")
        .digest("base64url");
      const isGood =
        code &&
        code.app === app &&
        code.redirect === form.get("redirect_uri") &&
        (code.challenge === null || code.challenge === challenge);
      if (!isGood) return refuse("invalid_grant");
      return grant({ app, scope: code.scope, refreshTokens: new Set(), accessTokens: new Set() });
    }
    if (form.get("grant_type") !== "refresh_token") return refuse("unsupported_grant_type");
    const used = form.get("refresh_token") ?? "";
    const family = families.get(used);
    if (family?.app !== app) return refuse("invalid_grant");
    // Each refresh token works once, so that a lost rotation shows.
    if (!family.refreshTokens.delete(used)) {
      if (options.revokesFamily) end(family);
      return refuse("invalid_grant");
    }
    return grant(family);
  }

  async function revoke(request: Request): Promise<Response> {
    const revoked = new URLSearchParams(await request.text()).get("token") ?? "";
    accessTokens.delete(revoked);
    const family = families.get(revoked);
    if (family) end(family);
    return new Response(null, { status: 200 });
  }

  const standing = (value: string | undefined) => {
    const found = accessTokens.get(value ?? "");
    return found && found.until > unixNow() ? found : undefined;
  };

  return {
    authorize,
    token,
    revoke,
    async serve(request: Request): Promise<Response | undefined> {
      const url = new URL(request.url);
      const at = url.origin + url.pathname;
      const bare = (address: string | undefined) => address?.split("?")[0];
      if (request.method === "GET" && at === bare(auth.authorizeUrl))
        return authorize(url.searchParams);
      if (request.method === "POST" && at === bare(auth.tokenUrl)) return token(request);
      if (request.method === "POST" && at === bare(auth.revokeUrl)) return revoke(request);
      return undefined;
    },
    isAllowed: (request: Request) => standing(bearerToken(request)) !== undefined,
    /** What a person has allowed; undefined where the token is none of ours. */
    scopeOf: (accessToken: string | undefined) => standing(accessToken)?.scope,
    end: (accessToken: string) => {
      accessTokens.delete(accessToken);
    },
    expireTokens: () => accessTokens.clear(),
    reset() {
      codes.clear();
      families.clear();
      accessTokens.clear();
    },
  };
}

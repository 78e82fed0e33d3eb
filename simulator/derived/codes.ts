import { createHash } from "node:crypto";

import type { AuthorizationCode } from "../../handlers/oauth.ts";
import { basicCredentials, bearerToken, type idSequence, isSame, unixNow } from "../define.ts";

type Code = { redirect: string; challenge: string | null; scope: string };

/** An authorization server where everybody has already agreed (RFC 6749 §4.1, RFC 7636). */
export function newCodes(auth: AuthorizationCode, ids: ReturnType<typeof idSequence>) {
  const codes = new Map<string, Code>();
  const refreshTokens = new Map<string, string>();
  const accessTokens = new Map<string, number>();
  const refuse = (error: string, status = 400) => Response.json({ error }, { status });

  function authorize(query: URLSearchParams): Response {
    const redirect = query.get("redirect_uri");
    if (query.get("client_id") !== auth.clientId || redirect === null || !URL.canParse(redirect))
      return new Response("unknown client or redirect_uri", { status: 400 });
    const back = new URL(redirect);
    const state = query.get("state");
    if (state !== null) back.searchParams.set("state", state);
    if (auth.issuer) back.searchParams.set("iss", auth.issuer);
    const challenge = query.get("code_challenge");
    const isComplete =
      query.get("response_type") === "code" &&
      (!auth.pkce || (challenge !== null && query.get("code_challenge_method") === "S256"));
    if (!isComplete) back.searchParams.set("error", "invalid_request");
    else {
      const code = ids.letters("", 32);
      codes.set(code, { redirect, challenge, scope: query.get("scope") ?? "" });
      back.searchParams.set("code", code);
    }
    return Response.redirect(back, 302);
  }

  function grant(scope: string): Response {
    const [access_token, refresh_token] = [ids.letters("", 40), ids.letters("", 40)];
    accessTokens.set(access_token, unixNow() + 3600);
    refreshTokens.set(refresh_token, scope);
    return Response.json(
      { access_token, refresh_token, token_type: "Bearer", expires_in: 3600, scope },
      { headers: { "cache-control": "no-store" } },
    );
  }

  async function token(request: Request): Promise<Response> {
    const form = new URLSearchParams(await request.text());
    const given = basicCredentials(request);
    const isClient =
      (given?.user ?? form.get("client_id")) === auth.clientId &&
      (auth.style === "none" ||
        isSame(auth.clientSecret, given?.password ?? form.get("client_secret")));
    if (!isClient) return refuse("invalid_client", 401);
    if (form.get("grant_type") === "authorization_code") {
      const code = codes.get(form.get("code") ?? "");
      codes.delete(form.get("code") ?? "");
      const challenge = createHash("sha256")
        .update(form.get("code_verifier") ?? "")
        .digest("base64url");
      const isGood =
        code &&
        code.redirect === form.get("redirect_uri") &&
        (code.challenge === null || code.challenge === challenge);
      return isGood ? grant(code.scope) : refuse("invalid_grant");
    }
    if (form.get("grant_type") !== "refresh_token") return refuse("unsupported_grant_type");
    const used = form.get("refresh_token") ?? "";
    const scope = refreshTokens.get(used);
    // Each refresh token works once, so that a lost rotation shows.
    refreshTokens.delete(used);
    return scope === undefined ? refuse("invalid_grant") : grant(scope);
  }

  async function revoke(request: Request): Promise<Response> {
    const revoked = new URLSearchParams(await request.text()).get("token") ?? "";
    accessTokens.delete(revoked);
    refreshTokens.delete(revoked);
    return new Response(null, { status: 200 });
  }

  return {
    async serve(request: Request): Promise<Response | undefined> {
      const url = new URL(request.url);
      const at = url.origin + url.pathname;
      const bare = (address: string) => address.split("?")[0];
      if (request.method === "GET" && at === bare(auth.authorizeUrl))
        return authorize(url.searchParams);
      if (request.method === "POST" && at === bare(auth.tokenUrl)) return token(request);
      if (request.method === "POST" && auth.revokeUrl && at === bare(auth.revokeUrl))
        return revoke(request);
      return undefined;
    },
    isAllowed: (request: Request) =>
      (accessTokens.get(bearerToken(request) ?? "") ?? 0) > unixNow(),
    expireTokens: () => accessTokens.clear(),
    reset() {
      codes.clear();
      refreshTokens.clear();
      accessTokens.clear();
    },
  };
}

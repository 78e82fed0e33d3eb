import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { uint8ArrayToBase64 } from "uint8array-extras";

import { logActivity } from "../db/activity.ts";
import { addState, getGrant, removeGrant, replaceGrant, takeState } from "../db/grants.ts";
import { getIntegration, type Integration } from "../db/integrations.ts";
import { OrgDb, runSystem } from "../db/org.ts";
import type { Envelope } from "../db/schema.ts";
import type { AnyVendor } from "../handlers/define.ts";
import {
  type Endpoints,
  exchangeCode,
  locateCode,
  startAuthorization,
  type Token,
} from "../handlers/oauth.ts";
import { sha256Hex } from "../handlers/signature.ts";
import { Problem, VendorFailure } from "../problem.ts";
import { chooseOrg, clientIp, guarded, permissions, readCredential } from "./access.ts";
import { forget, objectOf } from "./calls.ts";
import { check } from "./checks.ts";
import { openValues } from "./credentials.ts";
import type { Env, Settings } from "./env.ts";
import { grantView, GrantView, missingScopes } from "./grant-view.ts";
import {
  clientOf,
  type CodeAuth,
  codeOf,
  endpointsOf,
  outletOf,
  type Revocation,
  scopesOf,
  tokenSet,
} from "./grants.ts";
import { type AppEnv, ById, json, newApp, toProblem } from "./http.ts";
import { mustLoadVendor } from "./vendors.ts";

const stateLivesSeconds = 600;
/** How long a person looks at an empty page while the vendor is tried. */
const patienceMs = 5_000;
const permission = "integrations:write";

const OrgId = z.union([z.uuid(), z.literal("")]).optional();

const start = createRoute({
  method: "post",
  path: "/{id}/oauth/start",
  operationId: "startSignIn",
  summary: "Begin to connect an integration by a sign-in at its vendor",
  ...guarded(permission),
  request: {
    params: ById,
    body: {
      content: {
        "application/json": {
          schema: z.strictObject({
            org_id: OrgId,
            /** A path of this site to come back to; default is the integration's page. */
            return_to: z.string().max(500).optional(),
          }),
        },
      },
    },
  },
  responses: {
    200: json(
      z.object({
        success: z.literal(true),
        data: z.object({ authorization_url: z.url(), expires_at: z.iso.datetime() }),
      }),
      "Where to send the browser that made this request; good for ten minutes and one sign-in",
    ),
  },
});
const disconnect = createRoute({
  method: "post",
  path: "/{id}/oauth/disconnect",
  operationId: "disconnect",
  summary: "Revoke the sign-in at the vendor and forget it",
  ...guarded(permission),
  request: { params: ById },
  responses: {
    200: json(
      z.object({
        success: z.literal(true),
        data: z.object({
          id: z.uuid(),
          revocation: z.enum(["revoked", "unsupported", "failed", "nothing"]),
          grant: GrantView.nullable(),
        }),
        message: z.string(),
      }),
      "Disconnected; `revocation` says whether the vendor confirmed it",
    ),
  },
});

const randomText = () =>
  uint8ArrayToBase64(crypto.getRandomValues(new Uint8Array(32)), { urlSafe: true });

/** Browsers take a `__Host-` cookie only over https, for this host alone. */
const browserCookie = ({ PUBLIC_URL }: Settings) =>
  PUBLIC_URL.startsWith("https:") ? "__Host-oauth-browser" : "oauth-browser";

const redirectUriOf = ({ PUBLIC_URL }: Settings) => `${PUBLIC_URL}/oauth/callback`;
const pageOf = (integrationId: string) => `/integrations/view/?id=${integrationId}`;

/** A page of this site, however the path is written; undefined for anything else. */
function ownPage(path: string, publicUrl: string): URL | undefined {
  // eslint-disable-next-line no-control-regex -- browsers drop some of these, so that the rest changes its meaning
  if (!/^\/(?![/\\])[^\\\u0000-\u0020\u007f]*$/.test(path)) return undefined;
  const url = URL.parse(path, publicUrl);
  if (url?.origin !== new URL(publicUrl).origin) return undefined;
  return /^\/+(?:api|oauth|webhooks)(?:\/|$)/i.test(url.pathname) ? undefined : url;
}

/** In development the browser finds the vendors' pages at the simulator. */
function forBrowser(url: string, { SIMULATOR_URL }: Settings): string {
  if (!SIMULATOR_URL) return url;
  const { host, pathname, search } = new URL(url);
  return `${SIMULATOR_URL}/${host}${pathname}${search}`;
}

type Sealed = { codeVerifier: string | undefined; endpoints: Endpoints };

/** Why a sign-in came to nothing, for the page that explains it; nothing that the vendor wrote. */
export type SignInError =
  | "state"
  | "expired"
  | "browser"
  | "session"
  | "changed"
  | "issuer"
  | "access_denied"
  | "scope"
  | "client"
  | "refused"
  | "unavailable"
  | "unexpected";

function errorOf(failure: VendorFailure): SignInError {
  const { vendorCode, vendorStatus } = failure;
  if (vendorCode === "access_denied") return "access_denied";
  switch (failure.failure) {
    case "invalid_request":
      return vendorCode === undefined && vendorStatus === undefined ? "issuer" : "refused";
    case "forbidden":
      return "scope";
    case "not_configured":
      return "issuer";
    case "credentials_rejected":
      return "client";
    case "rate_limited":
    case "timeout":
    case "vendor_unavailable":
      return "unavailable";
    case "unexpected_reply":
      return "unexpected";
    case "credentials_expired":
    case "not_found":
      return "refused";
  }
}

async function mustBeCode(env: Env, vendor: AnyVendor, row: Integration): Promise<CodeAuth> {
  const code = await codeOf(row, vendor, await openValues(env.vault, row));
  if (code) return code;
  throw new Problem(
    "invalid_request",
    `This integration is not set up to be connected by a sign-in at ${vendor.name}`,
  );
}

type State = {
  id: string;
  org_id: string;
  user_id: string;
  integration_id: string;
  sealed: Envelope;
  browser_hash: string;
  bound_to: string;
  redirect_uri: string;
  return_to: string;
  expired: boolean;
};

type C = Context<AppEnv>;

/** Back to the site, always by an address of its own. */
function back(
  c: C,
  returnTo: string,
  outcome: { connected: "1" } | { oauth_error: SignInError },
): Response {
  const { PUBLIC_URL } = c.env.settings;
  const url = ownPage(returnTo, PUBLIC_URL) ?? new URL("/integrations/", PUBLIC_URL);
  for (const [name, value] of Object.entries(outcome)) url.searchParams.set(name, value);
  return c.redirect(url.href, 303);
}

/** The session's own membership and role in the org that the state names, or undefined. */
async function openAs(c: C, state: State): Promise<OrgDb | undefined> {
  const { session: sessionToken } = (await readCredential(c)) ?? {};
  if (!sessionToken) return undefined;
  const db = new OrgDb(c.env.client, {
    sessionToken,
    orgId: state.org_id,
    roles: permissions[permission],
    scope: permission,
    ip: clientIp(c),
    requestId: c.var.requestId,
  });
  try {
    const { userId } = await db.authenticate();
    return userId === state.user_id ? db : undefined;
  } catch (error) {
    const { code } = toProblem(error);
    if (code === "unauthenticated" || code === "forbidden") return undefined;
    throw error;
  }
}

async function finish(c: C): Promise<Response> {
  const { settings } = c.env;
  const parameters = new URL(c.req.url).searchParams;
  const given = parameters.get("state") ?? "";
  const [[taken] = []] = await runSystem(c.env.client, takeState(await sha256Hex(given)));
  const state = taken as State | undefined;
  if (!state) return back(c, "/integrations/", { oauth_error: "state" });
  const cookie = getCookie(c, browserCookie(settings)) ?? "";
  if ((await sha256Hex(cookie)) !== state.browser_hash)
    return back(c, "/integrations/", { oauth_error: "browser" });
  const db = await openAs(c, state);
  if (!db) return back(c, "/integrations/", { oauth_error: "session" });

  const [[row]] = await db.run(getIntegration(db, state.integration_id));
  if (!row) return back(c, "/integrations/", { oauth_error: "state" });
  const fail = async (error: SignInError, failure?: VendorFailure) => {
    await db.run(
      logActivity(db, {
        integrationId: row.id,
        vendorId: row.vendorId,
        activityType: "connect_failed",
        status: "failure",
        details: { reason: error, cause: failure?.failure, vendor_code: failure?.vendorCode },
        errorMessage: failure?.message ?? null,
      }),
    );
    return back(c, state.return_to, { oauth_error: error });
  };
  if (state.expired) return fail("expired");
  const vendor = await mustLoadVendor(row.vendorId);
  const code = await codeOf(row, vendor, await openValues(c.env.vault, row));
  if (code?.boundTo !== state.bound_to) return fail("changed");
  const owner = { orgId: state.org_id, id: state.id };
  const { codeVerifier, endpoints } = await c.env.vault.open<Sealed>(owner, state.sealed);
  let token: Token;
  try {
    token = await exchangeCode(
      { ...(await clientOf(c.env, row.orgId, code.auth)), ...endpoints },
      { parameters, redirectUri: state.redirect_uri, state: given, codeVerifier },
      outletOf(c.env, vendor),
    );
  } catch (error) {
    if (!(error instanceof VendorFailure)) throw error;
    return fail(errorOf(error), error);
  }
  await keep(c, db, row, { code, token, endpoints });
  return back(c, state.return_to, { connected: "1" });
}

async function keep(
  c: C,
  db: OrgDb,
  row: Integration,
  { code, token, endpoints }: { code: CodeAuth; token: Token; endpoints: Endpoints },
) {
  const id = crypto.randomUUID();
  const held = { token, fetchedAt: Date.now(), endpoints };
  const set = await tokenSet(await c.env.vault.prepare({ orgId: row.orgId, id }), held);
  const scopesAsked = [...code.auth.scopes];
  await db.run(
    ...replaceGrant(db, {
      ...set,
      id,
      integrationId: row.id,
      status: "connected",
      boundTo: code.boundTo,
      scopesAsked,
      connectedBy: db.actor.userId,
    }),
    logActivity(db, {
      integrationId: row.id,
      vendorId: row.vendorId,
      activityType: "connected",
      status: "success",
      details: {
        scopes_granted: set.scopesGranted,
        missing: missingScopes(scopesAsked, scopesOf(token.scope)),
        refreshes: set.refreshable,
      },
    }),
  );
  await forget(c.env, row);
  if (!row.enabled) return;
  // What was red for want of a sign-in shows at once that it works again, or why not.
  const checked = check(c.env, db, row, true).catch(() => undefined);
  c.executionCtx.waitUntil(checked);
  await Promise.race([checked, new Promise((resolve) => setTimeout(resolve, patienceMs))]);
}

const revoked: Record<Revocation, (vendor: string) => string> = {
  revoked: (vendor) => `Disconnected; ${vendor} confirmed that its access tokens are void`,
  unsupported: (vendor) =>
    `Disconnected. ${vendor} has no way to be told: remove EHRConnect in your settings there too`,
  failed: (vendor) =>
    `Disconnected, but ${vendor} did not confirm it: remove EHRConnect in your settings there too`,
  nothing: () => "Disconnected; there was no valid sign-in to revoke",
};

/** Revokes at the vendor if there is something to revoke; never keeps a deletion from happening. */
export async function revoke(env: Env, row: Integration): Promise<Revocation> {
  return objectOf(env, row.id)
    .revoke(row.orgId, row.id)
    .catch(() => "failed");
}

export const oauthRoutes = newApp()
  .openapi(start, async (c) => {
    const { db } = c.var;
    const { id } = c.req.valid("param");
    const { settings, vault } = c.env;
    const input = c.req.valid("json") ?? {};
    chooseOrg(c, input.org_id);
    const [[row]] = await db.run(getIntegration(db, id));
    if (!row) throw new Problem("not_found");
    const { orgId, userId } = db.actor;
    if (!userId)
      throw new Problem("forbidden", "An API key has no browser: sign in to connect a vendor");
    const returnTo = input.return_to || pageOf(id);
    if (!ownPage(returnTo, settings.PUBLIC_URL))
      throw new Problem("invalid_request", "return_to: Not a page of this site", {
        errors: [{ path: "return_to", message: "Not a page of this site" }],
      });
    const vendor = await mustLoadVendor(row.vendorId);
    const code = await mustBeCode(c.env, vendor, row);
    // A key that is gone, or of another kind, is told of before anybody signs in.
    await clientOf(c.env, orgId, code.auth);
    const auth = await locateCode(code.auth, code.baseUrl, outletOf(c.env, vendor));
    const state = randomText();
    const redirectUri = redirectUriOf(settings);
    const { url, codeVerifier } = await startAuthorization(auth, { redirectUri, state });

    const name = browserCookie(settings);
    const before = getCookie(c, name) ?? "";
    // Kept while it lives, so that two sign-ins side by side do not spoil each other.
    const browser = /^[\w-]{43}$/.test(before) ? before : randomText();
    const stateId = crypto.randomUUID();
    const expiresAt = new Date(Date.now() + stateLivesSeconds * 1000);
    await db.run(
      addState(db, {
        id: stateId,
        stateHash: await sha256Hex(state),
        userId,
        integrationId: id,
        sealed: await vault.seal({ orgId, id: stateId }, {
          codeVerifier,
          endpoints: endpointsOf(auth),
        } satisfies Sealed),
        browserHash: await sha256Hex(browser),
        boundTo: code.boundTo,
        redirectUri,
        returnTo,
        expiresAt,
      }),
      logActivity(db, {
        integrationId: id,
        vendorId: row.vendorId,
        activityType: "connect_started",
        status: "success",
        details: { scopes_asked: [...auth.scopes] },
      }),
    );
    setCookie(c, name, browser, {
      path: "/",
      httpOnly: true,
      secure: settings.PUBLIC_URL.startsWith("https:"),
      sameSite: "Lax",
      maxAge: stateLivesSeconds,
    });
    c.header("cache-control", "no-store");
    const data = {
      authorization_url: forBrowser(url, settings),
      expires_at: expiresAt.toISOString(),
    };
    return c.json({ success: true as const, data }, 200);
  })
  .openapi(disconnect, async (c) => {
    const { db } = c.var;
    const { id } = c.req.valid("param");
    const [[row], [grant]] = await db.run(getIntegration(db, id), getGrant(db, id));
    if (!row) throw new Problem("not_found");
    const vendor = await mustLoadVendor(row.vendorId);
    const revocation = grant ? await revoke(c.env, row) : "nothing";
    const message = revoked[revocation](vendor.name);
    await db.run(
      removeGrant(db, id),
      logActivity(db, {
        integrationId: id,
        vendorId: row.vendorId,
        activityType: "disconnected",
        status: revocation === "failed" ? "failure" : "success",
        details: { revocation },
        errorMessage: revocation === "failed" ? message : null,
      }),
    );
    await forget(c.env, row);
    const data = { id, revocation, grant: await grantView(c.env.vault, vendor, row, undefined) };
    return c.json({ success: true as const, data, message }, 200);
  });

/** The vendor sends the person's browser here. Whatever happens, a page of the site says it. */
export const callbackRoutes = newApp();
callbackRoutes.get("/oauth/callback", async (c) => {
  c.header("cache-control", "no-store");
  try {
    return await finish(c);
  } catch (error) {
    const { code } = toProblem(error);
    const { name } = error as Error;
    console.error(JSON.stringify({ level: "error", message: "sign-in failed", code, name }));
    return back(c, "/integrations/", { oauth_error: "unavailable" });
  }
});

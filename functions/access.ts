import type { Context } from "hono";
import { getConnInfo } from "hono/cloudflare-workers";
import { getSignedCookie } from "hono/cookie";
import { createMiddleware } from "hono/factory";
import { uint8ArrayToBase64 } from "uint8array-extras";
import * as z from "zod";

import { OrgDb } from "../db/org.ts";
import { Problem } from "../problem.ts";
import type { AppEnv } from "./http.ts";

export const roles = ["owner", "admin", "member", "viewer"] as const;
export type Role = (typeof roles)[number];

/** What a route demands: the API key's scope, and the roles whose people may call it. */
export const permissions = {
  "integrations:read": ["owner", "admin", "member", "viewer"],
  "integrations:write": ["owner", "admin"],
  "integrations:test": ["owner", "admin", "member"],
  "integrations:execute": ["owner", "admin", "member"],
  "activity:read": ["owner", "admin", "member", "viewer"],
  "events:read": ["owner", "admin", "member", "viewer"],
  "events:write": ["owner", "admin"],
  "events:replay": ["owner", "admin", "member"],
  "destinations:read": ["owner", "admin", "member", "viewer"],
  "destinations:write": ["owner", "admin"],
  "signing-keys:read": ["owner", "admin", "member", "viewer"],
  "signing-keys:write": ["owner", "admin"],
} as const satisfies Record<string, readonly Role[]>;
export type Permission = keyof typeof permissions;

/** Only people may: a key can neither make keys nor change how people sign in. */
export const forPeople = {
  "keys:read": ["owner", "admin"],
  "keys:write": ["owner", "admin"],
  "sso:read": ["owner", "admin"],
  "sso:write": ["owner", "admin"],
  "erasure:write": ["owner", "admin"],
} as const satisfies Record<string, readonly Role[]>;
type AnyPermission = Permission | keyof typeof forPeople;
const rolesOf: Readonly<Record<AnyPermission, readonly Role[]>> = { ...permissions, ...forPeople };

export const sessionCookie = "better-auth.session_token";
/** Browsers keep a `__Secure-` cookie only if it came over https. */
export const secureSessionCookie = `__Secure-${sessionCookie}`;

/** The form in which Better Auth stores an API key: base64url of its SHA-256, unpadded. */
export async function hashKey(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  return uint8ArrayToBase64(digest, { urlSafe: true });
}

const Uuid = z.uuid();

/** A body of more bytes is read for a credential that has been proved. */
export const readUnproved = 1024 * 1024;

/**
 * The token of the session whose cookie the request carries; the cookie's own signature is checked.
 * Over https only the `__Secure-` one counts: any neighbour on a subdomain could have set the other.
 */
export async function readSession(c: Context<AppEnv>): Promise<string | undefined> {
  const { AUTH_SECRET, PUBLIC_URL } = c.env.settings;
  const name = PUBLIC_URL.startsWith("https://") ? secureSessionCookie : sessionCookie;
  return (await getSignedCookie(c, AUTH_SECRET, name)) || undefined;
}

/** What the request proves itself by, not yet checked beyond the cookie's own signature. */
export async function readCredential(
  c: Context<AppEnv>,
): Promise<{ key?: string; session?: string } | undefined> {
  const bearer = /^Bearer ([\w.~+/=-]{8,512})$/i.exec(c.req.header("authorization") ?? "")?.[1];
  const key = bearer ?? c.req.header("x-api-key");
  if (key) return { key };
  const session = await readSession(c);
  return session ? { session } : undefined;
}

type Credential = NonNullable<Awaited<ReturnType<typeof readCredential>>>;

const openDb = async (
  c: Context<AppEnv>,
  { key, session }: Credential,
  permission: AnyPermission,
  orgId: string | undefined,
) =>
  new OrgDb(c.env.client, {
    ...(key ? { keyHash: await hashKey(key) } : { sessionToken: session ?? "" }),
    orgId,
    roles: key && permission in forPeople ? [] : rolesOf[permission],
    scope: permission,
    ip: clientIp(c),
    requestId: c.var.requestId,
  });

/** For a request that turns out to need more than its route demands. Throws as the route's own check does. */
export async function alsoRequire(c: Context<AppEnv>, permission: Permission): Promise<void> {
  const credential = await readCredential(c);
  if (!credential) throw new Problem("unauthenticated");
  await (await openDb(c, credential, permission, c.var.db.actor.orgId)).authenticate();
}

const namedOrg = (c: Context<AppEnv>) =>
  c.req.header("x-org-id") || c.req.query("org_id") || undefined;

/** Whichever of two won, the other may be the one that was meant. */
function refuseTwoOrgs(one: string | undefined, other: string | undefined) {
  if (one && other && one.toLowerCase() !== other.toLowerCase())
    throw new Problem("forbidden", "The request names two organizations");
}

/** A body that names an org counts like the header; it must come before the first statement. */
export function chooseOrg(c: Context<AppEnv>, orgId: string | undefined): void {
  refuseTwoOrgs(namedOrg(c), orgId);
  c.var.db.chooseOrg(orgId || undefined);
}

/**
 * Opens the request's OrgDb. Nothing is read yet: the first statement that the route sends carries
 * the proof, so a request that does not send one at all is refused here, before its body is looked at.
 */
const access = (permission: AnyPermission) =>
  createMiddleware<AppEnv>(async function allow(c, next) {
    const { settings } = c.env;
    const credential = await readCredential(c);
    if (!credential) throw new Problem("unauthenticated");
    if (credential.session)
      refuseForeignOrigin(c.req.raw, settings.PUBLIC_URL, settings.allowedOrigins);

    const orgId = namedOrg(c);
    refuseTwoOrgs(orgId, c.req.query("org_id"));
    if (orgId && !Uuid.safeParse(orgId).success)
      throw new Problem("invalid_request", "The organization id is not a UUID", {
        errors: [{ path: c.req.header("x-org-id") ? "x-org-id" : "org_id", message: "Not a UUID" }],
      });
    c.set("db", await openDb(c, credential, permission, orgId));
    if (Number(c.req.header("content-length") ?? 0) > readUnproved) await c.var.db.authenticate();
    await next();
  });

/** For a route's contract: who may call it, enforced and written into the OpenAPI document. */
export const guarded = <P extends AnyPermission>(permission: P) =>
  ({ middleware: access(permission), "x-permission": permission }) as const;

/** Cookies travel with cross-site requests, so a change must come from a page of ours (RFC 6454). */
function refuseForeignOrigin(request: Request, publicUrl: string, allowed: readonly string[]) {
  if (request.method === "GET" || request.method === "HEAD") return;
  const origin = request.headers.get("origin");
  if (origin && origin !== new URL(publicUrl).origin && !allowed.includes(origin))
    throw new Problem("forbidden", "This origin may not act for a signed-in user");
  if (!origin && request.headers.get("sec-fetch-site") === "cross-site")
    throw new Problem("forbidden", "Cross-site requests may not act for a signed-in user");
}

export function clientIp(c: Parameters<typeof getConnInfo>[0]): string | undefined {
  return getConnInfo(c).remote.address?.slice(0, 45);
}

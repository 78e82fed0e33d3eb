import type { GenericEndpointContext } from "better-auth";
import { APIError } from "better-auth/api";
import * as z from "zod";

import type { Client } from "../db/client.ts";
import { findInvitingOrg, findSsoSession } from "../db/sso-sessions.ts";

/**
 * What of Better Auth is served (the rest of it answers 404), and what a session that came by single
 * sign-on may do there: its organization's provider vouches for the person in that organization, and
 * must not come to act as them in another.
 * - `open`: needs no session, begins another one, or tells of this one only
 * - `org`: acts in an organization, for such a session its own
 * - `orgs`: lists the organizations, for such a session its own
 * - `invitation`: names an invitation, for such a session to its own organization
 * - `account`: holds in all organizations of the person, so that such a session's must be the only one
 * - `elsewhere`: leads to another organization, so not for such a session
 *
 * Left out on purpose: whatever needs an email to be sent, deleting an organization (its audit log
 * would go with it), and listing the invitations of an address that nobody has proved to be theirs.
 */
const served = {
  "/get-session": "open",
  "/sign-up/email": "open",
  "/sign-in/email": "open",
  "/sign-out": "open",
  "/change-password": "account",
  "/reset-password": "open",
  "/list-accounts": "account",
  "/list-sessions": "account",
  "/revoke-session": "account",
  "/revoke-other-sessions": "account",
  "/update-user": "account",
  "/two-factor/enable": "account",
  "/two-factor/disable": "account",
  "/two-factor/verify-totp": "account",
  "/two-factor/verify-backup-code": "account",
  "/two-factor/generate-backup-codes": "account",
  "/sso/start": "open",
  "/organization/create": "elsewhere",
  "/organization/update": "org",
  "/organization/list": "orgs",
  "/organization/set-active": "org",
  "/organization/get-active-member-role": "org",
  "/organization/list-members": "org",
  "/organization/update-member-role": "org",
  "/organization/remove-member": "org",
  "/organization/leave": "org",
  "/organization/invite-member": "org",
  "/organization/list-invitations": "org",
  "/organization/get-invitation": "invitation",
  "/organization/accept-invitation": "invitation",
  "/organization/reject-invitation": "invitation",
  "/organization/cancel-invitation": "invitation",
  "/organization/create-password-reset": "org",
} as const;
type Reach = (typeof served)[keyof typeof served];
const reaches = new Map<string, Reach>(Object.entries(served));

export const isServed = (path: string): boolean =>
  reaches.has(path) || /^\/sso\/callback\/[\da-f-]{36}$/.test(path);

const reachOf = (path: string): Reach =>
  path === "/sso/callback/:providerId" ? "open" : (reaches.get(path) ?? "elsewhere");

const refuse = (message: string) =>
  new APIError("FORBIDDEN", {
    code: "SSO_SESSION",
    message: `You came by single sign-on. ${message}`,
  });
const otherOrg = () =>
  refuse("It is good in its own organization only: sign in with your password for another.");

const valueOf = (from: unknown, name: string): unknown =>
  from instanceof Object ? Reflect.get(from, name) : undefined;

/** For one request: keeps its session within the organization whose single sign-on it came by. */
export const ssoReach = (client: Client) => {
  let carried: string | undefined;

  async function invitingOrg(id: unknown): Promise<string | undefined> {
    const { data } = z.uuid().safeParse(id);
    return data && (await findInvitingOrg(client, data));
  }

  /** Throws a 403, or answers in the endpoint's place, or lets it answer. */
  async function before(ctx: GenericEndpointContext): Promise<object | undefined> {
    const reach = reachOf(ctx.path);
    if (reach === "open") return undefined;
    // The very cookie that Better Auth reads, but an error here is not taken for "signed out".
    const { name } = ctx.context.authCookies.sessionToken;
    const token = await ctx.getSignedCookie(name, ctx.context.secret);
    const sso = token ? await findSsoSession(client, token) : undefined;
    if (!sso) return undefined;
    const given: unknown[] = [ctx.body, ctx.query];
    switch (reach) {
      case "account":
        if (sso.elsewhere)
          throw refuse(
            "Your account is good in other organizations too: sign in with your password to see or change it.",
          );
        carried = sso.orgId;
        return undefined;
      case "elsewhere":
        throw refuse("Sign in with your password to add an organization.");
      case "org":
        for (const from of given) {
          const [id, slug] = [valueOf(from, "organizationId"), valueOf(from, "organizationSlug")];
          if ((id ?? sso.orgId) !== sso.orgId || (slug ?? undefined) !== undefined)
            throw otherOrg();
        }
        return undefined;
      case "orgs":
        if (!sso.here) return [];
        return await ctx.context.adapter.findMany<object>({
          model: "organization",
          where: [{ field: "id", value: sso.orgId }],
        });
      case "invitation":
        for (const from of given)
          for (const id of [valueOf(from, "invitationId"), valueOf(from, "id")])
            if (id !== undefined && (await invitingOrg(id)) !== sso.orgId)
              throw refuse(
                "It is good in its own organization only: sign in with your password to open this invitation.",
              );
        return undefined;
    }
  }

  /** A new password or second step replaces the session: by one that reaches no further. */
  const beforeSession = async <S extends object>(session: S, ctx: GenericEndpointContext | null) =>
    carried && ctx && reachOf(ctx.path) === "account"
      ? { data: { ...session, ssoOrgId: carried } }
      : undefined;

  return { before, beforeSession };
};

export type SsoReach = ReturnType<typeof ssoReach>;

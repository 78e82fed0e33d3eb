import type { AuthContext, BetterAuthPlugin } from "better-auth";
import { APIError, createAuthEndpoint, getSessionFromCtx } from "better-auth/api";
import { expireCookie, setSessionCookie } from "better-auth/cookies";
import * as oauth from "oauth4webapi";
import * as z from "zod";

import type { Client } from "../db/client.ts";
import { findVerifiedProvider, markUsed, type SignInProvider } from "../db/identity-providers.ts";
import { joinBySignIn } from "../db/members.ts";
import { VendorFailure } from "../problem.ts";
import type { Env } from "./env.ts";
import {
  authorizationUrl,
  discover,
  identify,
  type Identity,
  newPending,
  ProviderRefused,
} from "./oidc.ts";

const lifetimeSeconds = 600;

/** Each provider has an address of its own, so that one cannot answer for another (RFC 9700, 4.4). */
export const callbackAddress = (publicUrl: string, providerId: string) =>
  `${publicUrl}/api/auth/sso/callback/${providerId}`;

/** What the sign-in page says about a sign-in that came to nothing. */
type Failure =
  | "sso_expired"
  | "sso_refused"
  | "sso_unavailable"
  | "sso_no_email"
  | "sso_email_unverified"
  | "sso_wrong_domain"
  | "sso_account_exists";

const Pending = z.object({
  providerId: z.string(),
  issuer: z.string(),
  clientId: z.string(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  next: z.string(),
});
const Members = z.array(z.object({ organizationId: z.string() }));

const domainOf = (email: string) => email.slice(email.lastIndexOf("@") + 1).toLowerCase();

/** Only ever a path of this site. */
const ownPath = (next: string) => (/^\/(?![/\\])[^\\\s]*$/.test(next) ? next : "/");

/** Signs people in at their organization's own OpenID provider, and makes them its members. */
export const ssoSignIn = (env: Env, client: Client, requestId: string) => {
  const publicUrl = env.settings.PUBLIC_URL;

  const start = createAuthEndpoint(
    "/sso/start",
    {
      method: "POST",
      body: z.strictObject({
        email: z.email().max(320),
        next: z.string().max(1000).default("/"),
      }),
    },
    async (ctx) => {
      const { email, next } = ctx.body;
      const provider = await findVerifiedProvider(client, { domain: domainOf(email) });
      if (!provider)
        throw new APIError("NOT_FOUND", {
          code: "SSO_NOT_CONFIGURED",
          message: "Single sign-on is not set up for this address. Sign in with your password.",
        });
      const server = await discover(env, provider.issuer).catch((error: unknown) => {
        if (!(error instanceof ProviderRefused)) throw error;
        throw new APIError("BAD_GATEWAY", {
          code: "SSO_UNAVAILABLE",
          message: "Your organization's sign-in does not answer. Try again.",
        });
      });
      const pending = newPending();
      await ctx.context.internalAdapter.createVerificationValue({
        identifier: `sso:${pending.state}`,
        value: JSON.stringify({
          ...pending,
          providerId: provider.id,
          issuer: provider.issuer,
          clientId: provider.clientId,
          next: ownPath(next),
        } satisfies z.infer<typeof Pending>),
        expiresAt: new Date(Date.now() + lifetimeSeconds * 1000),
      });
      const cookie = ctx.context.createAuthCookie("sso_state", { maxAge: lifetimeSeconds });
      await ctx.setSignedCookie(cookie.name, pending.state, ctx.context.secret, cookie.attributes);
      const redirectUri = callbackAddress(publicUrl, provider.id);
      return ctx.json({
        url: await authorizationUrl(server, provider.clientId, redirectUri, pending, email),
      });
    },
  );

  const callback = createAuthEndpoint(
    "/sso/callback/:providerId",
    { method: "GET", query: z.record(z.string(), z.unknown()) },
    async (ctx) => {
      const fail = (failure: Failure) => ctx.redirect(`${publicUrl}/sign-in/?error=${failure}`);
      const cookie = ctx.context.createAuthCookie("sso_state", { maxAge: lifetimeSeconds });
      const state = await ctx.getSignedCookie(cookie.name, ctx.context.secret);
      expireCookie(ctx, cookie);
      // The state is bound to this browser by the cookie, and counts once.
      if (!state || state !== ctx.query["state"]) throw fail("sso_expired");
      const kept = await ctx.context.internalAdapter.consumeVerificationValue(`sso:${state}`);
      if (!kept) throw fail("sso_expired");
      const pending = Pending.parse(JSON.parse(kept.value));
      const provider = await findVerifiedProvider(client, { id: pending.providerId });
      if (
        provider?.id !== ctx.params.providerId ||
        provider.issuer !== pending.issuer ||
        provider.clientId !== pending.clientId
      )
        throw fail("sso_expired");

      let identity: Identity;
      try {
        identity = await identify(
          env,
          await discover(env, provider.issuer),
          {
            clientId: provider.clientId,
            clientSecret: await env.vault.open<string>(provider, provider.clientSecret),
          },
          new URL(ctx.request?.url ?? ""),
          callbackAddress(publicUrl, provider.id),
          pending,
        );
      } catch (error) {
        const unavailable = error instanceof VendorFailure || error instanceof ProviderRefused;
        if (!unavailable && !isOauthError(error)) throw error;
        console.warn(
          JSON.stringify({
            level: "warn",
            message: "single sign-on failed",
            request_id: requestId,
            provider_id: provider.id,
            cause: error instanceof Error && "code" in error ? error.code : "unavailable",
          }),
        );
        throw fail(unavailable ? "sso_unavailable" : "sso_refused");
      }
      const email = identity.email?.toLowerCase();
      if (!email) throw fail("sso_no_email");
      if (identity.emailVerified === false) throw fail("sso_email_unverified");
      if (domainOf(email) !== provider.domain) throw fail("sso_wrong_domain");

      const signedInAs = (await getSessionFromCtx(ctx))?.user.id;
      const userId = await resolveUser(ctx.context, provider, { ...identity, email }, signedInAs);
      if (!userId) throw fail("sso_account_exists");
      await join(ctx.context, provider.orgId, userId, ctx.headers?.get("cf-connecting-ip"));
      const session = await ctx.context.internalAdapter.createSession(userId, false, {
        activeOrganizationId: provider.orgId,
        ssoOrgId: provider.orgId,
      });
      const user = await ctx.context.internalAdapter.findUserById(userId);
      if (!user) throw fail("sso_expired");
      await setSessionCookie(ctx, { session, user });
      await markUsed(client, provider.id);
      throw ctx.redirect(publicUrl + pending.next);
    },
  );

  const membershipsOf = async (context: AuthContext, userId: string) =>
    Members.parse(
      await context.adapter.findMany({
        model: "member",
        where: [{ field: "userId", value: userId }],
      }),
    );

  /**
   * The account of whoever the provider vouches for, made where there is none. An account that
   * exists is joined only if the provider's organization is its only one, or it is signed in right
   * now: a provider makes nobody of another organization its own without their doing. Where its
   * sessions reach, see functions/sso-reach.ts.
   */
  async function resolveUser(
    context: AuthContext,
    provider: SignInProvider,
    identity: Identity & { email: string },
    signedInAs: string | undefined,
  ): Promise<string | undefined> {
    const { internalAdapter } = context;
    const account = { providerId: `sso:${provider.id}`, accountId: identity.subject };
    const linked = await context.adapter.findOne<{ userId: string }>({
      model: "account",
      where: Object.entries(account).map(([field, value]) => ({ field, value })),
    });
    if (linked) return linked.userId;
    const existing = (await internalAdapter.findUserByEmail(identity.email))?.user;
    if (!existing) {
      const user = await internalAdapter.createUser(
        {
          email: identity.email,
          name: identity.name ?? identity.email,
          emailVerified: true,
        },
        { method: "sso-oidc" },
      );
      await internalAdapter.linkAccount({ ...account, userId: user.id });
      return user.id;
    }
    if (existing.id !== signedInAs) {
      const orgs = await membershipsOf(context, existing.id);
      if (orgs.some((one) => one.organizationId !== provider.orgId)) return undefined;
      // Nobody vouched for this account: whoever made it has never proved the address.
      if (!orgs.length) {
        await internalAdapter.deleteAccounts(existing.id);
        await internalAdapter.deleteUserSessions(existing.id);
        await context.adapter.deleteMany({
          model: "twoFactor",
          where: [{ field: "userId", value: existing.id }],
        });
        await internalAdapter.updateUser(existing.id, { twoFactorEnabled: false });
      }
    }
    await internalAdapter.updateUser(existing.id, {
      emailVerified: true,
    });
    await internalAdapter.linkAccount({ ...account, userId: existing.id });
    return existing.id;
  }

  async function join(
    context: AuthContext,
    orgId: string,
    userId: string,
    ip: string | null | undefined,
  ) {
    const orgs = await membershipsOf(context, userId);
    if (orgs.some((one) => one.organizationId === orgId)) return;
    await joinBySignIn(client, { orgId, userId, ip: ip ?? "", requestId });
  }

  return { id: "sso-sign-in", endpoints: { start, callback } } satisfies BetterAuthPlugin;
};

const isOauthError = (error: unknown) =>
  error instanceof oauth.OperationProcessingError ||
  error instanceof oauth.UnsupportedOperationError ||
  error instanceof oauth.AuthorizationResponseError ||
  error instanceof oauth.ResponseBodyError ||
  error instanceof oauth.WWWAuthenticateChallengeError;

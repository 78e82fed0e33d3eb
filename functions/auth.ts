import { betterAuth } from "better-auth";
import { drizzleAdapter } from "better-auth/adapters/drizzle";
import { createAccessControl } from "better-auth/plugins/access";
import { organization } from "better-auth/plugins/organization";
import {
  adminAc,
  defaultStatements,
  memberAc,
  ownerAc,
} from "better-auth/plugins/organization/access";
import { twoFactor } from "better-auth/plugins/two-factor";

import { countAttempt } from "../db/attempts.ts";
import { openClientWith } from "../db/client.ts";
import * as schema from "../db/schema.ts";
import { afterAuth, logPasswordReset } from "./auth-activity.ts";
import { beforeAuth } from "./auth-rules.ts";
import type { Env } from "./env.ts";
import { passwordResets } from "./password-resets.ts";
import { longestPassword, shortestPassword } from "./passwords.ts";
import { isServed, ssoReach } from "./sso-reach.ts";
import { ssoSignIn } from "./sso-sign-in.ts";

const control = createAccessControl(defaultStatements);
const roles = {
  owner: control.newRole({ ...ownerAc.statements }),
  admin: control.newRole({ ...adminAc.statements }),
  member: control.newRole({ ...memberAc.statements }),
  viewer: control.newRole({ ...memberAc.statements }),
};

const basePath = "/api/auth";

/** Serves `/api/auth/*`. Requests to the rest of the API never come here: see functions/access.ts. */
export async function handleAuth(
  env: Env,
  request: Request,
  { requestId, session }: { requestId: string; session: string | undefined },
): Promise<Response> {
  const path = new URL(request.url).pathname.slice(basePath.length);
  if (!isServed(path)) return new Response("Not Found", { status: 404 });
  const response = await openAuth(env, request, requestId, session).handler(request);
  const wait = response.headers.get("x-retry-after");
  if (!wait || response.headers.has("retry-after")) return response;
  const answer = new Response(response.body, response);
  answer.headers.set("retry-after", wait);
  return answer;
}

/** The first line only: what follows, and whatever else comes along, may quote values. */
function logLine(level: string, message: string, requestId: string) {
  const said = message.split("\n")[0]?.slice(0, 200);
  console.log(JSON.stringify({ level, message: "auth", request_id: requestId, said }));
}

/** What changes an organization is written to its audit log by the very statement that changes it. */
function audited(env: Env, request: Request, requestId: string, session: string | undefined) {
  const { client, settings } = env;
  const changes = request.method === "POST" && request.url.includes(`${basePath}/organization/`);
  if (!session || !changes) return client;
  return openClientWith(settings.DATABASE_URL, settings.DATABASE_ENDPOINT, {
    "app.session": session,
    "app.ip": request.headers.get("cf-connecting-ip") ?? "",
    "app.request_id": requestId,
  });
}

function openAuth(env: Env, request: Request, requestId: string, session: string | undefined) {
  const { settings, client } = env;
  const reach = ssoReach(client);
  const tries = (window: number, max: number) => ({ window, max });
  return betterAuth({
    appName: "EHRConnect",
    baseURL: settings.PUBLIC_URL,
    basePath,
    secret: settings.AUTH_SECRET,
    trustedOrigins: [...settings.allowedOrigins],
    database: drizzleAdapter(audited(env, request, requestId, session), {
      provider: "pg",
      schema: {
        user: schema.users,
        session: schema.sessions,
        account: schema.accounts,
        verification: schema.verifications,
        organization: schema.organizations,
        member: schema.members,
        invitation: schema.invitations,
        twoFactor: schema.twoFactors,
      },
      transaction: false,
    }),
    advanced: {
      // Random ids: who knows an invitation's id was given its link.
      database: { generateId: "uuid" },
      useSecureCookies: settings.PUBLIC_URL.startsWith("https://"),
      defaultCookieAttributes: { httpOnly: true, sameSite: "lax" },
      ipAddress: { ipAddressHeaders: ["cf-connecting-ip"] },
    },
    emailAndPassword: {
      enabled: true,
      minPasswordLength: shortestPassword,
      maxPasswordLength: longestPassword,
      revokeSessionsOnPasswordReset: true,
    },
    session: {
      expiresIn: 7 * 86_400,
      updateAge: 86_400,
      cookieCache: { enabled: false },
      additionalFields: { ssoOrgId: { type: "string", required: false, input: false } },
    },
    databaseHooks: { session: { create: { before: reach.beforeSession } } },
    // By address and path; by account see functions/auth-rules.ts.
    rateLimit: {
      enabled: true,
      customRules: {
        "/sign-in/email": tries(60, settings.LIMIT_SIGN_IN),
        "/sign-up/email": tries(60, settings.LIMIT_SIGN_IN),
        "/sso/start": tries(60, settings.LIMIT_SIGN_IN),
        "/two-factor/*": tries(60, settings.LIMIT_SIGN_IN),
        "/change-password": tries(60, settings.LIMIT_SIGN_IN),
        "/reset-password": tries(60, settings.LIMIT_SIGN_IN),
        "/organization/create": tries(3600, settings.LIMIT_SIGN_IN),
        "/organization/invite-member": tries(60, settings.LIMIT_SIGN_IN),
        // The rest is counted by functions/limits.ts.
        "/**": false,
      },
      customStorage: {
        async consume(key, { window, max }) {
          const { count, secondsLeft } = await countAttempt(client, key, window);
          return count <= max
            ? { allowed: true, retryAfter: null }
            : { allowed: false, retryAfter: secondsLeft };
        },
      },
    },
    telemetry: { enabled: false },
    logger: { level: "warn", log: (level, message) => logLine(level, message, requestId) },
    hooks: { before: beforeAuth(client, reach.before), after: afterAuth(client) },
    plugins: [
      organization({
        ac: control,
        roles,
        creatorRole: "owner",
        invitationExpiresIn: 7 * 86_400,
        cancelPendingInvitationsOnReInvite: true,
        membershipLimit: 10_000,
        invitationLimit: 1_000,
        organizationLimit: 20,
        disableOrganizationDeletion: true,
      }),
      twoFactor({ issuer: "EHRConnect" }),
      ssoSignIn(env, client, requestId),
      passwordResets(settings.PUBLIC_URL, (userId, ip, of) =>
        logPasswordReset(client, { userId, ip, requestId }, of),
      ),
    ],
  });
}

import { APIError, createAuthMiddleware, getSessionFromCtx } from "better-auth/api";
import { uint8ArrayToHex } from "uint8array-extras";

import { countAttempt, forgetAttempts } from "../db/attempts.ts";
import type { Client } from "../db/client.ts";
import { whyWeak } from "./passwords.ts";
import type { SsoReach } from "./sso-reach.ts";

/** Wrong passwords for one address, whoever sends them; then nobody gets in for the rest of the window. */
const mostFailures = 10;
const failureWindow = 15 * 60;
/** A one-time code counts once (RFC 6238, 5.2); it is accepted one step of 30 s early or late. */
const codeLifetime = 120;

async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return uint8ArrayToHex(bytes);
}

const accountKey = async (email: string) => `sign-in ${await digest(email.trim().toLowerCase())}`;

const textOf = (body: unknown, name: string): string => {
  const value: unknown = body instanceof Object ? Reflect.get(body, name) : undefined;
  return typeof value === "string" ? value.slice(0, 1_000) : "";
};

function refuseWeak(password: string, email: string) {
  const message = whyWeak(password, email);
  if (message) throw new APIError("BAD_REQUEST", { code: "WEAK_PASSWORD", message });
}

/** What is asked beyond Better Auth's own rules: strong passwords, and an end to guessing. */
export const beforeAuth = (client: Client, reach: SsoReach["before"]) =>
  createAuthMiddleware(async (ctx) => {
    const answered = await reach(ctx);
    if (answered) return answered;
    const body: unknown = ctx.body;
    switch (ctx.path) {
      case "/sign-in/email": {
        const key = await accountKey(textOf(body, "email"));
        const { count, secondsLeft } = await countAttempt(client, key, failureWindow);
        if (count > mostFailures)
          throw new APIError(
            "TOO_MANY_REQUESTS",
            { code: "TOO_MANY_ATTEMPTS", message: "Too many attempts. Try again later." },
            { "retry-after": String(secondsLeft) },
          );
        return;
      }
      case "/sign-up/email":
        refuseWeak(textOf(body, "password"), textOf(body, "email"));
        return;
      case "/change-password": {
        const session = await getSessionFromCtx(ctx);
        if (!session) return;
        refuseWeak(textOf(body, "newPassword"), session.user.email);
        return { context: { body: { ...(body as object), revokeOtherSessions: true } } };
      }
      case "/reset-password": {
        const { internalAdapter } = ctx.context;
        const asked = await internalAdapter.findVerificationValue(
          `reset-password:${textOf(body, "token")}`,
        );
        const user = asked && (await internalAdapter.findUserById(asked.value));
        if (user) refuseWeak(textOf(body, "newPassword"), user.email);
        return;
      }
      case "/two-factor/verify-totp": {
        const challenge = await ctx.getSignedCookie(
          ctx.context.createAuthCookie("two_factor").name,
          ctx.context.secret,
        );
        const pending =
          challenge && (await ctx.context.internalAdapter.findVerificationValue(challenge));
        if (!pending) return;
        const key = `totp ${await digest(`${pending.value} ${textOf(body, "code")}`)}`;
        if ((await countAttempt(client, key, codeLifetime)).count > 1)
          throw new APIError("UNAUTHORIZED", { code: "INVALID_CODE", message: "Invalid code" });
        return;
      }
    }
  });

/** A right password starts the count of wrong ones anew. */
export const forgetFailures = async (client: Client, email: string) =>
  forgetAttempts(client, await accountKey(email));

import type { BetterAuthPlugin } from "better-auth";
import { APIError, createAuthEndpoint, sessionMiddleware } from "better-auth/api";
import * as z from "zod";

const lifetimeMs = 60 * 60_000;
const Member = z.object({
  organizationId: z.string(),
  /** Several may stand there, with commas between them. */
  role: z.string().transform((text) => text.split(",").map((role) => role.trim())),
});

/**
 * No email is sent here, so that whoever forgot a password asks an owner or admin, who gets a link
 * to hand over. Refused for people who also belong to another organization: an admin of this one
 * would come to sign in there.
 */
export const passwordResets = (
  publicUrl: string,
  log: (by: string, ip: string | undefined, of: { orgId: string; userId: string }) => Promise<void>,
) =>
  ({
    id: "password-resets",
    endpoints: {
      createPasswordReset: createAuthEndpoint(
        "/organization/create-password-reset",
        {
          method: "POST",
          use: [sessionMiddleware],
          body: z.strictObject({ organizationId: z.uuid(), userId: z.uuid() }),
        },
        async (ctx) => {
          const { organizationId, userId } = ctx.body;
          const caller = ctx.context.session.user;
          const memberships = z.array(Member);
          const of = async (id: string) =>
            memberships.parse(
              await ctx.context.adapter.findMany({
                model: "member",
                where: [{ field: "userId", value: id }],
              }),
            );
          const [mine, theirs] = [await of(caller.id), await of(userId)];
          const own = mine.find((one) => one.organizationId === organizationId);
          if (!own?.role.some((role) => role === "owner" || role === "admin"))
            throw new APIError("FORBIDDEN", { message: "Only an owner or admin may do this" });
          const target = theirs.find((one) => one.organizationId === organizationId);
          if (!target) throw new APIError("NOT_FOUND", { message: "There is no such member" });
          if (userId === caller.id)
            throw new APIError("BAD_REQUEST", { message: "Change your own password instead" });
          if (target.role.includes("owner") && !own.role.includes("owner"))
            throw new APIError("FORBIDDEN", { message: "Only an owner may do this to an owner" });
          if (theirs.length > 1)
            throw new APIError("FORBIDDEN", {
              message: "This person belongs to another organization too, so it cannot be done here",
            });
          const ip = ctx.headers?.get("cf-connecting-ip") ?? undefined;
          await log(caller.id, ip, { orgId: organizationId, userId });
          const token = crypto.randomUUID().replaceAll("-", "") + crypto.randomUUID().slice(0, 8);
          const expiresAt = new Date(Date.now() + lifetimeMs);
          await ctx.context.internalAdapter.createVerificationValue({
            identifier: `reset-password:${token}`,
            value: userId,
            expiresAt,
          });
          return ctx.json({
            organizationId,
            userId,
            url: `${publicUrl}/reset-password/#${token}`,
            expiresAt: expiresAt.toISOString(),
          });
        },
      ),
    },
  }) satisfies BetterAuthPlugin;

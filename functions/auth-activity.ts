import { createAuthMiddleware } from "better-auth/api";

import { logActivity } from "../db/activity.ts";
import type { Client } from "../db/client.ts";
import { OrgDb } from "../db/org.ts";
import { forgetFailures } from "./auth-rules.ts";

/**
 * Writes that somebody is about to be given a link that sets a new password: before it is made, so
 * that there is none without its row. Changes of members and invitations are written by the database
 * itself, see `log_membership` in db/security.sql.
 */
export async function logPasswordReset(
  client: Client,
  who: { userId: string; ip: string | undefined; requestId: string },
  of: { orgId: string; userId: string },
): Promise<void> {
  const db = new OrgDb(client, {
    orgId: of.orgId,
    actor: `user:${who.userId}`,
    ip: who.ip,
    requestId: who.requestId,
  });
  await db.run(
    logActivity(db, {
      integrationId: null,
      vendorId: null,
      activityType: "password_reset_created",
      status: "success",
      details: { user_id: of.userId },
    }),
  );
}

/** A right password starts the count of wrong ones anew. */
export const afterAuth = (client: Client) =>
  createAuthMiddleware(async (ctx) => {
    const { returned, newSession } = ctx.context;
    if (returned instanceof Error) return;
    if (ctx.path === "/sign-in/email" && newSession)
      await forgetFailures(client, newSession.user.email);
  });

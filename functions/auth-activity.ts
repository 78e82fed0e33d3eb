import { createAuthMiddleware, getSessionFromCtx } from "better-auth/api";
import * as z from "zod";

import { type ActivityType, logActivity } from "../db/activity.ts";
import type { Client } from "../db/client.ts";
import { OrgDb } from "../db/org.ts";
import { forgetFailures } from "./auth-rules.ts";

const Invitation = z.object({ id: z.string(), organizationId: z.string(), role: z.string() });
const Member = z.object({ userId: z.string(), organizationId: z.string(), role: z.string() });

type Row = { orgId: string; activityType: ActivityType; details: Record<string, unknown> };

const ofInvitation = (activityType: ActivityType) =>
  Invitation.transform(({ id, organizationId, role }): Row => ({
    orgId: organizationId,
    activityType,
    details: { invitation_id: id, role },
  }));
const ofMember = (activityType: ActivityType) =>
  Member.transform(({ userId, organizationId, role }): Row => ({
    orgId: organizationId,
    activityType,
    details: { user_id: userId, role },
  }));

/** What Better Auth answers where something about an organization changed, and how it is logged. */
const logged: Readonly<Record<string, z.ZodType<Row>>> = {
  "/organization/invite-member": ofInvitation("member_invited"),
  "/organization/cancel-invitation": ofInvitation("invitation_cancelled"),
  "/organization/accept-invitation": z
    .object({ member: ofMember("member_joined") })
    .transform(({ member }) => member),
  "/organization/update-member-role": ofMember("member_role_changed"),
  "/organization/remove-member": z
    .object({ member: ofMember("member_removed") })
    .transform(({ member }) => member),
  "/organization/leave": ofMember("member_left"),
  "/organization/create-password-reset": z
    .object({ organizationId: z.string(), userId: z.string() })
    .transform(({ organizationId, userId }) => ({
      orgId: organizationId,
      activityType: "password_reset_created" as const,
      details: { user_id: userId },
    })),
  "/organization/update": z.object({ id: z.string() }).transform(({ id }) => ({
    orgId: id,
    activityType: "organization_updated" as const,
    details: {},
  })),
};

/** Writes the audit log of an org for what was done through Better Auth. */
export async function logAs(
  client: Client,
  who: { userId: string; ip: string | undefined; requestId: string },
  row: Row,
): Promise<void> {
  const db = new OrgDb(client, {
    orgId: row.orgId,
    actor: `user:${who.userId}`,
    ip: who.ip,
    requestId: who.requestId,
  });
  await db.run(
    logActivity(db, {
      integrationId: null,
      vendorId: null,
      activityType: row.activityType,
      status: "success",
      details: row.details,
    }),
  );
}

export const afterAuth = (client: Client, requestId: string) =>
  createAuthMiddleware(async (ctx) => {
    const { returned, newSession } = ctx.context;
    if (returned instanceof Error) return;
    if (ctx.path === "/sign-in/email" && newSession)
      await forgetFailures(client, newSession.user.email);
    const reads = logged[ctx.path];
    const session = reads && (await getSessionFromCtx(ctx));
    if (!session) return;
    const who = {
      userId: session.user.id,
      ip: ctx.headers?.get("cf-connecting-ip") ?? undefined,
      requestId,
    };
    await logAs(client, who, reads.parse(returned));
  });

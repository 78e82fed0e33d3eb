import { randomBytes } from "node:crypto";

import { neon, neonConfig } from "@neondatabase/serverless";
import { describe, expect, inject, test } from "vitest";

import {
  activityOf,
  signedIn,
  signedInMember,
  testPassword as password,
  Visitor,
} from "../scripts/visitor.ts";
import { newOrg, type Reply, type TestOrg } from "../scripts/world.ts";

const world = inject("world");
const body = (reply: Reply) => reply.body as Record<string, unknown>;
const newEmail = () => `${randomBytes(6).toString("hex")}@clinic.example`;

describe("members", () => {
  const invite = (by: Visitor, org: TestOrg, email: string, role = "member") =>
    by.auth("/organization/invite-member", { organizationId: org.orgId, email, role });

  test("are invited, join, change roles and leave, and each step is logged", async () => {
    const org = await newOrg(world);
    const owner = await signedIn(world, org.email);
    const email = newEmail();
    const invited = await invite(owner, org, email);
    expect(invited.status, JSON.stringify(invited.body)).toBe(200);
    const visitor = new Visitor(world);
    await visitor.auth("/sign-up/email", { name: "Mara", email, password });
    const invitationId = body(invited)["id"];
    expect((await visitor.auth("/organization/accept-invitation", { invitationId })).status).toBe(
      200,
    );
    expect((await visitor.ask("GET", "/api/integrations")).status).toBe(200);
    const members = body(
      await owner.auth(`/organization/list-members?organizationId=${org.orgId}`),
    );
    const joined = (
      members["members"] as { id: string; userId: string; role: string; user: { email: string } }[]
    ).find((one) => one.user.email === email);
    expect(joined).toMatchObject({ role: "member" });
    const change = (role: string) =>
      owner.auth("/organization/update-member-role", {
        organizationId: org.orgId,
        memberId: joined?.id,
        role,
      });
    expect(
      (await visitor.ask("DELETE", "/api/integrations/2211a660-88f0-4fba-9961-1a43ef3b42d5"))
        .status,
    ).toBe(403);
    expect((await change("admin")).status).toBe(200);
    expect(
      (await visitor.ask("DELETE", "/api/integrations/2211a660-88f0-4fba-9961-1a43ef3b42d5"))
        .status,
    ).toBe(404);
    expect(
      (
        await owner.auth("/organization/remove-member", {
          organizationId: org.orgId,
          memberIdOrEmail: joined?.id,
        })
      ).status,
    ).toBe(200);
    expect((await visitor.ask("GET", "/api/integrations")).status).toBe(403);
    for (const type of [
      "member_invited",
      "member_joined",
      "member_role_changed",
      "member_removed",
    ]) {
      const rows = await activityOf(org, type);
      expect(rows, type).toHaveLength(1);
      expect(JSON.stringify(rows)).not.toContain(email);
    }
    expect((await activityOf(org, "member_removed"))[0]).toMatchObject({
      actor: `user:${org.userId}`,
    });
  });

  test("are not changed where the audit log cannot say so, and not past it by a key beside the session", async () => {
    const org = await newOrg(world);
    const owner = await signedIn(world, org.email);
    const sent = { organizationId: org.orgId, email: newEmail(), role: "member" };
    const path = "/organization/invite-member";
    const reply = await owner.auth(path, sent, { "x-api-key": "ehr_nobody-knows-this-key" });
    expect(reply.status, JSON.stringify(reply.body)).toBe(200);
    expect(await activityOf(org, "member_invited")).toMatchObject([
      {
        actor: `user:${org.userId}`,
        created_by: org.userId,
        ip: expect.any(String),
        request_id: reply.headers.get("x-request-id"),
        details: { invitation_id: body(reply)["id"], role: "member" },
      },
    ]);

    neonConfig.fetchEndpoint = world.endpoint;
    const sql = neon(world.databaseUrl);
    const name = `full_${org.orgId.replaceAll("-", "")}`;
    await sql.query(`create function ${name}() returns trigger language plpgsql as
      $$ begin if new.org_id = '${org.orgId}' then raise 'the log is full'; end if; return new; end $$`);
    await sql.query(`create trigger ${name} before insert on integration_activity_log
      for each row execute function ${name}()`);
    try {
      const refused = await owner.auth(path, { ...sent, email: newEmail() });
      expect(refused.status).toBeGreaterThanOrEqual(500);
    } finally {
      await sql.query(`drop function ${name} cascade`);
    }
    const rows = await sql`select id from invitations where organization_id = ${org.orgId}`;
    expect(rows).toHaveLength(1);
    const verified = await org.call("GET", "/api/activity/verify");
    expect(verified.body.data).toMatchObject({ intact: true });
  });

  test("cannot raise themselves, and leave at least one owner", async () => {
    const org = await newOrg(world);
    const owner = await signedIn(world, org.email);
    const { visitor: admin, userId } = await signedInMember(world, org, "admin");
    const { visitor: viewer } = await signedInMember(world, org, "viewer");
    const { members } = body(
      await owner.auth(`/organization/list-members?organizationId=${org.orgId}`),
    ) as { members: { id: string; userId: string }[] };
    const idOf = (user: string) => members.find((one) => one.userId === user)?.id;
    const raise = (by: Visitor, user: string, role: string | string[]) =>
      by.auth("/organization/update-member-role", {
        organizationId: org.orgId,
        memberId: idOf(user),
        role,
      });
    expect((await raise(admin, userId, "owner")).status).toBe(403);
    expect((await raise(admin, userId, ["admin", "owner"])).status).toBe(403);
    expect((await raise(admin, org.userId, "viewer")).status).toBe(403);
    expect((await raise(viewer, userId, "viewer")).status).toBe(403);
    expect((await invite(viewer, org, newEmail())).status).toBe(403);
    expect((await invite(admin, org, newEmail(), "owner")).status).toBe(403);
    expect((await owner.auth("/organization/leave", { organizationId: org.orgId })).status).toBe(
      400,
    );
    expect((await raise(owner, org.userId, "viewer")).status).toBe(400);
  });

  test("get in by the link alone: an address that nobody proved opens no invitation", async () => {
    const org = await newOrg(world);
    const owner = await signedIn(world, org.email);
    const { visitor: viewer } = await signedInMember(world, org, "viewer");
    const email = newEmail();
    const invited = await invite(owner, org, email, "admin");
    const id = String(body(invited)["id"]);
    const impostor = new Visitor(world);
    await impostor.auth("/sign-up/email", { name: "Mallory", email, password });
    const answers = [
      await impostor.auth("/organization/list-user-invitations"),
      await impostor.auth(`/organization/list-invitations?organizationId=${org.orgId}`),
      await viewer.auth(`/organization/list-invitations?organizationId=${org.orgId}`),
      await viewer.auth(`/organization/get-full-organization?organizationId=${org.orgId}`),
      await viewer.auth("/organization/set-active", { organizationId: org.orgId }),
    ];
    for (const answer of answers) expect(JSON.stringify(answer.body)).not.toContain(id);
  });

  test("of other organizations are out of reach", async () => {
    const [ours, theirs] = [await newOrg(world), await newOrg(world)];
    const us = await signedIn(world, ours.email);
    const org = { organizationId: theirs.orgId };
    for (const [path, sent] of [
      [`/organization/list-members?organizationId=${theirs.orgId}`],
      [`/organization/list-invitations?organizationId=${theirs.orgId}`],
      ["/organization/invite-member", { ...org, email: newEmail(), role: "member" }],
      ["/organization/update", { ...org, data: { name: "Ours now" } }],
      ["/organization/set-active", org],
      ["/organization/remove-member", { ...org, memberIdOrEmail: theirs.email }],
      ["/organization/create-password-reset", { ...org, userId: theirs.userId }],
    ] as const)
      expect([400, 403], path).toContain((await us.auth(path, sent)).status);
    const them = await signedIn(world, theirs.email);
    expect((await them.ask("GET", "/api/integrations")).status).toBe(200);
  });
});

import { auth } from "./auth.ts";
import type { Role } from "./roles.ts";

export type Person = {
  id: string;
  userId: string;
  role: Role;
  createdAt: string;
  user: { name: string; email: string };
};
export type Invited = { id: string; email: string; role: Role; status: string; expiresAt: string };

export const roleTexts: Readonly<Record<Role, { name: string; may: string }>> = {
  owner: { name: "Owner", may: "Everything, and says who else is an owner" },
  admin: { name: "Admin", may: "Integrations, destinations, members, keys and single sign-on" },
  member: { name: "Member", may: "Tests integrations, runs operations, sends events again" },
  viewer: { name: "Viewer", may: "Looks, and changes nothing" },
};

export async function listMembers(organizationId: string): Promise<Person[]> {
  const people: Person[] = [];
  for (;;) {
    const { members, total } = await auth<{ members: Person[]; total: number }>(
      `/organization/list-members?organizationId=${organizationId}&limit=100&offset=${people.length}&sortBy=createdAt&sortDirection=asc`,
    );
    people.push(...members);
    if (!members.length || people.length >= total) return people;
  }
}

/** Those that are still open. */
export const listInvitations = async (organizationId: string) =>
  (await auth<Invited[]>(`/organization/list-invitations?organizationId=${organizationId}`)).filter(
    (one) => one.status === "pending" && Date.parse(one.expiresAt) > Date.now(),
  );

export const invite = (organizationId: string, email: string, role: Role) =>
  auth<Invited>("/organization/invite-member", { organizationId, email, role });

/** No email is sent: whoever invites hands this over. */
export const invitationLink = (id: string) => `${location.origin}/invitations/?id=${id}`;

export const cancelInvitation = (invitationId: string) =>
  auth<unknown>("/organization/cancel-invitation", { invitationId });

export const changeRole = (organizationId: string, memberId: string, role: Role) =>
  auth<unknown>("/organization/update-member-role", { organizationId, memberId, role });

export const removeMember = (organizationId: string, memberId: string) =>
  auth<unknown>("/organization/remove-member", { organizationId, memberIdOrEmail: memberId });

export const leave = (organizationId: string) =>
  auth<unknown>("/organization/leave", { organizationId });

export const rename = (organizationId: string, name: string) =>
  auth<unknown>("/organization/update", { organizationId, data: { name } });

/** A link by which a member who forgot the password sets a new one; it lasts an hour. */
export const newResetLink = async (organizationId: string, userId: string) =>
  (await auth<{ url: string }>("/organization/create-password-reset", { organizationId, userId }))
    .url;

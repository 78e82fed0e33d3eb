import { ApiProblem, patientFetch } from "./api.ts";
import { type Role, setRole } from "./roles.ts";

export type User = { id: string; name: string; email: string };
export type Org = { id: string; name: string; slug: string };
export type Session = {
  user: User;
  orgId: string | null;
  role: Role | null;
  /** Came by single sign-on, so that no other organization can be entered or added. */
  bySso: boolean;
};

/** Asks Better Auth: a GET without a body, else a POST. Throws `ApiProblem`. */
export async function auth<T>(path: string, body?: unknown): Promise<T> {
  const response = await patientFetch(
    `/api/auth${path}`,
    body === undefined
      ? {}
      : {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        },
  );
  const reply = await response.json().catch(() => null);
  if (response.ok) return reply as T;
  const { message, detail } = (reply ?? {}) as { message?: string; detail?: string };
  throw new ApiProblem(
    response.status === 401 ? "unauthenticated" : "invalid_request",
    message ?? detail ?? `The server answered ${response.status}.`,
    { status: response.status },
  );
}

function remember(signedIn: boolean) {
  if (document.documentElement.dataset["storage"] === "blocked") return;
  if (signedIn) localStorage.setItem("signed-in", "1");
  else
    for (const key of Object.keys(localStorage))
      if (key === "signed-in" || key.startsWith("draft:")) localStorage.removeItem(key);
}

export const listOrgs = () => auth<Org[]>("/organization/list");
export const selectOrg = (organizationId: string) =>
  auth<Org>("/organization/set-active", { organizationId });

const readRole = () =>
  auth<{ role: Role }>("/organization/get-active-member-role").then(
    ({ role }) => role,
    () => null,
  );

async function readSession(): Promise<Session | null> {
  // Whoever was signed in a moment ago most likely still is: both are asked at once.
  const early = document.documentElement.dataset["account"] === "in" ? readRole() : undefined;
  const reply = await auth<{
    user: User;
    session: { activeOrganizationId?: string | null; ssoOrgId?: string | null };
  } | null>("/get-session");
  remember(reply !== null);
  document.documentElement.dataset["account"] = reply ? "in" : "out";
  if (!reply) return null;
  let orgId = reply.session.activeOrganizationId ?? null;
  if (!orgId) {
    const [first] = await listOrgs();
    if (first) orgId = (await selectOrg(first.id)).id;
  }
  const role = orgId ? ((await early) ?? (await readRole())) : null;
  setRole(role);
  return { user: reply.user, orgId, role, bySso: Boolean(reply.session.ssoOrgId) };
}

let session: Promise<Session | null> | undefined;
/** Read once a page. */
export const getSession = () => (session ??= readSession());

/** Whether a second step is asked for: the password was right, and nobody is signed in yet. */
export async function signIn(email: string, password: string): Promise<"done" | "second-step"> {
  const reply = await auth<{ twoFactorRedirect?: boolean }>("/sign-in/email", { email, password });
  return reply.twoFactorRedirect ? "second-step" : "done";
}

/** A code of the authenticator app, or one of the backup codes. */
export const enterCode = (code: string) =>
  /^\d{6}$/.test(code)
    ? auth<unknown>("/two-factor/verify-totp", { code })
    : auth<unknown>("/two-factor/verify-backup-code", { code });

/** The address of the organization's own sign-in page. */
export const startSso = async (email: string, next: string) =>
  (await auth<{ url: string }>("/sso/start", { email, next })).url;

export const resetPassword = (token: string, newPassword: string) =>
  auth<unknown>("/reset-password", { token, newPassword });

export async function signOut() {
  await auth("/sign-out", {});
  remember(false);
}

export const signUp = (name: string, email: string, password: string) =>
  auth<unknown>("/sign-up/email", { name, email, password });

const slugOf = (name: string) =>
  name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "") || "org";

/** Names of orgs may repeat, slugs may not: a random ending keeps them apart. */
export async function addOrg(name: string): Promise<Org> {
  const slug = `${slugOf(name).slice(0, 40)}-${crypto.randomUUID().slice(0, 6)}`;
  const org = await auth<Org>("/organization/create", { name, slug });
  await selectOrg(org.id);
  return org;
}

export type Invitation = {
  id: string;
  email: string;
  role: string;
  organizationId: string;
  organizationName: string;
  inviterEmail: string;
};

export const getInvitation = (invitationId: string) =>
  auth<Invitation>(`/organization/get-invitation?id=${encodeURIComponent(invitationId)}`);

export const acceptInvitation = (invitationId: string) =>
  auth<unknown>("/organization/accept-invitation", { invitationId });

/** Where to go after signing in: only ever a path of this site. */
export function nextAddress(search: string, otherwise = "/"): string {
  const next = new URLSearchParams(search).get("next") ?? "";
  const target = URL.parse(next, location.origin);
  return next.startsWith("/") && target?.origin === location.origin
    ? target.pathname + target.search + target.hash
    : otherwise;
}

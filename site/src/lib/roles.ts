import type { forPeople, permissions, Role as AnyRole } from "../../../functions/access.ts";

export type Role = AnyRole;
type Permissions = typeof permissions & typeof forPeople;

/** What the page offers by role; the API decides. The types keep it equal to `functions/access.ts`. */
const allowed = {
  "integrations:write": ["owner", "admin"],
  "integrations:test": ["owner", "admin", "member"],
  "integrations:execute": ["owner", "admin", "member"],
  "events:write": ["owner", "admin"],
  "events:replay": ["owner", "admin", "member"],
  "destinations:write": ["owner", "admin"],
  "keys:write": ["owner", "admin"],
  "signing-keys:write": ["owner", "admin"],
  "sso:write": ["owner", "admin"],
  "erasure:write": ["owner", "admin"],
} as const satisfies Partial<Permissions>;

let role: Role | null = null;

/** Of the person and the org of this page; known once the session was read. */
export function setRole(now: Role | null) {
  role = now;
  const root = document.documentElement;
  if (now && !may("integrations:write")) root.dataset["role"] = "reader";
  else delete root.dataset["role"];
}

export const may = (permission: keyof typeof allowed): boolean =>
  (allowed[permission] as readonly (Role | null)[]).includes(role);

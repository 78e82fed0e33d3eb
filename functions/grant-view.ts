import { z } from "@hono/zod-openapi";

import type { Grant } from "../db/grants.ts";
import type { Integration } from "../db/integrations.ts";
import type { AnyVendor } from "../handlers/define.ts";
import type { FieldValues } from "../handlers/fields.ts";
import { VendorFailure } from "../problem.ts";
import { openValues } from "./credentials.ts";
import { codeOf } from "./grants.ts";
import type { Vault } from "./vault.ts";

const when = z.iso.datetime().nullable();

/** What became of "Connect with …": no token is ever part of it. */
export const GrantView = z
  .object({
    status: z.enum(["not_connected", "connected", "reconnect"]),
    scopes_asked: z.array(z.string()),
    scopes_granted: z.array(z.string()),
    /** Asked for and not granted. */
    missing: z.array(z.string()),
    /** Of the access token; it is refreshed by itself where `refreshes`. */
    expires_at: when,
    refreshes: z.boolean(),
    /** When a person has to sign in again at the latest, where the vendor says it. */
    ends_at: when,
    connected_at: when,
    connected_by: z.uuid().nullable(),
    refreshed_at: when,
    last_error: z.string().nullable(),
  })
  .openapi("Grant");
export type GrantView = z.infer<typeof GrantView>;

const offersSignIn = (vendor: AnyVendor) =>
  vendor.steps.some((step) => Object.values(step.fields).some(({ type }) => type === "oauth"));

const letters: Record<string, string> = { read: "rs", write: "cud", "*": "cruds" };
/** SMART's first version says `.read` where the second says `.rs`; servers answer in either. */
const plain = (scope: string) =>
  scope.replace(
    /^((?:system|user|patient)\/[A-Za-z*]+)\.(read|write|\*)$/,
    (_, of: string, access: string) => `${of}.${letters[access]}`,
  );

export function missingScopes(asked: readonly string[], granted: readonly string[]): string[] {
  const have = new Set(granted.map(plain));
  return asked.filter((scope) => !have.has(plain(scope)));
}

const none: Omit<GrantView, "status" | "scopes_asked"> = {
  scopes_granted: [],
  missing: [],
  expires_at: null,
  refreshes: false,
  ends_at: null,
  connected_at: null,
  connected_by: null,
  refreshed_at: null,
  last_error: null,
};

/** Null where the integration is not one that is connected by sign-in. */
export async function grantView(
  vault: Vault,
  vendor: AnyVendor,
  row: Integration,
  grant: Grant | undefined,
  known?: FieldValues,
): Promise<GrantView | null> {
  if (!offersSignIn(vendor)) return null;
  const code = await codeOf(row, vendor, known ?? (await openValues(vault, row))).catch(
    (error: unknown) => {
      // Values that no longer make an address are complained about elsewhere.
      if (error instanceof VendorFailure) return undefined;
      throw error;
    },
  );
  if (!code) return null;
  if (!grant) return { ...none, status: "not_connected", scopes_asked: [...code.auth.scopes] };
  const { scopesAsked, scopesGranted, refreshable } = grant;
  const bound = grant.boundTo === code.boundTo;
  const endsAt = refreshable ? grant.refreshExpiresAt : grant.expiresAt;
  return {
    status: bound ? grant.status : "reconnect",
    scopes_asked: scopesAsked,
    scopes_granted: scopesGranted,
    missing: missingScopes(scopesAsked, scopesGranted),
    expires_at: grant.expiresAt?.toISOString() ?? null,
    refreshes: refreshable,
    ends_at: endsAt?.toISOString() ?? null,
    connected_at: grant.connectedAt.toISOString(),
    connected_by: grant.connectedBy,
    refreshed_at: grant.refreshedAt?.toISOString() ?? null,
    last_error: bound ? grant.lastError : "The configuration changed since the sign-in",
  };
}

import { OrgDb } from "../db/org.ts";
import { findSigningKey } from "../db/signing-keys.ts";
import type { HeldKey } from "../handlers/api.ts";
import { Problem, VendorFailure } from "../problem.ts";
import type { Env } from "./env.ts";

/** What is sealed of a signing key. */
export type PrivateHalf = { pem: string };

/** A key that an org's integration names, opened to sign one assertion. Throws `VendorFailure`. */
export async function openHeldKey(env: Env, orgId: string, kid: string): Promise<HeldKey> {
  const db = new OrgDb(env.client, { orgId, actor: "system" });
  const [[key]] = await db.run(findSigningKey(db, kid)).catch((cause: unknown) => {
    // A database that is away says nothing about the vendor or the credentials.
    throw new Problem("unavailable", "The database does not answer", { retryAfter: 5, cause });
  });
  if (!key)
    throw new VendorFailure("credentials_rejected", "This organization has no such signing key");
  if (!key.privateKey)
    throw new VendorFailure("credentials_expired", "The signing key has been retired");
  const { pem } = await env.vault.open<PrivateHalf>(key, key.privateKey);
  return { privateKey: pem, keyId: key.kid, algorithm: key.algorithm };
}

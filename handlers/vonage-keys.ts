import { exportJWK, importPKCS8, importSPKI, SignJWT } from "jose";

import { VendorFailure } from "../problem.ts";
import type { Auth } from "./api.ts";

/** An account has a key and a secret; each of its applications an id and a private key. */
export type VonageKeys = {
  apiKey: string;
  apiSecret: string;
  applicationId: string;
  privateKey: string;
};

const lifetimeSeconds = 900;

async function readKey(pem: string): Promise<CryptoKey> {
  try {
    return await importPKCS8(pem, "RS256", { extractable: true });
  } catch {
    // The error may quote the key.
    throw new VendorFailure("credentials_rejected", "The private key cannot be read");
  }
}

/** A token of the application, which the vendor checks against the public key that it keeps. */
export async function signVonage(
  { applicationId, privateKey }: VonageKeys,
  claims: Readonly<Record<string, unknown>> = {},
  seconds = lifetimeSeconds,
): Promise<{ token: string; expiresAt: string }> {
  const now = Math.floor(Date.now() / 1000);
  const token = await new SignJWT({ ...claims, application_id: applicationId })
    .setProtectedHeader({ alg: "RS256", typ: "JWT" })
    .setIssuedAt(now)
    .setExpirationTime(now + seconds)
    .setJti(crypto.randomUUID())
    .sign(await readKey(privateKey));
  return { token, expiresAt: new Date((now + seconds) * 1000).toISOString() };
}

/**
 * Voice, messages, verification, video and insights belong to an application; balance, numbers,
 * reports and the application itself to the account.
 */
export const vonageAuth = (keys: VonageKeys): Auth => ({
  kind: "by_call",
  ways: {
    application: { kind: "signed_jwt", token: async () => (await signVonage(keys)).token },
    account: { kind: "basic", user: keys.apiKey, password: keys.apiSecret },
  },
});

/** Whether the private key is that of the public key; undefined where the latter is unreadable. */
export async function isPairOf(publicPem: string, { privateKey }: VonageKeys) {
  const own = await exportJWK(await readKey(privateKey));
  const kept = await importSPKI(publicPem, "RS256", { extractable: true })
    .then(exportJWK)
    .catch(() => undefined);
  return kept && own.n === kept.n && own.e === kept.e;
}

import { SignJWT } from "jose";

/** The workspace's key pair: it signs what we send and what lets people in. */
export type HmsKeys = { appAccessKey: string; appSecret: string };

/** 100ms' clock may be behind ours. */
const earlierSeconds = 10;

/** 100ms.live/docs, Authentication and Tokens: the claims of both kinds. */
export function signHms(
  { appAccessKey, appSecret }: HmsKeys,
  kind: "management" | "app",
  { now, seconds, ...claims }: { now: number; seconds: number; [claim: string]: unknown },
): Promise<string> {
  const from = now - earlierSeconds;
  return new SignJWT({ access_key: appAccessKey, type: kind, version: 2, ...claims })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setIssuedAt(from)
    .setNotBefore(from)
    .setExpirationTime(now + seconds)
    .setJti(crypto.randomUUID())
    .sign(new TextEncoder().encode(appSecret));
}

import { uint8ArrayToBase64 } from "uint8array-extras";

import { bytesOf } from "./signature.ts";

export type AgoraKeys = { appId: string; appCertificate: string };

type Bytes = Uint8Array<ArrayBuffer>;

function littleEndian(length: 2 | 4, value: number): Bytes {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  if (length === 2) view.setUint16(0, value, true);
  else view.setUint32(0, value, true);
  return bytes;
}
const u16 = (value: number) => littleEndian(2, value);
const u32 = (value: number) => littleEndian(4, value);
function prefixed(text: string | Bytes): Bytes {
  const bytes = bytesOf(text);
  return bytesOf(u16(bytes.length), bytes);
}

async function hmac(key: Bytes, message: string | Bytes): Promise<Bytes> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, bytesOf(message)));
}

/** zlib's framing (RFC 1950), which the web calls "deflate". */
async function deflate(bytes: Bytes): Promise<Bytes> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const rtc = 1;
const privileges = { join: 1, audio: 2, video: 3, data: 4 } as const;
export type AgoraPrivilege = keyof typeof privileges;

export type AgoraGrant = {
  channel: string;
  /** 1 to 2³²−1. Zero would let anybody in who holds the token, under any number. */
  uid: number;
  may: readonly AgoraPrivilege[];
  /** Unix seconds. */
  issuedAt: number;
  seconds: number;
  /** 1 to 99 999 999. */
  salt: number;
};

/** Agora's AccessToken2 ("007") for the RTC service, as its package agora-token makes it. */
export async function accessToken(keys: AgoraKeys, grant: AgoraGrant): Promise<string> {
  const [issuedAt, salt] = [u32(grant.issuedAt), u32(grant.salt)];
  const allowed = grant.may.flatMap((name) => [u16(privileges[name]), u32(0)]);
  const content = bytesOf(
    prefixed(keys.appId),
    issuedAt,
    u32(grant.seconds),
    salt,
    u16(1),
    u16(rtc),
    u16(grant.may.length),
    ...allowed,
    prefixed(grant.channel),
    prefixed(String(grant.uid)),
  );
  const key = await hmac(salt, await hmac(issuedAt, keys.appCertificate));
  const signed = bytesOf(prefixed(await hmac(key, content)), content);
  return `007${uint8ArrayToBase64(await deflate(signed))}`;
}

export async function joinToken(
  keys: AgoraKeys,
  grant: Pick<AgoraGrant, "channel" | "uid" | "may" | "seconds">,
): Promise<{ token: string; expiresAt: string }> {
  const issuedAt = Math.floor(Date.now() / 1000);
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  return {
    token: await accessToken(keys, { ...grant, issuedAt, salt: 1 + (random % 99_999_999) }),
    expiresAt: new Date((issuedAt + grant.seconds) * 1000).toISOString(),
  };
}

const highestUid = 0xffff_ffff;

/**
 * The number under which a user is in a channel: itself where it is one already, else always the
 * same one. Agora's recordings and bans know numbers only.
 */
export async function uidOf(user: string): Promise<number> {
  if (/^[1-9]\d{0,9}$/.test(user) && Number(user) <= highestUid) return Number(user);
  const hash = await crypto.subtle.digest("SHA-256", bytesOf(user));
  return new DataView(hash).getUint32(0) || 1;
}

import { base64ToUint8Array, uint8ArrayToBase64 } from "uint8array-extras";

import type { Envelope } from "../db/schema.ts";
import { Problem } from "../problem.ts";

/**
 * Seals what must not be read at rest. Each envelope has a data key of its own (AES-256-GCM, AAD
 * `org|subject|key version`, so that a ciphertext moved to another row does not open), wrapped by a
 * versioned key-encryption key. Nothing else in the Worker sees key material.
 */
export type KeyRing = {
  /** The key that new envelopes are wrapped by. */
  current: string;
  wrap(kek: string, dataKey: Uint8Array<ArrayBuffer>, aad: string): Promise<string>;
  /** Throws when `kek` is not known or the wrapped key was altered. */
  unwrap(kek: string, wrapped: string, aad: string): Promise<Uint8Array<ArrayBuffer>>;
};

export type Owner = { orgId: string; id: string };

const encode = (text: string) => new TextEncoder().encode(text);

const importKey = (raw: Uint8Array<ArrayBuffer>) =>
  crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);

async function encrypt(key: CryptoKey, plain: Uint8Array<ArrayBuffer>, aad: string) {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const algorithm = { name: "AES-GCM", iv, additionalData: encode(aad) };
  return { iv, ct: new Uint8Array(await crypto.subtle.encrypt(algorithm, key, plain)) };
}

async function decrypt(
  key: CryptoKey,
  iv: Uint8Array<ArrayBuffer>,
  ct: Uint8Array<ArrayBuffer>,
  aad: string,
) {
  const algorithm = { name: "AES-GCM", iv, additionalData: encode(aad) };
  return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, ct));
}

type Secret = string | { get(): Promise<string> };
const isSecret = (value: unknown): value is Secret =>
  typeof value === "string" || (value instanceof Object && "get" in value);

const readSecret = async (secret: Secret): Promise<string> => {
  if (typeof secret === "string") return secret;
  try {
    return await secret.get();
  } catch (cause) {
    throw new Problem("unavailable", "The secrets store does not answer", { cause, retryAfter: 5 });
  }
};

/**
 * Keys held as Worker secrets or in Cloudflare's Secrets Store (a binding with `get`): `KEY_1`,
 * `KEY_2`…, 32 bytes in base64 each; the highest is current.
 */
export function secretKeyRing(secrets: Readonly<Record<string, unknown>>): KeyRing {
  const keys = new Map<string, Secret>();
  for (const [name, value] of Object.entries(secrets))
    if (/^KEY_\d+$/.test(name) && isSecret(value)) keys.set(name, value);
  const [current] = [...keys.keys()].sort((a, b) => Number(b.slice(4)) - Number(a.slice(4)));
  if (!current) throw new Error("No key-encryption key: set the secret KEY_1");
  const imported = new Map<string, Promise<CryptoKey>>();
  const key = (name: string) => {
    const secret = keys.get(name);
    if (!secret) throw new Error(`The key-encryption key ${name} is not configured`);
    let promise = imported.get(name);
    if (!promise) {
      promise = readSecret(secret).then((text) => importKey(base64ToUint8Array(text)));
      imported.set(name, promise);
      // A store that did not answer is asked again.
      promise.catch(() => imported.delete(name));
    }
    return promise;
  };
  return {
    current,
    async wrap(kek, dataKey, aad) {
      const { iv, ct } = await encrypt(await key(kek), dataKey, `${kek}|${aad}`);
      return uint8ArrayToBase64(new Uint8Array([...iv, ...ct]));
    },
    async unwrap(kek, wrapped, aad) {
      const bytes = base64ToUint8Array(wrapped);
      return decrypt(await key(kek), bytes.slice(0, 12), bytes.slice(12), `${kek}|${aad}`);
    },
  };
}

export type Seal = (value: unknown) => Promise<Envelope>;
export type Vault = ReturnType<typeof openVault>;

export function openVault(ring: KeyRing) {
  const aad = ({ orgId, id }: Owner, version: number) => `${orgId}|${id}|${version}`;

  /**
   * Wraps a data key now, for what is sealed later: that then needs no key service, which may be
   * away when something arrives that cannot be had again.
   */
  const prepare = async (owner: Owner, version = 1): Promise<Seal> => {
    const dataKey = crypto.getRandomValues(new Uint8Array(32));
    const dk = await ring.wrap(ring.current, dataKey, aad(owner, version));
    return async (value) => {
      const plain = encode(JSON.stringify(value));
      const { iv, ct } = await encrypt(await importKey(dataKey), plain, aad(owner, version));
      return {
        v: 1,
        kek: ring.current,
        dk,
        dv: version,
        iv: uint8ArrayToBase64(iv),
        ct: uint8ArrayToBase64(ct),
      };
    };
  };

  return {
    prepare,

    /** The name of the key that new envelopes are wrapped by. */
    currentKek: ring.current,

    async seal(owner: Owner, value: unknown, version = 1): Promise<Envelope> {
      const sealed = await prepare(owner, version);
      return sealed(value);
    },

    /** Throws when the envelope was altered or belongs to another owner. */
    async open<T>(owner: Owner, envelope: Envelope): Promise<T> {
      const dataKey = await ring.unwrap(envelope.kek, envelope.dk, aad(owner, envelope.dv));
      const key = await importKey(dataKey);
      const plain = await decrypt(
        key,
        base64ToUint8Array(envelope.iv),
        base64ToUint8Array(envelope.ct),
        aad(owner, envelope.dv),
      );
      return JSON.parse(new TextDecoder().decode(plain)) as T;
    },

    /** The same envelope under the current key-encryption key; the ciphertext does not change. */
    async rewrap(owner: Owner, envelope: Envelope): Promise<Envelope> {
      if (envelope.kek === ring.current) return envelope;
      const dataKey = await ring.unwrap(envelope.kek, envelope.dk, aad(owner, envelope.dv));
      const dk = await ring.wrap(ring.current, dataKey, aad(owner, envelope.dv));
      return { ...envelope, kek: ring.current, dk };
    },
  };
}

import {
  checkPrimeSync,
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
} from "node:crypto";

import type { JWK } from "jose";

/** A key pair that anybody can compute from its name: it protects nothing, and is the same on every start. */
export type DemoKey = { kid: string; alg: "RS384" | "ES384"; privateKey: string; publicJwk: JWK };

const base64url = (value: bigint) => {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 ? `0${hex}` : hex, "hex").toString("base64url");
};

const exponent = 65_537n;

/** The first fit prime of 1024 bits at or after a number made from the name. */
function prime(name: string): bigint {
  const blocks = [0, 1].map((i) => createHash("sha512").update(`${name}:${i}`).digest("hex"));
  // The two top bits keep the product of two at 2048 bits; the last makes it odd.
  let candidate = BigInt(`0x${blocks.join("")}`) | (3n << 1022n) | 1n;
  while (candidate % exponent === 1n || !checkPrimeSync(candidate)) candidate += 2n;
  return candidate;
}

function inverse(a: bigint, modulus: bigint): bigint {
  let [oldR, r, oldS, s] = [a % modulus, modulus, 1n, 0n];
  while (r !== 0n) {
    const quotient = oldR / r;
    [oldR, r, oldS, s] = [r, oldR - quotient * r, s, oldS - quotient * s];
  }
  return ((oldS % modulus) + modulus) % modulus;
}

function rsa(name: string): JWK {
  const [p, q] = [prime(`${name}:p`), prime(`${name}:q`)];
  const d = inverse(exponent, (p - 1n) * (q - 1n));
  return {
    kty: "RSA",
    n: base64url(p * q),
    e: base64url(exponent),
    d: base64url(d),
    p: base64url(p),
    q: base64url(q),
    dp: base64url(d % (p - 1n)),
    dq: base64url(d % (q - 1n)),
    qi: base64url(inverse(q, p)),
  };
}

function p384(name: string): JWK {
  const scalar = createHash("sha384").update(name).digest();
  const ecdh = createECDH("secp384r1");
  ecdh.setPrivateKey(scalar);
  const point = ecdh.getPublicKey();
  return {
    kty: "EC",
    crv: "P-384",
    x: point.subarray(1, 49).toString("base64url"),
    y: point.subarray(49).toString("base64url"),
    d: scalar.toString("base64url"),
  };
}

const made = new Map<string, DemoKey>();

/** Computed once a process: finding the primes takes a moment. */
export function demoKey(alg: DemoKey["alg"], kid: string): DemoKey {
  const key = made.get(`${alg} ${kid}`) ?? makeKey(alg, kid);
  made.set(`${alg} ${kid}`, key);
  return key;
}

function makeKey(alg: DemoKey["alg"], kid: string): DemoKey {
  const jwk = alg === "RS384" ? rsa(kid) : p384(kid);
  const key = createPrivateKey({ key: jwk, format: "jwk" });
  const privateKey = key.export({ type: "pkcs8", format: "pem" }).toString();
  const publicJwk = { ...createPublicKey(key).export({ format: "jwk" }), kid, alg, use: "sig" };
  return { kid, alg, privateKey, publicJwk };
}

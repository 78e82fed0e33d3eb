import { createPublicKey, type KeyObject } from "node:crypto";

import { decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";

import type { FieldValues } from "../../handlers/fields.ts";
import { isSame, unixNow } from "../define.ts";

/** The public halves of the private keys among the credentials. */
export const publicKeysOf = (values: FieldValues): KeyObject[] =>
  Object.values(values).flatMap((value) =>
    typeof value === "string" && value.includes("PRIVATE KEY") ? [createPublicKey(value)] : [],
  );

/** The header and claims, without those that differ from one token to the next. */
function lasting(jwt: string) {
  const { iat: _iat, exp: _exp, nbf: _nbf, jti: _jti, ...claims } = decodeJwt(jwt);
  const { alg, kid } = decodeProtectedHeader(jwt);
  return JSON.stringify([alg, kid, Object.entries(claims).toSorted()]);
}

async function isSignedByOne(jwt: string, keys: readonly KeyObject[]) {
  const { alg = "none" } = decodeProtectedHeader(jwt);
  // A shared secret's signature was compared as a whole where that can be.
  if (alg.startsWith("HS") || keys.length === 0) return true;
  for (const key of keys)
    if (await jwtVerify(jwt, key, { algorithms: [alg] }).catch(() => undefined)) return true;
  return false;
}

/** Whether a token says what ours says, is in force, and is signed by one of the keys. */
export async function isLike(ours: string, given: string | undefined, keys: readonly KeyObject[]) {
  if (given === undefined) return false;
  try {
    const { exp = Number.POSITIVE_INFINITY } = decodeJwt(given);
    if (exp <= unixNow()) return false;
    return (
      ours === given || (lasting(ours) === lasting(given) && (await isSignedByOne(given, keys)))
    );
  } catch {
    return false;
  }
}

/** Whether an Authorization header is the one that the handler sends with these credentials. */
export async function isLikeLearnt(
  learnt: string,
  given: string | null,
  keys: readonly KeyObject[],
) {
  if (isSame(learnt, given)) return true;
  const [ours, theirs] = [learnt, given ?? ""].map(
    (header) => /^Bearer (\S+\.\S+\.\S+)$/.exec(header)?.[1],
  );
  return ours !== undefined && isLike(ours, theirs, keys);
}

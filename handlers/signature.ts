import { errors, jwtVerify, type JWTPayload } from "jose";
import { uint8ArrayToBase64, uint8ArrayToHex } from "uint8array-extras";

export type Verdict =
  | { ok: true }
  | {
      ok: false;
      /** `not_configured`: the integration has no usable secret. `stale`: outside the time window. */
      reason: "missing" | "malformed" | "mismatch" | "stale" | "not_configured";
      /** 503 only where the vendor itself says that it may forget to sign and will retry (Vonage). */
      status?: 401 | 503;
    };

/** An inbound request as received: `url` is the public one that the vendor was given. */
export type Incoming = {
  method: string;
  url: string;
  headers: Headers;
  body: Uint8Array<ArrayBuffer>;
};

export type Verifier<C> = {
  /** For people: `HMAC-SHA256 of "<t>.<body>"`. */
  scheme: string;
  /** Seconds accepted each way around now, where the vendor signs a time. */
  toleranceSeconds?: number;
  /** Never throws, and is never true without a secret. `now` is Unix seconds. */
  verify: (incoming: Incoming, values: C, now: number) => Promise<Verdict>;
};

type Bytes = Uint8Array<ArrayBuffer>;
type Hash = "SHA-1" | "SHA-256" | "SHA-512";
type Refusal = Exclude<Verdict, { ok: true }>;
type Maybe<T> = T | undefined | Promise<T | undefined>;
/** Several while one is being replaced: any of them may have signed. */
type Secrets = string | readonly string[] | undefined;
type Message = string | Bytes;

/** A header may offer several signatures; more than this is an attempt to burn CPU. */
const candidateLimit = 16;
const defaultToleranceSeconds = 300;

const accepted: Verdict = { ok: true };
const refuse = (reason: Refusal["reason"]): Refusal => ({ ok: false, reason });

/** Requests in which `header` met a value that it would not pass on: malformed, then, not missing. */
const withRefusedHeader = new WeakSet<Incoming>();
const absent = (incoming: Incoming) =>
  refuse(withRefusedHeader.has(incoming) ? "malformed" : "missing");

/**
 * The header's one value. Undefined when it is absent, empty, not printable ASCII, or was sent twice:
 * `Headers` joins with `", "`, of which a copy trims the end.
 */
export function header(incoming: Incoming, name: string): string | undefined {
  const value = incoming.headers.get(name);
  if (value === null) return undefined;
  if (/^[\x20-\x7e]+$/.test(value) && !/, |,$/.test(value)) return value;
  withRefusedHeader.add(incoming);
  return undefined;
}

/** Unix seconds written as a plain decimal integer, and nothing else: no sign, space, fraction or exponent. */
export const unixSeconds = (text: string | undefined): number | undefined =>
  text !== undefined && /^[1-9]\d{0,10}$/.test(text) ? Number(text) : undefined;

/** Text as UTF-8 and bytes as they are, one after the other: what most vendors sign. */
export function bytesOf(...parts: readonly Message[]): Bytes {
  const chunks = parts.map((part) => (typeof part === "string" ? encoder.encode(part) : part));
  const joined = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

const encoder = new TextEncoder();
// Without `ignoreBOM` a byte order mark is dropped: two bodies would then read as the same text.
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });

/** The body as text, exactly; undefined when it is not UTF-8. */
export function textOf(incoming: Incoming): string | undefined {
  try {
    return strict.decode(incoming.body);
  } catch {
    return undefined;
  }
}

/** The body as JSON; undefined when it is not. */
export function jsonOf(incoming: Incoming): unknown {
  try {
    return JSON.parse(strict.decode(incoming.body));
  } catch {
    return undefined;
  }
}

/** The body's form fields. */
export const formOf = (incoming: Incoming): URLSearchParams =>
  // The parser drops one leading "?": give it its own, or it takes one that is part of a name.
  new URLSearchParams(`?${lenient.decode(incoming.body)}`);

function fromHex(text: string): Bytes | undefined {
  if (!/^(?:[0-9a-f]{2})+$/.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) =>
    Number.parseInt(text.slice(2 * i, 2 * i + 2), 16),
  );
}

/** Standard alphabet, padded and canonical: each byte string has one spelling only. */
function fromBase64(text: string): Bytes | undefined {
  try {
    const binary = atob(text);
    if (binary === "" || btoa(binary) !== text) return undefined;
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

export const digest = async (hash: Hash, message: Message): Promise<Bytes> =>
  new Uint8Array(await crypto.subtle.digest(hash, bytesOf(message)));

/** Lower-case hex SHA-256. */
export const sha256Hex = async (message: Message) =>
  uint8ArrayToHex(await digest("SHA-256", message));
export const sha256Base64 = async (message: Message) =>
  uint8ArrayToBase64(await digest("SHA-256", message));

const importHmac = (secret: Bytes, hash: Hash) =>
  crypto.subtle.importKey("raw", secret, { name: "HMAC", hash }, false, ["sign", "verify"]);

async function mac(secret: Message, message: Message, hash: Hash): Promise<Bytes> {
  const key = await importHmac(bytesOf(secret), hash);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, bytesOf(message)));
}

/** For answers to a handshake; a signature is checked with `hmac`, never by comparing this. */
export const hmacHex = async (secret: Message, message: Message, hash: Hash = "SHA-256") =>
  uint8ArrayToHex(await mac(secret, message, hash));
export const hmacBase64 = async (secret: string, message: Message, hash: Hash = "SHA-256") =>
  uint8ArrayToBase64(await mac(secret, message, hash));

function equalBytes(a: Bytes, b: Bytes): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= (a[i % a.length] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** Compares in a time that depends on the length of `given` alone; an empty secret equals nothing. */
export const equal = (secret: string, given: string): boolean =>
  secret !== "" && equalBytes(encoder.encode(secret), encoder.encode(given));

const listOf = (secrets: Secrets): readonly string[] =>
  (typeof secrets === "string" ? [secrets] : (secrets ?? [])).filter((secret) => secret !== "");

/** A vendor's callback that stumbles over a hostile request must refuse it, not fail the route. */
const neverThrows =
  <C>(verify: Verifier<C>["verify"]): Verifier<C>["verify"] =>
  async (incoming, values, now) => {
    try {
      return await verify(incoming, values, now);
    } catch {
      return refuse("malformed");
    }
  };

type Signed<C> = {
  /** For people. */
  scheme: string;
  /** Exactly what the vendor signs; undefined: the request lacks a part of it. */
  message: (incoming: Incoming) => Maybe<Message>;
  /** Unix seconds (fractions allowed), from what is signed; undefined: malformed. */
  timestamp?: (incoming: Incoming) => number | undefined;
  /** Default 300; used only with `timestamp`. */
  toleranceSeconds?: number;
  algorithm: Parameters<SubtleCrypto["verify"]>[0];
  keys: (values: C, incoming: Incoming) => Promise<readonly CryptoKey[]>;
  /** Decoded; undefined: the header is missing, and an undefined entry: not in the right encoding. */
  candidates: (incoming: Incoming, values: C) => readonly (Bytes | undefined)[] | undefined;
  anyMatch: boolean;
};

function signed<C>(rule: Signed<C>): Verifier<C> {
  const toleranceSeconds = rule.toleranceSeconds ?? defaultToleranceSeconds;
  return {
    scheme: rule.scheme,
    ...(rule.timestamp ? { toleranceSeconds } : {}),
    verify: neverThrows(async (incoming, values, now) => {
      const keys = await rule.keys(values, incoming);
      if (keys.length === 0) return refuse("not_configured");
      const offered = rule.candidates(incoming, values);
      if (!offered) return absent(incoming);
      if (offered.length > (rule.anyMatch ? candidateLimit : 1)) return refuse("malformed");
      const candidates = offered.filter((candidate) => candidate !== undefined);
      const message = candidates.length > 0 ? await rule.message(incoming) : undefined;
      const at = rule.timestamp ? rule.timestamp(incoming) : now;
      if (message === undefined || at === undefined) return refuse("malformed");

      const bytes = bytesOf(message);
      for (const key of keys)
        for (const candidate of candidates)
          if (await crypto.subtle.verify(rule.algorithm, key, candidate, bytes))
            // Only now, so that "stale" says: genuine, but delayed or replayed.
            return Math.abs(now - at) <= toleranceSeconds ? accepted : refuse("stale");
      return refuse("mismatch");
    }),
  };
}

async function keysOf(
  secrets: Secrets,
  read: (secret: string) => Maybe<Bytes>,
  load: (bytes: Bytes) => Promise<CryptoKey>,
): Promise<readonly CryptoKey[]> {
  const keys = await Promise.all(
    listOf(secrets).map(async (secret) => {
      const bytes = await read(secret);
      return bytes && load(bytes).catch(() => undefined);
    }),
  );
  return keys.filter((key) => key !== undefined);
}

const readSecret = {
  text: (secret: string) => encoder.encode(secret),
  /** Either case, as it is pasted from a console. */
  hex: (secret: string) => fromHex(secret.toLowerCase()),
  base64: fromBase64,
  /** The key is the SHA-1 of the text (Braintree). */
  "sha1-of-text": (secret: string) => digest("SHA-1", secret),
};

/** A keyed hash. A secret that is not in the encoding `key` counts as not configured. */
export function hmac<C>(
  rule: Pick<Signed<C>, "scheme" | "message" | "timestamp" | "toleranceSeconds"> & {
    hash: Hash;
    /** `hex` is lower case: where a vendor sends either case, lower it in `signatures`. */
    encoding: "hex" | "base64";
    /** How the secret becomes the key. Default `text`. */
    key?: keyof typeof readSecret;
    secret: (values: C, incoming: Incoming) => Secrets;
    /** As found in the request, still encoded; undefined: the header is missing. */
    signatures: (incoming: Incoming, values: C) => readonly string[] | undefined;
    /** The header may hold several signatures, of which one must match; else it holds exactly one. */
    anyMatch?: boolean;
  },
): Verifier<C> {
  const decode = { hex: fromHex, base64: fromBase64 }[rule.encoding];
  return signed<C>({
    ...rule,
    algorithm: "HMAC",
    anyMatch: rule.anyMatch ?? false,
    keys: (values, incoming) =>
      keysOf(rule.secret(values, incoming), readSecret[rule.key ?? "text"], (bytes) =>
        importHmac(bytes, rule.hash),
      ),
    candidates: (incoming, values) =>
      rule
        .signatures(incoming, values)
        ?.slice(0, candidateLimit + 1)
        .map(decode),
  });
}

/**
 * standardwebhooks.com, and Svix with its own header names. Reads the first set of headers of which
 * the signature is there. The secret is base64, with or without `whsec_`.
 */
export function standardWebhooks<C>(rule: {
  secret: (values: C, incoming: Incoming) => Secrets;
  /** Default `["webhook-"]`. */
  headerPrefix?: readonly ("webhook-" | "svix-")[];
  /** Default 300. */
  toleranceSeconds?: number;
}): Verifier<C> {
  const { headerPrefix = ["webhook-"], secret, ...rest } = rule;
  const read = (incoming: Incoming, name: "id" | "timestamp" | "signature") => {
    const prefix = headerPrefix.find((one) => incoming.headers.has(`${one}signature`));
    return prefix && header(incoming, prefix + name);
  };
  return hmac<C>({
    ...rest,
    scheme: 'Standard Webhooks: HMAC-SHA256 of "<id>.<timestamp>.<body>"',
    hash: "SHA-256",
    encoding: "base64",
    key: "base64",
    anyMatch: true,
    secret: (values, incoming) =>
      listOf(secret(values, incoming)).map((text) => text.replace(/^whsec_/, "")),
    signatures: (incoming) =>
      read(incoming, "signature")
        ?.split(" ", candidateLimit + 1)
        .filter((entry) => entry.startsWith("v1,"))
        .map((entry) => entry.slice("v1,".length)),
    timestamp: (incoming) => unixSeconds(read(incoming, "timestamp")),
    message: (incoming) => {
      const id = read(incoming, "id");
      const timestamp = read(incoming, "timestamp");
      return id && timestamp ? bytesOf(`${id}.${timestamp}.`, incoming.body) : undefined;
    },
  });
}

/**
 * DER `SEQUENCE { INTEGER r, INTEGER s }` (RFC 3279, 2.2.3) to the `r‖s` that WebCrypto takes.
 * Undefined for anything that DER forbids: other lengths, padding, negative numbers, trailing bytes.
 */
function rawFromDer(der: Bytes): Bytes | undefined {
  if (der[0] !== 0x30 || der[1] !== der.length - 2) return undefined;
  const raw = new Uint8Array(64);
  let at = 2;
  for (const end of [32, 64]) {
    const length = der[at + 1] ?? 0;
    const integer = der.subarray(at + 2, at + 2 + length);
    const [first, second] = integer;
    if (der[at] !== 0x02 || integer.length !== length || first === undefined) return undefined;
    if (first >= 0x80 || (first === 0 && (second ?? 0) < 0x80)) return undefined;
    const digits = first === 0 ? integer.subarray(1) : integer;
    if (digits.length > 32) return undefined;
    raw.set(digits, end - digits.length);
    at += 2 + length;
  }
  return at === der.length ? raw : undefined;
}

const publicKeyAlgorithms = {
  Ed25519: { key: { name: "Ed25519" }, verify: { name: "Ed25519" }, read: (s: Bytes) => s },
  "ECDSA-P256-SHA256-DER": {
    key: { name: "ECDSA", namedCurve: "P-256" },
    verify: { name: "ECDSA", hash: "SHA-256" },
    read: rawFromDer,
  },
};

/** An asymmetric signature, base64. A public key that cannot be read counts as not configured. */
export function publicKey<C>(
  rule: Pick<Signed<C>, "scheme" | "message" | "timestamp" | "toleranceSeconds"> & {
    algorithm: keyof typeof publicKeyAlgorithms;
    key: (values: C, incoming: Incoming) => Secrets;
    keyEncoding: "base64-raw" | "base64-spki";
    /** As found in the request; undefined: the header is missing. */
    signature: (incoming: Incoming) => string | undefined;
  },
): Verifier<C> {
  const algorithm = publicKeyAlgorithms[rule.algorithm];
  const format = rule.keyEncoding === "base64-raw" ? "raw" : "spki";
  return signed<C>({
    ...rule,
    algorithm: algorithm.verify,
    anyMatch: false,
    keys: (values, incoming) =>
      keysOf(rule.key(values, incoming), fromBase64, (bytes) =>
        crypto.subtle.importKey(format, bytes, algorithm.key, false, ["verify"]),
      ),
    candidates: (incoming) => {
      const signature = rule.signature(incoming);
      if (signature === undefined) return undefined;
      const bytes = fromBase64(signature);
      return [bytes && algorithm.read(bytes)];
    },
  });
}

/** The signature's last character has spare bits that a decoder ignores: allow one spelling only. */
function isCompactJwt(token: string): boolean {
  const signature = /^[\w-]+\.[\w-]+\.([\w-]+)$/.exec(token)?.[1];
  if (signature === undefined) return false;
  const base64 = signature.replaceAll("-", "+").replaceAll("_", "/");
  return fromBase64(base64.padEnd(Math.ceil(base64.length / 4) * 4, "=")) !== undefined;
}

function jwtRefusal(error: unknown): Refusal {
  if (error instanceof errors.JWSSignatureVerificationFailed) return refuse("mismatch");
  if (error instanceof errors.JWTExpired) return refuse("stale");
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === "nbf")
    return refuse("stale");
  return refuse("malformed");
}

/**
 * A JWT keyed by a text secret. It must hold `exp`, or the `ageClaim`; every time in it is held
 * against now. `check` ties it to this request (a hash of the body or URL) and to its issuer.
 */
export function jwt<C>(rule: {
  scheme: string;
  algorithms: readonly ("HS256" | "HS384" | "HS512")[];
  secret: (values: C, incoming: Incoming) => Secrets;
  /** The bare token; undefined: the header is missing. */
  token: (incoming: Incoming) => string | undefined;
  check: (claims: JWTPayload, incoming: Incoming, values: C) => Promise<boolean> | boolean;
  /** The time of signing, bounded both ways; for vendors that set no `exp`. */
  ageClaim?: "iat";
  /** Default 300 with `ageClaim`, else 10: the clock difference forgiven on `exp` and `nbf`. */
  toleranceSeconds?: number;
  /** The status to answer with when there is no token at all. */
  missingStatus?: 503;
}): Verifier<C> {
  const { ageClaim } = rule;
  const toleranceSeconds = rule.toleranceSeconds ?? (ageClaim ? defaultToleranceSeconds : 10);
  return {
    scheme: rule.scheme,
    ...(ageClaim ? { toleranceSeconds } : {}),
    verify: neverThrows(async (incoming, values, now) => {
      const secrets = listOf(rule.secret(values, incoming));
      if (secrets.length === 0) return refuse("not_configured");
      const token = rule.token(incoming);
      if (token === undefined) {
        const refusal = absent(incoming);
        const status = refusal.reason === "missing" ? rule.missingStatus : undefined;
        return status ? { ...refusal, status } : refusal;
      }
      if (!isCompactJwt(token)) return refuse("malformed");

      let refusal = refuse("mismatch");
      for (const secret of secrets) {
        try {
          const { payload } = await jwtVerify(token, encoder.encode(secret), {
            algorithms: [...rule.algorithms],
            currentDate: new Date(now * 1000),
            clockTolerance: toleranceSeconds,
            requiredClaims: [ageClaim ?? "exp"],
          });
          if (!(await rule.check(payload, incoming, values))) return refuse("mismatch");
          const at = ageClaim ? payload[ageClaim] : now;
          if (typeof at !== "number") return refuse("malformed");
          return Math.abs(now - at) <= toleranceSeconds ? accepted : refuse("stale");
        } catch (error) {
          refusal = jwtRefusal(error);
          if (refusal.reason !== "mismatch") return refusal;
        }
      }
      return refusal;
    }),
  };
}

/**
 * For vendors that sign nothing: a secret that they send back, in the URL or a header. It proves
 * nothing about the body, so the event stays a hint until it is read back through the API.
 */
export function sharedSecret<C>(rule: {
  scheme: string;
  secret: (values: C, incoming: Incoming) => Secrets | Promise<Secrets>;
  /** Undefined: the request holds none. */
  given: (incoming: Incoming, values: C) => string | undefined;
}): Verifier<C> {
  return {
    scheme: rule.scheme,
    verify: neverThrows(async (incoming, values) => {
      const secrets = listOf(await rule.secret(values, incoming));
      if (secrets.length === 0) return refuse("not_configured");
      const given = rule.given(incoming, values);
      if (given === undefined) return absent(incoming);
      const sent = await digest("SHA-256", given);
      const expected = await Promise.all(secrets.map((secret) => digest("SHA-256", secret)));
      return expected.some((one) => equalBytes(one, sent)) ? accepted : refuse("mismatch");
    }),
  };
}

/** From the least that a failure says about the request to the most. */
const specificity = ["missing", "not_configured", "malformed", "mismatch", "stale"];

/** For a vendor with several schemes: one must accept. Else the failure that says most; of equals the first. */
export function firstOf<C>(...verifiers: readonly [Verifier<C>, ...Verifier<C>[]]): Verifier<C> {
  const tolerances = verifiers.flatMap((verifier) => verifier.toleranceSeconds ?? []);
  return {
    scheme: [...new Set(verifiers.map((verifier) => verifier.scheme))].join("; or "),
    ...(tolerances.length > 0 ? { toleranceSeconds: Math.max(...tolerances) } : {}),
    verify: async (incoming, values, now) => {
      let refusal: Refusal | undefined;
      for (const verifier of verifiers) {
        const verdict = await verifier.verify(incoming, values, now);
        if (verdict.ok) return verdict;
        const says = specificity.indexOf(verdict.reason);
        if (!refusal || says > specificity.indexOf(refusal.reason)) refusal = verdict;
      }
      return refusal ?? refuse("missing");
    },
  };
}

import { createHmac, generateKeyPairSync, sign } from "node:crypto";

import * as fc from "fast-check";
import { type JWTPayload, SignJWT } from "jose";
import { describe, expect, test } from "vitest";

import {
  bytesOf,
  equal,
  firstOf,
  formOf,
  header,
  hmac,
  hmacBase64,
  hmacHex,
  type Incoming,
  jsonOf,
  jwt,
  publicKey,
  sha256Base64,
  sha256Hex,
  sharedSecret,
  standardWebhooks,
  textOf,
  unixSeconds,
  type Verdict,
  type Verifier,
} from "./signature.ts";

type Values = { secret?: string | readonly string[] | undefined };
type Sent = {
  method?: string;
  url?: string;
  headers?: HeadersInit;
  body?: string | Uint8Array<ArrayBuffer>;
};
const now = 1_760_000_000;
const received = ({
  method = "POST",
  url = "https://hooks.example.com/v",
  headers,
  body = "",
}: Sent) => ({
  method,
  url,
  headers: new Headers(headers),
  body: bytesOf(body),
});
const secret = (values: Values) => values.secret;
const only = (value: string | undefined) => (value === undefined ? undefined : [value]);
const reason = (verdict: Verdict) => (verdict.ok ? "accepted" : verdict.reason);
const judge = async (
  verifier: Verifier<Values>,
  sent: Sent,
  values: Values = { secret: "key" },
  at = now,
) => reason(await verifier.verify(received(sent), values, at));

describe("reading a request", () => {
  test.each([
    ["one value", ["t=1,v1=ab"], "t=1,v1=ab"],
    ["no header", [], undefined],
    ["an empty value", [""], undefined],
    ["a doubled header", ["a", "b"], undefined],
    ["a header doubled by an empty one", ["a", ""], undefined],
    ["a value beyond ASCII", ["caf\u00e9"], undefined],
    ["a control character", ["a\tb"], undefined],
  ])("header reads %s", (_, values, expected) => {
    const headers = new Headers();
    for (const value of values) headers.append("x-signature", value);
    expect(header(received({ headers }), "X-Signature")).toBe(expected);
  });

  test.each([
    "",
    "0",
    "01",
    "-5",
    "+5",
    "5.0",
    " 5",
    "5 ",
    "1e9",
    "0x5",
    "soon",
    "1".repeat(12),
    "١",
  ])("unixSeconds refuses %j", (text) => expect(unixSeconds(text)).toBeUndefined());
  test("unixSeconds reads a decimal integer", () => {
    expect(unixSeconds("1760000000")).toBe(now);
    expect(unixSeconds(undefined)).toBeUndefined();
  });

  test("textOf and jsonOf refuse what is not UTF-8 and keep a byte order mark", () => {
    const bad = received({ body: Uint8Array.of(0x22, 0xff, 0x22) });
    expect(textOf(bad)).toBeUndefined();
    expect(jsonOf(bad)).toBeUndefined();
    expect(textOf(received({ body: "\ufeff{}" }))).toBe("\ufeff{}");
    expect(jsonOf(received({ body: "{" }))).toBeUndefined();
    expect(jsonOf(received({ body: '{"a":1}' }))).toEqual({ a: 1 });
  });

  test("formOf decodes fields and keeps every character of the first name", () => {
    expect([...formOf(received({ body: "?a=1&b=%2B+c&b=" }))]).toEqual([
      ["?a", "1"],
      ["b", "+ c"],
      ["b", ""],
    ]);
  });

  test("equal compares whole strings, and nothing equals an empty secret", () => {
    expect(equal("abc", "abc")).toBe(true);
    expect(equal("é", "é")).toBe(true);
    for (const given of ["", "ab", "abd", "abcabc", "abcd"])
      expect(equal("abc", given)).toBe(false);
    expect(equal("", "")).toBe(false);
    expect(equal("", "a")).toBe(false);
  });

  test("digests match Node's", async () => {
    expect(await sha256Hex("")).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
    expect(await sha256Base64("")).toBe("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    expect(await hmacHex("k", "m")).toBe(createHmac("sha256", "k").update("m").digest("hex"));
    expect(await hmacBase64("k", "m", "SHA-1")).toBe(
      createHmac("sha1", "k").update("m").digest("base64"),
    );
  });
});

const hmacOf = (more: Partial<Parameters<typeof hmac<Values>>[0]> = {}) =>
  hmac<Values>({
    scheme: "HMAC",
    hash: "SHA-256",
    encoding: "hex",
    secret,
    signatures: (incoming) => only(header(incoming, "x-signature")),
    message: (incoming) => incoming.body,
    ...more,
  });
const mac = (encoding: "hex" | "base64", body = "body", key: string | Buffer = "key") =>
  createHmac("sha256", key).update(body).digest(encoding);
const withSignature = (signature: string, body = "body"): Sent => ({
  headers: { "x-signature": signature },
  body,
});

describe("hmac", () => {
  test("accepts the right signature and no other", async () => {
    expect(await judge(hmacOf(), withSignature(mac("hex")))).toBe("accepted");
    expect(await judge(hmacOf(), withSignature(mac("hex", "Body")))).toBe("mismatch");
    expect(await judge(hmacOf(), withSignature(mac("hex").slice(2)))).toBe("mismatch");
    expect(await judge(hmacOf(), { body: "body" })).toBe("missing");
    expect(await judge(hmacOf(), withSignature(""))).toBe("malformed");
    const doubled = new Headers([
      ["x-signature", mac("hex")],
      ["x-signature", mac("hex")],
    ]);
    expect(await judge(hmacOf(), { headers: doubled, body: "body" })).toBe("malformed");
  });

  test.each([
    ["upper case", mac("hex").toUpperCase()],
    ["an odd digit", `${mac("hex")}0`],
    ["another alphabet", mac("hex").replace(/.$/, "g")],
    ["a space inside", `${mac("hex").slice(0, 8)} ${mac("hex").slice(8)}`],
  ])("hex refuses %s", async (_, signature) => {
    expect(await judge(hmacOf(), withSignature(signature))).toBe("malformed");
  });

  // 0xfb and 0xff give the two characters in which the alphabets differ.
  const slashed = Array.from({ length: 999 }, (_, i) => `b${i}`).find((body) =>
    /^(?=.*\+)(?=.*\/)/.test(mac("base64", body)),
  );
  const standard = mac("base64", slashed);
  test.each([
    ["base64url", standard.replaceAll("+", "-").replaceAll("/", "_")],
    ["missing padding", standard.replace("=", "")],
    ["double padding", `${standard}=`],
    ["spare bits set", standard.replace(/(.)=$/, (_, last: string) => `${spare(last)}=`)],
    ["a space inside", `${standard.slice(0, 8)} ${standard.slice(8)}`],
  ])("base64 refuses %s", async (_, signature) => {
    const base64 = hmacOf({ encoding: "base64" });
    expect(await judge(base64, withSignature(standard, slashed))).toBe("accepted");
    expect(signature).not.toBe(standard);
    expect(await judge(base64, withSignature(signature, slashed))).toBe("malformed");
  });

  test("the secret becomes the key by its encoding, and a secret that is not in it is no secret", async () => {
    const hexKey = hmacOf({ key: "hex" });
    const base64Key = hmacOf({ key: "base64" });
    const sent = withSignature(mac("hex", "body", Buffer.from("beef", "hex")));
    expect(await judge(hexKey, sent, { secret: "beef" })).toBe("accepted");
    expect(await judge(hexKey, sent, { secret: "BEEF" })).toBe("accepted");
    expect(await judge(base64Key, sent, { secret: "vu8=" })).toBe("accepted");
    for (const broken of ["", "bee", "beeg", " beef"])
      expect(await judge(hexKey, sent, { secret: broken })).toBe("not_configured");
    for (const broken of ["", "vu8", "vu9=", "vu8=\n", "=", "****"])
      expect(await judge(base64Key, sent, { secret: broken })).toBe("not_configured");
  });

  test("accepts any of several secrets, and never without one", async () => {
    const sent = withSignature(mac("hex"));
    expect(await judge(hmacOf(), sent, { secret: ["old", "key"] })).toBe("accepted");
    expect(await judge(hmacOf(), sent, { secret: ["old", "older"] })).toBe("mismatch");
    for (const none of [undefined, "", [], [""]])
      expect(await judge(hmacOf(), sent, { secret: none })).toBe("not_configured");
    const unkeyed = withSignature(mac("hex", "body", ""));
    expect(await judge(hmacOf(), unkeyed, { secret: "" })).toBe("not_configured");
  });

  test("several signatures count only with anyMatch, and no more than sixteen", async () => {
    const signatures = (incoming: Incoming) => header(incoming, "x-signature")?.split(",");
    const several = hmacOf({ signatures, anyMatch: true });
    const wrong = mac("hex", "other");
    const list = (length: number) => [...Array<string>(length - 1).fill(wrong), mac("hex")].join();
    expect(await judge(several, withSignature(list(16)))).toBe("accepted");
    expect(await judge(several, withSignature(`no hex,${mac("hex")}`))).toBe("accepted");
    expect(await judge(several, withSignature(`${wrong},${wrong}`))).toBe("mismatch");
    expect(await judge(several, withSignature(list(17)))).toBe("malformed");
    expect(await judge(several, withSignature(list(10_000)))).toBe("malformed");
    expect(await judge(hmacOf({ signatures }), withSignature(list(2)))).toBe("malformed");
    expect(await judge(hmacOf({ signatures: () => [] }), { body: "body" })).toBe("malformed");
  });

  test("bounds a timestamp both ways, inclusive, and calls only a genuine request stale", async () => {
    const timed = hmacOf({
      timestamp: (incoming) => unixSeconds(header(incoming, "x-time")),
      message: (incoming) => `${header(incoming, "x-time")}.${textOf(incoming)}`,
    });
    const at = (time: string, signed = time): Sent => ({
      headers: { "x-time": time, "x-signature": mac("hex", `${signed}.body`) },
      body: "body",
    });
    expect(timed.toleranceSeconds).toBe(300);
    expect(hmacOf().toleranceSeconds).toBeUndefined();
    for (const offset of [-300, 0, 300])
      expect(await judge(timed, at(`${now + offset}`))).toBe("accepted");
    for (const offset of [-301, 301])
      expect(await judge(timed, at(`${now + offset}`))).toBe("stale");
    expect(await judge(timed, at(`${now - 9999}`, `${now}`))).toBe("mismatch");
    for (const time of ["soon", "", "1e9", `${now}.0`, `-${now}`, `0${now}`])
      expect(await judge(timed, at(time))).toBe("malformed");
  });

  test("a message or callback that fails refuses the request", async () => {
    const sent = withSignature(mac("hex"));
    const failing = () => {
      throw new Error("hostile");
    };
    expect(await judge(hmacOf({ message: () => undefined }), sent)).toBe("malformed");
    for (const name of ["message", "signatures", "secret", "timestamp"])
      expect(await judge(hmacOf({ [name]: failing }), sent)).toBe("malformed");
  });
});

/** Another last character that decodes to the same bytes, since its low bits are ignored. */
function spare(last: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return alphabet[alphabet.indexOf(last) ^ 1] ?? "";
}

describe("standardWebhooks", () => {
  const key = Buffer.from("0123456789abcdef0123456789abcdef");
  const whsec = `whsec_${key.toString("base64")}`;
  const sent = (prefix: string, more: Record<string, string> = {}): Sent => ({
    body: "{}",
    headers: {
      [`${prefix}id`]: "msg_1",
      [`${prefix}timestamp`]: `${now}`,
      [`${prefix}signature`]: `v1,${mac("base64", `msg_1.${now}.{}`, key)}`,
      ...more,
    },
  });

  test("reads only the header names that the vendor uses, and never a mixture", async () => {
    const plain = standardWebhooks<Values>({ secret });
    const both = standardWebhooks<Values>({ secret, headerPrefix: ["svix-", "webhook-"] });
    expect(await judge(plain, sent("webhook-"), { secret: whsec })).toBe("accepted");
    expect(await judge(plain, sent("svix-"), { secret: whsec })).toBe("missing");
    expect(await judge(both, sent("svix-"), { secret: whsec })).toBe("accepted");
    expect(await judge(both, sent("webhook-"), { secret: whsec })).toBe("accepted");
    const mixed = sent("webhook-", { "svix-signature": "v1,AAAA" });
    expect(await judge(both, mixed, { secret: whsec })).toBe("malformed");
  });

  test("looks at v1 entries among at most sixteen", async () => {
    const verifier = standardWebhooks<Values>({ secret });
    const good = `v1,${mac("base64", `msg_1.${now}.{}`, key)}`;
    const entries = (list: string) => sent("webhook-", { "webhook-signature": list });
    const values = { secret: whsec };
    expect(await judge(verifier, entries(`v1a,AAAA v2,AAAA ${good}`), values)).toBe("accepted");
    expect(await judge(verifier, entries(good.slice(3)), values)).toBe("malformed");
    const flood = `${"v1,AAAA ".repeat(10_000)}${good}`;
    expect(await judge(verifier, entries(flood), values)).toBe("malformed");
  });

  test("a secret that is not base64 fails closed", async () => {
    const verifier = standardWebhooks<Values>({ secret });
    for (const broken of [
      "whsec_",
      "whsec_not base64",
      `${whsec}=`,
      whsec.replace("whsec_", "WHSEC_"),
    ])
      expect(await judge(verifier, sent("webhook-"), { secret: broken })).toBe("not_configured");
  });
});

describe("publicKey", () => {
  const spki =
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZrHcszPSFW8KHBuoeZbDXmA2a38g1uGvMye2TV7ESY2z9r0WEuyyHUKrEmVS/mqIM00iYZ+xE+oStYwJr3Qmxg==";
  /** Of "body", by the length of r and s; made once with OpenSSL, since short numbers are rare. */
  const signatures = {
    "33 and 33":
      "MEYCIQD3RWE8DIQKS9Lkzo4zGkW3GsIOjiBRm0+WJQp1oNHcZAIhAOQAV13GDwdBBxO8v5W3Ab+j9vZz1/DukQnZaNi7nnuZ",
    "33 and 32":
      "MEUCIQCRiHIN4iFv4IsByRSLdmE3qqz/JadhxxGnt0QN6n0SAQIgCPtOo3OdxUELp2V7+DlEtg2sdYPtnrAZqiI4h3Un12I=",
    "32 and 33":
      "MEUCIGrA78hwCZ+oV+YbRv2og+gKfPXgEBotqp+NJETyebaCAiEAheNJQ1R8BjHZRTGladHdKFb6sK7QkdO+qkHqhATdbKs=",
    "32 and 32":
      "MEQCICrE3yNUyort3XII75QtiNU7V8eysL6tAn+o+/6u386cAiACfn6YB7M8ckNKAoDQrYYl8hwJzd2SaYAl21oVw+EHTA==",
    "33 and 31":
      "MEQCIQC6ztPK1jzNrvRgaohokxUgkHLittT/S+4tiG73+ayeLQIfKJPeZ2qkuUONg91VV3IQQhTsTI9PwCh2QqhKiPmiVw==",
    "31 and 32":
      "MEMCHzhYNMw9CaGWudfz2QG7yzehQ5yh1vgf7bFoiSBgUGkCIBKVLmEU0aWkRXFxjhamFfK3VLpqk/1ZgFpVDPzbNn/r",
    "31 and 31":
      "MEICH08dz0LstE1KQ4cKvB4QPuMnuCcVRU1DSyvYRBaDnH0CH30hfGnKjOy2cW0A07O6o7kUZ2sw/S+ZTQcKTsZKMQk=",
  };
  const verifier = publicKey<Values>({
    scheme: "ECDSA",
    algorithm: "ECDSA-P256-SHA256-DER",
    keyEncoding: "base64-spki",
    key: secret,
    signature: (incoming) => header(incoming, "x-signature"),
    message: (incoming) => incoming.body,
  });
  const judgeDer = (der: Uint8Array, body: string) =>
    judge(verifier, withSignature(Buffer.from(der).toString("base64"), body), { secret: spki });

  test.each(Object.entries(signatures))("accepts numbers of %s bytes", async (_, signature) => {
    const der = Buffer.from(signature, "base64");
    expect(await judgeDer(der, "body")).toBe("accepted");
    expect(await judgeDer(der, "Body")).toBe("mismatch");
  });

  test("refuses every other spelling of the same numbers", async () => {
    const der = [...Buffer.from(signatures["32 and 33"], "base64")];
    const [, , , rLength = 0] = der;
    const r = der.slice(4, 4 + rLength);
    const s = der.slice(6 + rLength);
    const integer = (digits: number[]) => [0x02, digits.length, ...digits];
    const sequence = (...content: number[]) => Uint8Array.from([0x30, content.length, ...content]);
    expect(await judgeDer(sequence(...integer(r), ...integer(s)), "body")).toBe("accepted");
    const spellings = {
      "a trailing byte": Uint8Array.from([...der, 0]),
      "a trailing byte inside": sequence(...integer(r), ...integer(s), 0),
      "a padded number": sequence(...integer([0, ...r]), ...integer(s)),
      "a long length": Uint8Array.from([0x30, 0x81, ...der.slice(1)]),
      "an empty number": sequence(...integer([]), ...integer(s)),
      zero: sequence(...integer([0]), ...integer(s)),
      "a negative number": sequence(...integer([0x80, ...r.slice(-31)]), ...integer(s)),
      "r of 33 bytes": sequence(...integer([1, ...r.slice(-31), 1]), ...integer(s)),
      "s of 33 bytes": sequence(...integer(r), ...integer([1, ...r.slice(-31), 1])),
      "too short a length": Uint8Array.from([0x30, der.length - 3, ...der.slice(2)]),
      "another tag": Uint8Array.from([0x31, ...der.slice(1)]),
      "one number": sequence(...integer(r)),
      "a cut": Uint8Array.from(der.slice(0, -1)),
      nothing: new Uint8Array(),
    };
    for (const [name, spelling] of Object.entries(spellings))
      expect(await judgeDer(spelling, "body"), name).toBe("malformed");
    const swapped = sequence(...integer(s), ...integer(r));
    expect(await judgeDer(swapped, "body")).toBe("mismatch");
  });

  test("no conversion of any bytes throws or accepts", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async (bytes) => {
        expect(await judgeDer(bytes, "body")).toMatch(/malformed|mismatch/);
      }),
      { seed: 1 },
    );
  });

  test("Ed25519 takes a raw or SPKI key, and a broken key is no key", async () => {
    const pair = generateKeyPairSync("ed25519");
    const der = pair.publicKey.export({ format: "der", type: "spki" });
    const signature = sign(null, Buffer.from("body"), pair.privateKey).toString("base64");
    const ed25519 = (keyEncoding: "base64-raw" | "base64-spki") =>
      publicKey<Values>({
        scheme: "Ed25519",
        algorithm: "Ed25519",
        keyEncoding,
        key: secret,
        signature: (incoming) => header(incoming, "x-signature"),
        message: (incoming) => incoming.body,
      });
    const raw = der.subarray(-32).toString("base64");
    expect(await judge(ed25519("base64-raw"), withSignature(signature), { secret: raw })).toBe(
      "accepted",
    );
    const spkiKey = { secret: der.toString("base64") };
    expect(await judge(ed25519("base64-spki"), withSignature(signature), spkiKey)).toBe("accepted");
    expect(await judge(ed25519("base64-raw"), withSignature(signature, "b"), { secret: raw })).toBe(
      "mismatch",
    );
    for (const broken of ["", "AAAA", raw.slice(1), spkiKey.secret])
      expect(await judge(ed25519("base64-raw"), withSignature(signature), { secret: broken })).toBe(
        "not_configured",
      );
  });
});

describe("jwt", () => {
  const rule = {
    scheme: "JWT",
    algorithms: ["HS256"] as const,
    secret,
    token: (incoming: Incoming) => header(incoming, "authorization"),
    check: (claims: JWTPayload) => claims["for"] === "us",
  };
  const byAge = jwt<Values>({ ...rule, ageClaim: "iat", missingStatus: 503 });
  const byExpiry = jwt<Values>(rule);
  const token = (claims: JWTPayload, alg = "HS256", key = "key") =>
    new SignJWT({ for: "us", ...claims }).setProtectedHeader({ alg }).sign(Buffer.from(key));
  const bearing = (authorization: string): Sent => ({ headers: { authorization } });

  test("accepts one spelling of a token, in the pinned algorithm", async () => {
    const good = await token({ iat: now });
    expect(await judge(byAge, bearing(good))).toBe("accepted");
    expect(await judge(byAge, bearing(await token({ iat: now }, "HS512")))).toBe("malformed");
    expect(await judge(byAge, bearing(await token({ iat: now }, "HS256", "other")))).toBe(
      "mismatch",
    );
    expect(await judge(byAge, bearing(await token({ iat: now, for: "them" })))).toBe("mismatch");
    const [head = "", claims = ""] = good.split(".");
    const none = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${claims}.`;
    const last = good.slice(-1).replace("-", "+").replace("_", "/");
    const respelled = good.slice(0, -1) + spare(last).replace("+", "-").replace("/", "_");
    for (const bad of [none, `${head}.${claims}.`, `${good}=`, ` ${good} x`, "a.b", "", respelled])
      expect(await judge(byAge, bearing(bad)), bad).toBe("malformed");
    const keys = { secret: ["old", "key"] };
    expect(await judge(byAge, bearing(good), keys)).toBe("accepted");
  });

  test("bounds the age claim both ways and demands it", async () => {
    for (const offset of [-300, 300])
      expect(await judge(byAge, bearing(await token({ iat: now + offset })))).toBe("accepted");
    for (const offset of [-301, 301])
      expect(await judge(byAge, bearing(await token({ iat: now + offset })))).toBe("stale");
    expect(await judge(byAge, bearing(await token({})))).toBe("malformed");
    expect(await judge(byAge, bearing(await token({ iat: now, exp: now - 301 })))).toBe("stale");
  });

  test("without an age claim demands exp, and forgives ten seconds", async () => {
    expect(await judge(byExpiry, bearing(await token({ exp: now - 9 })))).toBe("accepted");
    expect(await judge(byExpiry, bearing(await token({ exp: now - 11 })))).toBe("stale");
    expect(await judge(byExpiry, bearing(await token({ exp: now + 60, nbf: now + 11 })))).toBe(
      "stale",
    );
    expect(await judge(byExpiry, bearing(await token({ iat: now })))).toBe("malformed");
    expect(byExpiry.toleranceSeconds).toBeUndefined();
  });

  test("answers 503 only when there is no token at all", async () => {
    const values = { secret: "key" };
    expect(await byAge.verify(received({}), values, now)).toEqual({
      ok: false,
      reason: "missing",
      status: 503,
    });
    const doubled = new Headers([
      ["authorization", "a"],
      ["authorization", "b"],
    ]);
    expect(await byAge.verify(received({ headers: doubled }), values, now)).toEqual({
      ok: false,
      reason: "malformed",
    });
    expect(await judge(byAge, bearing(await token({ iat: now })), {})).toBe("not_configured");
  });
});

describe("sharedSecret and firstOf", () => {
  const shared = (name: string) =>
    sharedSecret<Values>({
      scheme: name,
      secret,
      given: (incoming) => new URL(incoming.url).searchParams.get(name) ?? undefined,
    });
  const url = (query: string): Sent => ({ url: `https://hooks.example.com/v?${query}` });

  test("accepts the secret alone", async () => {
    expect(await judge(shared("token"), url("token=key"))).toBe("accepted");
    for (const wrong of ["token=", "token=kez", "token=keykey", "token=KEY"])
      expect(await judge(shared("token"), url(wrong)), wrong).toBe("mismatch");
    expect(await judge(shared("token"), url(""))).toBe("missing");
    expect(await judge(shared("token"), url("token="), { secret: "" })).toBe("not_configured");
    expect(await judge(shared("token"), { url: "not a URL" })).toBe("malformed");
  });

  test("succeeds when one scheme does, else gives the failure that says most", async () => {
    const either = firstOf(shared("a"), shared("b"), hmacOf());
    expect(either.scheme).toBe("a; or b; or HMAC");
    expect(await judge(either, url("a=key"))).toBe("accepted");
    expect(await judge(either, url("a=wrong&b=key"))).toBe("accepted");
    expect(await judge(either, url("b=wrong"))).toBe("mismatch");
    expect(await judge(either, { ...withSignature("zz"), ...url("b=wrong") })).toBe("mismatch");
    expect(await judge(either, url("x"))).toBe("missing");
    expect(await judge(either, url("a=key"), {})).toBe("not_configured");
  });

  test("keeps the status of the failure that it gives", async () => {
    const forgetful: Verifier<Values> = {
      scheme: "JWT",
      toleranceSeconds: 60,
      verify: async () => ({ ok: false, reason: "missing", status: 503 }),
    };
    const either = firstOf(forgetful, shared("a"));
    expect(either.toleranceSeconds).toBe(60);
    expect(await either.verify(received({}), { secret: "key" }, now)).toHaveProperty("status", 503);
  });
});

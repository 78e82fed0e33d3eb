import { createHash, createHmac } from "node:crypto";

import { isSame } from "../define.ts";

type Key = { accessKeyId: string; secretAccessKey: string; region: string; service: string };

const sha256 = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex");
const hmac = (key: string | Buffer, text: string) =>
  createHmac("sha256", key).update(text).digest();
const encode = (text: string) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** Signature Version 4, computed as AWS computes it; written without a look at the handlers' signer. */
export async function isSignedForAws(request: Request, key: Key, now: Date): Promise<boolean> {
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.get("authorization") ?? "",
    );
  const stamp = request.headers.get("x-amz-date") ?? "";
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp) ?? [];
  if (!parts || y === undefined) return false;
  const age = now.getTime() - Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
  if (Math.abs(age) > 15 * 60_000) return false;
  const [, credential, signedHeaders = "", signature] = parts;
  const scope = `${stamp.slice(0, 8)}/${key.region}/${key.service}/aws4_request`;
  const names = signedHeaders.split(";");
  if (credential !== `${key.accessKeyId}/${scope}` || !names.includes("host")) return false;
  const url = new URL(request.url);
  const value = (name: string) =>
    (name === "host" ? url.host : (request.headers.get(name) ?? "")).trim().replace(/\s+/g, " ");
  const body = new Uint8Array(await request.clone().arrayBuffer());
  const payload = sha256(body);
  const declared = request.headers.get("x-amz-content-sha256");
  if (declared !== null && declared !== payload) return false;
  const canonical = [
    request.method,
    key.service === "s3" ? url.pathname : url.pathname.split("/").map(encode).join("/"),
    [...url.searchParams]
      .map(([name, text]) => `${encode(name)}=${encode(text)}`)
      .toSorted()
      .join("&"),
    ...names.map((name) => `${name}:${value(name)}`),
    "",
    signedHeaders,
    payload,
  ].join("\n");
  const text = ["AWS4-HMAC-SHA256", stamp, scope, sha256(canonical)].join("\n");
  const signing = scope
    .split("/")
    .reduce<string | Buffer>((k, part) => hmac(k, part), `AWS4${key.secretAccessKey}`);
  return isSame(hmac(signing, text).toString("hex"), signature);
}

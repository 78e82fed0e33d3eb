import { uint8ArrayToHex } from "uint8array-extras";

type Keys = { accessKeyId: string; secretAccessKey: string; sessionToken?: string | undefined };

export type Unsigned = {
  method: string;
  url: URL;
  headers: Headers;
  body?: string | Uint8Array<ArrayBuffer> | undefined;
};

const utf8 = (text: string) => new TextEncoder().encode(text);

async function sha256(content: string | Uint8Array<ArrayBuffer>) {
  return uint8ArrayToHex(
    await crypto.subtle.digest("SHA-256", typeof content === "string" ? utf8(content) : content),
  );
}

async function hmac(key: BufferSource, text: string) {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  return crypto.subtle.sign("HMAC", imported, utf8(text));
}

/** RFC 3986: everything but the unreserved characters. */
const encode = (text: string) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function canonicalQuery(url: URL) {
  return [...url.searchParams]
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .toSorted(([a, x], [b, y]) => byText(a, b) || byText(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

/** S3 signs the path encoded once; the others sign it encoded twice and without empty segments. */
const canonicalPath = ({ pathname }: URL, service: string) =>
  service === "s3"
    ? pathname.replace(/[^\w.~/%-]/g, encode)
    : pathname
        .replace(/\/{2,}/g, "/")
        .split("/")
        .map(encode)
        .join("/");

/** Added on the way by a fetch implementation or a proxy, so that a signature over them would break. */
const unsigned = new Set([
  "authorization",
  "connection",
  "user-agent",
  "traceparent",
  "accept-encoding",
]);

/** Adds AWS Signature Version 4 to the headers of a request. */
export async function signAws(
  { method, url, headers, body = "" }: Unsigned,
  { accessKeyId, secretAccessKey, sessionToken }: Keys,
  { region, service, nowMs }: { region: string; service: string; nowMs: number },
): Promise<Headers> {
  const signed = new Headers(headers);
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d{3}/g, "");
  const date = time.slice(0, 8);
  const bodyHash = await sha256(body);
  signed.set("x-amz-date", time);
  if (sessionToken) signed.set("x-amz-security-token", sessionToken);
  if (service === "s3") signed.set("x-amz-content-sha256", bodyHash);

  const lines = [...signed]
    .filter(([name]) => !unsigned.has(name))
    .map(([name, value]) => [name, value.trim().replace(/ {2,}/g, " ")] as const)
    .concat([["host", url.host]])
    .toSorted(([a], [b]) => byText(a, b));
  const names = lines.map(([name]) => name).join(";");
  const request = [
    method,
    canonicalPath(url, service),
    canonicalQuery(url),
    ...lines.map(([name, value]) => `${name}:${value}`),
    "",
    names,
    bodyHash,
  ].join("\n");

  const scope = `${date}/${region}/${service}/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", time, scope, await sha256(request)].join("\n");
  let key: BufferSource = utf8(`AWS4${secretAccessKey}`);
  for (const part of [date, region, service, "aws4_request"]) key = await hmac(key, part);
  const signature = uint8ArrayToHex(await hmac(key, text));
  signed.set(
    "authorization",
    `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  );
  return signed;
}

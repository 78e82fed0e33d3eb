import type { WebhookEvent } from "./define.ts";
import { formOf, header, hmac, type Incoming, type Verifier } from "./signature.ts";

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const inOrder = (fields: URLSearchParams) =>
  [...fields].toSorted(([a, x], [b, y]) => compare(a, b) || compare(x, y));

/** The address, "?", the sorted query, and for a form "." and the sorted fields; the bare "?" is real. */
function signedText(incoming: Incoming): string | undefined {
  const address = /^[^?#]*/.exec(incoming.url)?.[0] ?? "";
  const query = inOrder(new URL(incoming.url).searchParams)
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
  const fields = inOrder(formOf(incoming)).map(([name, value]) => name + value);
  if (fields.length === 0) return address + (query && `?${query}`);
  if (incoming.method !== "POST") return undefined;
  return `${address}?${query}${query && "."}${fields.join("")}`;
}

/** V3 alone: V2, which Plivo sends beside it, covers neither the query nor the body. */
export const plivoSignature = <C>(secret: (values: C) => string | undefined): Verifier<C> =>
  hmac<C>({
    scheme: "X-Plivo-Signature-V3: HMAC-SHA256 of the address, the sorted parameters and a nonce",
    hash: "SHA-256",
    encoding: "base64",
    anyMatch: true,
    secret,
    signatures: (incoming) => header(incoming, "x-plivo-signature-v3")?.split(","),
    message: (incoming) => {
      const nonce = header(incoming, "x-plivo-signature-v3-nonce");
      const text = signedText(incoming);
      return nonce !== undefined && text !== undefined ? `${text}.${nonce}` : undefined;
    },
  });

/** Plivo has no event id: the object, its state and its place in the row make one. */
export function readPlivoEvents(incoming: Incoming): readonly WebhookEvent[] {
  const form = incoming.method === "GET" ? new URL(incoming.url).searchParams : formOf(incoming);
  const get = (name: string) => form.get(name) ?? "";
  const event = (kind: string, ...parts: [id: string, status: string, ...rest: string[]]) => ({
    id: parts.filter(Boolean).join("."),
    type: `${kind}.${parts[1] || "unknown"}`,
  });
  const message = get("MessageUUID");
  if (message) return [event("message", message, get("Status") || "received", get("Sequence"))];
  const call = get("CallUUID");
  if (call) return [event("call", call, get("CallStatus"), get("Event"))];
  return [{ type: "other" }];
}

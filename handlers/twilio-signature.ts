import {
  bytesOf,
  firstOf,
  formOf,
  header,
  hmac,
  type Incoming,
  sha256Hex,
  type Verifier,
} from "./signature.ts";

/** Without the default port, then with it: Twilio signs the address as it was typed in the console. */
const addresses = (url: string) => {
  const [, origin = "", port = "", rest = ""] =
    /^(https:\/\/[^/:?#]+)(:443)?(.*)$/is.exec(url) ?? [];
  if (!origin) return [url];
  return port ? [url, origin + rest] : [url, `${origin}:443${rest}`];
};

async function signedText(incoming: Incoming, url: string) {
  const hash = URL.parse(incoming.url)?.searchParams.get("bodySHA256");
  if (hash) return hash === (await sha256Hex(incoming.body)) ? bytesOf(url) : undefined;
  // A body that the signature does not cover could say anything.
  if (incoming.method === "GET") return incoming.body.length === 0 ? bytesOf(url) : undefined;
  const type = incoming.headers.get("content-type") ?? "";
  // The signature then covers the address alone, so that any body would pass.
  if (!type.startsWith("application/x-www-form-urlencoded")) return undefined;
  const form = formOf(incoming);
  const names = [...new Set(form.keys())].toSorted();
  return bytesOf(
    url,
    ...names.flatMap((name) => [...new Set(form.getAll(name))].toSorted().map((v) => name + v)),
  );
}

/** twilio.com/docs/usage/security; Twilio Video signs the same way. */
export function twilioSignature<C>(
  secret: (values: C, incoming: Incoming) => string | undefined,
): Verifier<C> {
  const signedFor = (pick: 0 | 1) =>
    hmac<C>({
      scheme: "X-Twilio-Signature: HMAC-SHA1 of the address and the sorted form fields",
      hash: "SHA-1",
      encoding: "base64",
      secret,
      signatures: (incoming) => {
        const signature = header(incoming, "x-twilio-signature");
        return signature === undefined ? undefined : [signature];
      },
      message: (incoming) => {
        const url = addresses(incoming.url)[pick];
        return url === undefined ? undefined : signedText(incoming, url);
      },
    });
  return firstOf(signedFor(0), signedFor(1));
}

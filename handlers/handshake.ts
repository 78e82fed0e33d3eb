import * as z from "zod";

import { digest, equal, hmacHex, type Incoming, jsonOf } from "./signature.ts";

/*
 * How an address proves to a vendor that it is expected there. Each answers undefined for a request
 * that is no such question. The first two are signed as events are and belong after `verify`: they
 * would otherwise compute signatures for whoever asks.
 */

const longest = 2_000;

const SlackQuestion = z.object({
  type: z.literal("url_verification"),
  challenge: z.string().max(longest),
});
/** https://docs.slack.dev/reference/events/url_verification */
export function urlVerification(incoming: Incoming): Response | undefined {
  const { data } = SlackQuestion.safeParse(jsonOf(incoming));
  return data && Response.json({ challenge: data.challenge });
}

const ZoomQuestion = z.object({
  event: z.literal("endpoint.url_validation"),
  payload: z.object({ plainToken: z.string().min(1).max(200) }),
});
/** Zoom asks again every 72 hours. */
export async function zoomValidation(
  incoming: Incoming,
  secretToken: string,
): Promise<Response | undefined> {
  const { data } = ZoomQuestion.safeParse(jsonOf(incoming));
  if (!data) return undefined;
  const { plainToken } = data.payload;
  return Response.json({ plainToken, encryptedToken: await hmacHex(secretToken, plainToken) });
}

const asText = (text: string, status = 200) =>
  new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });

const queryOf = ({ url }: Incoming) => (URL.canParse(url) ? new URL(url).searchParams : undefined);

/** Meta's `hub.challenge`, which WebSub has too (W3C WebSub, 5.3): 403 for another verify token. */
export function hubChallenge(incoming: Incoming, verifyToken = ""): Response | undefined {
  const query = queryOf(incoming);
  const challenge = query?.get("hub.challenge");
  if (incoming.method !== "GET" || !query || !challenge) return undefined;
  const expected = equal(verifyToken, query.get("hub.verify_token") ?? "");
  return expected && query.get("hub.mode") === "subscribe"
    ? asText(challenge.slice(0, longest))
    : asText("The verify token is another", 403);
}

/** Microsoft Graph: a POST with `validationToken` in its address, which is wanted back as text. */
export function validationToken(incoming: Incoming): Response | undefined {
  const token = queryOf(incoming)?.get("validationToken");
  return incoming.method === "POST" && token ? asText(token.slice(0, longest)) : undefined;
}

/** Braintree: `<public key>|<HMAC-SHA1 of the challenge>`, keyed by the SHA-1 of the private key. */
export async function braintreeChallenge(
  incoming: Incoming,
  keys: { publicKey: string; privateKey: string },
): Promise<Response | undefined> {
  const challenge = queryOf(incoming)?.get("bt_challenge");
  if (incoming.method !== "GET" || !challenge || !/^[0-9a-f]{20,32}$/.test(challenge))
    return undefined;
  const key = await digest("SHA-1", keys.privateKey);
  return asText(`${keys.publicKey}|${await hmacHex(key, challenge, "SHA-1")}`);
}

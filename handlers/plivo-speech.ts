import { base64ToUint8Array, uint8ArrayToBase64 } from "uint8array-extras";

import { bytesOf } from "./signature.ts";

/*
 * Plivo asks an address what to do when a call is answered, and the address is all that travels. The
 * text to say may be about a patient and addresses end up in logs, so it travels encrypted.
 */

const algorithm = "AES-GCM";
const ivBytes = 12;

async function keyOf(authToken: string): Promise<CryptoKey> {
  const secret = await crypto.subtle.digest("SHA-256", bytesOf("plivo speech\n", authToken));
  return crypto.subtle.importKey("raw", secret, algorithm, false, ["encrypt", "decrypt"]);
}

/** In the base64url alphabet, for a query. */
export async function sealSpeech(speech: Speech, authToken: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
  const key = await keyOf(authToken);
  const text = bytesOf(JSON.stringify([speech.say, speech.language ?? ""]));
  const sealed = await crypto.subtle.encrypt({ name: algorithm, iv }, key, text);
  const bytes = bytesOf(iv, new Uint8Array(sealed));
  return uint8ArrayToBase64(bytes, { urlSafe: true });
}

/** Undefined for anything that `sealSpeech` did not make with the same token. */
export async function openSpeech(sealed: string, authToken: string): Promise<Speech | undefined> {
  try {
    const bytes = base64ToUint8Array(sealed);
    const [iv, text] = [bytes.slice(0, ivBytes), bytes.slice(ivBytes)];
    const key = await keyOf(authToken);
    const opened = await crypto.subtle.decrypt({ name: algorithm, iv }, key, text);
    const [say, language] = JSON.parse(new TextDecoder().decode(opened)) as [string, string];
    return { say, language: language || undefined };
  } catch {
    return undefined;
  }
}

export type Speech = {
  say: string;
  /** BCP 47: `es-US`. */
  language?: string | undefined;
};

const escapeXml = (text: string) =>
  text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** plivo.com/docs/voice/xml: what a call does next; nothing to say ends it. */
export function speechXml(speech?: Speech): Response {
  const language = speech?.language ? ` language="${escapeXml(speech.language)}"` : "";
  const speak = speech ? `<Speak${language}>${escapeXml(speech.say)}</Speak>` : "";
  return new Response(`<?xml version="1.0" encoding="UTF-8"?><Response>${speak}</Response>`, {
    headers: { "content-type": "text/xml" },
  });
}

import { createHash } from "node:crypto";

import { HTTPException } from "hono/http-exception";

export function failureResponse(
  status: number,
  message: string,
  more: { type?: string; param?: string | null; code?: string | null } = {},
  headers = {},
) {
  const error = { message, type: "invalid_request_error", param: null, code: null, ...more };
  return Response.json({ error }, { status, headers });
}
export function refuse(
  status: number,
  message: string,
  more: { type?: string; param?: string; code?: string } = {},
): never {
  throw new HTTPException(status as 400, { res: failureResponse(status, message, more) });
}

/** A word and what follows it is a token here. */
export const tokensOf = (text: string) => text.match(/\S+\s*/g) ?? [];

/** The model says what it was asked, within its limit. */
export function speak(prompt: string, limit: number) {
  const tokens = tokensOf(`Simulated reply to: ${prompt}`);
  return { tokens: tokens.slice(0, limit), isCut: tokens.length > limit };
}

/** Server-sent events, one by one, until the reader leaves. */
export function eventStream(events: Iterable<{ event?: string; data: unknown }>): Response {
  const encoder = new TextEncoder();
  const source = events[Symbol.iterator]();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        const { done, value } = source.next();
        if (done) {
          controller.close();
          return;
        }
        const name = value.event === undefined ? "" : `event: ${value.event}\n`;
        const text = typeof value.data === "string" ? value.data : JSON.stringify(value.data);
        controller.enqueue(encoder.encode(`${name}data: ${text}\n\n`));
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" },
  });
}

/** A direction of length one that depends on the text alone. */
export function embed(text: string, dimensions: number): number[] {
  const numbers: number[] = [];
  for (let block = 0; numbers.length < dimensions; block += 1) {
    const digest = createHash("sha512").update(`${block}:${text}`).digest();
    for (let i = 0; i < digest.length && numbers.length < dimensions; i += 4)
      numbers.push(digest.readInt32BE(i) / 2 ** 31);
  }
  const length = Math.hypot(...numbers);
  return numbers.map((number) => number / length);
}

export const base64Floats = (numbers: readonly number[]) =>
  Buffer.from(new Float32Array(numbers).buffer).toString("base64");

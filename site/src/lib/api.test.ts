import { afterEach, expect, test, vi } from "vitest";

import { execute } from "./api.ts";

afterEach(() => vi.unstubAllGlobals());

/** Serves one answer, whose body the test writes. */
function answering(type: string) {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  vi.stubGlobal("location", new URL("https://integrations.example.org/integrations/"));
  vi.stubGlobal("fetch", async () => new Response(readable, { headers: { "content-type": type } }));
  return { say: (text: string) => writer.write(new TextEncoder().encode(text)), writer };
}
const run = (heard: (text: string) => void) => execute("id", "streamText", {}, "key", heard);

test("a stream is heard as it comes, and is the result when it has ended", async () => {
  const { say, writer } = answering("text/event-stream");
  const soFar: string[] = [];
  const result = run((text) => soFar.push(text));
  await say("data: one\n");
  await expect.poll(() => soFar.at(-1)).toBe("data: one\n");
  await say("data: two\n");
  await expect.poll(() => soFar.at(-1)).toBe("data: one\ndata: two\n");
  await writer.close();
  expect(await result).toBe("data: one\ndata: two\n");
});

test("a stream that breaks off says so", async () => {
  const { say, writer } = answering("text/event-stream");
  const result = run(() => undefined);
  await say("data: one\n");
  void writer.abort(new TypeError("reset")).catch(() => undefined);
  await expect(result).rejects.toMatchObject({
    code: "offline",
    message: expect.stringContaining("broke off"),
  });
});

test("what is not text is told by its type and size", async () => {
  const { say, writer } = answering("audio/mpeg");
  const result = run(() => undefined);
  void say("12345").then(() => writer.close());
  expect(await result).toEqual({ content_type: "audio/mpeg", size_bytes: 5 });
});

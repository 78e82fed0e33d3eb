import * as fc from "fast-check";
import { expect, test } from "vitest";

import { cut, excerptOf, redact } from "./excerpt.ts";

const reply = (body: BodyInit | null, type = "text/plain", status = 500) =>
  new Response(body, { status, headers: { "content-type": type } });

test("shows the first 500 bytes of text or JSON, and nothing of any other type", async () => {
  expect(await excerptOf(reply("x".repeat(9_000)), [])).toBe("x".repeat(500));
  expect(await excerptOf(reply('{"ok":false}', "application/problem+json"), [])).toBe(
    '{"ok":false}',
  );
  expect(await excerptOf(reply("é".repeat(400)), [])).toBe("é".repeat(250));
  for (const type of ["application/octet-stream", "image/png", "application/jsonx", ""])
    expect(await excerptOf(reply("text", type), []), type).toBeNull();
  expect(await excerptOf(reply(null), [])).toBeNull();
  expect(await excerptOf(reply(""), [])).toBeNull();
});

test("does not wait for a body that never ends, nor fail on one that breaks off", async () => {
  const slow = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("half")),
  });
  const started = Date.now();
  expect(await excerptOf(reply(slow), [])).toBe("half");
  expect(Date.now() - started).toBeLessThan(5_000);
  const broken = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error("gone")),
  });
  expect(await excerptOf(reply(broken), [])).toBeNull();
});

test("masks what looks like a secret and leaves what does not", () => {
  const masked = [
    ["Authorization: Bearer abc.def", "Authorization: •••••• •••••••"],
    ['{"access_token":"short"}', '{"access_token":•••••••}'],
    ["password=hunter2&x=1", "password=•••••••&x=1"],
    ["key whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `key ${"•".repeat(38)}`],
    ["https://user:pw@host/", "https:••••••••••host/"],
  ] as const;
  for (const [text, expected] of masked) expect(redact(text, []), text).toBe(expected);
  const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
  expect(redact(`jwt ${token}.`, [])).not.toContain("eyJ");
  for (const plain of [
    "The patient was not found",
    "request 4f9d1c1e-8f5b-4a3c-9a54-0d7a3a7b2f11 failed",
    "a-rather-long-hyphenated-sentence-without-digits",
    "500 Internal Server Error",
  ])
    expect(redact(plain, [])).toBe(plain);
});

test("never shows a known secret, wherever it stands and wherever the cut falls", () => {
  const secret = fc.stringMatching(/^[A-Za-z0-9 ,;"'{}<>]{8,40}$/);
  fc.assert(
    fc.property(
      secret,
      fc.nat({ max: 600 }),
      fc.string({ maxLength: 600 }),
      (known, padding, after) => {
        const text = `${".".repeat(padding)}${known}${after}`;
        const shown = cut(text, [known]);
        expect(shown).not.toContain(known);
        const start = known.slice(0, 6);
        if (!after.includes(start)) expect(shown.slice(padding)).not.toContain(start);
        expect(new TextEncoder().encode(shown.replaceAll("•", "")).length).toBeLessThanOrEqual(500);
      },
    ),
  );
});

test("takes no long time over a text made to be slow", () => {
  const started = Date.now();
  for (const part of ["a", "token", '"\\', "eyJ.", "bearer ", "//", "-_", '"'])
    redact(part.repeat(Math.ceil(4096 / part.length)), []);
  expect(Date.now() - started).toBeLessThan(2_000);
});

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";

import { envelope } from "./envelope.ts";
import { longestRetryAfter, mostAttempts, waits } from "./retries.ts";
import { newSecret, signature } from "./send.ts";

const root = new URL("..", import.meta.url).pathname;
const guide = readFileSync(join(root, "docs/webhooks.md"), "utf8");

type Receive = (secret: string, body: string, headers: Record<string, string>) => number;

/** The snippet as a reader would copy it. */
async function snippet(): Promise<Receive> {
  const [, code = ""] = /```ts\n([^]*?)```/.exec(guide) ?? [];
  const folder = mkdtempSync(join(root, "node_modules/.guide-"));
  try {
    const file = join(folder, "receive.ts");
    writeFileSync(file, code);
    return ((await import(/* @vite-ignore */ file)) as { receive: Receive }).receive;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const event = {
  event_id: crypto.randomUUID(),
  type: "payment_intent.succeeded",
  vendor_id: "stripe",
  integration_id: crypto.randomUUID(),
  content_type: "application/json",
  happened_at: new Date().toISOString(),
};

test("the guide's receiver takes what we send, once, and nothing else", async () => {
  const receive = await snippet();
  const secret = newSecret();
  const body = envelope(crypto.randomUUID(), event, { body: btoa('{"amount":12}') });
  const signed = (at: number, secrets = [secret]) =>
    signature({ id: event.event_id, body }, secrets, at);
  const now = Date.now();
  expect(receive(secret, body, signed(now, [newSecret()]))).toBe(401);
  expect(receive(secret, `${body} `, signed(now))).toBe(401);
  expect(receive(secret, body, signed(now - 360_000))).toBe(401);
  expect(receive(secret, body, {})).toBe(401);
  expect(receive(secret, body, signed(now))).toBe(200);
  expect(receive(secret, body, signed(now, [newSecret(), secret]))).toBe(200);
  expect(new Webhook(secret).verify(body, signed(now))).toMatchObject({ data: { amount: 12 } });
});

test("the guide's example has the fields that we send, and its schedule is ours", () => {
  const [example = ""] = [...guide.matchAll(/```json\n([^]*?)```/g)]
    .map((match) => match[1] ?? "")
    .filter((text) => text.includes('"data"'));
  const sent = JSON.parse(envelope("org", event, { body: btoa("{}") })) as object;
  expect(Object.keys(JSON.parse(example) as object)).toEqual(Object.keys(sent));
  expect(mostAttempts).toBe(10);
  const hours = waits.slice(3).map((seconds) => seconds / 3_600);
  expect(guide.replaceAll(/\s+/g, " ")).toContain(
    `after 5 seconds, 5 minutes, 30 minutes, ${hours.slice(0, -1).join(", ")} and ${hours.at(-1)} hours`,
  );
  expect(longestRetryAfter).toBe(86_400);
});

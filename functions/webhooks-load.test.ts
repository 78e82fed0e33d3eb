import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { sendMixed } from "../bench/webhooks.ts";
import { startWorld, type World } from "../scripts/world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld(inject("world").engine);
});
afterAll(() => world.stop());

test("of thousands of webhooks, good and bad, from 20 senders each is answered, counted and forwarded exactly", async () => {
  // PGlite runs one statement at a time. All 10,000: node bench/webhooks.ts
  const total = inject("world").engine === "postgres" ? 2_000 : 500;
  const report = await sendMixed(world, total, 20);
  const { sent, seconds, p50, p99 } = report;
  expect(report.surprises).toEqual({});
  expect(report.errorsLogged).toEqual([]);
  expect(report.stored).toBe(sent.valid);
  expect(report.duplicates).toBe(sent.replayed);
  expect(report.received).toEqual({
    all: report.delivered,
    ids: report.delivered,
    unverified: 0,
  });
  console.log(
    `${JSON.stringify(sent)} in ${seconds.toFixed(1)} s, p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`,
  );
}, 240_000);

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { parseRetryAfter } from "../handlers/failure.ts";
import { judge } from "./deliver.ts";
import { jitter, longestRetryAfter, mostAttempts, nextAttempt, waits } from "./retries.ts";
import type { Outcome } from "./send.ts";

const hour = 3_600;
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const now = fc.integer({ min: 0, max: 4_000_000_000_000 });

/** Seconds from the first attempt to the last, with the luck and the wishes given for each wait. */
function span(luck: readonly number[], retryAfters: readonly (number | undefined)[] = []) {
  let at = 0;
  for (let failures = 1; ; failures++) {
    const next = nextAttempt(failures, {
      now: at,
      random: luck[failures - 1] ?? 0,
      retryAfter: retryAfters[failures - 1],
    });
    if (!next) return { attempts: failures, seconds: at / 1000 };
    at = next.getTime();
  }
}

test("ten attempts span 75 h 35 m 5 s at the least", () => {
  expect(mostAttempts).toBe(10);
  expect(span([])).toEqual({ attempts: 10, seconds: 75 * hour + 35 * 60 + 5 });
});

test("jitter only lengthens a wait, and by a quarter at the most", () => {
  fc.assert(
    fc.property(fc.array(random, { minLength: 9, maxLength: 9 }), (luck) => {
      const { attempts, seconds } = span(luck);
      expect(attempts).toBe(10);
      expect(seconds).toBeGreaterThanOrEqual(75 * hour);
      expect(seconds).toBeLessThanOrEqual((75 * hour + 35 * 60 + 5) * (1 + jitter));
    }),
  );
});

test("an endpoint's Retry-After can put the next attempt off, by a day at the most, and never forward", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      now,
      random,
      fc.integer({ min: 0, max: 10_000_000 }),
      (failures, at, luck, retryAfter) => {
        const seconds = (date: Date | undefined) => ((date?.getTime() ?? 0) - at) / 1000;
        const plain = seconds(nextAttempt(failures, { now: at, random: luck }));
        const asked = seconds(nextAttempt(failures, { now: at, random: luck, retryAfter }));
        expect(plain).toBeGreaterThanOrEqual((waits[failures - 1] ?? 0) - 0.001);
        expect(asked).toBeGreaterThanOrEqual(plain);
        expect(asked).toBeGreaterThanOrEqual(Math.min(retryAfter, longestRetryAfter) - 0.001);
        expect(asked).toBeLessThanOrEqual(Math.max(plain, longestRetryAfter) + 0.001);
      },
    ),
  );
});

test("there is no attempt after the tenth", () => {
  fc.assert(
    fc.property(fc.integer({ min: 10, max: 1_000 }), now, random, (failures, at, luck) => {
      expect(nextAttempt(failures, { now: at, random: luck })).toBeUndefined();
    }),
  );
});

test("Retry-After is read as seconds or as a date, and anything else is none", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 600_000 }), now, (seconds, at) => {
      expect(parseRetryAfter(String(seconds), at)).toBe(seconds);
      const whole = Math.floor(at / 1000) * 1000;
      const date = new Date(whole + seconds * 1000).toUTCString();
      expect(parseRetryAfter(date, whole)).toBe(seconds);
    }),
  );
  fc.assert(
    fc.property(fc.string(), now, (text, at) => {
      const seconds = parseRetryAfter(text, at);
      if (seconds === undefined) return;
      expect(seconds).toBeGreaterThanOrEqual(0);
      expect(Number.isInteger(seconds)).toBe(true);
    }),
  );
  for (const nonsense of ["soon", "-5", "1e9", "Infinity", "NaN", "0x10", "", " "])
    expect(parseRetryAfter(nonsense, 0), nonsense).toBeUndefined();
});

const outcome = (more: Partial<Outcome>): Outcome => ({
  status: null,
  latencyMs: 5,
  cause: "refused",
  excerpt: null,
  retryAfter: undefined,
  ...more,
});
const at = { now: 0, random: 0 };

test("only a success has no next attempt before the tenth failure", () => {
  expect(judge(outcome({ status: 204, cause: null }), 0, at)).toMatchObject({
    cause: null,
    retryAt: null,
    down: false,
    gone: false,
  });
  for (let failures = 0; failures < 9; failures++)
    expect(judge(outcome({ status: 500 }), failures, at).retryAt).toEqual(
      new Date((waits[failures] ?? 0) * 1000),
    );
  expect(judge(outcome({ status: 500 }), 9, at).retryAt).toBeNull();
});

test("a failure says whether the endpoint is away, is to be spared, or is gone", () => {
  const seen = (more: Partial<Outcome>) => {
    const { down, slow, gone, holdSeconds } = judge(outcome(more), 0, at);
    return { down, slow, gone, holdSeconds };
  };
  const none = { down: false, slow: false, gone: false, holdSeconds: 0 };
  for (const status of [400, 401, 404, 500, 501]) expect(seen({ status })).toEqual(none);
  for (const status of [502, 504])
    expect(seen({ status })).toEqual({ ...none, down: true, slow: true });
  expect(seen({ status: 503, retryAfter: 9 })).toEqual({ ...none, down: true, holdSeconds: 9 });
  expect(seen({ status: 429, cause: "rate_limited", retryAfter: 90_000 })).toEqual({
    ...none,
    down: true,
    slow: true,
    holdSeconds: 3_600,
  });
  expect(seen({ status: 410, cause: "gone" })).toEqual({ ...none, gone: true });
  for (const cause of ["timeout", "unreachable"] as const)
    expect(seen({ cause })).toEqual({ ...none, down: true });
  expect(seen({ status: 302, cause: "redirected" })).toEqual(none);
});

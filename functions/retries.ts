const minute = 60;
const hour = 60 * minute;

/**
 * Seconds from each attempt to the next, as Standard Webhooks recommends: ten attempts over 75 h 35 m 5 s.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export const waits = [
  5,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
] as const;
export const mostAttempts = waits.length + 1;

/** Jitter only lengthens a wait, so that the whole never gets shorter than the schedule. */
export const jitter = 0.25;

/** A Retry-After beyond this is cut: an endpoint cannot make us forget an event. */
export const longestRetryAfter = 24 * hour;

/**
 * When to try again after the `failures`-th failed attempt; undefined after the last.
 * `retryAfter` is what the endpoint asked for, in seconds; `random` lies in [0, 1).
 */
export function nextAttempt(
  failures: number,
  { now, random, retryAfter = 0 }: { now: number; random: number; retryAfter?: number | undefined },
): Date | undefined {
  const wait = waits[failures - 1];
  if (wait === undefined) return undefined;
  const jittered = wait * (1 + jitter * random);
  return new Date(now + Math.max(jittered, Math.min(retryAfter, longestRetryAfter)) * 1000);
}

import { DurableObject } from "cloudflare:workers";

import type { Bindings } from "./env.ts";

export type Lease = { granted: number; remaining: number; resetSeconds: number };

/**
 * Counts one caller's requests in the current window, for all isolates. It counts in memory: a
 * restart forgives a window, which is cheaper than writing every request down.
 */
export class LimitObject extends DurableObject<Bindings> {
  #windowEnds = 0;
  #used = 0;

  lease(limit: number, windowSeconds: number, wanted: number): Lease {
    const now = Date.now();
    if (now >= this.#windowEnds) {
      this.#windowEnds = now + windowSeconds * 1000;
      this.#used = 0;
    }
    const granted = Math.max(0, Math.min(wanted, limit - this.#used));
    this.#used += granted;
    return {
      granted,
      remaining: limit - this.#used,
      resetSeconds: Math.ceil((this.#windowEnds - now) / 1000),
    };
  }
}

import { DurableObject } from "cloudflare:workers";

import type { Envelope } from "../db/schema.ts";
import { isFresh, type Token } from "../handlers/oauth.ts";
import type { VendorCause } from "../problem.ts";
import { type Bindings, envOf } from "./env.ts";

/** What a caller's token request came to: plain values, since an Error loses its class on the way. */
export type TokenOutcome =
  | { ok: true; token: Token }
  | { ok: false; failure: VendorCause; message: string; retryAfter?: number | undefined };

type Kept = { token: Envelope; fetchedAt: number };

/**
 * One per integration: whatever must not happen twice at the same time for it. It keeps the access
 * token sealed, and lets one caller fetch a new one while the others wait for that.
 */
export class IntegrationObject extends DurableObject<Bindings> {
  #running = new Map<string, Promise<TokenOutcome>>();

  async token(
    orgId: string,
    key: string,
    fetchToken: () => Promise<TokenOutcome>,
  ): Promise<TokenOutcome> {
    const { vault } = envOf(this.env);
    const owner = { orgId, id: `token:${this.ctx.id.toString()}` };
    for (;;) {
      const kept = await this.ctx.storage.get<Kept>(`token:${key}`);
      if (kept) {
        const token = await vault.open<Token>(owner, kept.token).catch(() => undefined);
        if (token && isFresh(token, kept.fetchedAt, Date.now())) return { ok: true, token };
      }
      const joined = this.#running.get(key);
      if (joined) {
        // A caller that left takes its request with it: the next one in line asks instead.
        const outcome = await joined.catch(() => undefined);
        if (outcome) return outcome;
        continue;
      }
      const started = (async () => {
        const outcome = await fetchToken();
        if (outcome.ok)
          await this.ctx.storage.put<Kept>(`token:${key}`, {
            token: await vault.seal(owner, outcome.token),
            fetchedAt: Date.now(),
          });
        return outcome;
      })().finally(() => this.#running.delete(key));
      this.#running.set(key, started);
      return started;
    }
  }

  async dropToken(orgId: string, key: string, refused?: string): Promise<void> {
    const kept = await this.ctx.storage.get<Kept>(`token:${key}`);
    if (!kept) return;
    const { vault } = envOf(this.env);
    const owner = { orgId, id: `token:${this.ctx.id.toString()}` };
    const token = await vault.open<Token>(owner, kept.token).catch(() => undefined);
    if (!refused || !token || token.accessToken === refused)
      await this.ctx.storage.delete(`token:${key}`);
  }

  /** The integration changed or is gone: nothing of it is kept. */
  async forget(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }
}

import { DurableObject } from "cloudflare:workers";

import type { Envelope } from "../db/schema.ts";
import { isFresh, type Token } from "../handlers/oauth.ts";
import { sha256Hex } from "../handlers/signature.ts";
import { type Bindings, envOf } from "./env.ts";
import {
  currentToken,
  type Journal,
  type Revocation,
  revokeAt,
  type TokenOutcome,
  type Wanted,
} from "./grants.ts";

type Kept = { token: Envelope; fetchedAt: number };

/**
 * One per integration: whatever must not happen twice at the same time for it. It keeps the access
 * token sealed, and lets one caller fetch a new one while the others wait for that.
 */
export class IntegrationObject extends DurableObject<Bindings> {
  #running = new Map<string, Promise<TokenOutcome>>();
  #grant: Promise<unknown> = Promise.resolve();

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
        // A token that cannot be sealed now serves who waits for it, and is not kept.
        const token = outcome.ok && (await vault.seal(owner, outcome.token).catch(() => undefined));
        if (token)
          await this.ctx.storage.put<Kept>(`token:${key}`, { token, fetchedAt: Date.now() });
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
    if (refused && token && token.accessToken !== refused) return;
    if (refused) await this.ctx.storage.put("refused", await sha256Hex(refused));
    await this.ctx.storage.delete(`token:${key}`);
  }

  /**
   * The access token of the integration's grant. It is refreshed here and not in the caller's
   * isolate, so that a caller who leaves cannot take a rotated token with it.
   */
  async grantToken(orgId: string, integrationId: string, boundTo: string): Promise<TokenOutcome> {
    return this.#inTurn(async () => {
      const refused = await this.ctx.storage.get<string>("refused");
      return this.#current(orgId, integrationId, { boundTo, refused });
    });
  }

  /** The clock's visit: begins and does not wait, since it has many to see. */
  async refreshAhead(orgId: string, integrationId: string, due: number): Promise<void> {
    const work = this.#inTurn(() => this.#current(orgId, integrationId, { due }));
    this.ctx.waitUntil(work);
  }

  /** In turn with refreshes, so that none is under way while its grant is revoked. */
  async revoke(orgId: string, integrationId: string): Promise<Revocation> {
    return this.#inTurn(async () => {
      const revocation = await revokeAt(envOf(this.env), { orgId, integrationId });
      await this.ctx.storage.deleteAll();
      return revocation;
    });
  }

  /** The integration changed: no token of the old configuration is used again. */
  async forget(): Promise<void> {
    const tokens = await this.ctx.storage.list({ prefix: "token:" });
    await this.ctx.storage.delete([...tokens.keys(), "refused"]);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#grant.then(work, work);
    this.#grant = turn.catch(() => undefined);
    return turn;
  }

  async #current(orgId: string, integrationId: string, wanted: Wanted): Promise<TokenOutcome> {
    const { storage } = this.ctx;
    const journal: Journal = {
      read: () => storage.get("pending"),
      write: async (pending) => {
        await storage.put("pending", pending);
        await storage.sync();
        // A vendor that rotates may have ended the access token that is kept.
        await this.forget();
      },
      clear: async () => void (await storage.delete("pending")),
    };
    try {
      return await currentToken(envOf(this.env), { orgId, integrationId }, wanted, journal);
    } catch (error) {
      // Names only: the message of an unknown error may quote a value.
      const { name } = error as Error;
      console.error(JSON.stringify({ level: "error", message: "refresh failed", name }));
      return { ok: false, failure: "unavailable", message: "The sign-in could not be looked up" };
    }
  }
}

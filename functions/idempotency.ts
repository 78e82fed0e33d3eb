import type { Context } from "hono";

import {
  claimKey,
  type IdempotencyKey,
  releaseKey,
  settleKey,
  takeOverKey,
} from "../db/idempotency.ts";
import type { OrgDb } from "../db/org.ts";
import { sha256Hex } from "../handlers/signature.ts";
import { Problem, VendorFailure } from "../problem.ts";
import { type AppEnv, renderProblem } from "./http.ts";

/** Longer than any call may take, so that a key this old belongs to a request that died. */
const staleSeconds = 120;

const late = new WeakSet<object>();

/** Marks an error of ours that came once the vendor had, or may have, done as asked. */
export function afterCall(error: unknown): unknown {
  if (error instanceof Error) late.add(error);
  return error;
}

/**
 * One use of an Idempotency-Key. Its `statements` go with the request's first round trip; `resolve`
 * then says whether this request is the one that acts.
 */
export async function claim(c: Context<AppEnv>, key: string) {
  const { db } = c.var;
  const id = crypto.randomUUID();
  const requestHash = await sha256Hex(`${c.req.method} ${c.req.path}\n${await c.req.text()}`);
  let held: string | undefined;
  let isRepeatable = false;

  return {
    statements: claimKey(db, id, await sha256Hex(key), requestHash),

    /**
     * The stored answer where the request was made before, undefined where it is ours to carry out.
     * Throws 422 for a key used for something else and 409 while its request runs, or where it
     * died and `repeatable` does not say that another attempt does no harm.
     */
    async resolve(
      claimed: readonly { id: string }[],
      standing: readonly IdempotencyKey[],
      repeatable: boolean,
    ): Promise<Response | undefined> {
      isRepeatable = repeatable;
      const [row] = standing;
      if (claimed.length || !row) {
        held = id;
        return undefined;
      }
      if (row.requestHash !== requestHash)
        throw new Problem("invalid_request", "This Idempotency-Key was used for another request", {
          errors: [{ path: "idempotency-key", message: "Already used for another request" }],
        });
      if (row.status !== null && row.answer) {
        const body = await c.env.vault.open<unknown>(
          { orgId: db.actor.orgId, id: row.id },
          row.answer,
        );
        return Response.json(body, {
          status: row.status,
          headers: {
            "idempotent-replayed": "true",
            ...(row.status < 400 ? {} : { "content-type": "application/problem+json" }),
          },
        });
      }
      if (row.status !== null)
        throw new Problem(
          "conflict",
          "The request was carried out. Its answer was erased for the sake of a person whom it named",
        );
      if (row.startedAt.getTime() > Date.now() - staleSeconds * 1000)
        throw new Problem("request_in_progress", undefined, { retryAfter: 1 });
      const [taken] = repeatable ? await db.run(takeOverKey(db, row.id, staleSeconds)) : [[]];
      if (!taken.length)
        throw new Problem(
          "request_in_progress",
          "An earlier attempt with this key ended without an answer. Find out at the vendor whether it was carried out, then use a new key.",
        );
      held = row.id;
      return undefined;
    },

    /** Keeps the answer for 72 hours. */
    async settle(status: number, body: unknown): Promise<void> {
      if (!held) return;
      await keep(c, db, held, status, body).catch((error: unknown) => {
        throw afterCall(error);
      });
    },

    /** For a stream, which is not kept: who asks again is told that it was carried out. */
    async spend(): Promise<void> {
      const sentence = "The request was carried out. What it streamed is not kept: use a new key";
      const answer = renderProblem(c, new Problem("conflict", sentence));
      await this.settle(answer.status, await answer.json());
    },

    /**
     * A write that may have happened keeps its failure as the answer, or where that is ours stays
     * claimed; else the key is free again.
     */
    async fail(error: unknown): Promise<void> {
      if (!held || (!isRepeatable && error instanceof Error && late.has(error))) return;
      if (error instanceof VendorFailure && error.mayHaveHappened) {
        const answer = renderProblem(c, error);
        await keep(c, db, held, answer.status, await answer.json());
      } else await db.run(releaseKey(db, held));
    },
  };
}

async function keep(c: Context<AppEnv>, db: OrgDb, id: string, status: number, body: unknown) {
  const answer = await c.env.vault.seal({ orgId: db.actor.orgId, id }, body);
  await db.run(settleKey(db, id, status, answer));
}

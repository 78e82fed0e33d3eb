import type { Hono } from "hono";
import * as z from "zod";

import type { idSequence } from "../define.ts";
import { MessageParams, readJson, refuse } from "./requests.ts";

const BatchParams = z.strictObject({
  requests: z
    .array(
      z.strictObject({
        custom_id: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/),
        params: MessageParams.omit({ stream: true }),
      }),
    )
    .min(1),
});
type Batch = z.output<typeof BatchParams> & { hasEnded: boolean };

/** A batch has ended when it is read for the first time; `msgbatch_01` is there from the start. */
export function addBatches(
  app: Hono,
  ids: ReturnType<typeof idSequence>,
  answer: (params: MessageParams) => object,
) {
  const seeded = (): [string, Batch][] => [
    [
      "msgbatch_01",
      {
        hasEnded: true,
        requests: [
          {
            custom_id: "visit-1",
            params: {
              model: "example-model",
              max_tokens: 4096,
              messages: [{ role: "user", content: "Summarize the visit." }],
            },
          },
        ],
      },
    ],
  ];
  const batches = new Map(seeded());

  const find = (id: string) => {
    const batch = batches.get(id);
    return batch ?? refuse(404, "not_found_error", `No message batch with id ${id}`);
  };
  const view = (id: string, { requests, hasEnded }: Batch) => ({
    id,
    type: "message_batch",
    processing_status: hasEnded ? "ended" : "in_progress",
    request_counts: {
      processing: hasEnded ? 0 : requests.length,
      succeeded: hasEnded ? requests.length : 0,
      errored: 0,
      canceled: 0,
      expired: 0,
    },
    created_at: "2026-11-23T09:00:00Z",
    ended_at: hasEnded ? "2026-11-23T09:05:00Z" : null,
    expires_at: "2026-11-24T09:00:00Z",
    archived_at: null,
    cancel_initiated_at: null,
    results_url: hasEnded ? `https://api.anthropic.com/v1/messages/batches/${id}/results` : null,
  });

  app.post("/v1/messages/batches", async (c) => {
    const { requests } = await readJson(c, BatchParams);
    const names = requests.map(({ custom_id }) => custom_id);
    if (new Set(names).size < names.length)
      return refuse(400, "invalid_request_error", "requests: custom_id must be unique");
    const id = ids.letters("msgbatch_01", 22);
    const batch = { requests, hasEnded: false };
    batches.set(id, batch);
    return c.json(view(id, batch));
  });
  app.get("/v1/messages/batches/:id", (c) => {
    const id = c.req.param("id");
    const batch = find(id);
    batches.set(id, { ...batch, hasEnded: true });
    return c.json(view(id, { ...batch, hasEnded: true }));
  });
  app.get("/v1/messages/batches/:id/results", (c) => {
    const { requests, hasEnded } = find(c.req.param("id"));
    if (!hasEnded) return refuse(404, "not_found_error", "The batch has not ended yet");
    const lines = requests.map(({ custom_id, params }) =>
      JSON.stringify({ custom_id, result: { type: "succeeded", message: answer(params) } }),
    );
    return c.body(`${lines.join("\n")}\n`, 200, { "content-type": "application/x-jsonl" });
  });
  app.delete("/v1/messages/batches/:id", (c) => {
    const id = c.req.param("id");
    if (!find(id).hasEnded)
      return refuse(400, "invalid_request_error", "Cancel the batch before you delete it");
    batches.delete(id);
    return c.json({ id, type: "message_batch_deleted" });
  });

  return {
    reset() {
      batches.clear();
      for (const [id, batch] of seeded()) batches.set(id, batch);
    },
  };
}

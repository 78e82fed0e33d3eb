import * as z from "zod";

import { unixNow } from "../define.ts";
import { eventStream, refuse, speak, tokensOf } from "./replies.ts";
import type { OpenAi } from "./requests.ts";

const Part = z.looseObject({ type: z.string(), text: z.string().optional() });
const Item = z.looseObject({
  role: z.string().optional(),
  content: z.union([z.string(), z.array(Part)]).optional(),
});
const ResponseParams = z.strictObject({
  model: z.string(),
  input: z.union([z.string(), z.array(Item)]),
  background: z.boolean().nullish(),
  include: z.array(z.string()).nullish(),
  instructions: z.string().nullish(),
  max_output_tokens: z.number().int().min(16).nullish(),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  previous_response_id: z.string().nullish(),
  reasoning: z.looseObject({}).nullish(),
  safety_identifier: z.string().nullish(),
  service_tier: z.string().nullish(),
  store: z.boolean().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({}).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  text: z.looseObject({}).nullish(),
  tool_choice: z.unknown().optional(),
  tools: z.array(z.looseObject({})).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  truncation: z.enum(["auto", "disabled"]).nullish(),
});
type Params = z.output<typeof ResponseParams>;

function promptOf(input: Params["input"]) {
  if (typeof input === "string") return input;
  const { content } = input.findLast(({ role }) => role === "user") ?? {};
  return typeof content === "string"
    ? content
    : (content ?? []).map(({ text }) => text ?? "").join(" ");
}

export function addResponses({ app, ids, model, readJson }: OpenAi) {
  const stored = new Map<string, object>();

  app.post("/v1/responses", async (c) => {
    const params = await readJson(c, ResponseParams);
    const before = params.previous_response_id;
    if (before && !stored.has(before))
      return refuse(400, `Previous response with id '${before}' not found.`, {
        param: "previous_response_id",
        code: "previous_response_not_found",
      });
    const prompt = promptOf(params.input);
    const { tokens, isCut } = speak(prompt, params.max_output_tokens ?? Number.POSITIVE_INFINITY);
    const text = tokens.join("");
    const [id, itemId] = [ids.hex("resp_", 48), ids.hex("msg_", 48)];
    const inputTokens = tokensOf(`${params.instructions ?? ""} ${prompt}`).length;
    const shell = {
      id,
      object: "response",
      created_at: unixNow(),
      status: "in_progress",
      background: params.background ?? false,
      error: null,
      incomplete_details: null,
      instructions: params.instructions ?? null,
      max_output_tokens: params.max_output_tokens ?? null,
      metadata: params.metadata ?? {},
      model: model(params.model, "text"),
      output: [],
      parallel_tool_calls: true,
      previous_response_id: before ?? null,
      reasoning: { effort: null, summary: null },
      store: params.store ?? true,
      temperature: params.temperature ?? 1,
      text: params.text ?? { format: { type: "text" } },
      tool_choice: params.tool_choice ?? "auto",
      tools: params.tools ?? [],
      top_p: params.top_p ?? 1,
      truncation: params.truncation ?? "disabled",
      usage: null,
    };
    const part = { type: "output_text", annotations: [], logprobs: [], text };
    const status = isCut ? "incomplete" : "completed";
    const item = { id: itemId, type: "message", role: "assistant", status, content: [part] };
    const response = {
      ...shell,
      status,
      incomplete_details: isCut ? { reason: "max_output_tokens" } : null,
      output: [item],
      usage: {
        input_tokens: inputTokens,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: tokens.length,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: inputTokens + tokens.length,
      },
    };
    if (params.store !== false) stored.set(id, response);
    if (!params.stream) return c.json(response);

    const at = { item_id: itemId, output_index: 0, content_index: 0 };
    const events: { type: string; [key: string]: unknown }[] = [
      { type: "response.created", response: shell },
      { type: "response.in_progress", response: shell },
      {
        type: "response.output_item.added",
        output_index: 0,
        item: { ...item, status: "in_progress", content: [] },
      },
      { type: "response.content_part.added", ...at, part: { ...part, text: "" } },
      ...tokens.map((delta) => ({
        type: "response.output_text.delta",
        ...at,
        delta,
        logprobs: [],
      })),
      { type: "response.output_text.done", ...at, text, logprobs: [] },
      { type: "response.content_part.done", ...at, part },
      { type: "response.output_item.done", output_index: 0, item },
      { type: `response.${status}`, response },
    ];
    return eventStream(
      events.map((event, index) => ({
        event: event.type,
        data: { ...event, sequence_number: index },
      })),
    );
  });

  const missing = (id: string) => refuse(404, `Response with id '${id}' not found.`);
  app.get("/v1/responses/:id", (c) => {
    const id = c.req.param("id");
    return c.json(stored.get(id) ?? missing(id));
  });
  app.delete("/v1/responses/:id", (c) => {
    const id = c.req.param("id");
    if (!stored.delete(id)) missing(id);
    return c.json({ id, object: "response", deleted: true });
  });

  return { reset: () => stored.clear() };
}

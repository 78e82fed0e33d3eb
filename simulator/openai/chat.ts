import * as z from "zod";

import { unixNow } from "../define.ts";
import { eventStream, refuse, speak, tokensOf } from "./replies.ts";
import type { OpenAi } from "./requests.ts";

const Message = z.looseObject({
  role: z.enum(["developer", "system", "user", "assistant", "tool", "function"]),
  content: z
    .union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))])
    .nullish(),
});
const ChatParams = z.strictObject({
  model: z.string(),
  messages: z.array(Message).min(1),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  max_completion_tokens: z.number().int().min(1).nullish(),
  max_tokens: z.number().int().min(1).nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  n: z.literal(1).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  reasoning_effort: z.string().nullish(),
  response_format: z.looseObject({}).nullish(),
  seed: z.number().int().nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  store: z.boolean().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().optional() }).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  tool_choice: z.unknown().optional(),
  tools: z.array(z.looseObject({})).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  user: z.string().nullish(),
});

const said = ({ content }: z.output<typeof Message>) =>
  typeof content === "string" ? content : (content ?? []).map(({ text }) => text ?? "").join(" ");

export function addChat({ app, ids, model, readJson }: OpenAi) {
  app.post("/v1/chat/completions", async (c) => {
    const params = await readJson(c, ChatParams);
    if (params.stream_options && !params.stream)
      return refuse(
        400,
        "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        { param: "stream_options" },
      );
    const last = params.messages.findLast(({ role }) => role === "user");
    const limit = params.max_completion_tokens ?? params.max_tokens ?? Number.POSITIVE_INFINITY;
    const { tokens, isCut } = speak(last ? said(last) : "", limit);
    const prompt = params.messages.reduce((sum, each) => sum + tokensOf(said(each)).length, 0);
    const usage = {
      prompt_tokens: prompt,
      completion_tokens: tokens.length,
      total_tokens: prompt + tokens.length,
    };
    const reply = {
      id: ids.letters("chatcmpl-", 29),
      created: unixNow(),
      model: model(params.model, "text"),
      system_fingerprint: "fp_simulated",
    };
    const finish = isCut ? "length" : "stop";
    if (!params.stream) {
      const message = {
        role: "assistant",
        content: tokens.join(""),
        refusal: null,
        annotations: [],
      };
      const choice = { index: 0, message, logprobs: null, finish_reason: finish };
      return c.json({ ...reply, object: "chat.completion", choices: [choice], usage });
    }
    const includeUsage = params.stream_options?.include_usage === true;
    const chunk = (delta: object, finish_reason: string | null = null) => ({
      data: {
        ...reply,
        object: "chat.completion.chunk",
        choices: [{ index: 0, delta, logprobs: null, finish_reason }],
        ...(includeUsage ? { usage: null } : {}),
      },
    });
    return eventStream([
      chunk({ role: "assistant", content: "", refusal: null }),
      ...tokens.map((content) => chunk({ content })),
      chunk({}, finish),
      ...(includeUsage
        ? [{ data: { ...reply, object: "chat.completion.chunk", choices: [], usage } }]
        : []),
      { data: "[DONE]" },
    ]);
  });
}

import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import * as z from "zod";

import { tokensOf } from "../openai/replies.ts";

export function failureResponse(status: number, type: string, message: string, headers = {}) {
  const error = { type, message };
  return Response.json({ type: "error", error, request_id: null }, { status, headers });
}
export function refuse(status: number, type: string, message: string): never {
  throw new HTTPException(status as 400, { res: failureResponse(status, type, message) });
}

export const models = [
  { id: "example-model", lifecycle: "active", retires_at: null, max_tokens: 64_000 },
  {
    id: "old-model",
    lifecycle: "deprecated",
    retires_at: "2027-01-14T00:00:00Z",
    max_tokens: 8192,
  },
  {
    id: "retired-model",
    lifecycle: "retired",
    retires_at: "2026-10-05T00:00:00Z",
    max_tokens: 4096,
  },
] as const;

const Block = z.looseObject({ type: z.string(), text: z.string().optional() });
const Content = z.union([z.string().min(1), z.array(Block).min(1)]);
const System = z.union([z.string(), z.array(Block)]);
const Message = z.strictObject({ role: z.enum(["user", "assistant"]), content: Content });

export const CountParams = z.strictObject({
  model: z.string(),
  messages: z.array(Message).min(1),
  system: System.optional(),
  thinking: z.looseObject({}).optional(),
  tool_choice: z.looseObject({}).optional(),
  tools: z.array(z.looseObject({})).optional(),
});
/** As version 2026-10-21 has it: `temperature`, `top_p` and `top_k` are gone. */
export const MessageParams = CountParams.extend({
  max_tokens: z.number().int().min(1),
  metadata: z.looseObject({}).optional(),
  output_config: z.looseObject({}).optional(),
  service_tier: z.enum(["auto", "standard_only"]).optional(),
  stop_sequences: z.array(z.string()).optional(),
  stream: z.boolean().optional(),
});
export type MessageParams = z.output<typeof MessageParams>;

/** Anthropic's ways to say that a body is wrong. */
export function parse<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const at = (issue?.path ?? []).map(String);
  if (issue?.code === "unrecognized_keys")
    return refuse(
      400,
      "invalid_request_error",
      `${[...at, issue.keys[0]].join(".")}: Extra inputs are not permitted`,
    );
  const isMissing = issue?.message.includes("received undefined");
  const message = isMissing ? "Field required" : issue?.message;
  return refuse(400, "invalid_request_error", `${at.join(".")}: ${message}`);
}

export async function readJson<T extends z.ZodType>(c: Context, schema: T): Promise<z.output<T>> {
  let body: unknown;
  try {
    body = JSON.parse(await c.req.text());
  } catch {
    return refuse(400, "invalid_request_error", "The request body is not valid JSON");
  }
  return parse(schema, body);
}

/** Checks what the schema cannot say, and answers with the model. */
export function check({ model, messages, ...rest }: z.output<typeof CountParams>) {
  const found = models.find(({ id }) => id === model);
  if (!found || found.lifecycle === "retired")
    return refuse(404, "not_found_error", `model: ${model}`);
  for (const [index, { role, content }] of messages.entries())
    if (role === "assistant" && Array.isArray(content))
      if (content.some(({ type }) => type === "document"))
        return refuse(
          400,
          "invalid_request_error",
          `messages.${index}.content: document blocks are not permitted in assistant messages`,
        );
  const limit = "max_tokens" in rest ? Number(rest.max_tokens) : 0;
  if (limit > found.max_tokens)
    return refuse(
      400,
      "invalid_request_error",
      `max_tokens: ${limit} > ${found.max_tokens}, which is the maximum allowed number of output tokens for ${model}`,
    );
  return found;
}

const said = (content: z.output<typeof System>) =>
  typeof content === "string" ? content : content.map(({ text }) => text ?? "").join(" ");

export const inputTokens = ({ messages, system = "" }: z.output<typeof CountParams>) =>
  [said(system), ...messages.map(({ content }) => said(content))].flatMap(tokensOf).length;
export const lastSaid = ({ messages }: z.output<typeof CountParams>) =>
  said(messages.at(-1)?.content ?? "");

import * as z from "zod";

import { type VendorCause, VendorFailure } from "../problem.ts";
import { chooseModel, Model } from "./capabilities.ts";
import { defineVendor, operation } from "./define.ts";
import { password, type Step, text, type Values } from "./fields.ts";
import { type Incoming, jsonOf, standardWebhooks } from "./signature.ts";

const steps = [
  {
    id: "credentials",
    title: "API key",
    fields: {
      apiKey: password({
        label: "API key",
        placeholder: "sk-ant-api03-…",
        help: "Claude Console, Settings, API keys, Create key. Link it to a service account, so that it outlives the person who made it. Sign a BAA with Anthropic before you send health information.",
        helpUrl: "https://platform.claude.com/settings/keys",
        pattern: "^sk-ant-(?!admin)[A-Za-z0-9_-]{16,}$",
        message: "An API key starts sk-ant-; an Admin key (sk-ant-admin…) cannot generate text",
        example: "sk-ant-api03-exampleexampleexampleexample",
      }),
      workspace: text({
        label: "Workspace",
        required: false,
        placeholder: "wrkspc_…",
        help: "Claude Console, Settings, Workspaces. Only for a key that may act in several workspaces.",
        helpUrl: "https://platform.claude.com/settings/workspaces",
        pattern: "^wrkspc_[A-Za-z0-9]+$",
        message: "A workspace id starts wrkspc_",
        example: "wrkspc_example",
      }),
    },
  },
  {
    id: "models",
    title: "Model",
    fields: {
      defaultModel: text({
        label: "Default model",
        required: false,
        help: "Used when a call names no model. Current ids are on Anthropic's page of models, and in the operation “List models”. The test fails once this one is retired.",
        helpUrl: "https://platform.claude.com/docs/en/about-claude/models/overview",
        pattern: "^[A-Za-z0-9._:/-]{2,128}$",
        message: "A model id holds letters, digits and . _ : / - only",
        example: "example-model",
      }),
    },
  },
  {
    id: "webhooks",
    title: "Webhooks",
    fields: {
      webhookSecret: password({
        label: "Signing secret",
        required: false,
        placeholder: "whsec_…",
        help: "Shown once, when the webhook endpoint is created. A new one replaces the old at once, so change it here in the same minute.",
        helpUrl: "https://platform.claude.com/docs/en/managed-agents/webhooks",
        pattern: "^(whsec_)?[A-Za-z0-9+/]{16,}={0,2}$",
        message: "A signing secret is whsec_ and base64",
        example: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
      }),
    },
  },
] as const satisfies readonly Step[];

type Config = Values<typeof steps>;

/** Anthropic's error types, and its codes for what the type alone does not say. */
const failures: Record<string, [VendorCause, string]> = {
  billing_error: ["forbidden", "Anthropic asks for the account's billing to be put right"],
  not_found_error: [
    "not_found",
    "Anthropic has no such model or record, or the key may not use it",
  ],
  request_too_large: ["invalid_request", "The request is too large for Anthropic"],
  timeout_error: ["vendor_unavailable", "Anthropic could not finish in time: stream long texts"],
  overloaded_error: ["vendor_unavailable", "Anthropic is overloaded just now"],
  // These arrive as 429 or 400, but waiting does not help.
  contract_spend_limit_reached: ["forbidden", "The organization's spend limit is reached"],
  enforced_spend_limit_reached: ["forbidden", "The organization's spend limit is reached"],
  organization_on_hold: ["forbidden", "Anthropic has disabled the organization"],
  claude_code_key_creator_not_member: ["forbidden", "The key's creator has left the organization"],
  cmek_key_disabled: ["forbidden", "The workspace's own encryption key is disabled"],
  cmek_key_network_blocked: ["forbidden", "The workspace's own encryption key is out of reach"],
};
const spent: [VendorCause, string] = ["forbidden", "The spend limit or the credit is used up"];

const ErrorBody = z.object({
  error: z.object({
    type: z.string(),
    message: z.string().optional(),
    details: z.object({ error_code: z.string().nullish() }).nullish(),
  }),
});

const Content = z.union([
  z.string().min(1).max(1_000_000),
  z.array(z.looseObject({ type: z.string() })).min(1),
]);
const manner = {
  model: Model.optional(),
  instructions: z.string().max(500_000).optional(),
  /** Anthropic wants a limit: 4096 where none is given. */
  maxOutputTokens: z.number().int().positive().optional(),
};
const Prompt = z.object({ ...manner, prompt: z.string().min(1).max(1_000_000) });
const Conversation = z.object({
  ...manner,
  /** Text, or Anthropic's own content blocks: images, PDF documents and so on. */
  messages: z.array(z.object({ role: z.enum(["user", "assistant"]), content: Content })).min(1),
  stopSequences: z.array(z.string().min(1)).max(100).optional(),
  /** A JSON Schema that the answer must satisfy. */
  outputSchema: z.record(z.string(), z.unknown()).optional(),
});
const PromptOrConversation = Conversation.partial({ messages: true })
  .extend({ prompt: Prompt.shape.prompt.optional() })
  .refine(({ prompt, messages }) => (prompt === undefined) !== (messages === undefined), {
    path: ["prompt"],
    message: "Give either `prompt` or `messages`",
  });

function requestOf(params: z.output<typeof Conversation>, { defaultModel }: Config) {
  const { model, messages, instructions, maxOutputTokens, stopSequences, outputSchema } = params;
  return {
    model: chooseModel(model, defaultModel),
    max_tokens: maxOutputTokens ?? 4096,
    messages,
    system: instructions,
    stop_sequences: stopSequences,
    output_config: outputSchema && { format: { type: "json_schema", schema: outputSchema } },
  };
}
const turnsOf = (prompt = "") => [{ role: "user" as const, content: prompt }];

const Block = z.looseObject({ type: z.string(), text: z.string().optional() });
const MessageReply = z.object({
  id: z.string(),
  model: z.string(),
  content: z.array(Block),
  stop_reason: z.string().nullish(),
  usage: z.object({ input_tokens: z.number().int(), output_tokens: z.number().int() }),
});
const textOf = (content: readonly z.output<typeof Block>[]) =>
  content.map((block) => (block.type === "text" ? block.text : "")).join("");
const usageOf = ({ usage }: z.output<typeof MessageReply>) => ({
  inputTokens: usage.input_tokens,
  outputTokens: usage.output_tokens,
});
const Usage = z.object({ inputTokens: z.number().int(), outputTokens: z.number().int() });

const slow = { timeoutMs: 120_000 };

const ModelReply = z.object({
  id: z.string(),
  display_name: z.string().nullish(),
  lifecycle: z.string().nullish(),
  /** Anthropic may still move it. */
  retires_at: z.string().nullish(),
  max_tokens: z.number().nullish(),
});
const ModelsReply = z.object({
  data: z.array(ModelReply),
  has_more: z.boolean().optional(),
  last_id: z.string().nullish(),
});

const BatchId = z.object({ id: z.string().min(1).max(128) });
const Counts = z.object({
  processing: z.number().int(),
  succeeded: z.number().int(),
  errored: z.number().int(),
  canceled: z.number().int(),
  expired: z.number().int(),
});
const Batch = z.object({
  id: z.string(),
  /** `in_progress`, `canceling` or `ended`. */
  status: z.string(),
  counts: Counts,
  endedAt: z.string().optional(),
});
const BatchReply = z.object({
  id: z.string(),
  processing_status: z.string(),
  request_counts: Counts,
  ended_at: z.string().nullish(),
});
const batchOf = (reply: z.output<typeof BatchReply>) => ({
  id: reply.id,
  status: reply.processing_status,
  counts: reply.request_counts,
  endedAt: reply.ended_at ?? undefined,
});

const eventTypes = Object.entries({
  session:
    "created pending running idled updated archived deleted status_idled status_run_started status_rescheduled status_terminated requires_action outcome_evaluation_ended budget_reached thread_created thread_idled thread_terminated",
  agent: "created updated archived deleted",
  environment: "created updated archived deleted",
  deployment: "created updated paused unpaused archived deleted",
  deployment_run: "started succeeded failed",
  memory_store: "created archived deleted",
  vault: "created archived deleted",
  vault_credential: "created archived deleted refresh_failed",
  user_profile: "enforcement_action_opened enforcement_action_resolved program_status_updated",
  external_key: "failed recovered",
}).flatMap(([of, happenings]) => happenings.split(" ").map((what) => `${of}.${what}`));

const EventBody = z.object({
  id: z.string().optional(),
  type: z.string(),
  created_at: z.string().optional(),
  /** The outer type always says `event`. */
  data: z.object({ type: z.string() }).optional(),
});
function readEvents(incoming: Incoming) {
  const { success, data: event } = EventBody.safeParse(jsonOf(incoming));
  const id = incoming.headers.get("webhook-id") ?? undefined;
  if (!success) return [{ id, type: "other" }];
  return [
    { id: event.id || id, type: event.data?.type ?? event.type, occurredAt: event.created_at },
  ];
}

const question = "How should a patient prepare for a lipid panel?";
const exampleMessage = {
  id: "msg_01",
  type: "message",
  role: "assistant",
  model: "example-model-20261101",
  content: [{ type: "text", text: "Please fast for 8 hours.", citations: null }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 21, output_tokens: 8 },
};
const exampleStream = [
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Please"}}\n\n',
  'event: message_stop\ndata: {"type":"message_stop"}\n\n',
].join("");
const exampleTurns = {
  model: "example-model",
  messages: [{ role: "user" as const, content: question }],
};
const exampleBatch = {
  id: "msgbatch_01",
  type: "message_batch",
  processing_status: "in_progress",
  request_counts: { processing: 1, succeeded: 0, errored: 0, canceled: 0, expired: 0 },
  created_at: "2026-11-23T09:00:00Z",
  ended_at: null,
  expires_at: "2026-11-24T09:00:00Z",
  results_url: null,
};
const exampleBatchResult = {
  id: "msgbatch_01",
  status: "in_progress",
  counts: exampleBatch.request_counts,
};
const exampleLine = `${JSON.stringify({ custom_id: "visit-1", result: { type: "succeeded", message: exampleMessage } })}\n`;

export const vendor = defineVendor({
  name: "Anthropic",
  category: "ai",
  description: "Text generation, long documents, structured answers and batches with Claude.",
  website: "https://www.anthropic.com",
  documentation: "https://platform.claude.com/docs",
  keywords: ["claude", "llm", "text", "summary", "notes", "coding", "batch"],
  featured: true,
  icon: "anthropic",
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://api.anthropic.com" },
    production: { baseUrl: "https://api.anthropic.com" },
  },
  steps,
  auth: ({ apiKey }) => ({ kind: "bearer", token: apiKey }),
  // Under this version `temperature`, `top_p` and `top_k` are refused, so no operation has them.
  headers: ({ workspace }) => ({
    "anthropic-version": "2026-10-21",
    ...(workspace && { "anthropic-workspace-id": workspace }),
  }),
  failure({ body }) {
    const { success, data } = ErrorBody.safeParse(body);
    if (!success) return undefined;
    const { type, message, details } = data.error;
    const code = details?.error_code ?? type;
    const isSpent =
      type === "invalid_request_error" && /usage limits|credit balance/i.test(message ?? "");
    const known = isSpent ? spent : (failures[code] ?? failures[type]);
    return known ? { code, cause: known[0], message: known[1] } : { code };
  },
  async test(api, { defaultModel }) {
    const answer = await api.send("GET", "/v1/models", { query: { limit: 1 } });
    const models = ModelsReply.safeParse(await answer.json().catch(() => undefined));
    if (!models.success)
      throw new VendorFailure("unexpected_reply", "Anthropic's answer was not understood");
    const organization = answer.headers.get("anthropic-organization-id");
    const account = organization ? `Organization ${organization}` : "Anthropic organization";
    const listed = "key accepted, models may be listed";
    if (!defaultModel) return { account, checked: [listed] };
    const path = { model: defaultModel };
    const model = await api.get("/v1/models/{model}", ModelReply, { path });
    if (model.lifecycle === "retired")
      throw new VendorFailure("not_found", `The key works, but ${defaultModel} has been retired`);
    const until = model.retires_at ? ` until ${model.retires_at.slice(0, 10)}` : "";
    return { account, checked: [listed, `the default model is available${until}`] };
  },
  operations: {
    generateText: operation({
      title: "Generate text",
      effect: "read",
      // Nothing is kept at the other side, so that a second try costs tokens and no more.
      idempotent: true,
      capability: "ai.text.generate",
      params: Prompt,
      result: z.object({
        id: z.string(),
        text: z.string(),
        model: z.string(),
        /** Why the text ends early: `max_tokens`, `refusal`… */
        incomplete: z.string().optional(),
        usage: Usage.optional(),
      }),
      example: {
        params: { model: "example-model", prompt: question },
        wire: [{ request: "POST /v1/messages", reply: exampleMessage }],
        result: {
          id: "msg_01",
          text: "Please fast for 8 hours.",
          model: "example-model-20261101",
          usage: { inputTokens: 21, outputTokens: 8 },
        },
      },
      async run(api, { prompt, ...rest }, values: Config) {
        const json = requestOf({ ...rest, messages: turnsOf(prompt) }, values);
        const reply = await api.post("/v1/messages", MessageReply, { json, ...slow });
        const why = reply.stop_reason ?? undefined;
        return {
          id: reply.id,
          text: textOf(reply.content),
          model: reply.model,
          incomplete: why === "end_turn" ? undefined : why,
          usage: usageOf(reply),
        };
      },
    }),
    streamText: operation({
      title: "Generate text, word by word",
      description: "Server-sent events as Anthropic sends them: `content_block_delta` and others.",
      effect: "write",
      idempotent: true,
      streams: true,
      params: PromptOrConversation,
      result: z.string(),
      example: {
        params: { model: "example-model", prompt: question },
        wire: [
          {
            request: "POST /v1/messages",
            headers: { "content-type": "text/event-stream" },
            reply: exampleStream,
          },
        ],
        result: exampleStream,
      },
      run: (api, { prompt, messages = turnsOf(prompt), ...rest }, values: Config) =>
        api.send("POST", "/v1/messages", {
          json: { ...requestOf({ ...rest, messages }, values), stream: true },
          headers: { accept: "text/event-stream, application/json;q=0.9" },
          ...slow,
        }),
    }),
    createMessage: operation({
      title: "Continue a conversation",
      description: "Several turns, documents and images, or an answer that fits a JSON Schema.",
      effect: "write",
      idempotent: true,
      params: Conversation,
      result: z.object({
        id: z.string(),
        text: z.string(),
        /** Anthropic's own blocks, as they came. */
        content: z.array(Block),
        model: z.string(),
        stopReason: z.string().optional(),
        usage: Usage,
      }),
      example: {
        params: exampleTurns,
        wire: [{ request: "POST /v1/messages", reply: exampleMessage }],
        result: {
          id: "msg_01",
          text: "Please fast for 8 hours.",
          content: [{ type: "text", text: "Please fast for 8 hours.", citations: null }],
          model: "example-model-20261101",
          stopReason: "end_turn",
          usage: { inputTokens: 21, outputTokens: 8 },
        },
      },
      async run(api, params, values: Config) {
        const json = requestOf(params, values);
        const reply = await api.post("/v1/messages", MessageReply, { json, ...slow });
        const { id, content, model } = reply;
        const stopReason = reply.stop_reason ?? undefined;
        return { id, text: textOf(content), content, model, stopReason, usage: usageOf(reply) };
      },
    }),
    countTokens: operation({
      title: "Count the tokens of a conversation",
      effect: "read",
      idempotent: true,
      params: Conversation.pick({ model: true, messages: true, instructions: true }),
      result: z.object({ inputTokens: z.number().int() }),
      example: {
        params: exampleTurns,
        wire: [{ request: "POST /v1/messages/count_tokens", reply: { input_tokens: 21 } }],
        result: { inputTokens: 21 },
      },
      async run(api, { model, messages, instructions }, { defaultModel }: Config) {
        const reply = z.object({ input_tokens: z.number().int() });
        const counted = await api.post("/v1/messages/count_tokens", reply, {
          json: { model: chooseModel(model, defaultModel), messages, system: instructions },
        });
        return { inputTokens: counted.input_tokens };
      },
    }),
    listModels: operation({
      title: "List models",
      description: "Newest first, with the day on which Anthropic retires each, where it says so.",
      effect: "read",
      params: z.object({
        limit: z.number().int().min(1).max(1000).optional(),
        cursor: z.string().min(1).optional(),
      }),
      result: z.object({
        models: z.array(
          z.object({
            id: z.string(),
            name: z.string().optional(),
            lifecycle: z.string().optional(),
            until: z.string().optional(),
            maxOutputTokens: z.number().optional(),
          }),
        ),
        next: z.string().optional(),
      }),
      example: {
        params: { limit: 20 },
        wire: [
          {
            request: "GET /v1/models?limit=20",
            reply: {
              data: [
                { id: "example-model", type: "model", display_name: "Example", max_tokens: 64_000 },
                { id: "old-model", type: "model", retires_at: "2027-01-14T00:00:00Z" },
              ],
              has_more: true,
              first_id: "example-model",
              last_id: "old-model",
            },
          },
        ],
        result: {
          models: [
            { id: "example-model", name: "Example", maxOutputTokens: 64_000 },
            { id: "old-model", until: "2027-01-14T00:00:00Z" },
          ],
          next: "old-model",
        },
      },
      async run(api, { limit, cursor }) {
        const query = { limit, after_id: cursor };
        const { data, has_more, last_id } = await api.get("/v1/models", ModelsReply, { query });
        return {
          models: data.map((model) => ({
            id: model.id,
            name: model.display_name ?? undefined,
            lifecycle: model.lifecycle ?? undefined,
            until: model.retires_at ?? undefined,
            maxOutputTokens: model.max_tokens ?? undefined,
          })),
          next: has_more ? (last_id ?? undefined) : undefined,
        };
      },
    }),
    createBatch: operation({
      title: "Ask many things at once",
      description: "Anthropic answers within 24 hours.",
      effect: "write",
      params: z.object({
        requests: z
          .array(
            Conversation.extend({
              /** Comes back with the answer. */
              customId: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/),
            }),
          )
          .min(1)
          .max(1000),
      }),
      result: Batch,
      example: {
        params: { requests: [{ customId: "visit-1", ...exampleTurns }] },
        wire: [{ request: "POST /v1/messages/batches", reply: exampleBatch }],
        result: exampleBatchResult,
      },
      async run(api, { requests }, values: Config) {
        const json = {
          requests: requests.map(({ customId, ...conversation }) => ({
            custom_id: customId,
            params: requestOf(conversation, values),
          })),
        };
        return batchOf(await api.post("/v1/messages/batches", BatchReply, { json, ...slow }));
      },
    }),
    getBatch: operation({
      title: "Read how far a batch is",
      effect: "read",
      params: BatchId,
      result: Batch,
      example: {
        params: { id: "msgbatch_01" },
        wire: [{ request: "GET /v1/messages/batches/msgbatch_01", reply: exampleBatch }],
        result: exampleBatchResult,
      },
      run: async (api, path) =>
        batchOf(await api.get("/v1/messages/batches/{id}", BatchReply, { path })),
    }),
    getBatchResults: operation({
      title: "Read a batch's answers",
      description: "JSON lines, one an answer, as Anthropic sends them and in no given order.",
      effect: "read",
      streams: true,
      params: BatchId,
      result: z.string(),
      example: {
        params: { id: "msgbatch_01" },
        wire: [
          {
            request: "GET /v1/messages/batches/msgbatch_01/results",
            headers: { "content-type": "application/x-jsonl" },
            reply: exampleLine,
          },
        ],
        result: exampleLine,
      },
      run: (api, path) => api.send("GET", "/v1/messages/batches/{id}/results", { path, ...slow }),
    }),
    deleteBatch: operation({
      title: "Delete a batch and its answers",
      description: "Only once it has ended.",
      effect: "write",
      params: BatchId,
      result: z.object({ id: z.string() }),
      example: {
        params: { id: "msgbatch_01" },
        wire: [
          {
            request: "DELETE /v1/messages/batches/msgbatch_01",
            reply: { id: "msgbatch_01", type: "message_batch_deleted" },
          },
        ],
        result: { id: "msgbatch_01" },
      },
      run: (api, path) =>
        api.delete("/v1/messages/batches/{id}", z.object({ id: z.string() }), { path }),
    }),
  },
  webhooks: {
    verify: standardWebhooks<Config>({ secret: ({ webhookSecret }) => webhookSecret }),
    secretField: "webhookSecret",
    events: readEvents,
    types: eventTypes,
    failures: ["deployment_run.failed", "vault_credential.refresh_failed", "external_key.failed"],
    setup: [
      "Anthropic sends events of managed agents and of the organization, not of single messages or batches.",
      "Open the Claude Console, Webhooks: https://platform.claude.com/docs/en/managed-agents/webhooks",
      "Add an endpoint with {url} and choose the events.",
      "Copy the signing secret, which is shown once, and enter it here.",
    ],
  },
  links: [
    { title: "Console", url: "https://platform.claude.com" },
    { title: "Status", url: "https://status.claude.com" },
    { title: "Errors", url: "https://platform.claude.com/docs/en/api/errors" },
  ],
});

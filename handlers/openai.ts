import { base64ToUint8Array } from "uint8array-extras";
import * as z from "zod";

import { type VendorCause, VendorFailure } from "../problem.ts";
import { chooseModel, Model as ModelId, Recording } from "./capabilities.ts";
import { defineVendor, operation } from "./define.ts";
import { password, select, type Step, text, type Values } from "./fields.ts";
import { type Incoming, jsonOf, standardWebhooks } from "./signature.ts";

const steps = [
  {
    id: "credentials",
    title: "API key",
    fields: {
      apiKey: password({
        label: "API key",
        placeholder: "sk-proj-…",
        help: "OpenAI Platform, Settings, API keys. Use a project key. A restricted key needs “List models: Read” and “Model capabilities: Request”. Sign a BAA with OpenAI before you send health information.",
        helpUrl: "https://platform.openai.com/api-keys",
        pattern: "^sk-[A-Za-z0-9_-]{16,}$",
        message: "An OpenAI key starts sk-",
        example: "sk-proj-exampleexampleexampleexample",
      }),
      organization: text({
        label: "Organization",
        required: false,
        placeholder: "org-…",
        help: "Settings, Organization, General. Only for a key that belongs to several organizations.",
        helpUrl: "https://platform.openai.com/settings/organization/general",
        pattern: "^org-[A-Za-z0-9_-]+$",
        message: "An organization id starts org-",
        example: "org-example",
      }),
      project: text({
        label: "Project",
        required: false,
        placeholder: "proj_…",
        help: "Settings, Project, General. Only for a key that is not a project's own.",
        helpUrl: "https://platform.openai.com/settings",
        pattern: "^proj_[A-Za-z0-9_-]+$",
        message: "A project id starts proj_",
        example: "proj_example",
      }),
    },
  },
  {
    id: "models",
    title: "Region and model",
    fields: {
      region: select({
        label: "Region",
        help: "Where data is processed. A region other than the default needs a project that was created for it.",
        helpUrl: "https://developers.openai.com/api/docs/guides/data-residency",
        options: [
          { value: "api", label: "Default" },
          { value: "us.api", label: "United States" },
          { value: "eu.api", label: "Europe" },
          { value: "au.api", label: "Australia" },
          { value: "in.api", label: "India" },
          { value: "jp.api", label: "Japan" },
          { value: "ae.api", label: "United Arab Emirates" },
        ],
        default: "api",
        example: "api",
      }),
      defaultModel: text({
        label: "Default text model",
        required: false,
        help: "Used for text when a call names no model. OpenAI retires models often: the test fails once this one is gone.",
        helpUrl: "https://developers.openai.com/api/docs/models",
        pattern: "^[A-Za-z0-9._:/-]{2,128}$",
        message: "A model id holds letters, digits and . _ : / - only",
        example: "example-model",
      }),
      defaultEmbeddingModel: text({
        label: "Default embedding model",
        required: false,
        help: "Used for vectors when a call names no model. Vectors of different models cannot be compared. Current ids are in OpenAI's list of models.",
        helpUrl: "https://developers.openai.com/api/docs/models",
        pattern: "^[A-Za-z0-9._:/-]{2,128}$",
        message: "A model id holds letters, digits and . _ : / - only",
        example: "example-embedding",
      }),
      defaultAudioModel: text({
        label: "Default transcription model",
        required: false,
        help: "Used for transcription when a call names no model. Current ids are in OpenAI's list of models.",
        helpUrl: "https://developers.openai.com/api/docs/models",
        pattern: "^[A-Za-z0-9._:/-]{2,128}$",
        message: "A model id holds letters, digits and . _ : / - only",
        example: "example-transcriber",
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
        help: "Shown once, when the webhook endpoint is created in Settings, Project, Webhooks.",
        helpUrl: "https://platform.openai.com/settings/project/webhooks",
        pattern: "^whsec_[A-Za-z0-9+/=]+$",
        message: "A signing secret starts whsec_",
        example: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
      }),
    },
  },
] as const satisfies readonly Step[];

type Config = Values<typeof steps>;

const Model = z.object({
  id: z.string(),
  owned_by: z.string().nullish(),
  /** When OpenAI takes it away: a date, or a time. */
  shutdown_date: z.string().nullish(),
});
const Models = z.object({ data: z.array(Model) });

const Prompt = z.object({
  model: ModelId.optional(),
  prompt: z.string().min(1).max(500_000),
  instructions: z.string().max(100_000).optional(),
  maxOutputTokens: z.number().int().positive().optional(),
});

const ResponseReply = z.object({
  id: z.string(),
  model: z.string().nullish(),
  status: z.string().nullish(),
  error: z.object({ code: z.string() }).nullish(),
  incomplete_details: z.object({ reason: z.string().optional() }).nullish(),
  output: z.array(
    z.looseObject({
      type: z.string(),
      content: z.array(z.looseObject({ type: z.string(), text: z.string().optional() })).optional(),
    }),
  ),
  usage: z.object({ input_tokens: z.number().int(), output_tokens: z.number().int() }).nullish(),
});

/** A 200 may say that it failed, with one of these. */
const whyFailed = new Map<string | undefined, VendorCause>([
  ["server_error", "vendor_unavailable"],
  ["rate_limit_exceeded", "rate_limited"],
  ["invalid_prompt", "invalid_request"],
  ["bio_policy", "invalid_request"],
  ["misalignment_policy_violation", "invalid_request"],
  ["data_residency_mismatch", "forbidden"],
]);

function requestOf(params: z.output<typeof Prompt>, { defaultModel }: Config) {
  return {
    model: chooseModel(params.model, defaultModel, "Default text model"),
    input: params.prompt,
    instructions: params.instructions,
    // OpenAI refuses less than 16.
    max_output_tokens: params.maxOutputTokens && Math.max(params.maxOutputTokens, 16),
    // OpenAI keeps responses for 30 days unless told not to: prompts may hold health information.
    store: false,
  };
}

const slow = { timeoutMs: 120_000 };

const EventBody = z.object({ id: z.string(), type: z.string(), created_at: z.number().optional() });
function readEvents(incoming: Incoming) {
  const { success, data: event } = EventBody.safeParse(jsonOf(incoming));
  const id = incoming.headers.get("webhook-id") ?? undefined;
  if (!success) return [{ id, type: "other" }];
  const at = event.created_at && new Date(event.created_at * 1000).toISOString();
  return [{ id: id ?? event.id, type: event.type, ...(at && { occurredAt: at }) }];
}

const exampleOutput = {
  id: "resp_01",
  model: "example-model-2026-11-01",
  status: "completed",
  error: null,
  incomplete_details: null,
  output: [
    { type: "reasoning", id: "rs_01", summary: [] },
    {
      type: "message",
      role: "assistant",
      content: [{ type: "output_text", text: "Please fast for 8 hours.", annotations: [] }],
    },
  ],
  usage: { input_tokens: 21, output_tokens: 8, total_tokens: 29 },
};
const exampleStream = [
  'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"Please"}\n\n',
  'event: response.completed\ndata: {"type":"response.completed"}\n\n',
].join("");

export const vendor = defineVendor({
  name: "OpenAI",
  category: "ai",
  description: "Text generation, transcription, embeddings and moderation with OpenAI's models.",
  website: "https://openai.com",
  documentation: "https://developers.openai.com/api",
  keywords: ["gpt", "llm", "text", "summary", "transcription", "embedding", "scribe"],
  featured: true,
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://{region}.openai.com" },
    production: { baseUrl: "https://{region}.openai.com" },
  },
  steps,
  auth: ({ apiKey }) => ({ kind: "bearer", token: apiKey }),
  headers: ({ organization, project }) => ({
    ...(organization && { "OpenAI-Organization": organization }),
    ...(project && { "OpenAI-Project": project }),
  }),
  failure: ({ body }) => {
    const Details = z.object({ code: z.string().nullish(), type: z.string().nullish() });
    const { success, data } = z.object({ error: Details }).safeParse(body);
    if (!success) return undefined;
    const code = data.error.code ?? data.error.type ?? undefined;
    switch (
      code // Both arrive as 429, but waiting does not help.
    ) {
      case "insufficient_quota":
      case "billing_not_active":
      case "billing_hard_limit_reached":
        return {
          cause: "forbidden",
          code,
          message: "The OpenAI project has no credit left, or its billing is not active",
        };
      case "model_not_found":
        return {
          cause: "not_found",
          code,
          message: "OpenAI has no such model, or the key may not use it",
        };
      case "context_length_exceeded":
        return { cause: "invalid_request", code, message: "The text is too long for the model" };
      case undefined:
        return undefined;
      default:
        return { code };
    }
  },
  async test(api, { defaultModel, defaultEmbeddingModel, defaultAudioModel }) {
    const answer = await api.send("GET", "/v1/models");
    const models = Models.safeParse(await answer.json().catch(() => undefined));
    if (!models.success)
      throw new VendorFailure("unexpected_reply", "OpenAI's answer was not understood");
    const account = answer.headers.get("openai-organization") ?? "OpenAI project";
    const available = models.data.data.map((model) => {
      const until = model.shutdown_date ? ` until ${model.shutdown_date.slice(0, 10)}` : "";
      return [model.id, `${model.id} is available${until}`] as const;
    });
    const said = new Map(available);
    const defaults = [defaultModel, defaultEmbeddingModel, defaultAudioModel].flatMap((id) => {
      if (id && !said.has(id))
        throw new VendorFailure("not_found", `The key works, but has no model named ${id}`);
      return (id && said.get(id)) || [];
    });
    return { account, checked: [`key accepted, ${said.size} models available`, ...defaults] };
  },
  operations: {
    generateText: operation({
      title: "Generate text",
      // Nothing is kept at OpenAI (`store: false`), so asking again, or asking another, harms nobody.
      effect: "read",
      idempotent: true,
      capability: "ai.text.generate",
      params: Prompt,
      result: z.object({
        id: z.string(),
        text: z.string(),
        model: z.string(),
        /** Why the text ends early, such as `max_output_tokens`. */
        incomplete: z.string().optional(),
        usage: z
          .object({ inputTokens: z.number().int(), outputTokens: z.number().int() })
          .optional(),
      }),
      example: {
        params: {
          model: "example-model",
          prompt: "How should a patient prepare for a lipid panel?",
        },
        wire: [{ request: "POST /v1/responses", reply: exampleOutput }],
        result: {
          id: "resp_01",
          text: "Please fast for 8 hours.",
          model: "example-model-2026-11-01",
          usage: { inputTokens: 21, outputTokens: 8 },
        },
      },
      async run(api, params, values: Config) {
        const json = requestOf(params, values);
        const reply = await api.post("/v1/responses", ResponseReply, { json, ...slow });
        if (reply.status === "failed")
          throw new VendorFailure(
            whyFailed.get(reply.error?.code) ?? "unexpected_reply",
            "OpenAI could not generate the text",
            { vendorCode: reply.error?.code },
          );
        const parts = reply.output.flatMap(({ content }) => content ?? []);
        return {
          id: reply.id,
          text: parts.map((part) => (part.type === "output_text" ? part.text : "")).join(""),
          model: reply.model ?? json.model,
          incomplete: reply.incomplete_details?.reason,
          usage: reply.usage
            ? { inputTokens: reply.usage.input_tokens, outputTokens: reply.usage.output_tokens }
            : undefined,
        };
      },
    }),
    streamText: operation({
      title: "Generate text, word by word",
      description:
        "Server-sent events as OpenAI sends them: `response.output_text.delta` and others.",
      effect: "write",
      streams: true,
      params: Prompt,
      result: z.string(),
      example: {
        params: {
          model: "example-model",
          prompt: "How should a patient prepare for a lipid panel?",
        },
        wire: [
          {
            request: "POST /v1/responses",
            headers: { "content-type": "text/event-stream" },
            reply: exampleStream,
          },
        ],
        result: exampleStream,
      },
      run: (api, params, values: Config) =>
        api.send("POST", "/v1/responses", {
          json: { ...requestOf(params, values), stream: true },
          headers: { accept: "text/event-stream, application/json;q=0.9" },
          ...slow,
        }),
    }),
    embedTexts: operation({
      title: "Turn texts into vectors",
      effect: "read",
      idempotent: true,
      capability: "ai.embed",
      params: z.object({
        model: ModelId.optional(),
        texts: z.array(z.string().min(1)).min(1).max(2048),
        dimensions: z.number().int().positive().optional(),
      }),
      result: z.object({ model: z.string(), vectors: z.array(z.array(z.number())) }),
      example: {
        params: { model: "example-embedding", texts: ["chest pain", "dyspnea"] },
        wire: [
          {
            request: "POST /v1/embeddings",
            reply: {
              object: "list",
              model: "example-embedding",
              data: [
                { object: "embedding", index: 1, embedding: [0.3, 0.4] },
                { object: "embedding", index: 0, embedding: [0.1, 0.2] },
              ],
            },
          },
        ],
        result: {
          model: "example-embedding",
          vectors: [
            [0.1, 0.2],
            [0.3, 0.4],
          ],
        },
      },
      async run(api, { model, texts, dimensions }, { defaultEmbeddingModel }: Config) {
        const Vector = z.object({ index: z.number().int(), embedding: z.array(z.number()) });
        const reply = z.object({ model: z.string(), data: z.array(Vector) });
        const found = await api.post("/v1/embeddings", reply, {
          json: {
            model: chooseModel(model, defaultEmbeddingModel, "Default embedding model"),
            input: texts,
            dimensions,
            encoding_format: "float",
          },
          ...slow,
        });
        const inOrder = found.data.toSorted((a, b) => a.index - b.index);
        return { model: found.model, vectors: inOrder.map(({ embedding }) => embedding) };
      },
    }),
    transcribeAudio: operation({
      title: "Transcribe speech",
      effect: "read",
      idempotent: true,
      capability: "ai.audio.transcribe",
      params: z.object({
        model: ModelId.optional(),
        /** OpenAI takes no URL. */
        audio: Recording,
        fileName: z
          .string()
          .max(200)
          .regex(
            /\.(flac|mp3|mp4|mpeg|mpga|m4a|ogg|wav|webm)$/i,
            "The name must end in .mp3, .wav…",
          ),
        language: z
          .string()
          .regex(/^[a-z]{2}$/, "Use a two-letter code such as en")
          .optional(),
        /** Words to expect: names of drugs, people, places. */
        prompt: z.string().max(2000).optional(),
      }),
      result: z.object({ status: z.literal("completed"), text: z.string() }),
      example: {
        params: { model: "example-transcriber", audio: "SUQzBAAAAAAAAA==", fileName: "visit.mp3" },
        wire: [
          {
            request: "POST /v1/audio/transcriptions",
            reply: { text: "Any allergies? Penicillin.", usage: { type: "duration", seconds: 3 } },
          },
        ],
        result: { status: "completed", text: "Any allergies? Penicillin." },
      },
      async run(api, { model, audio, fileName, language, prompt }, { defaultAudioModel }: Config) {
        const body = new FormData();
        body.set("model", chooseModel(model, defaultAudioModel, "Default transcription model"));
        body.set("file", new File([base64ToUint8Array(audio)], fileName));
        body.set("response_format", "json");
        if (language) body.set("language", language);
        if (prompt) body.set("prompt", prompt);
        const reply = z.object({ text: z.string() });
        const { text } = await api.post("/v1/audio/transcriptions", reply, { body, ...slow });
        return { status: "completed" as const, text };
      },
    }),
    moderateText: operation({
      title: "Check a text for harmful content",
      effect: "read",
      idempotent: true,
      params: z.object({ text: z.string().min(1), model: z.string().max(128).optional() }),
      result: z.object({ flagged: z.boolean(), categories: z.array(z.string()) }),
      example: {
        params: { text: "I cannot go on." },
        wire: [
          {
            request: "POST /v1/moderations",
            reply: {
              id: "modr-01",
              model: "example-moderation",
              results: [{ flagged: true, categories: { "self-harm": true, violence: false } }],
            },
          },
        ],
        result: { flagged: true, categories: ["self-harm"] },
      },
      async run(api, { text: input, model }) {
        const Result = z.object({
          flagged: z.boolean(),
          categories: z.record(z.string(), z.unknown()),
        });
        const reply = z.object({ results: z.tuple([Result], Result) });
        const found = await api.post("/v1/moderations", reply, { json: { input, model } });
        const [{ flagged, categories }] = found.results;
        return {
          flagged,
          categories: Object.keys(categories).filter((name) => categories[name] === true),
        };
      },
    }),
    listModels: operation({
      title: "List models",
      description: "With the day on which OpenAI takes each away, where it says so.",
      effect: "read",
      params: z.object({}),
      result: z.object({
        models: z.array(
          z.object({ id: z.string(), owner: z.string().optional(), until: z.string().optional() }),
        ),
      }),
      example: {
        params: {},
        wire: [
          {
            request: "GET /v1/models",
            reply: {
              object: "list",
              data: [
                { id: "example-model", object: "model", owned_by: "openai" },
                { id: "old-model", owned_by: "openai", shutdown_date: "2027-01-14" },
              ],
            },
          },
        ],
        result: {
          models: [
            { id: "example-model", owner: "openai" },
            { id: "old-model", owner: "openai", until: "2027-01-14" },
          ],
        },
      },
      async run(api) {
        const { data } = await api.get("/v1/models", Models);
        return {
          models: data.map(({ id, owned_by, shutdown_date }) => ({
            id,
            owner: owned_by ?? undefined,
            until: shutdown_date ?? undefined,
          })),
        };
      },
    }),
  },
  webhooks: {
    verify: standardWebhooks<Config>({
      // Without its prefix it was cut short when it was copied.
      secret: ({ webhookSecret }) =>
        webhookSecret?.startsWith("whsec_") ? webhookSecret : undefined,
    }),
    secretField: "webhookSecret",
    events: readEvents,
    types: [
      "response.completed",
      "response.failed",
      "response.cancelled",
      "response.incomplete",
      "batch.completed",
      "batch.failed",
      "batch.expired",
      "batch.cancelled",
      "fine_tuning.job.succeeded",
      "fine_tuning.job.failed",
      "fine_tuning.job.cancelled",
      "eval.run.succeeded",
      "eval.run.failed",
      "eval.run.canceled",
      "video.completed",
      "video.failed",
      "realtime.call.incoming",
      "live.call.incoming",
      "safety.alert.created",
      "safety.org_alert.created",
      "safety.warning_issued",
      "safety.deactivation_issued",
    ],
    failures: [
      "response.failed",
      "batch.failed",
      "batch.expired",
      "fine_tuning.job.failed",
      "eval.run.failed",
      "video.failed",
    ],
    setup: [
      "Open Settings, Project, Webhooks: https://platform.openai.com/settings/project/webhooks",
      "Choose Create, enter {url}, and select the events.",
      "Copy the signing secret, which is shown once, and enter it here.",
    ],
  },
  links: [
    { title: "Platform", url: "https://platform.openai.com" },
    { title: "Status", url: "https://status.openai.com" },
    { title: "Data controls", url: "https://developers.openai.com/api/docs/guides/your-data" },
  ],
});

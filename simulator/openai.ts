import { createHmac } from "node:crypto";

import { Hono } from "hono";
import * as z from "zod";

import {
  bearerToken,
  defineSimulation,
  idSequence,
  isSame,
  retryAfter,
  unixNow,
  type WebhookOptions,
} from "./define.ts";
import { addChat } from "./openai/chat.ts";
import { base64Floats, embed, failureResponse, refuse, tokensOf } from "./openai/replies.ts";
import { model, models, type OpenAi, parse, readJson } from "./openai/requests.ts";
import { addResponses } from "./openai/responses.ts";

const organization = "org-example";
const project = "proj_example";
const credentials = {
  apiKey: "sk-proj-exampleexampleexampleexample",
  organization,
  project,
  defaultModel: "example-model",
  webhookSecret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
};
/** May generate, but not list models. */
export const openaiRestrictedKey = "sk-proj-restricted0000000000000000000000";
/** Its account has no credit left. */
export const openaiSpentKey = "sk-proj-spent000000000000000000000000000";

const mask = (key: string) =>
  key.length < 12 ? key : `${key.slice(0, 8)}${"*".repeat(key.length - 12)}${key.slice(-4)}`;
const lacksScope = (scope: string) =>
  failureResponse(
    403,
    `You have insufficient permissions for this operation. Missing scopes: ${scope}. Check that you have the correct role in your organization and project, and if you're using a restricted API key, that it has the necessary scopes.`,
  );

export const simulation = defineSimulation(() => {
  const ids = idSequence("openai");
  const app = new Hono();

  app.use("*", async (c, next) => {
    const started = performance.now();
    await next();
    const { headers } = c.res;
    headers.set("x-request-id", ids.hex("req_", 32));
    headers.set("openai-version", "2020-10-01");
    headers.set("openai-processing-ms", String(Math.ceil(performance.now() - started)));
    headers.set("openai-organization", organization);
    headers.set("x-ratelimit-limit-requests", "500");
    headers.set("x-ratelimit-remaining-requests", "499");
    headers.set("x-ratelimit-reset-requests", "120ms");
  });
  app.use("*", async (c, next) => {
    const key = bearerToken(c.req.raw);
    if (key === undefined)
      return failureResponse(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). You can obtain an API key from https://platform.openai.com/account/api-keys.",
      );
    const restricted = isSame(openaiRestrictedKey, key);
    const spent = isSame(openaiSpentKey, key);
    if (!restricted && !spent && !isSame(credentials.apiKey, key))
      return failureResponse(
        401,
        `Incorrect API key provided: ${mask(key)}. You can find your API key at https://platform.openai.com/account/api-keys.`,
        { code: "invalid_api_key" },
      );
    const org = c.req.header("openai-organization");
    if (org !== undefined && org !== organization)
      return failureResponse(401, `No such organization: ${org}.`, {
        code: "invalid_organization",
      });
    const within = c.req.header("openai-project");
    if (within !== undefined && within !== project)
      return failureResponse(401, "OpenAI-Project header should match project for API key", {
        code: "mismatched_project",
      });
    if (restricted && c.req.path.startsWith("/v1/models")) return lacksScope("api.model.read");
    if (spent && c.req.method === "POST")
      return failureResponse(
        429,
        "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
        { type: "insufficient_quota", code: "insufficient_quota" },
      );
    return next();
  });
  app.notFound((c) => failureResponse(404, `Invalid URL (${c.req.method} ${c.req.path})`));

  const view = ({ kind, ...each }: (typeof models)[number]) => ({
    ...each,
    object: "model",
    created: 1_780_000_000,
    owned_by: kind === "text" ? "openai" : "system",
  });
  app.get("/v1/models", (c) => c.json({ object: "list", data: models.map(view) }));
  app.get("/v1/models/:id", (c) => {
    const found = models.find(({ id }) => id === c.req.param("id"));
    if (!found)
      return refuse(404, `The model '${c.req.param("id")}' does not exist`, {
        param: "model",
        code: "model_not_found",
      });
    return c.json(view(found));
  });

  const openai: OpenAi = { app, ids, model, readJson };
  const responses = addResponses(openai);
  addChat(openai);

  app.post("/v1/embeddings", async (c) => {
    const text = z.string().min(1);
    const params = await readJson(
      c,
      z.strictObject({
        model: z.string(),
        input: z.union([text, z.array(text).min(1).max(2048)]),
        dimensions: z.number().int().min(1).max(3072).default(1536),
        encoding_format: z.enum(["float", "base64"]).default("float"),
        user: z.string().optional(),
      }),
    );
    const id = model(params.model, "embedding");
    const inputs = [params.input].flat();
    const tokens = inputs.reduce((sum, input) => sum + tokensOf(input).length, 0);
    return c.json({
      object: "list",
      data: inputs.map((input, index) => {
        const numbers = embed(input, params.dimensions);
        const embedding = params.encoding_format === "base64" ? base64Floats(numbers) : numbers;
        return { object: "embedding", index, embedding };
      }),
      model: id,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    });
  });

  app.post("/v1/moderations", async (c) => {
    const text = z.string();
    const params = await readJson(
      c,
      z.strictObject({ model: z.string().optional(), input: z.union([text, z.array(text)]) }),
    );
    const results = [params.input].flat().map(() => ({
      flagged: false,
      categories: { harassment: false, "self-harm": false, violence: false },
      category_scores: { harassment: 0.001, "self-harm": 0.001, violence: 0.001 },
    }));
    return c.json({
      id: ids.letters("modr-", 24),
      model: params.model ?? "example-moderation",
      results,
    });
  });

  app.post("/v1/audio/transcriptions", async (c) => {
    if (!c.req.header("content-type")?.startsWith("multipart/form-data"))
      return refuse(400, "Invalid Content-Type header: expected multipart/form-data");
    const form = await c.req.formData();
    const file = form.get("file");
    const { model: wanted, response_format: format } = parse(
      z.object({
        model: z.string(),
        response_format: z.enum(["json", "text", "srt", "vtt", "verbose_json"]).default("json"),
      }),
      Object.fromEntries([...form].filter(([name]) => name !== "file")),
    );
    if (!(file instanceof File))
      return refuse(400, "Missing required parameter: 'file'.", { param: "file" });
    const extension = file.name.split(".").at(-1)?.toLowerCase() ?? "";
    const formats = ["flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm"];
    if (!formats.includes(extension))
      return refuse(400, `Invalid file format. Supported formats: ${formats.join(", ")}`, {
        param: "file",
      });
    if (file.size === 0)
      return refuse(400, "Audio file is too short. Minimum audio length is 0.1 seconds.");
    const id = model(wanted, "audio");
    const text = `Simulated transcript of ${file.size} bytes.`;
    if (format === "text") return c.text(`${text}\n`);
    if (format === "srt") return c.text(`1\n00:00:00,000 --> 00:00:02,000\n${text}\n\n`);
    if (format === "vtt") return c.text(`WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n${text}\n\n`);
    const segment = { id: 0, start: 0, end: 2, text };
    const verbose = { task: "transcribe", language: "english", duration: 2, segments: [segment] };
    return c.json({
      text,
      ...(format === "verbose_json" ? verbose : {}),
      model: id,
      usage: { type: "duration", seconds: 2 },
    });
  });

  /** Standard Webhooks, signed here by hand: the SDK only verifies. */
  async function webhook({
    url,
    credentials: given,
    type = "response.completed",
    body,
    now = unixNow(),
  }: WebhookOptions) {
    const id = ids.hex("wh_", 32);
    const payload = JSON.stringify({
      object: "event",
      id: ids.hex("evt_", 32),
      type,
      created_at: now,
      data: { id: ids.hex(type.startsWith("batch.") ? "batch_" : "resp_", 32) },
      ...(body as object | undefined),
    });
    const key = Buffer.from(String(given["webhookSecret"]).replace(/^whsec_/, ""), "base64");
    const signature = createHmac("sha256", key).update(`${id}.${now}.${payload}`).digest("base64");
    return new Request(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": "OpenAI/1.0 (+https://platform.openai.com/docs/webhooks)",
        "webhook-id": id,
        "webhook-signature": `v1,${signature}`,
        "webhook-timestamp": String(now),
      },
      body: payload,
    });
  }

  return {
    hosts: ["", "us.", "eu.", "au.", "in.", "jp.", "ae."].map(
      (region) => `${region}api.openai.com`,
    ),
    app,
    credentials,
    webhook,
    faults: {
      rate_limited: (fault) =>
        failureResponse(
          429,
          `Rate limit reached for requests in organization ${organization} on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms.`,
          { type: "requests", code: "rate_limit_exceeded" },
          retryAfter(fault),
        ),
      server_error: () =>
        failureResponse(
          500,
          "The server had an error while processing your request. Sorry about that!",
          { type: "server_error" },
        ),
      expired_credentials: () =>
        failureResponse(
          401,
          "Your API key has expired. Create a new one at https://platform.openai.com/account/api-keys.",
          { code: "expired_api_key" },
        ),
      forbidden: () => lacksScope("api.responses.write"),
    },
    reset() {
      responses.reset();
      ids.reset();
    },
  };
});

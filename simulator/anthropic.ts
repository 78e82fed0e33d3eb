import { createHmac } from "node:crypto";

import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";

import { addBatches } from "./anthropic/batches.ts";
import {
  check,
  CountParams,
  failureResponse,
  inputTokens,
  lastSaid,
  MessageParams,
  models,
  readJson,
  refuse,
} from "./anthropic/requests.ts";
import {
  bearerToken,
  defineSimulation,
  idSequence,
  isSame,
  retryAfter,
  unixNow,
  type WebhookOptions,
} from "./define.ts";
import { eventStream, speak } from "./openai/replies.ts";

const organization = "8f3c2b1a-0000-4000-8000-000000000001";
const credentials = {
  apiKey: "sk-ant-api03-exampleexampleexampleexample",
  workspace: "wrkspc_example",
  defaultModel: "example-model",
  webhookSecret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
};
/** May list models, but not use any. */
export const anthropicRestrictedKey = "sk-ant-api03-restricted00000000000000";
/** Expired: Anthropic says of it what it says of a wrong key. */
export const anthropicExpiredKey = "sk-ant-api03-expired00000000000000000";
/** Its organization has used up what its contract lets it spend. */
export const anthropicSpentKey = "sk-ant-api03-spent0000000000000000000";

const versions = ["2023-06-01", "2026-10-21"];
const forbidden = () =>
  failureResponse(
    403,
    "permission_error",
    "Your API key does not have permission to use the specified resource.",
  );
const unauthorized = (message: string) => failureResponse(401, "authentication_error", message);

export const simulation = defineSimulation(() => {
  const ids = idSequence("anthropic");
  const app = new Hono();

  app.use("*", async (c, next) => {
    await next();
    c.res.headers.set("request-id", ids.letters("req_01", 22));
    c.res.headers.set("anthropic-organization-id", organization);
  });
  app.use("*", async (c, next) => {
    const key = bearerToken(c.req.raw) ?? c.req.header("x-api-key");
    if (key === undefined) return unauthorized("x-api-key header is required");
    const restricted = isSame(anthropicRestrictedKey, key);
    const spent = isSame(anthropicSpentKey, key);
    if (!restricted && !spent && !isSame(credentials.apiKey, key))
      return unauthorized("invalid x-api-key");
    const version = c.req.header("anthropic-version");
    if (version === undefined)
      return failureResponse(400, "invalid_request_error", "anthropic-version: header is required");
    if (!versions.includes(version))
      return failureResponse(
        400,
        "invalid_request_error",
        `anthropic-version: "${version}" is not a valid version`,
      );
    const workspace = c.req.header("anthropic-workspace-id");
    if (workspace !== undefined && workspace !== credentials.workspace) return forbidden();
    if (c.req.path.startsWith("/v1/messages")) {
      if (restricted) return forbidden();
      if (spent)
        return Response.json(
          {
            type: "error",
            error: {
              type: "rate_limit_error",
              message: "Your organization has reached the spend limit of its contract.",
              details: { error_code: "contract_spend_limit_reached" },
            },
            request_id: null,
          },
          { status: 429 },
        );
    }
    return next();
  });
  app.onError((error) =>
    error instanceof HTTPException
      ? error.getResponse()
      : failureResponse(500, "api_error", "Internal server error"),
  );
  app.notFound(() => failureResponse(404, "not_found_error", "Not found"));

  const view = (model: (typeof models)[number]) => ({
    type: "model",
    display_name: model.id.replaceAll("-", " "),
    created_at: "2026-02-01T00:00:00Z",
    deprecated_at: model.lifecycle === "active" ? null : "2026-07-01T00:00:00Z",
    line: null,
    capabilities: null,
    max_input_tokens: 200_000,
    ...model,
  });
  app.get("/v1/models", (c) => {
    const limit = Number(c.req.query("limit") ?? 20);
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
      return refuse(400, "invalid_request_error", "limit: must be between 1 and 1000");
    const after = c.req.query("after_id");
    const start = after === undefined ? 0 : models.findIndex(({ id }) => id === after) + 1;
    const page = models.slice(start, start + limit);
    return c.json({
      data: page.map(view),
      has_more: start + limit < models.length,
      first_id: page[0]?.id ?? null,
      last_id: page.at(-1)?.id ?? null,
    });
  });
  app.get("/v1/models/:id", (c) => {
    const found = models.find(({ id }) => id === c.req.param("id"));
    if (!found) return refuse(404, "not_found_error", `model: ${c.req.param("id")}`);
    return c.json(view(found));
  });

  function answer(params: MessageParams) {
    const { id: model } = check(params);
    const { tokens, isCut } = speak(lastSaid(params), params.max_tokens);
    const message = {
      id: ids.letters("msg_01", 22),
      type: "message",
      role: "assistant",
      model,
      content: [{ type: "text", text: tokens.join(""), citations: null }],
      container: null,
      stop_details: null,
      stop_reason: isCut ? "max_tokens" : "end_turn",
      stop_sequence: null,
      usage: {
        input_tokens: inputTokens(params),
        output_tokens: tokens.length,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        service_tier: "standard",
      },
    };
    return { message, tokens };
  }

  app.post("/v1/messages", async (c) => {
    const params = await readJson(c, MessageParams);
    const { message, tokens } = answer(params);
    if (!params.stream) return c.json(message);
    const { stop_reason, usage } = message;
    const events = [
      {
        type: "message_start",
        message: {
          ...message,
          content: [],
          stop_reason: null,
          usage: { ...usage, output_tokens: 1 },
        },
      },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "ping" },
      ...tokens.map((text) => ({
        type: "content_block_delta",
        index: 0,
        delta: { type: "text_delta", text },
      })),
      { type: "content_block_stop", index: 0 },
      {
        type: "message_delta",
        delta: { stop_reason, stop_sequence: null },
        usage: { output_tokens: usage.output_tokens },
      },
      { type: "message_stop" },
    ];
    return eventStream(events.map((data) => ({ event: data.type, data })));
  });
  app.post("/v1/messages/count_tokens", async (c) => {
    const params = await readJson(c, CountParams);
    check(params);
    return c.json({ input_tokens: inputTokens(params) });
  });
  const batches = addBatches(app, ids, (params) => answer(params).message);

  /** Standard Webhooks, signed here by hand: the SDK only verifies. */
  async function webhook({
    url,
    credentials: given,
    type = "session.status_idled",
    body,
    now = unixNow(),
  }: WebhookOptions) {
    const id = ids.letters("event_01", 22);
    const object = ids.letters(type.startsWith("session.") ? "sesn_01" : "obj_01", 22);
    const payload = JSON.stringify({
      type: "event",
      id,
      created_at: new Date(now * 1000).toISOString(),
      data: {
        type,
        id: object,
        organization_id: organization,
        workspace_id: credentials.workspace,
      },
      ...(body as object | undefined),
    });
    const key = Buffer.from(String(given["webhookSecret"]).replace(/^whsec_/, ""), "base64");
    const signature = createHmac("sha256", key).update(`${id}.${now}.${payload}`).digest("base64");
    return new Request(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-signature": `v1,${signature}`,
        "webhook-timestamp": String(now),
      },
      body: payload,
    });
  }

  return {
    hosts: ["api.anthropic.com"],
    app,
    credentials,
    webhook,
    faults: {
      rate_limited: (fault) =>
        failureResponse(
          429,
          "rate_limit_error",
          "This request would exceed your organization's rate limit of 50 requests per minute.",
          retryAfter(fault),
        ),
      server_error: () => failureResponse(500, "api_error", "Internal server error"),
      maintenance: () => failureResponse(529, "overloaded_error", "Overloaded"),
      expired_credentials: () => unauthorized("invalid x-api-key"),
      forbidden,
    },
    reset() {
      batches.reset();
      ids.reset();
    },
  };
});

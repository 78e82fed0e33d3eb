import Anthropic, {
  APIConnectionError,
  AuthenticationError,
  InternalServerError,
  NotFoundError,
  OverloadedError,
  PermissionDeniedError,
  RateLimitError,
} from "@anthropic-ai/sdk";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { vendor } from "../handlers/anthropic.ts";
import { runOperation } from "../handlers/api.ts";
import { anthropicExpiredKey, anthropicRestrictedKey, anthropicSpentKey } from "./anthropic.ts";
import { startVendor } from "./server.ts";
import { causeOf, connectVendor, testParity } from "./wire.ts";

const simulator = await startVendor("anthropic");
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const { credentials, webhook } = simulator.simulation("anthropic");
const apiKey = String(credentials["apiKey"]);
const webhookSecret = String(credentials["webhookSecret"]);
const workspace_id = String(credentials["workspace"]);
const client = (key = apiKey) =>
  new Anthropic({ apiKey: key, webhookKey: webhookSecret, fetch: simulator.fetch, maxRetries: 0 });
const sdk = client();
const model = "example-model";
const messages = [{ role: "user" as const, content: "Summarize the visit." }];

describe("the SDK against the simulator", () => {
  test("lists models by page, with what becomes of each", async () => {
    const found: [string, string][] = [];
    for await (const { id, lifecycle } of sdk.models.list({ limit: 2 }))
      found.push([id, lifecycle]);
    expect(found).toEqual([
      [model, "active"],
      ["old-model", "deprecated"],
      ["retired-model", "retired"],
    ]);
  });

  test("refuses another key and one without permission as the SDK's errors", async () => {
    await expect(client("sk-ant-api03-wrong").models.list()).rejects.toBeInstanceOf(
      AuthenticationError,
    );
    const restricted = client(anthropicRestrictedKey);
    await expect(restricted.models.list()).resolves.toBeDefined();
    await expect(
      restricted.messages.create({ model, messages, max_tokens: 20 }),
    ).rejects.toBeInstanceOf(PermissionDeniedError);
  });

  test("tells a used-up contract from a busy minute by its code", async () => {
    await expect(
      client(anthropicSpentKey).messages.create({ model, messages, max_tokens: 20 }),
    ).rejects.toMatchObject({
      constructor: Anthropic.ContractSpendLimitReachedError,
      errorCode: "contract_spend_limit_reached",
    });
    simulator.fault({ vendor: "anthropic", kind: "rate_limited", retryAfter: 2, times: 1 });
    await expect(sdk.models.list()).rejects.toMatchObject({ status: 429, errorCode: null });
  });

  test("wants a version, and knows two", async () => {
    const ask = async (version?: string) => {
      const headers = { authorization: `Bearer ${apiKey}`, "anthropic-version": version ?? "" };
      if (!version) Reflect.deleteProperty(headers, "anthropic-version");
      return (await simulator.fetch("https://api.anthropic.com/v1/models", { headers })).status;
    };
    expect([await ask(), await ask("2024-01-01"), await ask("2023-06-01")]).toEqual([
      400, 400, 200,
    ]);
  });

  test("answers, counts tokens, and stops at the limit", async () => {
    const message = await sdk.messages.create({ model, messages, max_tokens: 100 });
    expect(message).toMatchObject({
      content: [{ type: "text", text: "Simulated reply to: Summarize the visit." }],
      stop_reason: "end_turn",
      usage: { input_tokens: 3, output_tokens: 6 },
    });
    const cut = await sdk.messages.create({ model, messages, max_tokens: 2 });
    expect(cut).toMatchObject({ stop_reason: "max_tokens", usage: { output_tokens: 2 } });
    const counted = await sdk.messages.countTokens({ model, messages, system: "Be brief." });
    expect(counted).toEqual({ input_tokens: 5 });
  });

  test("streams the same text in deltas that the SDK puts together", async () => {
    const stream = sdk.messages.stream({ model, messages, max_tokens: 100 });
    const deltas: string[] = [];
    stream.on("text", (delta) => deltas.push(delta));
    const final = await stream.finalMessage();
    expect(deltas.length).toBeGreaterThan(3);
    expect(final.content).toMatchObject([{ type: "text", text: deltas.join("") }]);
    expect(final).toMatchObject({ stop_reason: "end_turn", usage: { output_tokens: 6 } });
  });

  test("runs a batch whose results the SDK reads, and forgets it", async () => {
    const { id, processing_status } = await sdk.messages.batches.create({
      requests: [{ custom_id: "visit-7", params: { model, messages, max_tokens: 100 } }],
    });
    expect(processing_status).toBe("in_progress");
    const results = [];
    for await (const result of await sdk.messages.batches.results(id)) results.push(result);
    expect(results).toMatchObject([{ custom_id: "visit-7", result: { type: "succeeded" } }]);
    await expect(sdk.messages.batches.delete(id)).resolves.toMatchObject({ id });
    await expect(sdk.messages.batches.retrieve(id)).rejects.toBeInstanceOf(NotFoundError);
  });

  test.each([
    [{ model, messages }, 400, "max_tokens: Field required"],
    [{ model, messages, max_tokens: 5, temperature: 0.2 }, 400, "temperature: Extra inputs"],
    [{ model: "claude-gone", messages, max_tokens: 5 }, 404, "model: claude-gone"],
    [{ model: "retired-model", messages, max_tokens: 5 }, 404, "model: retired-model"],
    [{ model: "old-model", messages, max_tokens: 9000 }, 400, "max_tokens: 9000 > 8192"],
    [{ model, messages: [], max_tokens: 5 }, 400, "messages: "],
  ])("refuses %j with %i", async (params, status, message) => {
    const refused = sdk.messages.create(params as Anthropic.MessageCreateParamsNonStreaming);
    await expect(refused).rejects.toMatchObject({
      status,
      message: expect.stringContaining(message),
    });
  });

  test("signs events that the SDK accepts, and only unaltered", async () => {
    const request = await webhook?.({
      url: "https://edge.example/webhooks/anthropic/1",
      credentials,
      type: "session.status_terminated",
    });
    const body = (await request?.text()) ?? "";
    const headers = Object.fromEntries(request?.headers ?? []);
    expect(sdk.beta.webhooks.unwrap(body, { headers })).toMatchObject({
      type: "event",
      data: { type: "session.status_terminated" },
    });
    const altered = body.replace("terminated", "idled");
    expect(() => sdk.beta.webhooks.unwrap(altered, { headers })).toThrow();
  });

  test.each([
    ["rate_limited", RateLimitError],
    ["server_error", InternalServerError],
    ["maintenance", OverloadedError],
    ["expired_credentials", AuthenticationError],
    ["forbidden", PermissionDeniedError],
    ["reset", APIConnectionError],
  ] as const)("%s is the SDK's own error", async (kind, error) => {
    simulator.fault({ vendor: "anthropic", kind, times: 1 });
    await expect(sdk.models.list()).rejects.toBeInstanceOf(error);
  });
});

const connected = connectVendor(simulator, "anthropic", vendor, { environment: "production" });
const { cause, changed } = connected;
const run = (operation: string, params: unknown, changes = {}) =>
  connected.run(operation, params, changed(changes));

describe("our operations against the simulator", () => {
  test("the test names the organization and says until when the default model is there", async () => {
    expect(await connected.test()).toEqual({
      account: expect.stringMatching(/^Organization 8f3c/),
      checked: ["key accepted, models may be listed", "the default model is available"],
    });
    const { checked } = await connected.test(changed({ defaultModel: "old-model" }));
    expect(checked.at(-1)).toBe("the default model is available until 2027-01-14");
  });

  test("the test fails once the default model is retired or unknown", async () => {
    for (const defaultModel of ["retired-model", "claude-gone"])
      expect(await cause(changed({ defaultModel }))).toBe("not_found");
  });

  test.each(Object.entries(vendor.operations))("%s does what its example asks", async (name, o) => {
    const answer = await run(name, o.example.params);
    if (answer instanceof Response) expect((await answer.text()).length).toBeGreaterThan(20);
    else expect(o.result.safeParse(answer).error).toBeUndefined();
  });

  test("the integration's default serves where a call names no model", async () => {
    const prompt = "Hello";
    await expect(run("generateText", { prompt })).resolves.toMatchObject({ model });
    const none = { defaultModel: "" };
    await expect(run("generateText", { prompt }, none)).rejects.toThrow(/^Choose a model: /);
    expect(await causeOf(run("generateText", { prompt }, none))).toBe("not_configured");
    expect(simulator.requests()).toHaveLength(1);
  });

  test("says why a text ends early", async () => {
    await expect(
      run("generateText", { prompt: "Tell me all", maxOutputTokens: 2 }),
    ).resolves.toMatchObject({ text: "Simulated reply ", incomplete: "max_tokens" });
  });

  test("takes either a prompt or a conversation to stream", async () => {
    await expect(run("streamText", {})).rejects.toMatchObject({ code: "invalid_request" });
    await expect(run("streamText", { prompt: "Hi", messages })).rejects.toMatchObject({
      code: "invalid_request",
    });
    const answer = (await run("streamText", { messages })) as Response;
    expect(await answer.text()).toContain("event: message_stop");
  });

  test("passes a stream on as it comes, and leaves upstream when its reader leaves", async () => {
    const prompt = "word ".repeat(2000);
    const answer = (await run("streamText", { prompt })) as Response;
    expect(answer.headers.get("content-type")).toMatch(/^text\/event-stream/);
    const reader = answer.body?.getReader();
    const first = new TextDecoder().decode((await reader?.read())?.value);
    expect(first).toContain("event: message_start");
    expect(first).not.toContain("message_stop");
    expect(simulator.requests().at(-1)?.left).toBe(false);
    await reader?.cancel();
    await expect.poll(() => simulator.requests().at(-1)?.left).toBe(true);
  });

  test("leaves upstream too when the caller's request is aborted", async () => {
    const caller = new AbortController();
    const answer = (await runOperation({
      ...connected.options(),
      signal: caller.signal,
      operation: "streamText",
      params: { prompt: "word ".repeat(2000) },
    })) as Response;
    const reader = answer.body?.getReader();
    await reader?.read();
    caller.abort();
    await expect(reader?.read()).rejects.toMatchObject({ failure: "timeout" });
    await expect.poll(() => simulator.requests().at(-1)?.left).toBe(true);
  });

  test("an overloaded Anthropic is tried again, then called unavailable", async () => {
    simulator.fault({ vendor: "anthropic", kind: "maintenance", times: 2 });
    await expect(run("generateText", { prompt: "Hello" })).resolves.toMatchObject({ model });
    simulator.fault({ vendor: "anthropic", kind: "maintenance" });
    await expect(run("generateText", { prompt: "Hello" })).rejects.toMatchObject({
      failure: "vendor_unavailable",
      vendorCode: "overloaded_error",
    });
  });

  test("a spend limit is no rate limit", async () => {
    const refused = run("generateText", { prompt: "Hello" }, { apiKey: anthropicSpentKey });
    await expect(refused).rejects.toMatchObject({
      failure: "forbidden",
      vendorCode: "contract_spend_limit_reached",
    });
  });

  test("gives each trouble its own cause", async () => {
    const fault = (kind: "reset" | "rate_limited" | "garbage") => {
      simulator.fault({ vendor: "anthropic", kind, times: 3 });
      return cause().finally(() => simulator.clearFaults());
    };
    expect({
      wrongKey: await cause(changed({ apiKey: "sk-ant-api03-wrong" })),
      missingScope: await causeOf(
        run("generateText", { prompt: "Hi" }, { apiKey: anthropicRestrictedKey }),
      ),
      unreachable: await fault("reset"),
      limited: await fault("rate_limited"),
      garbage: await fault("garbage"),
    }).toEqual({
      wrongKey: "credentials_rejected",
      missingScope: "forbidden",
      unreachable: "vendor_unavailable",
      limited: "rate_limited",
      garbage: "unexpected_reply",
    });
  });

  /** "Malformed, revoked, or expired" are one: platform.claude.com/docs/en/api/errors, 401. */
  test("an expired key is a rejected one, since Anthropic tells no difference", async () => {
    expect(await cause(changed({ apiKey: anthropicExpiredKey }))).toBe("credentials_rejected");
  });

  test("reads the type and the id of a simulated event", async () => {
    const request = await webhook?.({ url: "https://edge.example/w", credentials });
    const body = new Uint8Array(Buffer.from((await request?.text()) ?? ""));
    const headers = request?.headers ?? new Headers();
    const incoming = { method: "POST", url: "https://edge.example/w", headers, body };
    const values = { ...connected.credentials, webhookToken: "" } as never;
    const now = Math.floor(Date.now() / 1000);
    expect(await vendor.webhooks?.verify.verify(incoming, values, now)).toEqual({ ok: true });
    expect(vendor.webhooks?.events(incoming)).toEqual([
      {
        id: headers.get("webhook-id"),
        type: "session.status_idled",
        occurredAt: expect.stringMatching(/^20\d\d-/),
      },
    ]);
  });
});

const conversation = {
  model,
  messages,
  instructions: "Be brief.",
  maxOutputTokens: 50,
  stopSequences: ["END"],
  outputSchema: { type: "object" },
};
const params = {
  model,
  messages,
  workspace_id,
  max_tokens: 50,
  system: "Be brief.",
  stop_sequences: ["END"],
  output_config: { format: { type: "json_schema" as const, schema: { type: "object" } } },
};
const { workspace_id: _, ...inBatch } = params;
const id = "msgbatch_01";

testParity(connected, {
  headers: ["anthropic-version", "anthropic-workspace-id"],
  rows: [
    [
      "generateText",
      { model, prompt: "Hi", instructions: "Be brief.", maxOutputTokens: 50 },
      () =>
        sdk.messages.create({
          model,
          messages: [{ role: "user", content: "Hi" }],
          system: "Be brief.",
          max_tokens: 50,
          workspace_id,
        }),
    ],
    [
      "streamText",
      { model, prompt: "Hi", maxOutputTokens: 50 },
      () =>
        sdk.messages.create({
          model,
          messages: [{ role: "user", content: "Hi" }],
          max_tokens: 50,
          workspace_id,
          stream: true,
        }),
    ],
    ["createMessage", conversation, () => sdk.messages.create(params)],
    ["streamText", conversation, () => sdk.messages.create({ ...params, stream: true })],
    [
      "countTokens",
      { model, messages, instructions: "Be brief." },
      () => sdk.messages.countTokens({ model, messages, system: "Be brief.", workspace_id }),
    ],
    [
      "listModels",
      { limit: 2, cursor: model },
      () => sdk.models.list({ limit: 2, after_id: model, workspace_id }),
    ],
    [
      "createBatch",
      { requests: [{ customId: "visit-1", ...conversation }] },
      () =>
        sdk.messages.batches.create({
          requests: [{ custom_id: "visit-1", params: inBatch }],
          workspace_id,
        }),
    ],
    ["getBatch", { id }, () => sdk.messages.batches.retrieve(id, { workspace_id })],
    [
      "getBatchResults",
      { id },
      () => sdk.messages.batches.results(id, { workspace_id }),
      {
        but: "the SDK first asks the batch where its results are; we go to the documented address",
        ours: (sdks) => sdks.slice(-1),
      },
    ],
    ["deleteBatch", { id }, () => sdk.messages.batches.delete(id, { workspace_id })],
  ],
});

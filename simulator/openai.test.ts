import {
  APIConnectionError,
  AuthenticationError,
  InternalServerError,
  InvalidWebhookSignatureError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  OpenAI,
  toFile,
} from "openai";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { vendor } from "../handlers/openai.ts";
import { openaiRestrictedKey, openaiSpentKey } from "./openai.ts";
import { startSimulator, startVendor } from "./server.ts";
import { connectVendor, testParity } from "./wire.ts";

const simulator = await startVendor("openai");
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const { credentials, webhook } = simulator.simulation("openai");
const apiKey = String(credentials["apiKey"]);
const webhookSecret = String(credentials["webhookSecret"]);
const client = (key = apiKey, more: { organization?: string } = {}) =>
  new OpenAI({
    apiKey: key,
    webhookSecret,
    baseURL: `${simulator.url}/v1`,
    maxRetries: 0,
    ...more,
  });
const openai = client();
const model = "example-model";

describe("authentication", () => {
  test("lists models by page, with the date one shuts down", async () => {
    const ids: string[] = [];
    for await (const { id } of openai.models.list()) ids.push(id);
    expect(ids).toContain(model);
    await expect(openai.models.retrieve("old-model")).resolves.toMatchObject({
      shutdown_date: "2027-01-14",
    });
  });

  test("refuses another key, masked, as the SDK's AuthenticationError", async () => {
    await expect(client("sk-proj-wrong00000000000000001234").models.list()).rejects.toMatchObject({
      constructor: AuthenticationError,
      code: "invalid_api_key",
      message: expect.stringMatching(/ sk-proj-\*{21}1234\. /),
    });
  });

  test("refuses an organization that the key is not of", async () => {
    const elsewhere = client(apiKey, { organization: "org-elsewhere" });
    await expect(elsewhere.models.list()).rejects.toMatchObject({ code: "invalid_organization" });
  });

  test("lets a restricted key generate but not list models", async () => {
    const restricted = client(openaiRestrictedKey);
    await expect(restricted.models.list()).rejects.toBeInstanceOf(PermissionDeniedError);
    await expect(restricted.responses.create({ model, input: "Hi" })).resolves.toMatchObject({
      status: "completed",
    });
  });

  test("tells an account without credit from a busy one", async () => {
    const spent = client(openaiSpentKey).responses.create({ model, input: "Hi" });
    await expect(spent).rejects.toMatchObject({
      constructor: RateLimitError,
      code: "insufficient_quota",
    });
    simulator.fault({ vendor: "openai", kind: "rate_limited", retryAfter: 2, times: 1 });
    const busy = openai.responses.create({ model, input: "Hi" });
    await expect(busy).rejects.toMatchObject({ code: "rate_limit_exceeded" });
  });
});

describe("responses", () => {
  test("answers, counts tokens, and is kept unless told otherwise", async () => {
    const input = "Summarize the visit.";
    const response = await openai.responses.create({ model, input, instructions: "Be brief." });
    expect(response.output_text).toBe("Simulated reply to: Summarize the visit.");
    expect(response.usage).toMatchObject({ input_tokens: 5, output_tokens: 6, total_tokens: 11 });
    await expect(openai.responses.retrieve(response.id)).resolves.toMatchObject({
      id: response.id,
    });
    const unkept = await openai.responses.create({ model, input, store: false });
    await expect(openai.responses.retrieve(unkept.id)).rejects.toBeInstanceOf(NotFoundError);
  });

  test("is incomplete when cut off", async () => {
    const input = "word ".repeat(40);
    const cut = await openai.responses.create({ model, input, max_output_tokens: 16 });
    expect(cut).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      usage: { output_tokens: 16 },
    });
  });

  test("streams the same text in deltas that the SDK puts together", async () => {
    const stream = openai.responses.stream({ model, input: "Summarize the visit." });
    const deltas: string[] = [];
    stream.on("response.output_text.delta", ({ delta }) => deltas.push(delta));
    const final = await stream.finalResponse();
    expect(deltas.length).toBeGreaterThan(3);
    expect(deltas.join("")).toBe(final.output_text);
    expect(final).toMatchObject({ status: "completed", usage: { output_tokens: deltas.length } });
  });

  test("notices that the reader left", async () => {
    const input = "word ".repeat(2000);
    const stream = await openai.responses.create({ model, input, stream: true });
    for await (const event of stream) if (event.type === "response.output_text.delta") break;
    await expect.poll(() => simulator.requests().at(-1)?.left).toBe(true);
  });

  test.each([
    [{ input: "Hi" }, 400, { code: "missing_required_parameter", param: "model" }],
    [{ model, input: "Hi", prompt: 1 }, 400, { code: "unknown_parameter", param: "prompt" }],
    [{ model, input: "Hi", temperature: 3 }, 400, { code: "invalid_value", param: "temperature" }],
    [{ model: "gpt-gone", input: "Hi" }, 404, { code: "model_not_found" }],
    [{ model: "example-embedding", input: "Hi" }, 400, { param: "model" }],
  ])("refuses %j with %i", async (params, status, failure) => {
    const refused = openai.responses.create(
      params as OpenAI.Responses.ResponseCreateParamsNonStreaming,
    );
    await expect(refused).rejects.toMatchObject({ status, ...failure });
  });
});

describe("chat, embeddings and transcription", () => {
  const messages = [{ role: "user" as const, content: "Hello" }];

  test("completes a chat", async () => {
    const { choices, usage } = await openai.chat.completions.create({ model, messages });
    expect(choices[0]).toMatchObject({
      finish_reason: "stop",
      message: { role: "assistant", content: "Simulated reply to: Hello" },
    });
    expect(usage?.total_tokens).toBe(5);
  });

  test("streams a chat with its usage at the end", async () => {
    const stream = await openai.chat.completions.create({
      model,
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let total: number | undefined;
    for await (const { choices, usage } of stream) {
      text += choices[0]?.delta.content ?? "";
      total = usage?.total_tokens;
    }
    expect({ text, total }).toEqual({ text: "Simulated reply to: Hello", total: 5 });
  });

  test("embeds text as unit vectors, the same for the same text", async () => {
    const input = ["cough", "fever", "cough"];
    const embedding = { model: "example-embedding", dimensions: 256 };
    const { data } = await openai.embeddings.create({ ...embedding, input });
    const [cough = [], fever = [], again = []] = data.map((each) => each.embedding);
    expect(cough).toHaveLength(256);
    expect(Math.hypot(...cough)).toBeCloseTo(1, 5);
    expect(again).toEqual(cough);
    expect(fever).not.toEqual(cough);
    const floats = await openai.embeddings.create({
      ...embedding,
      input,
      encoding_format: "float",
    });
    expect(floats.data[1]?.embedding[0]).toBeCloseTo(fever[0] ?? 0, 6);
  });

  test("transcribes an audio file and refuses another", async () => {
    const transcribe = async (name: string) =>
      openai.audio.transcriptions.create({
        model: "example-transcriber",
        file: await toFile(Buffer.alloc(2048), name),
      });
    await expect(transcribe("visit.wav")).resolves.toMatchObject({
      text: "Simulated transcript of 2048 bytes.",
    });
    await expect(transcribe("visit.pdf")).rejects.toMatchObject({ status: 400, param: "file" });
  });
});

describe("webhooks and faults", () => {
  test("signs events that the SDK's verifier accepts, and only unaltered", async () => {
    const request = await webhook?.({
      url: "https://edge.example/webhooks/openai/1",
      credentials,
      type: "batch.completed",
    });
    const body = (await request?.text()) ?? "";
    const headers = request?.headers ?? new Headers();
    await expect(openai.webhooks.unwrap(body, headers)).resolves.toMatchObject({
      type: "batch.completed",
      data: { id: expect.stringMatching(/^batch_/) },
    });
    const altered = body.replace("batch.completed", "batch.cancelled");
    await expect(openai.webhooks.unwrap(altered, headers)).rejects.toBeInstanceOf(
      InvalidWebhookSignatureError,
    );
  });

  test.each([
    ["rate_limited", RateLimitError],
    ["server_error", InternalServerError],
    ["maintenance", InternalServerError],
    ["expired_credentials", AuthenticationError],
    ["forbidden", PermissionDeniedError],
    ["reset", APIConnectionError],
  ] as const)("%s is the SDK's own error", async (kind, error) => {
    simulator.fault({ vendor: "openai", kind, times: 1 });
    await expect(openai.models.list()).rejects.toBeInstanceOf(error);
  });
});

const wire = await startSimulator({ vendors: ["openai"] });
afterAll(() => wire.close());
const sdk = new OpenAI({
  apiKey,
  organization: String(credentials["organization"]),
  project: String(credentials["project"]),
  fetch: wire.fetch,
  maxRetries: 0,
});
const input = "How should a patient prepare for a lipid panel?";
const asked = { model, input, instructions: "Be brief.", max_output_tokens: 50, store: false };
const text = { model, prompt: input, instructions: "Be brief.", maxOutputTokens: 50 };
const recording = Buffer.alloc(300, 0xf7);
const audio = recording.toString("base64");

const region = { values: { ...credentials, region: "api" } };
testParity(connectVendor(wire, "openai", vendor, region), {
  headers: ["openai-organization", "openai-project", "idempotency-key"],
  rows: [
    ["test", {}, () => sdk.models.list()],
    ["generateText", text, () => sdk.responses.create(asked)],
    ["generateText", { prompt: input }, () => sdk.responses.create({ model, input, store: false })],
    ["streamText", text, () => sdk.responses.create({ ...asked, stream: true })],
    [
      "embedTexts",
      { model: "example-embedding", texts: ["cough", "fever"], dimensions: 256 },
      () =>
        sdk.embeddings.create({
          model: "example-embedding",
          input: ["cough", "fever"],
          dimensions: 256,
          encoding_format: "float",
        }),
    ],
    [
      "transcribeAudio",
      {
        model: "example-transcriber",
        audio,
        fileName: "visit.mp3",
        language: "en",
        prompt: "Metoprolol, Zoë",
      },
      async () =>
        sdk.audio.transcriptions.create({
          model: "example-transcriber",
          file: await toFile(recording, "visit.mp3"),
          response_format: "json",
          language: "en",
          prompt: "Metoprolol, Zoë",
        }),
    ],
    [
      "moderateText",
      { text: "I cannot go on.", model: "example-moderation" },
      () => sdk.moderations.create({ input: "I cannot go on.", model: "example-moderation" }),
    ],
    ["listModels", {}, () => sdk.models.list()],
  ],
});

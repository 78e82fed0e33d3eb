import { type Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import * as z from "zod";

import {
  bearerToken,
  defineSimulation,
  idSequence,
  isSame,
  retryAfter,
  type WebhookOptions,
} from "./define.ts";

const credentials = {
  apiKey: "0000000000000000000000000000000000000000",
  region: "api",
  modelImprovement: false,
  defaultModel: "example-speech",
  defaultVoice: "example-voice",
};
/** Of the scope usage:write alone: it may transcribe and speak, and see no project. */
export const deepgramUsageKey = "1111111111111111111111111111111111111111";
/** Past its expiration date: Deepgram says of it what it says of a wrong key. */
export const deepgramExpiredKey = "2222222222222222222222222222222222222222";
/** Its project has no credit left. */
export const deepgramSpentKey = "3333333333333333333333333333333333333333";

const project = "12345678-90ab-cdef-1234-567890abcdef";
const keyId = "4f0c1b7e-0000-4000-8000-000000000001";
const exampleId = "a3f1c9d2-4b7e-4f9a-8c3d-2e5f7b9a1c0d";
const speechModels = ["example-speech", "example-medical"];
const voices = ["example-voice"];

/** Deepgram has two shapes of errors; which one depends on the part of it that answers. */
const failureResponse = (status: number, err_code: string, err_msg: string, headers = {}) =>
  Response.json({ err_code, err_msg, request_id: crypto.randomUUID() }, { status, headers });
const manageFailure = (status: number, category: string, message: string) =>
  Response.json(
    { category, message, details: message, request_id: crypto.randomUUID() },
    { status },
  );
const refuse = (response: Response): never => {
  throw new HTTPException(response.status as 400, { res: response });
};
const badRequest = (message: string) => refuse(failureResponse(400, "Bad Request", message));
const unauthorized = () => failureResponse(401, "INVALID_AUTH", "Invalid credentials.");
const unscoped = (status: 401 | 403) =>
  manageFailure(
    status,
    "INSUFFICIENT_PERMISSIONS",
    "Your account does not have the required scope to perform that action for this project.",
  );

const flag = z.enum(["true", "false"]).optional();
const Callback = {
  callback: z.url({ protocol: /^https?$/ }).optional(),
  callback_method: z.enum(["POST", "PUT"]).optional(),
};
const ListenQuery = z.strictObject({
  ...Callback,
  detect_language: flag,
  diarize: flag,
  dictation: flag,
  keyterm: z.string().optional(),
  language: z.string().optional(),
  mip_opt_out: flag,
  model: z.string().optional(),
  punctuate: flag,
  redact: z.string().optional(),
  smart_format: flag,
  utterances: flag,
});
const SpeakQuery = z.strictObject({
  ...Callback,
  encoding: z.enum(["mp3", "linear16", "mulaw", "alaw", "opus", "flac", "aac"]).optional(),
  mip_opt_out: flag,
  model: z.string().optional(),
});

type Logged = { created: string; path: string; code: number; callback?: string };
const seeded = (): [string, Logged][] => [
  [exampleId, { created: "2026-11-23T09:00:00.000Z", path: "/v1/listen", code: 200 }],
];

export const simulation = defineSimulation(() => {
  const ids = idSequence("deepgram");
  const requests = new Map(seeded());
  const tokens = new Set<string>();
  const app = new Hono();

  const keyOf = (c: Context) =>
    /^token ([\w]+)$/i.exec(c.req.header("authorization") ?? "")?.[1] ?? "";
  const is = (c: Context, key: string) => isSame(key, keyOf(c));
  app.use("*", async (c, next) => {
    const known = [credentials.apiKey, deepgramUsageKey, deepgramSpentKey];
    const isVoice = /^\/v1\/(listen|speak)$/.test(c.req.path);
    const isGranted = isVoice && tokens.has(bearerToken(c.req.raw) ?? "");
    if (!isGranted && !known.some((key) => is(c, key))) return unauthorized();
    if (isVoice && is(c, deepgramSpentKey))
      return failureResponse(
        402,
        "ASR_PAYMENT_REQUIRED",
        "Project does not have enough credits for an ASR request and does not have an overage agreement.",
      );
    if (c.req.path.startsWith("/v1/projects") && is(c, deepgramUsageKey)) return unscoped(401);
    return next();
  });
  app.onError((error) =>
    error instanceof HTTPException
      ? error.getResponse()
      : failureResponse(500, "INTERNAL_SERVER_ERROR", "Internal server error"),
  );
  app.notFound(() => manageFailure(404, "NOT_FOUND", "Not found"));

  app.get("/v1/projects", (c) =>
    c.json({ projects: [{ project_id: project, name: "Simulated Clinic" }] }),
  );
  app.use("/v1/projects/:project/*", async (c, next) =>
    c.req.param("project") === project
      ? next()
      : manageFailure(404, "PROJECT_NOT_FOUND", "Project not found."),
  );
  app.get("/v1/projects/:project/keys", (c) =>
    c.json({
      api_keys: [
        {
          member: { member_id: ids.uuid(), email: "admin@clinic.example" },
          api_key: {
            api_key_id: keyId,
            comment: "EHRConnect",
            scopes: ["member"],
            created: "2026-11-01T00:00:00Z",
          },
        },
      ],
    }),
  );
  app.get("/v1/projects/:project/requests/:id", (c) => {
    const request_id = c.req.param("id");
    const found = requests.get(request_id);
    if (!found) return manageFailure(404, "NOT_FOUND", "Request not found.");
    const request = { request_id, project_uuid: project, api_key_id: keyId, ...found };
    return c.json({ request });
  });

  app.get("/v1/models", (c) => {
    const model = (name: string) => ({
      name,
      canonical_name: name,
      architecture: "example",
      languages: ["en"],
      version: "2026-11-01.0",
      uuid: ids.uuid(),
    });
    const stt = speechModels.map((name) => ({ ...model(name), batch: true, streaming: true }));
    return c.json({ stt, tts: voices.map(model) });
  });

  function queryOf<T extends z.ZodType>(c: Context, schema: T): z.output<T> {
    const parsed = schema.safeParse(c.req.query());
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const name = issue?.code === "unrecognized_keys" ? issue.keys[0] : issue?.path.join(".");
    return badRequest(`Failed to deserialize query parameters: ${name}: ${issue?.message}`);
  }
  const log = (path: string, callback: string | undefined) => {
    const id = ids.uuid();
    const created = new Date().toISOString();
    requests.set(id, { created, path, code: 200, ...(callback !== undefined && { callback }) });
    return id;
  };

  function heard(request_id: string, said: string, isDiarized = false, hasUtterances = false) {
    const words = said.split(" ").map((word, index) => ({
      word: word.toLowerCase(),
      punctuated_word: word,
      start: index / 2,
      end: index / 2 + 0.4,
      confidence: 0.99,
      ...(isDiarized && { speaker: 0 }),
    }));
    const end = words.length / 2;
    const speaker = isDiarized ? { speaker: 0 } : {};
    const utterance = { start: 0, end, confidence: 0.99, channel: 0, transcript: said, words };
    return {
      metadata: {
        transaction_key: "deprecated",
        request_id,
        sha256: "0".repeat(64),
        created: new Date().toISOString(),
        duration: end,
        channels: 1,
        models: [],
        model_info: {},
      },
      results: {
        channels: [{ alternatives: [{ transcript: said, confidence: 0.99, words }] }],
        ...(hasUtterances && { utterances: [{ ...utterance, ...speaker, id: ids.uuid() }] }),
      },
    };
  }

  app.post("/v1/listen", async (c) => {
    const query = queryOf(c, ListenQuery);
    if (!speechModels.includes(query.model ?? "example-speech"))
      return badRequest("Bad Request: No such model/language/tier combination found.");
    let source: string;
    if (c.req.header("content-type")?.startsWith("application/json")) {
      const Body = z.object({ url: z.url({ protocol: /^https?$/ }) });
      const body = Body.safeParse(await c.req.json().catch(() => undefined));
      if (!body.success)
        return badRequest(
          "Content-type was application/json, but we could not process the JSON payload.",
        );
      source = new URL(body.data.url).pathname.split("/").at(-1) ?? "";
    } else {
      const { byteLength } = await c.req.arrayBuffer();
      if (byteLength === 0)
        return badRequest("Bad Request: failed to process audio: corrupt or unsupported data");
      source = `${byteLength} bytes`;
    }
    const request_id = log("/v1/listen", query.callback);
    if (query.callback !== undefined) return c.json({ request_id });
    const said = `Simulated transcript of ${source}.`;
    return c.json(heard(request_id, said, query.diarize === "true", query.utterances === "true"));
  });

  app.post("/v1/speak", async (c) => {
    const query = queryOf(c, SpeakQuery);
    if (!voices.includes(query.model ?? "example-voice"))
      return badRequest("No such model/version combination found.");
    const body = z
      .object({ text: z.string() })
      .safeParse(await c.req.json().catch(() => undefined));
    if (!body.success || body.data.text.trim() === "")
      return badRequest("Input text contains no characters.");
    const sound = new TextEncoder().encode(`ID3 ${body.data.text} `);
    let left = 50;
    const stream = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        controller.enqueue(sound);
        left -= 1;
        if (left === 0) controller.close();
      },
    });
    return c.body(stream, 200, {
      "content-type": "audio/mpeg",
      "dg-request-id": log("/v1/speak", query.callback),
    });
  });

  app.post("/v1/auth/grant", async (c) => {
    if (is(c, deepgramUsageKey)) return unscoped(403);
    const Body = z.strictObject({ ttl_seconds: z.number().min(1).max(3600).optional() });
    const body = Body.safeParse(await c.req.json().catch(() => ({})));
    if (!body.success) return badRequest("Invalid time to live");
    const token = `${ids.letters("eyJ", 24)}.${ids.letters("", 30)}.${ids.letters("", 30)}`;
    tokens.add(token);
    return c.json({ access_token: token, expires_in: body.data.ttl_seconds ?? 30 });
  });

  /** Of a request that was made; of the one that `metadata.request_id` names, where the body does. */
  async function webhook({ url, type = "transcription.completed", body }: WebhookOptions) {
    const named = (body as { metadata?: { request_id?: string } } | undefined)?.metadata;
    const id = named?.request_id ?? log("/v1/listen", url);
    const failed = { err_code: "Bad Request", err_msg: "corrupt data", request_id: id };
    const { metadata, results } = heard(id, "Simulated transcript.");
    const payload =
      type === "transcription.failed"
        ? { ...failed, ...(body as object | undefined) }
        : { metadata: { ...metadata, ...named }, results };
    return new Request(url, {
      method: "POST",
      headers: { "content-type": "application/json", "dg-token": keyId },
      body: JSON.stringify(payload),
    });
  }

  return {
    hosts: ["api", "api.eu", "api.au", "api.in"].map((region) => `${region}.deepgram.com`),
    app,
    credentials,
    webhook,
    faults: {
      rate_limited: (fault) =>
        failureResponse(
          429,
          "TOO_MANY_REQUESTS",
          "Too many requests. Please try again later",
          retryAfter(fault),
        ),
      server_error: () => failureResponse(500, "INTERNAL_SERVER_ERROR", "Internal server error"),
      expired_credentials: unauthorized,
      forbidden: () => unscoped(403),
    },
    reset() {
      requests.clear();
      for (const [id, request] of seeded()) requests.set(id, request);
      tokens.clear();
      ids.reset();
    },
  };
});

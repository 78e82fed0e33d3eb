import { type Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import * as z from "zod";

import { defineSimulation, idSequence, isSame, retryAfter, type WebhookOptions } from "./define.ts";

const credentials = {
  apiKey: "00000000000000000000000000000000",
  region: "api",
  defaultModel: "example-speech",
  webhookSecret: "example-webhook-secret-0123456789",
};
/** Of another project of the same account: it sees no recording that this one uploaded. */
export const assemblyaiOtherKey = "11111111111111111111111111111111";
/** Its account has run out of credit. */
export const assemblyaiSpentKey = "22222222222222222222222222222222";

const models = ["example-speech", "example-medical"];

const failureResponse = (status: number, error: string, headers = {}) =>
  Response.json({ error }, { status, headers });
const refuse = (status: number, error: string): never => {
  throw new HTTPException(status as 400, { res: failureResponse(status, error) });
};
const unauthorized = () => failureResponse(401, "Authentication error, API token missing/invalid");

const Words = z.array(z.string()).optional();
const Params = z.strictObject({
  audio_url: z.url({ protocol: /^https?$/ }),
  speech_models: z.array(z.string()).min(1),
  domain: z.string().nullish(),
  format_text: z.boolean().optional(),
  keyterms_prompt: Words,
  language_code: z.string().nullish(),
  language_detection: z.boolean().optional(),
  punctuate: z.boolean().optional(),
  redact_pii: z.boolean().optional(),
  redact_pii_policies: Words,
  redact_pii_sub: z.enum(["entity_name", "hash"]).nullish(),
  speaker_labels: z.boolean().optional(),
  speakers_expected: z.number().int().nullish(),
  webhook_auth_header_name: z.string().nullish(),
  webhook_auth_header_value: z.string().nullish(),
  webhook_url: z.url().optional(),
});
type Status = "queued" | "processing" | "completed" | "error";
type Transcript = {
  id: string;
  params: z.output<typeof Params>;
  status: Status;
  text: string;
  created: string;
  isDeleted: boolean;
};

const uploadHost = "cdn.assemblyai.com";
const exampleId = "9ea68fd3-f953-42c1-9742-976c447fb463";

function seeded(): [string, Transcript][] {
  const params = {
    audio_url: `https://${uploadHost}/upload/seeded`,
    speech_models: ["example-speech"],
    language_code: "en",
    speaker_labels: true,
  };
  const text = "Any allergies? Penicillin.";
  const created = "2026-11-23T09:00:00.000000";
  const status = "completed";
  return [[exampleId, { id: exampleId, params, status, text, created, isDeleted: false }]];
}

function view({ id, params, status, text, isDeleted }: Transcript) {
  const done = status === "completed";
  const said = isDeleted ? "Deleted by user." : text;
  const utterance = {
    speaker: "A",
    text: said,
    start: 250,
    end: 1100,
    confidence: 0.97,
    words: [],
  };
  return {
    ...params,
    webhook_auth_header_value: undefined,
    webhook_auth: Boolean(params.webhook_auth_header_name),
    id,
    status,
    speech_model: null,
    speech_model_used: done ? params.speech_models[0] : null,
    language_code: params.language_code ?? (done ? "en" : null),
    text: done ? said : null,
    error: status === "error" ? "Transcoding failed. File does not appear to contain audio." : null,
    audio_duration: done ? 3 : null,
    utterances: done && params.speaker_labels ? [utterance] : null,
  };
}

export const simulation = defineSimulation(() => {
  const ids = idSequence("assemblyai");
  const uploads = new Map<string, { key: string; size: number }>();
  const transcripts = new Map(seeded());
  const app = new Hono();
  const keyOf = (c: Context) => c.req.header("authorization") ?? "";

  app.use("*", async (c, next) => {
    const known = [credentials.apiKey, assemblyaiOtherKey, assemblyaiSpentKey];
    if (!known.some((key) => isSame(key, keyOf(c)))) return unauthorized();
    return next();
  });
  app.onError((error) =>
    error instanceof HTTPException
      ? error.getResponse()
      : failureResponse(500, "Internal Server Error"),
  );
  app.notFound(() => failureResponse(404, "Not found"));

  app.post("/v2/upload", async (c) => {
    if (c.req.header("content-type") !== "application/octet-stream")
      return refuse(400, "Content-Type must be application/octet-stream");
    const { byteLength: size } = await c.req.arrayBuffer();
    if (size === 0) return refuse(400, "Upload failed, please try again");
    const url = `https://${uploadHost}/upload/${ids.uuid()}`;
    uploads.set(url, { key: keyOf(c), size });
    return c.json({ upload_url: url });
  });

  function add(params: z.output<typeof Params>, text: string): Transcript {
    const id = ids.uuid();
    const created = new Date().toISOString().replace("Z", "000");
    const transcript: Transcript = {
      id,
      params,
      status: "queued",
      text,
      created,
      isDeleted: false,
    };
    transcripts.set(id, transcript);
    return transcript;
  }
  app.post("/v2/transcript", async (c) => {
    const parsed = Params.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const name =
        issue?.code === "unrecognized_keys" ? issue.keys[0] : (issue?.path ?? []).join(".");
      return name === "speech_models"
        ? refuse(400, '"speech_models" must be a non-empty list')
        : refuse(400, `Invalid endpoint schema, please refer to documentation: ${name}`);
    }
    const params = parsed.data;
    if (isSame(assemblyaiSpentKey, keyOf(c)))
      return refuse(
        400,
        "Your current account balance is negative. Please top up to continue using the API.",
      );
    const unknown = params.speech_models.find((model) => !models.includes(model));
    if (unknown) return refuse(400, `"speech_models" contains an unknown model: ${unknown}`);
    const { host, pathname } = new URL(params.audio_url);
    const upload = uploads.get(params.audio_url);
    if (host === uploadHost && upload?.key !== keyOf(c))
      return refuse(403, "Cannot access uploaded file");
    const source = upload ? `${upload.size} bytes` : pathname.split("/").at(-1);
    return c.json(view(add(params, `Simulated transcript of ${source}.`)));
  });

  const find = (c: Context) =>
    transcripts.get(c.req.param("id") ?? "") ??
    refuse(400, "Transcript lookup error, transcript id not found");
  /** Two looks away from its end: what is queued is being processed, and then it is done. */
  function advance(transcript: Transcript) {
    if (transcript.status === "queued") transcript.status = "processing";
    else if (transcript.status === "processing")
      transcript.status = transcript.params.audio_url.endsWith(".txt") ? "error" : "completed";
  }
  app.get("/v2/transcript", (c) => {
    const { limit = "10", status, before_id } = c.req.query();
    if (!/^[1-9]\d{0,2}$/.test(limit) || Number(limit) > 200)
      return refuse(400, "'limit' must be between 1 and 200");
    const newest = [...transcripts.values()].toReversed();
    const older = newest.slice(newest.findIndex(({ id }) => id === before_id) + 1);
    const matching = older.filter((each) => status === undefined || each.status === status);
    const page = matching.slice(0, Number(limit));
    const self = `https://api.assemblyai.com/v2/transcript?limit=${limit}`;
    const last = page.at(-1)?.id;
    return c.json({
      page_details: {
        limit: Number(limit),
        result_count: page.length,
        current_url: self,
        prev_url: matching.length > page.length ? `${self}&before_id=${last}` : null,
        next_url: null,
      },
      transcripts: page.map((each) => ({
        id: each.id,
        resource_url: `https://api.assemblyai.com/v2/transcript/${each.id}`,
        status: each.status,
        created: each.created,
        completed: each.status === "completed" ? each.created : null,
        audio_url: each.params.audio_url,
        error: null,
      })),
    });
  });
  app.get("/v2/transcript/:id", (c) => {
    const transcript = find(c);
    advance(transcript);
    return c.json(view(transcript));
  });
  app.get("/v2/transcript/:id/:format{srt|vtt}", (c) => {
    const { status, text } = find(c);
    if (status !== "completed") return refuse(400, "This transcript is not completed");
    return c.text(
      c.req.param("format") === "vtt"
        ? `WEBVTT\n\n00:00.250 --> 00:01.100\n${text}\n`
        : `1\n00:00:00,250 --> 00:00:01,100\n${text}\n`,
    );
  });
  app.delete("/v2/transcript/:id", (c) => {
    const transcript = find(c);
    transcript.isDeleted = true;
    return c.json(view(transcript));
  });

  /** With `transcript_id` in the body, of that one and with the header that it was submitted with. */
  async function webhook({
    url,
    credentials: given,
    type = "transcript.completed",
    body,
  }: WebhookOptions) {
    const status = type === "transcript.error" ? "error" : "completed";
    const named = (body as { transcript_id?: string } | undefined)?.transcript_id;
    const params = {
      audio_url: "https://example.com/visit.mp3",
      speech_models: ["example-speech"],
      webhook_auth_header_name: given["webhookSecret"] ? "X-Webhook-Secret" : null,
      webhook_auth_header_value: given["webhookSecret"] ? String(given["webhookSecret"]) : null,
    };
    const transcript =
      (named !== undefined && transcripts.get(named)) || add(params, "Simulated transcript.");
    transcript.status = status;
    const { webhook_auth_header_name: name, webhook_auth_header_value: value } = transcript.params;
    return new Request(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(name && value && { [name]: value }) },
      body: JSON.stringify({ transcript_id: transcript.id, status, ...(body as object) }),
    });
  }

  return {
    hosts: ["api.assemblyai.com", "api.eu.assemblyai.com"],
    app,
    credentials,
    webhook,
    faults: {
      rate_limited: (fault) => failureResponse(429, "Too Many Requests", retryAfter(fault)),
      server_error: () => failureResponse(500, "Internal Server Error"),
      expired_credentials: unauthorized,
      forbidden: () => failureResponse(403, "Cannot access uploaded file"),
    },
    reset() {
      uploads.clear();
      transcripts.clear();
      for (const [id, transcript] of seeded()) transcripts.set(id, transcript);
      ids.reset();
    },
  };
});

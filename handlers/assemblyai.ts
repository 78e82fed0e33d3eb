import { base64ToUint8Array } from "uint8array-extras";
import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import type { Api } from "./api.ts";
import { chooseModel, Model, oneRecording, Recording, recording } from "./capabilities.ts";
import { defineVendor, operation, type WebhookEvent } from "./define.ts";
import { unlessNotFound } from "./failure.ts";
import { mask, password, select, type Step, text, type Values } from "./fields.ts";
import { header, type Incoming, jsonOf, sharedSecret } from "./signature.ts";

const regions = { api: "United States", "api.eu": "European Union" } as const;

const steps = [
  {
    id: "credentials",
    title: "API key",
    fields: {
      apiKey: password({
        label: "API key",
        help: "AssemblyAI dashboard, API Keys. Uploaded recordings can be read only by keys of the same project. Sign a BAA with AssemblyAI before you send health information.",
        helpUrl: "https://www.assemblyai.com/dashboard/api-keys",
        pattern: "^[A-Za-z0-9_-]{16,}$",
        message: "An API key is letters and digits, without “Bearer”",
        example: "00000000000000000000000000000000",
      }),
      region: select({
        label: "Region",
        help: "Where recordings are processed and kept. A transcript is only where it was made.",
        helpUrl: "https://www.assemblyai.com/docs/deployment/cloud-endpoints-and-data-residency",
        options: [
          { value: "api", label: regions.api },
          { value: "api.eu", label: regions["api.eu"] },
        ],
        default: "api",
        example: "api",
      }),
    },
  },
  {
    id: "models",
    title: "Speech model",
    fields: {
      defaultModel: text({
        label: "Default model",
        required: false,
        help: "Used when a call names no model. AssemblyAI has no default of its own; the current ids are in its guide “Select the speech model”.",
        helpUrl: "https://www.assemblyai.com/docs/pre-recorded-audio/select-the-speech-model",
        pattern: "^[A-Za-z0-9._-]{2,128}$",
        message: "A model id holds letters, digits and . _ - only",
        example: "example-speech",
      }),
    },
  },
  {
    id: "webhooks",
    title: "Webhooks",
    fields: {
      webhookSecret: password({
        label: "Webhook secret",
        required: false,
        help: "Any long random text, made up by you. It goes with each transcription as the value of the header X-Webhook-Secret, and a webhook without it is then refused.",
        helpUrl: "https://www.assemblyai.com/docs/deployment/webhooks-for-pre-recorded-audio",
        pattern: "^[\\x21-\\x2b\\x2d-\\x7e]{16,}$",
        message: "Use at least 16 characters without spaces and commas",
        max: 200,
        example: "example-webhook-secret-0123456789",
      }),
    },
  },
] as const satisfies readonly Step[];

type Config = Values<typeof steps>;

const secretHeader = "X-Webhook-Secret";

const Words = z.array(z.string().min(1).max(100)).max(1000);
const Job = z
  .object({
    ...recording,
    model: Model.optional(),
    /** Serves languages that the first model does not know. */
    fallbackModel: Model.optional(),
    /** As AssemblyAI lists them: `es`, `haw`, `en_us`. It finds out where it is left out. */
    language: z
      .string()
      .regex(/^[a-z]{2,3}(_[a-z]{2})?$/, "Use a code such as en or en_us")
      .optional(),
    /** Says who speaks when. */
    speakerLabels: z.boolean().optional(),
    speakersExpected: z.number().int().min(1).max(30).optional(),
    /** Names of drugs, people, places. */
    keyterms: Words.optional(),
    /** What to blank out, such as `person_name` or `date_of_birth`. */
    redact: Words.optional(),
    /** An add-on vocabulary, such as AssemblyAI's Medical Mode. */
    domain: z.string().max(64).optional(),
    /** This integration's webhook address, to be told when it is done. */
    webhookUrl: z
      .url({ protocol: /^https$/ })
      .max(2000)
      .optional(),
  })
  .refine(...oneRecording);

function jobOf(params: z.output<typeof Job>, values: Config) {
  const { model, fallbackModel, language, redact, webhookUrl } = params;
  const models = [chooseModel(model, values.defaultModel), fallbackModel];
  return {
    speech_models: models.filter((each) => each !== undefined),
    ...(language ? { language_code: language } : { language_detection: true }),
    speaker_labels: params.speakerLabels,
    speakers_expected: params.speakersExpected,
    keyterms_prompt: params.keyterms,
    ...(redact && { redact_pii: true, redact_pii_policies: redact }),
    domain: params.domain,
    webhook_url: webhookUrl,
    ...(webhookUrl &&
      values.webhookSecret && {
        webhook_auth_header_name: secretHeader,
        webhook_auth_header_value: values.webhookSecret,
      }),
  };
}

const slow = { timeoutMs: 120_000 };

async function upload(api: Api, audio: string) {
  const { upload_url } = await api.post("/v2/upload", z.object({ upload_url: z.string() }), {
    body: base64ToUint8Array(audio),
    headers: { "content-type": "application/octet-stream" },
    ...slow,
  });
  return upload_url;
}

const TranscriptReply = z.object({
  id: z.string(),
  status: z.string(),
  text: z.string().nullish(),
  error: z.string().nullish(),
  language_code: z.string().nullish(),
  audio_duration: z.number().nullish(),
  speech_model_used: z.string().nullish(),
  utterances: z
    .array(
      z.object({
        speaker: z.string().nullish(),
        text: z.string(),
        start: z.number(),
        end: z.number(),
      }),
    )
    .nullish(),
});
const Transcript = z.object({
  id: z.string(),
  status: z.enum(["completed", "processing", "failed"]),
  text: z.string().optional(),
  /** Why it failed, in AssemblyAI's words. */
  error: z.string().optional(),
  language: z.string().optional(),
  durationSeconds: z.number().optional(),
  model: z.string().optional(),
  utterances: z
    .array(
      z.object({
        speaker: z.string().optional(),
        text: z.string(),
        startMs: z.number(),
        endMs: z.number(),
      }),
    )
    .optional(),
});
const path = "/v2/transcript/{id}";
const Id = z.object({ id: z.string().min(1).max(128) });

const statusOf = (status: string): "completed" | "processing" | "failed" =>
  status === "completed" ? "completed" : status === "error" ? "failed" : "processing";
const transcriptOf = (reply: z.output<typeof TranscriptReply>): z.input<typeof Transcript> => ({
  id: reply.id,
  status: statusOf(reply.status),
  text: reply.text ?? undefined,
  error: reply.error ?? undefined,
  language: reply.language_code ?? undefined,
  durationSeconds: reply.audio_duration ?? undefined,
  model: reply.speech_model_used ?? undefined,
  utterances: reply.utterances?.map(({ speaker, text: said, start, end }) => ({
    speaker: speaker ?? undefined,
    text: said,
    startMs: start,
    endMs: end,
  })),
});

const Notice = z.object({ transcript_id: z.string().min(1), status: z.string() });
function readEvents(incoming: Incoming): WebhookEvent[] {
  const { success, data: notice } = Notice.safeParse(jsonOf(incoming));
  if (!success) return [{ type: "other" }];
  // The same transcript may fail, be run again and complete.
  const { transcript_id: id, status } = notice;
  return [{ id: `${id}:${status}`, type: `transcript.${status}` }];
}

const exampleId = "9ea68fd3-f953-42c1-9742-976c447fb463";
const exampleUpload = "https://cdn.assemblyai.com/upload/f756988d-47e2-4ca3-96ce-04bb168f8f2a";
const exampleDone = {
  id: exampleId,
  status: "completed",
  text: "Any allergies? Penicillin.",
  error: null,
  language_code: "en",
  audio_duration: 3,
  speech_model_used: "example-speech",
  utterances: [
    { speaker: "A", text: "Any allergies?", start: 250, end: 1100, words: [] },
    { speaker: "B", text: "Penicillin.", start: 1400, end: 2300, words: [] },
  ],
};

export const vendor = defineVendor({
  name: "AssemblyAI",
  category: "ai",
  description: "Transcripts of visits and calls: who spoke, in which language, with names removed.",
  website: "https://www.assemblyai.com",
  documentation: "https://www.assemblyai.com/docs",
  keywords: ["speech", "transcription", "dictation", "scribe", "diarization", "redaction"],
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://{region}.assemblyai.com" },
    production: { baseUrl: "https://{region}.assemblyai.com" },
  },
  steps,
  auth: ({ apiKey }) => ({ kind: "header", headers: { Authorization: apiKey } }),
  failure({ status, body }) {
    const { success, data } = z.object({ error: z.string() }).safeParse(body);
    if (!success) return undefined;
    if (status === 400 && /account balance/i.test(data.error))
      return { cause: "forbidden", message: "The AssemblyAI account has no credit left" };
    if (status === 400 && /transcript id not found/i.test(data.error))
      return { cause: "not_found", message: "AssemblyAI has no such transcript" };
    if (status === 403)
      return { message: "The key may not do this; a recording may be another project's" };
    return undefined;
  },
  async test(api, { apiKey, region }) {
    const page = z.object({ transcripts: z.array(z.unknown()) });
    await api.get("/v2/transcript", page, { query: { limit: 1 } });
    // AssemblyAI has no call that names the account, and none that lists speech models.
    return {
      account: `Key ${mask(apiKey)}, ${regions[region]}`,
      checked: ["key accepted, transcripts may be listed"],
    };
  },
  operations: {
    transcribeAudio: operation({
      title: "Transcribe speech",
      description:
        "Answers at once with an id: read the transcript by it, or wait for the webhook.",
      effect: "read",
      idempotent: true,
      capability: "ai.audio.transcribe",
      params: Job,
      result: z.object({
        status: z.enum(["completed", "processing"]),
        id: z.string(),
        text: z.string().optional(),
      }),
      example: {
        params: { model: "example-speech", audio: "SUQzBAAAAAAAAA==", speakerLabels: true },
        wire: [
          { request: "POST /v2/upload", reply: { upload_url: exampleUpload } },
          {
            request: "POST /v2/transcript",
            reply: { id: exampleId, status: "queued", text: null, error: null, utterances: null },
          },
        ],
        result: { status: "processing", id: exampleId },
      },
      async run(api, params, values: Config) {
        // Before anything is sent: a recording without a model is not to lie around there.
        const job = jobOf(params, values);
        const { audio, url } = params;
        const audio_url = audio === undefined ? url : await upload(api, audio);
        const json = { audio_url, ...job };
        const reply = await api.post("/v2/transcript", TranscriptReply, { json });
        const { id, status, text: said } = transcriptOf(reply);
        if (status === "failed")
          throw new VendorFailure("invalid_request", "AssemblyAI could not take the recording");
        return { id, status, text: said };
      },
    }),
    getTranscript: operation({
      title: "Read a transcript",
      effect: "read",
      capability: "ai.audio.transcript",
      params: Id,
      result: Transcript,
      example: {
        params: { id: exampleId },
        wire: [{ request: `GET /v2/transcript/${exampleId}`, reply: exampleDone }],
        result: {
          id: exampleId,
          status: "completed",
          text: "Any allergies? Penicillin.",
          language: "en",
          durationSeconds: 3,
          model: "example-speech",
          utterances: [
            { speaker: "A", text: "Any allergies?", startMs: 250, endMs: 1100 },
            { speaker: "B", text: "Penicillin.", startMs: 1400, endMs: 2300 },
          ],
        },
      },
      run: async (api, { id }) =>
        transcriptOf(await api.get(path, TranscriptReply, { path: { id }, ...slow })),
    }),
    listTranscripts: operation({
      title: "List transcripts",
      description: "Newest first, of the last 90 days.",
      effect: "read",
      params: z.object({
        limit: z.number().int().min(1).max(200).optional(),
        status: z.enum(["queued", "processing", "completed", "error"]).optional(),
        cursor: z.string().min(1).optional(),
      }),
      result: z.object({
        transcripts: z.array(
          z.object({
            id: z.string(),
            status: z.enum(["completed", "processing", "failed"]),
            createdAt: z.string().optional(),
            completedAt: z.string().optional(),
          }),
        ),
        next: z.string().optional(),
      }),
      example: {
        params: { limit: 1 },
        wire: [
          {
            request: "GET /v2/transcript?limit=1",
            reply: {
              page_details: {
                limit: 1,
                result_count: 1,
                current_url: "https://api.assemblyai.com/v2/transcript?limit=1",
                prev_url: `https://api.assemblyai.com/v2/transcript?limit=1&before_id=${exampleId}`,
                next_url: null,
              },
              transcripts: [
                {
                  id: exampleId,
                  resource_url: `https://api.assemblyai.com/v2/transcript/${exampleId}`,
                  status: "completed",
                  created: "2026-11-23T09:00:00.000000",
                  completed: "2026-11-23T09:00:20.000000",
                  audio_url: exampleUpload,
                  error: null,
                },
              ],
            },
          },
        ],
        result: {
          transcripts: [
            {
              id: exampleId,
              status: "completed",
              createdAt: "2026-11-23T09:00:00.000000Z",
              completedAt: "2026-11-23T09:00:20.000000Z",
            },
          ],
          next: exampleId,
        },
      },
      async run(api, { limit, status, cursor }) {
        const Item = z.object({
          id: z.string(),
          status: z.string(),
          created: z.string().nullish(),
          completed: z.string().nullish(),
        });
        const reply = z.object({
          page_details: z.object({ prev_url: z.string().nullish() }),
          transcripts: z.array(Item),
        });
        const query = { limit, status, before_id: cursor };
        const { page_details, transcripts } = await api.get("/v2/transcript", reply, { query });
        // UTC, though it does not say so.
        const utc = (time: string | null | undefined) =>
          time ? time.replace(/(?<!Z)$/, "Z") : undefined;
        return {
          transcripts: transcripts.map((each) => ({
            id: each.id,
            status: statusOf(each.status),
            createdAt: utc(each.created),
            completedAt: utc(each.completed),
          })),
          // "Previous" is the way to older ones.
          next: URL.parse(page_details.prev_url ?? "")?.searchParams.get("before_id") ?? undefined,
        };
      },
    }),
    getSubtitles: operation({
      title: "Read a transcript as subtitles",
      effect: "read",
      params: Id.extend({
        format: z.enum(["srt", "vtt"]),
        charactersPerCaption: z.number().int().min(1).max(500).optional(),
      }),
      result: z.object({ text: z.string() }),
      example: {
        params: { id: exampleId, format: "vtt" },
        wire: [
          {
            request: `GET /v2/transcript/${exampleId}/vtt`,
            reply: "WEBVTT\n\n00:00.250 --> 00:01.100\nAny allergies?\n",
          },
        ],
        result: { text: "WEBVTT\n\n00:00.250 --> 00:01.100\nAny allergies?\n" },
      },
      async run(api, { id, format, charactersPerCaption: chars_per_caption }) {
        const answer = await api.send("GET", "/v2/transcript/{id}/{format}", {
          path: { id, format },
          query: { chars_per_caption },
        });
        return { text: await answer.text() };
      },
    }),
    deleteTranscript: operation({
      title: "Delete a transcript and its recording",
      description: "Removes the text, and a recording that was uploaded, from AssemblyAI.",
      effect: "write",
      idempotent: true,
      params: Id,
      result: z.object({ id: z.string() }),
      example: {
        params: { id: exampleId },
        wire: [
          {
            request: `DELETE /v2/transcript/${exampleId}`,
            reply: { ...exampleDone, text: "Deleted by user.", utterances: null },
          },
        ],
        result: { id: exampleId },
      },
      run: (api, { id }) => api.delete(path, z.object({ id: z.string() }), { path: { id } }),
    }),
    uploadAudio: operation({
      title: "Upload a recording",
      description: "Answers with an address that only AssemblyAI can read, for transcriptions.",
      effect: "write",
      params: z.object({ audio: Recording }),
      result: z.object({ url: z.string() }),
      example: {
        params: { audio: "SUQzBAAAAAAAAA==" },
        wire: [{ request: "POST /v2/upload", reply: { upload_url: exampleUpload } }],
        result: { url: exampleUpload },
      },
      run: async (api, { audio }) => ({ url: await upload(api, audio) }),
    }),
  },
  webhooks: {
    verify: sharedSecret({
      scheme: `An unguessable token in the address and, once a secret is set, ${secretHeader}`,
      // Both at once: neither alone is enough where there are two. No newline fits into either.
      secret: ({ webhookToken, webhookSecret }: Config & { webhookToken: string }) =>
        webhookToken && webhookSecret ? `${webhookToken}\n${webhookSecret}` : webhookToken,
      given(incoming, { webhookSecret }) {
        const token = URL.parse(incoming.url)?.searchParams.get("token") ?? undefined;
        if (!webhookSecret) return token;
        const sent = header(incoming, secretHeader);
        return token === undefined || sent === undefined ? undefined : `${token}\n${sent}`;
      },
    }),
    events: readEvents,
    types: ["transcript.completed", "transcript.error"],
    async confirm(api, _, incoming) {
      const notice = Notice.safeParse(jsonOf(incoming));
      if (!notice.success) return false;
      const { transcript_id: id, status } = notice.data;
      const found = await api.get(path, TranscriptReply, { path: { id } }).catch(unlessNotFound);
      if (found && statusOf(found.status) === "processing")
        throw new VendorFailure("vendor_unavailable", "AssemblyAI has not finished it yet");
      return found?.status === status;
    },
    setup: [
      "Pass {url} as webhookUrl with each transcription: AssemblyAI has no other way to set it.",
      "If your own programs start transcriptions too, let them send the secret: webhook_auth_header_name is X-Webhook-Secret, webhook_auth_header_value the secret set here.",
      "AssemblyAI does not sign: each event is read back through its API before it counts.",
    ],
  },
  links: [
    { title: "Dashboard", url: "https://www.assemblyai.com/dashboard" },
    { title: "Status", url: "https://status.assemblyai.com" },
    { title: "Models", url: "https://www.assemblyai.com/docs/getting-started/models" },
  ],
});

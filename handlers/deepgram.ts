import { base64ToUint8Array } from "uint8array-extras";
import * as z from "zod";

import { type VendorCause, VendorFailure } from "../problem.ts";
import { chooseModel, Model, oneRecording, recording } from "./capabilities.ts";
import { confirmCallback, findRequest, Projects, readEvents } from "./deepgram-webhooks.ts";
import { defineVendor, operation } from "./define.ts";
import { checkbox, password, select, type Step, text, type Values } from "./fields.ts";
import { sharedSecret } from "./signature.ts";

const steps = [
  {
    id: "credentials",
    title: "API key",
    fields: {
      apiKey: password({
        label: "API key",
        help: "Deepgram Console, your project, Settings, API Keys, Create a New API Key with the role Member: it may transcribe, name its project and confirm callbacks. Sign a BAA with Deepgram before you send health information.",
        helpUrl: "https://console.deepgram.com",
        pattern: "^[A-Za-z0-9]{20,}$",
        message: "An API key is letters and digits, without “Token”",
        example: "0000000000000000000000000000000000000000",
      }),
      region: select({
        label: "Region",
        help: "Where audio is processed. Every key works in every region.",
        helpUrl: "https://developers.deepgram.com/reference/regional-endpoints",
        options: [
          { value: "api", label: "Default" },
          { value: "api.eu", label: "European Union" },
          { value: "api.au", label: "Australia" },
          { value: "api.in", label: "India" },
        ],
        default: "api",
        example: "api",
      }),
      modelImprovement: checkbox({
        label: "Let Deepgram keep audio to improve its models",
        help: "Off, each request says that Deepgram must not, which its price list charges for. Leave it off for health information.",
        helpUrl:
          "https://developers.deepgram.com/docs/the-deepgram-model-improvement-partnership-program",
        example: false,
      }),
    },
  },
  {
    id: "models",
    title: "Models",
    fields: {
      defaultModel: text({
        label: "Default model",
        required: false,
        help: "Used for transcription when a call names no model. Current ids are on Deepgram's page of models, and in the operation “List models”; there are some for medicine.",
        helpUrl: "https://developers.deepgram.com/docs/models-languages-overview",
        pattern: "^[A-Za-z0-9._-]{2,128}$",
        message: "A model id holds letters, digits and . _ - only",
        example: "example-speech",
      }),
      defaultVoice: text({
        label: "Default voice",
        required: false,
        help: "Used for speaking when a call names no voice. Current ids are on Deepgram's page of voices.",
        helpUrl: "https://developers.deepgram.com/docs/tts-models",
        pattern: "^[A-Za-z0-9._-]{2,128}$",
        message: "A voice id holds letters, digits and . _ - only",
        example: "example-voice",
      }),
    },
  },
] as const satisfies readonly Step[];

type Config = Values<typeof steps>;

/** developers.deepgram.com/docs/errors; one arrives as 401 or 403, whichever part of it answers. */
const failures: Record<string, [VendorCause, string]> = {
  INSUFFICIENT_PERMISSIONS: [
    "forbidden",
    "The key lacks a scope, or its project may not use the model",
  ],
  ASR_PAYMENT_REQUIRED: ["forbidden", "The Deepgram project has no credit left"],
  PROJECT_NOT_FOUND: ["not_found", "The key sees no such Deepgram project"],
};
const ErrorBody = z.object({ err_code: z.string().optional(), category: z.string().optional() });

const Words = z.array(z.string().min(1).max(100)).max(100);
const Job = z
  .object({
    ...recording,
    model: Model.optional(),
    /** BCP-47; Deepgram takes English where it is left out. */
    language: z
      .string()
      .regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,4})?$|^multi$/, "Use a code such as en or pt-BR")
      .optional(),
    /** Says who speaks when. */
    speakerLabels: z.boolean().optional(),
    /** Names of drugs, people, places. */
    keyterms: Words.optional(),
    /** What to blank out, such as `pii` or `numbers`. */
    redact: Words.optional(),
    /** Speech such as “new line” becomes what it stands for. */
    dictation: z.boolean().optional(),
    /** This integration's webhook address: the answer goes there, and comes back with no text. */
    callbackUrl: z
      .url({ protocol: /^https$/ })
      .max(2000)
      .optional(),
  })
  .refine(...oneRecording);

const mayKeep = ({ modelImprovement }: Config) => (modelImprovement ? undefined : true);

function queryOf(params: z.output<typeof Job>, values: Config) {
  return {
    model: chooseModel(params.model, values.defaultModel),
    smart_format: true,
    language: params.language,
    ...(params.speakerLabels && { diarize: true, utterances: true }),
    keyterm: params.keyterms,
    redact: params.redact,
    dictation: params.dictation,
    callback: params.callbackUrl,
    mip_opt_out: mayKeep(values),
  };
}

const slow = { timeoutMs: 120_000 };

const Channel = z.object({
  detected_language: z.string().optional(),
  alternatives: z.array(z.object({ transcript: z.string().optional() })).optional(),
});
const Utterance = z.object({
  speaker: z.number().optional(),
  transcript: z.string().default(""),
  start: z.number().default(0),
  end: z.number().default(0),
});
const Heard = z.object({
  metadata: z.object({ request_id: z.string(), duration: z.number().optional() }),
  results: z.object({ channels: z.array(Channel), utterances: z.array(Utterance).optional() }),
});
/** With a callback, only the id. */
const ListenReply = z.union([Heard, z.object({ request_id: z.string() })]);

const ModelReply = z.object({
  name: z.string().optional(),
  canonical_name: z.string().optional(),
  languages: z.array(z.string()).optional(),
  batch: z.boolean().optional(),
});
const ModelsReply = z.object({
  stt: z.array(ModelReply).default([]),
  tts: z.array(ModelReply).default([]),
});

const exampleId = "a3f1c9d2-4b7e-4f9a-8c3d-2e5f7b9a1c0d";
const exampleProject = "12345678-90ab-cdef-1234-567890abcdef";
const exampleHeard = {
  metadata: {
    request_id: exampleId,
    sha256: "0".repeat(64),
    created: "2026-11-23T09:00:00.000Z",
    duration: 3.2,
    channels: 1,
    models: [],
    model_info: {},
  },
  results: {
    channels: [
      { alternatives: [{ transcript: "Any allergies? Penicillin.", confidence: 0.99, words: [] }] },
    ],
    utterances: [
      { speaker: 0, transcript: "Any allergies?", start: 0.25, end: 1.1, channel: 0, words: [] },
      { speaker: 1, transcript: "Penicillin.", start: 1.4, end: 2.3, channel: 0, words: [] },
    ],
  },
};

export const vendor = defineVendor({
  name: "Deepgram",
  category: "ai",
  description: "Transcription of visits and calls, medical models included, and spoken text.",
  website: "https://deepgram.com",
  documentation: "https://developers.deepgram.com",
  keywords: ["speech", "transcription", "dictation", "scribe", "voice", "text to speech"],
  icon: "deepgram",
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://{region}.deepgram.com" },
    production: { baseUrl: "https://{region}.deepgram.com" },
  },
  steps,
  auth: ({ apiKey }) => ({ kind: "header", headers: { Authorization: `Token ${apiKey}` } }),
  failure({ status, body }) {
    const { data } = ErrorBody.safeParse(body);
    const code = data?.err_code ?? data?.category;
    const known = failures[status === 402 ? "ASR_PAYMENT_REQUIRED" : (code ?? "")];
    if (known) return { cause: known[0], message: known[1], ...(code && { code }) };
    return code ? { code } : undefined;
  },
  async test(api) {
    const { projects } = await api.get("/v1/projects", Projects);
    const names = projects.map(({ name, project_id }) => name ?? project_id);
    if (!names.length)
      throw new VendorFailure("forbidden", "The key is accepted, but belongs to no project");
    return { account: names.join(", "), checked: ["key accepted, its project may be read"] };
  },
  operations: {
    transcribeAudio: operation({
      title: "Transcribe speech",
      description: "Answers with the text, or with an id where a callback is to bring it.",
      effect: "read",
      idempotent: true,
      capability: "ai.audio.transcribe",
      params: Job,
      result: z.object({
        status: z.enum(["completed", "processing"]),
        id: z.string(),
        text: z.string().optional(),
        language: z.string().optional(),
        durationSeconds: z.number().optional(),
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
      }),
      example: {
        params: { model: "example-speech", audio: "SUQzBAAAAAAAAA==", speakerLabels: true },
        wire: [
          {
            request:
              "POST /v1/listen?model=example-speech&smart_format=true&diarize=true&utterances=true&mip_opt_out=true",
            reply: exampleHeard,
          },
        ],
        result: {
          status: "completed",
          id: exampleId,
          text: "Any allergies? Penicillin.",
          durationSeconds: 3.2,
          utterances: [
            { speaker: "0", text: "Any allergies?", startMs: 250, endMs: 1100 },
            { speaker: "1", text: "Penicillin.", startMs: 1400, endMs: 2300 },
          ],
        },
      },
      async run(api, params, values: Config) {
        const { audio, url } = params;
        const heard = await api.post("/v1/listen", ListenReply, {
          query: queryOf(params, values),
          ...(audio === undefined
            ? { json: { url } }
            : {
                body: base64ToUint8Array(audio),
                headers: { "content-type": "application/octet-stream" },
              }),
          ...slow,
        });
        if (!("results" in heard)) return { status: "processing" as const, id: heard.request_id };
        const { metadata, results } = heard;
        const [first] = results.channels;
        return {
          status: "completed" as const,
          id: metadata.request_id,
          text: results.channels.map((each) => each.alternatives?.[0]?.transcript ?? "").join("\n"),
          language: first?.detected_language ?? params.language,
          durationSeconds: metadata.duration,
          utterances: results.utterances?.map(({ speaker, transcript, start, end }) => ({
            speaker: speaker === undefined ? undefined : String(speaker),
            text: transcript,
            startMs: Math.round(start * 1000),
            endMs: Math.round(end * 1000),
          })),
        };
      },
    }),
    speakText: operation({
      title: "Speak a text",
      description:
        "Answers with the sound as it is made: MP3, unless another encoding is asked for.",
      effect: "read",
      idempotent: true,
      streams: true,
      params: z.object({
        voice: Model.optional(),
        text: z.string().min(1).max(2000),
        encoding: z.enum(["mp3", "linear16", "mulaw", "alaw", "opus", "flac", "aac"]).optional(),
      }),
      result: z.string(),
      example: {
        params: { voice: "example-voice", text: "Your appointment is at nine." },
        wire: [
          {
            request: "POST /v1/speak?model=example-voice&mip_opt_out=true",
            headers: { "content-type": "audio/mpeg" },
            reply: "ID3 sound",
          },
        ],
        result: "ID3 sound",
      },
      run: (api, { voice, text: spoken, encoding }, values: Config) =>
        api.send("POST", "/v1/speak", {
          query: {
            model: chooseModel(voice, values.defaultVoice, "Default voice"),
            encoding,
            mip_opt_out: mayKeep(values),
          },
          json: { text: spoken },
          ...slow,
        }),
    }),
    createToken: operation({
      title: "Make a short-lived token",
      description: "For a browser that sends live audio to Deepgram itself. It cannot manage.",
      effect: "write",
      params: z.object({ ttlSeconds: z.number().int().min(1).max(3600).optional() }),
      result: z.object({ token: z.string(), expiresInSeconds: z.number().optional() }),
      example: {
        params: { ttlSeconds: 60 },
        wire: [
          {
            request: "POST /v1/auth/grant",
            reply: { access_token: "eyJ.example.token", expires_in: 60 },
          },
        ],
        result: { token: "eyJ.example.token", expiresInSeconds: 60 },
      },
      async run(api, { ttlSeconds }) {
        const reply = z.object({ access_token: z.string(), expires_in: z.number().optional() });
        const json = { ttl_seconds: ttlSeconds };
        const granted = await api.post("/v1/auth/grant", reply, { json });
        return { token: granted.access_token, expiresInSeconds: granted.expires_in };
      },
    }),
    listModels: operation({
      title: "List models and voices",
      effect: "read",
      params: z.object({}),
      result: z.object({
        models: z.array(
          z.object({
            id: z.string(),
            name: z.string(),
            kind: z.enum(["speech", "voice"]),
            languages: z.array(z.string()),
          }),
        ),
      }),
      example: {
        params: {},
        wire: [
          {
            request: "GET /v1/models",
            reply: {
              stt: [
                {
                  name: "speech",
                  canonical_name: "example-speech",
                  languages: ["en"],
                  batch: true,
                },
                { name: "live", canonical_name: "example-live", languages: ["en"], batch: false },
              ],
              tts: [{ name: "voice", canonical_name: "example-voice", languages: ["en"] }],
            },
          },
        ],
        result: {
          models: [
            { id: "example-speech", name: "speech", kind: "speech", languages: ["en"] },
            { id: "example-voice", name: "voice", kind: "voice", languages: ["en"] },
          ],
        },
      },
      async run(api) {
        const { stt, tts } = await api.get("/v1/models", ModelsReply);
        const named = (kind: "speech" | "voice") => (model: z.output<typeof ModelReply>) => {
          const { canonical_name, name = canonical_name, languages = [], batch } = model;
          const id = canonical_name ?? name;
          return id === undefined || name === undefined || batch === false
            ? []
            : [{ id, name, kind, languages }];
        };
        return { models: [...stt.flatMap(named("speech")), ...tts.flatMap(named("voice"))] };
      },
    }),
    listProjects: operation({
      title: "List the key's projects",
      effect: "read",
      params: z.object({}),
      result: z.object({
        projects: z.array(z.object({ id: z.string(), name: z.string().optional() })),
      }),
      example: {
        params: {},
        wire: [
          {
            request: "GET /v1/projects",
            reply: { projects: [{ project_id: exampleProject, name: "Simulated Clinic" }] },
          },
        ],
        result: { projects: [{ id: exampleProject, name: "Simulated Clinic" }] },
      },
      async run(api) {
        const { projects } = await api.get("/v1/projects", Projects);
        return { projects: projects.map(({ project_id: id, name }) => ({ id, name })) };
      },
    }),
    listKeys: operation({
      title: "List a project's keys",
      description: "Never the keys themselves. Needs a key of an administrator.",
      effect: "read",
      params: z.object({ project: z.string().min(1) }),
      result: z.object({
        keys: z.array(
          z.object({
            id: z.string(),
            comment: z.string().optional(),
            scopes: z.array(z.string()),
            createdAt: z.string().optional(),
          }),
        ),
      }),
      example: {
        params: { project: exampleProject },
        wire: [
          {
            request: `GET /v1/projects/${exampleProject}/keys`,
            reply: {
              api_keys: [
                {
                  member: { member_id: "m1", email: "admin@clinic.example" },
                  api_key: { api_key_id: "k1", comment: "EHRConnect", scopes: ["member"] },
                },
              ],
            },
          },
        ],
        result: { keys: [{ id: "k1", comment: "EHRConnect", scopes: ["member"] }] },
      },
      async run(api, path) {
        const Key = z.object({
          api_key_id: z.string().optional(),
          comment: z.string().nullish(),
          scopes: z.array(z.string()).optional(),
          created: z.string().optional(),
        });
        const reply = z.object({
          api_keys: z.array(z.object({ api_key: Key.optional() })).default([]),
        });
        const { api_keys } = await api.get("/v1/projects/{project}/keys", reply, { path });
        return {
          keys: api_keys.flatMap(({ api_key: { api_key_id: id, ...key } = {} }) =>
            id === undefined
              ? []
              : [
                  {
                    id,
                    comment: key.comment ?? undefined,
                    scopes: key.scopes ?? [],
                    createdAt: key.created,
                  },
                ],
          ),
        };
      },
    }),
    getRequest: operation({
      title: "Read what became of a request",
      description: "That it was made and how it ended; Deepgram keeps no text to be read later.",
      effect: "read",
      params: z.object({ id: z.string().min(1) }),
      result: z.object({
        id: z.string(),
        path: z.string().optional(),
        code: z.number().optional(),
        createdAt: z.string().optional(),
      }),
      example: {
        params: { id: exampleId },
        wire: [
          {
            request: "GET /v1/projects",
            reply: { projects: [{ project_id: exampleProject, name: "Simulated Clinic" }] },
          },
          {
            request: `GET /v1/projects/${exampleProject}/requests/${exampleId}`,
            reply: {
              request: {
                request_id: exampleId,
                project_uuid: exampleProject,
                created: "2026-11-23T09:00:00.000Z",
                path: "/v1/listen",
                code: 200,
              },
            },
          },
        ],
        result: {
          id: exampleId,
          path: "/v1/listen",
          code: 200,
          createdAt: "2026-11-23T09:00:00.000Z",
        },
      },
      async run(api, { id }) {
        const found = await findRequest(api, id);
        if (!found) throw new VendorFailure("not_found", "Deepgram lists no such request");
        const { path, code, created: createdAt } = found;
        return { id, path, code: code ?? undefined, createdAt };
      },
    }),
  },
  webhooks: {
    verify: sharedSecret({
      // `dg-token` names the key that was used; it is no secret, so nothing is made of it.
      scheme: "An unguessable token in the address",
      secret: ({ webhookToken }: Config & { webhookToken: string }) => webhookToken,
      given: ({ url }) => URL.parse(url)?.searchParams.get("token") ?? undefined,
    }),
    events: readEvents,
    types: ["transcription.completed", "transcription.failed"],
    confirm: confirmCallback,
    setup: [
      "Pass {url} as callbackUrl with each transcription: Deepgram has no other way to set it.",
      "Deepgram calls hosts without an underscore, on the ports 80, 443, 8080 and 8443 only.",
      "Deepgram does not sign: for each event its log is asked whether the request was made, for which the key needs usage:read.",
    ],
  },
  links: [
    { title: "Console", url: "https://console.deepgram.com" },
    { title: "Status", url: "https://status.deepgram.com" },
    { title: "Errors", url: "https://developers.deepgram.com/docs/errors" },
  ],
});

import { AssemblyAI } from "assemblyai";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { connectApi } from "../handlers/api.ts";
import { vendor } from "../handlers/assemblyai.ts";
import { assemblyaiOtherKey, assemblyaiSpentKey } from "./assemblyai.ts";
import { startVendor } from "./server.ts";
import { causeOf, connectVendor, testParity } from "./wire.ts";

const simulator = await startVendor("assemblyai");
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const { credentials, webhook } = simulator.simulation("assemblyai");
const client = (apiKey = String(credentials["apiKey"])) =>
  new AssemblyAI({ apiKey, baseUrl: simulator.url });
const sdk = client();
const speech_models = ["example-speech"];
const model = "example-speech";
const bytes = new Uint8Array(64).fill(7);
const audio = Buffer.from(bytes).toString("base64");
const url = "https://recordings.example.com/visit.mp3";
const quick = { pollingInterval: 5 };

describe("the SDK against the simulator", () => {
  test("uploads, submits, and polls until the text is there", async () => {
    const transcript = await sdk.transcripts.transcribe(
      { audio: bytes, speech_models, speaker_labels: true },
      quick,
    );
    expect(transcript).toMatchObject({
      status: "completed",
      text: "Simulated transcript of 64 bytes.",
      speech_model_used: "example-speech",
      utterances: [{ speaker: "A" }],
    });
    expect(simulator.requests().map(({ method, path }) => `${method} ${path}`)).toEqual([
      "POST /v2/upload",
      "POST /v2/transcript",
      `GET /v2/transcript/${transcript.id}`,
      `GET /v2/transcript/${transcript.id}`,
    ]);
  });

  test("fetches a recording by its address, and says when it is none", async () => {
    await expect(
      sdk.transcripts.transcribe({ audio: url, speech_models }, quick),
    ).resolves.toMatchObject({ text: "Simulated transcript of visit.mp3." });
    const text = "https://recordings.example.com/notes.txt";
    await expect(
      sdk.transcripts.transcribe({ audio: text, speech_models }, quick),
    ).resolves.toMatchObject({ status: "error", error: expect.stringMatching(/^Transcoding/) });
  });

  test("lists newest first, by page, and deletes for good", async () => {
    const { id } = await sdk.transcripts.submit({ audio: url, speech_models });
    const first = await sdk.transcripts.list({ limit: 1 });
    expect(first.transcripts).toMatchObject([{ id, status: "queued" }]);
    const before_id = new URL(first.page_details.prev_url ?? "").searchParams.get("before_id");
    const older = await sdk.transcripts.list({ limit: 1, before_id: before_id ?? "" });
    expect(older.transcripts).toMatchObject([{ status: "completed" }]);
    const [old] = older.transcripts;
    await sdk.transcripts.delete(old?.id ?? "");
    await expect(sdk.transcripts.get(old?.id ?? "")).resolves.toMatchObject({
      text: "Deleted by user.",
    });
  });

  test.each([
    ["another key", "f".repeat(32), "Authentication error, API token missing/invalid"],
    ["a key with Bearer", `Bearer ${credentials["apiKey"]}`, "Authentication error"],
    ["a spent account", assemblyaiSpentKey, "Your current account balance is negative"],
  ])("refuses %s", async (_, key, message) => {
    await expect(client(key).transcripts.submit({ audio: url, speech_models })).rejects.toThrow(
      message,
    );
  });

  test("keeps one project's uploads from another's key", async () => {
    const audio_url = await sdk.files.upload(bytes);
    await expect(
      client(assemblyaiOtherKey).transcripts.submit({ audio_url, speech_models }),
    ).rejects.toThrow("Cannot access uploaded file");
  });

  test("wants at least one speech model, and one that it knows", async () => {
    await expect(sdk.transcripts.submit({ audio: url })).rejects.toThrow(
      '"speech_models" must be a non-empty list',
    );
    await expect(sdk.transcripts.submit({ audio: url, speech_models: ["slam-1"] })).rejects.toThrow(
      "unknown model: slam-1",
    );
  });
});

const connected = connectVendor(simulator, "assemblyai", vendor, { environment: "production" });
const { cause, changed } = connected;
const run = (operation: string, params: unknown, changes = {}) =>
  connected.run(operation, params, changed(changes));
const submit = async (params: object) =>
  ((await run("transcribeAudio", { url, ...params })) as { id: string }).id;

describe("our operations against the simulator", () => {
  test("the test shows the key's end and the region, for want of an account's name", async () => {
    expect(await connected.test()).toEqual({
      account: "Key ••••0000, United States",
      checked: ["key accepted, transcripts may be listed"],
    });
  });

  test.each(Object.entries(vendor.operations))("%s does what its example asks", async (name, o) => {
    const answer = await run(name, o.example.params);
    expect(o.result.safeParse(answer).error).toBeUndefined();
  });

  test("a recording is processing at first, and is read by its id until it is there", async () => {
    const first = (await run("transcribeAudio", { audio })) as { id: string; status: string };
    expect(first).toEqual({ status: "processing", id: expect.any(String) });
    const read = () => run("getTranscript", { id: first.id });
    expect(await read()).toMatchObject({ status: "processing" });
    expect(await read()).toMatchObject({
      status: "completed",
      text: "Simulated transcript of 64 bytes.",
    });
  });

  test("a recording that is none ends as failed, with the reason", async () => {
    const id = await submit({ url: "https://recordings.example.com/notes.txt" });
    await run("getTranscript", { id });
    expect(await run("getTranscript", { id })).toMatchObject({
      status: "failed",
      error: expect.stringMatching(/^Transcoding failed/),
    });
  });

  test("without a model nothing is sent, not even the recording", async () => {
    const none = { defaultModel: "" };
    await expect(run("transcribeAudio", { audio }, none)).rejects.toThrow(/^Choose a model: /);
    expect(await causeOf(run("transcribeAudio", { audio }, none))).toBe("not_configured");
    expect(simulator.requests()).toEqual([]);
  });

  test("takes a recording or its address, not both and not neither", async () => {
    for (const params of [{}, { audio, url }, { url: "http://recordings.example.com/a.mp3" }])
      await expect(run("transcribeAudio", params)).rejects.toMatchObject({
        code: "invalid_request",
      });
  });

  test("gives each trouble its own cause", async () => {
    const fault = (kind: "reset" | "rate_limited" | "garbage") => {
      simulator.fault({ vendor: "assemblyai", kind, times: 3 });
      return cause().finally(() => simulator.clearFaults());
    };
    const uploaded = (await run("uploadAudio", { audio })) as { url: string };
    expect({
      wrongKey: await cause(changed({ apiKey: "f".repeat(32) })),
      // A key has no scopes; what it may not reach is another project's recording.
      missingScope: await causeOf(
        run("transcribeAudio", { url: uploaded.url }, { apiKey: assemblyaiOtherKey }),
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

  /** Keys do not expire; one that was revoked gets the answer of a wrong one. */
  test("a key that no longer works is a rejected one, since AssemblyAI tells no difference", async () => {
    simulator.fault({ vendor: "assemblyai", kind: "expired_credentials", times: 1 });
    expect(await cause()).toBe("credentials_rejected");
  });

  test("no credit and an unknown transcript, both 400, are told apart", async () => {
    const spent = run("transcribeAudio", { url }, { apiKey: assemblyaiSpentKey });
    expect(await causeOf(spent)).toBe("forbidden");
    expect(await causeOf(run("getTranscript", { id: "gone" }))).toBe("not_found");
  });
});

describe("webhooks", () => {
  const { verify, events, confirm } = vendor.webhooks ?? expect.fail();
  const webhookToken = "unguessable-token";
  const address = `https://edge.example/webhooks/assemblyai/1?token=${webhookToken}`;
  const values = (changes = {}) =>
    ({ ...connected.credentials, ...changes, webhookToken }) as never;
  async function receive(body?: object, type?: string, given = credentials) {
    const request = await webhook?.({ url: address, credentials: given, body, type });
    return {
      method: "POST",
      url: request?.url ?? "",
      headers: request?.headers ?? new Headers(),
      body: new Uint8Array(Buffer.from((await request?.text()) ?? "")),
    };
  }
  const confirmed = (incoming: Awaited<ReturnType<typeof receive>>) =>
    confirm?.(connectApi(connected.options()), { type: "transcript.completed" }, incoming);

  test("a transcription carries our secret to the webhook that it causes", async () => {
    const id = await submit({ webhookUrl: address });
    const incoming = await receive({ transcript_id: id });
    expect(await verify.verify(incoming, values(), 0)).toEqual({ ok: true });
    expect(events(incoming)).toEqual([{ id: `${id}:completed`, type: "transcript.completed" }]);
    expect(await confirmed(incoming)).toBe(true);
  });

  test("neither the token nor the secret is enough where there are both", async () => {
    const incoming = await receive();
    const withoutToken = { ...incoming, url: "https://edge.example/webhooks/assemblyai/1" };
    const withoutSecret = { ...incoming, headers: new Headers() };
    for (const refused of [withoutToken, withoutSecret])
      expect(await verify.verify(refused, values(), 0)).toMatchObject({ ok: false });
    const otherSecret = values({ webhookSecret: "another-webhook-secret" });
    expect(await verify.verify(incoming, otherSecret, 0)).toMatchObject({ reason: "mismatch" });
  });

  test("the token serves alone while no secret is set", async () => {
    const { webhookSecret: _, ...others } = credentials;
    const incoming = await receive({}, "transcript.completed", others);
    expect(await verify.verify(incoming, values({ webhookSecret: "" }), 0)).toEqual({ ok: true });
    const wrong = { ...incoming, url: `${address}x` };
    expect(await verify.verify(wrong, values({ webhookSecret: "" }), 0)).toMatchObject({
      reason: "mismatch",
    });
  });

  test("an event of an unknown transcript, or with another status, is not believed", async () => {
    const real = await receive({}, "transcript.error");
    expect(await confirmed(real)).toBe(true);
    const { transcript_id } = JSON.parse(Buffer.from(real.body).toString()) as {
      transcript_id: string;
    };
    const forge = (body: object) => ({
      ...real,
      body: new Uint8Array(Buffer.from(JSON.stringify(body))),
    });
    expect(await confirmed(forge({ transcript_id, status: "completed" }))).toBe(false);
    expect(await confirmed(forge({ transcript_id: "gone", status: "completed" }))).toBe(false);
    expect(await confirmed(forge({ status: "redacted_audio_ready" }))).toBe(false);
  });

  test("an event that comes before its transcript is done is asked about again", async () => {
    const id = await submit({});
    const body = new Uint8Array(
      Buffer.from(JSON.stringify({ transcript_id: id, status: "completed" })),
    );
    const early = { method: "POST", url: address, headers: new Headers(), body };
    await expect(confirmed(early)).rejects.toMatchObject({ failure: "vendor_unavailable" });
  });
});

const id = "9ea68fd3-f953-42c1-9742-976c447fb463";
const all = {
  fallbackModel: "example-medical",
  language: "en",
  speakerLabels: true,
  speakersExpected: 2,
  keyterms: ["metoprolol"],
  redact: ["person_name"],
  domain: "medical-v1",
  webhookUrl: "https://edge.example/webhooks/assemblyai/1?token=t",
};

testParity(connected, {
  rows: [
    [
      "transcribeAudio",
      { audio, model },
      () => sdk.transcripts.submit({ audio: bytes, speech_models, language_detection: true }),
    ],
    [
      "transcribeAudio",
      { url, model, ...all },
      () =>
        sdk.transcripts.submit({
          audio_url: url,
          speech_models: ["example-speech", "example-medical"],
          language_code: "en",
          speaker_labels: true,
          speakers_expected: 2,
          keyterms_prompt: ["metoprolol"],
          redact_pii: true,
          redact_pii_policies: ["person_name"],
          domain: "medical-v1",
          webhook_url: all.webhookUrl,
          webhook_auth_header_name: "X-Webhook-Secret",
          webhook_auth_header_value: String(credentials["webhookSecret"]),
        }),
    ],
    ["getTranscript", { id }, () => sdk.transcripts.get(id)],
    [
      "listTranscripts",
      { limit: 5, status: "completed", cursor: id },
      () => sdk.transcripts.list({ limit: 5, status: "completed", before_id: id }),
    ],
    [
      "getSubtitles",
      { id, format: "srt", charactersPerCaption: 40 },
      () => sdk.transcripts.subtitles(id, "srt", 40),
    ],
    ["deleteTranscript", { id }, () => sdk.transcripts.delete(id)],
    ["uploadAudio", { audio }, () => sdk.files.upload(bytes)],
  ],
  beyond: { "transcribeAudio.fileName": "AssemblyAI takes a recording without a name" },
});

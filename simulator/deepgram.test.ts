import { DeepgramClient, DeepgramError } from "@deepgram/sdk";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { connectApi } from "../handlers/api.ts";
import { vendor } from "../handlers/deepgram.ts";
import { deepgramExpiredKey, deepgramSpentKey, deepgramUsageKey } from "./deepgram.ts";
import { startVendor } from "./server.ts";
import { causeOf, connectVendor, testParity } from "./wire.ts";

const simulator = await startVendor("deepgram");
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const { credentials, webhook } = simulator.simulation("deepgram");
const client = (apiKey = String(credentials["apiKey"])) =>
  new DeepgramClient({ apiKey, baseUrl: simulator.url, maxRetries: 0 });
const sdk = client();
const model = "example-speech";
const voice = "example-voice";
const bytes = new Uint8Array(64).fill(7);
const audio = Buffer.from(bytes).toString("base64");
const url = "https://recordings.example.com/visit.mp3";
const project = "12345678-90ab-cdef-1234-567890abcdef";
const text = "Your appointment is at nine.";

describe("the SDK against the simulator", () => {
  const { media } = sdk.listen.v1;

  test("transcribes a file and an address, saying who speaks when asked", async () => {
    const said = "Simulated transcript of 64 bytes.";
    await expect(media.transcribeFile(bytes, { model })).resolves.toMatchObject({
      results: { channels: [{ alternatives: [{ transcript: said }] }] },
    });
    await expect(
      media.transcribeUrl({ url, model, diarize: true, utterances: true }),
    ).resolves.toMatchObject({
      results: {
        utterances: [{ speaker: 0, transcript: "Simulated transcript of visit.mp3." }],
      },
    });
  });

  test("answers with an id where a callback is to bring the text, and logs the request", async () => {
    const callback = "https://edge.example/webhooks/deepgram/1?token=t";
    const accepted = await media.transcribeUrl({ url, model, callback });
    expect(accepted).toEqual({ request_id: expect.any(String) });
    const { request_id = "" } = accepted as { request_id?: string };
    await expect(sdk.manage.v1.projects.requests.get(project, request_id)).resolves.toMatchObject({
      request: { request_id, path: "/v1/listen", code: 200, callback },
    });
  });

  test("names the project, its keys and the models", async () => {
    await expect(sdk.manage.v1.projects.list()).resolves.toMatchObject({
      projects: [{ project_id: project, name: "Simulated Clinic" }],
    });
    const { api_keys } = await sdk.manage.v1.projects.keys.list(project);
    expect(api_keys).toMatchObject([{ api_key: { scopes: ["member"] } }]);
    const { stt, tts } = await sdk.manage.v1.models.list();
    expect(stt?.map((each) => each.canonical_name)).toContain(model);
    expect(tts).toMatchObject([{ canonical_name: voice }]);
  });

  test("speaks", async () => {
    const spoken = await sdk.speak.v1.audio.generate({ text, model: voice });
    const sound = await spoken.arrayBuffer();
    expect(Buffer.from(sound).toString()).toMatch(/^ID3 Your appointment/);
  });

  test("grants a token that transcribes and does not manage", async () => {
    const { access_token: accessToken } = await sdk.auth.v1.tokens.grant({ ttl_seconds: 60 });
    const granted = new DeepgramClient({ accessToken, baseUrl: simulator.url, maxRetries: 0 });
    await expect(granted.listen.v1.media.transcribeUrl({ url, model })).resolves.toBeDefined();
    await expect(granted.manage.v1.projects.list()).rejects.toMatchObject({ statusCode: 401 });
  });

  test.each([
    ["another key", "f".repeat(40), 401, { err_code: "INVALID_AUTH" }],
    ["an expired key", deepgramExpiredKey, 401, { err_code: "INVALID_AUTH" }],
    ["a key without a scope", deepgramUsageKey, 401, { category: "INSUFFICIENT_PERMISSIONS" }],
  ])("refuses %s", async (_, key, statusCode, body) => {
    await expect(client(key).manage.v1.projects.list()).rejects.toMatchObject({
      constructor: DeepgramError,
      statusCode,
      body,
    });
  });

  test.each([
    [() => media.transcribeUrl({ url, model: "nova-0" }), 400],
    [() => media.transcribeFile(new Uint8Array(), { model }), 400],
    [() => client(deepgramSpentKey).listen.v1.media.transcribeUrl({ url, model }), 402],
    [() => sdk.speak.v1.audio.generate({ text: " ", model: voice }), 400],
    [() => sdk.manage.v1.projects.keys.list("elsewhere"), 404],
  ])("refuses %s with %i", async (ask, statusCode) => {
    await expect(ask()).rejects.toMatchObject({ statusCode });
  });
});

const connected = connectVendor(simulator, "deepgram", vendor, { environment: "production" });
const { cause, changed } = connected;
const run = (operation: string, params: unknown, changes = {}) =>
  connected.run(operation, params, changed(changes));

describe("our operations against the simulator", () => {
  test("the test names the key's project", async () => {
    expect(await connected.test()).toEqual({
      account: "Simulated Clinic",
      checked: ["key accepted, its project may be read"],
    });
  });

  test.each(Object.entries(vendor.operations))("%s does what its example asks", async (name, o) => {
    const answer = await run(name, o.example.params);
    if (answer instanceof Response) expect((await answer.text()).length).toBeGreaterThan(20);
    else expect(o.result.safeParse(answer).error).toBeUndefined();
  });

  test("answers with the text at once, or with an id where a callback is to bring it", async () => {
    expect(await run("transcribeAudio", { audio })).toMatchObject({
      status: "completed",
      text: "Simulated transcript of 64 bytes.",
    });
    const callbackUrl = "https://edge.example/webhooks/deepgram/1?token=t";
    const { id, ...rest } = (await run("transcribeAudio", { url, callbackUrl })) as { id: string };
    expect(rest).toEqual({ status: "processing" });
    expect(await run("getRequest", { id })).toMatchObject({ id, path: "/v1/listen" });
  });

  test("keeps audio out of Deepgram's training unless the integration allows it", async () => {
    const asked = () => new URLSearchParams(simulator.requests().at(-1)?.query);
    await run("transcribeAudio", { url });
    expect(asked().get("mip_opt_out")).toBe("true");
    await run("speakText", { text });
    expect(asked().get("mip_opt_out")).toBe("true");
    await run("transcribeAudio", { url }, { modelImprovement: true });
    expect(asked().has("mip_opt_out")).toBe(false);
  });

  test("without a model or a voice nothing is sent", async () => {
    const none = { defaultModel: "", defaultVoice: "" };
    await expect(run("transcribeAudio", { audio }, none)).rejects.toThrow(/^Choose a model: /);
    await expect(run("speakText", { text }, none)).rejects.toThrow(/“Default voice”/);
    expect(await causeOf(run("transcribeAudio", { audio }, none))).toBe("not_configured");
    expect(simulator.requests()).toEqual([]);
  });

  test("takes a recording or its address, not both and not neither", async () => {
    for (const params of [{}, { audio, url }, { url: "http://recordings.example.com/a.mp3" }])
      await expect(run("transcribeAudio", params)).rejects.toMatchObject({
        code: "invalid_request",
      });
  });

  test("passes sound on as it is made", async () => {
    const answer = (await run("speakText", { text })) as Response;
    expect(answer.headers.get("content-type")).toBe("audio/mpeg");
    const reader = answer.body?.getReader();
    const first = Buffer.from((await reader?.read())?.value ?? []).toString();
    // Of fifty such pieces.
    expect(first.length).toBeLessThan(25 * text.length);
    await reader?.cancel();
  });

  test("gives each trouble its own cause", async () => {
    const fault = (kind: "reset" | "rate_limited" | "garbage") => {
      simulator.fault({ vendor: "deepgram", kind, times: 3 });
      return cause().finally(() => simulator.clearFaults());
    };
    expect({
      wrongKey: await cause(changed({ apiKey: "f".repeat(40) })),
      // As 401, and as 403 from another part of Deepgram.
      missingScope: await cause(changed({ apiKey: deepgramUsageKey })),
      missingScopeToo: await causeOf(run("createToken", {}, { apiKey: deepgramUsageKey })),
      unreachable: await fault("reset"),
      limited: await fault("rate_limited"),
      garbage: await fault("garbage"),
    }).toEqual({
      wrongKey: "credentials_rejected",
      missingScope: "forbidden",
      missingScopeToo: "forbidden",
      unreachable: "vendor_unavailable",
      limited: "rate_limited",
      garbage: "unexpected_reply",
    });
  });

  /** A key may have an expiration date, but Deepgram's errors have no code for it. */
  test("an expired key is a rejected one, since Deepgram tells no difference", async () => {
    expect(await cause(changed({ apiKey: deepgramExpiredKey }))).toBe("credentials_rejected");
  });

  test("no credit is named, and never taken for a wrong request", async () => {
    await expect(
      run("transcribeAudio", { url }, { apiKey: deepgramSpentKey }),
    ).rejects.toMatchObject({ failure: "forbidden", vendorCode: "ASR_PAYMENT_REQUIRED" });
  });
});

describe("callbacks", () => {
  const { verify, events, confirm } = vendor.webhooks ?? expect.fail();
  const webhookToken = "unguessable-token";
  const address = `https://edge.example/webhooks/deepgram/1?token=${webhookToken}`;
  const values = { ...connected.credentials, webhookToken } as never;
  async function receive(body?: object, type = "transcription.completed") {
    const request = await webhook?.({ url: address, credentials, body, type });
    const incoming = {
      method: "POST",
      url: request?.url ?? "",
      headers: request?.headers ?? new Headers(),
      body: new Uint8Array(Buffer.from((await request?.text()) ?? "")),
    };
    const believed = () => confirm?.(connectApi(connected.options()), { type }, incoming);
    return { incoming, believed };
  }

  test("a callback of a request that was made is accepted, read and believed", async () => {
    const callbackUrl = address;
    const { id } = (await run("transcribeAudio", { url, callbackUrl })) as { id: string };
    const { incoming, believed } = await receive({ metadata: { request_id: id } });
    expect(await verify.verify(incoming, values, 0)).toEqual({ ok: true });
    expect(events(incoming)).toEqual([
      { id, type: "transcription.completed", occurredAt: expect.stringMatching(/^20\d\d-/) },
    ]);
    expect(await believed()).toBe(true);
    const failed = await receive({}, "transcription.failed");
    expect(events(failed.incoming)).toMatchObject([{ type: "transcription.failed" }]);
    expect(await failed.believed()).toBe(true);
  });

  test("the name of the key, dg-token, is no token", async () => {
    const { incoming } = await receive();
    expect(incoming.headers.has("dg-token")).toBe(true);
    const bare = { ...incoming, url: "https://edge.example/webhooks/deepgram/1" };
    expect(await verify.verify(bare, values, 0)).toMatchObject({ reason: "missing" });
    const wrong = { ...incoming, url: `${address}x` };
    expect(await verify.verify(wrong, values, 0)).toMatchObject({ reason: "mismatch" });
  });

  test("a request that Deepgram does not list is asked about again at first, then not believed", async () => {
    const gone = { request_id: "00000000-0000-4000-8000-000000000000" };
    const fresh = await receive({ metadata: gone });
    await expect(fresh.believed()).rejects.toMatchObject({ failure: "not_found" });
    const old = await receive({ metadata: { ...gone, created: "2026-01-01T00:00:00Z" } });
    expect(await old.believed()).toBe(false);
    const failed = await receive(gone, "transcription.failed");
    expect(await failed.believed()).toBe(false);
  });

  test("a key that may not read the log is no reason to drop an event", async () => {
    const { incoming } = await receive();
    const api = connectApi(connected.options(changed({ apiKey: deepgramUsageKey })));
    await expect(
      confirm?.(api, { type: "transcription.completed" }, incoming),
    ).rejects.toMatchObject({ failure: "forbidden" });
  });
});

const id = "a3f1c9d2-4b7e-4f9a-8c3d-2e5f7b9a1c0d";
const all = {
  model,
  language: "en",
  keyterms: ["metoprolol", "atenolol"],
  redact: ["pii"],
  dictation: true,
  speakerLabels: true,
  callbackUrl: "https://edge.example/webhooks/deepgram/1?token=t",
};
const theirs = {
  model,
  smart_format: true,
  language: "en",
  keyterm: ["metoprolol", "atenolol"],
  redact: "pii",
  dictation: true,
  diarize: true,
  utterances: true,
  callback: all.callbackUrl,
  mip_opt_out: true,
};
const manage = sdk.manage.v1;

testParity(connected, {
  rows: [
    ["transcribeAudio", { audio, ...all }, () => sdk.listen.v1.media.transcribeFile(bytes, theirs)],
    [
      "transcribeAudio",
      { url, ...all },
      () => sdk.listen.v1.media.transcribeUrl({ url, ...theirs }),
    ],
    [
      "speakText",
      { text, voice, encoding: "mp3" },
      () => sdk.speak.v1.audio.generate({ text, model: voice, encoding: "mp3", mip_opt_out: true }),
    ],
    ["createToken", { ttlSeconds: 60 }, () => sdk.auth.v1.tokens.grant({ ttl_seconds: 60 })],
    ["listModels", {}, () => manage.models.list()],
    ["listProjects", {}, () => manage.projects.list()],
    ["listKeys", { project }, () => manage.projects.keys.list(project)],
    [
      "getRequest",
      { id },
      async () => {
        await manage.projects.list();
        await manage.projects.requests.get(project, id);
      },
    ],
  ],
  beyond: { "transcribeAudio.fileName": "Deepgram takes a recording without a name" },
});

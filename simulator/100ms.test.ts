import { createRequire } from "node:module";

import { decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { vendor } from "../handlers/100ms.ts";
import { connectApi } from "../handlers/api.ts";
import type { FieldValues } from "../handlers/fields.ts";
import { hmsSeeded } from "./100ms.ts";
import { startSimulator } from "./server.ts";
import { causesOf, connectVendor, testParity } from "./wire.ts";

const simulator = await startSimulator({ vendors: ["100ms"] });
const connected = connectVendor(simulator, "100ms", vendor);
const { credentials, run } = connected;
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const { room, peer, recording, asset } = hmsSeeded;
const appAccessKey = String(credentials["appAccessKey"]);
const appSecret = String(credentials["appSecret"]);

type Listed = AsyncIterable<{ id: string }>;
type Sdk = {
  api: { axios: { defaults: { baseURL: string } } };
  setLogLevel: (level: "silent") => void;
  auth: {
    getAuthToken: (about: object) => Promise<{ token: string }>;
    getManagementToken: () => Promise<{ token: string }>;
  };
  rooms: {
    create: (room: object) => Promise<{ id: string }>;
    retrieveById: (id: string) => Promise<unknown>;
    list: (filters: object) => Listed;
    enableOrDisable: (id: string, enabled: boolean) => Promise<unknown>;
  };
  activeRooms: {
    end: (id: string, params: object) => Promise<unknown>;
    retrieveActivePeers: (id: string) => Promise<unknown>;
    removePeer: (id: string, params: object) => Promise<unknown>;
  };
  roomCodes: { create: (id: string) => Promise<{ role: string }[]> };
  recordings: {
    start: (id: string, params: object) => Promise<unknown>;
    stopAll: (id: string) => Promise<unknown>;
    retrieve: (id: string) => Promise<unknown>;
    list: (filters: object) => Listed;
  };
  recordingAssets: { generatePreSignedURL: (id: string, seconds: number) => Promise<unknown> };
  sessions: { list: (filters: object) => Listed };
};
/** Its package names a file of types that it does not have. */
const { SDK } = createRequire(import.meta.url)("@100mslive/server-sdk") as {
  SDK: new (key: string, secret: string) => Sdk;
};
function client(secret = appSecret) {
  const made = new SDK(appAccessKey, secret);
  made.setLogLevel("silent");
  made.api.axios.defaults.baseURL = `${simulator.url}/api.100ms.live/v2`;
  return made;
}
const sdk = client();
async function all(list: Listed) {
  const ids: string[] = [];
  for await (const { id } of list) ids.push(id);
  return ids;
}

describe("the simulation, as the SDK knows it", () => {
  test("refuses a token that another secret signed", async () => {
    await expect(client("another").rooms.retrieveById(room)).rejects.toMatchObject({ code: 401 });
  });

  test("hands a room out again by its name, and configures it anew", async () => {
    const first = await sdk.rooms.create({ name: "visit-7" });
    const again = await sdk.rooms.create({ name: "VISIT-7", description: "Someone else's" });
    expect(again.id).toBe(first.id);
    expect(again).toMatchObject({ description: "Someone else's" });
  });

  test("pages through rooms, newest first", async () => {
    for (let i = 0; i < 11; i += 1) await sdk.rooms.create({ name: `visit-1${i}` });
    const ids = await all(sdk.rooms.list({ limit: 10 }));
    expect(new Set(ids).size).toBe(12);
    expect(ids.at(-1)).toBe(room);
  });

  test("gives a code to each role of the template", async () => {
    const codes = await sdk.roomCodes.create(room);
    expect(codes.map(({ role }) => role).toSorted()).toEqual(["guest", "host"]);
  });
});

testParity(connected, {
  rows: [
    [
      "createRoom",
      { name: "visit-43", description: "Follow-up", maxMinutes: 30, record: true, reuse: true },
      () =>
        sdk.rooms.create({
          name: "visit-43",
          description: "Follow-up",
          template_id: credentials["templateId"],
          region: "us",
          max_duration_seconds: 1800,
          recording_info: { enabled: true },
        }),
    ],
    [
      "createRoom",
      { name: "visit-44", template: String(credentials["templateId"]), reuse: true },
      () =>
        sdk.rooms.create({
          name: "visit-44",
          template_id: credentials["templateId"],
          region: "us",
        }),
    ],
    ["getRoom", { id: room }, () => sdk.rooms.retrieveById(room)],
    ["listRooms", { enabled: true }, () => all(sdk.rooms.list({ enabled: true, limit: 20 }))],
    [
      "listRooms",
      { name: "visit-42", cursor: room, limit: 10 },
      () => all(sdk.rooms.list({ name: "visit-42", start: room, limit: 10 })),
    ],
    ["setRoomEnabled", { id: room, enabled: false }, () => sdk.rooms.enableOrDisable(room, false)],
    [
      "endRoom",
      { id: room, reason: "Over", lock: true },
      () => sdk.activeRooms.end(room, { reason: "Over", lock: true }),
    ],
    ["listParticipants", { room }, () => sdk.activeRooms.retrieveActivePeers(room)],
    [
      "removeParticipant",
      { room, participant: peer, reason: "Wrong room" },
      () => sdk.activeRooms.removePeer(room, { peer_id: peer, reason: "Wrong room" }),
    ],
    ["createRoomCodes", { room }, () => sdk.roomCodes.create(room)],
    [
      "startRecording",
      { room, audioOnly: true, transcribe: true },
      () =>
        sdk.recordings.start(room, {
          audio_only: true,
          transcription: { enabled: true, summary: { enabled: true } },
        }),
    ],
    [
      "startRecording",
      { room, meetingUrl: "https://visits.example/preview/x?skip=1" },
      () => sdk.recordings.start(room, { meeting_url: "https://visits.example/preview/x?skip=1" }),
    ],
    ["stopRecording", { room }, () => sdk.recordings.stopAll(room)],
    ["getRecording", { id: recording }, () => sdk.recordings.retrieve(recording)],
    ["listRecordings", { room }, () => all(sdk.recordings.list({ room_id: room, limit: 20 }))],
    [
      "listRecordings",
      { session: hmsSeeded.running, limit: 10, cursor: recording },
      () =>
        all(sdk.recordings.list({ session_id: hmsSeeded.running, limit: 10, start: recording })),
    ],
    [
      "getRecordingLink",
      { asset, seconds: 600 },
      () => sdk.recordingAssets.generatePreSignedURL(asset, 600),
    ],
    [
      "listSessions",
      { room, active: false },
      () => all(sdk.sessions.list({ room_id: room, active: false, limit: 20 })),
    ],
    [
      "listSessions",
      { limit: 10, cursor: hmsSeeded.running },
      () => all(sdk.sessions.list({ limit: 10, start: hmsSeeded.running })),
    ],
  ],
  beyond: { createToken: "it asks nothing of 100ms: held against the SDK's token below" },
});

describe("tokens", () => {
  const secret = new TextEncoder().encode(appSecret);
  const dated = (token: string) => {
    const { iat = 0, nbf = 0, exp = 0, jti, ...claims } = decodeJwt(token);
    return { claims, from: nbf - iat, holds: exp - iat, id: typeof jti, exp };
  };

  test("of a participant say what the SDK's say", async () => {
    const ours = (await run("createToken", { room, user: "dr-1", role: "host" })) as {
      token: string;
      expiresAt: string;
    };
    const { token } = await sdk.auth.getAuthToken({
      roomId: room,
      role: "host",
      userId: "dr-1",
      validForSeconds: 3610,
    });
    const { exp, ...rest } = dated(ours.token);
    const { exp: _, ...theirs } = dated(token);
    expect(rest).toEqual(theirs);
    expect(rest.claims).toMatchObject({ type: "app", role: "host", room_id: room });
    expect(decodeProtectedHeader(ours.token)).toEqual(decodeProtectedHeader(token));
    expect(ours.expiresAt).toBe(new Date(exp * 1000).toISOString());
    await expect(jwtVerify(ours.token, secret)).resolves.toBeDefined();
  });

  test("of a call say what the SDK's say, and hold for minutes instead of a day", async () => {
    await run("getRoom", { id: room });
    const [recorded] = simulator.requests("100ms");
    const ours = dated(recorded?.headers.get("authorization")?.replace("Bearer ", "") ?? "");
    const theirs = dated((await sdk.auth.getManagementToken()).token);
    expect(ours.claims).toEqual(theirs.claims);
    expect(ours.from).toBe(theirs.from);
    expect([ours.holds, theirs.holds]).toEqual([910, 86_400]);
  });

  test("take the roles of the configuration", async () => {
    const patients = connected.changed({ guestRole: "patient" });
    await expect(run("createToken", { room, user: "p-1" }, patients)).resolves.toMatchObject({
      role: "patient",
    });
  });
});

describe("the handler", () => {
  test("says which workspace it is, and that the template has the roles", async () => {
    await expect(connected.test()).resolves.toEqual({
      account: "Workspace 627cdddff2e4e30487862ad1",
      checked: [
        "key and secret accepted",
        "templates can be read",
        "template has the roles host and guest",
      ],
    });
    const { templateId: _, ...without } = credentials;
    await expect(connected.test({ values: without })).resolves.toMatchObject({
      account: "Workspace 627cdddff2e4e30487862ad1",
    });
    expect(await connected.cause(connected.changed({ hostRole: "doctor" }))).toBe(
      "invalid_request",
    );
  });

  test("names each way in which its test can fail", async () => {
    const wrong = { ...credentials, appSecret: "another_app_secret_0000000000" };
    expect(await causesOf(connected, wrong)).toEqual({
      wrongKey: "credentials_rejected",
      // An app secret does not expire, and our tokens are made for each call.
      expiredKey: "credentials_rejected",
      missingScope: "forbidden",
      unreachable: "vendor_unavailable",
      tooMany: "rate_limited",
      garbage: "unexpected_reply",
    });
  });

  test("waits as long as 100ms says in its message", async () => {
    simulator.fault({ vendor: "100ms", kind: "rate_limited", retryAfter: 45 });
    await expect(connected.test()).rejects.toMatchObject({ retryAfter: 45 });
  });

  test("never lets two visits of one name share a room, unless that is asked for", async () => {
    const create = (params: object) =>
      run("createRoom", { name: "Visit of Jo, 10:00", ...params }) as Promise<{
        id: string;
        name: string;
      }>;
    const [first, second] = [await create({}), await create({})];
    expect(first.id).not.toBe(second.id);
    expect(first.name).toMatch(/^Visit-of-Jo-10:00\.[\da-f]{12}$/);
    const [third, fourth] = [await create({ reuse: true }), await create({ reuse: true })];
    expect(third.id).toBe(fourth.id);
  });

  test("asks for what the configuration says of new rooms", async () => {
    await run(
      "createRoom",
      { name: "visit-9", reuse: true },
      connected.changed({ region: "auto", maxDuration: 60, recordingEnabled: true }),
    );
    const [recorded] = simulator.requests("100ms");
    expect(JSON.parse(Buffer.from(recorded?.body ?? "").toString())).toEqual({
      name: "visit-9",
      template_id: credentials["templateId"],
      max_duration_seconds: 3600,
      recording_info: { enabled: true },
    });
  });
});

describe("webhooks", () => {
  const url = "https://edge.example/webhooks/100ms/1?token=unguessable-token";
  const { verify, events, confirm } = vendor.webhooks ?? expect.fail();
  const values: FieldValues = { ...credentials, webhookToken: "unguessable-token" };
  const api = connectApi(connected.options());
  async function sent(type: string, body?: object) {
    const { webhook } = simulator.simulation("100ms");
    const request = (await webhook?.({ url, credentials, type, body })) ?? expect.fail();
    return {
      method: request.method,
      url: request.url,
      headers: request.headers,
      body: new Uint8Array(await request.arrayBuffer()),
    };
  }
  const judge = (incoming: Awaited<ReturnType<typeof sent>>, held: object = values) =>
    verify.verify(incoming, held as never, 0);

  test("must hold the token and, where one is set, the secret header", async () => {
    const incoming = await sent("session.open.success");
    expect(await judge(incoming)).toEqual({ ok: true });
    const elsewhere = { ...incoming, url: url.replace("unguessable", "guessed") };
    expect(await judge(elsewhere)).toMatchObject({ ok: false, reason: "mismatch" });
    incoming.headers.set("x-webhook-secret", "guessed-webhook-secret");
    expect(await judge(incoming)).toMatchObject({ ok: false, reason: "mismatch" });
    incoming.headers.delete("x-webhook-secret");
    expect(await judge(incoming)).toMatchObject({ ok: false, reason: "missing" });
    const { webhookSecret: _, ...without } = values;
    expect(await judge(incoming, without)).toEqual({ ok: true });
  });

  const confirmed = async (type: string, body?: object) => {
    const incoming = await sent(type, body);
    const [event] = events(incoming);
    return confirm?.(api, event ?? expect.fail(), incoming);
  };
  const data = {
    room_id: room,
    session_id: hmsSeeded.running,
    peer_id: "00000000-0000-4000-8000-000000000000",
  };
  test.each<[string, string, object | undefined, boolean]>([
    ["a visit that is open", "session.open.success", undefined, true],
    ["a visit that has ended", "session.close.success", undefined, true],
    ["somebody who is in it", "peer.join.success", undefined, true],
    ["a recording that has files", "recording.success", undefined, true],
    ["a room without a visit", "room.end.success", { data: { room_id: room } }, true],
    [
      "a visit of another room",
      "session.open.success",
      { data: { ...data, room_id: "000000000000000000000000" } },
      false,
    ],
    [
      "a visit that never was",
      "session.open.success",
      { data: { ...data, session_id: "000000000000000000000000" } },
      false,
    ],
    ["a room that never was", "room.end.success", { data: { room_id: "0".repeat(24) } }, false],
    ["nothing in particular", "room.end.success", { data: {} }, false],
  ])("are read back from the API: %s", async (_what, type, body, believed) => {
    expect(await confirmed(type, body)).toBe(believed);
  });

  test.each([
    ["an end of a visit that goes on", "session.close.success"],
    ["somebody who has not joined", "peer.join.success"],
    ["a recording without files", "recording.success"],
  ])("are asked about again while the API does not show it: %s", async (_what, type) => {
    await expect(confirmed(type, { data })).rejects.toMatchObject({
      failure: "vendor_unavailable",
    });
  });

  test("are asked about again while 100ms cannot say", async () => {
    simulator.fault({ vendor: "100ms", kind: "server_error" });
    await expect(confirmed("session.open.success")).rejects.toMatchObject({
      failure: "vendor_unavailable",
    });
  });
});

test("takes what EHRConnect's earlier web client sends for it", () => {
  const fields = new Set(vendor.steps.flatMap((step) => Object.keys(step.fields)));
  const sentBefore =
    "appId appSecret apiEndpoint templateId defaultRegion maxDuration recordingEnabled transcriptionEnabled chatEnabled screenShareEnabled virtualBackgroundEnabled waitingRoomEnabled endToEndEncryption webhookUrl";
  for (const key of sentBefore.split(" ")) {
    const now = vendor.formerly && key in vendor.formerly ? vendor.formerly[key] : key;
    if (now !== null && now !== "api_endpoint") expect(fields, key).toContain(now);
  }
});

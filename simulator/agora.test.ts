import { createHmac } from "node:crypto";
import { createRequire } from "node:module";

import { build } from "esbuild";
import * as fc from "fast-check";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import {
  accessToken,
  type AgoraGrant,
  type AgoraPrivilege,
  uidOf,
} from "../handlers/agora-token.ts";
import { vendor } from "../handlers/agora.ts";
import type { FieldValues } from "../handlers/fields.ts";
import { VendorFailure } from "../problem.ts";
import { admits, agoraSeeded, readToken } from "./agora.ts";
import { startSimulator } from "./server.ts";
import { causesOf, connectVendor } from "./wire.ts";

/**
 * Agora publishes no server SDK for its REST interface, but only agora-token: so the tokens are held
 * against that package, and the calls against the simulation alone, which follows Agora's reference.
 */
const simulator = await startSimulator({ vendors: ["agora"] });
const connected = connectVendor(simulator, "agora", vendor);
const { credentials, run } = connected;
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const { room } = agoraSeeded;
const keys = {
  appId: String(credentials["appId"]),
  appCertificate: String(credentials["appCertificate"]),
};

type Service = { add_privilege: (privilege: number, expire: number) => void };
type Token = { salt: number; add_service: (service: Service) => void; build: () => string };
const require = createRequire(import.meta.url);
const { AccessToken2, ServiceRtc } = require("agora-token/src/AccessToken2.js") as {
  AccessToken2: new (appId: string, certificate: string, issued: number, expire: number) => Token;
  ServiceRtc: new (channel: string, uid: number) => Service;
};
const { RtcTokenBuilder, RtcRole } = require("agora-token") as {
  RtcTokenBuilder: Record<"buildTokenWithUid", (...about: unknown[]) => string>;
  RtcRole: { PUBLISHER: number; SUBSCRIBER: number };
};
const numbers: Record<AgoraPrivilege, number> = { join: 1, audio: 2, video: 3, data: 4 };

function sdkToken({ channel, uid, may, issuedAt, seconds, salt }: AgoraGrant): string {
  const token = new AccessToken2(keys.appId, keys.appCertificate, issuedAt, seconds);
  token.salt = salt;
  const service = new ServiceRtc(channel, uid);
  for (const name of may) service.add_privilege(numbers[name], 0);
  token.add_service(service);
  return token.build();
}
const read = (text: string) => readToken(text, keys.appCertificate) ?? expect.fail("no token");
const failureOf = async (running: Promise<unknown>) => {
  const failure = await running.catch((error: unknown) => error);
  return failure instanceof VendorFailure ? failure : expect.fail(`not refused: ${failure}`);
};

const grants = fc.record({
  channel: fc.stringMatching(/^[A-Za-z0-9][\w!#$%&()+\-:;<=.>?@[\]^{}|~,]{0,62}$/),
  uid: fc.integer({ min: 1, max: 0xffff_ffff }),
  may: fc.constantFrom<AgoraPrivilege[]>(["join"], ["join", "audio", "video", "data"]),
  issuedAt: fc.integer({ min: 1_700_000_000, max: 0xffff_ffff }),
  seconds: fc.integer({ min: 60, max: 86_400 }),
  salt: fc.integer({ min: 1, max: 99_999_999 }),
});
const runs = { seed: 20_261_123, numRuns: 60 };
const grant: AgoraGrant = {
  channel: room,
  uid: 7,
  may: ["join", "audio", "video", "data"],
  issuedAt: 1_795_435_200,
  seconds: 3600,
  salt: 42,
};

describe("a token", () => {
  test("is the one that Agora's package makes, to the byte", async () => {
    await fc.assert(
      fc.asyncProperty(grants, async (one) => {
        expect(await accessToken(keys, one)).toBe(sdkToken(one));
      }),
      runs,
    );
  });

  test("is read and verified by Agora's package when it was made in workerd", async () => {
    const { outputFiles } = await build({
      stdin: {
        resolveDir: import.meta.dirname,
        loader: "ts",
        contents: `
          import { accessToken } from "../handlers/agora-token.ts";
          export default {
            async fetch(request: Request) {
              const { keys, grant } = await request.json();
              return new Response(await accessToken(keys, grant));
            },
          };`,
      },
      bundle: true,
      write: false,
      format: "esm",
      target: "esnext",
      conditions: ["workerd", "worker", "browser"],
    });
    const worker = new Miniflare(
      convertV4MiniflareOptions({
        modules: true,
        script: outputFiles[0]?.text ?? "",
        compatibilityDate: "2026-11-01",
      }),
    );
    const answer = await worker.dispatchFetch("http://localhost/", {
      method: "POST",
      body: JSON.stringify({ keys, grant }),
    });
    const token = read(await answer.text());
    await worker.dispose();
    const { issuedAt: issueTs, seconds: expire, salt } = grant;
    expect(token).toEqual({
      genuine: true,
      appId: keys.appId,
      issueTs,
      expire,
      salt,
      services: [{ channel: room, uid: "7", privileges: { 1: 0, 2: 0, 3: 0, 4: 0 } }],
    });
  });

  test("of another certificate is not verified", async () => {
    const other = { ...keys, appCertificate: "f".repeat(32) };
    expect(read(await accessToken(other, grant)).genuine).toBe(false);
  });

  type Made = { token: string; uid: number; expiresAt: string };
  const create = (params: object) => run("createToken", { room, ...params }) as Promise<Made>;

  test("says what the builder of the package would say of the same person", async () => {
    for (const listenOnly of [false, true]) {
      const made = await create({ user: "7", ttlSeconds: 600, listenOnly });
      const role = listenOnly ? RtcRole.SUBSCRIBER : RtcRole.PUBLISHER;
      const { appId, appCertificate } = keys;
      const theirs = read(
        RtcTokenBuilder.buildTokenWithUid(appId, appCertificate, room, 7, role, 600),
      );
      const ours = read(made.token);
      expect(ours.services).toEqual(theirs.services);
      expect([ours.appId, ours.expire]).toEqual([theirs.appId, theirs.expire]);
      expect(Math.abs(ours.issueTs - theirs.issueTs)).toBeLessThanOrEqual(5);
      expect(Date.parse(made.expiresAt)).toBe((ours.issueTs + 600) * 1000);
      expect(ours.genuine).toBe(true);
    }
  });

  test("has a salt of its own each time", async () => {
    const salts = [];
    for (let i = 0; i < 5; i += 1) salts.push(read((await create({ user: "jo" })).token).salt);
    expect(new Set(salts).size).toBe(5);
    for (const salt of salts) expect(salt).toBeGreaterThan(0);
  });

  test("lets in one person only: a user is always the same number, and never nobody's", async () => {
    expect(await uidOf("7")).toBe(7);
    expect(await uidOf("4294967295")).toBe(4_294_967_295);
    // Zero, which Agora reads as "anybody", and what is no 32-bit number are names like any other.
    const others = ["0", "4294967296", "007", "patient-1", "Zoë", "-1", "1.5"];
    const uids = await Promise.all(others.map(uidOf));
    expect(new Set(uids).size).toBe(others.length);
    for (const uid of uids) expect(uid).toBeGreaterThan(0);
    expect(await Promise.all(others.map(uidOf))).toEqual(uids);
    expect(read((await create({ user: "0" })).token).services[0]?.uid).toBe(String(uids[0]));
  });
});

describe("rooms", () => {
  type Created = { id: string };
  test("have unguessable names, in which nothing of a patient is", async () => {
    const made = (await run("createRoom", { name: "Visit of Jo" })) as Created;
    const again = (await run("createRoom", { name: "Visit of Jo" })) as Created;
    expect(made.id).toMatch(/^room-[\da-f]{32}$/);
    expect(again.id).not.toBe(made.id);
    expect(simulator.requests("agora")).toEqual([]);
  });

  test("are active while somebody is in them", async () => {
    expect(await run("getRoom", { id: room })).toMatchObject({ active: true, participants: 2 });
    await run("removeParticipant", { room, participant: "7" });
    expect(await run("listParticipants", { room })).toEqual({
      participants: [{ id: "2818048001", role: "host" }],
    });
    expect(await run("endRoom", { id: room })).toEqual({ id: room, ended: true });
    expect(await run("getRoom", { id: room })).toEqual({
      id: room,
      active: false,
      participants: 0,
    });
    expect(await run("listParticipants", { room })).toEqual({ participants: [] });
  });

  test("count hosts and audience where the clients are in live mode", async () => {
    const { live } = agoraSeeded;
    expect(await run("getRoom", { id: live })).toMatchObject({ participants: 2 });
    expect(await run("listParticipants", { room: live })).toEqual({
      participants: [
        { id: "1", role: "host" },
        { id: "2", role: "audience" },
      ],
    });
  });

  test("are named in every ban, since one without a room would hold in all of them", async () => {
    await run("removeParticipant", { room, participant: "patient-1", banMinutes: 60 });
    await run("endRoom", { id: room, lockMinutes: 5 });
    const bodies = simulator
      .requests("agora")
      .map(({ body }) => JSON.parse(Buffer.from(body).toString()) as object);
    expect(bodies).toEqual([
      {
        appid: keys.appId,
        cname: room,
        uid: await uidOf("patient-1"),
        time: 60,
        privileges: ["join_channel"],
      },
      { appid: keys.appId, cname: room, time: 5, privileges: ["join_channel"] },
    ]);
    const listed = (await run("listBans", {})) as { bans: { id: string; participant?: string }[] };
    expect(listed.bans).toHaveLength(3);
    const [, banned] = listed.bans;
    expect(banned).toMatchObject({ participant: String(await uidOf("patient-1")), room });
    await run("liftBan", { id: banned?.id });
    expect(await failureOf(run("liftBan", { id: banned?.id }))).toMatchObject({
      failure: "not_found",
    });
  });
});

describe("recordings", () => {
  type Started = { id: string; resource: string; room: string; uid: string };
  const start = (params: object = {}, values?: FieldValues) =>
    run("startRecording", { room, ...params }, values && { values }) as Promise<Started>;
  const sentBodies = () =>
    simulator
      .requests("agora")
      .filter(({ body }) => body.length)
      .map(
        ({ body }) =>
          JSON.parse(Buffer.from(body).toString()) as {
            clientRequest: { token: string };
          },
      );

  test("are admitted by a token of the recorder's own", async () => {
    const started = await start();
    const [acquired, begun] = sentBodies();
    expect(acquired).toEqual({
      cname: room,
      uid: started.uid,
      clientRequest: { scene: 0, resourceExpiredHour: 24, region: "NA" },
    });
    const { token, ...asked } = begun?.clientRequest ?? expect.fail();
    expect(admits(token, room, started.uid)).toBe(true);
    expect(admits(token, room, "7")).toBe(false);
    expect(admits(token, "room-other", started.uid)).toBe(false);
    expect(read(token).services[0]?.privileges).toEqual({ 1: 0 });
    expect(asked).toMatchObject({
      storageConfig: {
        vendor: 1,
        region: 0,
        bucket: "riverside-recordings",
        accessKey: credentials["storageAccessKey"],
        secretKey: credentials["storageSecretKey"],
      },
      recordingFileConfig: { avFileType: ["hls", "mp4"] },
    });
    expect(await run("getRecording", started)).toMatchObject({
      status: "recording",
      files: [{ playable: true }],
    });
    expect(await run("stopRecording", started)).toMatchObject({ stopped: true, empty: false });
    const ended = run("getRecording", started);
    expect(await failureOf(ended)).toMatchObject({ failure: "not_found" });
  });

  test("have failed where the certificate is not the project's", async () => {
    const values = { ...credentials, appCertificate: "f".repeat(32) };
    const started = await start({}, values);
    expect(await run("getRecording", started)).toMatchObject({ status: "failed", files: [] });
  });

  test("of a room with nobody in it are empty, which is no failure", async () => {
    const started = await start({ room: "room-quiet" });
    expect(await run("stopRecording", started)).toMatchObject({ stopped: true, empty: true });
  });

  test("are not started twice under one number", async () => {
    await start({ uid: "527841" });
    const failure = await failureOf(start({ uid: "527841" }));
    expect(failure).toMatchObject({ failure: "invalid_request", vendorCode: "53" });
  });

  test("are not started without a place for them", async () => {
    const { storageBucket: _, ...values } = credentials;
    const failure = await failureOf(start({}, values));
    expect(failure.failure).toBe("not_configured");
    expect(simulator.requests("agora")).toEqual([]);
  });

  test("name their files, also where Agora answers with one name only", async () => {
    const { playlist } = agoraSeeded;
    expect(await run("getRecording", playlist)).toEqual({
      id: playlist.id,
      status: "stopping",
      files: [{ name: `${playlist.id}_room-old.m3u8` }],
    });
  });

  test.each([
    [201, 7, "invalid_request"],
    [206, 65, "vendor_unavailable"],
    [400, 400, "forbidden"],
    [400, 405, "forbidden"],
    [400, 406, "rate_limited"],
    [206, 435, undefined],
  ])("are understood when Agora answers %i with code %i", (status, code, cause) => {
    const reply = { status, headers: new Headers(), body: { code, reason: "" } };
    expect(vendor.failure?.(reply)?.cause).toBe(cause);
  });
});

describe("the test", () => {
  test("names the project, and knows its certificate", async () => {
    await expect(connected.test()).resolves.toMatchObject({ account: agoraSeeded.project });
    const projects = await run("listProjects", {});
    expect(JSON.stringify(projects)).not.toContain(keys.appCertificate);
  });

  test.each([
    ["another App ID", { appId: "a".repeat(32) }, "credentials_rejected"],
    ["another certificate", { appCertificate: "f".repeat(32) }, "credentials_rejected"],
    ["a project that is disabled", { appId: agoraSeeded.disabledAppId }, "forbidden"],
  ])("does not pass with %s", async (_name, wrong, cause) => {
    const failure = await failureOf(connected.test(connected.changed(wrong)));
    expect(failure.failure).toBe(cause);
    expect(failure.message).not.toContain(keys.appCertificate);
  });

  test("names each way in which it can fail", async () => {
    const wrong = { ...credentials, customerSecret: "0".repeat(32) };
    expect(await causesOf(connected, wrong)).toEqual({
      wrongKey: "credentials_rejected",
      // A customer secret does not expire: one that was deleted is answered like a wrong one.
      expiredKey: "credentials_rejected",
      missingScope: "forbidden",
      unreachable: "vendor_unavailable",
      tooMany: "rate_limited",
      garbage: "unexpected_reply",
    });
  });
});

describe("notifications", () => {
  const { verify, events } = vendor.webhooks ?? expect.fail();
  const now = 1_795_435_200;
  const values = { ...credentials, webhookToken: "unguessable-token" } as never;
  const url = "https://edge.example/webhooks/agora/1";
  async function sent(type: string, body?: object) {
    const { webhook } = simulator.simulation("agora");
    const request = (await webhook?.({ url, credentials, type, body, now })) ?? expect.fail();
    const bytes = new Uint8Array(await request.arrayBuffer());
    return { method: "POST", url, headers: request.headers, body: bytes };
  }

  test("are signed by each product with its own secret", async () => {
    for (const type of ["user.joined", "recording.uploaded"]) {
      const incoming = await sent(type);
      expect(await verify.verify(incoming, values, now), type).toEqual({ ok: true });
      expect(events(incoming)).toEqual([
        { id: expect.any(String), type, occurredAt: "2026-11-23T12:00:00.000Z" },
      ]);
    }
  });

  test("are refused with the older signature alone", async () => {
    const incoming = await sent("user.joined");
    incoming.headers.delete("agora-signature-v2");
    expect(await verify.verify(incoming, values, now)).toMatchObject({ reason: "missing" });
    const sha1 = createHmac("sha1", "exampleNcs0").update(incoming.body).digest("hex");
    incoming.headers.set("agora-signature-v2", sha1);
    expect(await verify.verify(incoming, values, now)).toMatchObject({ reason: "mismatch" });
  });

  test("keep their time on a retry, and their number where the kind is not known", async () => {
    const [again] = events(await sent("user.joined", { notifyMs: (now + 90) * 1000 }));
    expect(again?.occurredAt).toBe("2026-11-23T12:00:00.000Z");
    const unknown = { noticeId: "2000001428:4330:9", productId: 1, eventType: 9, payload: {} };
    expect(events(await sent("user.joined", unknown))).toEqual([
      { id: "2000001428:4330:9", type: "1.9", occurredAt: "2026-11-23T12:00:00.000Z" },
    ]);
  });
});

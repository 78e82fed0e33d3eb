import { createHmac } from "node:crypto";
import { createRequire } from "node:module";

import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";

import { agoraEvents } from "../handlers/agora-webhooks.ts";
import {
  basicCredentials,
  defineSimulation,
  idSequence,
  isSame,
  unixNow,
  type WebhookOptions,
} from "./define.ts";

type Parsed = {
  appId: Uint8Array;
  issueTs: number;
  expire: number;
  salt: number;
  services: {
    __channel_name: Uint8Array;
    __uid: Uint8Array;
    __privileges: Record<string, number>;
  }[];
  from_string: (token: string) => boolean;
  verifySignature: (certificate: string) => boolean;
};
/** Agora's own reader of the tokens; of its types only the builders are declared. */
const { AccessToken2 } = createRequire(import.meta.url)("agora-token/src/AccessToken2.js") as {
  AccessToken2: new (appId: string, certificate: string, issued: number, expire: number) => Parsed;
};

/** What a token says, and whether the certificate signed it, by Agora's own package. */
export function readToken(token: unknown, certificate: string) {
  const parsed = new AccessToken2("", "", 0, 0);
  if (typeof token !== "string" || !parsed.from_string(token)) return undefined;
  const { appId, issueTs, expire, salt } = parsed;
  return {
    genuine: parsed.verifySignature(certificate),
    appId: String(appId),
    issueTs,
    expire,
    salt,
    services: parsed.services.map(({ __channel_name, __uid, __privileges }) => ({
      channel: String(__channel_name),
      uid: String(__uid),
      privileges: __privileges,
    })),
  };
}

const credentials = {
  appId: "970ca35de60c44645bbae8a215061b33",
  appCertificate: "5cfd2fd1755d40ecb72977518be15d3b",
  customerId: "32f2b5f0c6d94ae6a3b0c1d2e3f40516",
  customerSecret: "c0ffee00c0ffee00c0ffee00c0ffee00",
  recordingEnabled: true,
  storageVendor: "1",
  storageRegion: 0,
  storageBucket: "riverside-recordings",
  storageAccessKey: "AKIAEXAMPLEEXAMPLE00",
  storageSecretKey: "exampleSecretKeyOfTheBucket0000000000000",
  recordingRegion: "NA",
  notificationSecret: "exampleNcs0 exampleNcs1",
};
export const agoraSeeded = {
  room: "room-0f8fad5bd9cb469fa16570867728950e",
  /** In live mode: one host, one listener. */
  live: "room-7c9e6679742540de944be07fc1f90ae7",
  /** Stopping, with a playlist and no MP4. */
  playlist: { id: "9d8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b", resource: "PlaylistOnlyExample" },
  disabledAppId: "e5f1a2b3c4d5e6f708192a3b4c5d6e7f",
  project: "Riverside Clinic",
};

type Rule = { id: number; cname?: string; uid?: number } & Record<string, unknown>;
type Task = { resourceId: string; cname: string; uid: string; sid?: string; status: number };

const refusal = (status: number, message: string) => Response.json({ message }, { status });
const refusalOfCode = (status: number, code: number, reason: string) =>
  Response.json({ code, reason }, { status });
function refuse(response: Response): never {
  throw new HTTPException(response.status as 400, { res: response });
}

/** What the recorder's token must say, as the servers that admit it to the channel check it. */
export function admits(text: unknown, channel: string, uid: string): boolean {
  const token = readToken(text, credentials.appCertificate);
  const [service] = token?.services ?? [];
  return (
    token?.genuine === true &&
    token.appId === credentials.appId &&
    token.issueTs <= unixNow() + 60 &&
    token.issueTs + token.expire > unixNow() &&
    service?.channel === channel &&
    service.uid === uid &&
    "1" in service.privileges
  );
}

export const simulation = defineSimulation(() => {
  const ids = idSequence("agora");
  const channels = new Map<string, number[]>();
  const rules = new Map<number, Rule>();
  const tasks = new Map<string, Task>();
  let lastRule = 1952;

  function seed() {
    for (const each of [channels, rules, tasks]) each.clear();
    ids.reset();
    lastRule = 1952;
    channels.set(agoraSeeded.room, [7, 2_818_048_001]);
    const { id: sid, resource: resourceId } = agoraSeeded.playlist;
    tasks.set(resourceId, { resourceId, sid, cname: "room-old", uid: "5", status: 6 });
    rules.set(lastRule, {
      id: lastRule,
      appid: credentials.appId,
      cname: "room-ended",
      opid: 1405,
      ts: new Date((unixNow() + 600) * 1000).toISOString(),
      privileges: ["join_channel"],
    });
  }
  seed();

  const app = new Hono();
  app.notFound(() => refusal(404, "no Route matched with those values"));
  app.use("*", async (c, next) => {
    const given = basicCredentials(c.req.raw);
    if (!given) return refusal(401, "Unauthorized");
    if (
      !isSame(credentials.customerId, given.user) ||
      !isSame(credentials.customerSecret, given.password)
    )
      return refusal(401, "Invalid authentication credentials");
    return next();
  });
  type Sent = Record<string, unknown>;
  const bodyOf = async (request: Request): Promise<Sent> => {
    if (request.headers.get("content-type")?.split(";")[0] !== "application/json")
      return refuse(refusal(415, "Unsupported media type"));
    return request.json().catch(() => refuse(refusal(400, "invalid JSON"))) as Promise<Sent>;
  };
  const own = (appId: unknown) =>
    appId === credentials.appId || refuse(refusal(400, "invalid appid"));

  const project = (
    id: string,
    name: string,
    appId: string,
    certificate: string,
    status: number,
  ) => ({
    id,
    name,
    vendor_key: appId,
    sign_key: certificate,
    recording_server: null,
    status,
    created: 1_795_435_200,
  });
  app.get("/dev/v1/projects", (c) =>
    c.json({
      projects: [
        project("0aA1", "Retired", agoraSeeded.disabledAppId, "", 0),
        project("7sdnf3xRH", agoraSeeded.project, credentials.appId, credentials.appCertificate, 1),
      ],
    }),
  );

  app.get("/dev/v1/channel/user/:appId/:channel", (c) => {
    own(c.req.param("appId"));
    if (c.req.param("channel") === agoraSeeded.live)
      return c.json({
        success: true,
        data: {
          channel_exist: true,
          mode: 2,
          broadcasters: [1],
          audience: [2],
          audience_total: 1,
        },
      });
    const users = channels.get(c.req.param("channel"));
    if (!users) return c.json({ success: true, data: { channel_exist: false } });
    return c.json({
      success: true,
      data: { channel_exist: true, mode: 1, total: users.length, users },
    });
  });

  app.get("/dev/v1/kicking-rule", (c) => {
    own(c.req.query("appid"));
    return c.json({ status: "success", rules: [...rules.values()] });
  });
  app.post("/dev/v1/kicking-rule", async (c) => {
    const { appid, cname, uid, time = 60, privileges } = await bodyOf(c.req.raw);
    own(appid);
    if (!Array.isArray(privileges) || privileges.length === 0)
      return refusal(400, "privileges is invalid");
    if (cname === undefined && uid === undefined) return refusal(400, "rule is empty");
    if (uid !== undefined && !(Number.isInteger(uid) && Number(uid) > 0))
      return refusal(400, "uid is invalid");
    lastRule += 1;
    const room = String(cname);
    if (privileges.includes("join_channel")) {
      const left = (channels.get(room) ?? []).filter((each) => uid !== undefined && each !== uid);
      if (left.length) channels.set(room, left);
      else channels.delete(room);
    }
    const minutes = Math.min(Number(time), 1440);
    if (minutes > 0)
      rules.set(lastRule, {
        id: lastRule,
        appid,
        ...(cname !== undefined && { cname: room }),
        ...(uid !== undefined && { uid: Number(uid) }),
        opid: 1406,
        ts: new Date((unixNow() + minutes * 60) * 1000).toISOString(),
        privileges,
        createAt: new Date().toISOString(),
        updateAt: new Date().toISOString(),
      });
    return c.json({ status: "success", id: lastRule });
  });
  app.delete("/dev/v1/kicking-rule", async (c) => {
    const { appid, id } = await bodyOf(c.req.raw);
    own(appid);
    if (!rules.delete(Number(id))) return refusal(404, "rule not found");
    return c.json({ status: "success", id });
  });

  const recordings = app.basePath("/v1/apps/:appId/cloud_recording");
  recordings.use("*", async (c, next) => {
    if (c.req.param("appId") !== credentials.appId) return refusal(400, "appid is invalid");
    return next();
  });
  const who = (sent: Sent) => {
    const { cname, uid, clientRequest } = sent;
    if (typeof cname !== "string" || typeof uid !== "string" || !/^[1-9]\d{0,9}$/.test(uid))
      return refuse(refusalOfCode(400, 2, "invalid cname or uid"));
    if (!(clientRequest instanceof Object))
      return refuse(refusalOfCode(400, 2, "clientRequest is required"));
    return { cname, uid, asks: clientRequest as Sent };
  };
  recordings.post("/acquire", async (c) => {
    const { cname, uid, asks } = who(await bodyOf(c.req.raw));
    const hours = asks["resourceExpiredHour"] ?? 72;
    if (!(Number(hours) >= 1 && Number(hours) <= 720))
      return refusalOfCode(400, 2, "Acquire: invalid resourceExpiredHour value!");
    const task = { resourceId: ids.letters("", 40), cname, uid, status: 0 };
    tasks.set(task.resourceId, task);
    return c.json({ cname, uid, resourceId: task.resourceId });
  });
  recordings.post("/resourceid/:resource/mode/mix/start", async (c) => {
    const { cname, uid, asks } = who(await bodyOf(c.req.raw));
    const task = tasks.get(c.req.param("resource"));
    if (!task || task.cname !== cname || task.uid !== uid)
      return refusalOfCode(400, 2, "Start: invalid resource");
    if (task.sid) return refusalOfCode(201, 7, "already started");
    const going = [...tasks.values()].some(
      (other) => other.sid && other.cname === cname && other.uid === uid && other.status < 7,
    );
    if (going) return refusalOfCode(400, 53, "task conflict");
    const storage = asks["storageConfig"] as Sent | undefined;
    const complete = ["vendor", "region", "bucket", "accessKey", "secretKey"].every(
      (name) => storage?.[name] !== undefined,
    );
    if (!complete) return refusalOfCode(400, 2, "Start: invalid storageConfig");
    const files = (asks["recordingFileConfig"] as Sent | undefined)?.["avFileType"] ?? ["hls"];
    if (!(Array.isArray(files) && files.includes("hls")))
      return refusalOfCode(400, 2, "Start: invalid avFileType");
    // The servers of the channel would not let it in: it starts, and exits with an error.
    const admitted = admits(asks["token"], cname, uid);
    Object.assign(task, { sid: ids.hex("", 32), status: admitted ? 5 : 20 });
    return c.json({ cname, uid, resourceId: task.resourceId, sid: task.sid });
  });
  const running = (resource: string, sid: string) => {
    const task = tasks.get(resource);
    if (task?.sid === sid && task.status !== 8) return task;
    return refuse(refusalOfCode(404, 404, "failed to find worker"));
  };
  recordings.get("/resourceid/:resource/sid/:sid/mode/mix/query", (c) => {
    const { status, ...task } = running(c.req.param("resource"), c.req.param("sid"));
    const fileList = [
      {
        fileName: `${task.sid}_${task.cname}_0.mp4`,
        trackType: "audio_and_video",
        uid: "0",
        mixedAllUser: true,
        isPlayable: true,
        sliceStartTime: Date.now(),
      },
    ];
    const files =
      task.resourceId === agoraSeeded.playlist.resource
        ? { fileListMode: "string", fileList: `${task.sid}_${task.cname}.m3u8` }
        : status === 5 && { fileListMode: "json", fileList };
    return c.json({ ...task, serverResponse: { status, ...files } });
  });
  recordings.post("/resourceid/:resource/sid/:sid/mode/mix/stop", async (c) => {
    const { cname, uid } = who(await bodyOf(c.req.raw));
    const task = running(c.req.param("resource"), c.req.param("sid"));
    if (task.cname !== cname || task.uid !== uid)
      return refusalOfCode(400, 2, "Stop: invalid cname or uid");
    task.status = 8;
    if (!channels.has(cname)) return refusalOfCode(206, 435, "no recorded data");
    return c.json({ cname, uid, resourceId: task.resourceId, sid: task.sid, serverResponse: {} });
  });

  async function call(path: string, body: object) {
    const { customerId, customerSecret } = credentials;
    const answer = await app.request(path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Basic ${btoa(`${customerId}:${customerSecret}`)}`,
      },
      body: JSON.stringify(body),
    });
    return (await answer.json()) as { resourceId: string; sid: string };
  }
  /** A recording that is there to be read and stopped. */
  async function started() {
    const path = `/v1/apps/${credentials.appId}/cloud_recording`;
    const { room } = agoraSeeded;
    const uid = "527841";
    const { resourceId } = await call(`${path}/acquire`, { cname: room, uid, clientRequest: {} });
    const task = tasks.get(resourceId);
    const sid = ids.hex("", 32);
    if (task) Object.assign(task, { sid, status: 5 });
    return { id: sid, resource: resourceId, room, uid };
  }

  async function webhook({
    url,
    credentials: given,
    type = "user.joined",
    body: more,
    now: at = unixNow(),
  }: WebhookOptions) {
    const [found] = Object.entries(agoraEvents).flatMap(([product, events]) =>
      Object.entries(events)
        .filter(([, name]) => name === type)
        .map(([event]) => ({ productId: Number(product), eventType: Number(event) })),
    );
    const { room } = agoraSeeded;
    const payload = type.startsWith("recording.")
      ? {
          cname: room,
          uid: "527841",
          sid: ids.hex("", 32),
          sequence: 0,
          sendts: at * 1000,
          serviceType: 0,
          details: { msgName: type },
        }
      : {
          channelName: room,
          ts: at,
          ...(!type.startsWith("channel.") && { uid: 7, platform: 1, clientSeq: at * 1000 }),
        };
    const notice = {
      noticeId: `${ids.hex("", 10)}:4330:${found?.eventType}`,
      productId: 1,
      eventType: 0,
      ...found,
      notifyMs: at * 1000,
      payload,
      ...(more as object | undefined),
    };
    const body = JSON.stringify(notice);
    // Each product signs with its own secret.
    const secrets = String(given["notificationSecret"] ?? "").split(" ");
    const secret = (notice.productId === 3 ? secrets[1] : undefined) ?? secrets[0] ?? "";
    const signed = (hash: string) => createHmac(hash, secret).update(body).digest("hex");
    return new Request(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "agora-signature": signed("sha1"),
        "agora-signature-v2": signed("sha256"),
      },
      body,
    });
  }

  return {
    hosts: ["api.agora.io", "api.sd-rtn.com"],
    app,
    credentials,
    webhook,
    params: {
      liftBan: () => ({ id: "1952" }),
      getRecording: async () => {
        const { id, resource } = await started();
        return { id, resource };
      },
      stopRecording: started,
    },
    faults: {
      rate_limited: () => refusal(429, "API rate limit exceeded"),
      server_error: () => refusalOfCode(500, 500, "internal_error"),
      expired_credentials: () => refusal(401, "Invalid authentication credentials"),
      forbidden: () => refusal(403, "Forbidden"),
    },
    reset: seed,
  };
});

import * as z from "zod";

import { Channel } from "./agora-channels.ts";
import { type AgoraKeys, joinToken } from "./agora-token.ts";
import { operation } from "./define.ts";
import { notConfigured } from "./failure.ts";

const service = "https://api.sd-rtn.com/v1/apps/{appId}/cloud_recording";
const task = `${service}/resourceid/{resource}/sid/{id}/mode/mix`;

export type AgoraStorage = {
  storageVendor?: string | undefined;
  storageRegion?: number | undefined;
  storageBucket?: string | undefined;
  storageAccessKey?: string | undefined;
  storageSecretKey?: string | undefined;
  recordingRegion?: string | undefined;
};

function storageOf(values: AgoraStorage) {
  const { storageVendor, storageRegion, storageBucket, storageAccessKey, storageSecretKey } =
    values;
  if (!storageVendor || !storageBucket || !storageAccessKey || !storageSecretKey)
    throw notConfigured(
      "Recordings need a place in your cloud storage: add one to the integration first",
    );
  return {
    vendor: Number(storageVendor),
    region: storageRegion ?? 0,
    bucket: storageBucket,
    accessKey: storageAccessKey,
    secretKey: storageSecretKey,
  };
}

const Uid = z.string().regex(/^[1-9]\d{0,9}$/, "A number from 1 to 4294967295");
const Resource = z.string().min(1).max(2000);
const Sid = z.string().regex(/^[\w-]{1,100}$/);

const Acquired = z.object({ resourceId: z.string() });
const Started = z.object({ resourceId: z.string(), sid: z.string() });

const File = z.object({
  fileName: z.string(),
  isPlayable: z.boolean().optional(),
  /** As far as a Date reaches. */
  sliceStartTime: z.number().min(0).max(8_640_000_000_000_000).optional().catch(undefined),
});
const State = z.object({
  serverResponse: z.object({
    status: z.number(),
    fileList: z.union([z.string(), z.array(File)]).optional(),
  }),
});

const states: Readonly<Record<number, "starting" | "recording" | "stopping" | "stopped">> = {
  0: "starting",
  1: "starting",
  2: "starting",
  3: "starting",
  4: "starting",
  5: "recording",
  6: "stopping",
  7: "stopped",
  8: "stopped",
};

const FileView = z.object({
  name: z.string(),
  playable: z.boolean().optional(),
  startedAt: z.string().optional(),
});
function filesOf(list: z.output<typeof State>["serverResponse"]["fileList"]) {
  if (typeof list === "string") return list ? [{ name: list }] : [];
  return (list ?? []).map(({ fileName, isPlayable, sliceStartTime: at }) => ({
    name: fileName,
    playable: isPlayable,
    // Said to be seconds, and milliseconds in Agora's own examples.
    startedAt: at ? new Date(at > 1e11 ? at : at * 1000).toISOString() : undefined,
  }));
}

const daySeconds = 86_400;

const room = "room-0f8fad5bd9cb469fa16570867728950e";
const resource = "JyvK8nXHuV1BExample";
const sid = "38f8e3cfdc474cd56fc1ceba380d7e1a";
const apps = "https://api.sd-rtn.com/v1/apps/970ca35de60c44645bbae8a215061b33/cloud_recording";
const running = `${apps}/resourceid/${resource}/sid/${sid}/mode/mix`;
const said = { cname: room, uid: "527841", resourceId: resource };

/** docs.agora.io, Cloud Recording: everybody in one picture, put straight into your own storage. */
export const agoraRecordings = {
  startRecording: operation({
    title: "Start to record a video room",
    description:
      "Somebody invisible joins and records everybody in one picture, for a day at most. Agora has no list of recordings: keep what this answers, by which the recording is read and stopped.",
    effect: "write",
    params: z.object({
      room: Channel,
      /** The recorder's number, which nobody else in the room may have. Random if left out. */
      uid: Uid.optional(),
      layout: z.enum(["floating", "grid"]).default("grid"),
      /** Of the channel: as the clients join it. */
      mode: z.enum(["communication", "live"]).default("communication"),
      /** It stops by itself when nobody was in the room for that long. */
      idleSeconds: z.number().int().min(5).max(3600).default(30),
      /** In your bucket: letters and digits. */
      folder: z
        .array(z.string().regex(/^[A-Za-z0-9]{1,60}$/))
        .max(2)
        .optional(),
    }),
    result: z.object({ id: z.string(), resource: z.string(), room: z.string(), uid: z.string() }),
    example: {
      params: { room, uid: "527841" },
      wire: [
        { request: `POST ${apps}/acquire`, reply: said },
        {
          request: `POST ${apps}/resourceid/${resource}/mode/mix/start`,
          reply: { ...said, sid },
        },
      ],
      result: { id: sid, resource, room, uid: "527841" },
    },
    async run(api, params, values: AgoraKeys & AgoraStorage) {
      const storageConfig = storageOf(values);
      const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
      const uid = params.uid ?? String(random || 1);
      const who = { cname: params.room, uid };
      const { recordingRegion: region } = values;
      const acquired = await api.post(`${service}/acquire`, Acquired, {
        json: {
          ...who,
          clientRequest: { scene: 0, resourceExpiredHour: 24, ...(region && { region }) },
        },
      });
      const { token } = await joinToken(values, {
        channel: params.room,
        uid: Number(uid),
        may: ["join"],
        seconds: daySeconds,
      });
      const start = `${service}/resourceid/{resource}/mode/mix/start`;
      const started = await api.post(start, Started, {
        path: { resource: acquired.resourceId },
        json: {
          ...who,
          clientRequest: {
            token,
            storageConfig: {
              ...storageConfig,
              ...(params.folder && { fileNamePrefix: params.folder }),
            },
            recordingConfig: {
              channelType: params.mode === "live" ? 1 : 0,
              maxIdleTime: params.idleSeconds,
              streamTypes: 2,
              transcodingConfig: {
                width: 1280,
                height: 720,
                fps: 15,
                bitrate: 1130,
                mixedVideoLayout: params.layout === "grid" ? 1 : 0,
              },
            },
            recordingFileConfig: { avFileType: ["hls", "mp4"] },
          },
        },
      });
      return { id: started.sid, resource: started.resourceId, room: params.room, uid };
    },
  }),
  getRecording: operation({
    title: "Read a running recording",
    description:
      "Agora forgets it when it has ended: the event recording.uploaded names its files.",
    effect: "read",
    params: z.object({ id: Sid, resource: Resource }),
    result: z.object({
      id: z.string(),
      status: z.enum(["starting", "recording", "stopping", "stopped", "failed"]),
      files: z.array(FileView),
    }),
    example: {
      params: { id: sid, resource },
      wire: [
        {
          request: `GET ${running}/query`,
          reply: {
            ...said,
            sid,
            serverResponse: {
              status: 5,
              fileListMode: "json",
              fileList: [
                {
                  fileName: `${sid}_0.mp4`,
                  trackType: "audio_and_video",
                  uid: "0",
                  mixedAllUser: true,
                  isPlayable: true,
                  sliceStartTime: 1_795_435_200_000,
                },
              ],
            },
          },
        },
      ],
      result: {
        id: sid,
        status: "recording",
        files: [{ name: `${sid}_0.mp4`, playable: true, startedAt: "2026-11-23T12:00:00.000Z" }],
      },
    },
    async run(api, path) {
      const { serverResponse: said } = await api.get(`${task}/query`, State, { path });
      const status = states[said.status] ?? ("failed" as const);
      return { id: path.id, status, files: filesOf(said.fileList) };
    },
  }),
  stopRecording: operation({
    title: "Stop a recording",
    description:
      "Answers at once; what was recorded is still being uploaded. `empty`: nobody was heard or seen.",
    effect: "write",
    params: z.object({ id: Sid, resource: Resource, room: Channel, uid: Uid }),
    result: z.object({ id: z.string(), stopped: z.literal(true), empty: z.boolean() }),
    example: {
      params: { id: sid, resource, room, uid: "527841" },
      wire: [{ request: `POST ${running}/stop`, reply: { ...said, sid } }],
      result: { id: sid, stopped: true, empty: false },
    },
    async run(api, { uid, id, resource: of, ...params }) {
      const { code } = await api.post(`${task}/stop`, z.object({ code: z.number().optional() }), {
        path: { id, resource: of },
        json: { cname: params.room, uid, clientRequest: { async_stop: true } },
      });
      return { id, stopped: true as const, empty: code === nothingRecorded };
    },
  }),
};

const nothingRecorded = 435;

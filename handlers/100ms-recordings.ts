import * as z from "zod";

import { Id, nextOf, pageOf, Paging } from "./100ms-paging.ts";
import { operation } from "./define.ts";

type Choices = { transcriptionEnabled?: boolean | undefined };

const Asset = z.object({
  id: z.string(),
  type: z.string(),
  status: z.string(),
  duration: z.number().nullish(),
  size: z.number().nullish(),
});
const Recording = z.object({
  id: z.string(),
  room_id: z.string(),
  session_id: z.string().nullish(),
  status: z.string(),
  started_at: z.string().nullish(),
  stopped_at: z.string().nullish(),
  recording_assets: z.array(Asset).nullish(),
});
const Recorded = z.object({
  id: z.string(),
  room: z.string(),
  session: z.string().optional(),
  /** `starting`, `running`, `stopping`, `post_processing`, `completed` or `failed`. */
  status: z.string(),
  startedAt: z.string().optional(),
  stoppedAt: z.string().optional(),
  /** Video, chat, transcript and summary, once they are there. */
  assets: z.array(
    z.object({
      id: z.string(),
      kind: z.string(),
      status: z.string(),
      seconds: z.number().optional(),
      bytes: z.number().optional(),
    }),
  ),
});
const recorded = (found: z.output<typeof Recording>): z.input<typeof Recorded> => ({
  id: found.id,
  room: found.room_id,
  session: found.session_id ?? undefined,
  status: found.status,
  startedAt: found.started_at ?? undefined,
  stoppedAt: found.stopped_at ?? undefined,
  assets: (found.recording_assets ?? []).map(({ id, type, status, duration, size }) => ({
    id,
    kind: type,
    status,
    seconds: duration ?? undefined,
    bytes: size ?? undefined,
  })),
});

const room = "631b2654f771854d9bf633df";
const job = "642531cf94091a5af841456d";
const asset = "6425320e94091a5af841456f";
const exampleJob = {
  id: job,
  room_id: room,
  session_id: "642531c8becbb0bb81952e36",
  status: "starting",
  started_at: null,
  stopped_at: null,
  recording_assets: null,
};
const exampleRecorded = {
  id: job,
  room,
  session: "642531c8becbb0bb81952e36",
  status: "starting",
  assets: [],
};

/** 100ms.live/docs/server-side/v2, Recordings and Recording Assets. */
export const hmsRecordings = {
  startRecording: operation({
    title: "Start recording a room",
    description:
      "Somebody must be in it. With `transcribe`, a transcript and a summary follow some minutes after the visit.",
    effect: "write",
    params: z.object({
      room: Id,
      audioOnly: z.boolean().optional(),
      transcribe: z.boolean().optional(),
      /** Needed where the template has no subdomain: the page that the recorder joins by. */
      meetingUrl: z.url({ protocol: /^https$/ }).optional(),
    }),
    result: Recorded,
    example: {
      params: { room },
      wire: [{ request: `POST /v2/recordings/room/${room}/start`, reply: exampleJob }],
      result: exampleRecorded,
    },
    async run(api, { room, audioOnly, transcribe, meetingUrl }, values: Choices) {
      const written = transcribe ?? values.transcriptionEnabled ?? false;
      return recorded(
        await api.post("/recordings/room/{room}/start", Recording, {
          path: { room },
          json: {
            ...(meetingUrl && { meeting_url: meetingUrl }),
            ...(audioOnly && { audio_only: true }),
            ...(written && { transcription: { enabled: true, summary: { enabled: true } } }),
          },
        }),
      );
    },
  }),
  stopRecording: operation({
    title: "Stop recording a room",
    effect: "write",
    params: z.object({ room: Id }),
    result: z.object({ recordings: z.array(Recorded) }),
    example: {
      params: { room },
      wire: [
        {
          request: `POST /v2/recordings/room/${room}/stop`,
          reply: { limit: 10, data: [{ ...exampleJob, status: "stopping" }], last: job },
        },
      ],
      result: { recordings: [{ ...exampleRecorded, status: "stopping" }] },
    },
    async run(api, { room }) {
      const call = { path: { room }, json: {} };
      const { data } = await api.post("/recordings/room/{room}/stop", pageOf(Recording), call);
      return { recordings: data.map(recorded) };
    },
  }),
  getRecording: operation({
    title: "Read a recording and its files",
    effect: "read",
    params: z.object({ id: Id }),
    result: Recorded,
    example: {
      params: { id: job },
      wire: [
        {
          request: `GET /v2/recordings/${job}`,
          reply: {
            ...exampleJob,
            status: "completed",
            started_at: "2026-11-23T12:00:00.000Z",
            stopped_at: "2026-11-23T12:00:55.000Z",
            recording_assets: [
              {
                id: asset,
                type: "room-composite",
                status: "completed",
                duration: 55,
                size: 26_361_961,
              },
            ],
          },
        },
      ],
      result: {
        ...exampleRecorded,
        status: "completed",
        startedAt: "2026-11-23T12:00:00.000Z",
        stoppedAt: "2026-11-23T12:00:55.000Z",
        assets: [
          {
            id: asset,
            kind: "room-composite",
            status: "completed",
            seconds: 55,
            bytes: 26_361_961,
          },
        ],
      },
    },
    run: async (api, { id }) =>
      recorded(await api.get("/recordings/{id}", Recording, { path: { id } })),
  }),
  listRecordings: operation({
    title: "List recordings",
    effect: "read",
    params: z.object({ room: Id.optional(), session: Id.optional(), ...Paging }),
    result: z.object({ recordings: z.array(Recorded), next: z.string().optional() }),
    example: {
      params: { room },
      wire: [
        {
          request: `GET /v2/recordings?room_id=${room}&limit=20`,
          reply: { limit: 20, data: [{ ...exampleJob, status: "running" }], last: job },
        },
      ],
      result: { recordings: [{ ...exampleRecorded, status: "running" }] },
    },
    async run(api, { room, session, limit, cursor }) {
      const query = { room_id: room, session_id: session, limit, start: cursor };
      const page = await api.get("/recordings", pageOf(Recording), { query });
      return { recordings: page.data.map(recorded), ...nextOf(limit, page) };
    },
  }),
  getRecordingLink: operation({
    title: "Get a link to a file of a recording",
    effect: "read",
    params: z.object({
      asset: Id,
      /** How long the link holds. */
      seconds: z.number().int().min(60).max(86_400).default(3600),
    }),
    result: z.object({ url: z.string(), seconds: z.number() }),
    example: {
      params: { asset },
      wire: [
        {
          request: `GET /v2/recording-assets/${asset}/presigned-url?presign_duration=3600`,
          reply: {
            id: asset,
            path: "visits/1.mp4",
            url: "https://recordings.example/1",
            expiry: 3600,
          },
        },
      ],
      result: { url: "https://recordings.example/1", seconds: 3600 },
    },
    async run(api, { asset, seconds }) {
      const reply = z.object({ url: z.string(), expiry: z.number() });
      const { url, expiry } = await api.get("/recording-assets/{asset}/presigned-url", reply, {
        path: { asset },
        query: { presign_duration: seconds },
      });
      return { url, seconds: expiry };
    },
  }),
};

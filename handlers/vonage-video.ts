import * as z from "zod";

import { operation } from "./define.ts";
import { signVonage, type VonageKeys } from "./vonage-keys.ts";

const project = "https://video.api.vonage.com/v2/project/{applicationId}";

const SessionId = z.string().regex(/^[12]_[\w~=-]{10,200}$/, "A session id starts 1_ or 2_");
const ArchiveId = z.uuid();

const Archive = z.object({
  id: z.string(),
  sessionId: z.string().nullish(),
  status: z.string().nullish(),
  name: z.string().nullish(),
  /** As far as a Date reaches. */
  createdAt: z.number().min(0).max(8_640_000_000_000_000).nullish().catch(undefined),
  duration: z.number().nullish(),
  size: z.number().nullish(),
  url: z.string().nullish(),
  reason: z.string().nullish(),
});
const Recording = z.object({
  id: z.string(),
  status: z.string(),
  room: z.string().optional(),
  name: z.string().optional(),
  startedAt: z.string().optional(),
  seconds: z.number().optional(),
  bytes: z.number().optional(),
  /** Where it can be downloaded for ten minutes; not where the application uploads it elsewhere. */
  url: z.string().optional(),
  error: z.string().optional(),
});
const recording = (archive: z.output<typeof Archive>): z.input<typeof Recording> => ({
  id: archive.id,
  status: archive.status ?? "unknown",
  room: archive.sessionId ?? undefined,
  name: archive.name || undefined,
  startedAt: archive.createdAt ? new Date(archive.createdAt).toISOString() : undefined,
  seconds: archive.duration ?? undefined,
  bytes: archive.size ?? undefined,
  url: archive.url || undefined,
  error: archive.reason || undefined,
});

const root = "https://video.api.vonage.com/v2/project/78d335fa-323d-4114-9c3d-d6f0d48968cf";
const session = "2_MX43OGQzMzVmYS0zMjNkLTQxMTQtOWMzZC1kNmYwZDQ4OTY4Y2Z-fjE3OTU0MzUyMDA";
const connection = "b30d09bf-7e97-42f1-a7f7-b0c6ddcd2b8e";
const exampleArchive = {
  id: "b40ef09b-3811-4726-b508-e41a0f96c68f",
  sessionId: session,
  status: "started",
  name: "Visit 42",
  createdAt: 1_795_435_200_000,
  duration: 0,
  size: 0,
  url: null,
  reason: "",
};
const exampleRecording = {
  id: exampleArchive.id,
  status: "started",
  room: session,
  name: "Visit 42",
  startedAt: "2026-11-23T12:00:00.000Z",
  seconds: 0,
  bytes: 0,
};

const archiveStep = (
  step: "" | "/stop",
  { title, status, ...rest }: { title: string; status: string; idempotent?: true },
) =>
  operation({
    ...rest,
    title,
    effect: step ? "write" : "read",
    params: z.object({ id: ArchiveId }),
    result: Recording,
    example: {
      params: { id: exampleArchive.id },
      wire: [
        {
          request: `${step ? "POST" : "GET"} ${root}/archive/${exampleArchive.id}${step}`,
          reply: { ...exampleArchive, status },
        },
      ],
      result: { ...exampleRecording, status },
    },
    async run(api, { id }) {
      const call = { path: { id } };
      const path = `${project}/archive/{id}${step}`;
      return recording(await (step ? api.post(path, Archive, call) : api.get(path, Archive, call)));
    },
  });

/** developer.vonage.com/en/api/video. A session ends by itself when the last person leaves it. */
export const vonageVideo = {
  createVideoSession: operation({
    title: "Create a video session",
    description:
      "Vonage keeps no name of a session: its id is what a token is made for. `record` records it whenever somebody is in it.",
    effect: "write",
    capability: "video.room.create",
    params: z.object({
      name: z.string().min(1).max(100),
      description: z.string().max(500).optional(),
      record: z.boolean().default(false),
      /** Media goes through Vonage's servers, which recording needs, or straight between two people. */
      mediaMode: z.enum(["routed", "relayed"]).default("routed"),
      /** IP address near which the session is to live. */
      location: z.ipv4().optional(),
    }),
    result: z.object({ id: z.string(), name: z.string() }),
    example: {
      params: { name: "Visit 42" },
      wire: [
        {
          request: "POST https://video.api.vonage.com/session/create",
          reply: [{ session_id: session, project_id: root.slice(-36) }],
        },
      ],
      result: { id: session, name: "Visit 42" },
    },
    async run(api, { name, record, mediaMode, location }) {
      const reply = z.tuple([z.object({ session_id: z.string() })], z.unknown());
      const [created] = await api.post("https://video.api.vonage.com/session/create", reply, {
        form: {
          archiveMode: record ? "always" : "manual",
          "p2p.preference": mediaMode === "relayed" ? "enabled" : "disabled",
          location,
        },
      });
      return { id: created.session_id, name };
    },
  }),
  createVideoToken: operation({
    title: "Let somebody into a video session",
    description: "Signed here, without a call. A host may mute and remove others.",
    effect: "read",
    capability: "video.token.create",
    params: z.object({
      room: SessionId,
      user: z.string().min(1).max(200),
      role: z.enum(["host", "guest"]).default("guest"),
      ttlSeconds: z.number().int().min(60).max(86_400).default(3600),
    }),
    result: z.object({
      token: z.string(),
      room: z.string(),
      applicationId: z.string(),
      expiresAt: z.string(),
    }),
    example: {
      params: { room: session, user: "patient-1" },
      wire: [],
      result: {
        token: "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.…",
        room: session,
        applicationId: root.slice(-36),
        expiresAt: "20…",
      },
    },
    async run(_api, { room, user, role, ttlSeconds }, keys: VonageKeys) {
      const claims = {
        scope: "session.connect",
        session_id: room,
        role: role === "host" ? "moderator" : "publisher",
        initial_layout_class_list: "",
        sub: "video",
        acl: { paths: { "/session/**": {} } },
        connection_data: user,
      };
      const { applicationId } = keys;
      return { ...(await signVonage(keys, claims, ttlSeconds)), room, applicationId };
    },
  }),
  listVideoStreams: operation({
    title: "List what is being sent in a video session",
    description: "Empty where nobody is in it.",
    effect: "read",
    params: z.object({ room: SessionId }),
    result: z.object({
      streams: z.array(
        z.object({
          id: z.string(),
          /** `camera`, `screen` or `custom`. */
          kind: z.string().optional(),
          name: z.string().optional(),
        }),
      ),
    }),
    example: {
      params: { room: session },
      wire: [
        {
          request: `GET ${root}/session/${session}/stream`,
          reply: {
            count: 1,
            items: [
              { id: "8b732909-0a06-46a2-8ea8-074e64d43422", videoType: "camera", name: "Jo" },
            ],
          },
        },
      ],
      result: {
        streams: [{ id: "8b732909-0a06-46a2-8ea8-074e64d43422", kind: "camera", name: "Jo" }],
      },
    },
    async run(api, { room }) {
      const Stream = z.object({
        id: z.string(),
        videoType: z.string().nullish(),
        name: z.string().nullish(),
      });
      const reply = z.object({ items: z.array(Stream) });
      const call = { path: { room } };
      const { items } = await api.get(`${project}/session/{room}/stream`, reply, call);
      return {
        streams: items.map(({ id, videoType, name }) => ({
          id,
          kind: videoType ?? undefined,
          name: name ?? undefined,
        })),
      };
    },
  }),
  disconnectVideoUser: operation({
    title: "Remove somebody from a video session",
    description: "By the id of their connection, which the webhooks and the client name.",
    effect: "write",
    idempotent: true,
    params: z.object({ room: SessionId, connection: z.uuid() }),
    result: z.object({ connection: z.string(), removed: z.literal(true) }),
    example: {
      params: { room: session, connection },
      wire: [
        {
          request: `DELETE ${root}/session/${session}/connection/${connection}`,
          status: 204,
          reply: "",
        },
      ],
      result: { connection, removed: true },
    },
    async run(api, { room, connection: id }) {
      const call = { path: { room, id } };
      await api.send("DELETE", `${project}/session/{room}/connection/{id}`, call);
      return { connection: id, removed: true as const };
    },
  }),
  startVideoRecording: operation({
    title: "Start recording a video session",
    description: "Somebody must be in it.",
    effect: "write",
    params: z.object({
      room: SessionId,
      name: z.string().max(100).optional(),
      audioOnly: z.boolean().default(false),
      /** One file of all, or one of each person. */
      output: z.enum(["composed", "individual"]).default("composed"),
    }),
    result: Recording,
    example: {
      params: { room: session, name: "Visit 42" },
      wire: [{ request: `POST ${root}/archive`, reply: exampleArchive }],
      result: exampleRecording,
    },
    async run(api, { room, name, audioOnly, output }) {
      return recording(
        await api.post(`${project}/archive`, Archive, {
          json: {
            sessionId: room,
            ...(name && { name }),
            hasAudio: true,
            hasVideo: !audioOnly,
            outputMode: output,
          },
        }),
      );
    },
  }),
  stopVideoRecording: archiveStep("/stop", {
    title: "Stop recording a video session",
    status: "stopped",
  }),
  getVideoRecording: archiveStep("", { title: "Read a video recording", status: "available" }),
  listVideoRecordings: operation({
    title: "List video recordings, newest first",
    effect: "read",
    params: z.object({
      room: SessionId.optional(),
      limit: z.number().int().min(1).max(1000).default(50),
      cursor: z.string().regex(/^\d+$/).optional(),
    }),
    result: z.object({ recordings: z.array(Recording), next: z.string().optional() }),
    example: {
      params: { limit: 1 },
      wire: [
        {
          request: `GET ${root}/archive?count=1&offset=0`,
          reply: { count: 2, items: [{ ...exampleArchive, status: "available" }] },
        },
      ],
      result: { recordings: [{ ...exampleRecording, status: "available" }], next: "1" },
    },
    async run(api, { room, limit, cursor }) {
      const reply = z.object({ count: z.number(), items: z.array(Archive) });
      const offset = Number(cursor ?? 0);
      const { count, items } = await api.get(`${project}/archive`, reply, {
        query: { sessionId: room, count: limit, offset },
      });
      const after = offset + items.length;
      return {
        recordings: items.map(recording),
        ...(items.length > 0 && after < count && { next: String(after) }),
      };
    },
  }),
  deleteVideoRecording: operation({
    title: "Delete a video recording",
    effect: "write",
    idempotent: true,
    params: z.object({ id: ArchiveId }),
    result: z.object({ id: z.string(), deleted: z.literal(true) }),
    example: {
      params: { id: exampleArchive.id },
      wire: [{ request: `DELETE ${root}/archive/${exampleArchive.id}`, status: 204, reply: "" }],
      result: { id: exampleArchive.id, deleted: true },
    },
    async run(api, { id }) {
      const call = { path: { id } };
      await api.send("DELETE", `${project}/archive/{id}`, call);
      return { id, deleted: true as const };
    },
  }),
};

import * as z from "zod";

import { type AgoraKeys, joinToken, uidOf } from "./agora-token.ts";
import type { Api } from "./api.ts";
import { operation } from "./define.ts";

/** Agora's signs for channel names, without the space. */
export const Channel = z
  .string()
  .regex(
    /^[A-Za-z0-9][\w!#$%&()+\-:;<=.>?@[\]^{}|~,]{0,62}$/,
    "A channel name is up to 63 plain signs, a letter or digit first",
  );

const User = z.string().min(1).max(200);
const Uid = z.union([z.number(), z.string()]).transform(String);
const Uids = z.array(Uid).default([]);

const State = z.object({
  success: z.literal(true),
  data: z.object({
    channel_exist: z.boolean(),
    users: Uids,
    broadcasters: Uids,
    audience: Uids,
    total: z.number().optional(),
    audience_total: z.number().optional(),
  }),
});

async function stateOf(api: Api, room: string) {
  const path = { room };
  return (await api.get("/dev/v1/channel/user/{appId}/{room}", State, { path })).data;
}

const Done = z.object({ status: z.literal("success"), id: z.number() });
const Rules = z.object({
  status: z.literal("success"),
  rules: z.array(
    z.object({
      id: z.number(),
      cname: z.string().nullish(),
      uid: z.number().nullish(),
      ts: z.string(),
      privileges: z.array(z.string()),
    }),
  ),
});

/** With no minutes everybody concerned is sent out and may come back: nothing is left to lift. */
async function sendOut(
  api: Api,
  { appId, room, minutes, ...who }: { appId: string; room: string; minutes: number; uid?: number },
) {
  const { id } = await api.post("/dev/v1/kicking-rule", Done, {
    json: { appid: appId, cname: room, ...who, time: minutes, privileges: ["join_channel"] },
    timeoutMs: 20_000,
  });
  return minutes > 0 ? { ban: String(id) } : {};
}
const Minutes = z.number().int().min(0).max(1440).default(0);

const appId = "970ca35de60c44645bbae8a215061b33";
const room = "room-0f8fad5bd9cb469fa16570867728950e";
const state = {
  success: true,
  data: { channel_exist: true, mode: 1, total: 2, users: [7, 2_818_048_001] },
};

/** docs.agora.io, channel management: Agora has no rooms, a channel is there while somebody is in it. */
export const agoraChannels = {
  createRoom: operation({
    title: "Create a video room",
    description:
      "Made up here, without a call: a channel comes to be when the first person joins it. Its name is random, since Agora shows it in its console; the name that you give stays with you.",
    effect: "write",
    capability: "video.room.create",
    params: z.object({
      name: z.string().min(1).max(100),
      description: z.string().max(500).optional(),
    }),
    result: z.object({ id: z.string(), name: z.string(), appId: z.string() }),
    example: {
      params: { name: "Visit 42" },
      wire: [],
      result: { id: "room-…", name: "Visit 42", appId },
    },
    run: async (_api, { name }, keys: AgoraKeys) => ({
      id: `room-${crypto.randomUUID().replaceAll("-", "")}`,
      name,
      appId: keys.appId,
    }),
  }),
  createToken: operation({
    title: "Let somebody into a video room",
    description:
      "Signed here, without a call. Agora knows people by a number, which `uid` says: it is always the same for a user. A guest may speak and be seen as a host may, unless `listenOnly` is set, which Agora heeds only where co-host authentication is enabled.",
    effect: "read",
    capability: "video.token.create",
    params: z.object({
      room: Channel,
      user: User,
      role: z.enum(["host", "guest"]).default("guest"),
      listenOnly: z.boolean().default(false),
      ttlSeconds: z.number().int().min(60).max(86_400).default(3600),
    }),
    result: z.object({
      token: z.string(),
      room: z.string(),
      appId: z.string(),
      uid: z.number(),
      expiresAt: z.string(),
    }),
    example: {
      params: { room, user: "patient-1" },
      wire: [],
      result: { token: "007eJ…", room, appId, uid: 3_407_529_902, expiresAt: "20…" },
    },
    async run(_api, { room: channel, user, listenOnly, ttlSeconds }, keys: AgoraKeys) {
      const uid = await uidOf(user);
      const may = listenOnly ? (["join"] as const) : (["join", "audio", "video", "data"] as const);
      const signed = await joinToken(keys, { channel, uid, may, seconds: ttlSeconds });
      return { ...signed, room: channel, appId: keys.appId, uid };
    },
  }),
  getRoom: operation({
    title: "Read a video room",
    description: "Not active: nobody is in it, or nobody ever was; Agora does not tell which.",
    effect: "read",
    params: z.object({ id: Channel }),
    result: z.object({ id: z.string(), active: z.boolean(), participants: z.number() }),
    example: {
      params: { id: room },
      wire: [{ request: `GET /dev/v1/channel/user/${appId}/${room}`, reply: state }],
      result: { id: room, active: true, participants: 2 },
    },
    async run(api, { id }) {
      const { channel_exist: active, ...data } = await stateOf(api, id);
      const audience = data.audience_total ?? data.audience.length;
      const participants = (data.total ?? data.users.length) + data.broadcasters.length + audience;
      return { id, active, participants };
    },
  }),
  listParticipants: operation({
    title: "List who is in a video room",
    description: "By the number that their token was made for; of an audience the first 10,000.",
    effect: "read",
    params: z.object({ room: Channel }),
    result: z.object({
      participants: z.array(z.object({ id: z.string(), role: z.enum(["host", "audience"]) })),
    }),
    example: {
      params: { room },
      wire: [{ request: `GET /dev/v1/channel/user/${appId}/${room}`, reply: state }],
      result: {
        participants: [
          { id: "7", role: "host" },
          { id: "2818048001", role: "host" },
        ],
      },
    },
    async run(api, params) {
      const { users, broadcasters, audience } = await stateOf(api, params.room);
      return {
        participants: [
          ...[...users, ...broadcasters].map((id) => ({ id, role: "host" as const })),
          ...audience.map((id) => ({ id, role: "audience" as const })),
        ],
      };
    },
  }),
  endRoom: operation({
    title: "Send everybody out of a video room",
    description: "With `lockMinutes` nobody can join for that long, or until the ban is lifted.",
    effect: "write",
    params: z.object({ id: Channel, lockMinutes: Minutes }),
    result: z.object({ id: z.string(), ended: z.literal(true), ban: z.string().optional() }),
    example: {
      params: { id: room },
      wire: [{ request: "POST /dev/v1/kicking-rule", reply: { status: "success", id: 1953 } }],
      result: { id: room, ended: true },
    },
    run: async (api, { id, lockMinutes }, keys: AgoraKeys) => ({
      id,
      ended: true as const,
      ...(await sendOut(api, { appId: keys.appId, room: id, minutes: lockMinutes })),
    }),
  }),
  removeParticipant: operation({
    title: "Send somebody out of a video room",
    description: "By the user of their token or its number. They may come back unless banned.",
    effect: "write",
    params: z.object({ room: Channel, participant: User, banMinutes: Minutes }),
    result: z.object({ participant: z.string(), uid: z.number(), ban: z.string().optional() }),
    example: {
      params: { room, participant: "7", banMinutes: 60 },
      wire: [{ request: "POST /dev/v1/kicking-rule", reply: { status: "success", id: 1953 } }],
      result: { participant: "7", uid: 7, ban: "1953" },
    },
    async run(api, { participant, banMinutes: minutes, ...params }, keys: AgoraKeys) {
      const uid = await uidOf(participant);
      const sent = await sendOut(api, { appId: keys.appId, room: params.room, uid, minutes });
      return { participant, uid, ...sent };
    },
  }),
  listBans: operation({
    title: "List the bans in force",
    effect: "read",
    params: z.object({}),
    result: z.object({
      bans: z.array(
        z.object({
          id: z.string(),
          /** In every room where it is absent. */
          room: z.string().optional(),
          /** Everybody where it is absent. */
          participant: z.string().optional(),
          until: z.string(),
          privileges: z.array(z.string()),
        }),
      ),
    }),
    example: {
      params: {},
      wire: [
        {
          request: `GET /dev/v1/kicking-rule?appid=${appId}`,
          reply: {
            status: "success",
            rules: [
              {
                id: 1953,
                appid: appId,
                uid: 7,
                opid: 1406,
                cname: room,
                ts: "2026-11-23T13:00:00.000Z",
                privileges: ["join_channel"],
                createAt: "2026-11-23T12:00:00.000Z",
                updateAt: "2026-11-23T12:00:00.000Z",
              },
            ],
          },
        },
      ],
      result: {
        bans: [
          {
            id: "1953",
            room,
            participant: "7",
            until: "2026-11-23T13:00:00.000Z",
            privileges: ["join_channel"],
          },
        ],
      },
    },
    async run(api, _params, keys: AgoraKeys) {
      const query = { appid: keys.appId };
      const { rules } = await api.get("/dev/v1/kicking-rule", Rules, { query });
      return {
        bans: rules.map(({ id, cname, uid, ts, privileges }) => ({
          id: String(id),
          room: cname || undefined,
          participant: uid ? String(uid) : undefined,
          until: ts,
          privileges,
        })),
      };
    },
  }),
  liftBan: operation({
    title: "Lift a ban",
    effect: "write",
    idempotent: true,
    params: z.object({ id: z.string().regex(/^\d{1,15}$/) }),
    result: z.object({ id: z.string(), lifted: z.literal(true) }),
    example: {
      params: { id: "1953" },
      wire: [{ request: "DELETE /dev/v1/kicking-rule", reply: { status: "success", id: 1953 } }],
      result: { id: "1953", lifted: true },
    },
    async run(api, { id }, keys: AgoraKeys) {
      const json = { appid: keys.appId, id: Number(id) };
      await api.delete("/dev/v1/kicking-rule", Done, { json });
      return { id, lifted: true as const };
    },
  }),
};

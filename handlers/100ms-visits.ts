import * as z from "zod";

import { Id, nextOf, pageOf, Paging } from "./100ms-paging.ts";
import { operation } from "./define.ts";

const roomId = "631b2654f771854d9bf633df";
const peerId = "83b869e1-9a4b-4037-84b2-913cf76e4392";

/** 100ms.live/docs/server-side/v2, Active Rooms and Sessions: what goes on in a room, and what did. */
export const hmsVisits = {
  endRoom: operation({
    title: "End what goes on in a video room",
    description: "Everybody is sent out. With `lock`, nobody can join again until it is opened.",
    effect: "write",
    params: z.object({
      id: Id,
      reason: z.string().max(200).default("The visit has ended"),
      lock: z.boolean().default(false),
    }),
    result: z.object({ id: z.string(), ended: z.literal(true) }),
    example: {
      params: { id: roomId },
      wire: [
        {
          request: `POST /v2/active-rooms/${roomId}/end-room`,
          reply: { message: "session is ending" },
        },
      ],
      result: { id: roomId, ended: true },
    },
    async run(api, { id, reason, lock }) {
      const call = { path: { id }, json: { reason, lock } };
      await api.post("/active-rooms/{id}/end-room", z.object({ message: z.string() }), call);
      return { id, ended: true as const };
    },
  }),
  listParticipants: operation({
    title: "List who is in a video room",
    effect: "read",
    params: z.object({ room: Id }),
    result: z.object({
      participants: z.array(
        z.object({
          id: z.string(),
          user: z.string().optional(),
          name: z.string().optional(),
          role: z.string(),
          joinedAt: z.string(),
        }),
      ),
    }),
    example: {
      params: { room: roomId },
      wire: [
        {
          request: `GET /v2/active-rooms/${roomId}/peers`,
          reply: {
            peers: {
              [peerId]: {
                id: peerId,
                name: "Jo",
                user_id: "patient-1",
                role: "guest",
                joined_at: "2026-11-23T12:00:01.000Z",
              },
            },
          },
        },
      ],
      result: {
        participants: [
          {
            id: peerId,
            user: "patient-1",
            name: "Jo",
            role: "guest",
            joinedAt: "2026-11-23T12:00:01.000Z",
          },
        ],
      },
    },
    async run(api, { room }) {
      const Peer = z.object({
        id: z.string(),
        user_id: z.string().nullish(),
        name: z.string().nullish(),
        role: z.string(),
        joined_at: z.string(),
      });
      const reply = z.object({ peers: z.record(z.string(), Peer).nullish() });
      const { peers } = await api.get("/active-rooms/{room}/peers", reply, { path: { room } });
      return {
        participants: Object.values(peers ?? {}).map((peer) => ({
          id: peer.id,
          user: peer.user_id ?? undefined,
          name: peer.name ?? undefined,
          role: peer.role,
          joinedAt: peer.joined_at,
        })),
      };
    },
  }),
  removeParticipant: operation({
    title: "Send somebody out of a video room",
    effect: "write",
    params: z.object({
      room: Id,
      participant: z.uuid(),
      reason: z.string().max(200).optional(),
    }),
    result: z.object({ participant: z.string(), removed: z.literal(true) }),
    example: {
      params: { room: roomId, participant: peerId },
      wire: [
        {
          request: `POST /v2/active-rooms/${roomId}/remove-peers`,
          reply: { message: "peer remove request submitted" },
        },
      ],
      result: { participant: peerId, removed: true },
    },
    async run(api, { room, participant, reason }) {
      const json = { peer_id: participant, ...(reason && { reason }) };
      const reply = z.object({ message: z.string() });
      await api.post("/active-rooms/{room}/remove-peers", reply, { path: { room }, json });
      return { participant, removed: true as const };
    },
  }),
  listSessions: operation({
    title: "List visits that took place, with who was in them",
    effect: "read",
    params: z.object({ room: Id.optional(), active: z.boolean().optional(), ...Paging }),
    result: z.object({
      sessions: z.array(
        z.object({
          id: z.string(),
          room: z.string(),
          active: z.boolean(),
          startedAt: z.string(),
          participants: z.array(
            z.object({
              user: z.string().optional(),
              role: z.string().optional(),
              joinedAt: z.string().optional(),
              leftAt: z.string().optional(),
            }),
          ),
        }),
      ),
      next: z.string().optional(),
    }),
    example: {
      params: { room: roomId, active: false },
      wire: [
        {
          request: `GET /v2/sessions?room_id=${roomId}&active=false&limit=20`,
          reply: {
            limit: 20,
            data: [
              {
                id: "631a0fa23e3d9fdb00832596",
                room_id: roomId,
                active: false,
                created_at: "2026-11-23T12:00:00.000Z",
                peers: {
                  [peerId]: {
                    user_id: "patient-1",
                    role: "guest",
                    joined_at: "2026-11-23T12:00:01.000Z",
                    left_at: "2026-11-23T12:15:00.000Z",
                  },
                },
              },
            ],
            last: "631a0fa23e3d9fdb00832596",
          },
        },
      ],
      result: {
        sessions: [
          {
            id: "631a0fa23e3d9fdb00832596",
            room: roomId,
            active: false,
            startedAt: "2026-11-23T12:00:00.000Z",
            participants: [
              {
                user: "patient-1",
                role: "guest",
                joinedAt: "2026-11-23T12:00:01.000Z",
                leftAt: "2026-11-23T12:15:00.000Z",
              },
            ],
          },
        ],
      },
    },
    async run(api, { room, active, limit, cursor }) {
      const Peer = z.object({
        user_id: z.string().nullish(),
        role: z.string().nullish(),
        joined_at: z.string().nullish(),
        left_at: z.string().nullish(),
      });
      const Session = z.object({
        id: z.string(),
        room_id: z.string(),
        active: z.boolean(),
        created_at: z.string(),
        peers: z.record(z.string(), Peer).nullish(),
      });
      const query = { room_id: room, active, limit, start: cursor };
      const page = await api.get("/sessions", pageOf(Session), { query });
      return {
        sessions: page.data.map((session) => ({
          id: session.id,
          room: session.room_id,
          active: session.active,
          startedAt: session.created_at,
          participants: Object.values(session.peers ?? {}).map((peer) => ({
            user: peer.user_id ?? undefined,
            role: peer.role ?? undefined,
            joinedAt: peer.joined_at ?? undefined,
            leftAt: peer.left_at ?? undefined,
          })),
        })),
        ...nextOf(limit, page),
      };
    },
  }),
};

import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { jwtVerify } from "jose";

import {
  bearerToken,
  defineSimulation,
  type Fault,
  idSequence,
  unixNow,
  type WebhookOptions,
} from "./define.ts";

const credentials = {
  appAccessKey: "5ff5881b80b66969e1fb35f6",
  appSecret: "example_app_secret_000000000000000000000000000000",
  templateId: "63188115d11d6db790c73c60",
  subdomain: "riverside-videoconf-1234",
  region: "us",
  webhookSecret: "example-webhook-secret-0000",
};
const customer = "627cdddff2e4e30487862ad1";
export const hmsSeeded = {
  room: "631b2654f771854d9bf633df",
  running: "642531c8becbb0bb81952e36",
  ended: "631a0fa23e3d9fdb00832596",
  peer: "83b869e1-9a4b-4037-84b2-913cf76e4392",
  recording: "642531cf94091a5af841456d",
  asset: "6425320e94091a5af841456f",
};

type Room = { id: string; name: string; enabled: boolean } & Record<string, unknown>;
type Peer = { id: string; joined_at: string; left_at?: string } & Record<string, unknown>;
type Session = {
  id: string;
  room_id: string;
  active: boolean;
  created_at: string;
  peers: Record<string, Peer>;
};
type Recording = { id: string; room_id: string; session_id: string; status: string } & Record<
  string,
  unknown
>;

const failure = (code: number, message: string, ...details: string[]) =>
  Response.json({ code, message, details }, { status: code });
function refuse(code: number, message: string): never {
  throw new HTTPException(code as 400, { res: failure(code, message) });
}

export const simulation = defineSimulation(() => {
  const ids = idSequence("100ms");
  const nextId = () => ids.hex("", 24);
  const rooms = new Map<string, Room>();
  const sessions = new Map<string, Session>();
  const recordings = new Map<string, Recording>();
  const assets = new Map<string, Record<string, unknown> & { id: string }>();
  const codes = new Map<string, object[]>();
  const now = () => new Date().toISOString();

  function addRoom(fields: Partial<Room> & Pick<Room, "id" | "name">) {
    const room: Room = {
      created_at: now(),
      customer_id: customer,
      description: "",
      enabled: true,
      large_room: false,
      recording_info: { enabled: false },
      region: "in",
      template_id: credentials.templateId,
      updated_at: now(),
      ...fields,
    };
    rooms.set(room.id, room);
    return room;
  }
  function addSession(id: string, active: boolean) {
    const ended = active ? {} : { left_at: now() };
    const { peer, room } = hmsSeeded;
    const person = { name: "Jo", role: "guest", user_id: "patient-1" };
    const peers = { [peer]: { id: peer, session_id: id, joined_at: now(), ...person, ...ended } };
    sessions.set(id, { id, room_id: room, active, created_at: now(), peers });
  }
  function addRecording(fields: Partial<Recording> & Pick<Recording, "id" | "session_id">) {
    const recording: Recording = {
      asset_types: ["room-composite", "chat"],
      created_at: now(),
      recording_assets: null,
      room_id: hmsSeeded.room,
      started_at: null,
      status: "starting",
      stopped_at: null,
      ...fields,
    };
    recordings.set(recording.id, recording);
    return recording;
  }
  function seed() {
    for (const each of [rooms, sessions, recordings, assets, codes]) each.clear();
    ids.reset();
    addRoom({ id: hmsSeeded.room, name: "visit-42", region: "us" });
    addSession(hmsSeeded.ended, false);
    addSession(hmsSeeded.running, true);
    const asset = {
      id: hmsSeeded.asset,
      duration: 55,
      job_id: hmsSeeded.recording,
      room_id: hmsSeeded.room,
      session_id: hmsSeeded.ended,
      size: 26_361_961,
      status: "completed",
      type: "room-composite",
    };
    assets.set(asset.id, asset);
    const times = { started_at: now(), stopped_at: now() };
    const recording = { id: hmsSeeded.recording, session_id: hmsSeeded.ended };
    addRecording({ ...recording, ...times, status: "completed", recording_assets: [asset] });
  }
  seed();

  const root = new Hono();
  const app = root.basePath("/v2");
  root.notFound(() => failure(404, "not found"));
  app.use("*", async (_c, next) => {
    try {
      const secret = new TextEncoder().encode(credentials.appSecret);
      const { payload } = await jwtVerify(bearerToken(_c.req.raw) ?? "", secret, {
        algorithms: ["HS256"],
        requiredClaims: ["iat", "nbf", "exp", "jti"],
      });
      const { access_key: key, type, version } = payload;
      if (key !== credentials.appAccessKey) throw new Error("not found");
      if (type !== "management" || version !== 2) throw new Error("wrong type of token");
    } catch (error) {
      return failure(401, "Token validation error", (error as Error).message);
    }
    return next();
  });
  const body = async (request: {
    json: () => Promise<unknown>;
    header: (name: string) => string | undefined;
  }) => {
    const type = request.header("content-type")?.split(";")[0];
    if (type !== "application/json") return refuse(400, "content-type must be application/json");
    const sent = await request.json().catch(() => refuse(400, "invalid JSON"));
    return sent as Record<string, unknown>;
  };
  type Query = (name: string) => string | undefined;
  function page(query: Query, all: readonly { id: string }[]) {
    const limit = Number(query("limit") ?? 10);
    if (!(limit >= 10 && limit <= 100)) refuse(400, "limit must be between 10 and 100");
    const start = query("start");
    const from = start ? all.findIndex(({ id }) => id === start) + 1 : 0;
    const data = all.slice(from, from + limit);
    return Response.json({ limit, data, last: data.at(-1)?.id ?? "" });
  }
  const has = (query: Query, names: readonly string[]) => (item: Record<string, unknown>) =>
    names.every((name) => (query(name) ?? String(item[name])) === String(item[name]));

  const template = {
    id: credentials.templateId,
    customerId: customer,
    name: "simulated-clinic",
    roles: { guest: { name: "guest", priority: 2 }, host: { name: "host", priority: 1 } },
  };
  app.get("/templates", (c) => page((name) => c.req.query(name), [template]));
  app.get("/templates/:id", (c) =>
    c.req.param("id") === template.id ? c.json(template) : failure(404, "template not found"),
  );

  const room = (id: string) => rooms.get(id) ?? refuse(404, "room not found");
  app.post("/rooms", async (c) => {
    const sent = await body(c.req);
    const name = String(sent["name"] ?? ids.uuid());
    if (!/^[A-Za-z0-9.\-:_]+$/.test(name)) return refuse(400, "invalid room name");
    const seconds = sent["max_duration_seconds"];
    if (seconds !== undefined && !(Number(seconds) >= 120 && Number(seconds) <= 43_200))
      return refuse(400, "max_duration_seconds must be between 120 and 43200");
    if (
      sent["region"] !== undefined &&
      !["in", "us", "eu", "auto"].includes(String(sent["region"]))
    )
      return refuse(400, "invalid region");
    if (sent["template_id"] !== undefined && sent["template_id"] !== template.id)
      return refuse(404, "template not found");
    // A room of that name is handed out again, and configured anew.
    const same = [...rooms.values()].find((each) => each.name.toLowerCase() === name.toLowerCase());
    if (same) return c.json(Object.assign(same, sent, { name: same.name, updated_at: now() }));
    return c.json(addRoom({ id: nextId(), ...sent, name }));
  });
  app.get("/rooms", (c) => {
    const query: Query = (name) => c.req.query(name) ?? (name === "enabled" ? "true" : undefined);
    const found = [...rooms.values()].filter(has(query, ["name", "enabled", "template_id"]));
    return page(query, found.toReversed());
  });
  app.get("/rooms/:id", (c) => c.json(room(c.req.param("id"))));
  app.post("/rooms/:id", async (c) => {
    const found = room(c.req.param("id"));
    return c.json(Object.assign(found, await body(c.req), { updated_at: now() }));
  });

  const active = (roomId: string) =>
    [...sessions.values()].find((each) => each.active && each.room_id === roomId) ??
    refuse(404, "session not found");
  app.get("/active-rooms/:room/peers", (c) => {
    const { peers } = active(room(c.req.param("room")).id);
    return c.json({
      peers: Object.fromEntries(Object.entries(peers).filter(([, peer]) => !peer.left_at)),
    });
  });
  app.post("/active-rooms/:room/remove-peers", async (c) => {
    const session = active(room(c.req.param("room")).id);
    const { peer_id: id, role } = await body(c.req);
    if (!id && !role) return refuse(400, "peer_id or role is required");
    const peer = session.peers[String(id)];
    if (id && !peer) return refuse(404, "peer not found");
    if (peer) peer.left_at = now();
    return c.json({ message: "peer remove request submitted" });
  });
  app.post("/active-rooms/:room/end-room", async (c) => {
    const found = room(c.req.param("room"));
    const session = active(found.id);
    const { lock } = await body(c.req);
    session.active = false;
    if (lock === true) found.enabled = false;
    return c.json({ message: "session is ending" });
  });
  app.get("/sessions", (c) => {
    const query: Query = (name) => c.req.query(name);
    const found = [...sessions.values()].filter(has(query, ["room_id", "active"]));
    return page(query, found.toReversed());
  });
  app.get("/sessions/:id", (c) => {
    const found = sessions.get(c.req.param("id"));
    return found ? c.json(found) : failure(404, "session not found");
  });

  app.post("/room-codes/room/:room", (c) => {
    const { id, enabled } = room(c.req.param("room"));
    if (!enabled) return failure(403, "room is disabled");
    const made =
      codes.get(id) ??
      Object.keys(template.roles).map((role) => ({
        code: `${ids.letters("", 3)}-${ids.letters("", 4)}-${ids.letters("", 3)}`.toLowerCase(),
        created_at: now(),
        enabled: true,
        role,
        room_id: id,
      }));
    codes.set(id, made);
    return c.json({ data: made });
  });

  app.post("/recordings/room/:room/start", async (c) => {
    const { id } = room(c.req.param("room"));
    const session = active(id);
    const sent = await body(c.req);
    const going = ["starting", "running"];
    if ([...recordings.values()].some((each) => each.room_id === id && going.includes(each.status)))
      return failure(409, "recording is running already");
    const recording = { id: nextId(), room_id: id, session_id: session.id };
    return c.json(addRecording({ ...recording, meeting_url: sent["meeting_url"] ?? "" }));
  });
  const stop = (recording: Recording) => Object.assign(recording, { status: "stopping" });
  app.post("/recordings/room/:room/stop", (c) => {
    const { id } = room(c.req.param("room"));
    const going = [...recordings.values()].filter(
      (each) => each.room_id === id && ["starting", "running"].includes(each.status),
    );
    const data = going.map(stop);
    return c.json({ limit: 10, data, last: data.at(-1)?.id ?? "" });
  });
  app.get("/recordings", (c) => {
    const query: Query = (name) => c.req.query(name);
    const found = [...recordings.values()].filter(has(query, ["room_id", "session_id", "status"]));
    return page(
      query,
      found.map(({ recording_assets: _assets, ...rest }) => rest as Recording).toReversed(),
    );
  });
  app.get("/recordings/:id", (c) => {
    const found = recordings.get(c.req.param("id"));
    return found ? c.json(found) : failure(404, "recording not found");
  });
  app.get("/recording-assets", (c) => {
    const query: Query = (name) => c.req.query(name);
    return page(
      query,
      [...assets.values()].filter(has(query, ["room_id", "session_id", "status"])),
    );
  });
  app.get("/recording-assets/:id/presigned-url", (c) => {
    const found = assets.get(c.req.param("id"));
    const expiry = Number(c.req.query("presign_duration") ?? 259_200);
    if (!found) return failure(404, "asset not found");
    const path = `${found.id}.mp4`;
    return c.json({ id: found.id, path, url: `https://recordings.example/${path}`, expiry });
  });

  /** 100ms signs nothing: the address and the header are all that it proves. */
  async function webhook({
    url,
    credentials: given,
    type,
    body: more,
    now: at = unixNow(),
  }: WebhookOptions) {
    const name = type ?? "session.close.success";
    const { room: room_id, peer: peer_id } = hmsSeeded;
    const session_id = /^(session\.close|recording)/.test(name)
      ? hmsSeeded.ended
      : hmsSeeded.running;
    const event = {
      version: "2.0",
      id: ids.uuid(),
      account_id: customer,
      app_id: credentials.appAccessKey,
      timestamp: new Date(at * 1000).toISOString(),
      type: name,
      data: {
        room_id,
        room_name: "visit-42",
        session_id,
        template_id: credentials.templateId,
        ...(name.startsWith("peer.") && { peer_id, role: "guest", user_id: "patient-1" }),
      },
      ...(more as object | undefined),
    };
    return new Request(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(given["webhookSecret"] && { "x-webhook-secret": String(given["webhookSecret"]) }),
      },
      body: JSON.stringify(event),
    });
  }

  return {
    hosts: ["api.100ms.live"],
    app: root,
    credentials,
    webhook,
    faults: {
      rate_limited: ({ retryAfter = 45 }: Fault) =>
        failure(429, `rate limit exceeded, retry after ${retryAfter} seconds`),
      server_error: () => failure(500, "Internal server error"),
      expired_credentials: () => failure(401, "Token validation error", "token is expired"),
      forbidden: () => failure(403, "insufficient permissions"),
    },
    reset: seed,
  };
});

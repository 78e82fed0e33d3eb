import { Hono } from "hono";

import type { idSequence } from "../define.ts";
import { credentials, jsonBody, requireApplication } from "./account.ts";

type Archive = { id: string; sessionId: string; status: string } & Record<string, unknown>;

export const seeded = {
  session: "2_MX43OGQzMzVmYS0zMjNkLTQxMTQtOWMzZC1kNmYwZDQ4OTY4Y2Z-fjE3OTU0MzUyMDA",
  running: "b40ef09b-3811-4726-b508-e41a0f96c68f",
  finished: "7d2a9f4e-55c1-4b0e-8f3a-2f4d0b6c9e11",
  connection: "b30d09bf-7e97-42f1-a7f7-b0c6ddcd2b8e",
};

export function newVideo(ids: ReturnType<typeof idSequence>) {
  const app = new Hono();
  const sessions = new Set<string>();
  const archives = new Map<string, Archive>();
  const project = `/v2/project/${credentials.applicationId}`;

  function addArchive(fields: Partial<Archive> & Pick<Archive, "id" | "sessionId">): Archive {
    const archive: Archive = {
      applicationId: credentials.applicationId,
      createdAt: Date.now(),
      duration: 0,
      hasAudio: true,
      hasVideo: true,
      name: "",
      outputMode: "composed",
      reason: "",
      resolution: "640x480",
      size: 0,
      status: "started",
      streamMode: "auto",
      url: null,
      ...fields,
    };
    archives.set(archive.id, archive);
    return archive;
  }
  function seed() {
    sessions.clear();
    archives.clear();
    sessions.add(seeded.session);
    const ended = { status: "available", duration: 61, size: 2_048_000 };
    const url = "https://archives.example/archive.mp4";
    addArchive({ id: seeded.finished, sessionId: seeded.session, ...ended, url });
    addArchive({ id: seeded.running, sessionId: seeded.session, name: "Visit 42" });
  }
  seed();

  const failure = (status: number, message: string) =>
    Response.json({ code: status, message }, { status });
  const missing = () => failure(404, "Not found");

  app.use("*", async (c, next) => {
    await requireApplication(c.req.raw);
    if (c.req.path.startsWith("/v2/project/") && !c.req.path.startsWith(project))
      return failure(403, "The application is not that of the token");
    return next();
  });
  app.notFound(missing);

  app.post("/session/create", async (c) => {
    const form = new URLSearchParams(await c.req.text());
    const [mode, relayed] = [form.get("archiveMode"), form.get("p2p.preference")];
    if (!["manual", "always", null].includes(mode)) return failure(400, "Invalid archiveMode");
    if (!["enabled", "disabled", null].includes(relayed))
      return failure(400, "Invalid p2p.preference");
    if (mode === "always" && relayed === "enabled")
      return failure(400, "A relayed session cannot be archived");
    const session_id = ids.letters("2_MX4", 60);
    sessions.add(session_id);
    return c.json([
      {
        session_id,
        project_id: credentials.applicationId,
        create_dt: new Date().toUTCString(),
        media_server_url: "",
      },
    ]);
  });
  app.get(`${project}/session/:session/stream`, (c) =>
    sessions.has(c.req.param("session"))
      ? c.json({
          count: 1,
          items: [{ id: ids.uuid(), layoutClassList: [], name: "Jo", videoType: "camera" }],
        })
      : missing(),
  );
  app.delete(`${project}/session/:session/connection/:connection`, (c) =>
    sessions.has(c.req.param("session")) && c.req.param("connection") === seeded.connection
      ? c.body(null, 204)
      : missing(),
  );

  app.post(`${project}/archive`, async (c) => {
    const { sessionId, hasAudio, hasVideo, name, outputMode } = await jsonBody(c.req.raw);
    if (typeof sessionId !== "string") return failure(400, "sessionId is required");
    if (!sessions.has(sessionId)) return failure(404, "Nobody is in the session");
    if (hasAudio === false && hasVideo === false)
      return failure(400, "hasAudio and hasVideo cannot both be false");
    const given = { hasAudio, hasVideo, name, outputMode };
    const defined = Object.entries(given).filter(([, value]) => value !== undefined);
    return c.json(addArchive({ id: ids.uuid(), sessionId, ...Object.fromEntries(defined) }));
  });
  app.get(`${project}/archive`, (c) => {
    const session = c.req.query("sessionId");
    const offset = Number(c.req.query("offset") ?? 0);
    const count = Number(c.req.query("count") ?? 50);
    if (!(count >= 0 && count <= 1000)) return failure(400, "Invalid count");
    const found = [...archives.values()]
      .filter(({ sessionId }) => (session ?? sessionId) === sessionId)
      .toReversed();
    return c.json({ count: found.length, items: found.slice(offset, offset + count) });
  });
  app.get(`${project}/archive/:id`, (c) => {
    const found = archives.get(c.req.param("id"));
    return found ? c.json(found) : missing();
  });
  app.post(`${project}/archive/:id/stop`, (c) => {
    const found = archives.get(c.req.param("id"));
    if (!found) return missing();
    if (found.status !== "started") return failure(409, "The archive is not being recorded");
    found.status = "stopped";
    return c.json(found);
  });
  app.delete(`${project}/archive/:id`, (c) => {
    const found = archives.get(c.req.param("id"));
    if (!found) return missing();
    if (found.status === "started") return failure(409, "The archive is being recorded");
    archives.delete(found.id);
    return c.body(null, 204);
  });

  return { app, reset: seed };
}

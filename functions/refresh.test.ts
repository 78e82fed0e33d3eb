import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { neon, neonConfig } from "@neondatabase/serverless";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { startPostgres } from "../db/local/postgres.ts";
import { type Database, startDatabase } from "../db/local/server.ts";
import { migrate } from "../db/migrate.ts";
import { startTokenServer, tokenClient, type TokenServer } from "../scripts/token-server.ts";
import { freePort, newSecrets, type RunningWorker, startWorker } from "../scripts/worker.ts";
import { call, newMember, newOrg, type Reply, type TestOrg } from "../scripts/world.ts";

/**
 * Refreshes against a certified server that rotates its refresh tokens and ends the grant when one
 * is used twice. The database is this file's own, since the clock here must not find others' work.
 */
const { engine } = inject("world");
const secrets = {
  ...newSecrets(),
  LIMIT_IP: "1000000",
  LIMIT_KEY: "1000000",
  LIMIT_ORG: "1000000",
};
let postgres: Awaited<ReturnType<typeof startPostgres>> | undefined;
let database: Database;
let server: TokenServer;
let proxy: Awaited<ReturnType<typeof startProxy>>;
let folder: string;
let ports: number[];
let first: RunningWorker;
let others: RunningWorker[];

/** Between the Workers and the database; while `down`, nothing gets through. */
async function startProxy(endpoint: string) {
  const state = { down: false };
  const relay = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (state.down) return void request.socket.destroy();
      const headers = new Headers();
      for (const [name, value] of Object.entries(request.headers))
        if (typeof value === "string" && !["host", "connection", "content-length"].includes(name))
          headers.set(name, value);
      fetch(endpoint, { method: "POST", headers, body: Buffer.concat(chunks) })
        .then(async (reply) => {
          const body = Buffer.from(await reply.arrayBuffer());
          response.writeHead(reply.status, { "content-type": "application/json" }).end(body);
        })
        .catch(() => response.destroy());
    });
  });
  relay.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const { port } = relay.address() as AddressInfo;
  return { state, url: `http://127.0.0.1:${port}/sql`, close: () => relay.close() };
}

const startOne = (port: number, stateFolder?: string) =>
  startWorker({
    databaseUrl: database.url,
    databaseEndpoint: proxy.url,
    simulatorUrl: server.url,
    secrets,
    port,
    stateFolder,
  });

beforeAll(async () => {
  postgres = engine === "postgres" ? await startPostgres() : undefined;
  database = await startDatabase(postgres ? { url: postgres.url } : {});
  await migrate(database.url, database.endpoint);
  proxy = await startProxy(database.endpoint);
  folder = await mkdtemp(join(tmpdir(), "refresh-"));
  ports = [await freePort(), await freePort(), await freePort()];
  server = await startTokenServer(ports.map((port) => `http://localhost:${port}/oauth/callback`));
  const [port = 0, ...rest] = ports;
  [first, ...others] = await Promise.all([
    startOne(port, folder),
    ...rest.map((each) => startOne(each)),
  ]);
});
afterAll(async () => {
  await Promise.all([first, ...others].map((worker) => worker.stop()));
  await server.close();
  proxy.close();
  await database.close();
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  Object.assign(server.mood, {
    lifetimeSeconds: 600,
    delayMs: 0,
    gate: undefined,
    status: undefined,
    error: undefined,
    afterRefresh: undefined,
  });
});

const place = () => ({
  url: first.url,
  publicUrl: `http://localhost:${ports[0]}`,
  databaseUrl: database.url,
  endpoint: database.endpoint,
});
const sql = (strings: TemplateStringsArray, ...values: unknown[]) => {
  neonConfig.fetchEndpoint = database.endpoint;
  return neon(database.url)(strings, ...values);
};
const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const integration = {
  vendor_id: "rest-api",
  environment: "production",
  api_endpoint: "https://api.example",
  credentials: {
    authKind: "code",
    signInUrl: "https://idp.example/auth",
    signInTokenUrl: "https://idp.example/token",
    signInRevokeUrl: "https://idp.example/token/revocation",
    signInIssuer: "https://idp.example",
    signInClientId: tokenClient.id,
    signInClientSecret: tokenClient.secret,
    signInScope: "openid launch/patient",
    probePath: "/me",
  },
};

type Person = Awaited<ReturnType<typeof newMember>>;

async function connect(person: Person, org: TestOrg, id: string) {
  const { url, publicUrl } = place();
  const headers = { cookie: person.cookie, origin: publicUrl, "x-org-id": org.orgId };
  const path = `${url}/api/integrations/${id}/oauth/start`;
  const started = await call(path, "POST", {}, headers);
  const { authorization_url } = started.body.data as { authorization_url: string };
  const { pathname, search } = await server.signIn(authorization_url);
  const [browser = ""] = started.headers.getSetCookie();
  const cookie = `${person.cookie}; ${browser.split(";")[0]}`;
  const back = await fetch(url + pathname + search, { redirect: "manual", headers: { cookie } });
  expect(back.headers.get("location")).toContain("connected=1");
}

/** An integration with a grant whose access token lives for `lifetimeSeconds`. */
async function setUp(lifetimeSeconds = 600) {
  const org = await newOrg(place());
  const person = await newMember(place(), org.orgId, "owner");
  const added = await org.call("POST", "/api/integrations", integration);
  const { id } = added.body.data as { id: string };
  await sql`update integrations set enabled = true, health_status = 'active' where id = ${id}`;
  server.mood.lifetimeSeconds = lifetimeSeconds;
  await connect(person, org, id);
  server.mood.lifetimeSeconds = 600;
  return { org, person, id };
}

const run = (worker: RunningWorker, org: TestOrg, id: string): Promise<Reply> =>
  call(
    `${worker.url}/api/integrations/${id}/execute`,
    "POST",
    { operation: "get", params: { path: "/me" } },
    { authorization: `Bearer ${org.apiKey}` },
  );
const statuses = (replies: readonly Reply[]) => [...new Set(replies.map(({ status }) => status))];

const grantOf = async (id: string) => {
  const [row] = await sql`select * from grants where integration_id = ${id}`;
  return row;
};
const activityOf = async (org: TestOrg, id: string) => {
  const reply = await org.call("GET", `/api/integrations/${id}/activity`);
  return (reply.body.data as { activity_type: string }[]).map((row) => row.activity_type);
};

/** How many requests the token endpoint got while `work` was done. */
async function refreshesDuring(work: () => Promise<unknown>): Promise<number> {
  const before = server.counts.tokenRequests;
  await work();
  return server.counts.tokenRequests - before;
}

const expired = 1_200;

describe("200 calls at once with an expired token", () => {
  test("make one token request in one deployment", async () => {
    const { org, id } = await setUp(1);
    await wait(expired);
    const refreshes = await refreshesDuring(async () => {
      const replies = await Promise.all(Array.from({ length: 200 }, () => run(first, org, id)));
      expect(statuses(replies)).toEqual([200]);
    });
    expect(refreshes).toBe(1);
    expect((await grantOf(id))?.["version"]).toBe(2);
  });

  test("make one token request over three deployments with one database", async () => {
    const { org, id } = await setUp(1);
    await wait(expired);
    const workers = [first, ...others];
    const refreshes = await refreshesDuring(async () => {
      const replies = await Promise.all(
        Array.from({ length: 200 }, (_, i) => run(workers[i % 3] ?? first, org, id)),
      );
      expect(statuses(replies)).toEqual([200]);
    });
    expect(refreshes).toBe(1);
    expect((await grantOf(id))?.["status"]).toBe("connected");
  });

  test("wait for a slow server, which is asked once", async () => {
    const { org, id } = await setUp(1);
    await wait(expired);
    server.mood.delayMs = 4_000;
    const workers = [first, ...others];
    const refreshes = await refreshesDuring(async () => {
      const replies = await Promise.all(
        Array.from({ length: 200 }, (_, i) => run(workers[i % 3] ?? first, org, id)),
      );
      expect(statuses(replies)).toEqual([200]);
    });
    expect(refreshes).toBe(1);
  });

  test("leave the grant alive through many rounds", async () => {
    const { org, id } = await setUp(1);
    server.mood.lifetimeSeconds = 1;
    const workers = [first, ...others];
    const refreshes = await refreshesDuring(async () => {
      for (let round = 0; round < 3; round++) {
        await wait(expired);
        const replies = await Promise.all(
          Array.from({ length: 45 }, (_, i) => run(workers[i % 3] ?? first, org, id)),
        );
        expect(statuses(replies)).toEqual([200]);
      }
    });
    // A token that lives a second may end within a round: what counts is that none was spent twice.
    expect(refreshes).toBeGreaterThanOrEqual(3);
    expect(await grantOf(id)).toMatchObject({ status: "connected", version: refreshes + 1 });
  });
});

describe("a token that ended", () => {
  test("is replaced for a caller who leaves, and the next has it", async () => {
    const { org, id } = await setUp(1);
    await wait(expired);
    server.mood.delayMs = 1_500;
    const refreshes = await refreshesDuring(async () => {
      const leaving = fetch(`${first.url}/api/integrations/${id}/execute`, {
        method: "POST",
        headers: { authorization: `Bearer ${org.apiKey}`, "content-type": "application/json" },
        body: JSON.stringify({ operation: "get", params: { path: "/me" } }),
        signal: AbortSignal.timeout(700),
      });
      await expect(leaving).rejects.toThrow();
      expect((await run(first, org, id)).status).toBe(200);
    });
    expect(refreshes).toBe(1);
    expect((await grantOf(id))?.["version"]).toBe(2);
  });
});

describe("a token that the API refuses before its time", () => {
  test("is replaced once for all callers, unless it was born a moment ago", async () => {
    const { org, id } = await setUp();
    expect((await run(first, org, id)).status).toBe(200);
    await server.endAccessTokens();
    expect(
      await refreshesDuring(async () => {
        expect((await run(first, org, id)).body).toMatchObject({ cause: "credentials_rejected" });
      }),
      "a new one would fare no better",
    ).toBe(0);
    await wait(10_500);
    const refreshes = await refreshesDuring(async () => {
      const replies = await Promise.all(Array.from({ length: 40 }, () => run(first, org, id)));
      expect(statuses(replies)).toEqual([200]);
    });
    expect(refreshes).toBe(1);
  });
});

describe("a server that fails", () => {
  test.each([
    ["500", 500, "server_error"],
    ["503", 503, "temporarily_unavailable"],
    ["502 with invalid_grant in it", 502, "invalid_grant"],
    ["429", 429, "slow_down"],
  ])("with %s leaves the grant as it is", async (_what, status, error) => {
    const { org, id } = await setUp(1);
    await wait(expired);
    Object.assign(server.mood, { status, error });
    expect((await run(first, org, id)).status).toBeGreaterThanOrEqual(429);
    expect(await grantOf(id)).toMatchObject({
      status: "connected",
      version: 1,
      refresh_until: null,
      last_error: expect.any(String),
    });
    server.mood.status = undefined;
    expect((await run(first, org, id)).status).toBe(200);
    expect((await grantOf(id))?.["last_error"]).toBeNull();
    const log = await activityOf(org, id);
    expect(log.filter((type) => type === "refresh_failed").length).toBe(1);
    expect(log).not.toContain("reconnect_needed");
  });

  test("to know the client is no end of the grant either", async () => {
    const { org, id } = await setUp(1);
    await wait(expired);
    Object.assign(server.mood, { status: 401, error: "invalid_client" });
    expect((await run(first, org, id)).body).toMatchObject({ cause: "credentials_rejected" });
    expect((await grantOf(id))?.["status"]).toBe("connected");
  });
});

describe("a grant that the server has ended", () => {
  test("is marked, said and not asked for again until a person connects anew", async () => {
    const { org, person, id } = await setUp(1);
    await wait(expired);
    Object.assign(server.mood, { status: 400, error: "invalid_grant" });
    const calls = await Promise.all([1, 2, 3].map(() => run(first, org, id)));
    for (const reply of calls) expect(reply.body).toMatchObject({ cause: "credentials_expired" });
    expect(await grantOf(id)).toMatchObject({ status: "reconnect", tokens: null });
    const { body } = await org.call("GET", `/api/integrations/${id}`);
    expect(body.data).toMatchObject({
      health_status: "error",
      last_cause: "credentials_expired",
      last_error: "REST API no longer accepts the sign-in: connect again",
      grant: { status: "reconnect" },
    });
    const log = await activityOf(org, id);
    expect(log.filter((type) => type === "reconnect_needed").length).toBe(1);
    server.mood.status = undefined;
    expect(await refreshesDuring(() => run(first, org, id))).toBe(0);

    await connect(person, org, id);
    expect((await run(first, org, id)).status).toBe(200);
    const after = await org.call("GET", `/api/integrations/${id}`);
    expect(after.body.data).toMatchObject({
      health_status: "active",
      grant: { status: "connected" },
    });
  });

  test.each([
    ["still good", undefined],
    ["void", 400],
  ])(
    "gives way to the one of a person who connected anew, were its token %s",
    async (_, status) => {
      const { org, person, id } = await setUp(1);
      await wait(expired);
      let open = () => {};
      server.mood.gate = new Promise((resolve) => {
        open = resolve;
      });
      const before = server.counts.tokenRequests;
      const slow = run(first, org, id);
      await expect.poll(() => server.counts.tokenRequests, { timeout: 10_000 }).toBe(before + 1);
      server.mood.gate = undefined;
      await connect(person, org, id);
      const anew = (await grantOf(id))?.["id"];
      Object.assign(server.mood, { status, error: "invalid_grant" });
      open();
      expect((await slow).status).toBe(200);
      expect(await grantOf(id)).toMatchObject({ id: anew, status: "connected" });
      expect(await activityOf(org, id)).not.toContain("reconnect_needed");
    },
  );
});

describe("a crash between the vendor's answer and the database", () => {
  test("loses nothing: what the object has journaled is saved after the restart", async () => {
    const { org, id } = await setUp(1);
    await wait(expired);
    server.mood.afterRefresh = () => {
      proxy.state.down = true;
    };
    const refreshes = await refreshesDuring(async () => {
      const reply = await run(first, org, id);
      expect(reply.status).toBe(503);
      await first.stop();
      server.mood.afterRefresh = undefined;
      proxy.state.down = false;
      expect(await grantOf(id)).toMatchObject({ version: 1, refresh_until: expect.anything() });
      first = await startOne(ports[0] ?? 0, folder);
      expect((await run(first, org, id)).status).toBe(200);
    });
    expect(refreshes).toBe(1);
    expect(await grantOf(id)).toMatchObject({
      status: "connected",
      version: 2,
      refresh_until: null,
    });
    // The rotated refresh token is the one that was saved: the next refresh works with it.
    await sql`update grants set next_refresh_at = now() where integration_id = ${id}`;
    expect(await refreshesDuring(() => tickUntil(id, 3))).toBe(1);
  });

  test("before the answer arrived is on record, and ends in a request to connect again", async () => {
    const { org, id } = await setUp(1);
    await wait(expired);
    let answered = () => {};
    const acted = new Promise<void>((resolve) => {
      answered = resolve;
    });
    server.mood.afterRefresh = async () => {
      answered();
      await wait(60_000);
    };
    const lost = run(first, org, id).catch(() => undefined);
    await acted;
    const claimed = await grantOf(id);
    expect(claimed).toMatchObject({ version: 1, refresh_started_at: expect.anything() });
    await first.stop();
    await lost;
    server.mood.afterRefresh = undefined;
    first = await startOne(ports[0] ?? 0, folder);
    // Its claim would be waited for; the clock is turned on instead.
    await sql`update grants set refresh_until = now() - interval '1 second' where integration_id = ${id}`;
    const reply = await run(first, org, id);
    expect(reply.body).toMatchObject({ cause: "credentials_expired" });
    const log = await activityOf(org, id);
    expect(log).toContain("refresh_interrupted");
    expect(log).toContain("reconnect_needed");
    expect((await grantOf(id))?.["status"]).toBe("reconnect");
  });
});

/** One visit of the clock, and what it began. */
async function tickUntil(id: string, version: number) {
  await first.tick();
  await expect
    .poll(async () => (await grantOf(id))?.["version"], { timeout: 10_000 })
    .toBe(version);
}

describe("the clock", () => {
  test("refreshes ahead of the end, once, while calls go on", async () => {
    const { org, id } = await setUp();
    const [row] = await sql`select extract(epoch from expires_at - next_refresh_at)::int as ahead
      from grants where integration_id = ${id}`;
    expect(row?.["ahead"]).toBe(120);
    await sql`update grants set next_refresh_at = now() where integration_id = ${id}`;
    const refreshes = await refreshesDuring(async () => {
      await Promise.all([tickUntil(id, 2), run(first, org, id), others[0]?.tick()]);
      await first.tick();
      expect((await run(first, org, id)).status).toBe(200);
    });
    expect(refreshes).toBe(1);
  });

  test("leaves alone what is off, unless its refresh token would lapse", async () => {
    const { id } = await setUp();
    await sql`update integrations set enabled = false where id = ${id}`;
    await sql`update grants set next_refresh_at = now() where integration_id = ${id}`;
    await first.tick();
    expect((await grantOf(id))?.["next_refresh_at"]).toBeTruthy();
    expect((await grantOf(id))?.["version"]).toBe(1);
    await sql`update grants set refresh_expires_at = now() + interval '2 days' where integration_id = ${id}`;
    await tickUntil(id, 2);
  });

  test("sends no token of a configuration that has changed since", async () => {
    const { org, id } = await setUp();
    const change = { api_endpoint: "https://api.clinic.example/another" };
    expect((await org.call("PUT", `/api/integrations/${id}`, change)).status).toBe(200);
    await sql`update grants set next_refresh_at = now() where integration_id = ${id}`;
    const refreshes = await refreshesDuring(async () => {
      await first.tick();
      expect((await run(first, org, id)).body).toMatchObject({ cause: "credentials_expired" });
    });
    expect(refreshes).toBe(0);
    expect((await grantOf(id))?.["version"]).toBe(1);
  });

  test("warns 14, 3 and 1 days before the end, once each", async () => {
    const { org, id } = await setUp();
    const warnings = async () => {
      await first.tick();
      const reply = await org.call(
        "GET",
        `/api/integrations/${id}/activity?activity_type=grant_expiring`,
      );
      return (reply.body.data as { details: { days: number } }[]).map(
        ({ details }) => details.days,
      );
    };
    expect(await warnings()).toEqual([]);
    const expected: number[] = [];
    for (const [left, days] of [
      ["10 days", 14],
      ["60 hours", 3],
      ["20 hours", 1],
    ] as const) {
      await sql`update grants set refresh_expires_at = now() + ${left}::interval where integration_id = ${id}`;
      expected.unshift(days);
      expect(await warnings()).toEqual(expected);
      expect(await warnings(), "not twice").toEqual(expected);
    }
  });

  test("clears away sign-ins that were begun and never came back", async () => {
    const { org, person, id } = await setUp();
    const headers = { cookie: person.cookie, "x-org-id": org.orgId, origin: place().publicUrl };
    await call(`${first.url}/api/integrations/${id}/oauth/start`, "POST", {}, headers);
    await sql`update oauth_states set expires_at = now() - interval '2 hours' where integration_id = ${id}`;
    await first.tick();
    expect(await sql`select 1 from oauth_states where integration_id = ${id}`).toEqual([]);
  });
});

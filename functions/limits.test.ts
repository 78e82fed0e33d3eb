import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { call, newOrg, startWorld, type World } from "../scripts/world.ts";

let world: World;
beforeAll(async () => {
  const settings = { LIMIT_IP: "120", LIMIT_KEY: "30", LIMIT_ORG: "1000" };
  world = await startWorld(inject("world").engine, { settings });
});
afterAll(() => world.stop());

test("a key that asks too often is told how long to wait, others go on, and the address has its own limit", async () => {
  const place = {
    url: world.url,
    databaseUrl: world.database.url,
    endpoint: world.database.endpoint,
  };
  const [a, b] = [await newOrg(place), await newOrg(place)];
  const first = await a.call("GET", "/api/integrations");
  expect(first.headers.get("ratelimit-policy")).toBe('"default";q=30;w=60');
  expect(first.headers.get("ratelimit")).toMatch(/^"default";r=\d+;t=\d+$/);
  const replies = await Promise.all(
    Array.from({ length: 40 }, () => a.call("GET", "/api/integrations")),
  );
  const refused = replies.filter((reply) => reply.status === 429);
  expect(replies.filter((reply) => reply.status === 200)).toHaveLength(29);
  expect(refused).toHaveLength(11);
  expect(refused[0]?.body["code"]).toBe("too_many_requests");
  expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(refused[0]?.headers.get("ratelimit")).toMatch(/^"default";r=0;t=\d+$/);
  expect((await b.call("GET", "/api/integrations")).status).toBe(200);
  const anonymous = await Promise.all(
    Array.from({ length: 120 }, () => call(`${world.url}/api/integrations/vendors`, "GET")),
  );
  expect(anonymous.some((reply) => reply.status === 429)).toBe(true);
  // A vendor's webhook never counts: it would be lost.
  const webhook = await call(`${world.url}/webhooks/stripe/${crypto.randomUUID()}`, "POST", "{}");
  expect(webhook.status).toBe(404);
});

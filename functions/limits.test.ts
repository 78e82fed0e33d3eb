import { neon, neonConfig } from "@neondatabase/serverless";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { keyHash } from "../scripts/seed.ts";
import { call, newOrg, startWorld, type World } from "../scripts/world.ts";

let world: World;
beforeAll(async () => {
  const settings = { LIMIT_IP: "120", LIMIT_KEY: "30", LIMIT_ORG: "50" };
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
  const wait = Number(refused[0]?.headers.get("retry-after"));
  expect(wait).toBeGreaterThan(30);
  expect(refused[0]?.headers.get("ratelimit")).toBe(`"default";r=0;t=${wait}`);
  expect((await b.call("GET", "/api/integrations")).status).toBe(200);
  const anonymous = await Promise.all(
    Array.from({ length: 120 }, () => call(`${world.url}/api/integrations/vendors`, "GET")),
  );
  expect(anonymous.some((reply) => reply.status === 429)).toBe(true);
  const callback = await fetch(`${world.url}/oauth/callback`, { redirect: "manual" });
  expect(callback.status).toBe(429);
  // A vendor's webhook never counts: it would be lost.
  const webhook = await call(`${world.url}/webhooks/stripe/${crypto.randomUUID()}`, "POST", "{}");
  expect(webhook.status).toBe(404);
});

test("the keys of an org share its limit", async () => {
  const place = {
    url: world.url,
    databaseUrl: world.database.url,
    endpoint: world.database.endpoint,
  };
  const org = await newOrg(place);
  neonConfig.fetchEndpoint = place.endpoint;
  const another = `ehr_${crypto.randomUUID()}`;
  await neon(place.databaseUrl)`insert into api_keys (name, start, key, reference_id, created_by)
    values ('Another', 'ehr_', ${keyHash(another)}, ${org.orgId}, ${org.userId})`;
  const list = (key: string) =>
    org.call("GET", "/api/integrations", undefined, {
      authorization: `Bearer ${key}`,
      "cf-connecting-ip": "198.51.100.7",
    });
  const replies = [await list(org.apiKey), await list(another)];
  for (let i = 0; i < 28; i++) replies.push(await list(org.apiKey), await list(another));
  const refused = replies.filter((reply) => reply.status === 429);
  expect(replies.length - refused.length).toBeGreaterThanOrEqual(50);
  expect(refused.length).toBeGreaterThan(0);
  expect(refused[0]?.headers.get("ratelimit-policy")).toBe('"default";q=50;w=60');
});

test("all addresses of one IPv6 network count as one", async () => {
  const from = (ip: string) =>
    call(`${world.url}/api/keys`, "GET", undefined, { "cf-connecting-ip": ip });
  const same = Array.from({ length: 130 }, (_, i) => `2001:db8:a:0:${(i + 1).toString(16)}::${i}`);
  const replies = await Promise.all(same.map(from));
  expect(replies.filter((reply) => reply.status === 401)).toHaveLength(120);
  expect(replies.filter((reply) => reply.status === 429)).toHaveLength(10);
  expect((await from("2001:db8:a::1")).status).toBe(429);
  expect((await from("2001:db8:a:1::1")).status).toBe(401);
  expect((await from("2001:db8::a:0:0:1")).status).toBe(401);
});

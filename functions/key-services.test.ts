import { randomBytes } from "node:crypto";

import { neon, neonConfig } from "@neondatabase/serverless";
import Stripe from "stripe";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";

import { aws, hashicorp, kms, transit } from "../scripts/key-services.ts";
import { eventually, startReceiver } from "../scripts/receiver.ts";
import { signedIn, type Visitor } from "../scripts/visitor.ts";
import { newSecrets, type RunningWorker, startWorker } from "../scripts/worker.ts";
import { call, newOrg, type Reply, type TestOrg } from "../scripts/world.ts";
import { restApiCredentials } from "../simulator/rest-api.ts";
import { decide } from "./oauth-stage.ts";

/** Workers whose keys lie elsewhere; what they send passes through the test. */
const place = inject("world");
neonConfig.fetchEndpoint = place.endpoint;
const sql = neon(place.databaseUrl);
const stripe = new Stripe("sk_test_unused");
const webhookSecret = "whsec_0123456789abcdef0123456789abcdef";
const newKey = () => randomBytes(32).toString("base64");

const workers: RunningWorker[] = [];
afterAll(() => Promise.all(workers.map((worker) => worker.stop())));

type Answer = (request: Request) => Promise<Response | undefined> | Response | undefined;
async function start(
  keys: Record<string, string>,
  {
    answer,
    simulated = true,
    ...more
  }: { answer?: Answer; simulated?: boolean; secretsStoreSecrets?: object } = {},
) {
  const { KEY_1: _unused, ...secrets } = newSecrets();
  const limits = { LIMIT_IP: "100000", LIMIT_KEY: "100000", LIMIT_ORG: "100000" };
  const logs: string[] = [];
  /** Requests that the test does not answer go where they were meant to. */
  const outboundService = async (request: Request) => {
    const { url, method } = request;
    const headers = [...request.headers].filter(
      ([name]) => !/^(?:host|content-length)$/.test(name),
    );
    const body = method === "GET" ? undefined : await request.text();
    const asked = () => new Request(url, { method, headers, ...(body ? { body } : {}) });
    return (await answer?.(asked())) ?? fetch(asked(), { redirect: "manual" });
  };
  const worker = await startWorker({
    databaseUrl: place.databaseUrl,
    databaseEndpoint: place.endpoint,
    ...(simulated ? { simulatorUrl: place.simulatorUrl } : {}),
    secrets: { ...secrets, ...limits, ...keys },
    more: { ...more, ...(answer ? { outboundService } : {}) },
    log: (line) => logs.push(line),
  });
  workers.push(worker);
  const own = {
    ...place,
    url: worker.url,
    publicUrl: worker.url.replace("127.0.0.1", "localhost"),
  };
  return { worker, logs, own, newOrg: () => newOrg(own) };
}
type Started = Awaited<ReturnType<typeof start>>;

async function added(org: TestOrg, path: string, body: object) {
  const reply = await org.call("POST", path, body);
  expect(reply.status, JSON.stringify(reply.body)).toBe(201);
  return reply.body.data as { id: string; webhook_url: string };
}
const addStripe = (org: TestOrg) =>
  added(org, "/api/integrations", {
    vendor_id: "stripe",
    environment: "sandbox",
    credentials: { secretKey: "sk_test_0123456789abcdefghijklmn", webhookSecret },
  });
async function post({ worker }: Started, webhookUrl: string, id: string): Promise<Reply> {
  const payload = JSON.stringify({ id, object: "event", type: "charge.succeeded", created: 1 });
  return call(`${worker.url}${new URL(webhookUrl).pathname}`, "POST", payload, {
    "content-type": "application/json",
    "stripe-signature": stripe.webhooks.generateTestHeaderString({
      payload,
      secret: webhookSecret,
    }),
  });
}
const sealedBy = async (id: string) =>
  (await sql`select credentials_kek as kek from integrations where id = ${id}`)[0]?.["kek"];

/** A key service at `host`, which can go away. */
function serviceAt(host: string, service: (request: Request) => Promise<Response>) {
  const state = { away: false, after: (_request: Request): void => {} };
  const answer: Answer = (request) => {
    state.after(request);
    if (new URL(request.url).hostname !== host) return undefined;
    return state.away ? new Response("sealed", { status: 503 }) : service(request);
  };
  return { state, answer };
}

describe("a Worker whose key lies in", () => {
  const seals = async (started: Started, kek: string) => {
    const org = await started.newOrg();
    const { id, webhook_url } = await addStripe(org);
    expect(await sealedBy(id)).toBe(kek);
    expect((await post(started, webhook_url, "evt_1")).status).toBe(200);
    const [event] = (await org.call("GET", "/api/events")).body.data as { id: string }[];
    const read = await org.call("GET", `/api/events/${event?.id}`);
    expect(read.body.data).toMatchObject({ payload: { data: expect.stringContaining("evt_1") } });
  };

  test("Cloudflare's Secrets Store seals and opens by it", async () => {
    const secretsStoreSecrets = { KEY_1: { store_id: "store", secret_name: "kek" } };
    const started = await start({}, { secretsStoreSecrets });
    const org = await started.newOrg();
    const empty = await org.call("POST", "/api/destinations", {
      name: "Ours",
      url: "https://receiver.example/",
    });
    expect([empty.status, empty.body["error"]]).toEqual([503, "The secrets store does not answer"]);
    const { miniflare } = started.worker;
    const admin = (await miniflare.getSecretsStoreSecretAPI("KEY_1", "integrations"))();
    await admin.create(newKey());
    await seals(started, "KEY_1");
  });

  test("AWS KMS seals and opens by it", async () => {
    const { answer } = serviceAt("kms.eu-west-1.amazonaws.com", kms());
    await seals(await start({ KEY_RING: "aws-kms", ...aws }, { answer }), `kms:${aws.AWS_KMS_KEY}`);
  });
});

describe("a Worker whose keys lie in Vault", () => {
  const { state, answer } = serviceAt("vault.clinic.example", transit());
  let started: Started;
  beforeAll(async () => {
    started = await start({ KEY_RING: "vault", ...hashicorp }, { answer });
  });
  afterEach(() => {
    state.away = false;
    state.after = () => {};
  });

  test("says 503 while that is away, loses nothing and goes on after it", async () => {
    const org = await started.newOrg();
    const { id, webhook_url } = await addStripe(org);
    expect(await sealedBy(id)).toBe("vault:transit/integrations");
    state.away = true;
    for (const reply of [
      await post(started, webhook_url, "evt_away"),
      await org.call("POST", `/api/integrations/${id}/test`),
      await org.call("GET", `/api/integrations/${id}`),
    ])
      expect([reply.status, reply.body["error"], reply.headers.get("retry-after")]).toEqual([
        503,
        "The key service does not answer",
        "5",
      ]);
    state.away = false;
    expect((await post(started, webhook_url, "evt_away")).status).toBe(200);
  });

  test("does not send an event again since what its endpoint said could not be sealed", async () => {
    const org = await started.newOrg();
    const to = await startReceiver(place.simulatorUrl);
    let back: NodeJS.Timeout | undefined;
    try {
      const { webhook_url } = await addStripe(org);
      await added(org, "/api/destinations", { name: "Ours", url: to.url });
      to.answer = () => {
        state.away = true;
        back = setTimeout(() => (state.away = false), 1_500);
        return { status: 200, body: "taken", headers: { "content-type": "text/plain" } };
      };
      expect((await post(started, webhook_url, "evt_once")).status).toBe(200);
      const delivered = "/api/deliveries?state=delivered";
      await eventually(
        async () => (await org.call("GET", delivered)).body["count"] === 1,
        "it is delivered",
      );
      expect(to.received).toHaveLength(1);
    } finally {
      clearTimeout(back);
      await to.close();
    }
  });

  test("passes over nobody's data when it is asked to erase a person meanwhile", async () => {
    const org = await started.newOrg();
    const owner = await signedIn(started.own, org.email);
    const { webhook_url } = await addStripe(org);
    expect((await post(started, webhook_url, "evt_of_somebody")).status).toBe(200);
    const erase = () =>
      owner.ask("POST", "/api/erasures", { subject: "evt_of_somebody", dry_run: true });
    state.away = true;
    expect((await erase()).status).toBe(503);
    state.away = false;
    expect((await erase()).body.data).toMatchObject({ unreadable: 0 });
  });

  test("spends no refresh token whose successor it could not seal", async () => {
    const org = await started.newOrg();
    const person = await signedIn(started.own, org.email);
    const { id } = await added(org, "/api/integrations", {
      vendor_id: "rest-api",
      environment: "sandbox",
      api_endpoint: "https://sandbox.api.example.com/v1",
      enabled: true,
      credentials: restApiCredentials.code,
    });
    await connect(person, id);
    const version = async () =>
      (await sql`select version from grants where integration_id = ${id}`)[0]?.["version"];
    const before = await version();
    // As soon as the vendor is asked for a new token, the key service is away.
    state.after = ({ url }) => {
      if (url.includes("/auth.example.com/")) state.away = true;
    };
    await sql`update grants set next_refresh_at = now() where integration_id = ${id}`;
    await started.worker.tick();
    await eventually(() => state.away, "the vendor is asked");
    await eventually(async () => (await version()) !== before, "it is kept");
    state.after = () => {};
    state.away = false;
    const reply = await org.call("POST", `/api/integrations/${id}/execute`, {
      operation: "get",
      params: { path: "/items/42" },
    });
    expect(reply.status, JSON.stringify(reply.body)).toBe(200);
  });

  test("calls with a token that could not be sealed, and fetches another for the next call", async () => {
    const org = await started.newOrg();
    const { id } = await added(org, "/api/integrations", {
      vendor_id: "rest-api",
      environment: "sandbox",
      api_endpoint: "https://sandbox.api.example.com/v1",
      enabled: true,
      credentials: restApiCredentials.oauth2,
    });
    // Forgets the token that switching on has fetched.
    await org.call("POST", `/api/integrations/${id}/toggle`, { enabled: false });
    await sql`update integrations set enabled = true where id = ${id}`;
    const read = () =>
      org.call("POST", `/api/integrations/${id}/execute`, {
        operation: "get",
        params: { path: "/items/42" },
      });
    let fetched = 0;
    state.after = ({ url }) => {
      if (!url.includes("/auth.example.com/")) return;
      fetched += 1;
      state.away = true;
    };
    for (const times of [1, 2]) {
      const reply = await read();
      expect(reply.status, JSON.stringify(reply.body)).toBe(200);
      expect(fetched).toBe(times);
      state.away = false;
    }
  });

  async function connect(person: Visitor, id: string) {
    const begun = await person.ask("POST", `/api/integrations/${id}/oauth/start`, {});
    const { authorization_url } = begun.body.data as { authorization_url: string };
    const { pathname, search } = await decide(authorization_url);
    const back = await person.ask("GET", pathname + search);
    expect(back.headers.get("location")).toContain("connected=1");
  }
});

test("the clock moves envelopes to the newest key, past those that no key opens", async () => {
  const keys = { KEY_1: newKey(), KEY_2: newKey() };
  const before = await start({ KEY_1: keys.KEY_1 });
  const org = await before.newOrg();
  const [{ id }, broken] = [await addStripe(org), await addStripe(await before.newOrg())];
  await sql`update integrations set credentials = (select credentials from integrations
    where id = ${id}) where id = ${broken.id}`;
  const after = await start(keys);
  const at = (time: string) => after.worker.tick(new Date(`2026-01-01T${time}Z`));
  await at("10:08:59");
  expect(await sealedBy(id)).toBe("KEY_1");
  await at("11:07:00");
  expect([await sealedBy(id), await sealedBy(broken.id)]).toEqual(["KEY_2", "KEY_1"]);
  const said = await eventually(
    () => after.logs.find((line) => line.includes("envelopes moved")),
    "it is said",
  );
  const { moved, unreadable } = JSON.parse(said) as { moved: number; unreadable: number };
  expect(moved).toBeGreaterThan(0);
  expect(unreadable).toBeGreaterThan(0);
  const key = { authorization: `Bearer ${org.apiKey}` };
  const read = await call(`${after.worker.url}/api/integrations/${id}`, "GET", undefined, key);
  expect(read.body.data).toMatchObject({ credentials: { secretKey: "••••klmn" } });
});

test("a Worker without its key serves nothing, says what it lacks, and has its headers", async () => {
  const { worker, logs } = await start({});
  const reply = await call(`${worker.url}/healthz`, "GET");
  expect([reply.status, reply.body["error"]]).toEqual([
    503,
    "The service is not configured: KEY_RING",
  ]);
  expect(reply.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(reply.headers.get("strict-transport-security")).toContain("max-age=63072000");
  await eventually(() => logs.some((line) => line.includes("configuration refused")), "it is said");
});

test("no address that a tenant gives is called where its name leads inside", async () => {
  const inside: Record<string, string> = {
    "loopback.example.org": "127.0.0.1",
    "metadata.example.org": "169.254.169.254",
    "mixed.example.org": "10.0.0.1",
    "six.example.org": "fd00::1",
    "mapped.example.org": "::ffff:7f00:1",
  };
  const called: string[] = [];
  const { newOrg: newTenant } = await start(
    { KEY_1: newKey() },
    {
      simulated: false,
      answer: ({ url }) => {
        const { hostname, searchParams } = new URL(url);
        if (hostname === "127.0.0.1") return undefined;
        if (hostname !== "cloudflare-dns.com") {
          called.push(hostname);
          return Response.json({});
        }
        const found = ["93.184.216.34", inside[searchParams.get("name") ?? ""] ?? "2606:4700::1"];
        const isSix = searchParams.get("type") === "AAAA";
        const data = found.filter((address) => address.includes(":") === isSix);
        return Response.json({
          Answer: data.map((one) => ({ type: isSix ? 28 : 1, data: one })),
        });
      },
    },
  );
  const org = await newTenant();
  const tested = async (host: string) => {
    const { id } = await added(org, "/api/destinations", { name: host, url: `https://${host}/` });
    const rest = (endpoint: string, credentials: object) =>
      org.call("POST", "/api/integrations/test", {
        vendor_id: "rest-api",
        environment: "sandbox",
        api_endpoint: `https://${endpoint}/v1`,
        credentials,
      });
    const replies = [
      await org.call("POST", `/api/destinations/${id}/test`),
      await rest(host, { authKind: "bearer", bearerToken: "a-bearer-token" }),
      await rest("public.example.org", {
        authKind: "oauth2",
        tokenUrl: `https://${host}/token`,
        clientId: "client",
        clientSecret: "a-client-secret",
      }),
    ];
    return replies.map((reply) => (reply.body.data as { cause: string | null }).cause);
  };
  for (const host of Object.keys(inside))
    expect(await tested(host), host).toEqual([
      "address_refused",
      "invalid_request",
      "invalid_request",
    ]);
  expect(called).toEqual([]);
  await tested("public.example.org");
  expect(called).toHaveLength(3);
});

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { type Simulator, startSimulator } from "./server.ts";

const simulator: Simulator = await startSimulator({ vendors: ["slack", "stripe", "rest-api"] });
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const { secretKey } = simulator.simulation("stripe").credentials;
const authorization = { authorization: `Bearer ${secretKey}` };
const balance = () =>
  fetch(`${simulator.url}/api.stripe.com/v1/balance?x=1`, { headers: authorization });
const control = (method: string, path: string, body?: object, type = "application/json") =>
  fetch(`${simulator.url}/_simulator/${path}`, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { "content-type": type } }),
  });

describe("addresses", () => {
  test("the first segment of the path is the vendor's host", async () => {
    expect((await balance()).status).toBe(400);
    const reply = await fetch(`${simulator.url}/api.stripe.com/v1/balance`, {
      headers: authorization,
    });
    expect(await reply.json()).toMatchObject({ object: "balance" });
  });

  test("fetch takes the vendor's own address", async () => {
    const reply = await simulator.fetch("https://api.stripe.com/v1/customers", {
      method: "POST",
      headers: authorization,
      body: new URLSearchParams({ name: "Ada Example" }),
    });
    expect(await reply.json()).toMatchObject({ object: "customer", name: "Ada Example" });
  });

  test("a host that nobody simulates is unreachable", async () => {
    await expect(simulator.fetch("https://api.nobody.example/")).rejects.toThrow("fetch failed");
  });

  test("two simulators share no state", async () => {
    const other = await startSimulator({ vendors: ["rest-api"] });
    const { bearerToken } = other.simulation("rest-api").credentials;
    const headers = { authorization: `Bearer ${bearerToken}` };
    const item = "https://api.clinic.example/v1/items/42";
    expect((await other.fetch(item, { method: "DELETE", headers })).status).toBe(204);
    expect((await other.fetch(item, { headers })).status).toBe(404);
    expect((await simulator.fetch(item, { headers })).status).toBe(200);
    await other.close();
  });

  test("says that the port is taken", async () => {
    await expect(startSimulator({ port: simulator.port, vendors: [] })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
  });

  test("serves nobody but this machine", () => {
    expect(simulator.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });
});

describe("faults", () => {
  const ask = () =>
    simulator.fetch("https://api.stripe.com/v1/balance", { headers: authorization });

  test("strike as often as asked, in order, and only where the path matches", async () => {
    simulator.fault({ vendor: "stripe", kind: "server_error", times: 1, match: "^/v1/customers" });
    simulator.fault({ vendor: "stripe", kind: "rate_limited", times: 2, retryAfter: 7 });
    const first = await ask();
    expect([first.status, first.headers.get("retry-after")]).toEqual([429, "7"]);
    expect((await ask()).status).toBe(429);
    expect((await ask()).status).toBe(200);
    const customers = "https://api.stripe.com/v1/customers";
    expect((await simulator.fetch(customers, { headers: authorization })).status).toBe(500);
  });

  test("take a date as Retry-After", async () => {
    const date = "Mon, 23 Nov 2026 12:00:30 GMT";
    simulator.fault({ vendor: "stripe", kind: "maintenance", retryAfter: date });
    const reply = await ask();
    expect([reply.status, reply.headers.get("retry-after")]).toEqual([503, date]);
    expect(reply.headers.get("content-type")).toBe("text/html");
  });

  test("answer in the vendor's own words", async () => {
    simulator.fault({ vendor: "slack", kind: "expired_credentials" });
    const reply = await simulator.fetch("https://slack.com/api/auth.test");
    expect([reply.status, await reply.json()]).toEqual([
      200,
      { ok: false, error: "token_expired" },
    ]);
  });

  test("cut an answer short after the vendor has done the work", async () => {
    simulator.fault({ vendor: "stripe", kind: "truncated", times: 1 });
    const customers = "https://api.stripe.com/v1/customers";
    const made = await simulator.fetch(customers, { method: "POST", headers: authorization });
    await expect(made.text()).rejects.toThrow();
    const list = await simulator.fetch(customers, { headers: authorization });
    expect(await list.json()).toMatchObject({ data: { length: 2 } });
  });

  test("wait as long as asked", async () => {
    simulator.fault({ vendor: "stripe", kind: "slow", delayMs: 120, times: 1 });
    const started = performance.now();
    expect((await ask()).status).toBe(200);
    expect(performance.now() - started).toBeGreaterThan(115);
  });

  test("send nothing that can be read", async () => {
    simulator.fault({ vendor: "stripe", kind: "garbage", times: 1 });
    const garbage = await ask();
    expect(garbage.headers.get("content-type")).toBe("application/json");
    await expect(garbage.json()).rejects.toThrow(SyntaxError);
    simulator.fault({ vendor: "stripe", kind: "wrong_content_type", times: 1 });
    expect(await (await ask()).text()).toMatch(/^<!doctype html>/);
    simulator.fault({ vendor: "stripe", kind: "reset", times: 1 });
    await expect(ask()).rejects.toThrow();
  });

  test("are refused for a vendor that is not there", () => {
    expect(() => simulator.fault({ vendor: "nobody", kind: "reset" })).toThrow("nobody");
  });
});

describe("control", () => {
  test("sets and clears faults", async () => {
    const order = { vendor: "stripe", kind: "rate_limited", retryAfter: 3 };
    expect((await control("POST", "faults", order)).status).toBe(201);
    expect((await balance()).headers.get("retry-after")).toBe("3");
    expect((await control("DELETE", "faults")).status).toBe(200);
    expect((await balance()).status).toBe(400);
  });

  test.each([
    { vendor: "stripe", kind: "flood" },
    { kind: "reset" },
    { vendor: "nobody", kind: "reset" },
  ])("refuses the fault %j", async (order) => {
    expect((await control("POST", "faults", order)).status).toBe(400);
  });

  test("refuses what a page in a browser could send unasked", async () => {
    const order = { vendor: "stripe", kind: "reset" };
    expect((await control("POST", "faults", order, "text/plain")).status).toBe(415);
  });

  test("lists requests without what could be secret", async () => {
    await balance();
    const listed = await (await control("GET", "requests?vendor=stripe")).text();
    expect(JSON.parse(listed)).toMatchObject([
      {
        vendor: "stripe",
        method: "GET",
        host: "api.stripe.com",
        path: "/v1/balance",
        headers: expect.arrayContaining(["authorization"]),
        status: 400,
        fault: null,
      },
    ]);
    expect(listed).not.toContain(String(secretKey));
    const [recorded] = simulator.requests("stripe");
    expect(recorded?.headers.get("authorization")).toBe(authorization.authorization);
    expect(recorded?.query).toBe("?x=1");
  });

  test("lists vendors with what they accept, and resets them", async () => {
    const listed = (await (await control("GET", "vendors")).json()) as { vendor: string }[];
    expect(listed.map(({ vendor }) => vendor)).toEqual(["slack", "stripe", "rest-api"]);
    await balance();
    await control("POST", "reset", {});
    expect(simulator.requests()).toEqual([]);
    expect((await control("GET", "nothing")).status).toBe(404);
  });

  test("sends a signed webhook as often as asked, and says what came of it", async () => {
    const got: { headers: IncomingMessage["headers"]; body: string }[] = [];
    const receiver = createServer((incoming, outgoing) => {
      let body = "";
      incoming.on("data", (chunk: Buffer) => (body += chunk.toString()));
      incoming.on("end", () => {
        got.push({ headers: incoming.headers, body });
        outgoing.writeHead(202).end("received");
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/webhooks/stripe/1`;
    const { credentials } = simulator.simulation("stripe");
    const order = { vendor: "stripe", url, credentials, type: "invoice.paid", times: 2 };
    const reply = await control("POST", "webhooks", order);
    expect(await reply.json()).toEqual([
      { status: 202, body: "received" },
      { status: 202, body: "received" },
    ]);
    expect(got[0]?.headers["stripe-signature"]).toMatch(/^t=\d+,v1=[0-9a-f]{64}$/);
    expect(got[1]?.body).toBe(got[0]?.body);
    expect(JSON.parse(got[0]?.body ?? "")).toMatchObject({ type: "invoice.paid" });
    await new Promise((resolve) => receiver.close(resolve));
  });
});

import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { newSecrets, type RunningWorker, startWorker } from "../scripts/worker.ts";
import { addSimulated, newOrg, type TestOrg } from "../scripts/world.ts";

const place = inject("world");

/** OpenAI's host: a stream is the test's to write, all else is the simulator's. */
const streams: ServerResponse[] = [];
let instead: { status: number; type: string; body: string } | undefined;
const vendor = createServer((incoming, outgoing) => {
  const answer = async () => {
    const body = await text(incoming);
    if (incoming.url === "/api.openai.com/v1/responses" && instead) {
      outgoing.writeHead(instead.status, { "content-type": instead.type }).end(instead.body);
      return;
    }
    if (incoming.url === "/api.openai.com/v1/responses") {
      outgoing.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      streams.push(outgoing);
      return;
    }
    const { authorization = "" } = incoming.headers;
    const reply = await fetch(`${place.simulatorUrl}${incoming.url}`, {
      headers: { authorization },
      ...(body ? { method: "POST", body } : {}),
    });
    outgoing
      .writeHead(reply.status, { "content-type": reply.headers.get("content-type") ?? "" })
      .end(await reply.text());
  };
  answer().catch(() => outgoing.destroy());
});

let worker: RunningWorker;
let org: TestOrg;
let id: string;
beforeAll(async () => {
  vendor.listen(0, "127.0.0.1");
  await once(vendor, "listening");
  worker = await startWorker({
    databaseUrl: place.databaseUrl,
    databaseEndpoint: place.endpoint,
    simulatorUrl: `http://127.0.0.1:${(vendor.address() as AddressInfo).port}`,
    secrets: newSecrets(),
  });
  org = await newOrg({ ...place, url: worker.url });
  ({ id } = await addSimulated(org, "openai", { enabled: true }));
});
afterAll(async () => {
  await worker.stop();
  vendor.closeAllConnections();
  vendor.close();
});

const prepare = {
  operation: "streamText",
  params: { model: "example-model", prompt: "How should a patient prepare?" },
};

/** Begins a stream through the Worker; answers its reader and the vendor's end of it. */
async function begin(headers: Record<string, string> = {}) {
  const before = streams.length;
  const abort = new AbortController();
  const asked = fetch(`${worker.url}/api/integrations/${id}/execute`, {
    method: "POST",
    signal: abort.signal,
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${org.apiKey}`,
      ...headers,
    },
    body: JSON.stringify(prepare),
  });
  asked.catch(() => undefined);
  await expect.poll(() => streams.length).toBe(before + 1);
  const upstream = streams[before];
  if (!upstream) throw new Error("no stream");
  upstream.write("event: first\n\n");
  const response = await asked;
  const reader = response.body?.getReader();
  if (!reader) throw new Error("no body");
  return { upstream, response, reader, leave: () => abort.abort() };
}
const integration = async () =>
  (await org.call("GET", `/api/integrations/${id}`)).body.data as Record<string, unknown>;
const calls = async (status: string) =>
  (await org.call("GET", `/api/activity?activity_type=executed&status=${status}`)).body["count"];

test("each word comes through the Worker when it is said, not when all is", async () => {
  const { upstream, response, reader } = await begin();
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  for (const word of ["first", "second", "third"]) {
    if (word !== "first") upstream.write(`event: ${word}\n\n`);
    const { value } = await reader.read();
    expect(new TextDecoder().decode(value)).toBe(`event: ${word}\n\n`);
  }
  upstream.end();
  expect((await reader.read()).done).toBe(true);
});

test("a key is good for one stream, while it runs and once it has ended", async () => {
  const key = { "idempotency-key": "prepare" };
  const { upstream, reader } = await begin(key);
  const before = streams.length;
  const again = async () => {
    const path = `/api/integrations/${id}/execute`;
    const reply = await org.call("POST", path, prepare, key);
    expect([reply.status, reply.body]).toMatchObject([409, { code: "conflict" }]);
  };
  await again();
  upstream.end();
  while (!(await reader.read()).done);
  await again();
  expect(streams).toHaveLength(before);
});

test("who leaves a stream ends it at the vendor with the next word, and that is no failure", async () => {
  const { upstream, reader, leave } = await begin();
  await reader.read();
  leave();
  const talk = setInterval(() => upstream.write("event: more\n\n"), 50);
  await once(upstream, "close");
  clearInterval(talk);
  expect(upstream.writableEnded).toBe(false);
  expect(await integration()).toMatchObject({ health_status: "active", last_error: null });
  expect(await calls("failure")).toBe(0);
});

test("streams that begin well and break off turn the status red", async () => {
  for (let broken = 1; broken <= 3; broken++) {
    expect(await integration()).toMatchObject({ health_status: "active" });
    const { upstream, reader } = await begin();
    await reader.read();
    upstream.destroy();
    await expect(reader.read()).rejects.toThrow();
    await expect.poll(() => calls("failure")).toBe(broken);
  }
  expect(await integration()).toMatchObject({
    health_status: "error",
    last_cause: "unexpected_reply",
  });
});

test.each([
  [200, "text/html; charset=utf-8", "<script>alert('Sign in to the network')</script>"],
  [200, "application/json", '{"output":[]}'],
  [204, "text/event-stream", ""],
])("a %s of %s is no stream, and is told so", async (status, type, body) => {
  instead = { status, type, body };
  const reply = await org.call("POST", `/api/integrations/${id}/execute`, prepare);
  instead = undefined;
  expect([reply.status, reply.body]).toMatchObject([502, { cause: "unexpected_reply" }]);
});

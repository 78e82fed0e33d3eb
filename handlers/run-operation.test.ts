import { describe, expect, test, vi } from "vitest";
import * as z from "zod";

import { runOperation } from "./api.ts";
import type { Operation } from "./define.ts";
import type { Wire } from "./outbound.ts";
import { Thing, connect, failureOf, json, ok, scripted, vendorOf } from "./testing.ts";

const noop: Operation = {
  title: "Nothing",
  effect: "write",
  params: z.object({}),
  result: z.unknown(),
  example: { params: {}, wire: [], result: undefined },
  run: async () => undefined,
};

describe("send", () => {
  test("hands on the reply with its headers, and fails like the others", async () => {
    const page = new Response("a,b", { headers: { "content-type": "text/csv", link: "<x>" } });
    const { api } = connect(scripted(page).wire);
    const response = await api.send("GET", "/export", { headers: { accept: "text/csv" } });
    expect(response.headers.get("link")).toBe("<x>");
    expect(await response.text()).toBe("a,b");
    const broken = connect(scripted(json({ error: "E1" }, { status: 404 })).wire);
    expect(await failureOf(broken.api.send("GET", "/export"))).toMatchObject({
      failure: "not_found",
      vendorCode: "E1",
    });
    const half = new Response("{", { headers: { "content-type": "application/json" } });
    expect(await failureOf(connect(scripted(half).wire).api.send("GET", "/x"))).toMatchObject({
      failure: "unexpected_reply",
    });
  });

  test.each([
    [true, "a stream runs on", "xxxxxx"],
    [false, "any other body is cut", undefined],
  ])("when streams is %s, %s past the timeout", async (streams, _what, expected) => {
    const drip = () => {
      let left = 6;
      return new Response(
        new ReadableStream({
          async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, 20));
            if (left-- > 0) controller.enqueue(new TextEncoder().encode("x"));
            else controller.close();
          },
        }),
      );
    };
    const operations = {
      read: { ...noop, streams, run: (api) => api.send("GET", "/x") },
    } satisfies Record<string, Operation>;
    const { options } = connect(scripted(drip).wire, { vendor: vendorOf({ operations }) });
    const answer = await runOperation({ ...options, timeoutMs: 60, operation: "read", params: {} });
    if (!(answer instanceof Response)) throw new Error("not a stream");
    if (expected === undefined)
      expect(await failureOf(answer.text())).toMatchObject({ failure: "timeout" });
    else expect(await answer.text()).toBe(expected);
  });

  test("passes a stream on as it comes, and hangs up when its reader leaves", async () => {
    let left = false;
    let sent = 0;
    const endless = () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new TextEncoder().encode(`data: ${sent++}\n\n`)),
          cancel: () => void (left = true),
        }),
        { headers: { "content-type": "text/event-stream" } },
      );
    const { wire } = scripted(endless);
    const operations = {
      chat: { ...noop, streams: true, run: (api) => api.send("POST", "/chat", { json: {} }) },
    } satisfies Record<string, Operation>;
    const { options } = connect(wire, { vendor: vendorOf({ operations }) });
    const answer = await runOperation({ ...options, operation: "chat", params: {} });
    if (!(answer instanceof Response)) throw new Error("not a stream");
    const reader = answer.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("data: 0\n\n");
    expect(sent).toBeLessThan(5);
    await reader?.cancel();
    expect(left).toBe(true);
  });

  test.each([
    ["ends", "a stream that ends", [undefined]],
    ["breaks", "one that breaks off", ["unexpected_reply"]],
    ["is left", "one whose reader leaves", []],
  ])("when the stream %s, how is told once: %s", async (end, _what, expected) => {
    let said = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (said++ === 0) controller.enqueue(new TextEncoder().encode("a"));
        else if (end === "ends") controller.close();
        else if (end === "breaks") controller.error(new TypeError("reset"));
      },
    });
    const operations = {
      chat: { ...noop, streams: true, run: (api) => api.send("POST", "/chat", { json: {} }) },
    } satisfies Record<string, Operation>;
    const vendor = vendorOf({ operations });
    const { options } = connect(scripted(() => new Response(body)).wire, { vendor });
    const told: unknown[] = [];
    const answer = await runOperation({
      ...options,
      ended: (failure) => told.push(failure?.failure),
      operation: "chat",
      params: {},
    });
    if (!(answer instanceof Response)) throw new Error("not a stream");
    const reader = answer.body?.getReader();
    await reader?.read();
    const after = reader?.read().catch(() => undefined);
    if (end === "is left") await reader?.cancel();
    await after;
    expect(told).toEqual(expected);
  });

  test.each([
    ["a read ends when the caller leaves", "read", "timeout"],
    ["a write is finished though the caller leaves", "write", undefined],
  ] as const)("%s", async (_what, effect, expected) => {
    const caller = new AbortController();
    const wire: Wire = async () => {
      caller.abort();
      await new Promise((resolve) => setTimeout(resolve, 20));
      return json({ id: "1" });
    };
    const operations = {
      run: { ...noop, effect, run: (api) => api.post("/x", z.unknown()) },
    } satisfies Record<string, Operation>;
    const { options } = connect(wire, { vendor: vendorOf({ operations }) });
    const run = { ...options, signal: caller.signal, operation: "run", params: {} };
    const failure = await runOperation(run).then(
      () => undefined,
      (error: { failure?: string }) => error.failure,
    );
    expect(failure).toBe(expected);
  });
});

describe("runOperation", () => {
  const run = (
    wire: Wire,
    operation: Partial<Operation>,
    params: unknown = {},
    idempotencyKey?: string,
  ) => {
    const vendor = vendorOf({ operations: { pay: { ...noop, ...operation } } });
    const { options, log } = connect(wire, { vendor });
    const more = idempotencyKey === undefined ? {} : { idempotencyKey };
    return { log, answer: runOperation({ ...options, operation: "pay", params, ...more }) };
  };

  test("names the params that are wrong, and asks the vendor nothing", async () => {
    const { wire, requests } = scripted(ok());
    const params = z.strictObject({
      to: z.string(),
      lines: z.array(z.object({ amount: z.number() })),
    });
    const { answer } = run(wire, { params }, { lines: [{ amount: "1" }] });
    await expect(answer).rejects.toMatchObject({
      code: "invalid_request",
      errors: [{ path: "params.to" }, { path: "params.lines.0.amount" }],
    });
    await expect(run(wire, {}, null).answer).rejects.toMatchObject({
      errors: [{ path: "params" }],
    });
    expect(requests).toEqual([]);
  });

  test.each(["nothing", "toString", "__proto__"])(
    "knows no operation named %s",
    async (operation) => {
      const { options } = connect(scripted(ok()).wire);
      const answer = runOperation({ ...options, operation, params: {} });
      await expect(answer).rejects.toMatchObject({ code: "unknown_operation" });
    },
  );

  test("gives params with their defaults, the values, and a checked result", async () => {
    const { wire } = scripted(ok());
    const operation: Partial<Operation> = {
      params: z.object({ limit: z.number().default(10) }),
      result: z.strictObject({ id: z.string(), limit: z.number() }),
      run: async (api, { limit }) => ({ ...(await api.get("/x", Thing)), limit }),
    };
    const { answer, log } = run(wire, operation);
    expect(await answer).toEqual({ id: "1", limit: 10 });
    expect(log[0]).toMatchObject({ operation: "pay", outcome: "ok" });
    const wrong = run(wire, { ...operation, result: z.object({ other: z.string() }) }).answer;
    expect(await failureOf(wrong)).toMatchObject({
      failure: "unexpected_reply",
      mayHaveHappened: false,
    });
  });

  const twoWrites: Partial<Operation> = {
    async run(api) {
      await api.get("/a", Thing);
      await api.post("/b", Thing, { json: {} });
      return api.put("/c", Thing, { json: {} });
    },
  };

  test("sends the idempotency key with each write, the same on a retry, and repeats them safely", async () => {
    const { wire, requests } = scripted(ok(), json({}, { status: 500 }), ok());
    const operation = { ...twoWrites, idempotencyHeader: "Idempotency-Key" };
    expect(await run(wire, operation, {}, "key-1").answer).toEqual({ id: "1" });
    expect(requests.map(({ method, headers }) => [method, headers.get("idempotency-key")])).toEqual(
      [
        ["GET", null],
        ["POST", "key-1"],
        ["POST", "key-1"],
        ["PUT", "key-1-2"],
      ],
    );
  });

  test("makes a key of its own where it is given none", async () => {
    const { wire, requests } = scripted(ok());
    await run(wire, { ...twoWrites, idempotencyHeader: "Idempotency-Key" }).answer;
    expect(requests[1]?.headers.get("idempotency-key")).toMatch(/^[\da-f-]{36}$/);
  });

  test.each<[string, Partial<Operation>, number]>([
    ["an idempotent write", { idempotent: true }, 3],
    ["a read that posts", { effect: "read" }, 3],
    ["a write", {}, 1],
  ])("sends %s that meets a 503 as often as is safe", async (_what, operation, times) => {
    const { wire, requests } = scripted(json({}, { status: 503 }));
    const post: Operation["run"] = (api) => api.post("/x", Thing);
    const failure = await failureOf(run(wire, { ...operation, run: post }).answer);
    expect(failure.mayHaveHappened).toBe(operation.effect !== "read");
    expect(requests).toHaveLength(times);
  });

  test("remembers an earlier write when a later request fails", async () => {
    const { wire } = scripted(ok(), ok(), json({ error: "gone" }, { status: 404 }));
    expect(await failureOf(run(wire, twoWrites).answer)).toMatchObject({
      failure: "not_found",
      vendorStatus: 404,
      vendorCode: "gone",
      mayHaveHappened: true,
    });
    const first = scripted(json({}, { status: 404 }));
    expect(await failureOf(run(first.wire, twoWrites).answer)).toMatchObject({
      mayHaveHappened: false,
    });
  });

  test("remembers a write that may have happened, though the operation went on", async () => {
    const { wire } = scripted(json({}, { status: 500 }), json({}, { status: 404 }));
    const operation: Partial<Operation> = {
      async run(api) {
        await api.post("/a", Thing).catch(() => undefined);
        return api.get("/b", Thing);
      },
    };
    expect(await failureOf(run(wire, operation).answer)).toMatchObject({
      failure: "not_found",
      mayHaveHappened: true,
    });
  });

  test("a reply that trips the code which reads it is an unexpected one, and the log says where", async () => {
    const error = vi.spyOn(console, "error").mockReturnValue();
    const operation: Partial<Operation> = {
      async run(api) {
        const { at } = await api.post("/a", z.object({ at: z.number() }));
        return new Date(at).toISOString();
      },
    };
    const { answer } = run(scripted(json({ at: 1e20 })).wire, operation);
    expect(await failureOf(answer)).toMatchObject({
      failure: "unexpected_reply",
      mayHaveHappened: true,
    });
    expect(JSON.parse(String(error.mock.calls[0]?.[0]))).toMatchObject({
      message: "vendor file threw",
      name: "RangeError",
      at: expect.stringContaining("toISOString"),
    });
    error.mockRestore();
  });

  test("lets a mistake in a vendor file that asked nothing surface as what it is", async () => {
    const run_ = () => Promise.reject(new TypeError("undefined is not a function"));
    await expect(run(scripted(ok()).wire, { run: run_ }).answer).rejects.toBeInstanceOf(TypeError);
  });
});

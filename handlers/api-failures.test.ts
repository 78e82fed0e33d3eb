import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as z from "zod";

import type { VendorCause } from "../problem.ts";
import { connectApi } from "./api.ts";
import { parseRetryAfter } from "./failure.ts";
import { memoryTokens, type Tokens } from "./oauth.ts";
import type { Wire } from "./outbound.ts";
import { Thing, connect, failureOf, json, ok, scripted, secret, vendorOf } from "./testing.ts";

describe("a token that the vendor refuses", () => {
  const vendor = vendorOf({
    auth: () => ({
      kind: "client_credentials",
      tokenUrl: "https://login.acme.example/token",
      clientId: "c",
      clientSecret: secret,
      style: "body",
    }),
    failure: ({ body }) =>
      body instanceof Object && "expired" in body ? { cause: "credentials_expired" } : undefined,
  });

  /** Issues token-1, token-2… and takes only the ones named. */
  function issuer(accepted: readonly string[], refusal = () => json({}, { status: 401 })) {
    let issued = 0;
    return scripted((request) => {
      if (request.url.endsWith("/token"))
        return json({ access_token: `token-${++issued}`, token_type: "Bearer" });
      const bearer = request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
      return accepted.includes(bearer) ? ok() : refusal();
    });
  }

  /** Lets a token be fetched, and then fails otherwise than by refusing it. */
  const fetchOnly =
    (wire: Wire): Wire =>
    async (request) =>
      request.url.endsWith("/token") ? wire(request) : json({}, { status: 404 });

  test.each([
    ["GET", "a 401", undefined],
    ["POST", "a 401", undefined],
    ["POST", "the vendor's own words", () => json({ expired: true })],
  ])(
    "is dropped and fetched anew, and the %s sent again, on %s",
    async (method, _what, refusal) => {
      const { wire, requests } = issuer(["token-2"], refusal);
      const tokens = memoryTokens(() => 0);
      const { options, log, sleeps } = connect(wire, { vendor, tokens });
      // An earlier call leaves token-1 behind, which the vendor then no longer takes.
      await failureOf(connectApi({ ...options, wire: fetchOnly(wire) }).get("/x", Thing));
      const api = connectApi(options);
      expect(await (method === "GET" ? api.get("/x", Thing) : api.post("/x", Thing))).toEqual({
        id: "1",
      });
      expect(requests.map(({ url }) => new URL(url).pathname).slice(1)).toEqual([
        "/v1/x",
        "/token",
        "/v1/x",
      ]);
      expect(log.map(({ outcome }) => outcome).slice(-2)).toEqual([
        refusal ? "credentials_expired" : "credentials_rejected",
        "ok",
      ]);
      expect(sleeps).toEqual([]);
    },
  );

  test("is not asked for again when it was fetched for this very call, and is not kept", async () => {
    const { wire, requests } = issuer(["token-2"]);
    const { api } = connect(wire, { vendor, tokens: memoryTokens(() => 0) });
    expect(await failureOf(api.get("/x", Thing))).toMatchObject({
      failure: "credentials_rejected",
    });
    expect(requests).toHaveLength(2);
    expect(await api.get("/x", Thing)).toEqual({ id: "1" });
  });

  test("is not replaced twice, and is not kept", async () => {
    const { wire, requests } = issuer([]);
    const kept: string[] = [];
    const tokens: Tokens = {
      get: async () => ({ accessToken: "stale" }),
      drop: async (_key, refused) => void kept.push(refused?.accessToken ?? ""),
    };
    const { api } = connect(wire, { vendor, tokens });
    expect(await failureOf(api.get("/x", Thing))).toMatchObject({
      failure: "credentials_rejected",
      vendorStatus: 401,
    });
    expect(requests).toHaveLength(2);
    expect(kept).toEqual(["stale", "stale"]);
  });
});

describe("failures", () => {
  const canary = "Jane Roe 1970-01-01";
  const spoken = {
    message: canary,
    error_description: canary,
    error: { message: canary, code: "E42" },
  };

  test.each<[number, VendorCause, boolean]>([
    [304, "unexpected_reply", true],
    [400, "invalid_request", false],
    [401, "credentials_rejected", false],
    [402, "invalid_request", false],
    [403, "forbidden", false],
    [404, "not_found", false],
    [405, "invalid_request", false],
    [408, "vendor_unavailable", true],
    [409, "invalid_request", false],
    [410, "not_found", false],
    [415, "invalid_request", false],
    [422, "invalid_request", false],
    [429, "rate_limited", false],
    [500, "vendor_unavailable", true],
    [502, "vendor_unavailable", true],
    [503, "vendor_unavailable", true],
    [504, "vendor_unavailable", true],
    [522, "vendor_unavailable", false],
    [524, "vendor_unavailable", true],
    [530, "vendor_unavailable", false],
  ])(
    "names %i %s, and knows whether a write may have happened: %s",
    async (status, failure, uncertain) => {
      const reply = () =>
        status === 304 ? new Response(null, { status }) : json(spoken, { status });
      const { api } = connect(scripted(reply).wire);
      const write = await failureOf(api.post("/x", Thing, { json: {} }));
      expect(write).toMatchObject({ failure, vendorStatus: status, mayHaveHappened: uncertain });
      expect(write.vendorCode).toBe(status === 304 ? undefined : "E42");
      const read = await failureOf(api.get("/x", Thing));
      expect(read).toMatchObject({ failure, mayHaveHappened: false });
      for (const { message, vendorCode } of [write, read])
        expect(`${message} ${vendorCode}`).not.toContain("Jane");
    },
  );

  test.each<[string, Response | Error, VendorCause]>([
    [
      "HTML",
      new Response("<html>", { headers: { "content-type": "text/html" } }),
      "unexpected_reply",
    ],
    [
      "JSON labelled as a page",
      new Response('{"id":"1"}', { headers: { "content-type": "text/html" } }),
      "unexpected_reply",
    ],
    [
      "half of a reply",
      new Response('{"id":"1', { headers: { "content-type": "application/json" } }),
      "unexpected_reply",
    ],
    ["another shape", json({ id: 1 }), "unexpected_reply"],
    ["nothing", new Response(null, { status: 204 }), "unexpected_reply"],
    ["a broken line", new TypeError("fetch failed"), "vendor_unavailable"],
  ])("names %s for what it is", async (_what, reply, failure) => {
    const { api } = connect(scripted(reply).wire);
    expect(await failureOf(api.get("/x", Thing))).toMatchObject({
      failure,
      mayHaveHappened: false,
    });
    expect(await failureOf(api.post("/x", Thing))).toMatchObject({
      failure,
      mayHaveHappened: true,
    });
  });

  test("names silence a timeout, in the time that the call allows", async () => {
    const hang: Wire = () => new Promise(() => undefined);
    const { api, sleeps } = connect(hang, { timeoutMs: 10_000 });
    const failure = await failureOf(api.post("/x", Thing, { timeoutMs: 20 }));
    expect(failure).toMatchObject({ failure: "timeout", mayHaveHappened: true });
    expect(sleeps).toEqual([]);
  });

  test("says where a reply differs, as far as the schema names it", async () => {
    const schema = z.object({
      entry: z.array(z.object({ resource: z.object({ id: z.string() }).optional() })),
      people: z.record(z.string(), z.number()),
    });
    const at = async (reply: unknown) =>
      (await failureOf(connect(scripted(json(reply)).wire).api.get("/x", schema))).message;
    expect(await at({ entry: [{}, { resource: { id: 5 } }], people: {} })).toBe(
      "The vendor's reply was not understood at entry.1.resource.id",
    );
    expect(await at({ entry: [], people: { [canary]: canary } })).toBe(
      "The vendor's reply was not understood at people",
    );
    expect(await at(null)).toBe("The vendor's reply was not understood");
  });

  test.each([
    ["204", () => new Response(null, { status: 204 })],
    ["an empty 200", () => new Response("", { headers: { "content-type": "text/html" } })],
    ["an empty 202", () => new Response(null, { status: 202 })],
  ])("parses %s as undefined", async (_what, reply) => {
    const { api } = connect(scripted(reply).wire);
    expect(await api.delete("/x", z.undefined())).toBeUndefined();
  });

  test.each([
    "application/json",
    "application/json; charset=utf-8",
    "application/fhir+json",
    "application/json+fhir;charset=UTF-8",
    "text/json",
    "",
  ])("reads %j as JSON", async (type) => {
    const headers = new Headers(type ? { "content-type": type } : {});
    const reply = () => new Response(new TextEncoder().encode('\ufeff{"id":"1"}'), { headers });
    expect(await connect(scripted(reply).wire).api.get("/x", Thing)).toEqual({ id: "1" });
  });

  test("lets the vendor read its own replies, a 200 too, and takes no free text for a code", async () => {
    const vendor = vendorOf({
      failure: ({ status, body }) => {
        const { ok: fine, error } = body as { ok?: boolean; error?: string };
        if (error === "odd") throw new TypeError("an odd body");
        if (fine === false && error === "ratelimited")
          return { cause: "rate_limited", retryAfter: 90 };
        if (fine === false)
          return {
            cause: "forbidden",
            ...(error && { code: error }),
            message: "The app lacks a scope",
          };
        return status === 200 ? { code: "only_a_code" } : undefined;
      },
    });
    const ask = (body: unknown, status = 200) =>
      connect(scripted(json(body, { status })).wire, { vendor }).api.post("/x", z.unknown());
    expect(await failureOf(ask({ ok: false, error: "missing_scope" }))).toMatchObject({
      failure: "forbidden",
      vendorStatus: 200,
      vendorCode: "missing_scope",
      message: "The app lacks a scope (missing_scope)",
      mayHaveHappened: false,
    });
    expect(await failureOf(ask({ ok: false, error: canary }))).toMatchObject({
      vendorCode: undefined,
      message: "The app lacks a scope",
    });
    expect(await failureOf(ask({ ok: false, error: "ratelimited" }))).toMatchObject({
      failure: "rate_limited",
      retryAfter: 90,
    });
    expect(await ask({ ok: true })).toEqual({ ok: true });
    expect(await failureOf(ask({ error: "odd" }, 404))).toMatchObject({ failure: "not_found" });
  });
});

describe("parseRetryAfter", () => {
  const now = Date.parse("2026-11-23T10:00:00Z");
  test.each([
    ["0", 0],
    [" 120 ", 120],
    ["1.5", 2],
    ["Mon, 23 Nov 2026 10:00:30 GMT", 30],
    ["Monday, 23-Nov-26 10:00:30 GMT", 30],
    ["2026-11-23T10:01:00Z", 60],
    ["2026-11-23T09:00:00Z", 0],
    ["99999999999999999999", 604_800],
    ["", undefined],
    ["soon", undefined],
    ["-5", undefined],
    ["1e9", undefined],
    ["5; url=x", undefined],
  ])("reads %j as %s seconds", (header, seconds) => {
    expect(parseRetryAfter(header, now)).toBe(seconds);
  });

  test("answers a sane number of seconds or nothing, whatever is sent", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.date().map(String), fc.double().map(String)),
        (header) => {
          const seconds = parseRetryAfter(header, now);
          if (seconds !== undefined)
            expect(seconds).toSatisfy((n: number) => n >= 0 && n <= 604_800);
        },
      ),
    );
  });
});

describe("retries", () => {
  const down = () => json({}, { status: 503 });

  test("tries a read three times, with growing waits, and logs each attempt", async () => {
    const { wire, requests } = scripted(down(), new TypeError("fetch failed"), ok());
    const { api, sleeps, log } = connect(wire);
    expect(
      await api.get("/x/{id}?a=1", Thing, { path: { id: "patient-7" }, query: { q: "Jane Roe" } }),
    ).toEqual({
      id: "1",
    });
    expect(requests).toHaveLength(3);
    expect(sleeps).toEqual([250, 500]);
    expect(log).toEqual(
      [
        { attempt: 1, outcome: "vendor_unavailable", status: 503 },
        { attempt: 2, outcome: "vendor_unavailable", status: undefined },
        { attempt: 3, outcome: "ok", status: 200 },
      ].map((entry) => ({
        vendor: "acme",
        method: "GET",
        route: "/x/{id}",
        host: "api.acme.example",
        ms: 0,
        ...entry,
      })),
    );
  });

  test("gives up after the third", async () => {
    const { wire, requests } = scripted(down());
    expect(await failureOf(connect(wire).api.get("/x", Thing))).toMatchObject({
      failure: "vendor_unavailable",
    });
    expect(requests).toHaveLength(3);
  });

  test.each([429, 500, 503])("does not repeat a write after %i", async (status) => {
    const { wire, requests } = scripted(json({}, { status }));
    await failureOf(connect(wire).api.post("/x", Thing));
    expect(requests).toHaveLength(1);
  });

  test.each([400, 401, 403, 404, 409, 422])("does not repeat a read after %i", async (status) => {
    const { wire, requests } = scripted(json({}, { status }));
    await failureOf(connect(wire).api.get("/x", Thing));
    expect(requests).toHaveLength(1);
  });

  test("spreads its waits over the whole of the backoff", async () => {
    const { api, sleeps } = connect(scripted(down()).wire, { random: () => 0.25 });
    await failureOf(api.get("/x", Thing));
    expect(sleeps).toEqual([62.5, 125]);
  });

  test.each([
    ["seconds", "3"],
    ["an HTTP date", "Thu, 01 Jan 1970 00:00:03 GMT"],
    ["an ISO date", "1970-01-01T00:00:03Z"],
  ])("waits as long as Retry-After says in %s", async (_form, value) => {
    const { wire } = scripted(json({}, { status: 429, headers: { "retry-after": value } }), ok());
    const { api, sleeps } = connect(wire, { random: () => 0 });
    await api.get("/x", Thing);
    expect(sleeps).toEqual([3_000]);
  });

  test("has for its last attempt only what is left of the caller's twenty seconds", async () => {
    let clock = 0;
    const { wire } = scripted(down(), () => new Response(new ReadableStream()));
    const called = connect(
      (request) => {
        clock = 19_990;
        return wire(request);
      },
      { now: () => clock, random: () => 0 },
    );
    expect(await failureOf(called.api.get("/x", Thing))).toMatchObject({ failure: "timeout" });
  }, 5_000);

  test("fails at once when the vendor wants longer than a caller would wait", async () => {
    const { wire, requests } = scripted(
      json({}, { status: 429, headers: { "retry-after": "21" } }),
    );
    const { api, sleeps } = connect(wire);
    expect(await failureOf(api.get("/x", Thing))).toMatchObject({
      failure: "rate_limited",
      retryAfter: 21,
    });
    expect(requests).toHaveLength(1);
    expect(sleeps).toEqual([]);
  });

  test("repeats the fetch of a token, even for a write that was not sent yet", async () => {
    const { wire, requests } = scripted(down(), json({ access_token: "t" }), ok());
    const vendor = vendorOf({
      auth: () => ({
        kind: "client_credentials",
        tokenUrl: "https://login.acme.example/token",
        clientId: "c",
        clientSecret: secret,
        style: "body",
      }),
    });
    expect(await connect(wire, { vendor }).api.post("/x", Thing)).toEqual({ id: "1" });
    expect(requests.map(({ url }) => new URL(url).pathname)).toEqual(["/token", "/token", "/v1/x"]);
  });
});

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as z from "zod";

import { Problem, type VendorCause } from "../problem.ts";
import { type Auth, type ConnectOptions, type SingleAuth } from "./api.ts";
import type { AnyVendor } from "./define.ts";
import { memoryTokens, type Tokens } from "./oauth.ts";
import type { Wire } from "./outbound.ts";
import { Thing, connect, failureOf, json, ok, scripted, secret, vendorOf } from "./testing.ts";

describe("addresses", () => {
  test("fills the path from the call, then from the integration's values, and encodes both", async () => {
    const { wire, requests } = scripted(ok());
    const { api } = connect(wire, { values: { account: "AC 1/2" } });
    const path = { id: "a/b?c#d%2e é" };
    await api.get("/Accounts/{account}/Things/{id}.json", Thing, { path });
    expect(requests[0]?.url).toBe(
      "https://api.acme.example/v1/Accounts/AC%201%2F2/Things/a%2Fb%3Fc%23d%252e%20%C3%A9.json",
    );
  });

  test.each([".", "..", ""])("refuses %j as a segment, which would leave the path", async (id) => {
    const { wire, requests } = scripted(ok());
    const called = connect(wire).api.get("/Things/{id}", Thing, { path: { id } });
    expect(await failureOf(called)).toMatchObject({ failure: "invalid_request" });
    expect(requests).toEqual([]);
  });

  test("keeps the slashes of {+rest}, but never leaves the base", async () => {
    const { wire, requests } = scripted(ok());
    const { api } = connect(wire);
    await api.get("/{+rest}", Thing, { path: { rest: "/a/b c/" } });
    expect(requests[0]?.url).toBe("https://api.acme.example/v1/a/b%20c");
    const leaving = api.get("/{+rest}", Thing, { path: { rest: "a/../../admin" } });
    expect(await failureOf(leaving)).toMatchObject({ failure: "invalid_request" });
  });

  test("stays under the base URL whatever fills the path", async () => {
    const { wire, requests } = scripted(ok);
    const { api } = connect(wire);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), async (id) => {
        requests.length = 0;
        await api.get("/Things/{id}", Thing, { path: { id } }).catch((error: unknown) => {
          expect(error).toMatchObject({ failure: "invalid_request" });
        });
        for (const { url } of requests) {
          const { origin, pathname } = new URL(url);
          expect(origin).toBe("https://api.acme.example");
          expect(pathname.split("/").slice(0, 3)).toEqual(["", "v1", "Things"]);
          expect(decodeURIComponent(pathname.split("/").slice(3).join("/"))).toBe(id);
        }
      }),
    );
  });

  test("calls a template that nothing fills a mistake of ours", async () => {
    const called = connect(scripted(ok()).wire).api.get("/Things/{id}", Thing);
    await expect(called).rejects.toThrow("Nothing fills {id}");
    await expect(called).rejects.not.toBeInstanceOf(Problem);
  });

  test("leaves out undefined in queries and forms, and repeats what is a list", async () => {
    const { wire, requests } = scripted(ok());
    const values = { a: "1 2&3", b: undefined, c: ["x", "y"], d: 0, e: false };
    const { api } = connect(wire);
    await api.get("/x?fixed=1", Thing, { query: values });
    await api.post("/x", Thing, { form: values });
    expect(requests[0]?.url.split("?")[1]).toBe("fixed=1&a=1%202%263&c=x&c=y&d=0&e=false");
    expect(await requests[1]?.text()).toBe("a=1+2%263&c=x&c=y&d=0&e=false");
    expect(requests[1]?.headers.get("content-type")).toBe("application/x-www-form-urlencoded");
  });

  test("fills the host from a field, which cannot lead elsewhere", async () => {
    const { wire, requests } = scripted(ok());
    const vendor = vendorOf({
      environments: { production: { baseUrl: "https://{instance}.acme.example/" } },
    });
    const at = (instance: string) =>
      connect(wire, { vendor, values: { instance } }).api.get("/x", Thing);
    await at("clinic-1");
    expect(requests.map(({ url }) => url)).toEqual(["https://clinic-1.acme.example/x"]);
    for (const evil of ["evil.net/", "evil.net#", "evil.net\\", "a@b", "x:8443", "127.0.0.1#", "é"])
      expect(await failureOf(at(evil)), evil).toMatchObject({ failure: "invalid_request" });
    expect(requests).toHaveLength(1);
  });

  const own = {
    production: { hosts: ["*.ehr.example"], example: "https://a.ehr.example" },
  } as const;

  test("uses the tenant's endpoint where its host is one that the vendor allows", async () => {
    const { wire, requests } = scripted(ok());
    const vendor = vendorOf({ environments: own });
    const at = (endpoint?: string) =>
      connect(wire, { vendor, endpoint }).api.get("/Patient", Thing);
    await at("https://clinic.ehr.example/fhir/r4/");
    await at("https://clinic.ehr.example/fhir?tenant=1");
    expect(requests.map(({ url }) => url)).toEqual([
      "https://clinic.ehr.example/fhir/r4/Patient",
      "https://clinic.ehr.example/fhir/Patient?tenant=1",
    ]);
    for (const endpoint of ["https://evil.example", "http://clinic.ehr.example"])
      expect(await failureOf(at(endpoint))).toMatchObject({ failure: "invalid_request" });
    for (const endpoint of [undefined, "  "])
      expect(await failureOf(at(endpoint))).toMatchObject({ failure: "not_configured" });
    expect(requests).toHaveLength(2);
  });

  test("has no environment but those that the vendor has", async () => {
    const { api } = connect(scripted(ok()).wire, { environment: "sandbox" });
    expect(await failureOf(api.get("/x", Thing))).toMatchObject({
      failure: "invalid_request",
      message: "Acme has no sandbox environment",
    });
  });

  test("calls absolute URLs on its own host and the declared ones, with credentials, and no others", async () => {
    const { wire, requests } = scripted(ok());
    const vendor = vendorOf({
      environments: { production: { hosts: ["*"], example: "https://fhir.example" } },
      hosts: ["files.acme.example"],
    });
    const { api, log } = connect(wire, { vendor, endpoint: "https://fhir.clinic.example/r4" });
    await api.next("https://fhir.clinic.example/r4?page=2&family=Roe{1}", Thing);
    await api.next("/r4?page=3", Thing);
    await api.next("Patient?page=4", Thing);
    await api.get("https://files.acme.example/v2/Files/{id}", Thing, { path: { id: "42-secret" } });
    expect(requests.map(({ url }) => url)).toEqual([
      "https://fhir.clinic.example/r4?page=2&family=Roe{1}",
      "https://fhir.clinic.example/r4?page=3",
      "https://fhir.clinic.example/r4/Patient?page=4",
      "https://files.acme.example/v2/Files/42-secret",
    ]);
    expect(log.map(({ route, host }) => `${host} ${route}`)).toEqual([
      ...Array.from({ length: 3 }, () => "fhir.clinic.example (next page)"),
      "files.acme.example /v2/Files/{id}",
    ]);
    for (const url of [
      "https://evil.example/r4",
      "//evil.example/r4",
      "http://fhir.clinic.example/",
    ])
      await failureOf(api.next(url, Thing));
    await failureOf(api.get("https://evil.example/", Thing));
    expect(requests).toHaveLength(4);
  });

  test.each<[string, Partial<AnyVendor>, string | undefined]>([
    [
      "another tenant's host",
      {
        environments: {
          production: { hosts: ["*.ehr.example"], example: "https://a.ehr.example" },
        },
      },
      "https://clinic.ehr.example",
    ],
    ["any host, where a vendor asks for that", { hosts: ["*"] }, undefined],
  ])("sends credentials to no absolute URL on %s", async (_what, changes, endpoint) => {
    const { wire, requests } = scripted(ok());
    const { api } = connect(wire, { vendor: vendorOf(changes), endpoint });
    for (const call of [api.next, api.get] as const)
      expect(await failureOf(call("https://other.ehr.example/x", Thing))).toMatchObject({
        failure: "invalid_request",
      });
    expect(requests).toEqual([]);
  });

  test("looks a host up before it is called only where that may be any: the tenant's or a redirect's", async () => {
    const looked: string[] = [];
    const resolve = async (host: string) => {
      looked.push(host);
      return ["10.0.0.7"];
    };
    const any = vendorOf({
      environments: { production: { hosts: ["*"], example: "https://fhir.example" } },
    });
    const { wire, requests } = scripted(ok());
    const called = connect(wire, { vendor: any, resolve, endpoint: "https://rebind.example.net" });
    expect(await failureOf(called.api.get("/x", Thing))).toMatchObject({
      failure: "invalid_request",
    });
    expect(requests).toEqual([]);
    await connect(wire, { resolve }).api.get("/x", Thing);
    expect(looked).toEqual(["rebind.example.net"]);
    const asked = requests.length;
    const redirected = connect(wire, { resolve }).api.get("/x", Thing, { redirectsAway: true });
    expect(await failureOf(redirected)).toMatchObject({ failure: "invalid_request" });
    expect(requests).toHaveLength(asked);
  });

  test("takes a domain of one label for no vendor's own, whatever an address is filled with", async () => {
    const open = vendorOf({ environments: { production: { baseUrl: "https://{clinic}.com/v1" } } });
    const { wire, requests } = scripted(ok());
    const called = connect(wire, { vendor: open, values: { clinic: "evil" } });
    expect(await failureOf(called.api.get("/x", Thing))).toMatchObject({
      failure: "invalid_request",
    });
    expect(requests).toEqual([]);
  });
});

describe("credentials on the wire", () => {
  const sent = async (auth: Auth, more: Partial<ConnectOptions> = {}) => {
    const { wire, requests } = scripted(ok());
    const now = () => Date.parse("2026-11-23T10:00:00Z");
    const { api } = connect(wire, { vendor: vendorOf({ auth: () => auth }), now, ...more });
    await api.post("/x?a=1", Thing, { json: {} });
    const [request] = requests;
    if (!request) throw new Error("nothing was sent");
    return request;
  };

  test.each<[Auth, Record<string, string | null>]>([
    [{ kind: "none" }, { authorization: null }],
    [{ kind: "basic", user: "é", password: "p:w" }, { authorization: "Basic w6k6cDp3" }],
    [{ kind: "bearer", token: "t" }, { authorization: "Bearer t" }],
    [
      { kind: "header", headers: { "X-Api-Key": "k", "X-Other": "o" } },
      { "x-api-key": "k", "x-other": "o" },
    ],
    [
      { kind: "signed_jwt", token: async (now) => `jwt-${now}` },
      { authorization: "Bearer jwt-1795428000" },
    ],
  ])("sends %o", async (auth, headers) => {
    const request = await sent(auth);
    for (const [name, value] of Object.entries(headers))
      expect(request.headers.get(name)).toBe(value);
  });

  test("puts an API key in the query, and nowhere else", async () => {
    const request = await sent({ kind: "query", name: "api_key", value: "k&y" });
    expect(request.url).toBe("https://api.acme.example/v1/x?a=1&api_key=k%26y");
    expect(request.headers.get("authorization")).toBeNull();
  });

  test("signs for AWS what is sent", async () => {
    const request = await sent({
      kind: "aws_sigv4",
      accessKeyId: "AKID",
      secretAccessKey: secret,
      sessionToken: "session",
      region: "eu-west-1",
      service: "execute-api",
    });
    expect(request.headers.get("authorization")).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKID\/20261123\/eu-west-1\/execute-api\/aws4_request, SignedHeaders=accept;content-type;host;x-amz-date;x-amz-security-token, Signature=[\da-f]{64}$/,
    );
    expect(request.headers.get("x-amz-security-token")).toBe("session");
  });

  test("fetches a token for client credentials once, and sends it", async () => {
    const { wire, requests } = scripted((request) =>
      request.url.endsWith("/token") ? json({ access_token: "fresh", expires_in: 300 }) : ok(),
    );
    const vendor = vendorOf({
      auth: () => ({
        kind: "client_credentials",
        tokenUrl: "https://login.acme.example/token",
        clientId: "c",
        clientSecret: secret,
        style: "basic",
      }),
    });
    const { api } = connect(wire, { vendor });
    await Promise.all([api.get("/a", Thing), api.get("/b", Thing)]);
    expect(requests.map(({ url }) => new URL(url).pathname)).toEqual(["/token", "/v1/a", "/v1/b"]);
    expect(requests[1]?.headers.get("authorization")).toBe("Bearer fresh");
  });

  test.each(["client_credentials", "session"] as const)(
    "who leaves takes no token (%s) from those who wait for the same",
    async (kind) => {
      const caller = new AbortController();
      let asked = 0;
      const wire: Wire = async ({ url }) => {
        if (!url.endsWith("/token")) return ok();
        asked += 1;
        caller.abort();
        await new Promise((resolve) => setTimeout(resolve, 20));
        return json({ access_token: "fresh", expires_in: 300 });
      };
      const tokenUrl = "https://login.acme.example/token";
      const signIns = {
        client_credentials: {
          kind: "client_credentials",
          tokenUrl,
          clientId: "c",
          clientSecret: secret,
          style: "basic",
        },
        session: {
          kind: "session",
          login: async (api) => {
            await api.post("/token", z.unknown());
            return { headers: { "x-session": "s" }, expiresInSeconds: 60 };
          },
        },
      } satisfies Record<string, SingleAuth>;
      const vendor = vendorOf({ auth: () => signIns[kind] });
      const shared = { vendor, tokens: memoryTokens() };
      const leaving = connect(wire, { ...shared, signal: caller.signal }).api.get("/a", Thing);
      const waiting = connect(wire, shared).api.get("/b", Thing);
      expect(await failureOf(leaving)).toMatchObject({ failure: "timeout" });
      await waiting;
      expect(asked).toBe(1);
    },
  );

  test("fetches a token at the environment's own host where the vendor names a path", async () => {
    const { wire, requests } = scripted((request) =>
      request.url.endsWith("/token") ? json({ access_token: "fresh", expires_in: 300 }) : ok(),
    );
    const vendor = vendorOf({
      auth: () => ({
        kind: "client_credentials",
        tokenUrl: "//elsewhere.example/token",
        clientId: "c",
        clientSecret: secret,
        style: "json",
      }),
    });
    await connect(wire, { vendor }).api.get("/a", Thing);
    const { origin } = new URL(connect(wire, { vendor }).api.baseUrl);
    expect(requests.map(({ url }) => url)).toEqual([
      `${origin}//elsewhere.example/token`,
      expect.stringMatching(/\/a$/),
    ]);
  });

  test("signs a call in by the way that it names, with a token of that way alone", async () => {
    const { wire, requests } = scripted((request) =>
      request.url.endsWith("/login") ? json({}) : ok(),
    );
    const session = (name: string): SingleAuth => ({
      kind: "session",
      login: async (api) => {
        await api.post("/login", z.object({}));
        return { headers: { "x-session": name }, expiresInSeconds: 60 };
      },
    });
    const vendor = vendorOf({
      auth: () => ({
        kind: "by_call",
        ways: {
          first: session("first"),
          second: session("second"),
          account: { kind: "basic", user: "u", password: secret },
          query: { kind: "query", name: "key", value: "k" },
        },
      }),
    });
    const { api } = connect(wire, { vendor });
    for (const as of [undefined, "first", "second", "account", "query"])
      await api.get("/a", Thing, as ? { as } : {});
    const calls = requests.filter(({ url }) => !url.endsWith("/login"));
    expect(requests.length - calls.length).toBe(2);
    expect(
      calls.map(({ url, headers }) => [
        new URL(url).search,
        headers.get("x-session"),
        headers.get("authorization"),
      ]),
    ).toEqual([
      ["", "first", null],
      ["", "first", null],
      ["", "second", null],
      ["", null, `Basic ${btoa(`u:${secret}`)}`],
      ["?key=k", null, null],
    ]);
    await expect(api.get("/a", Thing, { as: "nobody" })).rejects.toThrow(/no way to sign in/);
  });

  test("never shares a token between other credentials, vendors or addresses", async () => {
    const keys = new Set<string>();
    const tokens: Tokens = {
      get: async (key) => {
        keys.add(key);
        return { accessToken: "t" };
      },
      drop: async () => undefined,
    };
    const vendor = vendorOf({
      auth: () => ({ kind: "session", login: () => Promise.reject(new Error("not asked")) }),
      environments: {
        production: { hosts: ["*.acme.example"], example: "https://a.acme.example" },
      },
    });
    const cases: Partial<ConnectOptions>[] = [
      { values: { key: "1" } },
      { values: { key: "2" } },
      { values: { key: "1" }, vendorId: "other" },
      { values: { key: "1" }, endpoint: "https://b.acme.example" },
      { values: { key: "1" } },
    ];
    for (const each of cases) {
      const endpoint = "https://a.acme.example";
      await connect(scripted(ok()).wire, { vendor, tokens, endpoint, ...each }).api.get(
        "/x",
        Thing,
      );
    }
    expect(keys.size).toBe(4);
    expect([...keys].join(" ")).not.toContain("acme");
  });

  test("logs in for a session without credentials and sends the headers it was given", async () => {
    const { wire, requests } = scripted((request) =>
      request.url.endsWith("/login") ? json({ session: "abc" }) : ok(),
    );
    const vendor = vendorOf({
      auth: () => ({
        kind: "session",
        async login(api) {
          const reply = z.object({ session: z.string() });
          const { session } = await api.post("/login", reply, { json: { password: secret } });
          return { headers: { "x-session": session }, expiresInSeconds: 60 };
        },
      }),
    });
    const { api } = connect(wire, { vendor });
    await api.get("/a", Thing);
    await api.get("/b", Thing);
    expect(requests.map(({ headers }) => headers.get("x-session"))).toEqual([null, "abc", "abc"]);
  });

  test("asks for the grant of an authorization code, and says when there is none", async () => {
    const auth: Auth = {
      kind: "authorization_code",
      authorizeUrl: "https://acme.example/authorize",
      tokenUrl: "https://acme.example/token",
      clientId: "c",
      style: "none",
      scopes: [],
      pkce: true,
    };
    const request = await sent(auth, { grant: async () => ({ accessToken: "granted" }) });
    expect(request.headers.get("authorization")).toBe("Bearer granted");
    expect(await failureOf(sent(auth))).toMatchObject({ failure: "credentials_expired" });
  });

  test.each<[string, Auth, VendorCause]>([
    ["a line break", { kind: "bearer", token: `${secret}\r\nx: y` }, "credentials_rejected"],
    [
      "a letter that no header holds",
      { kind: "header", headers: { k: `${secret}ł` } },
      "credentials_rejected",
    ],
    [
      "a key that cannot sign",
      { kind: "signed_jwt", token: () => Promise.reject(new Error(secret)) },
      "credentials_rejected",
    ],
  ])("does not repeat a credential with %s in its failure", async (_what, auth, failure) => {
    const failed = await failureOf(sent(auth));
    expect(failed).toMatchObject({ failure, cause: undefined });
    expect(failed.message).not.toContain(secret);
  });

  test("sends the vendor's own headers, the call's, and a valid traceparent", async () => {
    const { wire, requests } = scripted(ok());
    const vendor = vendorOf({
      headers: () => ({ "acme-version": "2026-01-01", accept: "application/fhir+json" }),
    });
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const call = {
      headers: { prefer: "return=minimal", "content-type": "application/fhir+json" },
      json: {},
    };
    await connect(wire, { vendor, traceparent }).api.post("/x", Thing, call);
    await connect(wire, { traceparent: "00-zz\r\n" }).api.get("/x", Thing);
    expect(Object.fromEntries(requests[0]?.headers ?? [])).toMatchObject({
      accept: "application/fhir+json",
      "acme-version": "2026-01-01",
      "content-type": "application/fhir+json",
      prefer: "return=minimal",
      traceparent,
    });
    expect(requests[1]?.headers.get("traceparent")).toBeNull();
    expect(requests[1]?.headers.get("accept")).toBe("application/json");
  });
});

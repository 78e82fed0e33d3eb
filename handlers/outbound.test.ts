import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

import * as fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";

import { isPublicAddress } from "./address.ts";
import { dnsOverHttps, guardedFetch, guardUrl, simulatorWire, whyRefused } from "./outbound.ts";
import { failureOf } from "./testing.ts";

const vendorHosts = ["api.twilio.com", "*.example.com", "fhir.example.org:8443"];

/** A real server behind the wire, so that bodies, aborts and truncation are the platform's own. */
async function serve(listener: RequestListener) {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return simulatorWire(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

const get = { method: "GET", url: "https://api.twilio.com/x" };
const post = { method: "POST", url: "https://api.twilio.com/x", body: "{}" };
const hosts = vendorHosts;

describe("whyRefused", () => {
  test.each([
    "https://api.twilio.com",
    "https://API.TWILIO.COM/2010-04-01?x=1#y",
    "https://api.twilio.com:443/x",
    "https://a.example.com/",
    "https://a.b-c.example.com/x@y",
    "https://fhir.example.org:8443/r4",
  ])("accepts %s", (url) => {
    expect(whyRefused(url, vendorHosts)).toBeUndefined();
  });

  test.each([
    ["http://api.twilio.com/", "https"],
    ["ftp://api.twilio.com/", "https"],
    ["//api.twilio.com/", "https"],
    ["https:/api.twilio.com/", "https"],
    ["https:api.twilio.com", "https"],
    [" https://api.twilio.com", "https"],
    ["javascript:alert(1)", "https"],
    ["", "https"],
    ["https://user@api.twilio.com/", "user name"],
    ["https://user:pass@api.twilio.com/", "user name"],
    ["https://api.twilio.com@evil.example.net/", "user name"],
    ["https://api.twilio.com\\@evil.example.net/", "user name"],
    ["https://api.twilio.com\\.evil.net/", "characters"],
    ["https://api.tw\tilio.com/", "characters"],
    ["https://api.twilio.com/\n", "characters"],
    ["https://api.twilio.com:8443/", "port"],
    ["https://api.twilio.com:80/", "port"],
    ["https://fhir.example.org/r4", "port"],
    ["https://example.com/", "allows"],
    ["https://notexample.com/", "allows"],
    ["https://example.com.evil.net/", "allows"],
    ["https://api.twilio.com.evil.net/", "allows"],
    ["https://api.twilio.com./", "plain domain"],
    ["https://api..twilio.com/", "plain domain"],
    ["https://%61pi.twilio.com/", "plain domain"],
    ["https://ａpi.twilio.com/", "plain domain"],
    ["https://xn--pi-7ia.example.com/", "plain domain"],
    ["https://tést.example.com/", "plain domain"],
    ["https://-a.example.com/", "plain domain"],
    ["https://a_b.example.com/", "plain domain"],
    ["https:///x", "plain domain"],
  ])("refuses %s", (url, why) => {
    expect(whyRefused(url, vendorHosts)).toContain(why);
  });

  const privateHosts = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "10.0.0.1",
    "169.254.169.254",
    "8.8.8.8",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[fe80::1%25eth0]",
    "[fd00::1]",
    "[2606:4700::1111]",
    "127.0.0.1.",
    "①②⑦.0.0.1",
    "１２７.0.0.1",
    "127。0。0。1",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "printer.local",
    "vault.internal",
    "metadata.google.internal",
    "metadata.goog",
    "kubernetes.default.svc",
    "db.home.arpa",
    "intranet",
    "com",
  ];
  test.each(privateHosts)("refuses https://%s even where any public host will do", (host) => {
    expect(whyRefused(`https://${host}/`, ["*"])).toBeDefined();
    expect(whyRefused(`https://${host}/`, [host, "*", "*.*"])).toBeDefined();
  });

  test("never lets through a URL whose parsed host is not the allowed one", () => {
    const hostile =
      "https:// api.twilio.com evil.net @ \\ / ? # : 443 . %2e %00 [ ] 。 ⓐ xn-- 127.0.0.1 0x7f ::1 http://";
    const pieces = fc.constantFrom("\t", "\n", " ", ...hostile.split(" "));
    const composed = fc.array(pieces, { maxLength: 9 }).map((parts) => `https://${parts.join("")}`);
    fc.assert(
      fc.property(fc.oneof(composed, fc.webUrl(), fc.string()), (url) => {
        if (whyRefused(url, ["api.twilio.com"]) !== undefined) return;
        const parsed = new URL(url);
        expect(parsed.protocol).toBe("https:");
        expect(parsed.host).toBe("api.twilio.com");
        expect(parsed.username + parsed.password).toBe("");
      }),
      { numRuns: 5_000 },
    );
  });

  test("refuses every notation of every IPv4 address", () => {
    const notations = (n: number) => {
      const bytes = [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
      const [a = 0, b = 0] = bytes;
      return [
        bytes.join("."),
        String(n),
        `0x${n.toString(16)}`,
        `0${n.toString(8)}`,
        bytes.map((byte) => `0x${byte.toString(16)}`).join("."),
        bytes.map((byte) => `0${byte.toString(8)}`).join("."),
        `${a}.${n & 0xffffff}`,
        `${a}.${b}.${n & 0xffff}`,
        `[::ffff:${bytes.join(".")}]`,
        `${bytes.join(".")}.`,
      ];
    };
    fc.assert(
      fc.property(fc.nat({ max: 0xffffffff }), (n) => {
        for (const host of notations(n))
          expect(whyRefused(`https://${host}/`, ["*"])).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });

  test("accepts every ordinary name under a wildcard and says nothing of the URL when it refuses", () => {
    const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 3 }), fc.webPath(), (labels, path) => {
        const ordinary = labels.every((each) => !each.startsWith("xn--"));
        const url = `https://${labels.join(".")}.example.com${path}`;
        expect(whyRefused(url, vendorHosts) === undefined).toBe(ordinary);
      }),
    );
    expect(() => guardUrl("https://s3cret.evil.net/k3y", vendorHosts)).toThrow(
      /^The address is not on a host that this vendor allows$/,
    );
  });
});

describe("isPublicAddress", () => {
  test.each(["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"])(
    "takes %s for public",
    (address) => expect(isPublicAddress(address)).toBe(true),
  );

  test.each(
    `0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.255.255 169.254.169.254 172.16.0.1 172.31.255.255
     192.0.0.1 192.0.2.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1
     240.0.0.1 255.255.255.255 168.63.129.16 100.100.100.200 :: ::1 ::ffff:8.8.8.8 64:ff9b::808:808
     64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:808:808::1 3fff::1 fc00::1 fd12::1 fe80::1
     fec0::1 ff02::1 fe80::1%eth0 1.2.3 1.2.3.4.5 01.2.3.4 256.1.1.1 example.com 2606:4700::1::1`.split(
      /\s+/,
    ),
  )("does not take %s for public", (address) => expect(isPublicAddress(address)).toBe(false));
});

describe("guardedFetch", () => {
  test("answers the reply of an allowed host", async () => {
    const wire = await serve((request, response) =>
      response.end(`${request.method} ${request.url}`),
    );
    const response = await guardedFetch(
      { method: "GET", url: "https://api.twilio.com/a?b=1" },
      { wire, hosts },
    );
    expect(await response.text()).toBe("GET /api.twilio.com/a?b=1");
  });

  test("labels a reply that came compressed as what it now is", async () => {
    const wire = await serve((_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("unpacked"));
    });
    const response = await guardedFetch(get, { wire, hosts });
    expect(response.headers.get("content-encoding")).toBeNull();
    expect(response.headers.get("content-length")).toBeNull();
    expect(await response.text()).toBe("unpacked");
  });

  test("says who calls, unless the caller does", async () => {
    const wire = await serve((request, response) => response.end(request.headers["user-agent"]));
    expect(await (await guardedFetch(get, { wire, hosts })).text()).toBe("EHRConnect-Integrations");
    const named = { ...get, headers: { "user-agent": "acme" } };
    expect(await (await guardedFetch(named, { wire, hosts })).text()).toBe("acme");
  });

  test("sends nothing to a refused address", async () => {
    const wire = () => Promise.reject(new Error("was called"));
    const refused = guardedFetch({ method: "GET", url: "https://evil.net/" }, { wire, hosts });
    expect(await failureOf(refused)).toMatchObject({
      failure: "invalid_request",
      mayHaveHappened: false,
    });
  });

  test("follows a redirect on the same host, three times at most", async () => {
    const wire = await serve((request, response) => {
      const hop = Number(request.url?.split("/").at(-1));
      if (hop < 3) response.writeHead(302, { location: `./${hop + 1}` });
      response.end("there");
    });
    const from = (hop: number) =>
      guardedFetch({ method: "GET", url: `https://api.twilio.com/${hop}` }, { wire, hosts });
    expect(await (await from(0)).text()).toBe("there");
    expect(await failureOf(from(-1))).toMatchObject({
      failure: "unexpected_reply",
      vendorStatus: 302,
    });
  });

  test.each([
    "https://a.example.com/",
    "https://evil.net/",
    "http://api.twilio.com/",
    "https://api.twilio.com:8443/",
    "https://169.254.169.254/latest/meta-data",
    "//localhost/",
    "data:text/plain,x",
    "",
  ])("refuses a redirect to %j and asks it nothing", async (location) => {
    let asked = 0;
    const wire = await serve((_request, response) => {
      asked += 1;
      response.writeHead(302, location ? { location } : {}).end();
    });
    expect(await failureOf(guardedFetch(get, { wire, hosts }))).toMatchObject({
      failure: "unexpected_reply",
    });
    expect(asked).toBe(1);
  });

  test("follows a read to another public host where it may, and takes no credential there", async () => {
    const seen: [string | undefined, object][] = [];
    const wire = await serve((request, response) => {
      seen.push([request.url, request.headers]);
      if (request.url === "/api.twilio.com/x")
        response.writeHead(307, { location: "https://files.evil.net/f?signature=1" });
      response.end("file");
    });
    const headers = {
      authorization: "Bearer t",
      accept: "text/plain",
      cookie: "a=b",
      "x-key": "k",
    };
    const away = guardedFetch({ ...get, headers }, { wire, hosts, redirectsAway: true });
    expect(await (await away).text()).toBe("file");
    const [, [at, received] = []] = seen;
    expect(at).toBe("/files.evil.net/f?signature=1");
    expect(received).toMatchObject({ accept: "text/plain" });
    for (const name of ["authorization", "cookie", "x-key"])
      expect(received).not.toHaveProperty(name);
  });

  test.each(["http://files.evil.net/", "https://169.254.169.254/", "https://localhost/"])(
    "does not follow a read that may go anywhere to %s",
    async (location) => {
      const wire = await serve((_request, response) => response.writeHead(307, { location }).end());
      const away = guardedFetch(get, { wire, hosts, redirectsAway: true });
      expect(await failureOf(away)).toMatchObject({ failure: "unexpected_reply" });
    },
  );

  test("looks up the host that a read was redirected to", async () => {
    const wire = await serve((_request, response) =>
      response.writeHead(307, { location: "https://rebound.evil.net/" }).end(),
    );
    const resolve = async (host: string) => [host.startsWith("rebound") ? "10.0.0.1" : "1.1.1.1"];
    const away = guardedFetch(get, { wire, hosts, resolve, redirectsAway: true });
    expect(await failureOf(away)).toMatchObject({ failure: "invalid_request" });
  });

  test.each([
    [302, "/y", true],
    [303, "https://other.example.net/y", true],
    [307, "/y", false],
    [308, "https://other.example.net/y", false],
  ])("does not follow a %i to %s after a write", async (status, location, mayHaveHappened) => {
    let asked = 0;
    const wire = await serve((_request, response) => {
      asked += 1;
      response.writeHead(status, { location }).end();
    });
    expect(await failureOf(guardedFetch(post, { wire, hosts }))).toMatchObject({
      failure: "unexpected_reply",
      mayHaveHappened,
    });
    expect(asked).toBe(1);
  });

  test.each([null, "x"])("leaves no timer behind a reply of %j", async (body) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const reply = await guardedFetch(get, { wire: async () => new Response(body), hosts });
    expect(await reply.text()).toBe(body ?? "");
    expect(vi.getTimerCount()).toBe(0);
  });

  test("gives up on a vendor that does not answer, and hangs up", async () => {
    let hungUp: () => void;
    const closed = new Promise<void>((resolve) => (hungUp = resolve));
    const wire = await serve((_request, response) => response.on("close", () => hungUp()));
    expect(await failureOf(guardedFetch(post, { wire, hosts, timeoutMs: 50 }))).toMatchObject({
      failure: "timeout",
      mayHaveHappened: true,
    });
    await closed;
  });

  test("counts the body in the timeout", async () => {
    const wire = await serve((_request, response) => {
      const drip = setInterval(() => response.write("x"), 10);
      response.on("close", () => clearInterval(drip));
    });
    const response = await guardedFetch(get, { wire, hosts, timeoutMs: 80 });
    expect(await failureOf(response.text())).toMatchObject({ failure: "timeout" });
  });

  test("lets a stream run past the timeout, but not fall silent", async () => {
    const wire = await serve((_request, response) => {
      let sent = 0;
      const drip = setInterval(() => (sent++ < 6 ? response.write("x") : undefined), 20);
      response.on("close", () => clearInterval(drip));
    });
    const limits = { wire, hosts, timeoutMs: 60, streaming: true, idleMs: 200 };
    const response = await guardedFetch(get, limits);
    const reader = response.body?.getReader();
    let received = "";
    const read = async () => {
      for (;;) {
        const chunk = await reader?.read();
        if (!chunk || chunk.done) return;
        received += new TextDecoder().decode(chunk.value);
      }
    };
    expect(await failureOf(read())).toMatchObject({ failure: "timeout" });
    expect(received).toBe("xxxxxx");
  });

  test("hangs up on the vendor when the reader of a stream leaves", async () => {
    let hungUp: () => void;
    const closed = new Promise<void>((resolve) => (hungUp = resolve));
    const wire = await serve((_request, response) => {
      const drip = setInterval(() => response.write("data: x\n\n"), 5);
      response.on("close", () => {
        clearInterval(drip);
        hungUp();
      });
    });
    const response = await guardedFetch(get, { wire, hosts, streaming: true });
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await closed;
  });

  test("cuts a reply that is too large", async () => {
    const wire = await serve((_request, response) => response.end("x".repeat(2_000)));
    const response = await guardedFetch(get, { wire, hosts, maxBytes: 1_000 });
    expect(await failureOf(response.text())).toMatchObject({ failure: "unexpected_reply" });
  });

  test("calls a reply that breaks off an unexpected one", async () => {
    const wire = await serve((_request, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("half");
      setTimeout(() => response.destroy(), 20);
    });
    const response = await guardedFetch(post, { wire, hosts });
    expect(await failureOf(response.text())).toMatchObject({
      failure: "unexpected_reply",
      mayHaveHappened: true,
    });
  });

  test("knows a refused connection from one that broke while the request was under way", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => closed.once("listening", resolve));
    const nobody = simulatorWire(`http://127.0.0.1:${(closed.address() as AddressInfo).port}`);
    await new Promise((resolve) => closed.close(resolve));
    expect(await failureOf(guardedFetch(post, { wire: nobody, hosts }))).toMatchObject({
      failure: "vendor_unavailable",
      mayHaveHappened: false,
    });
    const breaking = await serve((request) => request.socket.destroy());
    expect(await failureOf(guardedFetch(post, { wire: breaking, hosts }))).toMatchObject({
      failure: "vendor_unavailable",
      mayHaveHappened: true,
    });
    expect(await failureOf(guardedFetch(get, { wire: breaking, hosts }))).toMatchObject({
      mayHaveHappened: false,
    });
  });

  test("stops when the caller leaves, before and during the call", async () => {
    const wire = await serve(() => undefined);
    const gone = guardedFetch(post, { wire, hosts, signal: AbortSignal.abort() });
    expect(await failureOf(gone)).toMatchObject({ failure: "timeout", mayHaveHappened: false });
    const leaving = guardedFetch(post, { wire, hosts, signal: AbortSignal.timeout(30) });
    expect(await failureOf(leaving)).toMatchObject({ failure: "timeout", mayHaveHappened: true });
  });

  test("refuses a name that resolves to a private address, and only then", async () => {
    const wire = await serve((_request, response) => response.end("ok"));
    const to = (...addresses: string[]) =>
      guardedFetch(
        { method: "GET", url: "https://rebind.example.net/" },
        { wire, hosts: ["*"], resolve: async () => addresses },
      );
    expect((await to("93.184.216.34", "2606:4700::1")).status).toBe(200);
    expect((await to()).status).toBe(200);
    expect(await failureOf(to("93.184.216.34", "10.0.0.1"))).toMatchObject({
      failure: "invalid_request",
    });
    expect(await failureOf(to("::1"))).toMatchObject({ failure: "invalid_request" });
  });
});

describe("dnsOverHttps", () => {
  const answer = (...Answer: { type: number; data: string }[]) =>
    Response.json({ Status: 0, Answer });

  test("answers the addresses of both families and asks again after a minute", async () => {
    const asked: string[] = [];
    let now = 0;
    const resolve = dnsOverHttps(
      async (request) => {
        const type = new URL(request.url).searchParams.get("type") ?? "";
        asked.push(`${new URL(request.url).host} ${type} ${request.headers.get("accept")}`);
        return type === "A"
          ? answer({ type: 5, data: "alias.example.net." }, { type: 1, data: "93.184.216.34" })
          : answer({ type: 28, data: "2606:4700::1" });
      },
      () => now,
    );
    expect(await resolve("x.example.net")).toEqual(["93.184.216.34", "2606:4700::1"]);
    await resolve("x.example.net");
    expect(asked).toEqual([
      "cloudflare-dns.com A application/dns-json",
      "cloudflare-dns.com AAAA application/dns-json",
    ]);
    now = 60_001;
    await resolve("x.example.net");
    expect(asked).toHaveLength(4);
  });

  test.each([
    ["is down", () => Promise.reject(new Error("down"))],
    ["answers nonsense", async () => new Response("<html>")],
    ["knows no such name", async () => Response.json({ Status: 3 })],
  ])("cannot tell when the resolver %s", async (_what, wire) => {
    expect(await dnsOverHttps(wire)("x.example.net")).toEqual([]);
  });
});

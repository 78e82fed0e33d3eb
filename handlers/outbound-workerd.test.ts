import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, expect, test } from "vitest";

/** Runs one call inside workerd and tells what came of it: Node's fetch differs in all of these. */
const worker = `
import { guardedFetch, simulatorWire } from "./outbound.ts";
import { connectApi } from "./api.ts";
import { fetchBackendServices } from "./oauth.ts";

const hosts = ["api.acme.example"];
const url = (path) => "https://api.acme.example" + path;
const text = async (work) => (await work).text();
const form = new FormData();
form.set("name", "value");
const newKey = async () => {
  const { privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-384" }, true, ["sign", "verify"]);
  const bytes = new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey));
  return "-----BEGIN PRIVATE KEY-----\\n" + btoa(String.fromCharCode(...bytes)) + "\\n-----END PRIVATE KEY-----";
};

const cases = (wire) => ({
  read: () => text(guardedFetch({ method: "GET", url: url("/echo") }, { wire, hosts })),
  form: () => text(guardedFetch({ method: "POST", url: url("/echo"), body: form }, { wire, hosts })),
  gzip: () => text(guardedFetch({ method: "GET", url: url("/gzip") }, { wire, hosts })),
  empty: () => text(guardedFetch({ method: "DELETE", url: url("/204") }, { wire, hosts })),
  redirect: () => text(guardedFetch({ method: "GET", url: url("/redirect?to=/echo") }, { wire, hosts })),
  "redirect away": () => text(guardedFetch({ method: "GET", url: url("/redirect?to=https://evil.example/") }, { wire, hosts })),
  "redirected write": () => text(guardedFetch({ method: "POST", url: url("/redirect?to=/echo") }, { wire, hosts })),
  silence: () => text(guardedFetch({ method: "POST", url: url("/silence"), body: "x" }, { wire, hosts, timeoutMs: 100 })),
  "silent body": () => text(guardedFetch({ method: "GET", url: url("/half") }, { wire, hosts, timeoutMs: 100 })),
  truncated: () => text(guardedFetch({ method: "GET", url: url("/truncated") }, { wire, hosts })),
  large: () => text(guardedFetch({ method: "GET", url: url("/large") }, { wire, hosts, maxBytes: 1000 })),
  left: () => text(guardedFetch({ method: "GET", url: url("/silence") }, { wire, hosts, signal: AbortSignal.timeout(50) })),
  stream: async () => {
    const { body } = await guardedFetch({ method: "GET", url: url("/stream") }, { wire, hosts, streaming: true });
    const reader = body.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return new TextDecoder().decode(value);
  },
  "header injection": () => connectApi({
    vendorId: "acme",
    vendor: {
      environments: { production: { baseUrl: url("") } },
      auth: () => ({ kind: "bearer", token: "s3cret\\r\\nx: y" }),
    },
    values: {},
    environment: "production",
    wire,
  }).send("GET", "/echo"),
  "backend services": async () => {
    const privateKey = await newKey();
    const auth = { kind: "private_key_jwt", clientId: "c", privateKey, algorithm: "ES384", scope: "s" };
    return (await fetchBackendServices(auth, url("/fhir"), { wire })).accessToken;
  },
});

export default {
  async fetch(request, { SERVER }) {
    const name = decodeURIComponent(new URL(request.url).pathname.slice(1));
    try {
      return Response.json({ answer: await cases(simulatorWire(SERVER))[name]() });
    } catch ({ name, failure, message, mayHaveHappened }) {
      return Response.json({ name, failure, message, mayHaveHappened });
    }
  },
};`;

let hungUp = 0;
const vendor = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "", "http://vendor");
  response.on("close", () => (hungUp += response.writableFinished ? 0 : 1));
  const json = (body: unknown) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(body));
  };
  switch (pathname.replace("/api.acme.example", "")) {
    case "/echo":
      return void response.end(
        `${request.method} ${request.headers["content-type"]?.split(";")[0]}`,
      );
    case "/gzip":
      return void response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("unpacked"));
    case "/204":
      return void response.writeHead(204).end();
    case "/redirect":
      return void response.writeHead(302, { location: searchParams.get("to") ?? "" }).end();
    case "/half":
      return void response.write("half");
    case "/truncated":
      response.writeHead(200, { "content-length": "100" }).write("half");
      return void setTimeout(() => response.destroy(), 20);
    case "/large":
      return void response.end("x".repeat(100_000));
    case "/stream": {
      const drip = setInterval(() => response.write("data: x\n\n"), 10);
      return void response.on("close", () => clearInterval(drip));
    }
    case "/fhir/.well-known/smart-configuration":
      return json({ token_endpoint: "https://api.acme.example/token" });
    case "/token":
      return json({ access_token: "issued", token_type: "Bearer" });
    default:
      return undefined;
  }
});
let miniflare: Miniflare;

beforeAll(async () => {
  await new Promise<void>((resolve) => vendor.listen(0, "127.0.0.1", resolve));
  const { outputFiles } = await build({
    stdin: { contents: worker, resolveDir: import.meta.dirname, loader: "js" },
    bundle: true,
    format: "esm",
    target: "esnext",
    write: false,
  });
  const module = {
    type: "ESModule",
    path: "worker.js",
    contents: outputFiles[0]?.text ?? "",
  } as const;
  miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        {
          name: "outbound",
          modules: [module],
          compatibilityDate: "2026-11-01",
          bindings: { SERVER: `http://127.0.0.1:${(vendor.address() as AddressInfo).port}` },
        },
      ],
    }),
  );
});
afterAll(async () => {
  await miniflare.dispose();
  vendor.closeAllConnections();
  vendor.close();
});

const run = async (name: string) => {
  const response = await miniflare.dispatchFetch(`http://worker/${encodeURIComponent(name)}`);
  return response.json();
};

test.each([
  ["read", "GET undefined"],
  ["form", "POST multipart/form-data"],
  ["gzip", "unpacked"],
  ["empty", ""],
  ["redirect", "GET undefined"],
  ["stream", "data: x\n\n"],
  ["backend services", "issued"],
])("workerd answers: %s", async (name, answer) => {
  expect(await run(name)).toEqual({ answer });
});

test.each([
  ["redirect away", "unexpected_reply", "The vendor redirected to another host", false],
  ["redirected write", "unexpected_reply", "The vendor redirected the request", true],
  ["silence", "timeout", "The vendor did not answer in time", true],
  ["silent body", "timeout", "The vendor did not answer in time", false],
  ["truncated", "unexpected_reply", "The vendor's reply ended early", false],
  ["large", "unexpected_reply", "The vendor's reply is too large", false],
  ["left", "timeout", "The caller gave up", false],
  [
    "header injection",
    "credentials_rejected",
    "A header would hold characters that cannot be sent",
    false,
  ],
])("workerd fails as it should: %s", async (name, failure, message, mayHaveHappened) => {
  expect(await run(name)).toEqual({ name: "VendorFailure", failure, message, mayHaveHappened });
});

test("workerd hangs up on a vendor that is given up or no longer read", async () => {
  for (const name of ["silence", "silent body", "left", "stream"]) {
    const before = hungUp;
    await run(name);
    await expect.poll(() => hungUp, { message: name }).toBe(before + 1);
  }
});

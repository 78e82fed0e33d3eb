import { describe, expect, test } from "vitest";

import { listVendors } from "../scripts/gen-registry.ts";
import { type Auth, connectApi, type ConnectOptions, type LogEntry, runOperation } from "./api.ts";
import { capabilities } from "./capabilities.ts";
import { vendorCard, vendorDetail } from "./catalog.ts";
import {
  type AnyVendor,
  categories,
  environmentNames,
  type Exchange,
  exampleValues,
} from "./define.ts";
import { type FieldSpec, type FieldValues, parseFields } from "./fields.ts";
import type { Token } from "./oauth.ts";
import { whyRefused, type Wire } from "./outbound.ts";
import { findPlace } from "./target.ts";
import { failureOf } from "./testing.ts";

/** The contract of every vendor file in this folder, registered yet or not. */
const loaded = await Promise.all(
  (await listVendors()).map(async (id) => {
    const { vendor } = (await import(/* @vite-ignore */ `./${id}.ts`)) as { vendor: AnyVendor };
    return { id, vendor };
  }),
);

/** Named like secrets, but public by the vendors' own documentation: each token of 100ms carries its access key. */
const publicKey = /^(?:publishableKey|publicKey|keyVersion|appAccessKey)$|(?:Id|Sid|Url)$/;

const fieldsOf = (vendor: AnyVendor): Record<string, FieldSpec> =>
  Object.assign({}, ...vendor.steps.map((step) => step.fields));

/** The example values, then once for each other choice that the wizard offers. */
function variants(vendor: AnyVendor): FieldValues[] {
  const fields = fieldsOf(vendor);
  const complete = (chosen: FieldValues, left: ReadonlySet<string>) => {
    const values: FieldValues = {};
    for (const [key, { dependsOn, example, type }] of Object.entries(fields)) {
      if (left.has(key) || type === "oauth") continue;
      if (dependsOn && values[dependsOn.field] !== dependsOn.equals) continue;
      values[key] = chosen[key] ?? example;
    }
    return values;
  };
  /** What a field depends on, as the values that fulfil it. */
  const demands = (key: string): FieldValues => {
    const { dependsOn } = fields[key] ?? {};
    return dependsOn ? { [dependsOn.field]: dependsOn.equals } : {};
  };
  const notFirst = vendor.steps.flatMap(
    ({ oneOf }) => oneOf?.slice(1).flatMap((group) => group.fields) ?? [],
  );
  const choices = vendor.steps.flatMap(({ oneOf }) =>
    (oneOf ?? []).map((group) => {
      const others = oneOf?.flatMap((other) => other.fields) ?? [];
      const kept = new Set(group.fields);
      const left = new Set([
        ...notFirst.filter((key) => !others.includes(key)),
        ...others.filter((key) => !kept.has(key)),
      ]);
      return { left, chosen: Object.assign({}, ...group.fields.map(demands)) as FieldValues };
    }),
  );
  const switches = Object.keys(fields)
    .map(demands)
    .filter((values) => Object.keys(values).length > 0);
  return [
    exampleValues(vendor),
    ...choices.map(({ chosen, left }) => complete(chosen, left)),
    ...switches.map((chosen) => complete(chosen, new Set(notFirst))),
  ];
}

/** A published example cannot be a working private key, so a fresh one stands in for it. */
const { privateKey } = await crypto.subtle.generateKey(
  {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: "SHA-256",
  },
  true,
  ["sign", "verify"],
);
const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", privateKey)).toString("base64");
const privateKeyPem = `-----BEGIN PRIVATE KEY-----\n${pkcs8.replace(/.{64}/g, "$&\n")}\n-----END PRIVATE KEY-----\n`;

const workingValues = (vendor: AnyVendor) =>
  Object.fromEntries(
    Object.entries(exampleValues(vendor)).map(([key, value]) => [
      key,
      String(value).includes("PRIVATE KEY") ? privateKeyPem : value,
    ]),
  );

const token: Token = { accessToken: "contract-access-token" };
const sessionToken: Token = { ...token, headers: { "x-contract-session": "contract-session" } };

function connection(id: string, vendor: AnyVendor, wire: Wire) {
  const values = workingValues(vendor);
  const environment = environmentNames.find((name) => vendor.environments[name]) ?? "production";
  const declared = vendor.environments[environment];
  const auth: Auth = vendor.auth(values);
  const log: LogEntry[] = [];
  const options: ConnectOptions = {
    vendorId: id,
    vendor,
    values,
    environment,
    endpoint: declared?.baseUrl === undefined ? declared?.example : undefined,
    wire,
    tokens: {
      get: async () => (auth.kind === "session" ? sessionToken : token),
      drop: async () => undefined,
    },
    sleep: async () => undefined,
    log: (entry) => log.push(entry),
  };
  return { options, environment, values, auth, log };
}

/** What must be on the wire for this kind of auth; the signatures have tests of their own. */
function expectAuth(auth: Auth, request: Request) {
  const authorization = request.headers.get("authorization");
  switch (auth.kind) {
    case "none":
      return;
    case "in_body":
      return expect(authorization).toBeNull();
    case "by_call":
      return expect(
        Object.values(auth.ways).filter((way) => isSignedIn(way, request)),
        "one of the ways, and only one",
      ).toHaveLength(1);
    case "basic":
      return expect(authorization).toBe(`Basic ${btoa(`${auth.user}:${auth.password}`)}`);
    case "bearer":
      return expect(authorization).toBe(`Bearer ${auth.token}`);
    case "header":
      return expect(Object.fromEntries(request.headers)).toMatchObject(
        Object.fromEntries(
          Object.entries(auth.headers).map(([name, value]) => [name.toLowerCase(), value]),
        ),
      );
    case "query":
      return expect(new URL(request.url).searchParams.get(auth.name)).toBe(auth.value);
    case "signed_jwt":
      return expect(authorization).toMatch(/^Bearer \S{20,}$/);
    case "aws_sigv4":
      return expect(authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=/);
    case "session":
      return expect(request.headers.get("x-contract-session")).toBe("contract-session");
    case "client_credentials":
    case "private_key_jwt":
    case "authorization_code":
      return expect(authorization).toBe("Bearer contract-access-token");
  }
}

function isSignedIn(auth: Auth, request: Request) {
  try {
    expectAuth(auth, request);
    return true;
  } catch {
    return false;
  }
}

function replyOf({ status = 200, headers, reply }: Exchange) {
  const received = new Headers(headers);
  const bodyless = status === 204 || reply === undefined || reply === "";
  const isText = typeof reply === "string";
  if (!bodyless && !received.has("content-type"))
    received.set("content-type", isText ? "text/plain" : "application/json");
  return new Response(bodyless ? null : isText ? reply : JSON.stringify(reply), {
    status,
    headers: received,
  });
}

/** Method, address and query, so that two spellings of one address are the same. */
function normal(method: string, address: string, auth: Auth) {
  const url = new URL(address);
  if (auth.kind === "query") url.searchParams.delete(auth.name);
  const query = [...url.searchParams].map((pair) => pair.join("=")).toSorted();
  return [method, url.host + decodeURIComponent(url.pathname), ...query].join(" ");
}

/** What differs each time, such as a signed token, ends in "…" in an example: its beginning counts. */
const alike = (example: unknown): unknown => {
  if (typeof example === "string" && example.endsWith("…"))
    return expect.toSatisfy((text) => String(text).startsWith(example.slice(0, -1)));
  if (Array.isArray(example)) return example.map(alike);
  return example instanceof Object
    ? Object.fromEntries(Object.entries(example).map(([key, value]) => [key, alike(value)]))
    : example;
};

const strings = (value: unknown): string[] =>
  typeof value === "string"
    ? [value]
    : value instanceof Object
      ? Object.values(value).flatMap(strings)
      : [];

describe.each(loaded)("$id", ({ id, vendor }) => {
  const fields = fieldsOf(vendor);
  const operations = Object.entries(vendor.operations);
  const secrets = Object.entries(exampleValues(vendor)).flatMap(([key, value]) =>
    fields[key]?.secret && String(value).length >= 6 ? [String(value)] : [],
  );

  test("is named in kebab-case and described in full", () => {
    expect(id).toMatch(/^[a-z\d]+(-[a-z\d]+)*$/);
    expect(Object.keys(categories)).toEqual(
      expect.arrayContaining([vendor.category, ...(vendor.alsoIn ?? [])]),
    );
    expect(vendor.alsoIn ?? []).not.toContain(vendor.category);
    for (const words of [vendor.name, vendor.description, ...vendor.keywords])
      expect(words).toBe(words.trim());
    expect(vendor.name).not.toBe("");
    expect(vendor.description.length).toBeGreaterThan(20);
    expect(vendor.keywords.length).toBeGreaterThan(0);
    const { access, links = [] } = vendor;
    const pages = [vendor.website, vendor.documentation, ...links.map(({ url }) => url)];
    if (access.kind === "partner") {
      pages.push(access.contact);
      expect(access.takes.trim()).not.toBe("");
    }
    for (const page of pages) expect(whyRefused(page, ["*"]), page).toBeUndefined();
    for (const { title } of links) expect(title.trim()).not.toBe("");
  });

  test("explains every field, and marks what is secret", () => {
    for (const [key, field] of Object.entries(fields)) {
      expect(field.label.trim(), key).not.toBe("");
      expect(field.help.trim().length, `help of ${key}`).toBeGreaterThan(10);
      if (field.helpUrl) expect(whyRefused(field.helpUrl, ["*"]), key).toBeUndefined();
      if (field.type === "password") expect(field.secret, `${key} is a password`).toBe(true);
      if (/secret|token|key|password/i.test(key) && !publicKey.test(key))
        expect(field.secret || field.type === "select", `${key} looks like a secret`).toBe(true);
      if (field.pattern !== undefined) {
        expect(field.pattern, `${key} is anchored`).toMatch(/^\^[^]*\$$/);
        expect(() => new RegExp(field.pattern ?? "", "u"), key).not.toThrow();
        expect(field.message, `${key} has a pattern, so it needs a message`).toBeTruthy();
      }
      if (field.dependsOn) expect(fields, key).toHaveProperty(field.dependsOn.field);
    }
    const ids = vendor.steps.map((step) => step.id);
    expect(new Set(ids).size).toBe(ids.length);
    const keys = vendor.steps.flatMap((step) => Object.keys(step.fields));
    expect(new Set(keys).size, "a field is in one step only").toBe(keys.length);
    for (const { oneOf } of vendor.steps)
      for (const key of oneOf?.flatMap((group) => group.fields) ?? []) expect(keys).toContain(key);
  });

  test("accepts its own example values, whichever choice is taken", () => {
    const kinds = new Set<string>();
    for (const values of variants(vendor)) {
      const parsed = parseFields(vendor.steps, values);
      expect(parsed.issues).toEqual([]);
      const auth = vendor.auth(parsed.values);
      kinds.add(auth.kind);
      const tokenUrl = "tokenUrl" in auth ? auth.tokenUrl : undefined;
      if (tokenUrl && !tokenUrl.startsWith("/"))
        expect(whyRefused(tokenUrl, ["*"]), tokenUrl).toBeUndefined();
      expect(Object.values(vendor.headers?.(parsed.values) ?? {})).not.toContain(undefined);
    }
    const ofWebhooks = vendor.webhooks?.secretField;
    const credentials = Object.keys(fields).filter(
      (key) => fields[key]?.secret && key !== ofWebhooks,
    );
    expect(
      credentials.length > 0 && kinds.size === 1 && kinds.has("none"),
      "credentials unused",
    ).toBe(false);
  });

  test("lives at an address that may be called, in every environment", () => {
    const names = environmentNames.filter((name) => vendor.environments[name]);
    expect(names).not.toEqual([]);
    for (const name of names) {
      const declared = vendor.environments[name];
      const endpoint = declared?.baseUrl === undefined ? declared?.example : undefined;
      for (const values of variants(vendor))
        expect(findPlace(vendor, name, endpoint, values).baseUrl).toMatch(/^https:\/\/\S+$/);
    }
    expect(vendor.hosts ?? [], "credentials go to known hosts only").not.toContain("*");
  });

  test("can be shown: its card and detail are plain JSON", () => {
    const detail = vendorDetail(id, vendor);
    expect(JSON.parse(JSON.stringify(detail))).toEqual(detail);
    expect(detail).toMatchObject(vendorCard(id, vendor));
  });

  test.each(operations)("%s turns its example into its result", async (name, operation) => {
    const { example } = operation;
    expect(operation.title.trim()).not.toBe("");
    expect(operation.params.safeParse(example.params).error).toBeUndefined();
    expect(operation.result.parse(example.result)).toEqual(example.result);
    if (operation.capability)
      expect(operation.effect).toBe(capabilities[operation.capability].effect);

    const script = [...example.wire];
    const asked: string[] = [];
    const { options, auth, log } = connection(id, vendor, async (request) => {
      const exchange = script.shift();
      if (!exchange) throw new Error(`${request.method} ${request.url} is not in the example`);
      const [method = "", address = ""] = exchange.request.split(/ (.*)/s);
      const { baseUrl } = connectApi(options);
      const expected = address.startsWith("https:")
        ? [address]
        : [baseUrl + address, new URL(baseUrl).origin + address];
      expect(expected.map((each) => normal(method, each, auth))).toContain(
        normal(request.method, request.url, auth),
      );
      expectAuth(auth, request);
      const accepted = request.headers.get("accept") ?? "*/*";
      if (operation.streams) expect(accepted, "a refusal is JSON").toMatch(/json|\*\/\*/);
      asked.push(`${request.method} ${new URL(request.url).pathname}`);
      return replyOf(exchange);
    });
    const answer = await runOperation({ ...options, operation: name, params: example.params });
    const result = answer instanceof Response ? await answer.text() : answer;
    expect(result).toEqual(alike(example.result));
    expect(answer instanceof Response).toBe(operation.streams ?? false);
    expect(script, "the whole example is used").toEqual([]);

    if (operation.effect === "read" && !operation.idempotent)
      for (const request of asked) expect(request).toMatch(/^(?:GET|HEAD) |^POST .*_search$/);
    const routes = log.map(({ route }) => route).join(" ");
    for (const value of strings(example.params).filter((each) => each.length > 4))
      expect(routes, "a route is logged, so values are not part of it").not.toContain(value);
  });

  const canary = "Jane Roe, born 1970-01-01, owes 42";
  const spoken = { message: canary, detail: canary, error_description: canary, code: canary };
  const body = { ...spoken, error: spoken, errors: [spoken], issue: [{ diagnostics: canary }] };
  const failing = (status: number): Wire => {
    return async () => Response.json(body, { status, headers: { "retry-after": "7" } });
  };
  const hang: Wire = () => new Promise(() => undefined);
  const garbage: Wire = async () =>
    new Response(`<html>${canary}</html>`, { headers: { "content-type": "text/html" } });

  test.each<[string, Wire, object]>([
    ["a 401", failing(401), { failure: "credentials_rejected", vendorStatus: 401 }],
    ["a 403", failing(403), { failure: "forbidden", vendorStatus: 403 }],
    ["a 429", failing(429), { failure: "rate_limited", vendorStatus: 429, retryAfter: 7 }],
    ["a 500", failing(500), { failure: "vendor_unavailable", vendorStatus: 500 }],
    ["garbage", garbage, { failure: "unexpected_reply" }],
    ["silence", hang, { failure: "timeout" }],
    [
      "a broken line",
      () => Promise.reject(new TypeError(canary)),
      { failure: "vendor_unavailable" },
    ],
  ])(
    "its test names %s for what it is, and tells nothing secret",
    async (_what, wire, expected) => {
      const { options, values, environment, log } = connection(id, vendor, wire);
      const api = connectApi({ ...options, timeoutMs: 30 });
      const failure = await failureOf(vendor.test(api, values, environment));
      expect(failure).toMatchObject(expected);
      const told = JSON.stringify([failure.message, failure.vendorCode, log]);
      for (const secret of [canary, ...secrets]) expect(told).not.toContain(secret);
      expect(log.length, "the vendor was asked").toBeGreaterThan(0);
    },
  );

  test("reads its failures from whatever body comes", () => {
    const odd = [
      undefined,
      null,
      "",
      "<html>",
      0,
      true,
      [],
      [null],
      {},
      { error: null },
      { error: "x" },
    ];
    const nested = [
      { error: {} },
      { errors: null },
      { errors: [null] },
      { issue: null },
      { issue: [{}] },
    ];
    for (const status of [200, 400, 401, 403, 404, 409, 422, 429, 500, 503])
      for (const each of [...odd, ...nested])
        expect(() =>
          vendor.failure?.({ status, headers: new Headers(), body: each }),
        ).not.toThrow();
  });
});

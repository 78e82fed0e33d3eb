import { neon, neonConfig } from "@neondatabase/serverless";
import * as fc from "fast-check";
import { beforeAll, describe, expect, inject, test } from "vitest";

import { registry } from "../handlers/registry.ts";
import { anything, headerValue, number, rawBodies, text } from "../scripts/hostile.ts";
import { signedIn, type Visitor } from "../scripts/visitor.ts";
import { newOrg, type TestOrg } from "../scripts/world.ts";

const world = inject("world");
neonConfig.fetchEndpoint = world.endpoint;
const sql = neon(world.databaseUrl);

type Schema = {
  $ref?: string;
  type?: string | string[];
  format?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
};
type Parameter = { name: string; in: string; required?: boolean; schema?: Schema };
type Route = {
  name: string;
  method: string;
  path: string;
  parameters: readonly Parameter[];
  body: Schema | undefined;
};
const document = (await (await fetch(`${world.url}/api/openapi.json`)).json()) as {
  paths: Record<string, Record<string, Record<string, unknown>>>;
  components: { schemas: Record<string, Schema> };
};
const routes: Route[] = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => {
    const body = operation["requestBody"] as
      | { content: Record<string, { schema: Schema }> }
      | undefined;
    return {
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      parameters: (operation["parameters"] ?? []) as Parameter[],
      body: body?.content["application/json"]?.schema,
    };
  }),
);

/** Texts that a schema may well take: times that it knows and the database does not, for one. */
const times = [
  "0000-01-01T00:00:00Z",
  "0001-01-01T00:00:00+14:00",
  "9999-12-31T23:59:59-14:00",
  "2026-11-23T12:00:00Z",
];
const words = ["twilio", "stripe", "rest-api", "sms.send", "sendSMS", "Ours", "charge.*", "1", "7"];

/** What the schema asks for; a text without a format may be any. */
function fitting(schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  if (schema.$ref)
    return fitting(document.components.schemas[schema.$ref.split("/").at(-1) ?? ""] ?? {}, depth);
  if (depth > 5) return anything;
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices?.length) return fc.oneof(...choices.map((each) => fitting(each, depth + 1)));
  const type = [schema.type].flat()[0];
  if (type === "object" || schema.properties) {
    const known = Object.entries(schema.properties ?? {}).map(
      ([name, each]) => [name, fitting(each, depth + 1)] as const,
    );
    const record = fc.record(Object.fromEntries(known), { requiredKeys: schema.required ?? [] });
    const named = fc.oneof(fc.constantFrom("to", "body", "authToken", "stripe"), text);
    return schema.additionalProperties
      ? fc.oneof(record, fc.dictionary(named, anything, { maxKeys: 3 }))
      : record;
  }
  if (type === "array") return fc.array(fitting(schema.items ?? {}, depth + 1), { maxLength: 3 });
  if (type === "boolean") return fc.boolean();
  if (type === "null") return fc.constant(null);
  if (type === "integer" || type === "number")
    return fc.oneof(fc.integer({ min: 1, max: 200 }), number);
  if (schema.format === "uuid") return fc.oneof(fc.constantFrom(...ids), fc.uuid());
  if (schema.format === "date-time") return fc.constantFrom(...times);
  if (schema.format === "uri") return fc.constantFrom("https://receiver.example/hook", "https://x");
  const plain = fc.constantFrom(...words);
  return fc.oneof({ weight: 3, arbitrary: plain }, { weight: 1, arbitrary: text });
}

/** Puts something else in one place of a value. */
function spoiled(value: unknown, at: number, other: unknown): unknown {
  if (!(value instanceof Object) || Object.keys(value).length === 0) return other;
  const names = Object.keys(value);
  const name = names[at % names.length] ?? "";
  const inner: unknown = Reflect.get(value, name);
  const next = spoiled(inner, Math.floor(at / names.length), other);
  return Array.isArray(value)
    ? value.map((each: unknown, i) => (String(i) === name ? next : each))
    : { ...value, [name]: next };
}
const spoil = (value: fc.Arbitrary<unknown>) =>
  fc
    .tuple(value, fc.nat({ max: 999 }), anything)
    .map(([given, at, other]) => spoiled(given, at, other));
const mostlyFitting = (schema: Schema) =>
  fc.oneof(
    { weight: 3, arbitrary: fitting(schema) },
    { weight: 2, arbitrary: spoil(fitting(schema)) },
  );

const sms = { to: "+15558675310", body: "See you at nine" };
/** Where a schema leaves much open, what is right to begin with: then one place of it is spoiled. */
const right: Record<string, unknown> = {
  "POST /api/destinations": {
    name: "Ours",
    url: "https://receiver.example/a",
    headers: { "x-a": "b" },
  },
  "PUT /api/destinations/{id}": { name: "Ours", event_types: ["charge.*"], vendor_ids: ["stripe"] },
  "POST /api/events/replay": { filter: { type: "message.*", vendor_id: "twilio" }, dry_run: true },
  "POST /api/integrations": {
    vendor_id: "stripe",
    environment: "sandbox",
    credentials: {
      secretKey: "sk_test_5ec7e7ab1ec0ffee4a11",
      webhookSecret: "whsec_5ec7e7ab1ec0ffee4a11ba5e0ddba112",
    },
    usage_mappings: [{ id: "a", workflow: "Reminders", enabled: true }],
  },
  "PUT /api/integrations/{id}": { credentials: { fromNumber: "+15005550006" } },
  "POST /api/integrations/{id}/toggle": { enabled: true },
  "POST /api/integrations/{id}/execute": { operation: "sendSMS", params: sms },
  "POST /api/integrations/execute": { capability: "sms.send", params: sms },
  "POST /api/integrations/test": {
    vendor_id: "twilio",
    environment: "production",
    credentials: { accountSid: `AC${"1".repeat(32)}`, authToken: "0".repeat(32) },
  },
  "POST /api/signing-keys": { algorithm: "ES384" },
  "POST /api/sso": {
    name: "Ours",
    domain: "clinic.example",
    issuer: "https://id.clinic.example",
    client_id: "a",
    client_secret: "b",
  },
};
const bodyOf = ({ name, body }: Route) =>
  body
    ? fc.oneof(
        ...(Object.hasOwn(right, name)
          ? [
              {
                weight: 16,
                arbitrary: fc
                  .oneof(fc.constant(right[name]), spoil(fc.constant(right[name])))
                  .map((value) => JSON.stringify(value)),
              },
            ]
          : []),
        { weight: 8, arbitrary: mostlyFitting(body).map((value) => JSON.stringify(value)) },
        { weight: 1, arbitrary: fc.constantFrom(...rawBodies) },
      )
    : fc.constant(undefined);

/** Every header that some route reads. */
const headers = fc.dictionary(
  fc.constantFrom(
    "if-match",
    "if-none-match",
    "idempotency-key",
    "x-request-id",
    "traceparent",
    "accept",
    "accept-language",
    "origin",
    "sec-fetch-site",
    "x-forwarded-for",
    "range",
  ),
  headerValue,
  { maxKeys: 3 },
);

type Case = {
  segments: Record<string, unknown>;
  query: Record<string, unknown>;
  body: string | undefined;
  headers: Record<string, string>;
  orgId: string | undefined;
};

function caseOf(route: Route): fc.Arbitrary<Case> {
  const of = (place: string) => route.parameters.filter((parameter) => parameter.in === place);
  const valuesOf = (parameters: readonly Parameter[]) =>
    Object.fromEntries(
      parameters.map(({ name, schema = {} }) => [
        name,
        fc.oneof({ weight: 4, arbitrary: fitting(schema) }, { weight: 1, arbitrary: anything }),
      ]),
    );
  const required = of("query").filter((parameter) => parameter.required);
  const query = fc
    .subarray(of("query"), { maxLength: Math.min(2, of("query").length) })
    .chain((some) => fc.record(valuesOf([...required, ...some])));
  const rarely = <T>(arbitrary: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
  return fc.record({
    segments: fc.oneof(
      { weight: 3, arbitrary: fc.record(valuesOf(of("path"))) },
      { weight: 7, arbitrary: fc.constant(null).map(() => ({ id: own(route.path) })) },
    ),
    query,
    body: bodyOf(route),
    headers: rarely(headers).map((given) => given ?? {}),
    orgId: rarely(text),
  });
}

const isScalar = (value: unknown) => typeof value !== "object" || value === null;
/** A lone surrogate cannot be in a URL: it is sent as what a URL makes of it. */
const encoded = (value: unknown) =>
  encodeURIComponent((isScalar(value) ? String(value) : JSON.stringify(value)).toWellFormed());

function addressOf(route: Route, { segments, query, orgId }: Case): string {
  const path = route.path.replace(/\{(\w+)\}/g, (_all, name: string) =>
    encoded(segments[name] ?? "x").slice(0, 8_000),
  );
  const pairs = [...Object.entries(query), ...(orgId === undefined ? [] : [["org_id", orgId]])];
  return `${path}?${pairs.map(([name, value]) => `${name}=${encoded(value).slice(0, 4_000)}`).join("&")}`;
}

const patience = 20_000;
/** What is made up here is no one's secret, and the same in many places: see scripts/recording.ts. */
const notKept = { "x-not-recorded": "1" };
let org: TestOrg;
let owner: Visitor;
/** Of records that there are; filled before any request is made up. */
const ids: string[] = [crypto.randomUUID()];
const own = (path: string) =>
  ids[
    ["integrations", "events", "destinations", "deliveries"].indexOf(path.split("/")[2] ?? "") + 1
  ] ?? "";
beforeAll(async () => {
  org = await newOrg(world);
  owner = await signedIn(world, org.email);
  const added = await org.call("POST", "/api/integrations", {
    vendor_id: "twilio",
    environment: "production",
    enabled: true,
    credentials: (await org.call("GET", "/api/integrations/vendors/twilio/demo-credentials")).body
      .data,
  });
  const { id } = added.body.data as { id: string };
  const [event, destination, delivery] = [1, 2, 3].map(() => crypto.randomUUID());
  await sql.transaction([
    sql`insert into events (id, org_id, integration_id, vendor_id, dedup_key, type, size_bytes, body_hash, status)
      values (${event}, ${org.orgId}, ${id}, 'twilio', ${event}, 'message.sent', 2, 'hash', 'processed')`,
    sql`insert into destinations (id, org_id, name, url)
      values (${destination}, ${org.orgId}, 'Ours', 'https://receiver.example/')`,
    sql`insert into deliveries (id, org_id, event_id, destination_id, event_seq, state)
      select ${delivery}, ${org.orgId}, ${event}, ${destination}, seq, 'delivered' from events where id = ${event}`,
  ]);
  ids.push(id, event ?? "", destination ?? "", delivery ?? "");
});

async function ask(route: Route, given: Case) {
  const cookie = [...owner.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  const response = await fetch(`${world.url}${addressOf(route, given)}`, {
    method: route.method,
    redirect: "manual",
    signal: AbortSignal.timeout(patience),
    headers: {
      ...notKept,
      ...(given.body === undefined ? {} : { "content-type": "application/json" }),
      origin: world.publicUrl,
      ...Object.fromEntries(
        Object.entries(given.headers).filter(([, value]) => !/[^\0-\xff]/.test(value)),
      ),
      cookie,
    },
    ...(given.body === undefined ? {} : { body: given.body }),
  });
  return { status: response.status, text: await response.text() };
}

/** Our own faults. What a vendor made of a call that it was asked to make is its own. */
const isOurs = ({ status, text: said }: { status: number; text: string }) =>
  status >= 500 && !said.includes('"code":"vendor_failed"');

/** How many requests to a route were not only refused. */
const taken = new Map<string, number>();

const isDelete = ({ method }: Route) => method === "DELETE";
describe.each([
  ["any request", routes.filter((route) => !isDelete(route))],
  // At last: it takes away what the others need.
  ["any request to delete", routes.filter(isDelete)],
])("%s", (_what, some) => {
  test.concurrent.each(some)(
    "to $name is answered, and not with a fault of ours",
    async (route) => {
      await fc.assert(
        fc.asyncProperty(caseOf(route), async (given) => {
          const answer = await ask(route, given);
          if (answer.status < 300) taken.set(route.name, (taken.get(route.name) ?? 0) + 1);
          expect(isOurs(answer), `${answer.status} ${answer.text.slice(0, 300)}`).toBe(false);
        }),
        { numRuns: 25, endOnFailure: true },
      );
    },
  );
});

test("what is made up gets past the checks of most routes", () => {
  const never = routes.map(({ name }) => name).filter((name) => !taken.has(name));
  expect(never.length, never.join(", ")).toBeLessThan(routes.length / 3);
});

test("whatever was sent, the owner still reads what is theirs", async () => {
  for (const path of [
    "/api/integrations",
    "/api/events",
    "/api/activity?limit=200",
    "/api/destinations",
  ])
    expect((await org.call("GET", path)).status, path).toBe(200);
  expect((await org.call("GET", "/api/activity/verify")).body.data).toMatchObject({ intact: true });
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("any webhook to any vendor is refused or taken", async () => {
  const added = new Map<string, string>();
  for (const id of Object.keys(registry)) {
    const demo = await org.call("GET", `/api/integrations/vendors/${id}/demo-credentials`);
    const reply = await org.call("POST", "/api/integrations", {
      vendor_id: id,
      environment: "production",
      credentials: demo.body.data,
    });
    const url = (reply.body.data as { webhook_url?: string } | undefined)?.webhook_url;
    if (url) added.set(id, url);
  }
  expect(added.size).toBeGreaterThan(5);
  const names = fc.constantFrom(
    "content-type",
    "x-twilio-signature",
    "stripe-signature",
    "x-slack-signature",
    "x-slack-request-timestamp",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "x-hub-signature-256",
    "x-plivo-signature-v3",
    "x-plivo-signature-v3-nonce",
    "agora-signature-v2",
    "authorization",
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...added.values()),
      fc.dictionary(names, headerValue, { maxKeys: 6 }),
      fc.oneof(fc.constantFrom(...rawBodies), fc.json(), fc.string({ unit: "binary" })),
      text,
      async (address, given, body, query) => {
        const { pathname, search } = new URL(address);
        const response = await fetch(
          `${world.url}${pathname}${search}${search ? "&" : "?"}${encoded(query).slice(0, 4_000)}`,
          {
            method: "POST",
            body,
            headers: {
              ...Object.fromEntries(
                Object.entries(given).filter(([, value]) => !/[^\0-\xff]/.test(value)),
              ),
              ...notKept,
            },
            signal: AbortSignal.timeout(patience),
          },
        );
        const said = await response.text();
        // What cannot be checked is to be sent again later: without a secret of ours, or with Vonage,
        // which may forget to sign.
        const waits =
          response.status === 503 && /has no webhook secret yet|carries no signature/.test(said);
        expect(response.status < 500 || waits, `${address} ${response.status} ${said}`).toBe(true);
      },
    ),
    { numRuns: 150, endOnFailure: true },
  );
});

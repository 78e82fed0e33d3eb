import { createHmac } from "node:crypto";

import { type Context, Hono } from "hono";
import { Webhook } from "standardwebhooks";

import type { FieldValues } from "../handlers/fields.ts";
import type { LocatedCode } from "../handlers/oauth.ts";
import {
  basicCredentials,
  bearerToken,
  defineSimulation,
  idSequence,
  isSame,
  unixNow,
  type WebhookOptions,
} from "./define.ts";
import { newCodes } from "./derived/codes.ts";

const test = { probePath: "/me", probeStatuses: "200,204" };
const client = {
  tokenUrl: "https://auth.example.com/oauth/token",
  clientId: "example-client",
  clientSecret: "example-client-secret",
  scope: "read write",
  audience: "https://api.example.com",
};
/** One set a kind of authentication: the API takes any of them. */
export const restApiCredentials = {
  basic: { authKind: "basic", username: "ehrconnect", password: "example-password", ...test },
  bearer: { authKind: "bearer", bearerToken: "example-bearer-token", ...test },
  header: {
    authKind: "header",
    headerName: "X-Api-Key",
    headerValue: "example-header-key",
    ...test,
  },
  query: { authKind: "query", queryName: "api_key", queryValue: "example-query-key", ...test },
  oauth2: { authKind: "oauth2", clientAuth: "basic", ...client, ...test },
  code: {
    authKind: "code",
    signInUrl: "https://auth.example.com/oauth/authorize",
    signInTokenUrl: "https://auth.example.com/oauth/app-token",
    signInRevokeUrl: "https://auth.example.com/oauth/revoke",
    signInIssuer: "https://auth.example.com",
    signInClientId: "example-app",
    signInClientSecret: "example-app-secret",
    signInClientAuth: "basic",
    signInScope: "read write",
    ...test,
  },
} as const satisfies Record<string, FieldValues>;
const { basic, bearer, header, query, code } = restApiCredentials;

/** The application that people let in by signing in. */
const person: LocatedCode = {
  kind: "authorization_code",
  authorizeUrl: code.signInUrl,
  tokenUrl: code.signInTokenUrl,
  revokeUrl: code.signInRevokeUrl,
  issuer: code.signInIssuer,
  clientId: code.signInClientId,
  clientSecret: code.signInClientSecret,
  style: "basic",
  scopes: ["read", "write"],
  pkce: true,
};

type Item = { id: string; version: number; fields: Record<string, unknown> };

const problem = (status: number, title: string, headers = {}) =>
  new Response(JSON.stringify({ title, status }), {
    status,
    headers: { "content-type": "application/problem+json", ...headers },
  });

export const simulation = defineSimulation(() => {
  const ids = idSequence("rest-api");
  const tokens = new Map<string, number>();
  const codes = newCodes(person, ids, {
    consent: { vendor: "REST API" },
    revokesFamily: true,
  });
  const items = new Map<string, Item>();
  let count = 42;
  function seed() {
    items.clear();
    items.set("42", { id: "42", version: 7, fields: { name: "Saline 0.9%", stock: 12 } });
    count = 42;
  }
  seed();

  /** Who asks; undefined where nobody that is known does. */
  function caller(c: Context): string | undefined {
    const { raw } = c.req;
    const given = basicCredentials(raw);
    if (given && isSame(basic.username, given.user) && isSame(basic.password, given.password))
      return basic.username;
    const token = bearerToken(raw);
    if (isSame(bearer.bearerToken, token)) return "bearer";
    if (token !== undefined && (tokens.get(token) ?? 0) > unixNow()) return client.clientId;
    if (codes.scopeOf(token) !== undefined) return person.clientId;
    if (isSame(header.headerValue, c.req.header(header.headerName))) return "header";
    return isSame(query.queryValue, c.req.query(query.queryName)) ? "query" : undefined;
  }

  const app = new Hono();
  app.use("/oauth/*", async (c, next) => (await codes.serve(c.req.raw.clone())) ?? next());
  app.post("/oauth/token", async (c) => {
    const refuse = (status: number, error: string) =>
      Response.json({ error }, { status, headers: { "cache-control": "no-store" } });
    const text = await c.req.text();
    const type = c.req.header("content-type") ?? "";
    const isForm = type.startsWith("application/x-www-form-urlencoded");
    if (!isForm && !type.startsWith("application/json")) return refuse(400, "invalid_request");
    const sent = new Map<string, unknown>(
      isForm ? new URLSearchParams(text) : Object.entries(JSON.parse(text) as object),
    );
    const given = basicCredentials(c.req.raw) ?? {
      user: String(sent.get("client_id")),
      password: String(sent.get("client_secret")),
    };
    if (!isSame(client.clientId, given.user) || !isSame(client.clientSecret, given.password))
      return refuse(401, "invalid_client");
    if (sent.get("grant_type") !== "client_credentials")
      return refuse(400, "unsupported_grant_type");
    const scope = String(sent.get("scope") ?? "read");
    if (!scope.split(" ").every((each) => client.scope.split(" ").includes(each)))
      return refuse(400, "invalid_scope");
    const token = ids.letters("", 40);
    tokens.set(token, unixNow() + 300);
    return c.json({ access_token: token, token_type: "Bearer", expires_in: 300, scope });
  });

  const api = new Hono<{ Variables: { caller: string } }>();
  api.get("/status", (c) => c.json({ status: "ok" }));
  api.use("*", async (c, next) => {
    const known = caller(c);
    if (known === undefined)
      return problem(401, "Unauthorized", { "www-authenticate": 'Bearer realm="api"' });
    c.set("caller", known);
    return next();
  });
  api.get("/me", (c) => c.json({ caller: c.get("caller") }));

  const view = ({ id, fields }: Item) => ({ ...fields, id });
  const answer = (item: Item, status: 200 | 201 = 200, headers = {}) =>
    Response.json(view(item), { status, headers: { etag: `"${item.version}"`, ...headers } });
  /** The item, unless it is gone or changed since the caller read it. */
  function current(c: Context): Item | Response {
    const item = items.get(c.req.param("id") ?? "");
    if (!item) return problem(404, "Not Found");
    const expected = c.req.header("if-match");
    if (expected !== undefined && expected !== `"${item.version}"`)
      return problem(412, "Precondition Failed");
    return item;
  }
  async function fieldsOf(c: Context): Promise<Record<string, unknown> | Response> {
    if (!c.req.header("content-type")?.startsWith("application/json"))
      return problem(415, "Unsupported Media Type");
    const body: unknown = await c.req.json().catch(() => undefined);
    if (typeof body !== "object" || body === null || Array.isArray(body))
      return problem(400, "Bad Request");
    return body as Record<string, unknown>;
  }
  async function change(
    c: Context,
    merge: (item: Item, fields: Record<string, unknown>) => object,
  ) {
    const item = current(c);
    if (item instanceof Response) return item;
    const fields = await fieldsOf(c);
    if (fields instanceof Response) return fields;
    item.fields = { ...merge(item, fields) };
    item.version += 1;
    return answer(item);
  }

  api.get("/items", (c) => {
    const limit = Number(c.req.query("limit") ?? 20);
    const offset = Number(c.req.query("offset") ?? 0);
    const all = [...items.values()].map(view);
    return c.json({ total: all.length, items: all.slice(offset, offset + limit) });
  });
  api.post("/items", async (c) => {
    const fields = await fieldsOf(c);
    if (fields instanceof Response) return fields;
    count += 1;
    const item = { id: String(count), version: 1, fields };
    items.set(item.id, item);
    return answer(item, 201, { location: `/items/${item.id}` });
  });
  api.get("/items/:id", (c) => {
    const item = current(c);
    if (item instanceof Response) return item;
    const wanted = c.req.queries("fields");
    const whole = view(item);
    const entries = Object.entries(whole).filter(
      ([name]) => name === "id" || !wanted || wanted.includes(name),
    );
    return c.json(Object.fromEntries(entries), 200, { etag: `"${item.version}"` });
  });
  api.put("/items/:id", (c) => change(c, (_, fields) => fields));
  api.patch("/items/:id", (c) => change(c, (item, fields) => ({ ...item.fields, ...fields })));
  api.delete("/items/:id", (c) => {
    const item = current(c);
    if (item instanceof Response) return item;
    items.delete(item.id);
    return c.body(null, 204);
  });
  api.notFound(() => problem(404, "Not Found"));
  app.route("/v1", api);
  app.route("/", api);
  app.notFound(() => problem(404, "Not Found"));

  /** Signed in either of the ways that the integration can be configured to. */
  async function webhook({
    url,
    credentials: given,
    type = "item.changed",
    body,
    now = unixNow(),
  }: WebhookOptions) {
    const id = ids.letters("evt_", 20);
    const payload = JSON.stringify({
      type,
      event_id: id,
      item: "42",
      ...(body as object | undefined),
    });
    const headers = new Headers({ "content-type": "application/json" });
    const secret = String(given["webhookSecret"]);
    if (given["webhookScheme"] === "hmac") {
      const encoding = given["webhookEncoding"] === "base64" ? "base64" : "hex";
      const mac = createHmac("sha256", secret).update(payload).digest(encoding);
      headers.set(
        String(given["webhookHeader"] ?? "X-Signature"),
        `${String(given["webhookPrefix"] ?? "")}${mac}`,
      );
    } else {
      headers.set("webhook-id", id);
      headers.set("webhook-timestamp", String(now));
      headers.set("webhook-signature", new Webhook(secret).sign(id, new Date(now * 1000), payload));
    }
    return new Request(url, { method: "POST", headers, body: payload });
  }

  return {
    hosts: ["api.clinic.example", "api.example.com", "sandbox.api.example.com", "auth.example.com"],
    app,
    credentials: {
      ...bearer,
      webhookScheme: "standard",
      webhookSecret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    },
    webhook,
    faults: {
      expired_credentials(_, request) {
        if (new URL(request.url).pathname === "/oauth/token")
          return Response.json({ error: "invalid_client" }, { status: 401 });
        tokens.clear();
        codes.expireTokens();
        return problem(401, "Unauthorized", { "www-authenticate": 'Bearer error="invalid_token"' });
      },
    },
    reset() {
      seed();
      tokens.clear();
      codes.reset();
      ids.reset();
    },
  };
});

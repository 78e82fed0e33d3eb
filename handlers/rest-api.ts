import { uint8ArrayToBase64 } from "uint8array-extras";
import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import type { Api, Auth, Call } from "./api.ts";
import { defineVendor, operation } from "./define.ts";
import { password, select, type Step, text, url, type Values } from "./fields.ts";
import { signInAuth, signInFields } from "./rest-api-sign-in.ts";
import { webhookFields, webhooks } from "./rest-api-webhooks.ts";

const steps = [
  {
    id: "credentials",
    title: "Sign-in",
    description: "How your API wants to be asked, at the API address.",
    fields: {
      authKind: select({
        label: "Authentication",
        help: "Your API's documentation names it, usually under “Authentication”.",
        options: [
          { value: "none", label: "None" },
          { value: "basic", label: "User name and password (HTTP Basic)" },
          { value: "bearer", label: "Bearer token" },
          { value: "header", label: "API key in a header" },
          { value: "query", label: "API key in the query" },
          { value: "oauth2", label: "OAuth 2.0 client credentials" },
          { value: "code", label: "OAuth 2.0 sign-in (authorization code)" },
        ],
        example: "bearer",
      }),
      username: text({
        label: "User name",
        help: "The account that your API gave you for machine access, not a person's.",
        dependsOn: { field: "authKind", equals: "basic" },
        example: "ehrconnect",
      }),
      password: password({
        label: "Password",
        help: "The password of that account.",
        dependsOn: { field: "authKind", equals: "basic" },
        example: "example-password",
      }),
      bearerToken: password({
        label: "Token",
        help: "Sent as “Authorization: Bearer …”; enter it without that prefix.",
        pattern: "^(?![Bb]earer )\\S+$",
        message: "Enter the token alone, without “Bearer”",
        dependsOn: { field: "authKind", equals: "bearer" },
        example: "example-bearer-token",
      }),
      headerName: text({
        label: "Header",
        placeholder: "X-Api-Key",
        help: "The name of the header that carries the API key.",
        pattern: "^[A-Za-z][A-Za-z0-9-]{0,63}$",
        message: "A header name holds letters, digits and hyphens only",
        dependsOn: { field: "authKind", equals: "header" },
        default: "X-Api-Key",
        example: "X-Api-Key",
      }),
      headerValue: password({
        label: "API key",
        help: "The whole value of the header, with its prefix if it has one: “Token abc”.",
        dependsOn: { field: "authKind", equals: "header" },
        example: "example-header-key",
      }),
      queryName: text({
        label: "Parameter",
        placeholder: "api_key",
        help: "The name of the query parameter that carries the API key.",
        pattern: "^[A-Za-z0-9_.-]{1,64}$",
        message: "A parameter name holds letters, digits and . _ - only",
        dependsOn: { field: "authKind", equals: "query" },
        default: "api_key",
        example: "api_key",
      }),
      queryValue: password({
        label: "API key",
        help: "Addresses end up in the logs of the other side: prefer a header if your API takes one.",
        dependsOn: { field: "authKind", equals: "query" },
        example: "example-query-key",
      }),
      tokenUrl: url({
        label: "Token URL",
        placeholder: "https://auth.example.com/oauth/token",
        help: "Where access tokens are issued; “token_endpoint” in your API's OAuth metadata.",
        dependsOn: { field: "authKind", equals: "oauth2" },
        example: "https://auth.example.com/oauth/token",
      }),
      clientId: text({
        label: "Client ID",
        help: "From the registration of your application at the authorization server.",
        dependsOn: { field: "authKind", equals: "oauth2" },
        example: "example-client",
      }),
      clientSecret: password({
        label: "Client secret",
        help: "From the same registration.",
        dependsOn: { field: "authKind", equals: "oauth2" },
        example: "example-client-secret",
      }),
      clientAuth: select({
        label: "Client authentication",
        help: "How the client ID and secret are sent to the token URL. Most servers take either of the first two.",
        options: [
          { value: "basic", label: "HTTP Basic (client_secret_basic)" },
          { value: "body", label: "Form fields (client_secret_post)" },
          { value: "json", label: "JSON body" },
        ],
        dependsOn: { field: "authKind", equals: "oauth2" },
        default: "basic",
        example: "basic",
      }),
      scope: text({
        label: "Scope",
        required: false,
        help: "What to ask for, separated by spaces, if your API wants it said.",
        dependsOn: { field: "authKind", equals: "oauth2" },
        example: "read write",
      }),
      audience: text({
        label: "Audience",
        required: false,
        help: "Sent as “audience”; Auth0 and some others need it.",
        dependsOn: { field: "authKind", equals: "oauth2" },
        example: "https://api.example.com",
      }),
      ...signInFields,
    },
  },
  {
    id: "test",
    title: "Test",
    description: "The request that tells whether the integration works.",
    fields: {
      probePath: text({
        label: "Path",
        placeholder: "/me",
        help: "Read with GET, relative to the API address. Choose one that fails without credentials: the status page of an API proves nothing.",
        pattern: "^/(?!/)[^\\s#{}\\\\]*$",
        message: "A path starts with one slash and holds no spaces or braces",
        max: 500,
        default: "/",
        example: "/me",
      }),
      probeStatuses: text({
        label: "Good answers",
        help: "HTTP statuses, separated by commas. 401 and 403 always mean that the credentials were refused.",
        pattern: "^(?!.*40[13])[1-5]\\d\\d(\\s*,\\s*[1-5]\\d\\d)*$",
        message: "List statuses such as 200,204; 401 and 403 are never good",
        default: "200,204",
        example: "200,204",
      }),
    },
  },
  {
    id: "webhooks",
    title: "Webhooks",
    description: "Only if your system posts events.",
    fields: {
      ...webhookFields,
    },
  },
] as const satisfies readonly Step[];

type Config = Values<typeof steps>;

function authOf(values: Config): Auth {
  switch (values.authKind) {
    case "none":
      return { kind: "none" };
    case "basic":
      return { kind: "basic", user: values.username ?? "", password: values.password ?? "" };
    case "bearer":
      return { kind: "bearer", token: values.bearerToken ?? "" };
    case "header":
      return {
        kind: "header",
        headers: { [values.headerName ?? "X-Api-Key"]: values.headerValue ?? "" },
      };
    case "query":
      return { kind: "query", name: values.queryName ?? "api_key", value: values.queryValue ?? "" };
    case "oauth2":
      return {
        kind: "client_credentials",
        tokenUrl: values.tokenUrl,
        clientId: values.clientId ?? "",
        clientSecret: values.clientSecret ?? "",
        scope: values.scope,
        style: values.clientAuth ?? "basic",
        ...(values.audience && { extra: { audience: values.audience } }),
      };
    case "code":
      return signInAuth(values);
  }
}

const decodes = (path: string) => {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
};
const Path = z
  .string()
  .max(2000)
  .regex(/^\/(?!\/)[^\s?#{}\\]*$/, "A path starts with one slash and holds no query")
  .refine((path) => !/\/\/|\/\.{1,2}(\/|$)/.test(path), "A path holds no empty or dot segments")
  .refine(decodes, "A path must be percent-encoded well");
const reserved =
  /^(?:host|connection|content-length|transfer-encoding|te|upgrade|expect|cookie|authorization|proxy-.*|x-forwarded-.*|cf-.*)$/i;
const Asked = z.object({
  path: Path,
  query: z
    .record(
      z.string(),
      z.union([z.string(), z.number(), z.boolean(), z.array(z.string()).readonly()]),
    )
    .optional(),
  headers: z
    .record(
      z
        .string()
        .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/)
        .refine((name) => !reserved.test(name), "This header cannot be set"),
      z.string().max(2000),
    )
    .optional(),
});
const AskedWithBody = Asked.extend({
  /** Sent as JSON. */
  body: z.json().optional(),
});
const Answer = z.object({
  status: z.number().int(),
  contentType: z.string().optional(),
  etag: z.string().optional(),
  location: z.string().optional(),
  /** JSON as it is, text as a string, anything else as base64. */
  body: z.json().optional(),
  base64: z.string().optional(),
});

/** Each segment is a placeholder, since a path may name a patient and the template is logged. */
function template(path: string): { path: string; segments: Record<string, string> } {
  const segments: Record<string, string> = {};
  const named = path.split("/").map((segment, i) => {
    if (segment === "") return "";
    segments[`segment${i}`] = decodeURIComponent(segment);
    return `{segment${i}}`;
  });
  return { path: named.join("/"), segments };
}

type Params = z.output<typeof AskedWithBody>;

async function ask(api: Api, method: string, params: Params) {
  const { path, segments } = template(params.path);
  const call: Call = {
    path: segments,
    ...(params.query && { query: params.query }),
    headers: { accept: "application/json", ...params.headers },
    ...(params.body !== undefined && { json: params.body }),
  };
  return api.send(method, path, call);
}

async function answerOf(response: Response): Promise<z.input<typeof Answer>> {
  const { status, headers } = response;
  const type = headers.get("content-type") ?? undefined;
  const bytes = new Uint8Array(await response.arrayBuffer());
  const known = {
    status,
    contentType: type,
    etag: headers.get("etag") ?? undefined,
    location: headers.get("location") ?? undefined,
  };
  if (bytes.length === 0) return known;
  if (type && !/json|^text\/|xml|x-www-form-urlencoded/i.test(type))
    return { ...known, base64: uint8ArrayToBase64(bytes) };
  const written = new TextDecoder().decode(bytes);
  return {
    ...known,
    body: type && /json/i.test(type) ? z.json().parse(JSON.parse(written)) : written,
  };
}

const run = (method: string) => async (api: Api, params: Params) =>
  answerOf(await ask(api, method, params));

async function probe(api: Api, path: string, statuses: string): Promise<number> {
  const good = new Set(statuses.split(",").map(Number));
  const [route = "/", query = ""] = path.split("?");
  const names = [...new Set(new URLSearchParams(query).keys())];
  const { status, type } = await ask(api, "GET", {
    path: route,
    query: Object.fromEntries(names.map((name) => [name, new URLSearchParams(query).getAll(name)])),
  }).then(
    async (response) => {
      await response.body?.cancel();
      return { status: response.status, type: response.headers.get("content-type") ?? "" };
    },
    (error: unknown) => {
      if (!(error instanceof VendorFailure) || error.vendorStatus === undefined) throw error;
      if (!good.has(error.vendorStatus)) throw error;
      return { status: error.vendorStatus, type: "" };
    },
  );
  if (/text\/html|xhtml/i.test(type))
    throw new VendorFailure(
      "unexpected_reply",
      "A web page answered instead of an API: check the address, and whether a sign-in page is in the way",
      { vendorStatus: status },
    );
  if (!good.has(status))
    throw new VendorFailure("unexpected_reply", `${status} is not one of the good answers`, {
      vendorStatus: status,
    });
  return status;
}

const found = { status: 200, contentType: "application/json" };
const item = { id: "42", name: "Saline 0.9%", stock: 12 };

export const vendor = defineVendor({
  name: "REST API",
  category: "custom",
  description:
    "Any HTTPS API of your own: an in-house system, a regional service, a vendor not listed here.",
  website: "https://www.rfc-editor.org/rfc/rfc9110",
  documentation: "https://www.rfc-editor.org/rfc/rfc9110",
  keywords: ["rest", "http", "json", "custom", "generic", "webhook", "internal"],
  access: { kind: "self-serve" },
  environments: {
    sandbox: { hosts: ["*"], example: "https://sandbox.api.example.com/v1" },
    production: { hosts: ["*"], example: "https://api.example.com/v1" },
  },
  steps,
  auth: authOf,
  async test(api, { authKind, probePath, probeStatuses }) {
    const status = await probe(api, probePath, probeStatuses);
    return {
      account: new URL(api.baseUrl).host,
      checked: [
        `${probePath.split("?")[0]} answered ${status}`,
        authKind === "none" ? "no credentials are sent" : "credentials were not refused",
      ],
    };
  },
  operations: {
    get: operation({
      title: "Read (GET)",
      effect: "read",
      params: Asked,
      result: Answer,
      example: {
        params: { path: "/items/42", query: { fields: ["name", "stock"] } },
        wire: [{ request: "GET /items/42?fields=name&fields=stock", reply: item }],
        result: { ...found, body: item },
      },
      run: run("GET"),
    }),
    post: operation({
      title: "Create or act (POST)",
      effect: "write",
      params: AskedWithBody,
      result: Answer,
      example: {
        params: { path: "/items", body: { name: "Saline 0.9%", stock: 12 } },
        wire: [
          { request: "POST /items", status: 201, headers: { location: "/items/42" }, reply: item },
        ],
        result: { ...found, status: 201, location: "/items/42", body: item },
      },
      run: run("POST"),
    }),
    put: operation({
      title: "Replace (PUT)",
      effect: "write",
      idempotent: true,
      params: AskedWithBody,
      result: Answer,
      example: {
        params: { path: "/items/42", body: item, headers: { "If-Match": '"7"' } },
        wire: [{ request: "PUT /items/42", headers: { etag: '"8"' }, reply: item }],
        result: { ...found, etag: '"8"', body: item },
      },
      run: run("PUT"),
    }),
    patch: operation({
      title: "Change (PATCH)",
      effect: "write",
      params: AskedWithBody,
      result: Answer,
      example: {
        params: { path: "/items/42", body: { stock: 11 } },
        wire: [{ request: "PATCH /items/42", reply: { ...item, stock: 11 } }],
        result: { ...found, body: { ...item, stock: 11 } },
      },
      run: run("PATCH"),
    }),
    delete: operation({
      title: "Delete (DELETE)",
      effect: "write",
      idempotent: true,
      params: Asked,
      result: Answer,
      example: {
        params: { path: "/items/42" },
        wire: [{ request: "DELETE /items/42", status: 204, reply: "" }],
        result: { status: 204 },
      },
      run: run("DELETE"),
    }),
  },
  webhooks,
  links: [{ title: "Standard Webhooks", url: "https://www.standardwebhooks.com/" }],
});

import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "@hono/zod-openapi";

import { problems } from "../problem.ts";
import { Tried } from "./capabilities.ts";
import { docsPage, docsStyle } from "./docs.ts";
import type { AppEnv } from "./http.ts";

const ProblemDocument = z
  .object({
    type: z.url(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string(),
    code: z.enum(Object.keys(problems) as [string, ...string[]]),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    cause: z.string().optional(),
    retry_after: z.number().optional(),
    /** Of a capability: the integration that failed, and those that were tried before it. */
    integration_id: z.uuid().optional(),
    vendor_id: z.string().optional(),
    tried: z.array(Tried).optional(),
    request_id: z.string(),
    success: z.literal(false),
    error: z.string(),
  })
  .openapi("Problem");

/** Every failure of every route has the same form, so that it is written once. */
const failures = {
  "4XX": { description: "A problem document (RFC 9457)" },
  "5XX": { description: "A problem document (RFC 9457)" },
};

export type ApiDocument = ReturnType<OpenAPIHono<AppEnv>["getOpenAPI31Document"]>;

/** Serves the OpenAPI document of all routes mounted so far, and the page that people read. */
export function describeApi(app: OpenAPIHono<AppEnv>) {
  const registry = app.openAPIRegistry;
  registry.register("Problem", ProblemDocument);
  registry.registerComponent("securitySchemes", "key", {
    type: "http",
    scheme: "bearer",
    description: "An API key of the organization",
  });
  registry.registerComponent("securitySchemes", "session", {
    type: "apiKey",
    in: "cookie",
    name: "better-auth.session_token",
  });

  let made: ApiDocument | undefined;
  const documentOf = (publicUrl: string) => (made ??= describe(app, publicUrl));
  const cached = { "cache-control": "public, max-age=300" };
  app.get("/api/openapi.json", (c) => c.json(documentOf(c.env.settings.PUBLIC_URL), 200, cached));
  app.get("/api/docs/style.css", (c) =>
    c.body(docsStyle, 200, { "content-type": "text/css; charset=utf-8", ...cached }),
  );
  app.get("/api/docs", (c) => {
    c.header("cache-control", cached["cache-control"]);
    return c.html(docsPage(documentOf(c.env.settings.PUBLIC_URL)));
  });
}

function describe(app: OpenAPIHono<AppEnv>, publicUrl: string): ApiDocument {
  const content = {
    "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
  };
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "EHRConnect Integrations",
      version: "1.0.0",
      description:
        "Find, configure, test, switch on, call and watch the services that a healthcare organization uses.",
    },
    servers: [{ url: publicUrl }],
    security: [{ key: [] }, { session: [] }],
  });
  for (const item of Object.values(document.paths ?? {}))
    for (const operation of Object.values(item ?? {}) as unknown[]) {
      if (!(operation instanceof Object) || !("responses" in operation)) continue;
      const described = operation as { responses: Record<string, unknown> };
      for (const [status, response] of Object.entries(failures))
        described.responses[status] ??= { ...response, content };
    }
  return document;
}

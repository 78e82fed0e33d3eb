import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "@hono/zod-openapi";

import { problems } from "../problem.ts";
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

export function describeApi(app: OpenAPIHono<AppEnv>) {
  app.openAPIRegistry.register("Problem", ProblemDocument);
  app.openAPIRegistry.registerComponent("securitySchemes", "key", {
    type: "http",
    scheme: "bearer",
    description: "An API key of the organization",
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "session", {
    type: "apiKey",
    in: "cookie",
    name: "better-auth.session_token",
  });
  const content = {
    "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
  };

  let text: string | undefined;
  app.get("/api/openapi.json", (c) => {
    if (!text) {
      const document = app.getOpenAPI31Document({
        openapi: "3.1.0",
        info: {
          title: "EHRConnect Integrations",
          version: "1.0.0",
          description:
            "Find, configure, test, switch on, call and watch the services that a healthcare organization uses.",
        },
        servers: [{ url: c.env.settings.PUBLIC_URL }],
        security: [{ key: [] }, { session: [] }],
      });
      for (const item of Object.values(document.paths ?? {}))
        for (const operation of Object.values(item ?? {}) as unknown[]) {
          if (!(operation instanceof Object) || !("responses" in operation)) continue;
          const described = operation as { responses: Record<string, unknown> };
          for (const [status, response] of Object.entries(failures))
            described.responses[status] ??= { ...response, content };
        }
      text = JSON.stringify(document);
    }
    return c.body(text, 200, {
      "content-type": "application/json",
      "cache-control": "public, max-age=300",
    });
  });
}

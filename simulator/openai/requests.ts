import type { Context, Hono } from "hono";
import type * as z from "zod";

import type { idSequence } from "../define.ts";
import { refuse } from "./replies.ts";

export const models = [
  { id: "example-model", kind: "text" },
  { id: "old-model", kind: "text", shutdown_date: "2027-01-14" },
  { id: "example-embedding", kind: "embedding" },
  { id: "example-transcriber", kind: "audio" },
] as const;
export type ModelKind = (typeof models)[number]["kind"];

/** OpenAI's ways to say that a body is wrong. */
export function parse<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = (issue?.path ?? []).map((key) =>
    typeof key === "number" ? `[${key}]` : `.${String(key)}`,
  );
  const param = path.join("").replace(/^\./, "");
  if (issue?.code === "unrecognized_keys") {
    const name = [param, issue.keys[0]].filter(Boolean).join(".");
    return refuse(400, `Unknown parameter: '${name}'.`, { param: name, code: "unknown_parameter" });
  }
  if (issue?.code === "invalid_type" && issue.message.includes("received undefined"))
    return refuse(400, `Missing required parameter: '${param}'.`, {
      param,
      code: "missing_required_parameter",
    });
  return refuse(400, `Invalid value for '${param}': ${issue?.message ?? ""}`, {
    param,
    code: "invalid_value",
  });
}

export function model(id: string, kind: ModelKind) {
  const found = models.find((each) => each.id === id);
  if (!found)
    return refuse(404, `The model \`${id}\` does not exist or you do not have access to it.`, {
      code: "model_not_found",
    });
  if (found.kind !== kind)
    return refuse(400, `The model \`${id}\` cannot be used with this endpoint.`, {
      param: "model",
    });
  return found.id;
}

export async function readJson<T extends z.ZodType>(c: Context, schema: T): Promise<z.output<T>> {
  if (!c.req.header("content-type")?.startsWith("application/json"))
    return refuse(400, "Invalid Content-Type header: expected application/json");
  let body: unknown;
  try {
    body = JSON.parse(await c.req.text());
  } catch {
    return refuse(400, "We could not parse the JSON body of your request.");
  }
  return parse(schema, body);
}
/** What the parts of the API share. */
export type OpenAi = {
  app: Hono;
  ids: ReturnType<typeof idSequence>;
  model: typeof model;
  readJson: typeof readJson;
};

import type { Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import * as z from "zod";

import { idSequence, unixNow } from "../define.ts";
import type { FormTree } from "./form.ts";

export type StripeEnv = { Variables: { params: FormTree } };
export type StripeApp = Hono<StripeEnv>;
type C = Context<StripeEnv>;

type Failure = {
  type?: string;
  code?: string;
  param?: string;
  decline_code?: string;
  payment_intent?: unknown;
};
export const account = "acct_0000000000000000";

export type Resource = { id: string; object: string; created: number; [key: string]: unknown };

/** Stripe's error envelope. */
export function failureResponse(
  status: number,
  message: string,
  failure: Failure = {},
  headers = {},
) {
  const error = { type: "invalid_request_error", message, ...failure };
  return Response.json({ error }, { status, headers });
}
export function refuse(status: number, message: string, failure?: Failure): never {
  throw new HTTPException(status as 400, { res: failureResponse(status, message, failure) });
}

export const integer = z.string().transform((text, context) => {
  if (/^-?\d+$/.test(text)) return Number(text);
  context.addIssue({
    code: "custom",
    message: `Invalid integer: ${text}`,
    params: { code: "parameter_invalid_integer" },
  });
  return z.NEVER;
});
export const boolean = z.enum(["true", "false"]).transform((text) => text === "true");
const Metadata = z.record(z.string().max(40), z.string().max(500));
export const currency = z.string().transform((code, context) => {
  if (/^[a-z]{3}$/i.test(code)) return code.toLowerCase();
  context.addIssue({ code: "custom", message: `Invalid currency: ${code}` });
  return z.NEVER;
});
export const shared = { expand: z.array(z.string()).optional(), metadata: Metadata.optional() };

/** Stripe's three ways to say that parameters are wrong. */
export function parse<T extends z.ZodType>(schema: T, params: FormTree): z.output<T> {
  const parsed = schema.safeParse(params);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const [head, ...rest] = (issue?.path ?? []).map(String);
  const param = head === undefined ? "" : head + rest.map((segment) => `[${segment}]`).join("");
  if (issue?.code === "unrecognized_keys") {
    const name = param ? `${param}[${issue.keys[0]}]` : `${issue.keys[0]}`;
    return refuse(400, `Received unknown parameter: ${name}`, {
      code: "parameter_unknown",
      param: name,
    });
  }
  if (
    issue?.code === "invalid_type" &&
    issue.input === undefined &&
    !pathExists(params, issue.path)
  )
    return refuse(400, `Missing required param: ${param}.`, { code: "parameter_missing", param });
  const code = issue?.code === "custom" ? issue.params?.["code"] : undefined;
  return refuse(400, issue?.message ?? "Invalid request", {
    ...(code ? { code: `${code}` } : {}),
    param,
  });
}
function pathExists(params: unknown, path: readonly PropertyKey[]) {
  let at: unknown = params;
  for (const key of path) at = (at as Record<PropertyKey, unknown> | undefined)?.[key];
  return at !== undefined;
}

export function newLedger() {
  const ids = idSequence("stripe");
  const tables = new Map<string, Map<string, Resource>>();

  const table = (name: string) => {
    const found = tables.get(name) ?? new Map<string, Resource>();
    tables.set(name, found);
    return found;
  };
  function add(
    name: string,
    object: string,
    id: string,
    fields: Record<string, unknown>,
  ): Resource {
    const resource = { id, object, created: unixNow(), livemode: false, metadata: {}, ...fields };
    table(name).set(id, resource);
    return resource;
  }
  function find(name: string, object: string, id: string, param = "id"): Resource {
    const status = param === "id" ? 404 : 400;
    return (
      table(name).get(id) ??
      refuse(status, `No such ${object}: '${id}'`, {
        code: "resource_missing",
        param: param === "id" ? "intent" : param,
      })
    );
  }
  const expandable: Record<string, string> = {
    customer: "customers",
    latest_charge: "charges",
    payment_intent: "payment_intents",
    charge: "charges",
  };
  function reply(c: C, resource: Resource) {
    const wanted = c.get("params")["expand"];
    const expanded: Resource = { ...resource };
    for (const name of Array.isArray(wanted) ? wanted.map(String) : []) {
      const from = expandable[name];
      if (from === undefined || !(name in resource))
        refuse(400, `This property cannot be expanded (${name}).`);
      expanded[name] = table(from).get(String(resource[name])) ?? null;
    }
    return c.json(expanded);
  }

  const ListParams = {
    limit: integer.optional(),
    starting_after: z.string().optional(),
    ending_before: z.string().optional(),
    expand: z.array(z.string()).optional(),
  };
  /** Newest first, at most 100 a page. */
  function list(c: C, name: string, filters: readonly string[]) {
    const optional = Object.fromEntries(filters.map((filter) => [filter, z.string().optional()]));
    const params: Record<string, unknown> = parse(
      z.strictObject({ ...ListParams, ...optional }),
      c.get("params"),
    );
    const limit = (params["limit"] as number | undefined) ?? 10;
    if (limit < 1 || limit > 100)
      refuse(400, `Invalid integer: ${limit} must be between 1 and 100`, { param: "limit" });
    const all = [...table(name).values()]
      .toReversed()
      .filter((item) => filters.every((f) => params[f] === undefined || item[f] === params[f]));
    const position = (cursor: unknown, param: string) => {
      const index = all.findIndex(({ id }) => id === cursor);
      return index < 0
        ? refuse(400, `No such object: '${String(cursor)}'`, { code: "resource_missing", param })
        : index;
    };
    let rest = all;
    let more = (page: Resource[]) => rest.length > page.length;
    if (params["starting_after"] !== undefined)
      rest = all.slice(position(params["starting_after"], "starting_after") + 1);
    else if (params["ending_before"] !== undefined) {
      const end = position(params["ending_before"], "ending_before");
      rest = all.slice(Math.max(end - limit, 0), end);
      more = () => end > limit;
    }
    const data = rest.slice(0, limit);
    return c.json({ object: "list", url: c.req.path, has_more: more(data), data });
  }

  return {
    ids,
    table,
    add,
    find,
    reply,
    list,
    reset() {
      tables.clear();
      ids.reset();
    },
  };
}
export type Ledger = ReturnType<typeof newLedger>;

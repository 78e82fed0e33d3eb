import { type Hook, OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { routePath } from "hono/route";

import type { OrgDb } from "../db/org.ts";
import {
  type Issue,
  Problem,
  type ProblemCode,
  problems,
  VendorFailure,
  vendorCauses,
} from "../problem.ts";
import type { Env } from "./env.ts";

export type AppEnv = {
  Bindings: Env;
  Variables: { requestId: string; db: OrgDb };
};

/** A body that fails validation is only spoken about to a caller who may use the route. */
const refuseInvalid: Hook<unknown, AppEnv, string, unknown> = async (result, c) => {
  if (result.success) return;
  if (c.var.db) await c.var.db.authenticate();
  const errors = issuesOf(result.error, result.target);
  throw new Problem("invalid_request", errors[0] && `${errors[0].path}: ${errors[0].message}`, {
    errors,
  });
};

export const newApp = () => new OpenAPIHono<AppEnv>({ defaultHook: refuseInvalid });

export function issuesOf(error: z.ZodError, target = "json"): Issue[] {
  return error.issues.flatMap((issue) => {
    const keys = issue.code === "unrecognized_keys" ? issue.keys : [undefined];
    return keys.map((key) => ({
      path: [...issue.path, ...(key === undefined ? [] : [key])].join(".") || target,
      message: key === undefined ? issue.message : "There is no such field",
    }));
  });
}

/** Postgres's code of an error, however deep the driver and drizzle have wrapped it. */
function postgresError(
  error: unknown,
): { code: string; message: string; constraint?: string } | undefined {
  for (let e = error; e instanceof Error; e = e.cause)
    if (e.name === "NeonDbError") return e as Error & { code: string; constraint?: string };
  return undefined;
}

/**
 * What a schema lets pass and Postgres does not: a NUL or half a surrogate pair in a text, a number
 * too large, a year before the first or after 9999.
 */
const unstorable = /^22(?:001|003|007|008|009|021|P02|P05)$/;

/** What is unique, in words, by the constraint that says so. */
const takenBy: Readonly<Record<string, string>> = {
  integrations_org_vendor_environment:
    "This vendor has an integration in this environment already: change that one, or use the other environment",
};

function fromDatabase(error: unknown): Problem | undefined {
  const failure = postgresError(error);
  if (!failure) return undefined;
  switch (failure.code) {
    case "EH401":
      return new Problem("unauthenticated", failure.message);
    case "EH403":
      return new Problem("forbidden", failure.message);
    case "EH404":
      return new Problem("not_found");
    case "EH429":
      return new Problem("too_many_requests", failure.message);
    case "EH412":
      return new Problem("stale");
    case "23505":
      return new Problem("conflict", takenBy[failure.constraint ?? ""], { cause: error });
    default:
      if (unstorable.test(failure.code))
        return new Problem("invalid_request", "A value is out of range, or cannot be stored", {
          cause: error,
        });
      // Classes 08, 53 and 57P: the database is gone or going; 40: it gave up on a deadlock. The driver gives no code when it cannot connect.
      return !failure.code || /^(08|40|53|57P)/.test(failure.code)
        ? new Problem("unavailable", "The database does not answer", {
            cause: error,
            retryAfter: 5,
          })
        : undefined;
  }
}

export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof HTTPException && error.status < 500) {
    if (error.message.startsWith("Malformed JSON"))
      return new Problem("invalid_json", undefined, {
        errors: [{ path: "body", message: "Not valid JSON" }],
      });
    const code = (Object.keys(problems) as ProblemCode[]).find(
      (name) => problems[name].status === error.status,
    );
    return new Problem(code ?? "invalid_request");
  }
  return fromDatabase(error) ?? new Problem("internal", undefined, { cause: error });
}

export function renderProblem(c: Context<AppEnv>, problem: Problem): Response {
  const failure = problem instanceof VendorFailure ? problem : undefined;
  const { title, status } = failure ? vendorCauses[failure.failure] : problems[problem.code];
  const body = {
    type: `${c.env.settings?.PUBLIC_URL ?? ""}/problems/${failure?.failure ?? problem.code}/`,
    title,
    status,
    detail: problem.message,
    instance: c.req.path,
    code: problem.code,
    ...(problem.errors.length ? { errors: problem.errors } : {}),
    ...(failure
      ? {
          cause: failure.failure,
          vendor_status: failure.vendorStatus,
          vendor_code: failure.vendorCode,
        }
      : {}),
    ...(problem.retryAfter === undefined ? {} : { retry_after: problem.retryAfter }),
    ...problem.members,
    request_id: c.var.requestId,
    success: false,
    error: problem.message,
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...(problem.retryAfter === undefined ? {} : { "retry-after": String(problem.retryAfter) }),
      ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
    },
  });
}

export async function onError(error: Error, c: Context<AppEnv>): Promise<Response> {
  let problem = toProblem(error);
  // A client that is still sending would see a broken connection instead of the 413.
  if (problem.code === "too_large" && !c.req.raw.bodyUsed)
    await c.req.raw.body?.pipeTo(new WritableStream()).catch(() => undefined);
  // Malformed JSON is found before any statement has proved who asks.
  if (problem.code === "invalid_json" && c.var.db)
    problem = await c.var.db.authenticate().then(() => problem, toProblem);
  if (problem.code === "internal" || problem.code === "unavailable")
    console.error(
      JSON.stringify({
        level: "error",
        request_id: c.var.requestId,
        route: `${c.req.method} ${routePath(c)}`,
        code: problem.code,
        // Names and stack only: the message of an unknown error may quote a value.
        cause: describe(problem.cause),
      }),
    );
  return renderProblem(c, problem);
}

function describe(cause: unknown): unknown {
  if (!(cause instanceof Error)) return typeof cause;
  const inner = postgresError(cause);
  return {
    name: cause.name,
    ...(inner ? { postgres: inner.code, constraint: inner.constraint } : {}),
    at: cause.stack
      ?.split("\n")
      .filter((line) => line.includes(" at "))
      .slice(0, 8),
  };
}

export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  content: { "application/json": { schema } },
  description,
});

/** For a route's `request`: a JSON body that must be there. */
export const jsonBody = <T extends z.ZodType>(schema: T) => ({
  body: { content: { "application/json": { schema } }, required: true as const },
});

export const ById = z.object({ id: z.uuid() });

/** The answer of a route that lists; `page()` makes it. */
export const pageOf = <T extends z.ZodType>(row: T) =>
  z.object({
    success: z.literal(true),
    data: z.array(row),
    count: z.number().int(),
    next_cursor: z.string().nullable(),
  });

/** A page of rows of which one more than `limit` was asked for, to see whether there are more. */
export function page<T>(rows: readonly T[], limit: number, cursorOf: (last: T) => string) {
  const data = rows.slice(0, limit);
  const last = rows.length > limit ? data.at(-1) : undefined;
  return {
    success: true as const,
    data,
    count: data.length,
    next_cursor: last ? cursorOf(last) : null,
  };
}

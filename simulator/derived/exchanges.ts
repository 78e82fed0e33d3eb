import type * as z from "zod";

import { type Api, type Call, runOperation } from "../../handlers/api.ts";
import type { AnyVendor, EnvironmentName, Exchange } from "../../handlers/define.ts";
import type { FieldValues } from "../../handlers/fields.ts";
import { findPlace, locate } from "../../handlers/target.ts";
import { sample } from "./sample.ts";

export type Subject = {
  id: string;
  vendor: AnyVendor;
  values: FieldValues;
  environment: EnvironmentName;
  endpoint: string | undefined;
};
/** A request as the handler makes it, and what the vendor answers. */
export type Known = {
  method: string;
  url: URL;
  body: string;
  /** Where the call itself signs in, or the credentials are sent as they are. */
  authorization: string | null;
  exchange: Exchange;
};

export function replyOf({ status = 200, headers, reply }: Exchange): Response {
  const received = new Headers(headers);
  if (status === 204 || reply === undefined || reply === "")
    return new Response(null, { status, headers: received });
  const isText = typeof reply === "string";
  if (!received.has("content-type"))
    received.set("content-type", isText ? "text/plain" : "application/json");
  return new Response(isText ? reply : JSON.stringify(reply), { status, headers: received });
}

/** Runs the operations' examples against their own replies, to see what is asked in which words. */
export async function knownExchanges(subject: Subject): Promise<Known[]> {
  const known: Known[] = [];
  const { id, vendor, values, environment, endpoint } = subject;
  const token = { accessToken: "learning", headers: {} };
  for (const [operation, { example }] of Object.entries(vendor.operations)) {
    const replies = [...example.wire];
    await runOperation({
      vendorId: id,
      vendor,
      values,
      environment,
      endpoint,
      operation,
      params: example.params,
      tokens: { get: async () => token, drop: async () => undefined },
      sleep: async () => undefined,
      wire: async (request) => {
        const exchange = replies.shift();
        if (!exchange) throw new Error(`${id}.${operation} asks more than its example answers`);
        const body = await request.clone().text();
        const authorization = request.headers.get("authorization");
        known.push({
          method: request.method,
          url: new URL(request.url),
          body,
          authorization,
          exchange,
        });
        return replyOf(exchange);
      },
    }).catch(() => undefined); // Whether an example holds is for the contract tests to say.
  }
  return known;
}

/** An `Api` that answers each call with the least that its schema takes, and notes the exchange. */
export function samplingApi(subject: Subject, noted: Known[]): Api {
  const { vendor, values, environment, endpoint } = subject;
  const place = findPlace(vendor, environment, endpoint, values);
  function note(method: string, path: string, call: Call, reply: unknown) {
    const { url } = locate(place, path, call, values);
    const authorization = new Headers(call.headers).get("authorization");
    noted.push({
      authorization,
      method,
      url,
      body: "",
      exchange: { request: `${method} ${url.pathname}`, reply },
    });
  }
  const asking =
    (method: string) =>
    async <S extends z.ZodType>(path: string, schema: S, call: Call = {}): Promise<z.output<S>> => {
      const reply = sample(schema);
      note(method, path, call, reply);
      return schema.parse(reply);
    };
  return {
    baseUrl: place.baseUrl,
    get: asking("GET"),
    post: asking("POST"),
    put: asking("PUT"),
    patch: asking("PATCH"),
    delete: asking("DELETE"),
    next: asking("GET"),
    async send(method, path, call = {}) {
      note(method, path, call, {});
      return Response.json({});
    },
  };
}

const words = (text: string) => new Set(text.match(/\w+/g));
function likeness(a: string, b: string) {
  const [left, right] = [words(a), words(b)];
  const shared = [...left].filter((word) => right.has(word)).length;
  return shared / Math.max(left.size + right.size - shared, 1);
}

/** Literal segments must be equal; those that name a record may differ. */
function matchesPath(known: string, asked: string) {
  const [expected, given] = [known.split("/"), asked.split("/")];
  return (
    expected.length === given.length &&
    expected.every(
      (segment, i) => segment === given[i] || (/\d|%|.{16}/.test(segment) && given[i] !== ""),
    )
  );
}

/** The exchange that is most like the request: in path, then query, then body. */
export function findExchange(
  known: readonly Known[],
  method: string,
  url: URL,
  body: string,
): Known | undefined {
  const query = new Set([...url.searchParams].map((pair) => pair.join("=")));
  const score = (each: Known) =>
    (each.url.pathname === url.pathname ? 4 : 0) +
    likeness(
      [...each.url.searchParams].map((pair) => pair.join("=")).join(" "),
      [...query].join(" "),
    ) +
    2 * likeness(each.body, body);
  return known
    .filter(
      (each) =>
        each.method === method &&
        each.url.host === url.host &&
        matchesPath(each.url.pathname, url.pathname),
    )
    .toSorted((a, b) => score(b) - score(a))[0];
}

import * as z from "zod";

import { type VendorCause, VendorFailure } from "../problem.ts";
import type { Api, Call } from "./api.ts";
import type { ReadFailure } from "./failure.ts";
import { type Reading, Resource } from "./fhir-resources.ts";

/** How one vendor's FHIR R4 server differs from the standard. */
export type FhirServer<C> = {
  /** Between the base URL and the resource type: `/fhir/r4`. */
  prefix?: string;
  /** Added to every search, such as athenahealth's `ah-practice`. */
  always?: (values: C) => Readonly<Record<string, string>>;
  /** What `always` adds for the example values, as it stands in the examples' addresses: `&a=b`. */
  exampleQuery?: string;
  /** Search parameters of ours that a type lacks there: `{ Condition: ["clinical-status"] }`. */
  lacks?: Readonly<Record<string, readonly string[]>>;
  /** The server's own names of search parameters: `{ telecom: "phone" }`. */
  names?: Readonly<Record<string, string>>;
  /** `instant`: a limit needs a time, and a range its two ends as `ge` and `lt`. Days are then UTC. */
  days?: "date" | "instant";
};

export type Query = NonNullable<Call["query"]>;

/** The media type of every request and reply: a vendor's `headers` ask for it. */
export const fhirJson = "application/fhir+json";

/** A FHIR id; Epic's are longer than the 64 characters that the standard allows. */
export const FhirId = z.string().regex(/^[A-Za-z0-9._-]{1,256}$/, "This is not a FHIR id");
export const TypeName = z.string().regex(/^[A-Z][A-Za-z]{2,63}$/, "Use a FHIR resource type");

const Issue = z.looseObject({
  severity: z.string().optional(),
  code: z.string().optional(),
  diagnostics: z.string().optional(),
  details: z
    .looseObject({
      text: z.string().optional(),
      coding: z.array(z.looseObject({ code: z.string().optional() })).optional(),
    })
    .optional(),
});
type Issue = z.output<typeof Issue>;
const Outcome = z.looseObject({
  resourceType: z.literal("OperationOutcome"),
  issue: z.array(Issue),
});
const Bundle = z.looseObject({
  resourceType: z.literal("Bundle"),
  total: z.number().int().optional(),
  link: z.array(z.looseObject({ relation: z.string(), url: z.string() })).optional(),
  entry: z.array(z.looseObject({ resource: Resource.optional() })).optional(),
});

/** The server's own number before the standard's word: `4127`, not `processing`. */
const codesOf = ({ code, details }: Issue) =>
  [...(details?.coding ?? []).flatMap((coding) => coding.code ?? []), code].filter(
    (each) => each !== undefined,
  );

function outcomesIn(body: unknown): Issue[] {
  const outcome = Outcome.safeParse(body);
  if (outcome.success) return outcome.data.issue;
  const bundle = Bundle.safeParse(body);
  return (bundle.data?.entry ?? []).flatMap(
    ({ resource }) => Outcome.safeParse(resource).data?.issue ?? [],
  );
}

/** What the standard's own issue types mean: hl7.org/fhir/R4/valueset-issue-type.html. */
const standardCauses: Record<string, VendorCause> = {
  login: "credentials_rejected",
  unknown: "credentials_rejected",
  expired: "credentials_expired",
  forbidden: "forbidden",
  suppressed: "forbidden",
  "not-found": "not_found",
  deleted: "not_found",
  throttled: "rate_limited",
  transient: "vendor_unavailable",
  "lock-error": "vendor_unavailable",
  "no-store": "vendor_unavailable",
  timeout: "vendor_unavailable",
  incomplete: "vendor_unavailable",
};

/**
 * Reads OperationOutcome, also as an entry of a bundle that was answered with 200. `codes` are the
 * server's own, each with its cause and our sentence about it.
 */
export const fhirFailure =
  (codes: Readonly<Record<string, readonly [VendorCause, string?]>> = {}): ReadFailure =>
  ({ status, body }) => {
    const issues = outcomesIn(body);
    const grave = issues.filter(({ severity }) => severity === "fatal" || severity === "error");
    const succeeded = status >= 200 && status < 300;
    if (succeeded && grave.length === 0) return undefined;
    const said = (grave.length > 0 ? grave : issues).flatMap(codesOf);
    const code = said.find((each) => codes[each]) ?? said[0];
    if (code === undefined) return undefined;
    const [cause, message] = codes[code] ?? [];
    const standing = cause ?? (succeeded ? (standardCauses[code] ?? "invalid_request") : undefined);
    return { code, ...(standing && { cause: standing }), ...(message && { message }) };
  };

const base = <C>(api: Api, { prefix = "" }: FhirServer<C>) => api.baseUrl + prefix;

/** The link as seen from the base, so that a caller who sends it back cannot name another host. */
function cursorOf(link: string | undefined, root: string, type: string): string | undefined {
  if (link === undefined) return undefined;
  const url = URL.parse(link, `${root}/`);
  if (!url) throw new VendorFailure("unexpected_reply", "The next page has no readable address");
  if (url.href.startsWith(`${root}/`) || url.href.startsWith(`${root}?`))
    return url.href.slice(root.length);
  // A server behind a proxy may name its inner address: the page is still at ours.
  return (url.pathname.split("/").includes(type) ? `/${type}` : "") + url.search;
}

function pageUrl(cursor: string, root: string): string {
  const url = /^(?:\/(?!\/)|\?)/.test(cursor) ? URL.parse(root + cursor) : null;
  if (url?.href.startsWith(`${root}/`) || url?.href.startsWith(`${root}?`)) return url.href;
  throw new VendorFailure("invalid_request", "The cursor is not one that a search answered");
}

function parse<S extends z.ZodType>(schema: S, resource: unknown, type: string): z.output<S> {
  const parsed = schema.safeParse(resource);
  if (parsed.success) return parsed.data;
  throw new VendorFailure("unexpected_reply", `A ${type} of the reply was not understood`);
}

/** Whether a search of the type takes the parameter, by the standard's name. */
export const takes = <C>({ lacks }: FhirServer<C>, type: string, parameter: string) =>
  !lacks?.[type]?.includes(parameter);

const dayAfter = (day: string) => new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10);

/** The days `from` to `to`, both included, as hl7.org/fhir/R4/search.html#prefix says. */
export function between<C>({ days }: FhirServer<C>, from: unknown, to: unknown): string[] {
  const limits: [string, unknown][] =
    days === "instant"
      ? [
          ["ge", from && `${String(from)}T00:00:00.000Z`],
          ["lt", to && `${dayAfter(String(to))}T00:00:00.000Z`],
        ]
      : [
          ["ge", from],
          ["le", to],
        ];
  return limits.flatMap(([prefix, day]) => (day ? [prefix + String(day)] : []));
}

/** A query under the server's names, with what it always wants and, where it takes that, a page size. */
function spell<C>(server: FhirServer<C>, values: C, type: string, query: Query, limit: number) {
  const { names = {}, always } = server;
  const named = Object.entries(query).map(([name, value]) => [names[name] ?? name, value]);
  const count = takes(server, type, "_count") ? { _count: limit } : {};
  return { ...(Object.fromEntries(named) as Query), ...always?.(values), ...count };
}

/** As `spell`, for the addresses of examples. */
export function exampleSearch<C>(server: FhirServer<C>, type: string, query: Query, limit = 50) {
  const { prefix = "", names = {}, exampleQuery = "" } = server;
  const all = { ...query, ...(takes(server, type, "_count") && { _count: String(limit) }) };
  const pairs = Object.entries(all).flatMap(([name, value]) =>
    [value ?? []]
      .flat()
      .map((each) => `${names[name] ?? name}=${encodeURIComponent(String(each))}`),
  );
  return `GET ${prefix}/${type}?${pairs.join("&")}${exampleQuery}`;
}

/** Parts of every search operation. */
export const paging = {
  limit: z.number().int().min(1).max(100).default(50),
  cursor: z.string().max(4000).optional(),
  /** Adds each resource as the server sent it. */
  raw: z.boolean().default(false),
};
export type Paging = { limit: number; cursor?: string | undefined; raw: boolean };

export const paged = {
  total: z.number().int().optional(),
  /** Send it back as `cursor` for the next page; absent on the last. */
  next: z.string().optional(),
  /** What the server says about the answer, such as that parts of a chart are withheld. */
  warnings: z.array(z.object({ code: z.string(), text: z.string().optional() })).optional(),
};

/** One page of a search: the resources of the type that was asked for, read by `reading`. */
export async function search<C, S extends z.ZodType, R extends object>(
  api: Api,
  server: FhirServer<C>,
  values: C,
  { type, schema, read }: Reading<S, R>,
  query: Query,
  { limit, cursor, raw }: Paging,
) {
  const root = base(api, server);
  const bundle =
    cursor === undefined
      ? await api.get(`${server.prefix ?? ""}/{type}`, Bundle, {
          path: { type },
          query: spell(server, values, type, query, limit),
        })
      : await api.next(pageUrl(cursor, root), Bundle);
  const resources = (bundle.entry ?? []).flatMap(({ resource }) =>
    resource?.resourceType === type ? [resource] : [],
  );
  const warnings = outcomesIn(bundle).flatMap((issue) => {
    const [code] = codesOf(issue);
    return code ? [{ code, text: issue.details?.text ?? issue.diagnostics }] : [];
  });
  return {
    found: resources.map((resource) => ({
      ...read(parse(schema, resource, type)),
      ...(raw && { raw: resource }),
    })),
    page: {
      total: bundle.total,
      next: cursorOf(bundle.link?.find(({ relation }) => relation === "next")?.url, root, type),
      ...(warnings.length > 0 && { warnings }),
    },
  };
}

export async function readOne<C, S extends z.ZodType, R extends object>(
  api: Api,
  { prefix = "" }: FhirServer<C>,
  { type, schema, read: normalize }: Reading<S, R>,
  { id, raw }: { id: string; raw: boolean },
) {
  const resource = await api.get(`${prefix}/{type}/{id}`, Resource, { path: { type, id } });
  return { ...normalize(parse(schema, resource, type)), ...(raw && { raw: resource }) };
}

/** The resource as it is. */
export const readResource = <C>(
  api: Api,
  { prefix = "" }: FhirServer<C>,
  type: string,
  id: string,
) => api.get(`${prefix}/{type}/{id}`, Resource, { path: { type, id } });

/** Reads a resource of any type as it is. */
export const anything = (type: string): Reading<typeof Resource, { resource: Resource }> => ({
  type,
  schema: Resource,
  read: (resource) => ({ resource }),
});

export const versionOf = (response: Response) =>
  /^(?:W\/)?"(.*)"$/.exec(response.headers.get("etag") ?? "")?.[1];

/** Creates (`POST`), or replaces by its id (`PUT`). Servers answer with the resource, its address, or both. */
export async function writeResource<C>(
  api: Api,
  { prefix = "" }: FhirServer<C>,
  method: "POST" | "PUT",
  resource: Resource,
  ifMatch?: string,
) {
  const { resourceType: type, id = "" } = resource;
  const path = method === "PUT" ? `${prefix}/{type}/{id}` : `${prefix}/{type}`;
  const response = await api.send(method, path, {
    path: method === "PUT" ? { type, id } : { type },
    body: JSON.stringify(resource),
    headers: { "content-type": fhirJson, ...(ifMatch && { "if-match": `W/"${ifMatch}"` }) },
  });
  const written = Resource.safeParse(await response.json().catch(() => undefined)).data;
  const same = written?.resourceType === type ? written : undefined;
  const location = response.headers.get("location") ?? response.headers.get("content-location");
  const [, createdId, historyVersion] =
    new RegExp(`${type}/([^/?#]+)(?:/_history/([^/?#]+))?`).exec(location ?? "") ?? [];
  const found = same?.id ?? createdId ?? (method === "PUT" ? id : undefined);
  if (found === undefined)
    throw new VendorFailure("unexpected_reply", "The server did not say what it created", {
      mayHaveHappened: true,
    });
  return { id: found, version: versionOf(response) ?? historyVersion };
}

import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import type { Api } from "./api.ts";
import { operation } from "./define.ts";
import { parseRetryAfter } from "./failure.ts";
import {
  anything,
  exampleSearch,
  FhirId,
  type FhirServer,
  paged,
  paging,
  readResource,
  search,
  TypeName,
  versionOf,
  writeResource,
} from "./fhir.ts";

/** Operations on resources as they are, for what the normalized ones do not cover; and bulk export. */
const Json = z.record(z.string(), z.unknown());

export const resourceOperations = <C>(server: FhirServer<C> = {}) => ({
  readResource: operation({
    title: "Read any resource as it is",
    effect: "read",
    params: z.object({ type: TypeName, id: FhirId }),
    result: z.object({ resource: Json }),
    example: {
      params: { type: "Practitioner", id: "prc1" },
      wire: [
        {
          request: `GET ${server.prefix ?? ""}/Practitioner/prc1`,
          reply: { resourceType: "Practitioner", id: "prc1", active: true },
        },
      ],
      result: { resource: { resourceType: "Practitioner", id: "prc1", active: true } },
    },
    run: async (api, { type, id }) => ({ resource: await readResource(api, server, type, id) }),
  }),
  searchResources: operation({
    title: "Search any resources as they are",
    description:
      "With the server's own search parameters, as hl7.org/fhir/R4/search.html names them.",
    effect: "read",
    params: z.object({
      type: TypeName,
      query: z
        .record(
          z.string().regex(/^_?[A-Za-z][\w:.-]{0,80}$/, "This is not a search parameter"),
          z.union([z.string(), z.array(z.string())]),
        )
        .default({}),
      limit: paging.limit,
      cursor: paging.cursor,
    }),
    result: z.object({ resources: z.array(Json), ...paged }),
    example: {
      params: { type: "Practitioner", query: { family: "Nguyen" }, limit: 5 },
      wire: [
        {
          request: exampleSearch(server, "Practitioner", { family: "Nguyen" }, 5),
          reply: {
            resourceType: "Bundle",
            type: "searchset",
            entry: [{ resource: { resourceType: "Practitioner", id: "prc1" } }],
          },
        },
      ],
      result: { resources: [{ resourceType: "Practitioner", id: "prc1" }] },
    },
    async run(api, { type, query, limit, cursor }, values: C) {
      const plain = { limit, cursor, raw: false };
      const { found, page } = await search(api, server, values, anything(type), query, plain);
      return { resources: found.map(({ resource }) => resource), ...page };
    },
  }),
});

type Types = readonly [string, ...string[]];

/** Only the types that the vendor's CapabilityStatement lists. */
export const createOperations = <C>(server: FhirServer<C>, types: Types) => ({
  createResource: operation({
    title: "Create a resource",
    description: `Of these types, where the organization allows it: ${types.join(", ")}.`,
    effect: "write",
    params: z.object({ resource: z.looseObject({ resourceType: z.enum(types) }) }),
    result: z.object({ id: z.string(), version: z.string().optional() }),
    example: {
      params: { resource: { resourceType: types[0], status: "final" } },
      wire: [
        {
          request: `POST ${server.prefix ?? ""}/${types[0]}`,
          status: 201,
          headers: { location: `${types[0]}/new1` },
          reply: "",
        },
      ],
      result: { id: "new1" },
    },
    run: (api, { resource: { id: _ignored, ...resource } }) =>
      writeResource(api, server, "POST", resource),
  }),
});

const Version = z.string().regex(/^[\w.-]{1,64}$/);

/** `versioned`: the server takes a change only of the version that it names; `unversioned`: it knows no versions. */
export const updateOperations = <C>(
  server: FhirServer<C>,
  types: Types,
  concurrency: "versioned" | "free" | "unversioned" = "free",
) => {
  const hasVersions = concurrency !== "unversioned";
  const params = z.object({
    resource: z.looseObject({ resourceType: z.enum(types), id: FhirId }),
    ...(hasVersions && { version: concurrency === "versioned" ? Version : Version.optional() }),
  });
  return {
    updateResource: operation({
      title: "Replace a resource",
      description: `Of these types, where the organization allows it: ${types.join(", ")}. ${hasVersions ? "With `version` only if it has not changed since." : "The server keeps no versions: what others changed since it was read is lost."}`,
      effect: "write",
      // Sent twice, the second of two versioned updates is refused, whatever became of the first.
      idempotent: concurrency !== "versioned",
      // A version that guards nothing is refused.
      params: hasVersions ? params : params.strict(),
      result: z.object({ id: z.string(), version: z.string().optional() }),
      example: {
        params: {
          resource: { resourceType: types[0], id: "old1", status: "final" },
          ...(hasVersions && { version: "1" }),
        },
        wire: [
          {
            request: `PUT ${server.prefix ?? ""}/${types[0]}/old1`,
            ...(hasVersions && { headers: { etag: 'W/"2"' } }),
            reply: { resourceType: types[0], id: "old1", status: "final" },
          },
        ],
        result: { id: "old1", ...(hasVersions && { version: "2" }) },
      },
      run(api, given) {
        const { resource, version } = given as typeof given & { version?: string };
        return writeResource(api, server, "PUT", resource, version);
      },
    }),
  };
};

const Change = z.object({
  op: z.enum(["add", "remove", "replace", "test"]),
  path: z.string().regex(/^\/\S{0,200}$/, "Use a JSON pointer such as /status"),
  value: z.unknown().optional(),
});

/** JSON Patch (RFC 6902) of the version that the caller has read. */
export const patchOperations = <C>(server: FhirServer<C>, types: Types) => ({
  patchResource: operation({
    title: "Change parts of a resource",
    description: `Of these types, where the organization allows it: ${types.join(", ")}. Each has its own list of paths that may be changed, such as \`/status\`.`,
    effect: "write",
    params: z.object({
      type: z.enum(types),
      id: FhirId,
      version: Version,
      changes: z.array(Change).min(1).max(50),
    }),
    result: z.object({ id: z.string(), version: z.string().optional() }),
    example: {
      params: {
        type: types[0],
        id: "apt1",
        version: "1",
        changes: [{ op: "replace", path: "/status", value: "cancelled" }],
      },
      wire: [
        {
          request: `PATCH ${server.prefix ?? ""}/${types[0]}/apt1`,
          headers: { etag: 'W/"2"' },
          reply: "",
        },
      ],
      result: { id: "apt1", version: "2" },
    },
    async run(api, { type, id, version, changes }) {
      const response = await api.send("PATCH", `${server.prefix ?? ""}/{type}/{id}`, {
        path: { type, id },
        body: JSON.stringify(changes),
        headers: {
          "content-type": "application/json-patch+json",
          "if-match": `W/"${version}"`,
        },
      });
      return { id, version: versionOf(response) };
    },
  }),
});

const File = z.looseObject({ type: z.string(), url: z.string(), count: z.number().optional() });
const Manifest = z.looseObject({
  transactionTime: z.string().optional(),
  output: z.array(File),
  error: z.array(File).optional(),
});
const Listed = z.object({ type: z.string(), file: z.string(), count: z.number().optional() });

/** A job and its files are known by their address without the host, so that a caller cannot name another. */
function handleOf(api: Api, address: string): string {
  const url = URL.parse(address, `${api.baseUrl}/`);
  if (!url) throw new VendorFailure("unexpected_reply", "The export has no readable address");
  return url.origin === new URL(api.baseUrl).origin ? url.pathname + url.search : url.href;
}
/** An address on another host passes only if the vendor declares that host. */
function addressOf(api: Api, handle: string): string {
  const url = URL.parse(handle, api.baseUrl);
  if (!url) throw new VendorFailure("invalid_request", "This is not what the export answered");
  // Braces would be read as a template.
  return url.href.replaceAll("{", "%7B").replaceAll("}", "%7D");
}
const Handle = z.string().min(2).max(4000);

async function askExport(api: Api, job: string) {
  const response = await api.send("GET", addressOf(api, job), {
    headers: { accept: "application/json" },
  });
  if (response.status === 202)
    return {
      done: false,
      progress: response.headers.get("x-progress") ?? undefined,
      askAgainIn: parseRetryAfter(response.headers.get("retry-after"), Date.now()),
    };
  const manifest = Manifest.safeParse(await response.json().catch(() => undefined));
  if (!manifest.success)
    throw new VendorFailure("unexpected_reply", "The export's list was not understood");
  const listed = (files: readonly z.output<typeof File>[]) =>
    files.map(({ type, url, count }) => ({ type, file: handleOf(api, url), count }));
  const { output, error = [], transactionTime: asOf } = manifest.data;
  return { done: true, asOf, files: listed(output), errors: listed(error) };
}

const levels = {
  group: { path: "/Group/{group}/$export", example: "/Group/grp1/$export" },
  patient: { path: "/Patient/$export", example: "/Patient/$export" },
};

/** Bulk Data Access (hl7.org/fhir/uv/bulkdata): start, poll, fetch each file, cancel. */
export const exportOperations = <C>(server: FhirServer<C>, level: keyof typeof levels) => ({
  startExport: operation({
    title: "Start a bulk export",
    description: "Takes minutes to hours: ask `checkExport` for its files.",
    effect: "write",
    params: z.object({
      ...(level === "group" && { group: FhirId }),
      types: z.array(TypeName).min(1).max(60).optional(),
      since: z.iso.datetime({ offset: true }).optional(),
    }),
    result: z.object({ job: z.string() }),
    example: {
      params: { ...(level === "group" && { group: "grp1" }), types: ["Patient", "Condition"] },
      wire: [
        {
          request: `GET ${server.prefix ?? ""}${levels[level].example}?_type=Patient%2CCondition`,
          status: 202,
          headers: { "content-location": "/bulk/jobs/1" },
          reply: "",
        },
      ],
      result: { job: "/bulk/jobs/1" },
    },
    async run(api, params) {
      const { group, types, since } = params as typeof params & { group?: string };
      const response = await api.send("GET", `${server.prefix ?? ""}${levels[level].path}`, {
        path: group === undefined ? {} : { group },
        query: { _type: types?.join(","), _since: since },
        headers: { prefer: "respond-async" },
      });
      const address = response.headers.get("content-location");
      if (response.status !== 202 || address === null)
        throw new VendorFailure("unexpected_reply", "The server did not start an export", {
          mayHaveHappened: true,
        });
      return { job: handleOf(api, address) };
    },
  }),
  checkExport: operation({
    title: "Ask how a bulk export gets on",
    effect: "read",
    params: z.object({ job: Handle }),
    result: z.object({
      done: z.boolean(),
      progress: z.string().optional(),
      /** Seconds; asking sooner is refused by some servers. */
      askAgainIn: z.number().optional(),
      asOf: z.string().optional(),
      files: z.array(Listed).optional(),
      /** Files of OperationOutcome about what could not be exported. */
      errors: z.array(Listed).optional(),
    }),
    example: {
      params: { job: "/bulk/jobs/1" },
      wire: [
        {
          request: "GET /bulk/jobs/1",
          reply: {
            transactionTime: "2026-11-23T12:00:00Z",
            request: "Group/grp1/$export",
            requiresAccessToken: true,
            output: [{ type: "Patient", url: "/bulk/files/1", count: 7 }],
            error: [],
          },
        },
      ],
      result: {
        done: true,
        asOf: "2026-11-23T12:00:00Z",
        files: [{ type: "Patient", file: "/bulk/files/1", count: 7 }],
        errors: [],
      },
    },
    run: (api, { job }) => askExport(api, job),
  }),
  downloadExportFile: operation({
    title: "Download a file of a bulk export",
    description: "NDJSON, one resource a line, passed on as it comes.",
    effect: "read",
    streams: true,
    params: z.object({ file: Handle }),
    result: z.string(),
    example: {
      params: { file: "/bulk/files/1" },
      wire: [
        {
          request: "GET /bulk/files/1",
          headers: { "content-type": "application/fhir+ndjson" },
          reply: '{"resourceType":"Patient","id":"1"}\n',
        },
      ],
      result: '{"resourceType":"Patient","id":"1"}\n',
    },
    // Some servers answer with the signed address of a file store.
    run: (api, { file }) =>
      api.send("GET", addressOf(api, file), {
        headers: { accept: "application/fhir+ndjson" },
        redirectsAway: true,
      }),
  }),
  cancelExport: operation({
    title: "Cancel a bulk export, or delete its files",
    effect: "write",
    idempotent: true,
    params: z.object({ job: Handle }),
    result: z.object({ cancelled: z.literal(true) }),
    example: {
      params: { job: "/bulk/jobs/1" },
      wire: [
        { request: "GET /bulk/jobs/1", status: 202, headers: { "x-progress": "40%" }, reply: "" },
        { request: "DELETE /bulk/jobs/1", status: 202, reply: "" },
      ],
      result: { cancelled: true },
    },
    async run(api, { job }) {
      // Only an export answers this as one: else any record's address could be sent here to delete it.
      await askExport(api, job);
      await api.send("DELETE", addressOf(api, job));
      return { cancelled: true as const };
    },
  }),
});

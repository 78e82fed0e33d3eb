import { getStatus, globalSchema, OperationOutcomeError, validateResource } from "@medplum/core";
import {
  FhirRouter,
  type HttpMethod,
  makeSimpleRequest,
  MemoryRepository,
} from "@medplum/fhir-router";
import type { Binary, Bundle, BundleEntry, Resource } from "@medplum/fhirtypes";

import { indexDefinitions } from "./definitions.ts";
import { type BulkAddresses, newExports } from "./export.ts";
import { fhirReply, outcome } from "./outcome.ts";
import { records } from "./records.ts";

export type FhirOptions = {
  /** The code system of the vendor's own error numbers; without it, it says only what the standard has words for. */
  codes?: string;
  creatable: readonly string[];
  updatable: readonly string[];
  /** By JSON Patch, of the version that is named. */
  patchable?: readonly string[];
  readable: readonly string[];
  records?: (now: Date) => readonly Resource[];
  /** The vendor's rules of search, instead of Epic's. */
  rules?: (type: string, query: URLSearchParams) => Response | undefined;
  tooManyPatients?: { most: number; status: number };
  /** The parameter that names the next page, and what stands beside it. */
  page?: { name: string; beside?: string };
  /** The status of a change to a version that is not the current one; it must then be named. */
  conflict?: number;
  /** It keeps no versions: no ETag, and none can be named. */
  unversioned?: boolean;
  bulk?: BulkAddresses;
};
/** Whether the caller may `c`reate, `r`ead, `u`pdate or `s`earch a type. */
type May = (type: string, letter: "c" | "r" | "u" | "s") => boolean;

/** Types of which a search must name a patient, or `_id`. */
const ofPatient = new Set([
  "AllergyIntolerance",
  "Appointment",
  "Condition",
  "DocumentReference",
  "Encounter",
  "MedicationRequest",
  "Observation",
]);
const pageSize = 100;
const epicBulk: BulkAddresses = {
  job: (id) => `BulkRequest/${id}`,
  file: (id, type) => `BulkRequest/${id}/${type}`,
};

/** Medplum's router over a repository in memory, with Epic's manners around it. */
export function newFhirServer(options: FhirOptions, newId: () => string) {
  const { page = { name: "sessionID" }, tooManyPatients = { most: 100, status: 400 } } = options;
  const say = (
    status: number,
    severity: "fatal" | "error" | "warning",
    code:
      | "required"
      | "not-found"
      | "too-costly"
      | "not-supported"
      | "security"
      | "structure"
      | "expired"
      | "conflict"
      | "forbidden",
    text: string,
    number?: string,
    headers?: Record<string, string>,
  ) =>
    fhirReply(
      outcome(options.codes ?? "", {
        severity,
        code,
        text,
        ...(number && options.codes ? { number } : {}),
      }),
      status,
      headers,
    );

  const router = new FhirRouter();
  let repository: Promise<MemoryRepository> | undefined;
  let sessions = new Map<string, { search: string; offset: number }>();

  async function load() {
    indexDefinitions();
    const fresh = new MemoryRepository();
    for (const resource of (options.records ?? records)(new Date()))
      await fresh.createResource(resource, { assignedId: true });
    return fresh;
  }
  const stored = () => (repository ??= load());
  async function ask(method: HttpMethod, url: string, body?: unknown, headers = {}) {
    const [result, resource] = await router.handleRequest(
      { ...makeSimpleRequest(method, url, body), headers },
      await stored(),
    );
    return { status: getStatus(result), resource, result };
  }

  const exports = newExports({
    newId,
    addresses: options.bulk ?? epicBulk,
    resources: async (type) => {
      const { resource } = await ask("GET", `${type}?_count=1000`);
      return ((resource as Bundle).entry ?? []).flatMap((entry) => entry.resource ?? []);
    },
  });

  const isSearchable = (type: string, name: string) => {
    const [code = ""] = name.split(/[:.]/, 1);
    return (
      ["_id", "_lastUpdated"].includes(code) ||
      globalSchema.types[type]?.searchParams?.[code] !== undefined
    );
  };

  function epicRules(type: string, query: URLSearchParams): Response | undefined {
    const named = [...query.keys()].flatMap((name) =>
      isSearchable(type, name) ? (name.split(/[:.]/, 1)[0] ?? "") : [],
    );
    if (type === "Patient" && named.length === 0)
      return say(400, "fatal", "required", "A Patient search needs at least one criterion", "4110");
    if (ofPatient.has(type) && !named.some((name) => ["_id", "patient", "subject"].includes(name)))
      return say(
        400,
        "fatal",
        "required",
        `A ${type} search needs patient, subject or _id`,
        "4111",
      );
    return undefined;
  }

  async function search(base: string, type: string, query: URLSearchParams): Promise<Response> {
    await stored();
    const session = query.get(page.name);
    const resumed = session === null ? undefined : sessions.get(session);
    if (session !== null && !resumed)
      return say(400, "fatal", "expired", "The search session has expired", "4113");
    const wanted = new URLSearchParams(resumed?.search ?? query);
    const count = Math.min(Number(wanted.get("_count") ?? pageSize), 1000);
    const offset = resumed?.offset ?? 0;
    if (!Number.isInteger(count) || count < 1)
      return say(400, "fatal", "structure", "_count is not a positive whole number", "4115");
    const criteria = new URLSearchParams();
    const ignored: string[] = [];
    for (const [name, value] of wanted) {
      if (["_count", "_format", "_pretty"].includes(name)) continue;
      if (name === "_sort" || isSearchable(type, name)) criteria.append(name, value);
      else ignored.push(name);
    }
    const refusedByRule = (options.rules ?? epicRules)(type, wanted);
    if (refusedByRule) return refusedByRule;

    criteria.set("_count", String(count));
    criteria.set("_offset", String(offset));
    const { status, resource, result } = await ask("GET", `${type}?${criteria}`);
    if (status !== 200 || resource?.resourceType !== "Bundle") return fhirReply(result, status);
    const total = resource.total ?? 0;
    const { most, status: tooMany } = tooManyPatients;
    if (type === "Patient" && total > most)
      return say(
        tooMany,
        "fatal",
        "too-costly",
        `The search matches more than ${most} patients`,
        "4127",
      );

    const entry: BundleEntry[] = (resource.entry ?? []).map((each) => ({
      fullUrl: `${base}/${type}/${each.resource?.id}`,
      ...(each.resource ? { resource: absolute(each.resource, base) } : {}),
      search: { mode: "match" },
    }));
    const notes = [
      ...ignored.map(
        (name) =>
          ({
            severity: "warning",
            code: "not-supported",
            number: "4100",
            text: `Unknown parameter ${name} was ignored`,
          }) as const,
      ),
      ...(total === 0
        ? [
            {
              severity: "warning",
              code: "not-found",
              number: "4101",
              text: "Resource request returns no results.",
            } as const,
          ]
        : []),
    ];
    if (notes.length && options.codes)
      entry.push({ resource: outcome(options.codes, ...notes), search: { mode: "outcome" } });
    const link = [{ relation: "self" as const, url: `${base}/${type}?${wanted}` }];
    if (offset + count < total) {
      const id = newId();
      sessions.set(id, { search: String(wanted), offset: offset + count });
      return fhirReply({
        resourceType: "Bundle",
        type: "searchset",
        total,
        link: [
          ...link,
          { relation: "next", url: `${base}/${type}?${page.name}=${id}${page.beside ?? ""}` },
        ],
        entry,
      });
    }
    return fhirReply({ resourceType: "Bundle", type: "searchset", total, link, entry });
  }

  /** Epic's attachments are absolute. */
  function absolute(resource: Resource, base: string): Resource {
    if (resource.resourceType !== "DocumentReference") return resource;
    const content = resource.content.map(({ attachment, ...rest }) => ({
      ...rest,
      attachment: {
        ...attachment,
        ...(attachment.url?.startsWith("Binary/") ? { url: `${base}/${attachment.url}` } : {}),
      },
    }));
    return { ...resource, content };
  }

  const etagOf = ({ meta }: Resource): Record<string, string> =>
    options.unversioned ? {} : { etag: `W/"${meta?.versionId}"` };

  async function read(base: string, type: string, id: string, asJson = true): Promise<Response> {
    const { status, resource } = await ask("GET", `${type}/${id}`);
    if (status !== 200 || !resource)
      return say(
        404,
        "fatal",
        "not-found",
        "The read resource request contained an invalid resource ID.",
        "4102",
      );
    if (type !== "Binary" || asJson)
      return fhirReply(absolute(resource, base), 200, etagOf(resource));
    const { contentType, data } = resource as Binary;
    return new Response(Buffer.from(data ?? "", "base64"), {
      headers: { "content-type": contentType },
    });
  }

  /** The resource that was sent, or why it is none. */
  async function readBody(type: string, text: string): Promise<Resource | Response> {
    let body: Resource;
    try {
      body = JSON.parse(text) as Resource;
    } catch {
      return say(400, "fatal", "structure", "The content is not JSON", "59105");
    }
    try {
      if (body.resourceType !== type) throw new TypeError(`resourceType is not ${type}`);
      validateResource(body);
    } catch (error) {
      const why =
        error instanceof OperationOutcomeError ? error.outcome.issue[0]?.details?.text : undefined;
      return say(400, "fatal", "structure", why ?? `The content is not a ${type}`, "59102");
    }
    const about = (body as { subject?: { reference?: string } }).subject?.reference;
    if (about?.startsWith("Patient/") && (await ask("GET", about)).status !== 200)
      return say(400, "fatal", "not-found", "The subject is not a patient here", "59144");
    return body;
  }

  async function create(base: string, type: string, text: string): Promise<Response> {
    if (!options.creatable.includes(type))
      return say(405, "fatal", "not-supported", `${type} cannot be created here`);
    await stored();
    const body = await readBody(type, text);
    if (body instanceof Response) return body;
    const { status, resource, result } = await ask("POST", type, body);
    if (status !== 201 || !resource) return fhirReply(result, status);
    return new Response(null, {
      status: 201,
      headers: { location: `${base}/${type}/${resource.id}` },
    });
  }

  async function update(type: string, id: string, request: Request): Promise<Response> {
    if (!options.updatable.includes(type))
      return say(405, "fatal", "not-supported", `${type} cannot be updated here`);
    if ((await ask("GET", `${type}/${id}`)).status !== 200)
      return say(404, "fatal", "not-found", "There is no such resource", "4102");
    const body = await readBody(type, await request.text());
    if (body instanceof Response) return body;
    if (body.id !== id)
      return say(400, "fatal", "structure", "The id is not that of the address", "59102");
    return change("PUT", type, id, body, request.headers.get("if-match"));
  }

  async function patch(type: string, id: string, request: Request): Promise<Response> {
    if (!options.patchable?.includes(type))
      return say(405, "fatal", "not-supported", `${type} cannot be patched here`);
    if (!request.headers.get("content-type")?.startsWith("application/json-patch+json"))
      return say(415, "fatal", "not-supported", "Send application/json-patch+json");
    const changes: unknown = await request.json().catch(() => undefined);
    if (!Array.isArray(changes))
      return say(400, "fatal", "structure", "The content is not a JSON patch");
    return change("PATCH", type, id, changes, request.headers.get("if-match"));
  }

  async function change(
    method: "PUT" | "PATCH",
    type: string,
    id: string,
    body: unknown,
    match: string | null,
  ): Promise<Response> {
    const before = await ask("GET", `${type}/${id}`);
    if (before.status !== 200)
      return say(404, "fatal", "not-found", "There is no such resource", "4102");
    if (options.unversioned && match !== null)
      return say(412, "fatal", "conflict", "There are no versions here");
    if (options.conflict !== undefined) {
      if (match === null) return say(412, "fatal", "conflict", "The version is not named");
      if (match !== `W/"${before.resource?.meta?.versionId}"`)
        return say(options.conflict, "fatal", "conflict", "The version is out of date");
    }
    const headers = match === null ? {} : { "if-match": match };
    const { status, resource, result } = await ask(method, `${type}/${id}`, body, headers);
    if (status !== 200 || !resource) return fhirReply(result, status);
    return fhirReply(resource, 200, etagOf(resource));
  }

  /** `path` is what follows the base: `Patient/123`. */
  async function handle(request: Request, base: string, path: string, may: May): Promise<Response> {
    const { method } = request;
    const query = new URL(request.url).searchParams;
    const [type = "", id, ...rest] = path.split("/");
    const refused = () =>
      say(403, "fatal", "forbidden", "Client not authorized for this resource", "4118", {
        "www-authenticate": 'Bearer error="insufficient_scope"',
      });
    // The vendor would send XML, which this simulator does not write.
    const accept = request.headers.get("accept") ?? "*/*";
    if (
      type !== "Binary" &&
      !accept.includes("json") &&
      query.get("_format")?.includes("json") !== true
    )
      return new Response("Ask for application/fhir+json", { status: 406 });

    if (type === "BulkRequest" && !options.bulk)
      return exports.handle(request, base, [id, ...rest].join("/"));
    if (!options.readable.includes(type))
      return say(404, "fatal", "not-supported", `There is no resource type ${type}`);
    if (method === "GET" && id !== undefined && rest[0] === "$export" && type === "Group") {
      const group = await read(base, "Group", id);
      if (!group.ok) return group;
      if (!may("Group", "r")) return refused();
      const types = options.readable.filter(
        (each) => may(each, "r") && !["Binary", "Slot", "Schedule"].includes(each),
      );
      return exports.start(request, base, types);
    }
    if (method === "GET" && id === undefined)
      return may(type, "s") ? search(base, type, query) : refused();
    if (method === "POST" && id === "_search" && rest.length === 0)
      // From February 2026 the query of a _search counts for nothing.
      return may(type, "s")
        ? search(base, type, new URLSearchParams(await request.text()))
        : refused();
    if (method === "GET" && id !== undefined && rest.length === 0)
      return may(type, "r") ? read(base, type, id, accept.includes("fhir+json")) : refused();
    if (method === "POST" && id === undefined)
      return may(type, "c") ? create(base, type, await request.text()) : refused();
    if (method === "PUT" && id !== undefined && rest.length === 0)
      return may(type, "u") ? update(type, id, request) : refused();
    if (method === "PATCH" && id !== undefined && rest.length === 0)
      return may(type, "u") ? patch(type, id, request) : refused();
    return say(405, "fatal", "not-supported", `${method} is not supported here`);
  }

  return {
    handle,
    say,
    exports,
    async versionOf(type: string, id: string) {
      return (await ask("GET", `${type}/${id}`)).resource?.meta?.versionId;
    },
    /** The id of a job that is under way. */
    startExport: (types: readonly string[]) => exports.begin("", types),
    reset() {
      repository = undefined;
      sessions = new Map();
      exports.reset();
    },
  };
}

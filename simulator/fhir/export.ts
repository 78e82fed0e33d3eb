import type { Resource } from "@medplum/fhirtypes";

import { unixNow } from "../define.ts";

type Job = {
  url: string;
  startedAt: string;
  files: Map<string, readonly Resource[]>;
  polls: number;
};

/** What follows the base in the address of a job, and in that of one of its files. */
export type BulkAddresses = {
  job: (id: string) => string;
  file: (id: string, type: string) => string;
};

/** Bulk Data Access 2.0: kicked off with 202, polled at Content-Location, fetched as NDJSON. */
export function newExports(from: {
  newId: () => string;
  resources: (type: string) => Promise<readonly Resource[]>;
  addresses: BulkAddresses;
}) {
  const jobs = new Map<string, Job>();

  async function begin(url: string, types: readonly string[]) {
    const files = new Map<string, readonly Resource[]>();
    for (const type of types) {
      const found = await from.resources(type);
      if (found.length) files.set(type, found);
    }
    const id = from.newId();
    const startedAt = new Date(unixNow() * 1000).toISOString();
    jobs.set(id, { url, startedAt, files, polls: 0 });
    return id;
  }

  async function start(request: Request, base: string, readable: readonly string[]) {
    const asynchronous = request.headers.get("prefer")?.includes("respond-async");
    if (!asynchronous) return new Response("Prefer: respond-async is required", { status: 400 });
    const { searchParams } = new URL(request.url);
    const wanted = searchParams.get("_type")?.split(",") ?? readable;
    const refused = wanted.find((type) => !readable.includes(type));
    if (refused !== undefined)
      return new Response(`${refused} cannot be exported`, { status: 400 });
    const id = await begin(request.url, wanted);
    return new Response(null, {
      status: 202,
      headers: { "content-location": `${base}/${from.addresses.job(id)}` },
    });
  }

  /** `<job>` is its status, `<job>/<type>` a file. */
  async function handle(request: Request, base: string, path: string) {
    const [id = "", type] = path.split("/");
    const job = jobs.get(id);
    if (!job) return new Response(null, { status: 404 });
    if (type !== undefined) {
      const lines = job.files.get(type)?.map((resource) => `${JSON.stringify(resource)}\n`);
      if (!lines) return new Response(null, { status: 404 });
      return new Response(lines.join(""), {
        headers: { "content-type": "application/fhir+ndjson" },
      });
    }
    if (request.method === "DELETE") {
      jobs.delete(id);
      return new Response(null, { status: 202 });
    }
    job.polls += 1;
    if (job.polls === 1)
      return new Response(null, {
        status: 202,
        headers: { "retry-after": "1", "x-progress": "Searching for patients" },
      });
    return Response.json({
      transactionTime: job.startedAt,
      request: job.url,
      requiresAccessToken: "true",
      output: [...job.files].map(([each, resources]) => ({
        type: each,
        url: `${base}/${from.addresses.file(id, each)}`,
        count: resources.length,
      })),
      error: [],
    });
  }

  /** A job for the same address has not been done yet. */
  const isRunning = (url: string) =>
    [...jobs.values()].some((job) => job.url === url && job.polls < 2);

  return { begin, start, handle, isRunning, reset: () => jobs.clear() };
}

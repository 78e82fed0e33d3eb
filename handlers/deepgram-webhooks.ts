import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import type { Api } from "./api.ts";
import type { WebhookEvent } from "./define.ts";
import { type Incoming, jsonOf } from "./signature.ts";

const Project = z.object({ project_id: z.string().optional(), name: z.string().optional() });
export const Projects = z.object({
  projects: z
    .array(Project)
    .default([])
    .transform((projects) =>
      projects.flatMap(({ project_id, name }) => (project_id ? [{ project_id, name }] : [])),
    ),
});

const RequestReply = z.object({
  request: z
    .object({
      request_id: z.string().optional(),
      created: z.string().optional(),
      path: z.string().optional(),
      code: z.number().nullish(),
    })
    .optional(),
});

const Callback = z.union([
  z.object({
    metadata: z.object({ request_id: z.string().min(1), created: z.string().optional() }),
    results: z.object({}),
  }),
  z.object({ request_id: z.string().min(1) }),
]);
export function readEvents(incoming: Incoming): WebhookEvent[] {
  const { success, data: callback } = Callback.safeParse(jsonOf(incoming));
  if (!success) return [{ type: "other" }];
  if (!("metadata" in callback)) return [{ id: callback.request_id, type: "transcription.failed" }];
  const { request_id: id, created: occurredAt } = callback.metadata;
  return [{ id, type: "transcription.completed", occurredAt }];
}

const requestPath = "/v1/projects/{project}/requests/{id}";

/** Looks through the projects of the key, which is usually one. */
export async function findRequest(api: Api, id: string) {
  const { projects } = await api.get("/v1/projects", Projects);
  for (const { project_id: project } of projects) {
    const found = await api
      .get(requestPath, RequestReply, { path: { project, id } })
      .catch((error: unknown) => {
        const unknown = ["not_found", "invalid_request"];
        if (error instanceof VendorFailure && unknown.includes(error.failure)) return undefined;
        throw error;
      });
    if (found?.request) return found.request;
  }
  return undefined;
}

/** Deepgram's log of requests may be behind its callbacks; this long, nobody is called a liar. */
const logDelayMs = 15 * 60_000;

/** That the request was made and ended so. The text itself cannot be read back: Deepgram keeps none. */
export async function confirmCallback(api: Api, { type }: WebhookEvent, incoming: Incoming) {
  const { success, data } = Callback.safeParse(jsonOf(incoming));
  if (!success) return false;
  const { request_id: id, created = "" } =
    "metadata" in data ? data.metadata : { request_id: data.request_id };
  const found = await findRequest(api, id);
  if (found)
    return (
      found.request_id === id && (type === "transcription.failed" || (found.code ?? 200) < 400)
    );
  if (Math.abs(Date.now() - Date.parse(created)) < logDelayMs)
    throw new VendorFailure("not_found", "Deepgram does not list this request yet");
  return false;
}

import { type ClientResponse, hc } from "hono/client";

import type { ActivityType } from "../../../db/activity.ts";
import type { App } from "../../../functions/app.ts";
import type { FieldValue } from "../../../handlers/fields.ts";
import { type Issue, type ProblemCode, type VendorCause, vendorCauses } from "../../../problem.ts";

/** Any failed call: a problem document, or `offline` and `timed_out` where no answer came. */
export class ApiProblem extends Error {
  override name = "ApiProblem";
  readonly code: ProblemCode | "offline" | "timed_out";
  readonly status: number;
  readonly errors: readonly Issue[];
  readonly vendorCause: VendorCause | undefined;

  constructor(
    code: ApiProblem["code"],
    message: string,
    more: { status?: number; errors?: readonly Issue[]; vendorCause?: VendorCause } = {},
  ) {
    super(message);
    this.code = code;
    this.status = more.status ?? 0;
    this.errors = more.errors ?? [];
    this.vendorCause = more.vendorCause;
  }
}

const readLimitMs = 20_000;
/** A write may test the vendor, which may take 15 s a call and several calls. */
const writeLimitMs = 60_000;
const retryDelaysMs = [250, 1000];
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** `fetch` with a time limit, which covers JSON to its end; a GET is repeated when the network fails. */
export async function patientFetch(
  input: RequestInfo | URL,
  init: RequestInit = {},
): Promise<Response> {
  const reads = (init.method ?? "GET") === "GET";
  for (let attempt = 0; ; attempt++) {
    const limit = new AbortController();
    const { signal } = limit;
    const timer = setTimeout(() => limit.abort(), reads ? readLimitMs : writeLimitMs);
    try {
      const response = await fetch(input, { ...init, credentials: "same-origin", signal });
      if (!/json/.test(response.headers.get("content-type") ?? "")) clearTimeout(timer);
      return response;
    } catch {
      clearTimeout(timer);
      if (signal.aborted)
        throw new ApiProblem("timed_out", "The server took too long to answer. Try again.");
      const delay = reads ? retryDelaysMs[attempt] : undefined;
      if (delay === undefined)
        throw new ApiProblem(
          "offline",
          "The server could not be reached. Check your network and try again.",
        );
      await pause(delay);
    }
  }
}

export function signInAddress(): string {
  return `/sign-in/?next=${encodeURIComponent(location.pathname + location.search + location.hash)}`;
}

type ProblemDocument = {
  code?: ProblemCode;
  title?: string;
  detail?: string;
  error?: string;
  errors?: Issue[];
  cause?: VendorCause;
};

async function toProblem(response: Response): Promise<ApiProblem> {
  const body = (await response.json().catch(() => ({}))) as ProblemDocument;
  const text = body.detail ?? body.error ?? body.title ?? `The server answered ${response.status}.`;
  const code = body.code ?? (response.status >= 500 ? "internal" : "invalid_request");
  return new ApiProblem(code, text, {
    status: response.status,
    errors: body.errors ?? [],
    ...(body.cause ? { vendorCause: body.cause } : {}),
  });
}

/** Throws an `ApiProblem` unless the call succeeded; signed out, asks to sign in and come back. */
async function fetchApi(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const response = await patientFetch(input, init);
  if (response.status === 401) {
    location.assign(signInAddress());
    return new Promise(() => {});
  }
  if (!response.ok) throw await toProblem(response);
  return response;
}

export const client = hc<App>("/", { fetch: fetchApi }).api;
const routes = client.integrations;

export async function answer<T>(pending: Promise<ClientResponse<T>>): Promise<T> {
  return (await (await pending).json()) as T;
}

type Row<R extends (...args: never[]) => Promise<unknown>> =
  Awaited<ReturnType<R>> extends ClientResponse<infer T, number, string>
    ? T extends { data: infer D }
      ? D
      : never
    : never;

export type Integration = Row<typeof routes.$get>[number];
/** An integration as answered by what also tests it. */
export type Tested = Row<(typeof routes)[":id"]["toggle"]["$post"]>;
export type HealthStatus = Integration["health_status"];
export type EnvironmentName = Integration["environment"];
export type UsageMapping = Integration["usage_mappings"][number];
export type Activity = Row<typeof client.activity.$get>[number];
export type TestResult = {
  success: boolean;
  message: string;
  data: Row<typeof routes.test.$post>;
};

export type Draft = {
  vendor_id: string;
  environment: EnvironmentName;
  api_endpoint: string;
  credentials: Record<string, FieldValue>;
};

export const causeOf = (cause: string | null): VendorCause | undefined =>
  cause !== null && Object.hasOwn(vendorCauses, cause) ? (cause as VendorCause) : undefined;

/** All of the org's, however many pages that takes. */
export async function listIntegrations(): Promise<Integration[]> {
  const rows: Integration[] = [];
  let cursor: string | null = null;
  do {
    const query: { limit: string; cursor?: string } = {
      limit: "200",
      ...(cursor ? { cursor } : {}),
    };
    const page = await answer(routes.$get({ query }));
    rows.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor);
  return rows;
}

/** With its ETag, for a change that must not overwrite somebody else's. */
export async function getIntegration(id: string) {
  const response = await routes[":id"].$get({ param: { id } });
  return { data: (await response.json()).data, etag: response.headers.get("etag") };
}

export const addIntegration = (draft: Draft) =>
  answer(routes.$post({ json: { ...draft, enabled: false, usage_mappings: [] } }));

export type Changes = Partial<
  Pick<Draft, "api_endpoint" | "credentials"> & { enabled: boolean; usage_mappings: UsageMapping[] }
>;

export const changeIntegration = (id: string, changes: Changes, etag: string | null) =>
  answer(
    routes[":id"].$put({
      param: { id },
      json: changes,
      header: etag ? { "if-match": etag } : {},
    }),
  );

export const removeIntegration = (id: string) => answer(routes[":id"].$delete({ param: { id } }));

/** Where the browser goes to sign in at the vendor. */
export const startSignIn = (id: string) =>
  answer(routes[":id"].oauth.start.$post({ param: { id }, json: {} }));

export const disconnect = (id: string) =>
  answer(routes[":id"].oauth.disconnect.$post({ param: { id } }));

export const toggleIntegration = (id: string, enabled: boolean) =>
  answer(routes[":id"].toggle.$post({ param: { id }, json: { enabled } }));

export const testIntegration = (id: string): Promise<TestResult> =>
  answer(routes[":id"].test.$post({ param: { id } }));

/** With an integration named, its stored secrets stand in for the masks in the draft. */
export const testDraft = (draft: Draft, integrationId?: string): Promise<TestResult> =>
  answer(
    routes.test.$post({
      json: { ...draft, ...(integrationId ? { integration_id: integrationId } : {}) },
    }),
  );

/** Made-up values that the simulated vendor accepts; undefined where there is no simulator. */
export async function demoCredentials(
  vendorId: string,
): Promise<Record<string, FieldValue> | undefined> {
  // Production is always https, and would answer 404.
  if (location.protocol === "https:") return undefined;
  const place = routes.vendors[":vendor_id"]["demo-credentials"];
  try {
    return (await answer(place.$get({ param: { vendor_id: vendorId } }))).data;
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404) return undefined;
    throw error;
  }
}

/** Development only. */
export const testWebhook = (id: string) =>
  answer(routes[":id"]["webhook-test"].$post({ param: { id }, json: {} }));

export const checkAll = () => answer(routes.health.check.$post({ json: {} }));

/**
 * An operation's result; of one that streams, the text or, of other content, its type and size.
 * `heard` is given what has come of a text so far.
 */
export async function execute(
  id: string,
  operation: string,
  params: Record<string, unknown>,
  idempotencyKey: string,
  heard: (text: string) => void,
): Promise<unknown> {
  const response = await routes[":id"].execute.$post({
    param: { id },
    json: { operation, params },
    header: { "idempotency-key": idempotencyKey },
  });
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("application/json")) {
    const answered = await response.json();
    if (answered instanceof Object && "data" in answered) return answered.data.result;
  }
  if (type.startsWith("text/") && response.body) return listen(response.body, heard);
  return { content_type: type, size_bytes: (await response.blob()).size };
}

async function listen(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  heard: (text: string) => void,
) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text;
      heard((text += value));
    }
  } catch {
    throw new ApiProblem("offline", "The answer broke off before its end.");
  }
}

export const activityTypes = {
  created: "Created",
  updated: "Changed",
  deleted: "Deleted",
  enabled: "Switched on",
  disabled: "Switched off",
  tested: "Tested",
  executed: "Operation run",
  webhook_received: "Webhook received",
  webhook_rejected: "Webhook rejected",
  health_changed: "Status changed",
  destination_created: "Destination added",
  destination_updated: "Destination changed",
  destination_deleted: "Destination deleted",
  destination_disabled: "Destination disabled",
  destination_tested: "Destination tested",
  secret_rotated: "Secret rotated",
  breaker_opened: "Deliveries held back",
  breaker_closed: "Deliveries go out again",
  delivery_dead: "Delivery given up",
  events_replayed: "Events sent again",
  payload_opened: "Payload opened",
  retention_changed: "Retention changed",
  subject_erased: "Person erased",
  connect_started: "Connecting",
  connected: "Connected",
  connect_failed: "Not connected",
  disconnected: "Disconnected",
  refresh_failed: "Token not renewed",
  refresh_interrupted: "Token renewal cut off",
  reconnect_needed: "Must be connected again",
  grant_expiring: "Consent runs out",
  exported: "Exported",
  imported: "Imported",
  key_created: "API key created",
  key_revoked: "API key revoked",
  signing_key_created: "Signing key created",
  signing_key_retired: "Signing key retired",
  member_invited: "Member invited",
  invitation_cancelled: "Invitation withdrawn",
  member_joined: "Member joined",
  member_role_changed: "Role changed",
  member_removed: "Member removed",
  member_left: "Member left",
  organization_updated: "Organization changed",
  password_reset_created: "Password reset begun",
  sso_added: "Single sign-on added",
  sso_verified: "Sign-in domain verified",
  sso_removed: "Single sign-on removed",
} as const satisfies Record<ActivityType, string>;

export type ActivityFilter = {
  activity_type?: keyof typeof activityTypes;
  status?: "success" | "failure";
  integration_id?: string;
};

export const listActivity = (filter: ActivityFilter, limit: number, cursor?: string) =>
  answer(
    client.activity.$get({
      query: { ...filter, limit: String(limit), ...(cursor ? { cursor } : {}) },
    }),
  );

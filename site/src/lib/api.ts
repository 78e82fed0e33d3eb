import type { FieldValue } from "../../../handlers/fields.ts";
import type { Issue, ProblemCode, VendorCause } from "../../../problem.ts";

export type HealthStatus = "active" | "inactive" | "error" | "testing";
export type EnvironmentName = "sandbox" | "production";
export type UsageMapping = { id: string; workflow: string; enabled: boolean };

export type Integration = {
  id: string;
  org_id: string;
  vendor_id: string;
  enabled: boolean;
  environment: EnvironmentName;
  api_endpoint: string | null;
  /** Secrets read back masked: `••••1234`. */
  credentials: Record<string, FieldValue>;
  usage_mappings: UsageMapping[];
  health_status: HealthStatus;
  last_tested_at: string | null;
  last_error: string | null;
  last_cause: VendorCause | null;
  last_latency_ms: number | null;
  account: string | null;
  created_at: string;
  updated_at: string;
  created_by: string | null;
  updated_by: string | null;
  webhook_url: string | null;
};

export type TestResult = {
  success: boolean;
  message: string;
  data: {
    latency_ms: number | null;
    account: string | null;
    checked: string[];
    cause: VendorCause | null;
  };
};

/** An integration as answered by what also tests it. */
export type Tested = Integration & {
  test?: TestResult["data"] & { success: boolean; message: string };
};

export type Activity = {
  id: string;
  integration_id: string | null;
  vendor_id: string | null;
  activity_type: string;
  status: string;
  details: Record<string, unknown>;
  error_message: string | null;
  created_at: string;
  created_by: string | null;
  actor: string;
  request_id: string | null;
};

export type Draft = {
  vendor_id: string;
  environment: EnvironmentName;
  api_endpoint: string;
  credentials: Record<string, FieldValue>;
};

type Envelope<T> = {
  success: boolean;
  data: T;
  message?: string;
  count?: number;
  next_cursor?: string | null;
};

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

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const retryDelaysMs = [250, 1000];

type Options = {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  timeoutMs?: number;
};

/** `fetch` with a time limit; a GET is repeated when the network fails. */
export async function patientFetch(url: string, options: Options = {}): Promise<Response> {
  const { method = "GET", body, signal, timeoutMs = 20_000 } = options;
  for (let attempt = 0; ; attempt++) {
    const limit = AbortSignal.timeout(timeoutMs);
    try {
      return await fetch(url, {
        method,
        credentials: "same-origin",
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        headers: {
          accept: "application/json",
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...options.headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      if (limit.aborted)
        throw new ApiProblem("timed_out", "The server took too long to answer. Try again.");
      const delay = method === "GET" ? retryDelaysMs[attempt] : undefined;
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
  return new ApiProblem(
    body.code ?? (response.status >= 500 ? "internal" : "invalid_request"),
    text,
    {
      status: response.status,
      errors: body.errors ?? [],
      ...(body.cause ? { vendorCause: body.cause } : {}),
    },
  );
}

type Answer<T> = Envelope<T> & { etag: string | null };

async function request(path: string, options: Options): Promise<Response> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options.query ?? {}))
    if (value !== undefined && value !== "") query.set(name, String(value));
  const response = await patientFetch(`/api${path}${query.size ? `?${query}` : ""}`, options);
  if (response.status === 401) {
    location.assign(signInAddress());
    return new Promise(() => {});
  }
  if (!response.ok) throw await toProblem(response);
  return response;
}

async function call<T>(path: string, options: Options = {}): Promise<Answer<T>> {
  const response = await request(path, options);
  const envelope: Envelope<T> = await response.json();
  return { ...envelope, etag: response.headers.get("etag") };
}

/** Vendors may take 15 s a call and a test makes several. */
const vendorTimeoutMs = 60_000;

const id = encodeURIComponent;

/** All of the org's, however many pages that takes. */
export async function listIntegrations(): Promise<Integration[]> {
  const rows: Integration[] = [];
  let cursor: string | undefined;
  do {
    const page = await call<Integration[]>("/integrations", { query: { limit: 200, cursor } });
    rows.push(...page.data);
    cursor = page.next_cursor ?? undefined;
  } while (cursor);
  return rows;
}

export const getIntegration = (integrationId: string) =>
  call<Integration>(`/integrations/${id(integrationId)}`);

export const addIntegration = (draft: Draft) =>
  call<Integration>("/integrations", {
    method: "POST",
    body: { ...draft, enabled: false, usage_mappings: [] },
  });

export type Changes = Partial<
  Pick<Draft, "api_endpoint" | "credentials"> & { enabled: boolean; usage_mappings: UsageMapping[] }
>;

export const changeIntegration = (integrationId: string, changes: Changes, etag: string | null) =>
  call<Tested>(`/integrations/${id(integrationId)}`, {
    method: "PUT",
    body: changes,
    headers: etag ? { "if-match": etag } : {},
    timeoutMs: vendorTimeoutMs,
  });

export const removeIntegration = (integrationId: string) =>
  call<unknown>(`/integrations/${id(integrationId)}`, {
    method: "DELETE",
    timeoutMs: vendorTimeoutMs,
  });

export const toggleIntegration = (integrationId: string, enabled: boolean) =>
  call<Tested>(`/integrations/${id(integrationId)}/toggle`, {
    method: "POST",
    body: { enabled },
    timeoutMs: vendorTimeoutMs,
  });

async function test(path: string, body: unknown): Promise<TestResult> {
  const { success, message, data } = await call<TestResult["data"]>(path, {
    method: "POST",
    body,
    timeoutMs: vendorTimeoutMs,
  });
  return { success, message: message ?? "", data };
}

export const testIntegration = (integrationId: string) =>
  test(`/integrations/${id(integrationId)}/test`, {});

/** With an integration named, its stored secrets stand in for the masks in the draft. */
export const testDraft = (draft: Draft, integrationId?: string) =>
  test("/integrations/test", {
    ...draft,
    ...(integrationId ? { integration_id: integrationId } : {}),
  });

export const checkAll = () =>
  call<Integration[]>("/integrations/health/check", {
    method: "POST",
    body: {},
    timeoutMs: vendorTimeoutMs,
  });

/** An operation's result; of one that streams, the text or, of other content, its type and size. */
export async function execute(
  integrationId: string,
  operation: string,
  params: unknown,
  idempotencyKey: string,
): Promise<unknown> {
  const response = await request(`/integrations/${id(integrationId)}/execute`, {
    method: "POST",
    body: { operation, params },
    headers: { "idempotency-key": idempotencyKey },
    timeoutMs: vendorTimeoutMs,
  });
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("application/json"))
    return ((await response.json()) as Envelope<{ result: unknown }>).data.result;
  if (type.startsWith("text/")) return response.text();
  return { content_type: type, size_bytes: (await response.blob()).size };
}

export type ActivityFilter = {
  activity_type?: string;
  status?: string;
  integration_id?: string;
  cursor?: string;
  limit?: number;
};

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
  exported: "Exported",
  imported: "Imported",
} as const;

export const listActivity = (filter: ActivityFilter, signal?: AbortSignal) =>
  call<Activity[]>("/activity", { query: filter, ...(signal ? { signal } : {}) });

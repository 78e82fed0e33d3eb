import * as z from "zod";

import { Problem, type VendorCause, VendorFailure } from "../problem.ts";
import { type Authorized, authorizer } from "./authorize.ts";
import type { AnyVendor, EnvironmentName } from "./define.ts";
import { failureOf, failureThrown } from "./failure.ts";
import type { FieldValue } from "./fields.ts";
import { type AuthorizationCode, memoryTokens, type Token, type Tokens } from "./oauth.ts";
import {
  defaultTimeoutMs,
  guardedFetch,
  guardUrl,
  isJson,
  type Limits,
  type Resolve,
  type Wire,
} from "./outbound.ts";
import { signAws } from "./sigv4.ts";
import { findPlace, locate, type Place } from "./target.ts";

/** One way in which requests prove who they are. */
export type SingleAuth =
  | { kind: "none" }
  | { kind: "basic"; user: string; password: string }
  | { kind: "bearer"; token: string }
  | { kind: "header"; headers: Readonly<Record<string, string>> }
  | { kind: "query"; name: string; value: string }
  | {
      kind: "client_credentials";
      /**
       * A URL, or a path such as `/oauth/token` on the host of the environment. Without it, it is
       * discovered from the FHIR base (SMART App Launch §well-known).
       */
      tokenUrl?: string | undefined;
      clientId: string;
      clientSecret: string;
      scope?: string | undefined;
      /** How the client authenticates: RFC 6749 §2.3.1 Basic, form body, or a JSON body. */
      style: "basic" | "body" | "json";
      extra?: Readonly<Record<string, string>>;
    }
  | {
      /** SMART Backend Services / RFC 7523. Without `tokenUrl` it is discovered from the FHIR base. */
      kind: "private_key_jwt";
      tokenUrl?: string | undefined;
      clientId: string;
      /** PKCS#8 PEM or JWK JSON. */
      privateKey: string;
      keyId?: string | undefined;
      algorithm: "RS384" | "ES384";
      /** A key that we hold for the org, by its kid: it signs instead of `privateKey`, by its own algorithm. */
      heldKey?: string | undefined;
      /** Where the vendor takes no other. */
      onlyAlgorithm?: "RS384" | "ES384" | undefined;
      scope: string;
    }
  | {
      /**
       * RFC 6749 §4.1 with PKCE. The grant itself is stored with the integration, not in its fields.
       * Without addresses they are discovered from the FHIR base (SMART App Launch, standalone).
       */
      kind: "authorization_code";
      authorizeUrl?: string | undefined;
      tokenUrl?: string | undefined;
      revokeUrl?: string | undefined;
      issuer?: string | undefined;
      /** The server names itself in each answer (RFC 9207), so that one without `iss` is refused. */
      issRequired?: boolean | undefined;
      clientId: string;
      clientSecret?: string | undefined;
      style: "basic" | "body" | "none" | "private_key_jwt";
      /** Signs the client's statements of the style `private_key_jwt`. */
      signing?: {
        privateKey: string;
        keyId?: string | undefined;
        algorithm: "RS384" | "ES384";
        /** As `heldKey` above: the caller puts the key in its place. */
        heldKey?: string | undefined;
        onlyAlgorithm?: "RS384" | "ES384" | undefined;
      };
      scopes: readonly string[];
      /** RFC 6749 says a space; Slack uses a comma. */
      scopeSeparator?: "," | " ";
      pkce: boolean;
      extra?: Readonly<Record<string, string>>;
      /** What is posted to `revokeUrl` where that is not as RFC 7009 says. */
      revocation?: (token: Token) => {
        headers?: Readonly<Record<string, string>>;
        form: Readonly<Record<string, string>>;
      };
    }
  | { kind: "signed_jwt"; token: (nowSeconds: number) => Promise<string> }
  | {
      /** A login call that answers with headers for the next calls and how long they hold. */
      kind: "session";
      login: (api: Api) => Promise<{ headers: Record<string, string>; expiresInSeconds: number }>;
    }
  | {
      kind: "aws_sigv4";
      accessKeyId: string;
      secretAccessKey: string;
      sessionToken?: string | undefined;
      region: string;
      service: string;
    }
  /** The operations write the credentials into the body of each request. */
  | { kind: "in_body" };

/** How requests prove who they are; made from the credentials by the vendor's `auth`. */
export type Auth =
  | SingleAuth
  /** Each of the vendor's APIs wants its own: a call names one of these by `as`, else it is the first. */
  | { kind: "by_call"; ways: Readonly<Record<string, SingleAuth>> };

export type Call = {
  /** Fills `{name}` in the path, percent-encoded; the template alone is ever logged. */
  path?: Readonly<Record<string, string>>;
  query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  headers?: Readonly<Record<string, string>>;
  json?: unknown;
  /** Undefined values are left out; an array repeats its name. */
  form?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  /** A body as it is, with its own content type in `headers`. */
  body?: string | Uint8Array<ArrayBuffer> | FormData;
  /** Milliseconds; 15 000 unless the vendor is known to take longer over this. */
  timeoutMs?: number;
  /** Of the reply; 10 MB unless given. */
  maxBytes?: number;
  /** A redirect may lead to any public host, where no credential and no other header of ours goes. */
  redirectsAway?: boolean;
  /** Which of the ways of an auth `by_call`; the first one unless given. */
  as?: string;
};

/** A signing key that we hold for an org: see functions/signing-keys.ts. */
export type HeldKey = { privateKey: string; keyId: string; algorithm: "RS384" | "ES384" };

/**
 * A vendor, bound to one integration. Paths are templates: `{accountSid}` is taken from `call.path`,
 * else from the integration's fields, and `{+rest}` keeps its slashes. An absolute `https://` URL must
 * be on the integration's own host or one that the vendor declares.
 * Every method throws `VendorFailure`. A reply that does not match its schema is `unexpected_reply`.
 */
export type Api = {
  /** The integration's base URL, its fields filled in and without a slash at the end. */
  readonly baseUrl: string;
  get<S extends z.ZodType>(path: string, reply: S, call?: Call): Promise<z.output<S>>;
  post<S extends z.ZodType>(path: string, reply: S, call?: Call): Promise<z.output<S>>;
  put<S extends z.ZodType>(path: string, reply: S, call?: Call): Promise<z.output<S>>;
  patch<S extends z.ZodType>(path: string, reply: S, call?: Call): Promise<z.output<S>>;
  delete<S extends z.ZodType>(path: string, reply: S, call?: Call): Promise<z.output<S>>;
  /** A page that a reply points to: absolute or relative to the base, on a host the vendor declares. */
  next<S extends z.ZodType>(url: string, reply: S, call?: Call): Promise<z.output<S>>;
  /** The whole exchange, for headers, other content types and byte streams; still fails like the others. */
  send(method: string, path: string, call?: Call): Promise<Response>;
};

/** What is logged of each attempt: never a URL, a body or a credential. */
export type LogEntry = {
  vendor: string;
  operation?: string;
  method: string;
  /** The path's template. */
  route: string;
  host: string;
  status: number | undefined;
  ms: number;
  attempt: number;
  outcome: "ok" | VendorCause;
};

export type ConnectOptions = {
  vendorId: string;
  vendor: AnyVendor;
  values: Readonly<Record<string, FieldValue | undefined>>;
  environment: EnvironmentName;
  /** The tenant's `api_endpoint`. */
  endpoint?: string | null | undefined;
  wire?: Wire | undefined;
  /** Asked where the tenant may name any public host. */
  resolve?: Resolve | undefined;
  /** The tokens of this integration alone. */
  tokens?: Tokens | undefined;
  /** Fetches an access token for the stored grant of an `authorization_code` vendor. */
  grant?: ((auth: AuthorizationCode) => Promise<Token>) | undefined;
  /** Asked only when a token is fetched. Throws `VendorFailure` where the org has no such key in use. */
  heldKey?: ((kid: string) => Promise<HeldKey>) | undefined;
  now?: (() => number) | undefined;
  random?: (() => number) | undefined;
  sleep?: ((ms: number) => Promise<void>) | undefined;
  traceparent?: string | undefined;
  /** Ends calls early. A write of `runOperation` is finished all the same, unless it streams. */
  signal?: AbortSignal | undefined;
  log?: ((entry: LogEntry) => void) | undefined;
  /** Told how the stream of a streaming operation ended; see `Limits`. */
  ended?: Limits["ended"];
  timeoutMs?: number | undefined;
};

const budgetMs = 20_000;
const maxAttempts = 3;
const firstBackoffMs = 250;

/** What an operation adds to the options of its calls. */
type Manner = {
  auth?: SingleAuth;
  operation?: string;
  safe?: boolean;
  repeatable?: boolean;
  streaming?: boolean;
  idempotency?: { header: string; key: string };
};

type Reply = { response: Response; text: string | undefined; json: unknown };

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** The error that `Headers` throws quotes the value, so it must go no further. */
function setHeaders(
  headers: Headers,
  entries: Readonly<Record<string, string>>,
  cause: VendorCause,
) {
  try {
    for (const [name, value] of Object.entries(entries)) headers.set(name, value);
  } catch {
    throw new VendorFailure(cause, "A header would hold characters that cannot be sent");
  }
}

function encodeBody({ json, form, body }: Call): {
  type?: string;
  body?: NonNullable<Call["body"]>;
} {
  if (json !== undefined) return { type: "application/json", body: JSON.stringify(json) };
  if (form === undefined) return body === undefined ? {} : { body };
  const pairs = Object.entries(form).flatMap(([name, value]) =>
    (value === undefined ? [] : [value]).flat().map((each) => [name, String(each)]),
  );
  return { type: "application/x-www-form-urlencoded", body: new URLSearchParams(pairs).toString() };
}

/** The path of a mismatch as far as the schema names it: a record's own keys may be anything. */
function mismatchPath(schema: z.ZodType, path: readonly PropertyKey[]) {
  const names: string[] = [];
  let node: unknown = schema;
  for (const key of path) {
    while (node instanceof z.ZodOptional || node instanceof z.ZodNullable) node = node.unwrap();
    if (node instanceof z.ZodArray && typeof key === "number") node = node.element;
    else if (node instanceof z.ZodObject && key in node.shape) node = node.shape[String(key)];
    else break;
    names.push(String(key));
  }
  return names.join(".");
}

function open(options: ConnectOptions, manner: Manner) {
  const { vendorId, vendor, values, environment, traceparent, signal, log } = options;
  const {
    wire = (request: Request) => fetch(request),
    now = Date.now,
    random = Math.random,
  } = options;
  const { sleep = wait, tokens = memoryTokens(now) } = options;
  const declared = manner.auth ?? vendor.auth(values);
  let wrote = false;
  let answered = false;
  let writes = 0;
  let foundPlace: Place | undefined;
  const place = () => (foundPlace ??= findPlace(vendor, environment, options.endpoint, values));

  function newSignIn(as: string | undefined) {
    const ways = declared.kind === "by_call" ? declared.ways : { "": declared };
    const [name = "", auth] =
      Object.entries(ways).find(([each]) => as === undefined || each === as) ?? [];
    if (!auth) throw new Error(`${vendorId} has no way to sign in as "${as}"`);
    const identity = () => {
      const { baseUrl } = place();
      const held = Object.entries(values).toSorted();
      return [vendorId, environment, baseUrl, held, ...(name ? [name] : [])];
    };
    const { authorize, drop } = authorizer({
      auth,
      identity,
      baseUrl: () => place().baseUrl,
      tokens,
      now,
      // Others wait for the same token: who leaves does not take it along.
      outlet: {
        wire,
        now,
        resolve: options.resolve,
        timeoutMs: options.timeoutMs,
        failure: vendor.failure,
      },
      anonymous: () =>
        open({ ...options, signal: undefined }, { auth: { kind: "none" }, safe: true }).api,
      grant: options.grant,
      heldKey: options.heldKey,
    });
    return { auth, authorize, drop };
  }
  const signIns = new Map<string | undefined, ReturnType<typeof newSignIn>>();
  function signInFor({ as }: Call) {
    const signIn = signIns.get(as) ?? newSignIn(as);
    signIns.set(as, signIn);
    return signIn;
  }

  async function inspect(response: Response, safe: boolean, typed: boolean): Promise<Reply> {
    const { status, headers, ok } = response;
    const json = isJson(headers);
    if (ok && !json && !typed) return { response, text: undefined, json: undefined };
    const text = await response.text().catch((error: unknown) => {
      if (ok) throw error;
      return "";
    });
    const odd = (message: string) =>
      new VendorFailure("unexpected_reply", message, {
        vendorStatus: status,
        mayHaveHappened: !safe,
      });
    let body: unknown;
    let readable = true;
    try {
      if (text !== "") body = JSON.parse(text);
    } catch {
      readable = false;
    }
    const nowMs = now();
    const reply = { status, headers, body: readable ? body : text };
    const failure = failureOf(reply, { read: vendor.failure, safe, nowMs });
    if (failure) throw failure;
    if (!readable || (text !== "" && !json && headers.has("content-type")))
      throw odd("The vendor's reply was not the JSON that was asked for");
    return { response, text, json: body };
  }

  async function attempt(
    request: { method: string; url: URL; call: Call; typed: boolean; idempotencyKey?: string },
    limits: { safe: boolean; timeoutMs: number },
    authorized: Authorized,
  ): Promise<Reply> {
    const { method, call, typed, idempotencyKey } = request;
    const url = new URL(request.url);
    const { type, body } = encodeBody(call);
    let headers = new Headers(typed ? { accept: "application/json" } : {});
    if (type) headers.set("content-type", type);
    setHeaders(headers, vendor.headers?.(values) ?? {}, "credentials_rejected");
    setHeaders(headers, call.headers ?? {}, "invalid_request");
    setHeaders(headers, authorized.headers, "credentials_rejected");
    if (traceparent && /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(traceparent))
      headers.set("traceparent", traceparent);
    if (manner.idempotency && idempotencyKey)
      setHeaders(headers, { [manner.idempotency.header]: idempotencyKey }, "invalid_request");
    const { auth } = signInFor(call);
    if (auth.kind === "query") url.searchParams.set(auth.name, auth.value);
    if (auth.kind === "aws_sigv4") {
      if (body instanceof FormData) throw new Error("AWS signatures need a body of known bytes");
      const unsigned = { method, url, headers, ...(body !== undefined && { body }) };
      headers = await signAws(unsigned, auth, { ...auth, nowMs: now() });
    }
    const response = await guardedFetch(
      { method, url: url.href, headers, body },
      {
        wire,
        hosts: place().hosts,
        resolve: place().anyHost || call.redirectsAway ? options.resolve : undefined,
        redirectsAway: call.redirectsAway,
        streaming: manner.streaming,
        ended: options.ended,
        maxBytes: call.maxBytes,
        signal,
        ...limits,
      },
    );
    answered = true;
    return inspect(response, limits.safe, typed);
  }

  async function exchange<T>(
    method: string,
    located: { url: URL; route: string },
    call: Call,
    { typed, read }: { typed: boolean; read: (reply: Reply, safe: boolean) => T },
  ): Promise<T> {
    const readsOnly = method === "GET" || method === "HEAD";
    const safe = manner.safe === true || readsOnly;
    const idempotencyKey = readsOnly ? undefined : keyOfWrite();
    const repeatable = safe || manner.repeatable === true || idempotencyKey !== undefined;
    const timeoutMs = call.timeoutMs ?? options.timeoutMs ?? defaultTimeoutMs;
    const { url, route } = located;
    const begun = now();
    const end = begun + Math.max(budgetMs, timeoutMs);
    const { authorize, drop } = signInFor(call);
    let renewed = false;

    for (let tried = 1; ; tried++) {
      const started = now();
      const entry = (outcome: LogEntry["outcome"], status: number | undefined): LogEntry => ({
        vendor: vendorId,
        ...(manner.operation !== undefined && { operation: manner.operation }),
        method,
        route,
        host: url.host,
        status,
        ms: now() - started,
        attempt: tried,
        outcome,
      });
      let authorized: Authorized | undefined;
      try {
        authorized = await authorize();
        const limits = { safe, timeoutMs: Math.max(1, Math.min(timeoutMs, end - started)) };
        const request = { method, url, call, typed, ...(idempotencyKey && { idempotencyKey }) };
        const reply = await attempt(request, limits, authorized);
        const result = read(reply, safe);
        log?.(entry("ok", reply.response.status));
        if (!safe) wrote = true;
        return result;
      } catch (error) {
        if (!(error instanceof VendorFailure)) throw error;
        log?.(entry(error.failure, error.vendorStatus));
        if (error.mayHaveHappened) wrote = true;
        const { failure, retryAfter } = error;
        const refused = failure === "credentials_rejected" || failure === "credentials_expired";
        if (refused && authorized?.token) {
          // A refused request was not carried out, so that it may be sent again, a write too.
          await drop(authorized.token);
          if (!authorized.fetched && !renewed) {
            renewed = true;
            continue;
          }
        }
        const passing = failure === "rate_limited" || failure === "vendor_unavailable";
        if (!passing || tried >= maxAttempts || (authorized && !repeatable)) throw error;
        const backoff = random() * firstBackoffMs * 2 ** (tried - 1);
        const pause = backoff + (retryAfter ?? 0) * 1_000;
        if (now() + pause >= end) throw error;
        await sleep(pause);
      }
    }
  }

  /** An operation may write more than once: each of its writes is its own request to the vendor. */
  function keyOfWrite() {
    if (!manner.idempotency) return undefined;
    writes += 1;
    return writes === 1 ? manner.idempotency.key : `${manner.idempotency.key}-${writes}`;
  }

  async function typed<S extends z.ZodType>(
    method: string,
    located: { url: URL; route: string },
    schema: S,
    call: Call,
  ): Promise<z.output<S>> {
    return exchange(method, located, call, {
      typed: true,
      read({ json, response }, safe) {
        const parsed = schema.safeParse(json);
        if (parsed.success) return parsed.data;
        const at = mismatchPath(schema, parsed.error.issues[0]?.path ?? []);
        throw new VendorFailure(
          "unexpected_reply",
          `The vendor's reply was not understood${at && ` at ${at}`}`,
          { vendorStatus: response.status, mayHaveHappened: !safe },
        );
      },
    });
  }

  const at = (path: string, call: Call) => locate(place(), path, call, values);
  const method =
    (name: string) =>
    async <S extends z.ZodType>(path: string, reply: S, call: Call = {}) =>
      typed(name, at(path, call), reply, call);

  const api: Api = {
    get baseUrl() {
      return place().baseUrl;
    },
    get: method("GET"),
    post: method("POST"),
    put: method("PUT"),
    patch: method("PATCH"),
    delete: method("DELETE"),
    async next(url, reply, call = {}) {
      const page = URL.parse(url, `${place().baseUrl}/`);
      if (!page)
        throw new VendorFailure("unexpected_reply", "The next page has no readable address");
      const found = guardUrl(page, place().hosts);
      return typed("GET", { url: found, route: "(next page)" }, reply, call);
    },
    async send(name, path, call = {}) {
      return exchange(name, at(path, call), call, {
        typed: false,
        read: ({ response, text }) =>
          text === undefined
            ? response
            : new Response(response.body === null ? null : text, {
                status: response.status,
                headers: response.headers,
              }),
      });
    },
  };
  return { api, hasWritten: () => wrote, hasAnswered: () => answered };
}

/** Binds a vendor to one integration's values; `values` have passed `parseFields`. */
export const connectApi = (options: ConnectOptions): Api => open(options, {}).api;

export type OperationRun = ConnectOptions & {
  operation: string;
  params: unknown;
  /** Sent where the vendor takes one; a random one unless given, so that retries are safe. */
  idempotencyKey?: string | undefined;
};

/**
 * Runs one operation and answers its checked result, or a `Response` where it streams. Throws
 * `Problem` for an unknown operation or wrong params (`params.x`), else `VendorFailure`, which says
 * whether a write may have happened in this or an earlier request of the operation.
 */
export async function runOperation(run: OperationRun): Promise<unknown> {
  const { operation: id, params, idempotencyKey = crypto.randomUUID(), ...options } = run;
  const { operations } = options.vendor;
  const operation = Object.hasOwn(operations, id) ? operations[id] : undefined;
  if (!operation) throw new Problem("unknown_operation");
  const parsed = operation.params.safeParse(params);
  if (!parsed.success)
    throw new Problem("invalid_request", undefined, {
      errors: parsed.error.issues.map(({ path, message }) => ({
        path: ["params", ...path].join("."),
        message,
      })),
    });
  const safe = operation.effect === "read";
  const streaming = operation.streams === true;
  const signal = safe || streaming ? options.signal : undefined;
  const { api, hasWritten, hasAnswered } = open(
    { ...options, signal },
    {
      operation: id,
      safe,
      repeatable: operation.idempotent === true,
      streaming,
      ...(operation.idempotencyHeader && {
        idempotency: { header: operation.idempotencyHeader, key: idempotencyKey },
      }),
    },
  );
  try {
    const answer = await operation.run(api, parsed.data, options.values);
    if (answer instanceof Response) {
      // A portal's "Sign in to the network" is a 200 too, and would be shown at our own address.
      const { status, headers } = answer;
      const isPage = /^text\/html\b/i.test(headers.get("content-type") ?? "");
      if (status !== 204 && !isPage && !isJson(headers)) return answer;
      await answer.body?.cancel();
      throw new VendorFailure("unexpected_reply", "The vendor's reply was no stream");
    }
    const result = operation.result.safeParse(answer);
    if (result.success) return result.data;
    throw new VendorFailure("unexpected_reply");
  } catch (thrown) {
    const error = hasAnswered() ? failureThrown(options.vendorId, thrown) : thrown;
    if (!(error instanceof VendorFailure) || error.mayHaveHappened || !hasWritten()) throw error;
    const { failure, message, vendorStatus, vendorCode, retryAfter } = error;
    const more = { vendorStatus, vendorCode, retryAfter, mayHaveHappened: true };
    throw new VendorFailure(failure, message, more);
  }
}

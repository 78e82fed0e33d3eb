import { VendorFailure } from "../problem.ts";
import { isPublicAddress } from "./address.ts";

/** Sends a request as it is: `fetch` in production, the simulator in development, a script in tests. */
export type Wire = (request: Request) => Promise<Response>;

/** The addresses of a host name; empty where they cannot be told. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export type Outgoing = {
  method: string;
  url: string;
  headers?: HeadersInit;
  body?: string | Uint8Array<ArrayBuffer> | FormData | undefined;
};

export type Limits = {
  wire: Wire;
  /** `api.twilio.com`, `*.example.com` (one or more labels), `*` (any public host), each with an optional `:port`. */
  hosts: readonly string[];
  resolve?: Resolve | undefined;
  /** Repeating the request changes nothing at the other side; default: GET and HEAD. */
  safe?: boolean | undefined;
  /** Covers the body too, unless `streaming`. */
  timeoutMs?: number | undefined;
  maxBytes?: number | undefined;
  /** No size cap and no total timeout for a body that is not JSON; `idleMs` limits the wait for each chunk. */
  streaming?: boolean | undefined;
  idleMs?: number | undefined;
  /** Told how a streamed body ended: well, or why not. Not told where its reader left. */
  ended?: ((failure: VendorFailure | undefined) => void) | undefined;
  /** A read may be redirected to any public host; of our headers only `accept` goes there. */
  redirectsAway?: boolean | undefined;
  signal?: AbortSignal | undefined;
};

export const defaultTimeoutMs = 15_000;
const defaultMaxBytes = 10 * 1024 * 1024;
const defaultIdleMs = 60_000;
const maxRedirects = 3;
/** workerd sends none of its own, and some firewalls refuse a request without one. */
const userAgent = "EHRConnect-Integrations";

/** Suffixes that a resolver may answer with something private; `metadata.goog` is Google Cloud's. */
const privateSuffixes = [
  "local",
  "localhost",
  "localdomain",
  "internal",
  "intranet",
  "private",
  "corp",
  "home",
  "lan",
  "arpa",
  "test",
  "onion",
  "svc",
  "metadata.goog",
];

function matchesHost(host: string, port: string, pattern: string) {
  const [name = "", patternPort = "443"] = pattern.toLowerCase().split(":");
  if (port !== patternPort) return false;
  if (name === "*") return true;
  return name.startsWith("*.") ? host.endsWith(name.slice(1)) : host === name;
}

/** Why this address may not be called, as the rest of "The address …"; undefined when it may. */
export function whyRefused(url: string | URL, hosts: readonly string[]): string | undefined {
  const written = String(url);
  const authority = /^https:\/\/([^/?#]*)/i.exec(written)?.[1];
  if (authority === undefined) return "must start with https://";
  if (authority.includes("@")) return "must not hold a user name or password";
  // URL parsers drop, fold or decode these, so that the host read is not the host called.
  // eslint-disable-next-line no-control-regex -- that is what is looked for
  if (/[\u0000-\u0020\u007f\\]/.test(written)) return "holds characters that are not allowed";
  const [, name, port = "443"] = /^([a-z0-9.-]+)(?::([1-9]\d{0,4}))?$/i.exec(authority) ?? [];
  if (name === undefined) return "must name its host by a plain domain name";
  const host = name.toLowerCase();
  const labels = host.split(".");
  // A last label of letters only rules out every notation of an IPv4 literal.
  const plain =
    host.length <= 253 &&
    labels.every((label) => /^(?!-|xn--)[a-z0-9-]{1,63}(?<!-)$/.test(label)) &&
    /^[a-z]{2,}$/.test(labels.at(-1) ?? "");
  if (!plain) return "must name its host by a plain domain name";
  if (labels.length < 2) return "must name a public host";
  if (privateSuffixes.some((suffix) => host === suffix || host.endsWith(`.${suffix}`)))
    return "must name a public host";
  const parsed = URL.parse(written);
  if (parsed?.hostname !== host || (parsed.port || "443") !== port)
    return "must name its host by a plain domain name";
  if (hosts.some((pattern) => matchesHost(host, port, pattern))) return undefined;
  return hosts.some((pattern) => matchesHost(host, pattern.split(":")[1] ?? "443", pattern))
    ? "must use the default port"
    : "is not on a host that this vendor allows";
}

/** Throws `VendorFailure` (`invalid_request`) for an address that may not be called. */
export function guardUrl(url: string | URL, hosts: readonly string[]): URL {
  const refused = whyRefused(url, hosts);
  if (refused) throw new VendorFailure("invalid_request", `The address ${refused}`);
  return new URL(url);
}

/** Node's and OpenSSL's codes for a connection that was never there to carry the request. */
const neverConnected =
  /^(?:ENOTFOUND|EAI_\w+|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_\w+|ERR_TLS\w*|ERR_SSL\w*|EPROTO|\w*SELF_SIGNED\w*|UNABLE_TO_\w+)$/;

function networkFailure(error: unknown, safe: boolean) {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Object && "code" in cause ? String(cause.code) : "";
  return new VendorFailure("vendor_unavailable", "The vendor could not be reached", {
    mayHaveHappened: !safe && !neverConnected.test(code),
  });
}

/** Ends the exchange once: by its deadline, by silence, or because the caller left. */
function stopwatch(safe: boolean, signal: AbortSignal | undefined) {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort.signal.addEventListener("abort", () => reject(abort.signal.reason), { once: true });
  });
  aborted.catch(() => undefined);
  const stop = (message: string) => () =>
    abort.abort(new VendorFailure("timeout", message, { mayHaveHappened: !safe }));
  const leave = stop("The caller gave up");
  signal?.addEventListener("abort", leave, { once: true });
  return {
    signal: abort.signal,
    start(ms: number) {
      clearTimeout(timer);
      timer = setTimeout(stop("The vendor did not answer in time"), ms);
    },
    race: <T>(promise: Promise<T>) => Promise.race([promise, aborted]),
    finish() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", leave);
    },
    abort: () => abort.abort(),
  };
}

/** JSON, its `+json` kin and FHIR's first name for it; not NDJSON, which is read as a stream. */
export const isJson = (headers: Headers) =>
  /^(?:application|text)\/(?:[\w.-]+\+)?json(?:\+fhir)?\s*(?:;|$)/i.test(
    headers.get("content-type") ?? "",
  );

type Watch = ReturnType<typeof stopwatch>;

function guardBody(
  body: ReadableStream<Uint8Array>,
  watch: Watch,
  {
    safe,
    maxBytes,
    idleMs,
    ended,
  }: { safe: boolean; maxBytes: number } & Pick<Limits, "idleMs" | "ended">,
) {
  const reader = body.getReader();
  let received = 0;
  let left = false;
  const fail = (message: string) =>
    new VendorFailure("unexpected_reply", message, { mayHaveHappened: !safe });
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (idleMs !== undefined) watch.start(idleMs);
        try {
          const { done, value } = await watch.race(reader.read());
          if (done) {
            watch.finish();
            controller.close();
            ended?.(undefined);
            return;
          }
          received += value.byteLength;
          if (received > maxBytes) throw fail("The vendor's reply is too large");
          controller.enqueue(value);
        } catch (error) {
          if (left) return;
          watch.finish();
          const failure =
            error instanceof VendorFailure ? error : fail("The vendor's reply ended early");
          controller.error(failure);
          watch.abort();
          reader.cancel().catch(() => undefined);
          ended?.(failure);
        }
      },
      async cancel(reason) {
        left = true;
        watch.finish();
        await reader.cancel(reason).catch(() => undefined);
        watch.abort();
      },
    },
    { highWaterMark: 0 },
  );
}

async function refusePrivate(url: URL, resolve: Resolve | undefined) {
  const addresses = (await resolve?.(url.hostname)) ?? [];
  if (!addresses.every(isPublicAddress))
    throw new VendorFailure("invalid_request", "The address must name a public host");
}

function redirectTarget(response: Response, from: URL, limits: Limits, safe: boolean) {
  const written = response.headers.get("location");
  const location = written ? URL.parse(written, from) : null;
  const refuse = (message: string) =>
    new VendorFailure("unexpected_reply", message, {
      vendorStatus: response.status,
      mayHaveHappened: !safe && response.status < 307,
    });
  if (!location) throw refuse("The vendor redirected to nowhere");
  const away = location.host !== from.host;
  const hosts = limits.redirectsAway ? ["*"] : limits.hosts;
  // Credentials may sit in any header, so none is carried to another host.
  if ((away && !limits.redirectsAway) || whyRefused(location, hosts))
    throw refuse("The vendor redirected to another host");
  return { location, away };
}

const forStrangers = (headers: Headers) =>
  new Headers({ accept: headers.get("accept") ?? "*/*", "user-agent": userAgent });

/**
 * The one way out for every URL that a vendor file or a tenant supplies. Throws `VendorFailure`;
 * the reply's body is guarded too, so that reading it may throw one as well.
 */
export async function guardedFetch(outgoing: Outgoing, limits: Limits): Promise<Response> {
  const { method, body } = outgoing;
  let headers = new Headers(outgoing.headers);
  if (!headers.has("user-agent")) headers.set("user-agent", userAgent);
  const { streaming = false, idleMs = defaultIdleMs, maxBytes = defaultMaxBytes } = limits;
  const readsOnly = method === "GET" || method === "HEAD";
  const safe = limits.safe ?? readsOnly;
  let url = guardUrl(outgoing.url, limits.hosts);
  if (limits.signal?.aborted) throw new VendorFailure("timeout", "The caller gave up");
  const watch = stopwatch(safe, limits.signal);
  watch.start(limits.timeoutMs ?? defaultTimeoutMs);
  try {
    for (let redirects = 0; ; redirects++) {
      await watch.race(refusePrivate(url, limits.resolve));
      const request = new Request(url, {
        method,
        redirect: "manual",
        signal: watch.signal,
        headers,
        ...(body !== undefined && { body }),
      });
      const response = await watch.race(limits.wire(request)).catch((error: unknown) => {
        throw error instanceof VendorFailure ? error : networkFailure(error, safe);
      });
      if ([301, 302, 303, 307, 308].includes(response.status)) {
        await response.body?.cancel();
        const target = redirectTarget(response, url, limits, safe);
        if (!readsOnly || redirects === maxRedirects)
          throw new VendorFailure("unexpected_reply", "The vendor redirected the request", {
            vendorStatus: response.status,
            mayHaveHappened: !safe && response.status < 307,
          });
        url = target.location;
        if (target.away) headers = forStrangers(headers);
        continue;
      }
      if (!response.body) watch.finish();
      const received = new Headers(response.headers);
      // The body has been decoded; handing it on under the old labels would break it.
      received.delete("content-encoding");
      received.delete("content-length");
      const rules =
        streaming && !isJson(received)
          ? { safe, maxBytes: Infinity, idleMs, ended: limits.ended }
          : { safe, maxBytes };
      return new Response(response.body && guardBody(response.body, watch, rules), {
        status: response.status,
        headers: received,
      });
    }
  } catch (error) {
    watch.finish();
    throw error;
  }
}

/** Development: `https://host/path` becomes `<simulatorUrl>/host/path`. */
export function simulatorWire(simulatorUrl: string, wire: Wire = fetch): Wire {
  const root = simulatorUrl.replace(/\/+$/, "");
  return (request) => {
    const { host, pathname, search } = new URL(request.url);
    return wire(new Request(`${root}/${host}${pathname}${search}`, request));
  };
}

/** Cloudflare's resolver, asked as RFC 8484's JSON sibling; a name that it cannot tell stays open. */
export function dnsOverHttps(wire: Wire = fetch, now: () => number = Date.now): Resolve {
  const known = new Map<string, { addresses: readonly string[]; until: number }>();
  const ask = async (host: string, type: "A" | "AAAA") => {
    const url = `https://cloudflare-dns.com/dns-query?name=${encodeURIComponent(host)}&type=${type}`;
    const signal = AbortSignal.timeout(2_000);
    const request = new Request(url, { headers: { accept: "application/dns-json" }, signal });
    const reply: unknown = await wire(request).then((response) => response.json());
    const answers = reply instanceof Object && "Answer" in reply ? reply.Answer : [];
    return (Array.isArray(answers) ? answers : []).flatMap((answer: unknown) => {
      // Record types 1 and 28 hold an address; a CNAME (5) on the way holds a name.
      const { type: kind, data } = answer as { type?: unknown; data?: unknown };
      return (kind === 1 || kind === 28) && typeof data === "string" ? [data] : [];
    });
  };
  return async (host) => {
    const found = known.get(host);
    if (found && found.until > now()) return found.addresses;
    const answers = await Promise.allSettled([ask(host, "A"), ask(host, "AAAA")]);
    const addresses = answers.flatMap((each) => (each.status === "fulfilled" ? each.value : []));
    if (known.size >= 1_000) known.clear();
    if (addresses.length) known.set(host, { addresses, until: now() + 60_000 });
    return addresses;
  };
}

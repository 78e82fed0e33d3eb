import * as z from "zod";

import { type Fault, faultKinds, type Simulation, type WebhookOptions } from "./define.ts";
import { answer, newFaults } from "./faults.ts";
import { listen, type Outcome, type Received } from "./http.ts";
import { loadSimulation, simulatedVendors } from "./simulations.ts";

export type RecordedRequest = {
  vendor: string;
  method: string;
  host: string;
  path: string;
  query: string;
  headers: Headers;
  body: Uint8Array<ArrayBuffer>;
  at: Date;
  status: number | undefined;
  fault: Fault["kind"] | undefined;
  /** The caller left before the end of an event stream. */
  left: boolean;
};

export type SentWebhook = { request: Request; status: number; headers: Headers; body: string };

export type Simulator = {
  /** The Worker sends `https://host/path` to `<url>/host/path`; a vendor's own server has its paths at the root. */
  url: string;
  port: number;
  /** Takes `https://` URLs of the vendors and sends them here. */
  fetch: typeof fetch;
  vendors: readonly string[];
  simulation: (vendor: string) => Simulation;
  fault: (fault: Fault) => void;
  clearFaults: (vendor?: string) => void;
  requests: (vendor?: string) => readonly RecordedRequest[];
  /** Signs one event and sends it `times` times over, as a vendor that retries does. */
  sendWebhook: (
    vendor: string,
    options: WebhookOptions & { times?: number },
  ) => Promise<SentWebhook[]>;
  /** Requests to this host go on to a server of the test's own: the receiver of forwarded webhooks. */
  forward: (host: string, url: string) => void;
  /** Seeded state, no faults, no recorded requests. */
  reset: () => void;
  close: () => Promise<void>;
};

/** What a test wants to know of the vendors' side, or adds to it. */
export type Plants = {
  /** Each token that a token server hands out. */
  onToken?: (token: string) => void;
  /** Merged into the body of each webhook. */
  person?: () => Readonly<Record<string, string>>;
};

const kept = 1000;

async function tellTokens(response: Response, onToken: (token: string) => void) {
  const json: unknown = await response.json().catch(() => undefined);
  if (json instanceof Object)
    for (const name of ["access_token", "refresh_token", "id_token"]) {
      const token: unknown = Reflect.get(json, name);
      if (typeof token === "string") onToken(token);
    }
}

/** Tells when the reader of a stream leaves before its end. */
function watched(response: Response, onLeave: () => void): Response {
  const reader = response.body?.getReader();
  if (!reader) return response;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel(reason) {
        onLeave();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, response);
}

/** Every vendor on one port, or, with `origin`, one vendor with its own paths. */
async function serve(
  vendors: ReadonlyMap<string, Simulation>,
  port: number,
  { origin, onToken, person }: Plants & { origin?: string } = {},
): Promise<Simulator> {
  const faults = newFaults();
  const closing = new AbortController();
  const forwards = new Map<string, string>();
  let requests: RecordedRequest[] = [];

  const simulationOf = (vendor: string) => {
    const simulation = vendors.get(vendor);
    if (!simulation) throw new Error(`There is no simulation of ${vendor}`);
    return simulation;
  };

  async function ask(vendor: string, url: URL, received: Received): Promise<Outcome> {
    const { method, headers, body } = received;
    const fault = faults.take(vendor, url.pathname);
    const recorded: RecordedRequest = {
      vendor,
      method,
      host: url.host,
      path: url.pathname,
      query: url.search,
      headers,
      body,
      at: new Date(),
      status: undefined,
      fault: fault?.kind,
      left: false,
    };
    requests = [...requests.slice(1 - kept), recorded];
    const request = new Request(url, {
      method,
      headers,
      body: method === "GET" || method === "HEAD" ? null : body,
    });
    const outcome = await answer(simulationOf(vendor), request, fault, closing.signal);
    if (outcome.kind === "reset") return outcome;
    recorded.status = outcome.response.status;
    if (!outcome.response.headers.get("content-type")?.startsWith("text/event-stream"))
      return outcome;
    const response = watched(outcome.response, () => {
      recorded.left = true;
    });
    return { ...outcome, response };
  }

  async function forwardTo(target: string, url: URL, received: Received): Promise<Outcome> {
    const { method, headers, body } = received;
    try {
      const response = await fetch(target + url.pathname + url.search, {
        method,
        headers,
        redirect: "manual",
        body: method === "GET" || method === "HEAD" ? null : body,
      });
      return { kind: "reply", response: new Response(response.body, response) };
    } catch {
      return { kind: "reset" };
    }
  }

  /** Several vendors may share a host (a token server); the one that knows the caller answers. */
  async function route(url: URL, received: Received): Promise<Outcome> {
    const target = forwards.get(url.host);
    if (target !== undefined) return forwardTo(target, url, received);
    const candidates = [...vendors.keys()].filter((id) =>
      simulationOf(id).hosts.includes(url.host),
    );
    let refusal: Outcome = { kind: "reset" };
    for (const vendor of candidates) {
      const outcome = await ask(vendor, url, received);
      if (outcome.kind !== "reply" || outcome.response.ok) return outcome;
      if (refusal.kind === "reset" || refusal.response.status === 404) refusal = outcome;
    }
    return refusal;
  }

  async function sendWebhook(
    vendor: string,
    { times = 1, ...options }: WebhookOptions & { times?: number },
  ) {
    const { webhook } = simulationOf(vendor);
    if (!webhook) throw new Error(`${vendor} sends no webhooks`);
    const { body } = options;
    const merged =
      person && (body === undefined || (body instanceof Object && !Array.isArray(body)))
        ? { ...options, body: { ...body, ...person() } }
        : options;
    const signed = await webhook(merged);
    const sent: SentWebhook[] = [];
    for (let i = 0; i < times; i += 1) {
      const response = await fetch(signed.clone(), { redirect: "manual" });
      const { status, headers } = response;
      sent.push({ request: signed.clone(), status, headers, body: await response.text() });
    }
    return sent;
  }

  const simulator: Omit<Simulator, "url" | "port" | "fetch" | "close"> = {
    vendors: [...vendors.keys()],
    simulation: simulationOf,
    fault(fault) {
      simulationOf(fault.vendor);
      faults.add(fault);
    },
    clearFaults: (vendor) => faults.clear(vendor),
    requests: (vendor) => (vendor ? requests.filter((r) => r.vendor === vendor) : requests),
    sendWebhook,
    forward: (host, url) => void forwards.set(host, url.replace(/\/+$/, "")),
    reset() {
      faults.clear();
      requests = [];
      for (const simulation of vendors.values()) simulation.reset();
    },
  };

  const server = await listen(port, async (received) => {
    if (received.target.startsWith("/_simulator/"))
      return { kind: "reply", response: await control(simulator, received) };
    const url = URL.parse(
      origin === undefined ? `https:/${received.target}` : origin + received.target,
    );
    if (!url) return { kind: "reset" };
    const outcome = await route(url, received);
    if (
      onToken &&
      outcome.kind === "reply" &&
      received.method === "POST" &&
      /token/i.test(url.pathname)
    )
      await tellTokens(outcome.response.clone(), onToken);
    return outcome;
  });
  const url = `http://127.0.0.1:${server.port}`;
  return {
    ...simulator,
    url,
    port: server.port,
    fetch: (input, init) => {
      const request = new Request(input, init);
      const { host, pathname, search } = new URL(request.url);
      const target =
        origin === undefined ? `${url}/${host}${pathname}${search}` : url + pathname + search;
      return fetch(new Request(target, request));
    },
    close: async () => {
      closing.abort();
      await server.close();
    },
  };
}

const Vendor = z.object({ vendor: z.string() });
const FaultOrder = Vendor.extend({
  kind: z.enum(faultKinds),
  times: z.number().int().positive().optional(),
  retryAfter: z.union([z.number(), z.string()]).optional(),
  delayMs: z.number().nonnegative().optional(),
  match: z.string().optional(),
});
const WebhookOrder = Vendor.extend({
  url: z.url(),
  credentials: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  type: z.string().optional(),
  body: z.unknown().optional(),
  times: z.number().int().min(1).max(100).default(1),
});

const ForwardOrder = z.object({ host: z.string().min(1), url: z.url() });

type Controlled = Omit<Simulator, "url" | "port" | "fetch" | "close">;

/** What tests and the demo do to the vendors: `/_simulator/faults`, `requests`, `webhooks`, `reset`. */
async function control(simulator: Controlled, { method, target, headers, body }: Received) {
  const url = new URL(target, "http://simulator");
  const route = `${method} ${url.pathname.slice("/_simulator/".length)}`;
  // A page in the developer's browser cannot send this content type unasked.
  if (method === "POST" && headers.get("content-type") !== "application/json")
    return Response.json({ error: "Send application/json" }, { status: 415 });
  try {
    const sent: unknown =
      method === "POST" ? JSON.parse(new TextDecoder().decode(body) || "{}") : {};
    switch (route) {
      case "GET vendors":
        return Response.json(
          simulator.vendors.map((vendor) => {
            const { hosts, credentials } = simulator.simulation(vendor);
            return { vendor, hosts, credentials };
          }),
        );
      case "POST faults":
        simulator.fault(FaultOrder.parse(sent));
        return Response.json({ ok: true }, { status: 201 });
      case "DELETE faults":
        simulator.clearFaults(url.searchParams.get("vendor") ?? undefined);
        return Response.json({ ok: true });
      case "GET requests":
        return Response.json(
          simulator.requests(url.searchParams.get("vendor") ?? undefined).map((request) => ({
            vendor: request.vendor,
            method: request.method,
            host: request.host,
            path: request.path,
            headers: [...request.headers.keys()],
            at: request.at.toISOString(),
            status: request.status ?? null,
            fault: request.fault ?? null,
          })),
        );
      case "POST forward": {
        const { host, url } = ForwardOrder.parse(sent);
        simulator.forward(host, url);
        return Response.json({ ok: true }, { status: 201 });
      }
      case "POST webhooks": {
        const { vendor, ...order } = WebhookOrder.parse(sent);
        const replies = await simulator.sendWebhook(vendor, order);
        return Response.json(replies.map((reply) => ({ status: reply.status, body: reply.body })));
      }
      case "POST reset":
        simulator.reset();
        return Response.json({ ok: true });
      default:
        return Response.json({ error: `No ${route}` }, { status: 404 });
    }
  } catch (error) {
    const message = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    return Response.json({ error: message }, { status: 400 });
  }
}

/** All vendors, or those named, each with fresh state. */
export async function startSimulator(
  options: { port?: number; vendors?: readonly string[] } & Plants = {},
): Promise<Simulator> {
  const vendors = new Map<string, Simulation>();
  for (const id of options.vendors ?? simulatedVendors) vendors.set(id, await loadSimulation(id));
  return serve(vendors, options.port ?? 0, options);
}

/** One vendor with its paths at the root of its own port, for a vendor's SDK to be pointed at. */
export async function startVendor(id: string, options: { port?: number } = {}): Promise<Simulator> {
  const simulation = await loadSimulation(id);
  const [host] = simulation.hosts;
  return serve(new Map([[id, simulation]]), options.port ?? 0, { origin: `https://${host}` });
}

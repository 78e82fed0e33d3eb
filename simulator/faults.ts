import { setTimeout } from "node:timers/promises";

import { type Fault, retryAfter, type Simulation, type SpokenFault } from "./define.ts";
import type { Outcome } from "./http.ts";

const page = (title: string) =>
  `<!doctype html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`;
const html = (status: number, title: string, headers: Record<string, string> = {}) =>
  new Response(page(title), { status, headers: { "content-type": "text/html", ...headers } });

const spoken: Record<SpokenFault, (fault: Fault) => Response> = {
  rate_limited: (fault) =>
    Response.json({ error: "rate_limited" }, { status: 429, headers: retryAfter(fault) }),
  server_error: () => Response.json({ error: "internal_error" }, { status: 500 }),
  maintenance: (fault) => html(503, "Down for maintenance", retryAfter(fault, 120)),
  expired_credentials: () =>
    Response.json(
      { error: "invalid_token", error_description: "The access token expired" },
      {
        status: 401,
        headers: {
          "www-authenticate":
            'Bearer error="invalid_token", error_description="The access token expired"',
        },
      },
    ),
  forbidden: () => Response.json({ error: "insufficient_scope" }, { status: 403 }),
};

const isSpoken = (kind: string): kind is SpokenFault => Object.hasOwn(spoken, kind);

export function newFaults() {
  let active: { fault: Fault; left: number; match: RegExp | undefined }[] = [];
  return {
    add(fault: Fault) {
      active.push({
        fault,
        left: fault.times ?? Number.POSITIVE_INFINITY,
        match: fault.match === undefined ? undefined : new RegExp(fault.match, "u"),
      });
    },
    clear(vendor?: string) {
      active = vendor === undefined ? [] : active.filter(({ fault }) => fault.vendor !== vendor);
    },
    /** The oldest fault that applies, one of its times used up. */
    take(vendor: string, path: string): Fault | undefined {
      const hit = active.find(
        ({ fault, match }) => fault.vendor === vendor && (!match || match.test(path)),
      );
      if (!hit) return undefined;
      hit.left -= 1;
      active = active.filter(({ left }) => left > 0);
      return hit.fault;
    },
  };
}

/** `slow` and `truncated` strike after the vendor has done the work, as they do in life. */
export async function answer(
  simulation: Simulation,
  request: Request,
  fault: Fault | undefined,
  closing: AbortSignal,
): Promise<Outcome> {
  if (!fault) return { kind: "reply", response: await simulation.app.fetch(request) };
  if (isSpoken(fault.kind)) {
    const speak = simulation.faults?.[fault.kind] ?? spoken[fault.kind];
    return { kind: "reply", response: speak(fault, request) };
  }
  switch (fault.kind) {
    case "slow": {
      const response = await simulation.app.fetch(request);
      // Rejects only when the simulator closes, and then nobody waits for the reply.
      await setTimeout(fault.delayMs ?? 20_000, undefined, { signal: closing }).catch(
        () => undefined,
      );
      return { kind: "reply", response };
    }
    case "truncated":
      return { kind: "truncated", response: await simulation.app.fetch(request) };
    case "wrong_content_type":
      return { kind: "reply", response: html(200, "Sign in to the network") };
    case "garbage":
      return {
        kind: "reply",
        response: new Response('{"ok":tru\u0000\ufffd<<', {
          headers: { "content-type": "application/json" },
        }),
      };
    default:
      return { kind: "reset" };
  }
}

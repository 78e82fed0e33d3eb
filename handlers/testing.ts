import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import { connectApi, type ConnectOptions, type LogEntry } from "./api.ts";
import type { AnyVendor } from "./define.ts";
import type { Wire } from "./outbound.ts";

/** Stands for every credential: it must never be told again. */
export const secret = "s3cret-canary-0123456789";

export const vendorOf = (changes: Partial<AnyVendor> = {}): AnyVendor => ({
  name: "Acme",
  category: "custom",
  description: "A vendor for tests.",
  website: "https://acme.example",
  documentation: "https://docs.acme.example",
  keywords: ["acme"],
  access: { kind: "self-serve" },
  environments: { production: { baseUrl: "https://api.acme.example/v1" } },
  steps: [],
  auth: () => ({ kind: "bearer", token: secret }),
  test: async () => ({ account: "acme", checked: ["nothing"] }),
  operations: {},
  ...changes,
});

/** A vendor that answers what the script says, in order, and the last thing again and again. */
export function scripted(...replies: (Response | Error | ((request: Request) => Response))[]) {
  const requests: Request[] = [];
  const wire: Wire = async (request) => {
    const reply = replies[Math.min(requests.length, replies.length - 1)];
    requests.push(request.clone());
    if (reply instanceof Error) throw reply;
    if (reply === undefined) throw new Error("The script is empty");
    return typeof reply === "function" ? reply(request) : reply.clone();
  };
  return { wire, requests };
}

export const json = (body: unknown, init?: ResponseInit) => Response.json(body, init);
export const ok = () => json({ id: "1" });
export const Thing = z.object({ id: z.string() });

export function connect(wire: Wire, more: Partial<ConnectOptions> = {}) {
  const log: LogEntry[] = [];
  const sleeps: number[] = [];
  let clock = 0;
  const options: ConnectOptions = {
    vendorId: "acme",
    vendor: vendorOf(),
    values: {},
    environment: "production",
    wire,
    now: () => clock,
    random: () => 1,
    sleep: async (ms) => {
      sleeps.push(ms);
      clock += ms;
    },
    log: (entry) => log.push(entry),
    ...more,
  };
  return { api: connectApi(options), options, log, sleeps };
}

/** The failure that a call must end in. */
export async function failureOf(work: Promise<unknown>): Promise<VendorFailure> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof VendorFailure) return error;
  throw new Error("It did not fail as a VendorFailure", { cause: error });
}

import type { DurableObjectNamespace, Fetcher, Queue } from "@cloudflare/workers-types";
import * as z from "zod";

import { type Client, openClient } from "../db/client.ts";
import { Problem } from "../problem.ts";
import { openKeyRing } from "./key-rings.ts";
import { openVault, type Vault } from "./vault.ts";

/** Messages of the queue `EVENTS`: a stored event that waits to be handled. */
export type EventMessage = { orgId: string; eventId: string; vendorId: string };
/** Messages of the queue `CHECKS`: integrations that the clock has claimed. */
export type CheckMessage = { checks: { orgId: string; integrationId: string }[] };

/** Messages of the queue `DELIVERIES`: destinations whose timer the clock found overdue. */
export type DeliveryMessage = { wake: { orgId: string; destinationId: string }[] };

export type Bindings = {
  ASSETS: Fetcher;
  EVENTS: Queue<EventMessage>;
  CHECKS: Queue<CheckMessage>;
  DELIVERIES: Queue<DeliveryMessage>;
  INTEGRATION: DurableObjectNamespace;
  LIMIT: DurableObjectNamespace;
  DESTINATION: DurableObjectNamespace;
} & Record<string, unknown>;

const Settings = z.object({
  DATABASE_URL: z.string().min(1),
  /** SQL over HTTP for a database that is not Neon's. */
  DATABASE_ENDPOINT: z.url().optional(),
  /** The address that users and vendors see, without a slash at its end. */
  PUBLIC_URL: z.url().transform((url) => url.replace(/\/+$/, "")),
  AUTH_SECRET: z.string().min(32),
  URL_TOKEN_SECRET: z.string().min(32),
  /** Requests a minute. */
  LIMIT_IP: z.coerce.number().int().positive().default(1_200),
  LIMIT_KEY: z.coerce.number().int().positive().default(600),
  /** Attempts to sign in or up from one address. */
  LIMIT_SIGN_IN: z.coerce.number().int().positive().default(30),
  LIMIT_ORG: z.coerce.number().int().positive().default(3_000),
  /** Which ring wraps new data keys: see functions/key-rings.ts for the settings of each. */
  KEY_RING: z.enum(["secrets", "aws-kms", "vault"]).default("secrets"),
  /** Comma-separated origins that may call the API from a browser. */
  ALLOWED_ORIGINS: z.string().default(""),
  /**
   * Development and tests only: vendors' traffic goes to the simulator, credentials and all. On this
   * machine alone, so that a deployment that sets it by mistake reaches nobody.
   */
  SIMULATOR_URL: z
    .url()
    .refine((url) => ["localhost", "127.0.0.1", "[::1]"].includes(new URL(url).hostname))
    .optional(),
});

export type Settings = z.output<typeof Settings> & {
  allowedOrigins: readonly string[];
  limits: { ip: number; key: number; org: number };
};
export type Env = Bindings & { settings: Settings; client: Client; vault: Vault };

const parsed = new WeakMap<object, Env>();

function refused(error: unknown): Problem {
  const names =
    error instanceof z.ZodError
      ? error.issues.map((issue) => issue.path.join(".")).join(", ")
      : "KEY_RING";
  console.error(JSON.stringify({ level: "error", message: "configuration refused", names }));
  return new Problem("unavailable", `The service is not configured: ${names}`);
}

function ringOf(bindings: Bindings) {
  try {
    return openKeyRing(bindings);
  } catch (error) {
    throw refused(error);
  }
}

/** Parsed once an isolate and refused loudly: a Worker with a wrong configuration serves nothing. */
export function envOf(bindings: Bindings): Env {
  let env = parsed.get(bindings);
  if (!env) {
    const result = Settings.safeParse(bindings);
    if (!result.success) throw refused(result.error);
    const allowedOrigins = result.data.ALLOWED_ORIGINS.split(",").flatMap((o) => o.trim() || []);
    const settings = {
      ...result.data,
      allowedOrigins,
      limits: { ip: result.data.LIMIT_IP, key: result.data.LIMIT_KEY, org: result.data.LIMIT_ORG },
    };
    env = {
      ...bindings,
      settings,
      client: openClient(settings.DATABASE_URL, settings.DATABASE_ENDPOINT),
      vault: openVault(ringOf(bindings)),
    };
    parsed.set(bindings, env);
  }
  return env;
}

import type { Integration } from "../db/integrations.ts";
import type { ConnectOptions, LogEntry } from "../handlers/api.ts";
import type { AnyVendor } from "../handlers/define.ts";
import type { FieldValues } from "../handlers/fields.ts";
import { memoryTokens, type Token, type Tokens } from "../handlers/oauth.ts";
import { dnsOverHttps, simulatorWire, type Wire } from "../handlers/outbound.ts";
import { VendorFailure } from "../problem.ts";
import { openValues } from "./credentials.ts";
import type { Env } from "./env.ts";
import type { IntegrationObject, TokenOutcome } from "./integration-object.ts";

/** What a call needs to know of an integration, stored or not yet. */
export type Target = Pick<Integration, "orgId" | "vendorId" | "environment" | "apiEndpoint"> & {
  /** Without one (values not saved yet) tokens live as long as the call. */
  id?: string;
};

const straight: Wire = (request) => fetch(request);
const resolve = dnsOverHttps(straight);

/** How the Worker reaches vendors: their own hosts, or in development the simulator. */
export const wireOf = (env: Env): Wire =>
  env.settings.SIMULATOR_URL ? simulatorWire(env.settings.SIMULATOR_URL, straight) : straight;

const logCall = (entry: LogEntry) =>
  console.log(JSON.stringify({ level: "info", message: "vendor call", ...entry }));

export function connection(
  env: Env,
  target: Target,
  vendor: AnyVendor,
  values: FieldValues,
  more: { traceparent?: string | undefined; signal?: AbortSignal } = {},
): ConnectOptions {
  return {
    vendorId: target.vendorId,
    vendor,
    values,
    environment: target.environment,
    endpoint: target.apiEndpoint ?? undefined,
    wire: wireOf(env),
    ...(env.settings.SIMULATOR_URL ? {} : { resolve }),
    tokens: target.id ? objectTokens(env, target.orgId, target.id) : memoryTokens(),
    log: logCall,
    ...more,
  };
}

const objectOf = (env: Env, integrationId: string) =>
  env.INTEGRATION.get(env.INTEGRATION.idFromName(integrationId)) as unknown as Pick<
    IntegrationObject,
    "token" | "dropToken" | "forget"
  >;

/** Tokens kept by the integration's Durable Object, so that all isolates share one refresh. */
function objectTokens(env: Env, orgId: string, integrationId: string): Tokens {
  const stub = objectOf(env, integrationId);
  return {
    async get(key, fetchToken) {
      const outcome = await stub.token(orgId, key, () => settle(fetchToken));
      if (outcome.ok) return outcome.token;
      throw new VendorFailure(outcome.failure, outcome.message, { retryAfter: outcome.retryAfter });
    },
    async drop(key, refused) {
      await stub.dropToken(orgId, key, refused?.accessToken);
    },
  };
}

async function settle(fetchToken: () => Promise<Token>): Promise<TokenOutcome> {
  try {
    return { ok: true, token: await fetchToken() };
  } catch (error) {
    if (!(error instanceof VendorFailure)) throw error;
    const { failure, message, retryAfter } = error;
    return { ok: false, failure, message, retryAfter };
  }
}

/** Credentials opened lately, so that a burst of webhooks costs one database read; see `forget`. */
const opened = new Map<string, { row: Integration; values: FieldValues; until: number }>();
const openedForMs = 30_000;

export async function openIntegration(env: Env, row: Integration): Promise<FieldValues> {
  const values = await openValues(env.vault, row);
  if (opened.size >= 500) opened.clear();
  opened.set(row.id, { row, values, until: Date.now() + openedForMs });
  return values;
}

export function recall(id: string): { row: Integration; values: FieldValues } | undefined {
  const found = opened.get(id);
  return found && found.until > Date.now() ? found : undefined;
}

/** After a change: no cached credential and no token of the old configuration is used again. */
export async function forget(env: Env, integration: { id: string }): Promise<void> {
  opened.delete(integration.id);
  await objectOf(env, integration.id).forget();
}

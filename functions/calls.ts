import type { Integration } from "../db/integrations.ts";
import type { ConnectOptions, LogEntry } from "../handlers/api.ts";
import type { AnyVendor } from "../handlers/define.ts";
import type { FieldValues } from "../handlers/fields.ts";
import { memoryTokens, type Token, type Tokens } from "../handlers/oauth.ts";
import { Problem, VendorFailure } from "../problem.ts";
import { openValues } from "./credentials.ts";
import type { Env } from "./env.ts";
import { codeOf, type TokenOutcome } from "./grants.ts";
import { openHeldKey } from "./held-keys.ts";
import type { IntegrationObject } from "./integration-object.ts";
import { resolveOf, wireOf } from "./wire.ts";

/** What a call needs to know of an integration, stored or not yet. */
export type Target = Pick<Integration, "orgId" | "vendorId" | "environment" | "apiEndpoint"> & {
  /** Without one (values not saved yet) tokens live as long as the call. */
  id?: string;
  /** The stored integration whose sign-in serves values that are not saved. */
  grantOf?: string | undefined;
};

const logCall = (entry: LogEntry) =>
  console.log(JSON.stringify({ level: "info", message: "vendor call", ...entry }));

export function connection(
  env: Env,
  target: Target,
  vendor: AnyVendor,
  values: FieldValues,
  more: Pick<ConnectOptions, "traceparent" | "signal" | "ended"> = {},
): ConnectOptions {
  const grantOf = target.id ?? target.grantOf;
  return {
    vendorId: target.vendorId,
    vendor,
    values,
    environment: target.environment,
    endpoint: target.apiEndpoint ?? undefined,
    wire: wireOf(env),
    resolve: resolveOf(env),
    tokens: target.id ? objectTokens(env, target.orgId, target.id) : memoryTokens(),
    grant: grantOf ? () => grantToken(env, target, vendor, values, grantOf) : undefined,
    heldKey: (kid) => openHeldKey(env, target.orgId, kid),
    log: logCall,
    ...more,
  };
}

export const objectOf = (env: Env, integrationId: string) =>
  env.INTEGRATION.get(env.INTEGRATION.idFromName(integrationId)) as unknown as Omit<
    IntegrationObject,
    "alarm"
  >;

async function grantToken(
  env: Env,
  target: Target,
  vendor: AnyVendor,
  values: FieldValues,
  integrationId: string,
): Promise<Token> {
  const code = await codeOf(target, vendor, values);
  const object = objectOf(env, integrationId);
  return tokenOf(await object.grantToken(target.orgId, integrationId, code?.boundTo ?? ""));
}

function tokenOf(outcome: TokenOutcome): Token {
  if (outcome.ok) return outcome.token;
  const { failure, message, retryAfter } = outcome;
  if (failure === "unavailable") throw new Problem("unavailable", message, { retryAfter: 5 });
  throw new VendorFailure(failure, message, { retryAfter });
}

/** Tokens kept by the integration's Durable Object, so that all isolates share one refresh. */
function objectTokens(env: Env, orgId: string, integrationId: string): Tokens {
  const stub = objectOf(env, integrationId);
  return {
    async get(key, fetchToken) {
      return tokenOf(await stub.token(orgId, key, () => settle(fetchToken)));
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
    if (error instanceof Problem && error.code === "unavailable")
      return { ok: false, failure: "unavailable", message: error.message };
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

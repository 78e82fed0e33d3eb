import { uint8ArrayToBase64 } from "uint8array-extras";

import type { Integration } from "../db/integrations.ts";
import type { Envelope } from "../db/schema.ts";
import type { AnyVendor, EnvironmentName } from "../handlers/define.ts";
import { type FieldValues, isMask, mask, parseFields } from "../handlers/fields.ts";
import { whyRefused } from "../handlers/outbound.ts";
import { type Issue, Problem } from "../problem.ts";
import type { Settings } from "./env.ts";
import type { Vault } from "./vault.ts";

export type Configuration = {
  values: FieldValues;
  /** The values as they may be shown: secrets masked. */
  shown: FieldValues;
  endpoint: string | null;
};

/**
 * Checks what a person entered for a vendor. `before` fills in secrets that come back as their mask.
 * Throws `invalid_request` with a path for each field.
 */
export function configure(
  vendor: AnyVendor,
  entered: {
    environment: EnvironmentName;
    endpoint: string | null | undefined;
    credentials: Readonly<Record<string, unknown>>;
  },
  before: FieldValues = {},
): Configuration {
  const errors: Issue[] = [];
  let endpoint = entered.endpoint?.trim() || null;
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(entered.credentials)) {
    const now = vendor.formerly && Object.hasOwn(vendor.formerly, key) ? vendor.formerly[key] : key;
    if (now === "api_endpoint") endpoint ??= typeof value === "string" && value ? value : null;
    else if (now) given[now] = isMask(value) ? before[now] : value;
  }
  const { values, issues } = parseFields(vendor.steps, given, "credentials.");
  errors.push(...issues);
  const complaint = endpointComplaint(vendor, entered.environment, endpoint);
  if (complaint) errors.push(complaint);
  if (errors.length)
    throw new Problem("invalid_request", `${errors[0]?.path}: ${errors[0]?.message}`, { errors });
  return { values, shown: show(vendor, values), endpoint };
}

function endpointComplaint(
  vendor: AnyVendor,
  name: EnvironmentName,
  endpoint: string | null,
): Issue | undefined {
  const environment = vendor.environments[name];
  if (!environment) {
    const offered = Object.keys(vendor.environments).join(", ");
    return { path: "environment", message: `${vendor.name} offers only: ${offered}` };
  }
  if (!endpoint)
    return environment.baseUrl === undefined
      ? { path: "api_endpoint", message: `An address is required, like ${environment.example}` }
      : undefined;
  const fixed = environment.baseUrl?.match(/^https:\/\/([^/{}]+)(\/|$)/)?.[1];
  const hosts = [...(environment.hosts ?? []), ...(fixed ? [fixed] : [])];
  const refused = whyRefused(endpoint, hosts);
  return refused ? { path: "api_endpoint", message: `The address ${refused}` } : undefined;
}

function show(vendor: AnyVendor, values: FieldValues): FieldValues {
  const shown: FieldValues = {};
  for (const step of vendor.steps)
    for (const [key, field] of Object.entries(step.fields)) {
      const value = values[key];
      if (value !== undefined) shown[key] = field.secret ? mask(String(value)) : value;
    }
  return shown;
}

export async function openValues(
  vault: Vault,
  integration: Pick<Integration, "orgId" | "id" | "credentials">,
): Promise<FieldValues> {
  if (!("ct" in integration.credentials)) return {};
  return vault.open<FieldValues>(integration, integration.credentials as Envelope);
}

/** The part of a webhook address that nobody can guess; derived, so that it is stored nowhere. */
export async function webhookToken(settings: Settings, integrationId: string): Promise<string> {
  const bytes = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey(
    "raw",
    bytes.encode(settings.URL_TOKEN_SECRET),
    algorithm,
    false,
    ["sign"],
  );
  const mac = new Uint8Array(
    await crypto.subtle.sign("HMAC", key, bytes.encode(`webhook|${integrationId}`)),
  );
  return uint8ArrayToBase64(mac.slice(0, 24), { urlSafe: true });
}

export async function webhookUrl(
  settings: Settings,
  vendor: AnyVendor,
  integration: { id: string; vendorId: string },
  showToken: boolean,
): Promise<string | null> {
  if (!vendor.webhooks) return null;
  const url = `${settings.PUBLIC_URL}/webhooks/${integration.vendorId}/${integration.id}`;
  if (vendor.webhooks.secretField) return url;
  return `${url}?token=${showToken ? await webhookToken(settings, integration.id) : "••••"}`;
}

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

/** What the wizard of the earlier web client sends where nobody entered an address. */
const placeholder = "https://api.example.com";

type Stored = Pick<Configuration, "values" | "endpoint"> & { environment: EnvironmentName };

export const storedOf = (
  { environment, apiEndpoint }: Pick<Integration, "environment" | "apiEndpoint">,
  values: FieldValues,
): Stored => ({ environment, endpoint: apiEndpoint, values });

/**
 * Checks what a person entered for a vendor. What they left out, or sent back as its mask, stays as
 * it was `before`. Throws `invalid_request` with a path for each field.
 */
export function configure(
  vendor: AnyVendor,
  entered: {
    environment: EnvironmentName;
    endpoint: string | null | undefined;
    credentials: Readonly<Record<string, unknown>>;
  },
  before?: Stored,
): Configuration {
  const errors: Issue[] = [];
  const { environment } = entered;
  let endpoint = entered.endpoint?.trim() || null;
  if (endpoint === placeholder) endpoint = null;
  const nameOf = (key: string) =>
    vendor.formerly && Object.hasOwn(vendor.formerly, key) ? vendor.formerly[key] : key;
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(before?.values ?? {}))
    given[nameOf(key) ?? key] = value;
  const typed = new Set<string>();
  for (const [key, value] of Object.entries(entered.credentials)) {
    const now = nameOf(key);
    // The earlier wizard repeats it among its fields.
    if (key === "environment" && value === environment) continue;
    if (now === "api_endpoint") endpoint ??= typeof value === "string" && value ? value : null;
    else if (now && !isMask(value)) {
      typed.add(now);
      given[now] = value;
    }
  }
  const { values, issues } = parseFields(vendor.steps, given, "credentials.");
  errors.push(...issues);
  const complaint = endpointComplaint(vendor, environment, endpoint);
  if (complaint) errors.push(complaint);
  if (before && !errors.length)
    errors.push(...misdirected(vendor, before, { environment, endpoint, values }, typed));
  if (errors.length)
    throw new Problem("invalid_request", `${errors[0]?.path}: ${errors[0]?.message}`, { errors });
  return { values, shown: show(vendor, values), endpoint };
}

const waysOf = (vendor: AnyVendor, values: FieldValues) => {
  const declared = vendor.auth(values);
  return declared.kind === "by_call" ? Object.values(declared.ways) : [declared];
};

/** Hosts that a person named and that get to see credentials; the vendor's own are not among them. */
function namedHosts(vendor: AnyVendor, { environment, endpoint, values }: Stored): string[] {
  const entered = new Set<unknown>(Object.values(values));
  const isOpen = vendor.environments[environment]?.hosts?.some((host) => /^\*(?::|$)/.test(host));
  return waysOf(vendor, values)
    .flatMap((auth) => {
      const { tokenUrl, revokeUrl } = { tokenUrl: undefined, revokeUrl: undefined, ...auth };
      // A sign-in's tokens are bound to their address, where nothing else is sent or discovered.
      const isBound =
        auth.kind === "authorization_code" && !!auth.authorizeUrl && URL.canParse(tokenUrl ?? "");
      const servers = [tokenUrl, revokeUrl].filter((url) => entered.has(url));
      return isOpen && !isBound ? [endpoint, ...servers] : servers;
    })
    .flatMap((url) => (url && URL.parse(url)?.host) || []);
}

/** Whether `after` sends credentials to a host that a person named and that `before` did not. */
function leadsElsewhere(vendor: AnyVendor, before: Stored | undefined, after: Stored): boolean {
  const known = new Set(before && namedHosts(vendor, before));
  return namedHosts(vendor, after).some((host) => !known.has(host));
}

/** Whether a key that we hold would sign in for a host that no stored integration has named. */
export const lendsHeldKey = (vendor: AnyVendor, before: Stored | undefined, after: Stored) =>
  waysOf(vendor, after.values).some((auth) => "heldKey" in auth && auth.heldKey !== undefined) &&
  leadsElsewhere(vendor, before, after);

/**
 * A stored secret goes only where it was entered for: else whoever may test or change an integration
 * could have it sent to a server of their own, and read there what is never shown.
 */
function misdirected(
  vendor: AnyVendor,
  before: Stored,
  after: Stored,
  typed: ReadonlySet<string>,
): Issue[] {
  const kept = vendor.steps
    .flatMap(({ fields }) => Object.entries(fields))
    .flatMap(([key, { secret }]) =>
      secret && after.values[key] !== undefined && !typed.has(key) ? [key] : [],
    );
  if (!kept.length || !leadsElsewhere(vendor, before, after)) return [];
  return kept.map((key) => ({
    path: `credentials.${key}`,
    message: "Enter it again: it was given for another address",
  }));
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

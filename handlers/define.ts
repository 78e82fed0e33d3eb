import type * as z from "zod";

import type { VendorCause } from "../problem.ts";
import type { Api, Auth } from "./api.ts";
import type { CapabilityName, CapabilityParams, CapabilityResult } from "./capabilities.ts";
import type { Step, Values } from "./fields.ts";
import type { Incoming, Verifier } from "./signature.ts";

export const categories = {
  ehr: "Electronic health records",
  rcm: "Revenue cycle",
  billing: "Billing",
  claims: "Claims",
  eligibility: "Eligibility",
  payment: "Payments",
  era: "Remittance (ERA)",
  "hl7-fhir": "HL7 and FHIR",
  laboratory: "Laboratory",
  pharmacy: "Pharmacy",
  imaging: "Imaging",
  inventory: "Inventory",
  erp: "ERP",
  crm: "CRM",
  telehealth: "Telehealth",
  ai: "AI",
  communication: "Communication",
  analytics: "Analytics",
  custom: "Custom",
} as const;
export type Category = keyof typeof categories;

/** The marketplace's tabs; "All" holds every category. */
export const areas = {
  Clinical: ["ehr", "hl7-fhir", "laboratory", "pharmacy", "imaging", "telehealth"],
  Financial: ["rcm", "billing", "claims", "eligibility", "payment", "era"],
  Operations: ["inventory", "erp", "crm", "communication"],
  Technology: ["ai", "analytics", "custom"],
} as const satisfies Record<string, readonly Category[]>;
export type Area = keyof typeof areas;

export const environmentNames = ["sandbox", "production"] as const;
export type EnvironmentName = (typeof environmentNames)[number];

/**
 * Where an environment lives. `baseUrl` may name fields: `https://{instance}.example.com`.
 * Without one the tenant supplies it as `api_endpoint`, which must match a host in `hosts`
 * (`*.example.com` matches one or more labels, `*` any public host).
 */
export type Environment =
  | { baseUrl: string; hosts?: readonly string[] }
  | { baseUrl?: undefined; hosts: readonly string[]; example: `https://${string}` };

/** One request and reply of an operation's example, in the order in which they happen. */
export type Exchange = {
  /** `POST /v1/customers`, or with a host: `GET https://lookups.twilio.com/v2/PhoneNumbers/+1`. */
  request: string;
  status?: number;
  headers?: Readonly<Record<string, string>>;
  /** JSON, or text where it is a string. */
  reply: unknown;
};

export type Operation<
  P extends z.ZodObject = z.ZodObject,
  R extends z.ZodType = z.ZodType,
  // oxlint-disable-next-line typescript/no-explicit-any -- contravariant: `never` here would refuse every vendor
  C = any,
> = {
  title: string;
  description?: string;
  effect: "read" | "write";
  /** A write that the vendor itself makes repeatable (PUT of a whole record), so that retries are safe. */
  idempotent?: boolean;
  capability?: CapabilityName;
  params: P;
  result: R;
  /** The vendor's header for an idempotency key, where it has one. */
  idempotencyHeader?: string;
  /** `run` may answer with a byte stream, which is passed on as it comes. */
  streams?: boolean;
  example: { params: z.input<P>; wire: readonly Exchange[]; result: z.output<R> };
  run: (api: Api, params: z.output<P>, values: C) => Promise<z.input<R> | Response>;
};

type Fits<P extends z.ZodObject, R extends z.ZodType, K extends CapabilityName> = {
  capability: K;
  params: CapabilityParams<K> extends z.input<P> ? P : never;
  result: z.output<R> extends CapabilityResult<K> ? R : never;
};

/**
 * Declares an operation. With a `capability`, its params must accept what the capability's
 * contract sends, and its result must be what the contract promises: else this does not compile.
 */
export function operation<
  P extends z.ZodObject,
  R extends z.ZodType,
  K extends CapabilityName,
  C = unknown,
>(declared: Omit<Operation<P, R, C>, "capability"> & Fits<P, R, K>): Operation<P, R, C>;
export function operation<P extends z.ZodObject, R extends z.ZodType, C = unknown>(
  declared: Omit<Operation<P, R, C>, "capability"> & { capability?: undefined },
): Operation<P, R, C>;
export function operation(declared: object) {
  return declared;
}

export type WebhookEvent = {
  /** The vendor's id of the event, the same on every retry; without one the body's hash serves. */
  id?: string | undefined;
  type: string;
  /** The vendor's time of the event, ISO 8601. */
  occurredAt?: string | undefined;
};

export type Webhooks<C> = {
  verify: Verifier<C>;
  /** The field that holds the signing secret or public key. Absent where the vendor signs nothing. */
  secretField?: keyof C & string;
  /**
   * Answers a question that the vendor does not sign: it runs before `verify`, so it may neither
   * compute with the signing secret nor believe what is asked. Undefined: no such question.
   */
  challenge?: (incoming: Incoming, values: C) => Response | undefined;
  /** Answers a question that is signed as events are. Undefined: the request is an event. */
  handshake?: (
    incoming: Incoming,
    values: C,
  ) => Promise<Response | undefined> | Response | undefined;
  /** Reads the events out of a verified request; several where the vendor batches. */
  events: (incoming: Incoming, values?: C) => readonly WebhookEvent[];
  /** Names the vendor sends, for the docs and the destination filters. */
  types: readonly string[];
  /** Those of `types` that tell of something gone wrong: the activity shows them as failures. */
  failures?: readonly string[];
  /** How to switch webhooks on at the vendor; `{url}` is this integration's own address. */
  setup: readonly [string, ...string[]];
  /** What the vendor wants as acknowledgement; default is 200 with `{"received":true}`. */
  reply?: () => Response;
  /** The vendor signs nothing: the event is only a hint, and this reads the object back through the API. */
  confirm?: (api: Api, event: WebhookEvent, incoming: Incoming) => Promise<boolean>;
};

export type Tested = {
  /** Who the vendor says that we are: account name, tenant, practice. */
  account: string;
  /** What was proved, in the order in which it was: "token issued", "patient search allowed". */
  checked: readonly [string, ...string[]];
};

export type Vendor<S extends readonly Step[] = readonly Step[], C = Values<S>> = {
  name: string;
  /** Ids under which it was known before, as EHRConnect's stored rows may have them: `cerner`. */
  aliases?: readonly string[];
  category: Category;
  /** More categories under which it is listed. */
  alsoIn?: readonly Category[];
  description: string;
  website: `https://${string}`;
  documentation: `https://${string}`;
  keywords: readonly string[];
  featured?: boolean;
  /** A `simple-icons` slug; without one the initials are drawn. */
  icon?: string;
  /** `self-serve`: anybody can get credentials. `partner`: only by contract; says with whom and what it takes. */
  access: { kind: "self-serve" } | { kind: "partner"; contact: `https://${string}`; takes: string };
  environments: { readonly [E in EnvironmentName]?: Environment };
  /** Other hosts that operations call with an absolute URL. */
  hosts?: readonly string[];
  steps: S;
  /**
   * Keys that EHRConnect's earlier web client sends: the field each is now, `api_endpoint`, or null
   * where it no longer means anything. Any other unknown key is refused.
   */
  formerly?: Readonly<Record<string, string | null>>;
  auth: (values: C) => Auth;
  /** Headers of every request, such as a pinned API version. */
  headers?: (values: C) => Readonly<Record<string, string>>;
  /** Reads the vendor's error reply where status alone does not say it. Undefined leaves the default. */
  failure?: (reply: FailedReply) => Failure | undefined;
  /** The cheapest authenticated read. Refuses credentials that belong to the other environment. */
  test: (api: Api, values: C, environment: EnvironmentName) => Promise<Tested>;
  operations: Readonly<Record<string, Operation<z.ZodObject, z.ZodType, C>>>;
  /** `webhookToken` is the unguessable part of this integration's webhook address, `?token=`. */
  webhooks?: Webhooks<C & { webhookToken: string }>;
  /** What the vendor publishes, per integration. */
  rateLimit?: { requests: number; perSeconds: number };
  links?: readonly { title: string; url: `https://${string}` }[];
};

export type FailedReply = { status: number; headers: Headers; body: unknown };
export type Failure = {
  cause?: VendorCause;
  /** The vendor's code, shown; never its free text, which may hold PHI. */
  code?: string;
  /** Our own sentence about that code. */
  message?: string;
  retryAfter?: number;
};

/** A vendor whose fields are not known: what the registry, the API and the tests hold. */
// oxlint-disable-next-line typescript/no-explicit-any -- the fields of 100 vendors have no common type; values are parsed by parseFields first
export type AnyVendor = Vendor<readonly Step[], any>;

export const defineVendor = <const S extends readonly Step[]>(vendor: Vendor<S>): Vendor<S> =>
  vendor;

/** `basic`, `client_credentials`…: evaluated on the example values, since it may depend on them. */
export function exampleValues(vendor: AnyVendor): Record<string, string | number | boolean> {
  const values: Record<string, string | number | boolean> = {};
  for (const step of vendor.steps) {
    const later = new Set(step.oneOf?.slice(1).flatMap((group) => group.fields));
    for (const [key, field] of Object.entries(step.fields)) {
      const { dependsOn } = field;
      if (later.has(key) || field.type === "oauth") continue;
      if (dependsOn && values[dependsOn.field] !== dependsOn.equals) continue;
      values[key] = field.example;
    }
  }
  return values;
}

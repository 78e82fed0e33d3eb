import * as z from "zod";

import type { Auth } from "./api.ts";
import {
  type AnyVendor,
  type Area,
  areas,
  type Category,
  environmentNames,
  exampleValues,
} from "./define.ts";
import type { FieldSpec } from "./fields.ts";

/** What the marketplace shows of a vendor: public, and all that the site bundles of it. */
export type VendorCard = {
  id: string;
  name: string;
  category: Category;
  also_in: readonly Category[];
  areas: Area[];
  description: string;
  website: string;
  documentation: string;
  keywords: readonly string[];
  featured: boolean;
  icon: string | null;
  access: AnyVendor["access"];
  environments: ("sandbox" | "production")[];
  authentication: string;
  capabilities: string[];
  operation_count: number;
  webhooks: boolean;
};

export type FieldView = FieldSpec & { key: string };
export type StepView = {
  id: string;
  title: string;
  description: string | null;
  fields: FieldView[];
  one_of: readonly { label: string; fields: readonly string[] }[];
};
export type OperationView = {
  id: string;
  title: string;
  description: string | null;
  effect: "read" | "write";
  capability: string | null;
  streams: boolean;
  /** JSON Schema 2020-12. */
  params: unknown;
  result: unknown;
  example: { params: unknown; result: unknown };
};
export type VendorDetail = VendorCard & {
  environment_details: {
    name: "sandbox" | "production";
    base_url: string | null;
    /** Set where the tenant must supply `api_endpoint`. */
    endpoint_example: string | null;
    hosts: readonly string[];
  }[];
  steps: StepView[];
  operations: OperationView[];
  webhook: {
    scheme: string;
    types: readonly string[];
    setup: readonly string[];
    secret_field: string | null;
  } | null;
  rate_limit: { requests: number; per_seconds: number } | null;
  links: readonly { title: string; url: string }[];
};

const authentication = {
  none: "None",
  basic: "HTTP Basic",
  bearer: "Bearer token",
  header: "API key",
  query: "API key in the query",
  client_credentials: "OAuth 2.0 client credentials",
  authorization_code: "OAuth 2.0 authorization code",
  private_key_jwt: "SMART Backend Services",
  signed_jwt: "Signed JWT",
  session: "Session sign-in",
  aws_sigv4: "AWS Signature V4",
  in_body: "Credentials in each request's body",
} as const;

function authenticationOf(auth: Auth): string {
  if (auth.kind !== "by_call") return authentication[auth.kind];
  return [...new Set(Object.values(auth.ways).map(authenticationOf))].join(" and ");
}

export function vendorAreas(vendor: { category: Category; alsoIn?: readonly Category[] }): Area[] {
  const own: readonly Category[] = [vendor.category, ...(vendor.alsoIn ?? [])];
  return (Object.keys(areas) as Area[]).filter((area) =>
    (areas[area] as readonly Category[]).some((category) => own.includes(category)),
  );
}

export function vendorCard(id: string, vendor: AnyVendor): VendorCard {
  const capabilities = Object.values(vendor.operations).flatMap((o) => o.capability ?? []);
  return {
    id,
    name: vendor.name,
    category: vendor.category,
    also_in: vendor.alsoIn ?? [],
    areas: vendorAreas(vendor),
    description: vendor.description,
    website: vendor.website,
    documentation: vendor.documentation,
    keywords: vendor.keywords,
    featured: vendor.featured ?? false,
    icon: vendor.icon ?? null,
    access: vendor.access,
    environments: environmentNames.filter((name) => vendor.environments[name]),
    authentication: authenticationOf(vendor.auth(exampleValues(vendor))),
    capabilities: [...new Set(capabilities)],
    operation_count: Object.keys(vendor.operations).length,
    webhooks: vendor.webhooks !== undefined,
  };
}

const schema = (type: z.ZodType, io: "input" | "output") =>
  z.toJSONSchema(type, { io, unrepresentable: "any" });

export function operationViews(vendor: AnyVendor): OperationView[] {
  return Object.entries(vendor.operations).map(([id, operation]) => ({
    id,
    title: operation.title,
    description: operation.description ?? null,
    effect: operation.effect,
    capability: operation.capability ?? null,
    streams: operation.streams ?? false,
    params: schema(operation.params, "input"),
    result: schema(operation.result, "output"),
    example: { params: operation.example.params, result: operation.example.result },
  }));
}

export function vendorDetail(id: string, vendor: AnyVendor): VendorDetail {
  return {
    ...vendorCard(id, vendor),
    environment_details: environmentNames.flatMap((name) => {
      const environment = vendor.environments[name];
      if (!environment) return [];
      return {
        name,
        base_url: environment.baseUrl ?? null,
        endpoint_example: environment.baseUrl === undefined ? environment.example : null,
        hosts: environment.hosts ?? [],
      };
    }),
    steps: vendor.steps.map((step) => ({
      id: step.id,
      title: step.title,
      description: step.description ?? null,
      fields: Object.entries(step.fields).map(([key, field]) => ({ key, ...field })),
      one_of: step.oneOf ?? [],
    })),
    operations: operationViews(vendor),
    webhook: vendor.webhooks
      ? {
          scheme: vendor.webhooks.verify.scheme,
          types: vendor.webhooks.types,
          setup: vendor.webhooks.setup,
          secret_field: vendor.webhooks.secretField ?? null,
        }
      : null,
    rate_limit: vendor.rateLimit
      ? { requests: vendor.rateLimit.requests, per_seconds: vendor.rateLimit.perSeconds }
      : null,
    links: vendor.links ?? [],
  };
}

import * as z from "zod";

type Schema = {
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  default?: unknown;
  format?: string;
  minLength?: number;
  minimum?: number;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  items?: Schema;
  prefixItems?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  $ref?: string;
};

const formats: Record<string, string> = {
  "date-time": "2026-11-23T12:00:00Z",
  date: "2026-11-23",
  time: "12:00:00",
  email: "clinic@example.com",
  uri: "https://vendor.example/",
  uuid: "00000000-0000-4000-8000-000000000001",
  ipv4: "192.0.2.1",
};

function sampleOf(schema: Schema): unknown {
  if ("const" in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  if ("default" in schema) return schema.default;
  const [choice] = (schema.anyOf ?? schema.oneOf ?? []).filter(({ type }) => type !== "null");
  if (choice) return sampleOf(choice);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map(sampleOf)) as unknown;
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case "object": {
      const names = schema.required ?? [];
      return Object.fromEntries(
        names.map((name) => [name, sampleOf(schema.properties?.[name] ?? {})]),
      );
    }
    case "array":
      return schema.prefixItems?.map(sampleOf) ?? [sampleOf(schema.items ?? {})];
    case "integer":
    case "number":
      return Math.max(schema.minimum ?? 1, 1);
    case "boolean":
      return true;
    case "string":
      return formats[schema.format ?? ""] ?? "simulated".padEnd(schema.minLength ?? 0, "0");
    default:
      return null;
  }
}

/** The least that a reply of this shape holds. */
export const sample = (schema: z.ZodType): unknown =>
  sampleOf(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Schema);

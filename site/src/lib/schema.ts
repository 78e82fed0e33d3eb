/** The part of JSON Schema 2020-12 that operations use. */
export type JsonSchema = {
  type?: string | readonly string[];
  title?: string;
  description?: string;
  properties?: Record<string, JsonSchema>;
  required?: readonly string[];
  items?: JsonSchema;
  enum?: readonly (string | number | boolean)[];
  const?: unknown;
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  minLength?: number;
  maxLength?: number;
  anyOf?: readonly JsonSchema[];
  default?: unknown;
};

/** The schema without `null`, which a form says by leaving the field empty. */
function plain(schema: JsonSchema): JsonSchema & { type?: string } {
  const { type, anyOf, ...rest } = schema;
  const arms = anyOf?.filter((arm) => arm.type !== "null");
  if (arms?.length === 1 && arms[0]) return plain({ ...rest, ...arms[0] });
  const types = typeof type === "string" ? [type] : (type ?? []).filter((each) => each !== "null");
  const [only] = types;
  if (arms) return { ...rest, anyOf: arms };
  if (types.length > 1) return { ...rest, anyOf: types.map((each) => ({ type: each })) };
  return only === undefined ? rest : { ...rest, type: only };
}

/** `string (date)`, `"a" | "b"`, `list of string`: for people. */
export function typeText(from: JsonSchema): string {
  const schema = plain(from);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf) return schema.anyOf.map(typeText).join(" | ");
  if (schema.type === "array") return `list of ${typeText(schema.items ?? {})}`;
  if (!schema.type) return "any";
  return schema.format ? `${schema.type} (${schema.format})` : schema.type;
}

export function limitsText({ minimum, maximum, minLength, maxLength }: JsonSchema): string {
  const unsafe = (value: number | undefined) =>
    value === undefined || Math.abs(value) >= Number.MAX_SAFE_INTEGER;
  const between = (low: number | undefined, high: number | undefined, unit: string) => {
    if (unsafe(low) && unsafe(high)) return "";
    if (unsafe(high)) return `at least ${low}${unit}`;
    if (unsafe(low)) return `at most ${high}${unit}`;
    if (low === high) return `${low}${unit}`;
    return `${low} to ${high}${unit}`;
  };
  // That something required is not empty goes without saying.
  const least = minLength === 1 ? undefined : minLength;
  return between(minimum, maximum, "") || between(least, maxLength, " characters");
}

export type Property = { name: string; schema: JsonSchema; required: boolean };

export const propertiesOf = (schema: unknown): Property[] => {
  const { properties = {}, required = [] } = (schema ?? {}) as JsonSchema;
  return Object.entries(properties).map(([name, each]) => ({
    name,
    schema: each,
    required: required.includes(name) && each.default === undefined,
  }));
};

export type Input = "text" | "longtext" | "date" | "number" | "choice" | "yesno" | "list" | "json";

export function inputOf(from: JsonSchema): Input {
  const schema = plain(from);
  if (schema.enum) return "choice";
  switch (schema.type) {
    case "string":
      if (schema.format === "date") return "date";
      return (schema.maxLength ?? 0) > 300 ? "longtext" : "text";
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "yesno";
    case "array":
      return schema.items?.type === "string" && !schema.items.enum ? "list" : "json";
    default:
      return "json";
  }
}

export const choicesOf = (schema: JsonSchema) => plain(schema).enum ?? [];

export type Typed = Record<string, string>;

/** What was typed, as params; what is empty is left out. The server has the last word on them. */
export function paramsOf(
  schema: unknown,
  typed: Typed,
): {
  params: Record<string, unknown>;
  complaints: Record<string, string>;
} {
  const params: Record<string, unknown> = {};
  const complaints: Record<string, string> = {};
  for (const { name, schema: each, required } of propertiesOf(schema)) {
    const text = typed[name]?.trim() ?? "";
    if (!text) {
      if (required) complaints[name] = "This is required";
      continue;
    }
    switch (inputOf(each)) {
      case "number":
        if (Number.isFinite(Number(text))) params[name] = Number(text);
        else complaints[name] = "This must be a number";
        break;
      case "yesno":
        params[name] = text === "true";
        break;
      case "list":
        params[name] = text.split("\n").flatMap((line) => line.trim() || []);
        break;
      case "choice":
        params[name] = choicesOf(each).find((choice) => String(choice) === text);
        break;
      case "json":
        try {
          params[name] = JSON.parse(text);
        } catch {
          complaints[name] = "This must be JSON";
        }
        break;
      default:
        params[name] = typed[name];
    }
  }
  return { params, complaints };
}

/** The other way around: an example's params, as they would be typed. */
export function typedOf(schema: unknown, params: unknown): Typed {
  const given = (params ?? {}) as Record<string, unknown>;
  return Object.fromEntries(
    propertiesOf(schema).flatMap(({ name, schema: each }) => {
      const value = given[name];
      if (value === undefined) return [];
      const input = inputOf(each);
      if (input === "list" && Array.isArray(value)) return [[name, value.join("\n")]];
      return [[name, input === "json" ? JSON.stringify(value, null, 2) : String(value)]];
    }),
  );
}

/**
 * Credential and configuration fields: how they are declared, and the one validation that the
 * wizard in the browser and the API both run. No dependency, since it ships to the browser.
 */
export type FieldType =
  | "text"
  | "password"
  | "url"
  | "email"
  | "number"
  | "select"
  | "textarea"
  | "checkbox"
  | "oauth";

export type FieldValue = string | number | boolean;

type Options = {
  label: string;
  placeholder?: string;
  /** Where to find the value, for a person who looks at the vendor's console. */
  help: string;
  helpUrl?: `https://${string}`;
  /** Default true; a field with `dependsOn` or in a `oneOf` group is required only when it applies. */
  required?: boolean;
  /** Never shown again once stored. Default true for `password`, else false. */
  secret?: boolean;
  /** JavaScript regular expression source, anchored by the declaration itself. */
  pattern?: string;
  /** Shown when `pattern`, `min` or `max` is not met. */
  message?: string;
  /** Length of a text, or the value of a number. */
  min?: number;
  max?: number;
  dependsOn?: { field: string; equals: FieldValue };
  /** A value that passes, used by the contract tests, the simulator and the demo. */
  example: FieldValue;
};

export type FieldSpec = Options & {
  type: FieldType;
  required: boolean;
  secret: boolean;
  default?: FieldValue;
  options?: readonly { value: string; label: string }[];
};

declare const valueType: unique symbol;
export type Field<V> = FieldSpec & { readonly [valueType]?: V };

type Maybe<O, V> = O extends { default: FieldValue }
  ? O extends { dependsOn: object }
    ? V | undefined
    : V
  : O extends { required: false } | { dependsOn: object }
    ? V | undefined
    : V;
type TextOptions = Options & { example: string; default?: string };

const make =
  (type: FieldType, secret = false) =>
  <const O extends TextOptions>(options: O): Field<Maybe<O, string>> => ({
    required: true,
    secret,
    ...options,
    type,
  });

export const text = make("text");
export const password = make("password", true);
export const url = make("url");
export const email = make("email");
export const textarea = make("textarea");

export const number = <const O extends Options & { example: number; default?: number }>(
  options: O,
): Field<Maybe<O, number>> => ({ required: true, secret: false, ...options, type: "number" });

export const checkbox = (
  options: Options & { example: boolean; default?: boolean },
): Field<boolean> => ({
  default: false,
  secret: false,
  ...options,
  required: false,
  type: "checkbox",
});

export const select = <
  const V extends string,
  const O extends Options & {
    options: readonly { value: V; label: string }[];
    example: NoInfer<V>;
    default?: NoInfer<V>;
  },
>(
  options: O & { options: readonly { value: V; label: string }[] },
): Field<Maybe<O, V>> => ({ required: true, secret: false, ...options, type: "select" });

/** "Connect with …": the value is written by the OAuth callback, never typed. */
export const oauth = (options: Omit<Options, "example" | "required">): Field<undefined> => ({
  secret: false,
  ...options,
  example: "",
  required: false,
  type: "oauth",
});

export type Step = {
  id: string;
  title: string;
  description?: string;
  fields: Readonly<Record<string, Field<unknown>>>;
  /**
   * Exactly one of these groups of fields must be filled; the wizard draws them as a choice. A group
   * whose fields do not apply is not offered.
   */
  oneOf?: readonly { label: string; fields: readonly string[] }[];
};

type Simplify<T> = { [K in keyof T]: T[K] };
type Intersect<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void
  ? I
  : never;
type ValueOf<F> = F extends Field<infer V> ? V : never;
type InGroup<S> = S extends { oneOf: readonly { fields: readonly (infer K)[] }[] } ? K : never;
type StepValues<S extends Step> = {
  [K in keyof S["fields"]]: K extends InGroup<S>
    ? ValueOf<S["fields"][K]> | undefined
    : ValueOf<S["fields"][K]>;
};
/** The values of a vendor's fields, as its `auth`, `test` and webhook functions receive them. */
export type Values<S extends readonly Step[]> = Simplify<
  Intersect<{ [I in keyof S]: StepValues<S[I]> }[number]>
>;

export type FieldValues = Record<string, FieldValue>;
export type FieldIssue = { path: string; message: string };

/** What the existing web client sends for a field that is not set. */
const isUnset = (value: unknown) => value === undefined || value === null || value === "";

function applies(field: FieldSpec, values: Readonly<Record<string, unknown>>) {
  return !field.dependsOn || values[field.dependsOn.field] === field.dependsOn.equals;
}

function normalize(field: FieldSpec, value: unknown): unknown {
  if (typeof value === "string" && field.type !== "textarea" && field.type !== "password")
    value = value.trim();
  if (isUnset(value)) return field.default;
  if (field.type === "number" && typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value))
    return Number(value);
  if (field.type === "checkbox" && (value === "true" || value === "false")) return value === "true";
  return value;
}

function isHttps(value: string) {
  const parsed = URL.parse(value);
  return parsed !== null && parsed.protocol === "https:" && !parsed.username && !parsed.password;
}

const dots = "••••";

function complaint(field: FieldSpec, value: unknown): string | undefined {
  const { label, message, min, max } = field;
  if (field.type === "oauth") return `${label} is done in the browser: it takes no value`;
  if (field.type === "checkbox")
    return typeof value === "boolean" ? undefined : `${label} must be true or false`;
  if (field.type === "number") {
    if (typeof value !== "number" || !Number.isFinite(value)) return `${label} must be a number`;
    if ((min !== undefined && value < min) || (max !== undefined && value > max))
      return message ?? `${label} must be between ${min ?? "−∞"} and ${max ?? "∞"}`;
    return undefined;
  }
  if (typeof value !== "string") return `${label} must be text`;
  if (value.startsWith(dots))
    return `Enter ${label} whole: what is behind its dots is not known here`;
  if (value.length > (max ?? 20_000)) return message ?? `${label} is too long`;
  if (min !== undefined && value.length < min)
    return message ?? `${label} needs at least ${min} characters`;
  if (field.type === "select" && !field.options?.some((option) => option.value === value))
    return `${label} must be one of ${field.options?.map((option) => option.value).join(", ")}`;
  if (field.type === "url" && !isHttps(value)) return message ?? `${label} must be an https:// URL`;
  if (field.type === "email" && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value))
    return message ?? `${label} must be an email address`;
  // A control character in a credential would break out of the header that carries it.
  // eslint-disable-next-line no-control-regex -- that is what is looked for
  if (field.type !== "textarea" && /[\u0000-\u001f\u007f]/.test(value))
    return `${label} must be a single line`;
  if (field.pattern && !new RegExp(field.pattern, "u").test(value))
    return message ?? `${label} does not have the right form`;
  return undefined;
}

/** Checks one step or all: the browser calls it a step at a time, the API with all of them. */
export function parseFields(
  steps: readonly Step[],
  input: Readonly<Record<string, unknown>>,
  prefix = "",
): { values: FieldValues; issues: FieldIssue[] } {
  const fields = Object.assign({}, ...steps.map((step) => step.fields)) as Record<
    string,
    FieldSpec
  >;
  const issues: FieldIssue[] = [];
  const complain = (key: string, message: string) => issues.push({ path: prefix + key, message });

  for (const key of Object.keys(input))
    if (!Object.hasOwn(fields, key)) complain(key, `There is no field named ${key}`);

  const given: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(fields)) {
    const value = normalize(field, Object.hasOwn(input, key) ? input[key] : undefined);
    if (!isUnset(value)) given[key] = value;
  }
  const grouped = new Set<string>();
  for (const { oneOf: groups } of steps) {
    if (!groups) continue;
    for (const group of groups) for (const key of group.fields) grouped.add(key);
    const oneOf = groups.filter((group) =>
      group.fields.every((key) => fields[key] && applies(fields[key], given)),
    );
    const started = oneOf.filter((group) => group.fields.some((key) => !isUnset(given[key])));
    const chosen = oneOf.find((group) =>
      group.fields.every((key) => !isUnset(given[key]) || !fields[key]?.required),
    );
    if (chosen && started.includes(chosen)) continue;
    const [group] = started.length ? started : oneOf;
    for (const key of group?.fields ?? [])
      if (isUnset(given[key]) && fields[key]?.required)
        complain(
          key,
          started.length
            ? `${fields[key].label} is required`
            : `Give one of: ${oneOf.map(({ label }) => label).join(", ")}`,
        );
  }

  const values: FieldValues = {};
  for (const [key, field] of Object.entries(fields)) {
    if (!applies(field, given)) continue;
    const value = given[key];
    if (value === undefined) {
      if (field.required && !grouped.has(key)) complain(key, `${field.label} is required`);
      continue;
    }
    const message = complaint(field, value);
    if (message) complain(key, message);
    else values[key] = value as FieldValue;
  }
  return { values, issues };
}

/** What a stored secret reads back as; sent back unchanged it keeps its value. */
export const mask = (secret: string) => `${dots}${secret.length >= 12 ? secret.slice(-4) : ""}`;
export const isMask = (value: unknown) =>
  typeof value === "string" && value.startsWith(dots) && value.length <= dots.length + 4;

import type { FieldView, StepView, VendorDetail } from "../../../handlers/catalog.ts";
import {
  type FieldSpec,
  type FieldValue,
  type FieldValues,
  isMask,
  parseFields,
  type Step,
} from "../../../handlers/fields.ts";
import { whyRefused } from "../../../handlers/outbound.ts";
import type { EnvironmentName } from "./api.ts";

/** What is in the form: texts as typed, so that a half-written number stays as it is. */
export type Entered = Record<string, FieldValue>;
/** Which `one_of` group of each step is chosen. */
export type Chosen = Record<string, number>;
/** By field key; `api_endpoint` and `environment` too. */
export type Complaints = Record<string, string>;

export function startingValues(steps: readonly StepView[], stored: Entered = {}): Entered {
  const values: Entered = {};
  for (const { key, ...field } of steps.flatMap((step) => step.fields)) {
    const value = stored[key] ?? field.default;
    if (value !== undefined) values[key] = value;
  }
  return values;
}

export function startingChoices(steps: readonly StepView[], values: Entered): Chosen {
  return Object.fromEntries(
    steps.map((step) => {
      const filled = step.one_of.findIndex((group) => group.fields.some((key) => values[key]));
      return [step.id, Math.max(0, filled)];
    }),
  );
}

const inOtherGroup = (step: StepView, chosen: Chosen, key: string) =>
  step.one_of.some((group, at) => at !== (chosen[step.id] ?? 0) && group.fields.includes(key)) &&
  !step.one_of[chosen[step.id] ?? 0]?.fields.includes(key);

const given = (field: FieldSpec | undefined, value: FieldValue | undefined) =>
  field?.type === "number" && typeof value === "string" && value.trim() ? Number(value) : value;

/** The fields that apply now: of the chosen group, with what they depend on met. */
export function fieldsShown(
  step: StepView,
  steps: readonly StepView[],
  values: Entered,
  chosen: Chosen,
): FieldView[] {
  const all = new Map(steps.flatMap((each) => each.fields.map((field) => [field.key, field])));
  return step.fields.filter((field) => {
    if (inOtherGroup(step, chosen, field.key)) return false;
    const { dependsOn } = field;
    if (!dependsOn) return true;
    const on = all.get(dependsOn.field);
    return given(on, values[dependsOn.field] ?? on?.default) === dependsOn.equals;
  });
}

/** The steps as `parseFields` takes them, with only the chosen group of each choice. */
const parsable = (steps: readonly StepView[], chosen: Chosen): Step[] =>
  steps.map((step) => ({
    id: step.id,
    title: step.title,
    fields: Object.fromEntries(
      step.fields
        .filter((field) => !inOtherGroup(step, chosen, field.key))
        .map(({ key, ...field }) => [key, field]),
    ),
  }));

type Form = { steps: readonly StepView[]; values: Entered; chosen: Chosen };

/** The values to send, and what is wrong. A mask stands for a stored secret and is always right. */
export function parseForm({ steps, values, chosen }: Form): {
  credentials: FieldValues;
  complaints: Complaints;
} {
  const parsed = parsable(steps, chosen);
  const keys = new Set(parsed.flatMap((step) => Object.keys(step.fields)));
  const input = Object.fromEntries(Object.entries(values).filter(([key]) => keys.has(key)));
  const { values: credentials, issues } = parseFields(parsed, input);
  const complaints: Complaints = {};
  for (const { path, message } of issues) {
    const value = values[path];
    if (isMask(value) && value !== undefined) credentials[path] = value;
    else complaints[path] ??= message;
  }
  return { credentials, complaints };
}

/** What an edit has to send: what differs, and "" for what is no longer set. */
export function changedCredentials(stored: Entered, now: FieldValues): FieldValues {
  const changed: FieldValues = {};
  for (const [key, value] of Object.entries(now)) if (stored[key] !== value) changed[key] = value;
  for (const key of Object.keys(stored)) if (!(key in now)) changed[key] = "";
  return changed;
}

export function endpointComplaint(
  vendor: VendorDetail,
  environment: EnvironmentName,
  endpoint: string,
): string | undefined {
  const details = vendor.environment_details.find(({ name }) => name === environment);
  if (!details?.endpoint_example) return undefined;
  if (!endpoint.trim()) return `An address is required, like ${details.endpoint_example}`;
  const refused = whyRefused(endpoint.trim(), details.hosts);
  return refused ? `The address ${refused}` : undefined;
}

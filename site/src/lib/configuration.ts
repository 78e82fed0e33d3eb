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

/** How the vendor can be signed in at: as its calls prove themselves, or by a person where that may be chosen. */
export function waysIn({ authentication, steps }: VendorDetail): string {
  const byPerson = steps.some(({ fields, one_of }) =>
    fields.some(
      ({ type, key, dependsOn }) =>
        type === "oauth" && (dependsOn ?? one_of.some((group) => group.fields.includes(key))),
    ),
  );
  return byPerson ? `${authentication}, or sign-in by a person` : authentication;
}

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

const given = (field: FieldSpec | undefined, value: FieldValue | undefined) =>
  field?.type === "number" && typeof value === "string" && value.trim() ? Number(value) : value;

type Form = { steps: readonly StepView[]; values: Entered; chosen: Chosen };

/** Whether what a field depends on is so. */
function applies({ dependsOn }: FieldView, { steps, values }: Pick<Form, "steps" | "values">) {
  if (!dependsOn) return true;
  const on = steps.flatMap((step) => step.fields).find(({ key }) => key === dependsOn.field);
  return given(on, values[dependsOn.field] ?? on?.default) === dependsOn.equals;
}

/** The groups of a step's choice that apply now, each with its place in the choice. */
export function groupsOffered(step: StepView, form: Form) {
  const isOffered = (keys: readonly string[]) =>
    step.fields.every((field) => !keys.includes(field.key) || applies(field, form));
  const offered = step.one_of.flatMap(({ label, fields }, at) =>
    isOffered(fields) ? [{ label, fields, at }] : [],
  );
  const wanted = form.chosen[step.id] ?? 0;
  const taken = offered.some(({ at }) => at === wanted) ? wanted : offered[0]?.at;
  return offered.map((group) => ({ ...group, isChosen: group.at === taken }));
}

/** The fields of a step without those of the groups that were not chosen. */
function fieldsOfChoice(step: StepView, form: Form): FieldView[] {
  const kept = groupsOffered(step, form).find(({ isChosen }) => isChosen)?.fields ?? [];
  const grouped = new Set(step.one_of.flatMap((group) => group.fields));
  return step.fields.filter(({ key }) => !grouped.has(key) || kept.includes(key));
}

/** The fields that apply now: of the chosen group, with what they depend on met. */
export const fieldsShown = (step: StepView, form: Form): FieldView[] =>
  fieldsOfChoice(step, form).filter((field) => applies(field, form));

/** The steps as `parseFields` takes them, with only the chosen group of each choice. */
const parsable = (form: Form): Step[] =>
  form.steps.map((step) => ({
    id: step.id,
    title: step.title,
    fields: Object.fromEntries(fieldsOfChoice(step, form).map(({ key, ...field }) => [key, field])),
  }));

/** The values to send, and what is wrong. A mask stands for a stored secret and is always right. */
export function parseForm(form: Form): { credentials: FieldValues; complaints: Complaints } {
  const { values } = form;
  const parsed = parsable(form);
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

import type { FieldView, StepView, VendorDetail } from "../../../handlers/catalog.ts";
import type { FieldValue } from "../../../handlers/fields.ts";
import {
  type Chosen,
  type Complaints,
  type Entered,
  fieldsShown,
  groupsOffered,
} from "../lib/configuration.ts";
import { FieldInput } from "./FieldInput.tsx";

type Props = {
  vendor: VendorDetail;
  steps: readonly StepView[];
  /** Drawn before the steps' own fields. */
  extra: FieldView | undefined;
  values: Entered;
  stored: Entered;
  chosen: Chosen;
  complaints: Complaints;
  onChoose: (step: string, group: number) => void;
  onChange: (key: string, value: FieldValue) => void;
  onBlur: (key: string) => void;
};

export function StepFields(props: Props) {
  const { vendor, steps, extra, values, chosen } = props;
  const draw = (field: FieldView) => (
    <FieldInput
      key={field.key}
      field={field}
      value={values[field.key]}
      stored={props.stored[field.key]}
      complaint={props.complaints[field.key]}
      onChange={(value) => props.onChange(field.key, value)}
      onBlur={() => props.onBlur(field.key)}
    />
  );
  return (
    <>
      {extra && draw(extra)}
      {steps.map((step) => {
        const form = { steps: vendor.steps, values, chosen };
        const shown = fieldsShown(step, form);
        const offered = groupsOffered(step, form);
        const grouped = new Set(step.one_of.flatMap((group) => group.fields));
        return (
          <div class="stack fields" key={step.id}>
            {shown.filter(({ key }) => !grouped.has(key)).map(draw)}
            {offered.length > 1 && (
              <fieldset class="field">
                <legend class="label">How to authenticate</legend>
                <div class="choice">
                  {offered.map(({ label, at, isChosen }) => (
                    <label key={label}>
                      <input
                        type="radio"
                        name={`group-${step.id}`}
                        checked={isChosen}
                        onChange={() => props.onChoose(step.id, at)}
                      />
                      <b>{label}</b>
                    </label>
                  ))}
                </div>
              </fieldset>
            )}
            {shown.filter(({ key }) => grouped.has(key)).map(draw)}
          </div>
        );
      })}
    </>
  );
}

import { useState } from "preact/hooks";

import type { FieldView } from "../../../handlers/catalog.ts";
import { type FieldValue, isMask } from "../../../handlers/fields.ts";
import { CopyField } from "./CopyField.tsx";
import { Icon } from "./Icon.tsx";
import { Prose } from "./Prose.tsx";

type Props = {
  field: FieldView;
  value: FieldValue | undefined;
  /** The mask of what is stored, while editing. */
  stored?: FieldValue | undefined;
  complaint?: string | undefined;
  onChange: (value: FieldValue) => void;
  onBlur: () => void;
};

export const fieldId = (key: string) => `field-${key}`;

export function FieldInput(props: Props) {
  const { field, value, stored, complaint } = props;
  const id = fieldId(field.key);
  if (field.type === "checkbox") return <Checkbox {...props} />;
  if (field.type === "oauth")
    return (
      <>
        <div class="note">
          <Icon name="link" />
          <div>
            <b>{field.label}</b>
            <Help field={field} id={id} />
          </div>
        </div>
        <div class="field">
          <span class="label">Redirect URL to register</span>
          <CopyField label="Redirect URL" text={`${location.origin}/oauth/callback`} />
        </div>
      </>
    );
  const kept = isMask(value) && value === stored;
  return (
    <div class="field">
      <label for={id}>
        {field.label}
        {!field.required && <span class="optional">Optional</span>}
      </label>
      {kept ? <Stored {...props} /> : <Control {...props} />}
      {complaint && (
        <p class="field-error" id={`${id}-error`}>
          <Icon name="alert" size={14} />
          {complaint}
        </p>
      )}
      <Help field={field} id={id} />
    </div>
  );
}

function Help({ field, id }: { field: FieldView; id: string }) {
  return (
    <p class="field-help" id={`${id}-help`}>
      <Prose text={field.help} />{" "}
      {field.helpUrl && (
        <a href={field.helpUrl} target="_blank" rel="noreferrer">
          Open
          <span class="hidden-text"> the page where {field.label} is found (new tab)</span> ↗
        </a>
      )}
    </p>
  );
}

const described = (field: FieldView, complaint: string | undefined) => {
  const id = fieldId(field.key);
  return {
    id,
    name: field.key,
    "aria-describedby": `${complaint ? `${id}-error ` : ""}${id}-help`,
    "aria-invalid": complaint ? ("true" as const) : undefined,
    "aria-required": field.required,
  };
};

function Stored({ field, value, complaint, onChange }: Props) {
  return (
    <div class="stored">
      <Icon name="lock" size={14} />
      <span class="mono">{String(value)}</span>
      <span class="quiet small">stored</span>
      <button
        {...described(field, complaint)}
        aria-invalid={undefined}
        aria-required={undefined}
        aria-label={`Replace ${field.label}, stored as ${String(value)}`}
        type="button"
        class="button button-quiet button-small"
        onClick={() => {
          onChange("");
          setTimeout(() => document.getElementById(fieldId(field.key))?.focus());
        }}
      >
        Replace
      </button>
    </div>
  );
}

function Control(props: Props) {
  const { field, value, stored, complaint, onChange, onBlur } = props;
  const [shown, setShown] = useState(false);
  const concealed = field.secret && !shown;
  const shared = {
    ...described(field, complaint),
    value: value === undefined ? "" : String(value),
    placeholder: field.placeholder,
    autocomplete: "off",
    spellcheck: false,
    onInput: (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value),
    onBlur,
  };
  if (field.type === "select")
    return (
      <select class="input" {...shared}>
        {value === undefined && <option value="">Choose…</option>}
        {field.options?.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    );
  const look = `input${concealed && field.type === "textarea" ? " input-concealed" : ""}`;
  const types = { url: "url", email: "email", number: "text" } as const;
  const type = types[field.type as keyof typeof types] ?? (concealed ? "password" : "text");
  const box =
    field.type === "textarea" ? (
      <textarea class={look} rows={6} {...shared} />
    ) : (
      <input
        class={look}
        type={type}
        inputMode={field.type === "number" ? "decimal" : undefined}
        data-1p-ignore
        {...shared}
        autocomplete={field.secret ? "new-password" : "off"}
      />
    );
  if (!field.secret) return box;
  return (
    <>
      <div class="input-wrap">
        {box}
        <button
          type="button"
          class="button button-quiet reveal"
          aria-label={`${shown ? "Hide" : "Show"} ${field.label}`}
          aria-pressed={shown}
          onClick={() => setShown(!shown)}
        >
          <Icon name={shown ? "eye-off" : "eye"} />
        </button>
      </div>
      {stored !== undefined && (
        <button type="button" class="button-link small" onClick={() => onChange(stored)}>
          Keep the stored value
        </button>
      )}
    </>
  );
}

function Checkbox({ field, value, complaint, onChange, onBlur }: Props) {
  const id = fieldId(field.key);
  return (
    <div class="field">
      <label class="check">
        <input
          {...described(field, complaint)}
          type="checkbox"
          checked={value === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
          onBlur={onBlur}
        />
        <span>
          {field.label}
          <Help field={field} id={id} />
        </span>
      </label>
      {complaint && (
        <p class="field-error" id={`${id}-error`}>
          {complaint}
        </p>
      )}
    </div>
  );
}

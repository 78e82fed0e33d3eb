import { isMask } from "../../../handlers/fields.ts";
import { Icon } from "./Icon.tsx";

export type HeaderLine = { name: string; value: string };
type Props = {
  lines: readonly HeaderLine[];
  onChange: (lines: HeaderLine[]) => void;
  complaint: string | undefined;
};

/** Headers of the tenant's own that go out with each delivery, such as one that authenticates us. */
export function HeaderFields({ lines, onChange, complaint }: Props) {
  const change = (at: number, changed: Partial<HeaderLine>) =>
    onChange(lines.map((line, index) => (index === at ? { ...line, ...changed } : line)));
  return (
    <fieldset class="field">
      <legend class="label">
        Headers<span class="optional">Optional</span>
      </legend>
      {lines.map((line, at) => (
        <div class="header-line" key={at}>
          <input
            id={at === 0 ? "destination-headers" : undefined}
            class="input"
            aria-label={`Header ${at + 1}: name`}
            placeholder="authorization"
            autocomplete="off"
            value={line.name}
            onInput={(event) => change(at, { name: event.currentTarget.value })}
          />
          <input
            class={`input ${isMask(line.value) ? "" : "input-concealed"}`}
            aria-label={`Header ${at + 1}: value`}
            placeholder="Value"
            autocomplete="off"
            value={line.value}
            onFocus={(event) => isMask(line.value) && event.currentTarget.select()}
            onInput={(event) => change(at, { value: event.currentTarget.value })}
          />
          <button
            type="button"
            class="button button-quiet button-icon"
            aria-label={`Remove header ${at + 1}`}
            onClick={() => onChange(lines.filter((_, index) => index !== at))}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
      {complaint && (
        <p class="field-error">
          <Icon name="alert" size={14} />
          {complaint}
        </p>
      )}
      <button
        type="button"
        class="button-link small"
        disabled={lines.length >= 20}
        onClick={() => onChange([...lines, { name: "", value: "" }])}
      >
        <Icon name="plus" size={14} /> Add a header
      </button>
      <p class="field-help">Sent with each delivery. Values are kept encrypted.</p>
    </fieldset>
  );
}

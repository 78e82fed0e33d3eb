import type { InputHTMLAttributes } from "preact";

import { Icon } from "../Icon.tsx";

type Props = Omit<InputHTMLAttributes<HTMLInputElement>, "onInput"> & {
  id: string;
  label: string;
  help?: string;
  complaint?: string | undefined;
  onValue: (value: string) => void;
};

export function Field({ id, label, help, complaint, onValue, ...input }: Props) {
  const note = complaint ? `${id}-error` : help ? `${id}-help` : undefined;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        class="input"
        type="text"
        aria-invalid={complaint ? "true" : undefined}
        aria-describedby={note}
        onInput={(event) => onValue(event.currentTarget.value)}
        {...input}
      />
      {complaint ? (
        <p class="field-error" id={note}>
          <Icon name="alert" size={14} />
          {complaint}
        </p>
      ) : (
        help && (
          <p class="field-help" id={note}>
            {help}
          </p>
        )
      )}
    </div>
  );
}

import { useState } from "preact/hooks";

import { addKey, type Scope, scopeTexts } from "../../lib/keys.ts";
import { CopyField } from "../CopyField.tsx";
import { Dialog } from "../Dialog.tsx";
import { Icon } from "../Icon.tsx";
import { Field } from "./Field.tsx";
import { FormDialog } from "./FormDialog.tsx";

type Props = { scopes: readonly Scope[]; onClose: () => void; onMade: () => void };

const lifetimes = [
  [7, "7 days"],
  [30, "30 days"],
  [90, "90 days"],
  [180, "180 days"],
  [366, "A year"],
] as const;

export function NewKeyDialog({ scopes, onClose, onMade }: Props) {
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<readonly Scope[]>(["integrations:read"]);
  const [days, setDays] = useState(90);
  const [made, setMade] = useState("");

  if (made)
    return (
      <Dialog label="Your new key" kind="dialog" onClose={onClose}>
        <h2>Your new key</h2>
        <div class="note note-warn">
          <Icon name="key" />
          <div>
            <b>Copy it now</b>
            <p>It is not shown again. We keep only its hash.</p>
          </div>
        </div>
        <div class="field">
          <CopyField label="API key" text={made} />
          <p class="field-help">
            Sent as <code>Authorization: Bearer …</code>
          </p>
        </div>
        <div class="dialog-actions">
          <button type="button" class="button button-primary" onClick={onClose}>
            I have copied it
          </button>
        </div>
      </Dialog>
    );
  return (
    <FormDialog
      title="New API key"
      action="Make the key"
      ready={name.trim() !== "" && chosen.length > 0}
      onClose={onClose}
      onSubmit={async () => {
        const { key } = await addKey(name.trim(), [...chosen], days);
        onMade();
        setMade(key);
      }}
    >
      <Field
        id="key-name"
        label="Name"
        help="The program that will use it."
        maxLength={100}
        value={name}
        onValue={setName}
      />
      <fieldset class="field">
        <legend>What it may do</legend>
        <div class="scope-grid">
          {scopes.map((scope) => (
            <label key={scope} class="check">
              <input
                type="checkbox"
                checked={chosen.includes(scope)}
                onChange={(event) =>
                  setChosen(
                    event.currentTarget.checked
                      ? scopes.filter((one) => one === scope || chosen.includes(one))
                      : chosen.filter((one) => one !== scope),
                  )
                }
              />
              <span>
                {scopeTexts[scope]}
                <code class="quiet">{scope}</code>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
      <div class="field">
        <label for="key-days">Expires after</label>
        <select
          id="key-days"
          class="input"
          value={String(days)}
          onChange={(event) => setDays(Number(event.currentTarget.value))}
        >
          {lifetimes.map(([value, label]) => (
            <option key={value} value={String(value)}>
              {label}
            </option>
          ))}
        </select>
      </div>
    </FormDialog>
  );
}

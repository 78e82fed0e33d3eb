import { useState } from "preact/hooks";

import { addSigningKey, type Algorithm, algorithmTexts } from "../../lib/signing-keys.ts";
import { CopyField } from "../CopyField.tsx";
import { Dialog } from "../Dialog.tsx";
import { FormDialog } from "./FormDialog.tsx";

type Props = { onClose: () => void; onMade: () => void };
type Made = Awaited<ReturnType<typeof addSigningKey>>;

export function NewSigningKeyDialog({ onClose, onMade }: Props) {
  const [algorithm, setAlgorithm] = useState<Algorithm>("RS384");
  const [made, setMade] = useState<Made>();

  if (made)
    return (
      <Dialog label="Your new signing key" kind="dialog" onClose={onClose}>
        <h2>Your new signing key</h2>
        <ol class="numbered">
          <li>Register this address at the vendor, as your app’s JWK Set URL.</li>
          <li>Enter the key ID in the integration, under “Key that we hold”.</li>
        </ol>
        <div class="field">
          <span class="label">JWK Set URL</span>
          <CopyField label="JWK Set URL" text={made.jwks_url} />
        </div>
        <div class="field">
          <span class="label">Key ID (kid)</span>
          <CopyField label="Key ID" text={made.kid} />
          <p class="field-help">Vendors keep a key set for a while: give them five minutes.</p>
        </div>
        <div class="dialog-actions">
          <button type="button" class="button button-primary" onClick={onClose}>
            Done
          </button>
        </div>
      </Dialog>
    );
  return (
    <FormDialog
      title="New signing key"
      action="Make the key"
      onClose={onClose}
      onSubmit={async () => {
        setMade(await addSigningKey(algorithm));
        onMade();
      }}
    >
      <fieldset class="field">
        <legend>Algorithm</legend>
        <div class="choice">
          {(Object.keys(algorithmTexts) as Algorithm[]).map((each) => (
            <label key={each}>
              <input
                type="radio"
                name="algorithm"
                checked={algorithm === each}
                onChange={() => setAlgorithm(each)}
              />
              <span>
                <b>{algorithmTexts[each].title}</b>
                <span class="quiet small">{algorithmTexts[each].help}</span>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
    </FormDialog>
  );
}

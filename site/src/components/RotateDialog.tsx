import { useState } from "preact/hooks";

import { type Destination, rotateSecret } from "../lib/events.ts";
import { Dialog } from "./Dialog.tsx";
import { SecretOnce } from "./SecretOnce.tsx";
import { messageOf } from "./States.tsx";

type Props = { row: Destination; onClose: () => void; onRotated: () => void };

const overlaps = [
  [0, "None: the old secret ends now"],
  [1, "1 hour"],
  [24, "24 hours"],
  [72, "3 days"],
  [168, "7 days"],
] as const;

export function RotateDialog({ row, onClose, onRotated }: Props) {
  const [hours, setHours] = useState(24);
  const [secret, setSecret] = useState("");
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);

  async function rotate() {
    setBusy(true);
    setFailure("");
    try {
      const { data } = await rotateSecret(row.id, hours);
      setSecret(data.secret);
      onRotated();
    } catch (error) {
      setFailure(messageOf(error));
    } finally {
      setBusy(false);
    }
  }

  if (secret)
    return (
      <Dialog label="New signing secret" kind="dialog" onClose={onClose}>
        <h2>New signing secret</h2>
        <SecretOnce secret={secret} />
        <div class="dialog-actions">
          <button type="button" class="button button-primary" onClick={onClose}>
            I have copied it
          </button>
        </div>
      </Dialog>
    );
  return (
    <Dialog label="Rotate the signing secret" kind="dialog" onClose={onClose}>
      <h2>Rotate the signing secret</h2>
      <p class="soft">
        Until the overlap ends, each delivery to {row.name} carries a signature of both secrets, so
        that nothing is refused while you change over.
      </p>
      <div class="field">
        <label for="overlap">Overlap</label>
        <select
          id="overlap"
          class="input"
          value={String(hours)}
          onChange={(event) => setHours(Number(event.currentTarget.value))}
        >
          {overlaps.map(([value, label]) => (
            <option key={value} value={String(value)}>
              {label}
            </option>
          ))}
        </select>
      </div>
      {failure && (
        <p class="field-error" role="alert">
          {failure}
        </p>
      )}
      <div class="dialog-actions">
        <button type="button" class="button button-plain" onClick={onClose}>
          Cancel
        </button>
        <button
          type="button"
          class="button button-primary"
          disabled={busy}
          onClick={() => void rotate()}
        >
          {busy && <span class="spinner" />}
          Make a new secret
        </button>
      </div>
    </Dialog>
  );
}

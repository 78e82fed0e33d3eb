import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { Dialog } from "./Dialog.tsx";

type Props = {
  title: string;
  action: string;
  danger?: boolean;
  onConfirm: () => Promise<void>;
  onClose: () => void;
  children: ComponentChildren;
};

/** Asks before something that cannot be undone. A failure is shown in place. */
export function Confirm({ title, action, danger = false, onConfirm, onClose, children }: Props) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  async function confirm() {
    setBusy(true);
    setFailure("");
    try {
      await onConfirm();
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  }
  return (
    <Dialog label={title} kind="dialog" role="alertdialog" onClose={onClose}>
      <h2>{title}</h2>
      <div class="soft">{children}</div>
      {failure && (
        <p class="field-error" role="alert">
          {failure}
        </p>
      )}
      <div class="dialog-actions">
        <button class="button button-plain" type="button" onClick={onClose}>
          Cancel
        </button>
        <button
          class={`button ${danger ? "button-danger" : "button-primary"}`}
          type="button"
          disabled={busy}
          onClick={() => void confirm()}
        >
          {busy && <span class="spinner" />}
          {action}
        </button>
      </div>
    </Dialog>
  );
}

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { Dialog } from "../Dialog.tsx";
import { Icon } from "../Icon.tsx";
import { messageOf } from "../States.tsx";

type Props = {
  title: string;
  action: string;
  ready?: boolean;
  danger?: boolean;
  /** Throws what is to be shown. */
  onSubmit: () => Promise<void>;
  onClose: () => void;
  children: ComponentChildren;
};

/** A dialog with a form: a failure is shown in place, and what was typed stays. */
export function FormDialog(props: Props) {
  const { title, action, ready = true, danger = false, onSubmit, onClose, children } = props;
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);

  async function submit(event: Event) {
    event.preventDefault();
    if (busy || !ready) return;
    setBusy(true);
    setFailure("");
    try {
      await onSubmit();
    } catch (error) {
      setFailure(messageOf(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <Dialog label={title} kind="dialog" onClose={onClose}>
      <form noValidate onSubmit={(event) => void submit(event)}>
        <h2>{title}</h2>
        {children}
        {failure && (
          <div class="note note-bad" role="alert">
            <Icon name="alert" />
            <p>{failure}</p>
          </div>
        )}
        <div class="dialog-actions">
          <button class="button button-plain" type="button" onClick={onClose}>
            Cancel
          </button>
          <button
            class={`button ${danger ? "button-danger" : "button-primary"}`}
            aria-disabled={busy || !ready}
          >
            {busy && <span class="spinner" />}
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

type Props = {
  label: string;
  kind: "dialog" | "drawer";
  onClose: () => void;
  /** A click beside the dialog closes it. */
  lightDismiss?: boolean;
  role?: "alertdialog";
  children: ComponentChildren;
};

/** A modal: the browser traps focus, closes on Escape, and gives focus back. */
export function Dialog({ label, kind, onClose, lightDismiss = true, role, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = ref.current;
    const opener = document.activeElement;
    dialog?.showModal();
    document.documentElement.classList.add("behind-dialog");
    return () => {
      document.documentElement.classList.remove("behind-dialog");
      const toasts = document.getElementById("toasts");
      if (toasts && dialog?.contains(toasts)) document.body.append(toasts);
      dialog?.close();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={kind}
      aria-label={label}
      role={role}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (lightDismiss && event.target === event.currentTarget && kind === "drawer") {
          const { left } = event.currentTarget.getBoundingClientRect();
          if (event.clientX < left) onClose();
        }
      }}
    >
      {children}
    </dialog>
  );
}

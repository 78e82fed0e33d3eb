type Props = { label: string; on: boolean; busy?: boolean; onChange: (on: boolean) => void };

export const Switch = ({ label, on, busy = false, onChange }: Props) => (
  <button
    type="button"
    class="switch"
    role="switch"
    aria-checked={on}
    aria-label={label}
    aria-busy={busy}
    onClick={() => !busy && onChange(!on)}
  >
    <i />
    <span aria-hidden="true">{on ? "On" : "Off"}</span>
  </button>
);

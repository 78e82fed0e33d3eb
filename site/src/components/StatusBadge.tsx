import type { Integration } from "../lib/api.ts";
import { shownStatus, statuses } from "../lib/status.ts";
import { Icon } from "./Icon.tsx";

export function StatusBadge({ row }: { row: Pick<Integration, "enabled" | "health_status"> }) {
  const { label, icon, tone } = statuses[shownStatus(row)];
  return (
    <span class={`status status-${tone}`}>
      <Icon name={icon} size={14} />
      {label}
    </span>
  );
}

import type { Integration } from "../lib/api.ts";
import { shownStatus, statuses, type Tone } from "../lib/status.ts";
import { Icon, type IconName } from "./Icon.tsx";

export const Badge = ({ label, icon, tone }: { label: string; icon: IconName; tone: Tone }) => (
  <span class={`status status-${tone}`}>
    <Icon name={icon} size={14} />
    {label}
  </span>
);

export const StatusBadge = ({ row }: { row: Pick<Integration, "enabled" | "health_status"> }) => (
  <Badge {...statuses[shownStatus(row)]} />
);

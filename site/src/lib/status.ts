import type { IconName } from "../components/Icon.tsx";
import type { EnvironmentName, HealthStatus, Integration } from "./api.ts";

export type Tone = "good" | "bad" | "busy" | "warn" | "quiet";

export const statuses: Record<HealthStatus, { label: string; icon: IconName; tone: Tone }> = {
  active: { label: "Active", icon: "check-circle", tone: "good" },
  error: { label: "Error", icon: "alert", tone: "bad" },
  testing: { label: "Testing", icon: "progress", tone: "busy" },
  inactive: { label: "Inactive", icon: "minus-circle", tone: "quiet" },
};

/** Switched off is never shown as active, whatever the last check said. */
export const shownStatus = (row: Pick<Integration, "enabled" | "health_status">): HealthStatus =>
  !row.enabled && row.health_status === "active" ? "inactive" : row.health_status;

export const environmentLabels: Readonly<Record<EnvironmentName, string>> = {
  sandbox: "Sandbox",
  production: "Production",
};

import type { IconName } from "../components/Icon.tsx";
import type { DeliveryState, Destination, WebhookEvent } from "./events.ts";
import type { Tone } from "./status.ts";

type Shown = { label: string; icon: IconName; tone: Tone };

export const deliveryStates: Record<DeliveryState, Shown> = {
  pending: { label: "Waiting", icon: "clock", tone: "busy" },
  delivering: { label: "Sending", icon: "progress", tone: "busy" },
  failed: { label: "Will retry", icon: "refresh", tone: "warn" },
  parked: { label: "Held back", icon: "pause", tone: "warn" },
  delivered: { label: "Delivered", icon: "check-circle", tone: "good" },
  dead: { label: "Given up", icon: "alert", tone: "bad" },
  canceled: { label: "Canceled", icon: "minus-circle", tone: "quiet" },
};

export const eventStatuses: Record<WebhookEvent["status"], Shown> = {
  received: { label: "Received", icon: "progress", tone: "busy" },
  processed: { label: "Processed", icon: "check-circle", tone: "good" },
  failed: { label: "Not confirmed", icon: "alert", tone: "bad" },
};

/** What the endpoint's own failing does to a destination that is switched on shows first. */
export function destinationState({ status, breaker }: Destination): Shown {
  if (status === "disabled") return { label: "Disabled", icon: "alert", tone: "bad" };
  if (status === "paused") return { label: "Paused", icon: "pause", tone: "quiet" };
  if (breaker === "open") return { label: "Failing", icon: "alert", tone: "bad" };
  if (breaker === "draining") return { label: "Catching up", icon: "progress", tone: "busy" };
  return { label: "Enabled", icon: "check-circle", tone: "good" };
}

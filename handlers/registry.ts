// Written by scripts/gen-registry.ts; do not edit.
import type { AnyVendor } from "./define.ts";

/** Lazy, since building every vendor's schemas costs a cold start more than it may take. */
export const registry = {
  "epic": () => import("./epic.ts").then((m) => m.vendor),
  "openai": () => import("./openai.ts").then((m) => m.vendor),
  "plivo": () => import("./plivo.ts").then((m) => m.vendor),
  "rest-api": () => import("./rest-api.ts").then((m) => m.vendor),
  "slack": () => import("./slack.ts").then((m) => m.vendor),
  "stripe": () => import("./stripe.ts").then((m) => m.vendor),
  "twilio": () => import("./twilio.ts").then((m) => m.vendor),
} satisfies Record<string, () => Promise<AnyVendor>>;

export type VendorId = keyof typeof registry;

export async function loadVendor(id: string): Promise<AnyVendor | undefined> {
  return Object.hasOwn(registry, id) ? registry[id as VendorId]() : undefined;
}

// Written by scripts/gen-registry.ts; do not edit.
import type { AnyVendor } from "./define.ts";

/** Lazy, since building every vendor's schemas costs a cold start more than it may take. */
export const registry = {
  "100ms": () => import("./100ms.ts").then((m) => m.vendor),
  "agora": () => import("./agora.ts").then((m) => m.vendor),
  "anthropic": () => import("./anthropic.ts").then((m) => m.vendor),
  "assemblyai": () => import("./assemblyai.ts").then((m) => m.vendor),
  "athenahealth": () => import("./athenahealth.ts").then((m) => m.vendor),
  "availity": () => import("./availity.ts").then((m) => m.vendor),
  "deepgram": () => import("./deepgram.ts").then((m) => m.vendor),
  "eclinicalworks": () => import("./eclinicalworks.ts").then((m) => m.vendor),
  "epic": () => import("./epic.ts").then((m) => m.vendor),
  "exotel": () => import("./exotel.ts").then((m) => m.vendor),
  "openai": () => import("./openai.ts").then((m) => m.vendor),
  "optum": () => import("./optum.ts").then((m) => m.vendor),
  "oracle-health": () => import("./oracle-health.ts").then((m) => m.vendor),
  "plivo": () => import("./plivo.ts").then((m) => m.vendor),
  "rest-api": () => import("./rest-api.ts").then((m) => m.vendor),
  "slack": () => import("./slack.ts").then((m) => m.vendor),
  "stripe": () => import("./stripe.ts").then((m) => m.vendor),
  "twilio": () => import("./twilio.ts").then((m) => m.vendor),
  "veradigm": () => import("./veradigm.ts").then((m) => m.vendor),
  "vonage": () => import("./vonage.ts").then((m) => m.vendor),
  "waystar": () => import("./waystar.ts").then((m) => m.vendor),
} satisfies Record<string, () => Promise<AnyVendor>>;

export type VendorId = keyof typeof registry;

const aliases: Readonly<Record<string, VendorId>> = {
  "change-healthcare": "optum",
  "cerner": "oracle-health",
  "allscripts": "veradigm",
  "nexmo": "vonage",
  "opentok": "vonage",
  "vonage-video": "vonage",
  "zirmed": "waystar",
};

/** The id that a vendor has now: `cerner` is `oracle-health`. Any other text stays as it is. */
export const vendorId = (id: string): string =>
  Object.hasOwn(aliases, id) ? (aliases[id] ?? id) : id;

export async function loadVendor(id: string): Promise<AnyVendor | undefined> {
  const known = vendorId(id);
  return Object.hasOwn(registry, known) ? registry[known as VendorId]() : undefined;
}

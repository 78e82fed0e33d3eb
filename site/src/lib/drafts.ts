import type { VendorDetail } from "../../../handlers/catalog.ts";
import type { EnvironmentName } from "./api.ts";
import type { Chosen, Entered } from "./configuration.ts";

export type Draft = {
  environment: EnvironmentName;
  endpoint: string;
  values: Entered;
  chosen: Chosen;
  screen: number;
  savedAt: string;
};

const keyOf = (orgId: string, vendorId: string) => `draft:${orgId}:${vendorId}`;

/** Keeps what was typed, for resuming, except secrets: those never touch the disk. */
export function keepDraft(orgId: string, vendor: VendorDetail, draft: Omit<Draft, "savedAt">) {
  const open = vendor.steps.flatMap((step) => step.fields.filter((field) => !field.secret));
  const values = Object.fromEntries(
    open.flatMap(({ key }) => (draft.values[key] === undefined ? [] : [[key, draft.values[key]]])),
  );
  const kept = { ...draft, values, savedAt: new Date().toISOString() };
  try {
    localStorage.setItem(keyOf(orgId, vendor.id), JSON.stringify(kept));
  } catch {
    // Storage is full or switched off: the form works, it only cannot be resumed.
  }
}

export function readDraft(orgId: string, vendorId: string): Draft | undefined {
  try {
    const kept = localStorage.getItem(keyOf(orgId, vendorId));
    return kept ? (JSON.parse(kept) as Draft) : undefined;
  } catch {
    return undefined;
  }
}

export function dropDraft(orgId: string, vendorId: string) {
  try {
    localStorage.removeItem(keyOf(orgId, vendorId));
  } catch {
    // Nothing was kept either.
  }
}

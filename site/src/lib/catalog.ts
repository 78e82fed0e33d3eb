import * as simpleIcons from "simple-icons";

import { type VendorDetail, vendorDetail } from "../../../handlers/catalog.ts";
import { registry } from "../../../handlers/registry.ts";

/** A brand's glyph on the 24-unit grid of `simple-icons`. */
export type Mark = { path: string; color: string; legibleOn: "both" | "light" | "dark" };

/** What islands need to draw a vendor that is not on their page. */
export type CatalogEntry = {
  id: string;
  name: string;
  category: string;
  mark: Omit<Mark, "path"> | null;
  webhooks: boolean;
};

const byFeaturedThenName = (a: VendorDetail, b: VendorDetail) =>
  Number(b.featured) - Number(a.featured) || a.name.localeCompare(b.name, "en");

let loaded: Promise<VendorDetail[]> | undefined;
/** Every vendor, featured first. Runs at build time only. */
export const listVendors = () =>
  (loaded ??= Promise.all(
    Object.entries(registry).map(async ([id, load]) => vendorDetail(id, await load())),
  ).then((vendors) => vendors.toSorted(byFeaturedThenName)));

function luminance(hex: string) {
  const [r = 0, g = 0, b = 0] = (hex.match(/../g) ?? []).map((pair) => {
    const channel = parseInt(pair, 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

const marks = new Map(Object.values(simpleIcons).map((icon) => [icon.slug, icon]));

export function markOf(slug: string | null): Mark | null {
  const icon = slug ? marks.get(slug) : undefined;
  if (!icon) return null;
  const light = luminance(icon.hex);
  const legibleOn = light < 0.08 ? "light" : light > 0.5 ? "dark" : "both";
  return { path: icon.path, color: `#${icon.hex}`, legibleOn };
}

/** What the drawer loads: without the examples of secrets, which it has no use for. */
export function drawerDetail(vendor: VendorDetail): VendorDetail {
  return {
    ...vendor,
    steps: vendor.steps.map((step) => ({
      ...step,
      fields: step.fields.map((field) => (field.secret ? { ...field, example: "" } : field)),
    })),
  };
}

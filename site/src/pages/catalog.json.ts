import type { APIRoute } from "astro";

import { type CatalogEntry, listVendors, markOf } from "../lib/catalog.ts";

export const GET: APIRoute = async () => {
  const entries = (await listVendors()).map(({ id, name, category, icon, webhooks }) => {
    const mark = markOf(icon);
    return {
      id,
      name,
      category,
      mark: mark && { color: mark.color, legibleOn: mark.legibleOn },
      webhooks,
    } satisfies CatalogEntry;
  });
  return Response.json(entries);
};

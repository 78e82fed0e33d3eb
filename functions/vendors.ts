import { createRoute, z } from "@hono/zod-openapi";

import catalog from "../handlers/catalog.json" with { type: "json" };
import { operationViews, type VendorCard, vendorDetail } from "../handlers/catalog.ts";
import { type AnyVendor, categories, type Category } from "../handlers/define.ts";
import { loadVendor, vendorId } from "../handlers/registry.ts";
import { fold, wordsOf } from "../handlers/words.ts";
import { Problem } from "../problem.ts";
import { json, newApp } from "./http.ts";

export const cards = catalog as unknown as readonly VendorCard[];

export async function mustLoadVendor(id: string): Promise<AnyVendor> {
  const vendor = await loadVendor(id);
  if (!vendor) throw new Problem("unknown_vendor", "There is no vendor of this name");
  return vendor;
}

const Card = z
  .object({
    id: z.string(),
    name: z.string(),
    category: z.string(),
    description: z.string(),
    website: z.string(),
    documentation: z.string(),
    featured: z.boolean(),
    logo: z.string(),
  })
  .loose()
  .openapi("Vendor");
const Value = z.union([z.string(), z.number(), z.boolean()]);
const Simulated = z.array(
  z.object({ vendor: z.string(), credentials: z.record(z.string(), Value) }),
);
type Json = Record<string, z.core.util.JSONType>;
const VendorId = z.object({ vendor_id: z.string().min(1).max(100) });
const many = (item: z.ZodType) =>
  z.object({ success: z.literal(true), data: z.array(item), count: z.number().int() });

const list = createRoute({
  method: "get",
  path: "/vendors",
  operationId: "listVendors",
  summary: "The catalog",
  security: [],
  request: {
    query: z.object({
      category: z.enum(Object.keys(categories) as [Category, ...Category[]]).optional(),
      featured: z.enum(["true", "false"]).optional(),
      q: z.string().max(200).optional(),
    }),
  },
  responses: { 200: json(many(Card), "Vendors by name") },
});
const read = createRoute({
  method: "get",
  path: "/vendors/{vendor_id}",
  operationId: "readVendor",
  summary: "A vendor: its fields, operations and webhooks",
  security: [],
  request: { params: VendorId },
  responses: {
    200: json(
      z.object({ success: z.literal(true), data: z.custom<Json>().openapi({ type: "object" }) }),
      "The vendor",
    ),
  },
});
const operations = createRoute({
  method: "get",
  path: "/vendors/{vendor_id}/operations",
  operationId: "listOperations",
  summary: "A vendor's operations, with JSON Schemas",
  security: [],
  request: { params: VendorId },
  responses: { 200: json(many(z.object({ id: z.string() }).loose()), "Operations") },
});

const demo = createRoute({
  method: "get",
  path: "/vendors/{vendor_id}/demo-credentials",
  operationId: "readDemoCredentials",
  summary: "Development only: made-up values that the simulated vendor accepts",
  security: [],
  request: { params: VendorId },
  responses: {
    200: json(
      z.object({ success: z.literal(true), data: z.record(z.string(), Value) }),
      "Values of the vendor's fields",
    ),
  },
});

/** The earlier web client shows `logo`; every vendor has one, drawn when the site is built. */
const withLogo = <T extends { id: string }>(card: T) => ({
  ...card,
  logo: `/logos/${card.id}.svg`,
});

function matches(card: VendorCard, q: string): boolean {
  const text = [
    card.name,
    card.description,
    categories[card.category],
    ...card.areas,
    ...card.keywords,
  ];
  const all = fold(text.join(" "));
  return card.id === vendorId(fold(q.trim())) || wordsOf(q).every((word) => all.includes(word));
}

export const vendorRoutes = newApp()
  .openapi(list, (c) => {
    const { category, featured, q } = c.req.valid("query");
    const data = cards
      .filter(
        (card) =>
          (!category || card.category === category || card.also_in.includes(category)) &&
          (featured === undefined || card.featured === (featured === "true")) &&
          (!q || matches(card, q)),
      )
      .map(withLogo);
    return c.json({ success: true as const, data, count: data.length }, 200);
  })
  .openapi(read, async (c) => {
    const id = c.req.valid("param").vendor_id;
    const detail = vendorDetail(vendorId(id), await mustLoadVendor(id));
    return c.json({ success: true as const, data: withLogo(detail) as unknown as Json }, 200);
  })
  .openapi(demo, async (c) => {
    const { SIMULATOR_URL } = c.env.settings;
    if (!SIMULATOR_URL) throw new Problem("not_found", "There are no demo credentials here");
    const response = await fetch(`${SIMULATOR_URL}/_simulator/vendors`);
    const simulated = Simulated.parse(await response.json());
    const found = simulated.find(
      ({ vendor }) => vendor === vendorId(c.req.valid("param").vendor_id),
    );
    if (!found) throw new Problem("unknown_vendor");
    return c.json({ success: true as const, data: found.credentials }, 200);
  })
  .openapi(operations, async (c) => {
    const data = operationViews(await mustLoadVendor(c.req.valid("param").vendor_id));
    return c.json({ success: true as const, data, count: data.length }, 200);
  });

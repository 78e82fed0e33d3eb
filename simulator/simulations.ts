import { readdirSync } from "node:fs";

import { loadVendor, registry } from "../handlers/registry.ts";
import type { Simulation } from "./define.ts";
import { deriveSimulation } from "./derived/vendor.ts";

/** Every file of this folder but these is a vendor, named by its id. */
const parts = new Set(["define", "faults", "http", "server", "simulations", "wire"]);
const written = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
  .map((file) => file.slice(0, -3))
  .filter((id) => !parts.has(id));

export const simulatedVendors: readonly string[] = [
  ...new Set([...written, ...Object.keys(registry)]),
].toSorted();

/** The vendor's own simulation, else one derived from its definition. */
export async function loadSimulation(id: string): Promise<Simulation> {
  if (written.includes(id)) {
    const module: unknown = await import(new URL(`${id}.ts`, import.meta.url).href);
    return (module as { simulation: () => Simulation }).simulation();
  }
  const vendor = await loadVendor(id);
  if (!vendor) throw new Error(`There is no simulation of ${id}`);
  return deriveSimulation(id, vendor);
}

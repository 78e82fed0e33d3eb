import { readdirSync } from "node:fs";

import type { Simulation } from "./define.ts";

/** Every file of this folder but these is a vendor, named by its id. */
const parts = new Set(["define", "faults", "http", "simulations", "server"]);

export const simulatedVendors: readonly string[] = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
  .map((file) => file.slice(0, -3))
  .filter((id) => !parts.has(id))
  .toSorted();

export async function loadSimulation(id: string): Promise<Simulation> {
  if (!simulatedVendors.includes(id)) throw new Error(`There is no simulation of ${id}`);
  const module = (await import(new URL(`${id}.ts`, import.meta.url).href)) as {
    simulation: () => Simulation;
  };
  return module.simulation();
}

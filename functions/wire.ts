import { dnsOverHttps, type Resolve, simulatorWire, type Wire } from "../handlers/outbound.ts";
import type { Env } from "./env.ts";

const straight: Wire = (request) => fetch(request);
const resolve = dnsOverHttps(straight);

/** How the Worker reaches vendors: their own hosts, or in development the simulator. */
export const wireOf = (env: Env): Wire =>
  env.settings.SIMULATOR_URL ? simulatorWire(env.settings.SIMULATOR_URL, straight) : straight;

/** Looks up hosts that a tenant may choose; the simulator's do not exist. */
export const resolveOf = (env: Env): Resolve | undefined =>
  env.settings.SIMULATOR_URL ? undefined : resolve;

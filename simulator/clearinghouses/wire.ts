import { connectApi, type ConnectOptions, runOperation } from "../../handlers/api.ts";
import type { AnyVendor } from "../../handlers/define.ts";
import type { Simulator } from "../server.ts";

/** Our side of the wire to one clearinghouse, in its sandbox unless said otherwise. */
export function wireTo(simulator: Simulator, vendorId: string, vendor: AnyVendor) {
  const { credentials } = simulator.simulation(vendorId);
  const options = (more: Partial<ConnectOptions> = {}): ConnectOptions => ({
    vendorId,
    vendor,
    values: credentials,
    environment: "sandbox",
    wire: (request) => simulator.fetch(request),
    sleep: async () => undefined,
    ...more,
  });
  return {
    credentials,
    run: (operation: string, params: unknown, more?: Partial<ConnectOptions>) =>
      runOperation({ ...options(more), operation, params }),
    testWith(more: Partial<ConnectOptions> = {}) {
      const chosen = options(more);
      return vendor.test(connectApi(chosen), chosen.values, chosen.environment);
    },
    /** The example params of an operation. */
    exampleOf: (operation: string) => vendor.operations[operation]?.example.params as object,
    asked: () => simulator.requests(vendorId).map(({ method, path }) => `${method} ${path}`),
  };
}

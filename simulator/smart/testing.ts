import { expect } from "vitest";

import { connectApi, type ConnectOptions, runOperation } from "../../handlers/api.ts";
import type { AnyVendor, EnvironmentName } from "../../handlers/define.ts";
import { parseFields } from "../../handlers/fields.ts";
import { memoryTokens } from "../../handlers/oauth.ts";
import type { Simulator } from "../server.ts";

type Changes = Readonly<Record<string, string | undefined>>;
type Place = {
  environment?: EnvironmentName;
  endpoint?: string;
  heldKey?: ConnectOptions["heldKey"];
};

/** Integrations of one vendor with the simulation of it; `undefined` takes a credential away. */
export function tenantOf(simulator: Simulator, id: string, vendor: AnyVendor) {
  return (changes: Changes = {}, { environment = "sandbox", endpoint, heldKey }: Place = {}) => {
    const given = Object.entries({ ...simulator.simulation(id).credentials, ...changes });
    const known = Object.fromEntries(given.filter(([, value]) => value !== undefined));
    const { values, issues } = parseFields(vendor.steps, known);
    expect(issues).toEqual([]);
    const options: ConnectOptions = {
      vendorId: id,
      vendor,
      values,
      environment,
      endpoint,
      heldKey,
      wire: (request) => simulator.fetch(request),
      resolve: async () => ["93.184.216.34"],
      sleep: async () => undefined,
      tokens: memoryTokens(),
    };
    return {
      test: () => vendor.test(connectApi(options), values, environment),
      run: async <T = Record<string, unknown>>(operation: string, params: object): Promise<T> =>
        (await runOperation({ ...options, operation, params })) as T,
    };
  };
}

import { expect } from "vitest";

import { connectApi, type ConnectOptions, runOperation } from "../../handlers/api.ts";
import type { AnyVendor, EnvironmentName } from "../../handlers/define.ts";
import { parseFields } from "../../handlers/fields.ts";
import {
  type AuthorizationCode,
  exchangeCode,
  locateCode,
  memoryTokens,
  type Outlet,
  startAuthorization,
  type Token,
} from "../../handlers/oauth.ts";
import type { Simulator } from "../server.ts";

type Changes = Readonly<Record<string, string | undefined>>;
type Place = {
  environment?: EnvironmentName;
  endpoint?: string;
  heldKey?: ConnectOptions["heldKey"];
};

/** A person who agrees in the browser to what is asked for. */
async function signIn(auth: AuthorizationCode, fhirBase: string, outlet: Outlet): Promise<Token> {
  const located = await locateCode(auth, fhirBase, outlet);
  const asked = { redirectUri: "https://app.example/oauth/callback", state: crypto.randomUUID() };
  const { url, codeVerifier } = await startAuthorization(located, asked);
  const decided = await outlet.wire(new Request(`${url}&decision=allow`, { redirect: "manual" }));
  expect(decided.status, await decided.clone().text()).toBe(302);
  const { searchParams: parameters } = new URL(decided.headers.get("location") ?? "");
  return exchangeCode(located, { ...asked, parameters, codeVerifier }, outlet);
}

/** Integrations of one vendor with the simulation of it; `undefined` takes a credential away. */
export function tenantOf(simulator: Simulator, id: string, vendor: AnyVendor) {
  return (changes: Changes = {}, { environment = "sandbox", endpoint, heldKey }: Place = {}) => {
    const given = Object.entries({ ...simulator.simulation(id).credentials, ...changes });
    const known = Object.fromEntries(given.filter(([, value]) => value !== undefined));
    const { values, issues } = parseFields(vendor.steps, known);
    expect(issues).toEqual([]);
    const outlet: Outlet = {
      wire: (request) => simulator.fetch(request),
      resolve: async () => ["93.184.216.34"],
    };
    const options: ConnectOptions = {
      vendorId: id,
      vendor,
      values,
      environment,
      endpoint,
      heldKey,
      ...outlet,
      sleep: async () => undefined,
      tokens: memoryTokens(),
      grant: (auth) => signIn(auth, connectApi(options).baseUrl, outlet),
    };
    return {
      test: () => vendor.test(connectApi(options), values, environment),
      run: async <T = Record<string, unknown>>(operation: string, params: object): Promise<T> =>
        (await runOperation({ ...options, operation, params })) as T,
    };
  };
}

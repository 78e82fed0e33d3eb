import { decodeJwt } from "jose";

import { connectApi, type ConnectOptions, runOperation } from "../../handlers/api.ts";
import type { AnyVendor, Tested } from "../../handlers/define.ts";
import type { FieldValues } from "../../handlers/fields.ts";
import { simulatorWire } from "../../handlers/outbound.ts";
import { type VendorCause, VendorFailure } from "../../problem.ts";
import { type RecordedRequest, type Simulator, startSimulator } from "../server.ts";

/** Our handler of a vendor, connected to the vendor's simulation. */
export type Connected = {
  simulator: Simulator;
  credentials: FieldValues;
  run: (operation: string, params: unknown, values?: FieldValues) => Promise<unknown>;
  test: (values?: FieldValues) => Promise<Tested>;
  /** Why the vendor's test fails; throws if it does not. */
  cause: (values?: FieldValues) => Promise<VendorCause>;
};

export async function connectVendor(id: string, vendor: AnyVendor): Promise<Connected> {
  const simulator = await startSimulator({ vendors: [id] });
  const { credentials } = simulator.simulation(id);
  const options = (values: FieldValues): ConnectOptions => ({
    vendorId: id,
    vendor,
    values,
    environment: "sandbox",
    wire: simulatorWire(simulator.url),
    sleep: async () => undefined,
  });
  const test = async (values = credentials) =>
    vendor.test(connectApi(options(values)), values, "sandbox");
  return {
    simulator,
    credentials,
    run: (operation, params, values = credentials) =>
      runOperation({ ...options(values), operation, params }),
    test,
    async cause(values) {
      const failure = await test(values).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure instanceof VendorFailure) return failure.failure;
      throw new Error("The test did not fail as it should", { cause: failure });
    },
  };
}

/** The cause that our test names for each way in which it can go wrong. */
export async function causesOf({ simulator, cause }: Connected, wrong: FieldValues) {
  const [vendor = ""] = simulator.vendors;
  const during = async (kind: Parameters<Simulator["fault"]>[0]["kind"]) => {
    simulator.fault({ vendor, kind });
    const named = await cause();
    simulator.clearFaults();
    return named;
  };
  return {
    wrongKey: await cause(wrong),
    expiredKey: await during("expired_credentials"),
    missingScope: await during("forbidden"),
    unreachable: await during("reset"),
    tooMany: await during("rate_limited"),
    garbage: await during("garbage"),
  };
}

const byName = (pairs: URLSearchParams) =>
  [...pairs].map(([name, value]) => `${name}=${value}`).toSorted();

/** Kind and holder of the credentials; of a JWT what it says, but for its times and its id. */
function authorizationOf(header: string | null): unknown {
  const [, kind = "", token = ""] = /^(\w+) (.+)$/.exec(header ?? "") ?? [];
  if (/^basic$/i.test(kind)) return { basic: Buffer.from(token, "base64").toString() };
  if (/^bearer$/i.test(kind) && token.split(".").length === 3) {
    const { iat, nbf, exp, jti, ...claims } = decodeJwt(token);
    return { jwt: claims, has: { iat: !!iat, nbf: !!nbf, exp: !!exp, jti: !!jti } };
  }
  return header;
}

function bodyOf(type: string, bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes).toString();
  if (type === "application/json") return JSON.parse(text);
  return type === "application/x-www-form-urlencoded" ? byName(new URLSearchParams(text)) : text;
}

/** What a request says to the vendor, without what only its bytes say. */
export function meaning(request: RecordedRequest) {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
  const sends = request.body.length > 0;
  return {
    method: request.method,
    address: `https://${request.host}${decodeURIComponent(request.path)}`,
    query: byName(new URLSearchParams(request.query)),
    authorization: authorizationOf(request.headers.get("authorization")),
    ...(sends && { type, body: bodyOf(type, request.body) }),
  };
}

/** What both said, each on an empty record: first the SDK, then our handler. */
export async function bothSay(
  { simulator }: Connected,
  sdk: () => Promise<unknown>,
  ours: () => Promise<unknown>,
) {
  const [vendor] = simulator.vendors;
  const before = simulator.requests(vendor).length;
  await sdk();
  const between = simulator.requests(vendor).length;
  await ours();
  const recorded = simulator.requests(vendor).map(meaning);
  return { sdk: recorded.slice(before, between), ours: recorded.slice(between) };
}

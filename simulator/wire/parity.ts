import { type ConnectOptions, connectApi } from "../../handlers/api.ts";
import type { AnyVendor } from "../../handlers/define.ts";
import type { FieldValues } from "../../handlers/fields.ts";
import { VendorFailure } from "../../problem.ts";
import type { RecordedRequest, Simulator } from "../server.ts";

/** Our side of the wire, to the simulator of one vendor. */
export function connectionTo(
  simulator: Simulator,
  vendorId: string,
  vendor: AnyVendor,
  changes: FieldValues = {},
) {
  const options = {
    vendorId,
    vendor,
    values: { ...simulator.simulation(vendorId).credentials, ...changes },
    environment: "production",
    wire: (request) => simulator.fetch(request),
    sleep: async () => undefined,
  } satisfies ConnectOptions;
  return { ...options, test: () => vendor.test(connectApi(options), options.values, "production") };
}

/** The cause of a failure that must come. */
export async function causeOf(work: Promise<unknown>): Promise<string> {
  const failure: unknown = await work.then(
    () => new Error("It succeeded"),
    (error: unknown) => error,
  );
  if (failure instanceof VendorFailure) return failure.failure;
  throw failure;
}

/**
 * What of a request means something to the vendor. Left out: `accept`, and headers by which an SDK
 * names itself; a content type without a body says nothing either.
 */
export function meaningOf(
  { method, path, query, headers, body }: RecordedRequest,
  alsoHeaders: readonly string[] = [],
) {
  const [type] = (headers.get("content-type") ?? "").split(";");
  const text = Buffer.from(body).toString("latin1");
  return {
    method,
    path,
    query: [...new URLSearchParams(query)].map((pair) => pair.join("=")).toSorted(),
    headers: ["authorization", ...alsoHeaders].map((name) => [name, headers.get(name)]),
    type: body.length ? type : "",
    body: type === "application/json" && text ? (JSON.parse(text) as unknown) : text,
  };
}

import { decodeJwt } from "jose";
import { describe, expect, test } from "vitest";

import {
  connectApi,
  type ConnectOptions,
  type OperationRun,
  runOperation,
} from "../handlers/api.ts";
import type { AnyVendor } from "../handlers/define.ts";
import type { FieldValues } from "../handlers/fields.ts";
import { VendorFailure } from "../problem.ts";
import type { RecordedRequest, Simulator } from "./server.ts";

/** The cause of a failure that must come. */
export async function causeOf(work: Promise<unknown>) {
  const failure: unknown = await work.then(
    () => new Error("It succeeded"),
    (error: unknown) => error,
  );
  if (failure instanceof VendorFailure) return failure.failure;
  throw failure;
}

/** Our handler of a vendor, connected to the vendor's simulation: to its sandbox unless `usual` says otherwise. */
export function connectVendor(
  simulator: Simulator,
  vendorId: string,
  vendor: AnyVendor,
  usual: Partial<ConnectOptions> = {},
) {
  const { credentials } = simulator.simulation(vendorId);
  const options = (more: Partial<ConnectOptions> = {}): ConnectOptions => ({
    vendorId,
    vendor,
    values: credentials,
    environment: "sandbox",
    wire: (request) => simulator.fetch(request),
    sleep: async () => undefined,
    ...usual,
    ...more,
  });
  const tested = async (more?: Partial<ConnectOptions>) => {
    const chosen = options(more);
    return vendor.test(connectApi(chosen), chosen.values, chosen.environment);
  };
  return {
    simulator,
    vendorId,
    vendor,
    credentials,
    options,
    /** The simulation's credentials with other values in some places. */
    changed: (changes: FieldValues): Partial<ConnectOptions> => ({
      values: { ...credentials, ...changes },
    }),
    run: (operation: string, params: unknown, more?: Partial<OperationRun>) =>
      runOperation({ ...options(more), operation, params }),
    test: tested,
    /** Why the vendor's test fails; throws if it does not. */
    cause: (more?: Partial<ConnectOptions>) => causeOf(tested(more)),
    /** The example params of an operation. */
    exampleOf: (operation: string) => vendor.operations[operation]?.example.params as object,
    asked: () => simulator.requests(vendorId).map(({ method, path }) => `${method} ${path}`),
  };
}

type Connected = ReturnType<typeof connectVendor>;

/** The cause that our test names for each way in which it can go wrong. */
export async function causesOf({ simulator, vendorId, cause }: Connected, wrong: FieldValues) {
  const during = async (kind: Parameters<Simulator["fault"]>[0]["kind"]) => {
    simulator.fault({ vendor: vendorId, kind });
    const named = await cause();
    simulator.clearFaults();
    return named;
  };
  return {
    wrongKey: await cause({ values: wrong }),
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

async function partsOf({ headers, body }: RecordedRequest) {
  const type = headers.get("content-type") ?? "";
  const form = await new Response(body, { headers: { "content-type": type } }).formData();
  const parts = [...form].map(async ([name, value]) => {
    if (typeof value === "string") return { name, value };
    const bytes = Buffer.from(await value.arrayBuffer()).toString("latin1");
    return { name, file: value.name, type: value.type, bytes };
  });
  return (await Promise.all(parts)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

async function bodyOf(type: string, request: RecordedRequest): Promise<unknown> {
  const text = Buffer.from(request.body).toString();
  if (type === "application/json") return JSON.parse(text);
  if (type === "application/x-www-form-urlencoded") return byName(new URLSearchParams(text));
  if (type === "multipart/form-data") return partsOf(request);
  return Buffer.from(request.body).toString("latin1");
}

/** Which of two ways a character was escaped in says nothing; whether a slash was, does. */
const unescaped = (path: string) =>
  path
    .split("/")
    .map((segment) => decodeURIComponent(segment).replaceAll("/", "%2F"))
    .join("/");

/**
 * What a request says to the vendor, without what only its bytes say. Left out are `accept`, the
 * content type of no content, and headers by which an SDK names itself; `headers` are those that
 * mean something to this vendor beside `authorization`.
 */
export async function meaning(request: RecordedRequest, headers: readonly string[] = []) {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
  return {
    method: request.method,
    address: `https://${request.host}${unescaped(request.path)}`,
    query: byName(new URLSearchParams(request.query)),
    authorization: authorizationOf(request.headers.get("authorization")),
    ...(headers.length && {
      headers: Object.fromEntries(headers.map((name) => [name, request.headers.get(name)])),
    }),
    ...(request.body.length && { type, body: await bodyOf(type, request) }),
  };
}

export type Meaning = Awaited<ReturnType<typeof meaning>>;

/** What arrives at the vendor of some work. */
export async function saidBy(
  { simulator, vendorId }: Connected,
  work: () => PromiseLike<unknown>,
  headers: readonly string[] = [],
): Promise<Meaning[]> {
  const before = simulator.requests(vendorId).length;
  const answer = await work();
  if (answer instanceof Response) await answer.body?.cancel();
  const arrived = simulator.requests(vendorId).slice(before);
  return Promise.all(arrived.map((each) => meaning(each, headers)));
}

/** What the simulation laid ready for an operation. */
type Prepared = { id: string };

/** An operation, its params, and how the SDK asks for the same; `test` is the vendor's test. */
export type Parity = [
  operation: string,
  params: object,
  sdk: (prepared: Prepared) => PromiseLike<unknown>,
  /** Where ours mean something else: what is different and why, and ours as made of the SDK's. */
  differs?: { but: string; ours: (sdk: readonly Meaning[]) => readonly Meaning[] },
];

/**
 * Holds what each operation sends against what the SDK sends, each on a fresh simulation. Every
 * operation of the vendor, and each of its params, is in a row, or has a reason in `beyond` why the
 * SDK cannot say it: `createToken`, `transcribeAudio.fileName`.
 */
export function testParity(
  connected: Connected,
  {
    rows,
    beyond = {},
    headers,
    idempotencyKey,
  }: {
    rows: readonly Parity[];
    beyond?: Readonly<Record<string, string>>;
    /** Those that mean something to this vendor beside `authorization`. */
    headers?: readonly string[];
    idempotencyKey?: string;
  },
) {
  const { simulator, vendorId, vendor, run, test: tested } = connected;

  async function sent(operation: string, work: (prepared: Prepared) => PromiseLike<unknown>) {
    simulator.reset();
    const prepared = await simulator.simulation(vendorId).params?.[operation]?.();
    return saidBy(connected, () => work(prepared as Prepared), headers);
  }

  describe("our requests mean what the SDK's mean", () => {
    test.each<Parity>(rows)("%s (%#)", async (operation, params, sdk, differs) => {
      const theirs = await sent(operation, sdk);
      const ours = await sent(operation, (prepared) =>
        operation === "test"
          ? tested()
          : run(operation, { ...prepared, ...params }, { idempotencyKey }),
      );
      expect(theirs.length).toBeGreaterThan(0);
      expect(ours).toEqual(differs ? differs.ours(theirs) : theirs);
      // A difference that is gone is to be taken off the list.
      if (differs) expect(ours, differs.but).not.toEqual(theirs);
    });

    test("in every operation and param that the SDK has", async () => {
      const compared = new Set<string>();
      for (const [operation, params] of rows) {
        const prepared = await simulator.simulation(vendorId).params?.[operation]?.();
        compared.add(operation);
        for (const name of Object.keys({ ...prepared, ...params }))
          compared.add(`${operation}.${name}`);
      }
      const lacking = Object.entries(vendor.operations).flatMap(([operation, { params }]) => {
        const whole = [
          operation,
          ...Object.keys(params.shape).map((name) => `${operation}.${name}`),
        ];
        return operation in beyond ? operation : whole.filter((each) => !compared.has(each));
      });
      expect(lacking.toSorted()).toEqual(Object.keys(beyond).toSorted());
      expect(Object.keys(beyond).filter((each) => compared.has(each))).toEqual([]);
    });
  });
}

import { type AnyVendor, environmentNames, exampleValues } from "../../handlers/define.ts";
import type { FieldValues } from "../../handlers/fields.ts";
import { findPlace } from "../../handlers/target.ts";
import { idSequence, type Simulation } from "../define.ts";
import { demoKey } from "../smart/keys.ts";
import {
  findExchange,
  type Known,
  knownExchanges,
  replyOf,
  samplingApi,
  type Subject,
} from "./exchanges.ts";
import { newGuard } from "./guard.ts";
import { isLikeLearnt, publicKeysOf } from "./jwt.ts";

/** The example values, with a private key that works in place of one that only looks like it. */
function workingValues(id: string, vendor: AnyVendor): FieldValues {
  const values = exampleValues(vendor);
  const auth = vendor.auth(values);
  const algorithm = auth.kind === "private_key_jwt" ? auth.algorithm : "RS384";
  for (const [key, value] of Object.entries(values))
    if (String(value).includes("PRIVATE KEY")) values[key] = demoKey(algorithm, id).privateKey;
  return values;
}

const hostOf = (address: string) => URL.parse(address)?.host;

/** A vendor's side made out of its definition: it checks the credentials and repeats the examples. */
export function deriveSimulation(id: string, vendor: AnyVendor): Simulation {
  const values = workingValues(id, vendor);
  const auth = vendor.auth(values);
  const subjects = environmentNames.flatMap((environment): Subject[] => {
    const declared = vendor.environments[environment];
    if (!declared) return [];
    const endpoint = declared.baseUrl === undefined ? declared.example : undefined;
    return [{ id, vendor, values, environment, endpoint }];
  });
  const places = subjects.map(({ environment, endpoint }) =>
    findPlace(vendor, environment, endpoint, values),
  );
  const [subject] = subjects;
  const [place] = places;
  if (!subject || !place) throw new Error(`${id} has no environment`);
  const ids = idSequence(id);
  const keys = publicKeysOf(values);
  const guard = newGuard(auth, subject, place.baseUrl, ids, keys);

  const learn = async () => {
    const learnt = await Promise.all(
      subjects.map(async (each): Promise<Known[]> => {
        const known = await knownExchanges(each);
        const noted: Known[] = [];
        // A test may doubt a made-up reply, but has then said what it asks.
        await vendor
          .test(samplingApi(each, noted), values, each.environment)
          .catch(() => undefined);
        return [...known, ...noted];
      }),
    );
    return learnt.flat();
  };
  let known: Promise<Known[]> | undefined;

  const wireHosts = Object.values(vendor.operations).flatMap(({ example }) =>
    example.wire.flatMap(({ request }) => hostOf(request.replace(/^\S+ /, "")) ?? []),
  );
  const authHosts =
    auth.kind === "authorization_code" ? [auth.authorizeUrl ?? "", auth.revokeUrl ?? ""] : [];
  const hosts = new Set([
    ...places.flatMap(({ baseUrl }) => hostOf(baseUrl) ?? []),
    ...(vendor.hosts ?? []).filter((host) => !host.includes("*")),
    ...wireHosts,
    ...[guard.tokenUrl ?? "", ...authHosts].flatMap((address) => hostOf(address) ?? []),
  ]);

  return {
    hosts: [...hosts],
    credentials: values,
    app: {
      async fetch(request) {
        const served = await guard.serve(request.clone());
        if (served) return served;
        const url = new URL(request.url);
        if (auth.kind === "query") url.searchParams.delete(auth.name);
        const found = findExchange(
          await (known ??= learn()),
          request.method,
          url,
          await request.clone().text(),
        );
        if (!found) return Response.json({ error: "not_found" }, { status: 404 });
        const { authorization } = found;
        const given = request.headers.get("authorization");
        // An AWS signature is of its moment, and the guard's to check.
        const isKnown =
          authorization === null ||
          auth.kind === "aws_sigv4" ||
          (await isLikeLearnt(authorization, given, keys));
        if (!isKnown || !(await guard.isAllowed(request)))
          return Response.json(
            { error: "unauthorized" },
            { status: 401, headers: { "www-authenticate": 'Bearer realm="simulator"' } },
          );
        return replyOf(found.exchange);
      },
    },
    faults: {
      expired_credentials() {
        guard.expireTokens();
        return Response.json(
          { error: "invalid_token", error_description: "The access token expired" },
          { status: 401, headers: { "www-authenticate": 'Bearer error="invalid_token"' } },
        );
      },
    },
    reset() {
      guard.reset();
      ids.reset();
    },
  };
}

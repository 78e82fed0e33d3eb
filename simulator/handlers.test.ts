import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { connectApi, type ConnectOptions, runOperation } from "../handlers/api.ts";
import { type AnyVendor, type EnvironmentName, environmentNames } from "../handlers/define.ts";
import { type FieldValues, parseFields } from "../handlers/fields.ts";
import { memoryTokens } from "../handlers/oauth.ts";
import { loadVendor } from "../handlers/registry.ts";
import { startSimulator } from "./server.ts";
import { simulatedVendors } from "./simulations.ts";

/**
 * Every registered vendor, its own handler against its own simulation, over HTTP and all on one
 * server, so that vendors that share a host show that each is still found.
 */
const vendors = (
  await Promise.all(simulatedVendors.map(async (id) => ({ id, vendor: await loadVendor(id) })))
).flatMap(({ id, vendor }) => (vendor ? [{ id, vendor }] : []));
const simulator = await startSimulator({ vendors: vendors.map(({ id }) => id) });
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

function optionsOf(
  id: string,
  vendor: AnyVendor,
  values: FieldValues,
): ConnectOptions & { environment: EnvironmentName } {
  const environment = environmentNames.find((name) => vendor.environments[name]) ?? "production";
  const declared = vendor.environments[environment];
  return {
    vendorId: id,
    vendor,
    values,
    environment,
    endpoint: declared?.baseUrl === undefined ? declared?.example : undefined,
    wire: (request) => simulator.fetch(request),
    sleep: async () => undefined,
  };
}

/** Its test reads the status alone, since the API is not known. */
const readsNoBody = new Set(["rest-api"]);

/** Every secret with another ending, so that it has the right form and is not the one. */
function altered(vendor: AnyVendor, values: FieldValues): FieldValues {
  const fields = Object.assign({}, ...vendor.steps.map((step) => step.fields)) as Record<
    string,
    { secret: boolean }
  >;
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => {
      if (!fields[key]?.secret || typeof value !== "string") return [key, value];
      const [last = ""] = value.slice(-1);
      return [key, value.slice(0, -1) + (last === "0" ? "1" : "0")];
    }),
  );
}

describe.each(vendors)("$id", ({ id, vendor }) => {
  const simulation = simulator.simulation(id);
  const { values, issues } = parseFields(vendor.steps, simulation.credentials);
  const options = optionsOf(id, vendor, values);
  const { kind } = vendor.auth(values);
  const runs = kind !== "authorization_code";

  test("has fields that take the simulation's credentials", () => {
    expect(issues).toEqual([]);
  });

  if (runs)
    test("passes its test", async () => {
      const tested = await vendor.test(connectApi(options), values, options.environment);
      expect(tested.account).not.toBe("");
      expect(tested.checked.length).toBeGreaterThan(0);
    });

  if (runs && kind !== "none")
    test("fails its test with other secrets", async () => {
      const wrong = optionsOf(id, vendor, altered(vendor, values));
      await expect(
        vendor.test(connectApi(wrong), wrong.values as FieldValues, options.environment),
      ).rejects.toMatchObject({ failure: "credentials_rejected" });
    });

  test.each(runs ? Object.keys(vendor.operations) : [])("runs %s", async (operation) => {
    const params =
      (await simulation.params?.[operation]?.()) ?? vendor.operations[operation]?.example.params;
    const running = runOperation({ ...options, operation, params });
    if (simulation.byPerson?.includes(operation))
      return expect(running).rejects.toMatchObject({ failure: "forbidden" });
    const answer = await running;
    if (answer instanceof Response) expect((await answer.text()).length).toBeGreaterThan(0);
    else expect(answer).toBeDefined();
  });

  if (simulation.webhook && vendor.webhooks)
    test("accepts the webhooks that the simulation signs, each of its types, and only unaltered", async () => {
      const { verify, events, types, secretField } = vendor.webhooks ?? expect.fail();
      // A vendor that signs nothing is known by the token in the address that it was given.
      const address = `https://edge.example/webhooks/${id}/1`;
      const url = secretField ? address : `${address}?token=unguessable-token`;
      const held = { ...values, webhookToken: "unguessable-token" };
      for (const type of types) {
        const request = await simulation.webhook?.({ url, credentials: values, type });
        if (!request) return expect.fail("nothing was sent");
        const body = new Uint8Array(await request.arrayBuffer());
        const incoming = {
          method: request.method,
          url: request.url,
          headers: request.headers,
          body,
        };
        const now = Math.floor(Date.now() / 1000);
        expect(await verify.verify(incoming, held, now), type).toEqual({ ok: true });
        expect(events(incoming)).not.toHaveLength(0);
        if (secretField === undefined) continue;
        const other = { ...incoming, body: new Uint8Array([...body, 32]) };
        expect(await verify.verify(other, held, now), type).toMatchObject({ ok: false });
      }
    });

  const causes = [
    ["rate_limited", "rate_limited"],
    ["server_error", "vendor_unavailable"],
    ["maintenance", "vendor_unavailable"],
    ["forbidden", "forbidden"],
    ["wrong_content_type", "unexpected_reply"],
    ["garbage", "unexpected_reply"],
    ["reset", "vendor_unavailable"],
    ["slow", "timeout"],
  ] as const;
  const causesHere = causes.filter(([fault]) => fault !== "garbage" || !readsNoBody.has(id));
  test.each(runs ? causesHere : [])("names %s as %s", async (fault, failure) => {
    simulator.fault({ vendor: id, kind: fault, delayMs: 2000 });
    const impatient = { ...options, timeoutMs: 500 };
    await expect(
      vendor.test(connectApi(impatient), values, options.environment),
    ).rejects.toMatchObject({ failure });
  });

  if (runs && kind !== "none")
    test("renews what can be renewed, and says what has expired", async () => {
      const renews = ["client_credentials", "private_key_jwt", "session"].includes(kind);
      const tokens = memoryTokens();
      const api = connectApi({ ...options, tokens });
      await vendor.test(api, values, options.environment);
      simulator.fault({ vendor: id, kind: "expired_credentials", times: renews ? 1 : undefined });
      const again = vendor.test(api, values, options.environment);
      if (renews) await expect(again).resolves.toMatchObject({ account: expect.any(String) });
      else
        await expect(again).rejects.toMatchObject({
          failure: expect.stringMatching(/^credentials_(expired|rejected)$/),
        });
    });
});

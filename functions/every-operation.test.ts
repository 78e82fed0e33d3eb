import { expect, inject, test } from "vitest";

import { environmentNames } from "../handlers/define.ts";
import { loadVendor } from "../handlers/registry.ts";
import { addSimulated, newOrg } from "../scripts/world.ts";
import { simulatedVendors } from "../simulator/simulations.ts";

const world = inject("world");

/** What a vendor says of an example whose record it does not have, or no longer in that state. */
const ofTheRecord = ["not_found", "invalid_request", "forbidden"];

/** In the Worker as built, where also what they answer is searched for secrets. */
test.each(simulatedVendors)("each operation of %s reaches the vendor", async (vendorId) => {
  const vendor = await loadVendor(vendorId);
  if (!vendor) throw new Error("no vendor");
  const environment = environmentNames.find((name) => vendor.environments[name]) ?? "production";
  const declared = vendor.environments[environment];
  const org = await newOrg(world);
  const { id } = await addSimulated(org, vendorId, {
    environment,
    enabled: true,
    api_endpoint: declared?.baseUrl === undefined ? declared?.example : "",
  });
  const outcomes = [];
  for (const [operation, { example, streams }] of Object.entries(vendor.operations)) {
    const { params } = example;
    const reply = await org.call("POST", `/api/integrations/${id}/execute`, { operation, params });
    const isGood = reply.status === 200 && (streams === true || reply.body.success);
    const outcome = isGood ? "ok" : String(reply.body["cause"] ?? reply.body["code"]);
    outcomes.push({ operation, outcome, detail: reply.body["detail"] });
  }
  expect(outcomes.filter(({ outcome }) => ![...ofTheRecord, "ok"].includes(outcome))).toEqual([]);
  expect(outcomes.filter(({ outcome }) => outcome === "ok").length).toBeGreaterThan(
    outcomes.length / 2,
  );
});

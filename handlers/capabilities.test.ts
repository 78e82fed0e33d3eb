import { describe, expect, test } from "vitest";

import { listVendors } from "../scripts/gen-registry.ts";
import { runOperation } from "./api.ts";
import { type CapabilityName } from "./capabilities.ts";
import { type AnyVendor, exampleValues } from "./define.ts";

const needModel: ReadonlySet<CapabilityName | undefined> = new Set([
  "ai.text.generate",
  "ai.embed",
  "ai.audio.transcribe",
]);
const operations = (
  await Promise.all(
    (await listVendors()).map(async (id) => {
      const { vendor } = (await import(/* @vite-ignore */ `./${id}.ts`)) as { vendor: AnyVendor };
      return Object.entries(vendor.operations)
        .filter(([, { capability }]) => needModel.has(capability))
        .map(([name, operation]) => ({ id, vendor, name, operation }));
    }),
  )
).flat();

/** A workflow that fails over from one vendor to another cannot name a model of either. */
describe.each(operations)("$id $name", ({ id, vendor, name, operation }) => {
  const { model: _, ...params } = operation.example.params;
  const values = exampleValues(vendor);
  const options = { vendorId: id, vendor, environment: "production" as const, operation: name };

  test("asks with the integration's default where no model is named", async () => {
    const asked: Promise<string>[] = [];
    const script = [...operation.example.wire];
    await runOperation({
      ...options,
      values,
      params,
      wire: async (request) => {
        asked.push(request.text().then((body) => request.url + body));
        return Response.json(script.shift()?.reply);
      },
    });
    const sent = (await Promise.all(asked)).join("\n");
    const defaults = Object.entries(values).filter(([key]) => /^default.*Model$/.test(key));
    expect(defaults.some(([, value]) => sent.includes(String(value)))).toBe(true);
  });

  test("sends nothing, and says what to choose, where there is no default either", async () => {
    const bare = Object.fromEntries(
      Object.entries(values).filter(([key]) => !key.startsWith("default")),
    );
    const wire = () => Promise.reject(new Error("Something was sent"));
    await expect(runOperation({ ...options, values: bare, params, wire })).rejects.toMatchObject({
      failure: "not_configured",
      mayHaveHappened: false,
      message: expect.stringMatching(/^Choose a model: give `model`, or set “Default /),
    });
  });
});

test("four vendors at least take part in this", () => {
  expect(new Set(operations.map(({ id }) => id)).size).toBeGreaterThanOrEqual(4);
});

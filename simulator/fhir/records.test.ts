import { validateResource } from "@medplum/core";
import { expect, test } from "vitest";

import { indexDefinitions } from "./definitions.ts";
import { records } from "./records.ts";

indexDefinitions();
const all = records(new Date("2026-11-23T12:00:00Z"));

test("every record is valid R4 and has an id of its own", () => {
  for (const resource of all) expect(() => validateResource(resource)).not.toThrow();
  const names = all.map(({ resourceType, id }) => `${resourceType}/${id}`);
  expect(new Set(names).size).toBe(all.length);
});

test("every reference leads to a record", () => {
  const names = new Set(all.map(({ resourceType, id }) => `${resourceType}/${id}`));
  const references = [...JSON.stringify(all).matchAll(/"(?:reference|url)":"([A-Z]\w+\/[^"]+)"/g)];
  expect(references.length).toBeGreaterThan(300);
  for (const [, reference] of references) expect(names).toContain(reference);
});

test("the records are the same for the same day", () => {
  expect(records(new Date("2026-11-23T20:00:00Z"))).toEqual(all);
});

import { describe, expect, test } from "vitest";

import type { StepView, VendorDetail } from "../../../handlers/catalog.ts";
import { checkbox, number, password, text } from "../../../handlers/fields.ts";
import {
  changedCredentials,
  endpointComplaint,
  fieldsShown,
  groupsOffered,
  parseForm,
  startingChoices,
  startingValues,
} from "./configuration.ts";

const views = (fields: Record<string, object>) =>
  Object.entries(fields).map(([key, field]) => ({ key, ...field })) as StepView["fields"];

const account: StepView = {
  id: "account",
  title: "Account",
  description: null,
  fields: views({
    sid: text({
      label: "SID",
      help: "",
      pattern: "^AC\\d+$",
      message: "Starts with AC",
      example: "AC1",
    }),
    token: password({ label: "Token", help: "", min: 8, example: "12345678" }),
    keyId: text({ label: "Key ID", help: "", example: "SK1" }),
    keySecret: password({ label: "Key secret", help: "", min: 8, example: "12345678" }),
  }),
  one_of: [
    { label: "Token", fields: ["token"] },
    { label: "Key", fields: ["keyId", "keySecret"] },
  ],
};
const limits: StepView = {
  id: "limits",
  title: "Limits",
  description: null,
  fields: views({
    custom: checkbox({ label: "Custom", help: "", example: false }),
    size: number({
      label: "Size",
      help: "",
      min: 1,
      max: 5,
      dependsOn: { field: "custom", equals: true },
      example: 2,
    }),
  }),
  one_of: [],
};
const steps = [account, limits];
const keys = (fields: { key: string }[]) => fields.map(({ key }) => key);

describe("the fields shown", () => {
  test("are those of the chosen group", () => {
    expect(keys(fieldsShown(account, { steps, values: {}, chosen: { account: 0 } }))).toEqual([
      "sid",
      "token",
    ]);
    expect(keys(fieldsShown(account, { steps, values: {}, chosen: { account: 1 } }))).toEqual([
      "sid",
      "keyId",
      "keySecret",
    ]);
  });
  test("follow what they depend on", () => {
    expect(keys(fieldsShown(limits, { steps, values: {}, chosen: {} }))).toEqual(["custom"]);
    expect(keys(fieldsShown(limits, { steps, values: { custom: true }, chosen: {} }))).toEqual([
      "custom",
      "size",
    ]);
  });
  test("leave out a choice whose fields do not apply, and take the first that is left", () => {
    const byPerson = { field: "custom", equals: true } as const;
    const step: StepView = {
      ...account,
      fields: [
        ...views({ custom: checkbox({ label: "Custom", help: "", example: false }) }),
        ...account.fields.map((field) =>
          field.key === "token" ? { ...field, dependsOn: byPerson } : field,
        ),
      ],
    };
    const form = (custom: boolean) => ({
      steps: [step],
      values: { sid: "AC1", custom, token: "12345678" },
      chosen: { account: 0 },
    });
    const offered = (custom: boolean) =>
      groupsOffered(step, form(custom)).map(({ label, isChosen }) => [label, isChosen]);
    expect(offered(true)).toEqual([
      ["Token", true],
      ["Key", false],
    ]);
    expect(offered(false)).toEqual([["Key", true]]);
    expect(keys(fieldsShown(step, form(false)))).toEqual(["custom", "sid", "keyId", "keySecret"]);
    expect(parseForm(form(true)).complaints).toEqual({});
    expect(Object.keys(parseForm(form(false)).complaints)).toEqual(["keyId", "keySecret"]);
  });
  test("start from what is stored, with the group that holds it chosen", () => {
    const values = startingValues(steps, { sid: "AC1", keySecret: "••••5678" });
    expect(values).toEqual({ sid: "AC1", keySecret: "••••5678", custom: false });
    expect(startingChoices(steps, values)).toEqual({ account: 1, limits: 0 });
  });
});

describe("parseForm", () => {
  test("complains by field, about the chosen group only", () => {
    const values = { sid: "nope", token: "", custom: true, size: "9" };
    expect(parseForm({ steps, values, chosen: { account: 1 } }).complaints).toEqual({
      sid: "Starts with AC",
      keyId: "Key ID is required",
      keySecret: "Key secret is required",
      size: "Size must be between 1 and 5",
    });
  });
  test("leaves out the other group and turns numbers into numbers", () => {
    const values = { sid: "AC1", token: "12345678", keyId: "old", custom: true, size: "3" };
    expect(parseForm({ steps, values, chosen: { account: 0 } })).toEqual({
      credentials: { sid: "AC1", token: "12345678", custom: true, size: 3 },
      complaints: {},
    });
  });
  test("accepts the mask of a stored secret, short as it may be", () => {
    const values = { sid: "AC1", token: "••••", custom: false };
    expect(parseForm({ steps, values, chosen: { account: 0 } })).toEqual({
      credentials: { sid: "AC1", token: "••••", custom: false },
      complaints: {},
    });
  });
});

test("an edit sends what changed, and an empty text for what is gone", () => {
  const stored = { sid: "AC1", token: "••••5678", size: 3 };
  expect(changedCredentials(stored, { sid: "AC2", token: "••••5678", keyId: "SK1" })).toEqual({
    sid: "AC2",
    keyId: "SK1",
    size: "",
  });
});

test("an endpoint is asked for only where the vendor has no address of its own", () => {
  const vendor = {
    environment_details: [
      { name: "sandbox", base_url: "https://api.example.com", endpoint_example: null, hosts: [] },
      {
        name: "production",
        base_url: null,
        endpoint_example: "https://a.example.com",
        hosts: ["*.example.com"],
      },
    ],
  } as unknown as VendorDetail;
  expect(endpointComplaint(vendor, "sandbox", "")).toBeUndefined();
  expect(endpointComplaint(vendor, "production", "https://x.example.com/fhir")).toBeUndefined();
  expect(endpointComplaint(vendor, "production", "")).toContain("https://a.example.com");
  expect(endpointComplaint(vendor, "production", "https://example.org")).toMatch(/^The address /);
});

import { expect, test } from "vitest";
import * as z from "zod";

import { inputOf, limitsText, paramsOf, propertiesOf, typedOf, typeText } from "./schema.ts";

const schema = z.toJSONSchema(
  z.object({
    to: z.string(),
    body: z.string().min(1).max(1600),
    count: z.number().int().min(1).max(100).optional(),
    total: z.number().int().optional(),
    day: z.iso.date().optional(),
    kind: z.enum(["a", "b"]).optional(),
    urgent: z.boolean().optional(),
    tags: z.array(z.string()).optional(),
    note: z.string().nullable().optional(),
    nested: z.object({ a: z.string() }).optional(),
    style: z.string().default("plain"),
  }),
  { io: "input" },
);
const property = (name: string) => {
  const found = propertiesOf(schema).find((each) => each.name === name);
  if (!found) throw new Error(name);
  return found;
};

test("each kind of param gets its own input", () => {
  const inputs = Object.fromEntries(propertiesOf(schema).map((p) => [p.name, inputOf(p.schema)]));
  expect(inputs).toEqual({
    to: "text",
    body: "longtext",
    count: "number",
    total: "number",
    day: "date",
    kind: "choice",
    urgent: "yesno",
    tags: "list",
    note: "text",
    nested: "json",
    style: "text",
  });
});

test("types and limits are told in words", () => {
  expect(typeText(property("day").schema)).toBe("string (date)");
  expect(typeText(property("kind").schema)).toBe('"a" | "b"');
  expect(typeText(property("tags").schema)).toBe("list of string");
  expect(limitsText(property("count").schema)).toBe("1 to 100");
  expect(limitsText(property("total").schema)).toBe("");
  expect(limitsText(property("body").schema)).toBe("at most 1600 characters");
  expect(limitsText({ type: "string", minLength: 1 })).toBe("");
  expect(limitsText({ type: "string", minLength: 6, maxLength: 9 })).toBe("6 to 9 characters");
  expect(limitsText({ type: "string", minLength: 6, maxLength: 6 })).toBe("6 characters");
  expect(property("style").required).toBe(false);
});

test("what is typed becomes params and back", () => {
  const params = {
    to: "x",
    body: "y",
    count: 3,
    kind: "b",
    urgent: false,
    tags: ["p", "q"],
    nested: { a: "1" },
  };
  expect(paramsOf(schema, typedOf(schema, params))).toEqual({ params, complaints: {} });
});

test("missing and misshapen values are named, and empty ones left out", () => {
  const typed = { to: " ", body: "y", count: "many", nested: "{", note: "" };
  expect(paramsOf(schema, typed)).toEqual({
    params: { body: "y" },
    complaints: {
      to: "This is required",
      count: "This must be a number",
      nested: "This must be JSON",
    },
  });
});

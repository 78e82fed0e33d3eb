import * as fc from "fast-check";
import { expect, test } from "vitest";

import { layOut } from "./json.ts";

const textOf = (json: string) =>
  layOut(json)
    .map(({ text }) => text)
    .join("");

test("JSON is laid out as JSON.stringify does it, whatever it holds", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(textOf(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
    }),
  );
});

test("numbers stay as they were sent", () => {
  expect(textOf('{"id":12345678901234567890.10}')).toBe('{\n  "id": 12345678901234567890.10\n}');
});

test("keys, texts and other values are told apart", () => {
  expect(layOut('{"a":"b","c":null}').filter(({ kind }) => kind !== "mark")).toEqual([
    { text: '"a"', kind: "key" },
    { text: '"b"', kind: "text" },
    { text: '"c"', kind: "key" },
    { text: "null", kind: "value" },
  ]);
});

import { expect, test } from "vitest";

import { type Field, mask, parseFields, password, url } from "./fields.ts";

const issuesOf = (field: Field<string>, value: string) =>
  parseFields([{ id: "one", title: "One", fields: { field } }], { field: value }).issues;

test.each(["a\nb", "a\r\nX-Admin: 1", "a\0b", "a\u007fb"])(
  "a credential takes no control character: %j",
  (value) => {
    const field = password({ label: "Token", help: "x", example: "x" });
    expect(issuesOf(field, value)).toEqual([
      { path: "field", message: "Token must be a single line" },
    ]);
  },
);

test.each(["http://idp.example/", "https://user@idp.example/", "https://:pw@idp.example/"])(
  "an address is https, and holds neither name nor password: %s",
  (value) => {
    const field = url({ label: "Token URL", help: "x", example: "https://idp.example/" });
    expect(issuesOf(field, value)).toEqual([
      { path: "field", message: "Token URL must be an https:// URL" },
    ]);
  },
);

test("a mask shows the end of a long secret, and nothing of a short one", () => {
  expect(mask("0123456789ab")).toBe("••••89ab");
  for (const secret of ["", "1234", "0123456789a"]) expect(mask(secret)).toBe("••••");
});

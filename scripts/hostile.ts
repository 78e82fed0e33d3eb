import * as fc from "fast-check";

/** Texts that break something somewhere: a database, a date, a number, a URL, a prototype. */
const hostileTexts = [
  "",
  "\0",
  "a\0b",
  "\u{d800}",
  "\u{dfff}x",
  "\u{feff}",
  "\u202e\u0301😀",
  "%00",
  "%",
  "%zz",
  "..",
  "../../etc",
  "__proto__",
  "constructor",
  "toString",
  "0000-01-01T00:00:00Z",
  "9999-12-31T23:59:59+23:59",
  "-271821-04-20T00:00:00Z",
  "+275760-09-13T00:00:00Z",
  "2026-02-30T00:00:00Z",
  "00000000-0000-0000-0000-000000000000",
  "1e400",
  "9223372036854775808",
  "99999999999999999999",
  "-1",
  "0",
  "NaN",
  "' or 1=1 --",
  "{}",
  "[]",
  "null",
  "x".repeat(300),
  "y".repeat(70_000),
];
export const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...hostileTexts) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
);
export const number = fc.constantFrom(
  0,
  -0,
  -1,
  1.5,
  1e21,
  1e308,
  2 ** 31,
  2 ** 53,
  2 ** 63,
  -(2 ** 63),
);
const deep = (depth: number) => JSON.parse(`${"[".repeat(depth)}${"]".repeat(depth)}`) as unknown;
export const anything = fc.oneof(
  { weight: 4, arbitrary: text },
  { weight: 2, arbitrary: number },
  {
    weight: 2,
    arbitrary: fc.constantFrom<unknown>(
      null,
      true,
      [],
      {},
      [[]],
      deep(500),
      JSON.parse('{"__proto__":{"a":1}}'),
    ),
  },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
);

/** Bodies that no value makes. */
export const rawBodies = [
  "",
  "{",
  '{"a":1,"a":2}',
  '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
  `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`,
  "[".repeat(100_000),
  '{"a":1e999999}',
  `{"a":"${"z".repeat(900_000)}"}`,
  '"\\u0000"',
  '{"vendor_id":"\\ud800","credentials":{"\\u0000":"\\u0000"}}',
  "\u{feff}{}",
  "null",
  "NaN",
];

export const headerValue = fc.oneof(
  fc.constantFrom(
    "",
    "0",
    "-1",
    '"',
    '"1"',
    'W/"1"',
    "*",
    ",,,",
    "x".repeat(5_000),
    "é",
    "Bearer",
    "null",
  ),
  fc.stringMatching(/^[!-~]{0,60}$/),
);

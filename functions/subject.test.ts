import { describe, expect, test } from "vitest";

import { bodyText, subjectOf } from "./subject.ts";

const json = (value: unknown) => JSON.stringify(value, null, 2);
const form = (fields: Record<string, string>) => new URLSearchParams(fields).toString();

describe.each([
  [
    "+1 (555) 010-0123",
    [
      "call 555-010-0123.",
      json({ phone: "+15550100123" }),
      json({ phone: 15550100123 }),
      form({ From: "+1 555 010 0123" }),
      "%2B15550100123",
      "PID|1||MRN||||||||(555)010-0123",
      "tel:+1.555.010.0123",
    ],
    ["5550100124", "15550100123456", "555 010 012"],
  ],
  ["020 7946 0", ["02079460", "020-7946-0"], ["1020794600", "020794605"]],
  [
    "Ann.Smith@Example.org",
    [
      "mail ann.smith@example.org, please",
      json({ email: "ANN.SMITH@EXAMPLE.ORG" }),
      form({ email: "ann.smith@example.org" }),
      String.raw`{"email":"ann.smith\u0040example.org"}`,
      "<a>ann.smith&#64;example.org</a>",
    ],
    ["joann.smith@example.org", "ann.smith@example.organic", "ann-smith@example.org"],
  ],
  [
    "Zoë Müller",
    [
      "Patient Zoë Müller came",
      "MÜLLER^ZOË^Q",
      "NM1*IL*1*Müller*Zoë****MI",
      json({ name: [{ use: "official", family: "Müller", given: ["Zoë"] }] }),
      json({ first_name: "Zoë", last_name: "Müller" }),
      JSON.stringify({ text: "Zoë\nMüller" }),
      String.raw`{"name":"Zo\u00eb M\u00fcller"}`,
      form({ name: "Zoë Müller" }),
      form({ FirstName: "Zoë", LastName: "Müller" }),
      form({ payload: JSON.stringify({ name: "Zoë Müller" }) }),
      '<patient><family value="Müller"/><given value="Zoë"/></patient>',
      "<Last>M&#xfc;ller</Last><First>Zo&#235;</First>",
      "Zoe\u0308 Mu\u0308ller",
    ],
    ["Zoë Müllerin", "Zoë went home. Dr. Weber and Müller", "Müller"],
  ],
  ["MRN-00412", [json({ id: "mrn-00412" }), "PID|MRN-00412|"], ["MRN-004123", "XMRN-00412"]],
  ["00412345", [json({ mrn: "00412345" }), "PID|00412345|"], ["100412345", "004123456"]],
])("%s", (identifier, named, others) => {
  const subject = subjectOf(identifier);
  test.each(named)("is in %s", (text) => expect(subject.namedIn([text])).toBe(true));
  test.each(others)("is not in %s", (text) => expect(subject.namedIn([text])).toBe(false));
});

test("two spellings of the same are the same", () => {
  expect(subjectOf("+1 555 010 0123").normal).toBe(subjectOf("(555) 010-0123").normal);
  expect(subjectOf(" ANN@example.org ").normal).toBe(subjectOf("ann@example.org").normal);
});

test("bytes that are not UTF-8 are read as what vendors then send", () => {
  const latin = Uint8Array.from([..."MÜLLER^ZOË"].map((char) => char.charCodeAt(0)));
  expect(subjectOf("Zoë Müller").namedIn([bodyText(latin)])).toBe(true);
});

test("a large body takes no time to speak of", () => {
  const subject = subjectOf("Zoë Müller");
  const text = `${"\\u0041%41&amp;<a b='c'>\"x\": 1, ".repeat(50_000)}`;
  const started = performance.now();
  expect(subject.namedIn([text])).toBe(false);
  expect(performance.now() - started).toBeLessThan(2_000);
});

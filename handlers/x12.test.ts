import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { read999 } from "./x12-acknowledgment.ts";
import { read277 } from "./x12-claim-status.ts";
import { read271 } from "./x12-eligibility.ts";
import { read835 } from "./x12-remittance.ts";
import {
  acknowledged,
  eligibility,
  isa,
  rejected,
  remittance,
  statuses,
  wrap,
} from "./x12-samples.ts";
import {
  buildX12,
  cents,
  components,
  dollars,
  type Envelope,
  isoDate,
  parseX12,
  repetitions,
  type Row,
  type Separators,
  upper,
  usualSeparators,
  value,
  X12Error,
} from "./x12.ts";

const samples = [
  ["271", eligibility, read271],
  ["271 that is a rejection", rejected, read271],
  ["277", statuses, read277],
  ["835", remittance, read835],
  ["999", acknowledged, read999],
] as const;

const attempt = (read: (text: string) => unknown, text: string) => {
  try {
    return { result: read(text) };
  } catch (error) {
    return { error };
  }
};

describe("what is not exact is an error", () => {
  test.each(samples)("a %s that is cut off anywhere", (_name, text, read) => {
    for (let length = 0; length < text.length; length += 1)
      expect(attempt(read, text.slice(0, length)), `cut at ${length}`).toMatchObject({
        error: expect.any(X12Error),
      });
  });

  const marks = ["*", ":", "^", "~", "\n", "\u001d"];
  const strangers = [...marks, ..."|_>!<A0 9-"];

  // Into a letter or digit it cannot always be seen: X12 has no checksum.
  test.each(samples)("a %s with one separator turned into another", (_name, text, read) => {
    const right = JSON.stringify(read(text));
    const missed: string[] = [];
    for (let at = 0; at < text.length; at += 1) {
      const mark = text[at] ?? "";
      if (!"*:^~".includes(mark)) continue;
      for (const stranger of mark === "~" || at < isa.length ? strangers : marks) {
        if (stranger === mark) continue;
        const { error, result } = attempt(read, text.slice(0, at) + stranger + text.slice(at + 1));
        if (error === undefined && JSON.stringify(result) === right) continue;
        if (!(error instanceof X12Error))
          missed.push(`${text.slice(at - 20, at)}[${stranger}]${text.slice(at + 1, at + 20)}`);
      }
    }
    expect(missed).toEqual([]);
  });

  test.each(samples)(
    "a %s whose separators are not those that it declares",
    (_name, text, read) => {
      const right = JSON.stringify(read(text));
      const [header, body] = [text.slice(0, isa.length), text.slice(isa.length)];
      for (const mark of "*:^~")
        for (const stranger of strangers) {
          if (stranger === mark) continue;
          const { error, result } = attempt(read, header + body.replaceAll(mark, stranger));
          if (error === undefined) expect(JSON.stringify(result)).toBe(right);
          else expect(error, `${mark} became ${stranger}`).toBeInstanceOf(X12Error);
        }
    },
  );

  test.each(samples)("a %s that lost or doubled one segment", (_name, text, read) => {
    const segments = text.split("~").slice(0, -1);
    for (const [index, segment] of segments.entries())
      for (const changed of [[], [segment, segment]]) {
        const altered = segments.toSpliced(index, 1, ...changed).join("~");
        expect(attempt(read, `${altered}~`)).toMatchObject({ error: expect.any(X12Error) });
      }
  });

  test.each([
    ["SE*4*0001", "segment 5 (SE) does not count its segments right"],
    ["SE*3*0002", "segment 5 (SE) does not have the control number of its ST"],
    ["GE*2*42", "segment 6 (GE) does not count its transactions right"],
    ["GE*1*43", "segment 6 (GE) does not have the control number of its GS"],
    ["IEA*2*000000042", "segment 7 (IEA) does not count its groups right"],
    ["IEA*1*000000041", "segment 7 (IEA) does not have the control number of its ISA"],
    ["IEA*1*42", "segment 7 (IEA) does not have the control number of its ISA"],
  ])("%s in an envelope", (wrong, message) => {
    const text = wrap("HB", "271", "BHT*0022*11*1*20261123*1200");
    const [id = ""] = wrong.split("*");
    const error = new RegExp(`^${message.replace(/[()]/g, "\\$&")}$`);
    expect(() => parseX12(text.replace(new RegExp(`${id}\\*\\d+\\*\\d+`), wrong))).toThrow(error);
  });

  test.each(samples)("but not where a %s is laid out in lines", (_name, text, read) => {
    const laidOut = text.replaceAll("~", "~ \r\n\t  ");
    expect(read(`\uFEFF${laidOut}`)).toEqual(read(text));
  });

  test("what comes after the interchange must be another one", () => {
    expect(parseX12(`${eligibility}\r\n${statuses}\n`)).toHaveLength(2);
    expect(() => parseX12(`${eligibility}NM1*IL*1~`)).toThrow(/^segment 29 is not an ISA$/);
  });

  test("no message quotes what it read", () => {
    for (const [, text, read] of samples)
      for (let at = 106; at < text.length; at += 1) {
        const { error } = attempt(read, `${text.slice(0, at)}\u0007${text.slice(at + 1)}`);
        if (error instanceof X12Error)
          expect(error.message).not.toMatch(/LOPEZ|CAMILA|W0000|ACME|VISIT|SUNRISE/);
      }
  });
});

describe("garbage", () => {
  const size = 5_000_000;
  const filled = (piece: string) => piece.repeat(size / piece.length);
  test.each([
    ["stars", `${isa}${filled("*")}`],
    ["ends", `${isa}${filled("~")}`],
    ["segments without an end", `${isa}GS*HB*A*B*20261123*1200*1*X*0~ST*271*1~${filled("AB~")}`],
    ["headers", filled(isa)],
    ["groups", `${isa}${filled("GS*HB*A*B*20261123*1200*1*X*0~GE*0*1~")}`],
    ["one segment", `${isa}GS*HB*${filled("A")}`],
    ["line ends", filled("\r\n")],
    ["blanks", `${isa}${filled(" ")}`],
    ["no X12 at all", filled("<html>")],
    ["composites", `${isa}GS*HB*A*B*20261123*1200*1*X*0~ST*271*1~EB*${filled(":^")}~`],
  ])("5 MB of %s end soon, in an error", (_name, text) => {
    const began = performance.now();
    expect(() => read271(text)).toThrow(X12Error);
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  test("random text ends in an error", () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(..."*:^~\nNM1EBHL0") }).map((tail) => isa + tail),
    );
    fc.assert(
      fc.property(text, (garbage) => {
        expect(() => parseX12(garbage)).toThrow(X12Error);
      }),
    );
  });
});

describe("what is written", () => {
  const envelope: Envelope = {
    sender: "CLINIC",
    receiver: "PAYER",
    control: "42",
    usage: "test",
    code: "HS",
    set: "270",
    version: "005010X279A1",
    now: new Date("2026-11-23T12:00:00Z"),
  };
  const marks = fc
    .shuffledSubarray([..."*:^~|>!+_\u001c\u001d\n"], { minLength: 4, maxLength: 4 })
    .map(([element = "", component = "", repetition = "", segment = ""]): Separators => ({
      element,
      component,
      repetition,
      segment,
    }));
  const part = fc.stringMatching(/^[A-Z0-9 a-z.,'()/-]{0,12}$/);
  const word = fc.oneof(
    part,
    fc.array(part, { minLength: 2, maxLength: 4 }),
    fc.record({ repeat: fc.array(part, { minLength: 2, maxLength: 3 }) }),
  );
  const row = fc.tuple(fc.stringMatching(/^[A-Z][A-Z0-9]{1,2}$/), fc.array(word, { maxLength: 8 }));
  const envelopeIds = new Set(["ISA", "GS", "ST", "SE", "GE", "IEA", "TA1"]);
  const rows = fc.array(
    row.filter(([id]) => !envelopeIds.has(id)),
    { maxLength: 12 },
  );

  test("is read back as it was, whatever the separators", () => {
    fc.assert(
      fc.property(marks, fc.array(rows, { minLength: 1, maxLength: 3 }), (separators, all) => {
        const transactions = all.map((each) => each.map(([id, words]): Row => [id, ...words]));
        const text = buildX12(envelope, transactions, separators);
        const [interchange] = parseX12(text);
        expect(interchange).toMatchObject({
          control: "000000042",
          sender: "CLINIC",
          receiver: "PAYER",
          usage: "test",
          separators,
          groups: [{ code: "HS", version: "005010X279A1" }],
        });
        const read = interchange?.groups[0]?.transactions ?? [];
        expect(read).toHaveLength(transactions.length);
        for (const [index, body] of transactions.entries())
          for (const [place, [id, ...words]] of body.entries()) {
            const segment = read[index]?.segments[place];
            expect(segment?.id).toBe(id);
            if (!segment) continue;
            for (const [at, expected] of words.entries())
              if (typeof expected === "string") expect(value(segment, at + 1)).toBe(expected);
              else if ("repeat" in expected)
                expect(repetitions(segment, at + 1).join()).toBe(
                  value(segment, at + 1) === "" ? "" : expected.repeat.join(),
                );
              else expect(components(segment, at + 1)).toEqual(expected);
          }
      }),
    );
  });

  test("never holds a separator that was part of a value", () => {
    const values = fc.string({ maxLength: 30 });
    fc.assert(
      fc.property(values, values, (last, first) => {
        const rows: Row[] = [["NM1", "IL", "1", last, first, "X"]];
        const { error, result } = attempt(
          (control) => buildX12({ ...envelope, control }, [rows]),
          "7",
        );
        if (error !== undefined) {
          expect(error).toBeInstanceOf(X12Error);
          expect(last + first).toMatch(/[*:^~]|[^ -~]/);
          return;
        }
        const [segment] = parseX12(String(result))[0]?.groups[0]?.transactions[0]?.segments ?? [];
        expect(segment?.elements).toEqual(["IL", "1", last, first, "X"]);
      }),
    );
  });

  test.each<[string, () => string]>([
    [
      "a control number that is too long",
      () => buildX12({ ...envelope, control: "1234567890" }, []),
    ],
    ["a sender that is too long", () => buildX12({ ...envelope, sender: "S".repeat(16) }, [])],
    ["a segment without a name", () => buildX12(envelope, [[["nm1", "IL"]]])],
    ["a separator twice", () => buildX12(envelope, [], { ...usualSeparators, component: "*" })],
    ["a letter as separator", () => buildX12(envelope, [], { ...usualSeparators, segment: "S" })],
    [
      "a repetition in version 00401",
      () =>
        buildX12(envelope, [[["EQ", { repeat: ["30", "98"] }]]], {
          ...usualSeparators,
          repetition: undefined,
        }),
    ],
  ])("refuses %s", (_what, build) => {
    expect(build).toThrow(X12Error);
  });
});

describe("values", () => {
  test.each([
    ["2563.13", 256313],
    ["711.4", 71140],
    ["9006", 900600],
    [".5", 50],
    ["-.5", -50],
    ["-0", 0],
    ["12.3400", 1234],
  ])("%s is %i minor units", (amount, minor) => {
    expect(cents(amount)).toBe(minor);
  });

  test.each(["", "-", ".", "1.005", "1e3", "1,000", "12 ", "99999999999999999"])(
    "%j is no amount",
    (amount) => {
      expect(cents(amount)).toBeUndefined();
    },
  );

  test("an amount that was written is the one that is read", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e12, max: 1e12 }), (minor) => {
        expect(cents(dollars(minor))).toBe(minor);
      }),
    );
  });

  test("a date exists, or it is none", () => {
    expect(isoDate("20240229")).toBe("2024-02-29");
    for (const wrong of ["20230229", "20261301", "2026112", "202611233", ""])
      expect(isoDate(wrong)).toBeUndefined();
  });

  test("names lose what the basic character set does not have", () => {
    expect(upper(" Łucja Ñandú-O'Brien ")).toBe("ŁUCJA NANDU-O'BRIEN");
  });
});

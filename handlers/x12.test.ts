import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { read999 } from "./x12-acknowledgment.ts";
import { build276, read277 } from "./x12-claim-status.ts";
import { build270, read271 } from "./x12-eligibility.ts";
import { checkSegments } from "./x12-format.ts";
import { read835 } from "./x12-remittance.ts";
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

const isa =
  "ISA*00*          *00*          *ZZ*PAYER          *ZZ*CLINIC         *261123*1200*^*00501*000000042*0*T*:~";

/** One transaction in its envelope, with the counts that are right. */
function wrap(code: string, set: string, body: string) {
  const segments = body.trim().split(/\s*\n\s*/);
  return [
    isa,
    `GS*${code}*PAYER*CLINIC*20261123*1200*42*X*005010~`,
    `ST*${set}*0001~`,
    ...segments.map((segment) => `${segment}~`),
    `SE*${segments.length + 2}*0001~`,
    "GE*1*42~",
    "IEA*1*000000042~",
  ].join("");
}

const eligibility = wrap(
  "HB",
  "271",
  `BHT*0022*11*000000042*20261123*1200
   HL*1**20*1
   NM1*PR*2*ACME HEALTH*****PI*87726
   HL*2*1*21*1
   NM1*1P*2*SUNRISE CLINIC*****XX*1234567893
   HL*3*2*22*0
   TRN*2*000000042*9000000042
   NM1*IL*1*LOPEZ*CAMILA****MI*W000000001
   N3*237 HOBBS STREET
   N4*WAXHAW*NC*281730000
   REF*6P*G-100*ACME PPO
   DMG*D8*19870912*F
   DTP*346*D8*20260101
   DTP*347*D8*20261231
   EB*1*IND*30^98*PR*GOLD PPO
   EB*B*IND*98****25*****Y
   EB*A*IND*98*****.2****N
   EB*C*IND*30***29*812.5*****Y
   MSG*PER PERSON: CALENDAR YEAR^
   LS*2120
   NM1*P3*1*WELBY*MARCUS****XX*1999999984
   LE*2120`,
);

const rejected = wrap(
  "HB",
  "271",
  `BHT*0022*11*000000042*20261123*1200
   HL*1**20*1
   NM1*PR*2*ACME HEALTH*****PI*87726
   HL*2*1*21*1
   NM1*1P*2*SUNRISE CLINIC*****XX*1234567893
   HL*3*2*22*0
   NM1*IL*1*NOBODY*NED****MI*W999999999
   AAA*N**75*C`,
);

const statuses = wrap(
  "HN",
  "277",
  `BHT*0010*08*000000042*20261123*1200*DG
   HL*1**20*1
   NM1*PR*2*ACME HEALTH*****PI*87726
   HL*2*1*21*1
   NM1*41*2*SUNRISE CLINIC*****46*SUN01
   HL*3*2*19*1
   NM1*1P*2*SUNRISE CLINIC*****XX*1234567893
   HL*4*3*22*0
   NM1*IL*1*LOPEZ*CAMILA****MI*W000000001
   TRN*2*000000042
   STC*F1:65*20261102**150*95.5*20261101*CHK*20261102*889901
   REF*1K*2026300123
   REF*EJ*VISIT-42
   DTP*472*RD8*20261005-20261006
   SVC*HC:99213*150*95.5****1
   STC*F1:65*20261102
   TRN*2*000000043
   STC*P1:20:PR*20261120**80*0
   REF*1K*2026300124`,
);

const remittance = wrap(
  "HP",
  "835",
  `BPR*I*160.5*C*ACH*CCP*01*999999992*DA*1234567*1512345678**01*999988880*DA*98765*20261120
   TRN*1*EFT0001*1512345678
   DTM*405*20261119
   N1*PR*ACME HEALTH
   N3*1 PAYER WAY
   N4*PHOENIX*AZ*85001
   REF*2U*87726
   PER*BL*PROVIDER RELATIONS*TE*8005550100
   N1*PE*SUNRISE CLINIC*XX*1234567893
   REF*TJ*123456789
   LX*1
   CLP*VISIT-42*1*250*170.5*30*12*2026300123*11*1
   CAS*CO*45*20
   NM1*QC*1*LOPEZ*CAMILA****MI*W000000001
   MOA***MA01
   DTM*232*20261005
   DTM*233*20261006
   SVC*HC:99213:25*150*100.5**1
   DTM*472*20261005
   CAS*PR*1*20**2*10*1
   CAS*CO*253*19.5
   REF*6R*1
   LQ*HE*N130
   SVC*HC:87880*100*90**1
   DTM*472*20261006
   CAS*OA*23*10
   CLP*VISIT-43*4*80*0**12*2026300124
   CAS*PR*204*80
   PLB*1234567893*20261231*WO:2026200001*10`,
);

const acknowledged = wrap(
  "FA",
  "999",
  `AK1*HC*42*005010X222A1
   AK2*837*0001
   IK5*A
   AK2*837*0002
   IK3*NM1*8*2010*8
   CTX*CLM01:VISIT-43
   IK4*9*67*7*W!
   IK5*R*5
   AK9*P*2*2*1`,
);

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

describe("what each transaction says", () => {
  test("a 271 is coverage, benefits and the plan's dates", () => {
    expect(read271(eligibility)).toEqual({
      status: "active",
      payer: "ACME HEALTH",
      plan: "GOLD PPO",
      member: "W000000001",
      group: "G-100",
      from: "2026-01-01",
      to: "2026-12-31",
      trace: "000000042",
      benefits: [
        { code: "1", name: "Active coverage", serviceTypes: ["30", "98"] },
        {
          code: "B",
          name: "Co-payment",
          serviceTypes: ["98"],
          amount: "25",
          inNetwork: true,
        },
        {
          code: "A",
          name: "Co-insurance",
          serviceTypes: ["98"],
          percent: "20",
          inNetwork: false,
        },
        {
          code: "C",
          name: "Deductible",
          serviceTypes: ["30"],
          period: "Remaining",
          amount: "812.5",
          inNetwork: true,
        },
      ],
      errors: [],
    });
  });

  test("a rejected inquiry is an error, and never inactive coverage", () => {
    expect(read271(rejected)).toMatchObject({
      status: "unknown",
      benefits: [],
      errors: [{ code: "75", message: "The payer does not find the subscriber" }],
    });
  });

  test.each([
    ["EB*6", "inactive"],
    ["EB*6**30\nEB*1**35", "inactive"],
    ["EB*6**30\nEB*1**30", "active"],
    ["EB*1**35", "active"],
    ["EB*U", "unknown"],
  ])("%j is %s coverage", (lines, status) => {
    const body = `BHT*0022*11*1*20261123*1200
      HL*1**20*1
      HL*2*1*21*1
      HL*3*2*22*0
      ${lines}`;
    expect(read271(wrap("HB", "271", body)).status).toBe(status);
  });

  test("a 277 is a status for each claim", () => {
    expect(read277(statuses)).toEqual({
      claims: [
        {
          category: "F1",
          code: "65",
          meaning: "Finalized: paid",
          number: "2026300123",
          claimNumber: "VISIT-42",
          charged: 15000,
          paid: 9550,
          asOf: "2026-11-02",
          decidedOn: "2026-11-01",
          from: "2026-10-05",
          to: "2026-10-06",
        },
        {
          category: "P1",
          code: "20",
          meaning: "Pending: in process",
          number: "2026300124",
          charged: 8000,
          paid: 0,
          asOf: "2026-11-20",
        },
      ],
      errors: [],
    });
  });

  test("a 277 that found nothing is an error, not a claim", () => {
    const nothing = statuses.replace("STC*F1:65*20261102**150*95.5", "STC*D0:35*20261102**150*0");
    expect(read277(nothing)).toMatchObject({
      claims: [{ category: "P1" }],
      errors: [{ code: "D0:35", message: "The payer's search found nothing" }],
    });
  });

  test("an 835 is a payment, its claims, their lines, and whether all of it adds up", () => {
    const [read] = read835(remittance);
    expect(read).toMatchObject({
      payer: "ACME HEALTH",
      payerId: "87726",
      payee: "SUNRISE CLINIC",
      payeeNpi: "1234567893",
      trace: "EFT0001",
      method: "ACH",
      paid: 16050,
      paidOn: "2026-11-20",
      balanced: true,
      providerAdjustments: [{ reason: "WO", reference: "2026200001", amount: 1000 }],
    });
    expect(read?.claims).toMatchObject([
      {
        claimNumber: "VISIT-42",
        number: "2026300123",
        status: "1",
        charged: 25000,
        paid: 17050,
        patientResponsibility: 3000,
        patient: "CAMILA LOPEZ",
        member: "W000000001",
        from: "2026-10-05",
        to: "2026-10-06",
        remarks: ["MA01"],
        lines: [
          {
            procedure: "99213",
            modifiers: ["25"],
            charged: 15000,
            paid: 10050,
            units: 1,
            serviceDate: "2026-10-05",
            number: "1",
            remarks: ["N130"],
            adjustments: [
              { group: "PR", reason: "1", amount: 2000 },
              { group: "PR", reason: "2", amount: 1000, quantity: 1 },
              { group: "CO", reason: "253", amount: 1950 },
            ],
          },
          { procedure: "87880", modifiers: [], charged: 10000, paid: 9000 },
        ],
      },
      { claimNumber: "VISIT-43", status: "4", paid: 0, lines: [] },
    ]);
  });

  test("an 835 that does not add up says so", () => {
    const wrong = remittance.replace("CAS*OA*23*10", "CAS*OA*23*11");
    expect(read835(wrong)).toMatchObject([{ balanced: false }]);
    expect(read835(remittance.replace("*10~SE", "*11~SE"))).toMatchObject([{ balanced: false }]);
  });

  test("a 999 says which transaction is refused, and where", () => {
    expect(read999(acknowledged)).toEqual([
      {
        group: "HC",
        control: "42",
        outcome: "partly_accepted",
        received: 2,
        accepted: 1,
        transactions: [
          { set: "837", control: "0001", outcome: "accepted", faults: [] },
          {
            set: "837",
            control: "0002",
            outcome: "rejected",
            faults: [{ segment: "NM1", place: 8, loop: "2010", code: "7", element: 9 }],
          },
        ],
      },
    ]);
  });

  test("another transaction than the one that is wanted is an error", () => {
    expect(() => read835(eligibility)).toThrow("There is no 835 in it");
  });
});

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

  const provider = { npi: "1234567893", name: "Sunrise Clinic" };
  const subscriber = {
    memberId: "W000000001",
    firstName: "José",
    lastName: "Núñez",
    birthDate: "1987-09-12",
    gender: "M",
  } as const;
  const dependent = {
    firstName: "Ana",
    lastName: "Núñez",
    birthDate: "2015-02-03",
    relationship: "child",
  } as const;
  const parties = { sender: "CLINIC", receiver: "PAYER", control: "42", usage: "test" } as const;
  const written = (text: string) =>
    (parseX12(text)[0]?.groups[0]?.transactions[0]?.segments ?? []).map(({ id, elements }) =>
      [id, ...elements].join("*"),
    );

  test("a 270 asks for the member, at the date and for the services", () => {
    const text = build270(
      { payer: "87726", provider, subscriber, serviceTypes: ["30", "98"] },
      { ...parties, now: envelope.now },
    );
    expect(written(text)).toEqual([
      "BHT*0022*13*42*20261123*1200",
      "HL*1**20*1",
      "NM1*PR*2*87726*****PI*87726",
      "HL*2*1*21*1",
      "NM1*1P*2*SUNRISE CLINIC*****XX*1234567893",
      "HL*3*2*22*0",
      "TRN*1*42*9000000042",
      "NM1*IL*1*NUNEZ*JOSE****MI*W000000001",
      "DMG*D8*19870912*M",
      "DTP*291*D8*20261123",
      "EQ*30^98",
    ]);
  });

  test("a 270 and a 276 for a dependent name both, and look as X12 wants", () => {
    const inquiry = { payer: "87726", payerName: "Acme", provider, subscriber, dependent };
    const range = { from: "2026-10-05", to: "2026-10-06", charge: 15000, claimNumber: "VISIT-42" };
    const now = { ...parties, now: envelope.now };
    const asked = build270({ ...inquiry, serviceDate: "2026-10-05" }, now);
    const status = build276({ ...inquiry, ...range }, { name: "Sunrise", id: "SUN01" }, now);
    for (const text of [asked, status])
      for (const { groups } of parseX12(text))
        for (const { transactions } of groups)
          for (const { segments } of transactions) checkSegments(segments);
    expect(written(asked).slice(5)).toEqual([
      "HL*3*2*22*1",
      "NM1*IL*1*NUNEZ*JOSE****MI*W000000001",
      "HL*4*3*23*0",
      "TRN*1*42*9000000042",
      "NM1*03*1*NUNEZ*ANA",
      "DMG*D8*20150203",
      "INS*N*19",
      "DTP*291*D8*20261005",
      "EQ*30",
    ]);
    expect(written(status).slice(7)).toEqual([
      "HL*4*3*22*1",
      "NM1*IL*1*NUNEZ*JOSE****MI*W000000001",
      "HL*5*4*23",
      "DMG*D8*20150203",
      "NM1*QC*1*NUNEZ*ANA",
      "TRN*1*42",
      "REF*EJ*VISIT-42",
      "AMT*T3*150.00",
      "DTP*472*RD8*20261005-20261006",
    ]);
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

import { describe, expect, test } from "vitest";

import { read999 } from "./x12-acknowledgment.ts";
import { build276, read277 } from "./x12-claim-status.ts";
import { build270, read271 } from "./x12-eligibility.ts";
import { checkSegments } from "./x12-format.ts";
import { read835 } from "./x12-remittance.ts";
import { acknowledged, eligibility, rejected, remittance, statuses, wrap } from "./x12-samples.ts";
import { parseX12 } from "./x12.ts";

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

  test.each([
    [".2", "20"],
    ["1", "100"],
    ["0", "0"],
    [".175", "17.5"],
    ["20", "20"],
  ])("a share of %s is %s %%", (written, percent) => {
    const text = eligibility.replace("*98*****.2*", `*98*****${written}*`);
    expect(read271(text).benefits).toContainEqual(expect.objectContaining({ code: "A", percent }));
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

  test.each([
    ["BHT*0022*11*000000042*20261123*1200", "BHT*0022*11"],
    ["BHT*0022*11*000000042*20261123*1200", "BHT*0022*11**20261123*1200"],
  ])("a 271 says the same with its %s as %s", (full, short) => {
    expect(read271(eligibility.replace(full, short))).toEqual(read271(eligibility));
  });

  test("a 999 may name a transaction by less than four digits", () => {
    const [read] = read999(acknowledged.replace("AK2*837*0001", "AK2*837*1"));
    expect(read?.transactions[0]).toMatchObject({ control: "1", outcome: "accepted" });
  });

  test("another transaction than the one that is wanted is an error", () => {
    expect(() => read835(eligibility)).toThrow("There is no 835 in it");
  });
});

describe("what is asked", () => {
  const now = new Date("2026-11-23T12:00:00Z");
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
      { ...parties, now },
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

  test("a gender that is not told is left out: a 270 and a 276 take F and M alone", () => {
    const inquiry = {
      payer: "87726",
      provider,
      subscriber: { ...subscriber, gender: "U" },
    } as const;
    const range = { from: "2026-10-05", to: "2026-10-06" };
    const envelope = { ...parties, now };
    const asked = build270(inquiry, envelope);
    const status = build276({ ...inquiry, ...range }, { name: "Sunrise", id: "SUN01" }, envelope);
    for (const text of [asked, status]) expect(written(text)).toContain("DMG*D8*19870912");
  });

  test("a 270 and a 276 for a dependent name both, and look as X12 wants", () => {
    const inquiry = { payer: "87726", payerName: "Acme", provider, subscriber, dependent };
    const range = { from: "2026-10-05", to: "2026-10-06", charge: 15000, claimNumber: "VISIT-42" };
    const envelope = { ...parties, now };
    const asked = build270({ ...inquiry, serviceDate: "2026-10-05" }, envelope);
    const status = build276({ ...inquiry, ...range }, { name: "Sunrise", id: "SUN01" }, envelope);
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

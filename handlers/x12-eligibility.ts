import * as z from "zod";

import { capabilities, type CapabilityParams } from "./capabilities.ts";
import { checkSegments } from "./x12-format.ts";
import {
  buildX12,
  compactDate,
  type Envelope,
  isoDate,
  loopsOf,
  repetitions,
  type Row,
  type Segment,
  stampOf,
  transactionsOf,
  upper,
  value,
  X12Error,
} from "./x12.ts";

export const Coverage = capabilities["eligibility.check"].result.extend({
  payer: z.string().optional(),
  group: z.string().optional(),
  /** The plan's or the coverage's dates. */
  from: z.string().optional(),
  to: z.string().optional(),
  /** TRN02 that we sent, as it came back. */
  trace: z.string().optional(),
});
export type Coverage = z.output<typeof Coverage>;
type Benefit = Coverage["benefits"][number];

/** X12 EB01. */
const benefitNames: Readonly<Record<string, string>> = {
  "1": "Active coverage",
  "2": "Active, full risk capitation",
  "3": "Active, services capitated",
  "4": "Active, services capitated to primary care physician",
  "5": "Active, pending investigation",
  "6": "Inactive",
  "7": "Inactive, pending eligibility update",
  "8": "Inactive, pending investigation",
  A: "Co-insurance",
  B: "Co-payment",
  C: "Deductible",
  CB: "Coverage basis",
  D: "Benefit description",
  E: "Exclusions",
  F: "Limitations",
  G: "Out of pocket (stop loss)",
  H: "Unlimited",
  I: "Non-covered",
  J: "Cost containment",
  K: "Reserve",
  L: "Primary care provider",
  M: "Pre-existing condition",
  MC: "Managed care coordinator",
  N: "Services restricted to the following provider",
  O: "Not deemed a medical necessity",
  P: "Benefit disclaimer",
  Q: "Second surgical opinion required",
  R: "Other or additional payer",
  S: "History of prior years",
  T: "Card reported lost or stolen",
  U: "Contact the following entity",
  V: "Cannot process",
  W: "Other source of data",
  X: "Health care facility",
  Y: "Spend down",
};

/** X12 EB06. */
const periods: Readonly<Record<string, string>> = {
  "6": "Hour",
  "7": "Day",
  "13": "24 hours",
  "21": "Years",
  "22": "Service year",
  "23": "Calendar year",
  "24": "Year to date",
  "25": "Contract",
  "26": "Episode",
  "27": "Visit",
  "28": "Outlier",
  "29": "Remaining",
  "30": "Exceeded",
  "31": "Not exceeded",
  "32": "Lifetime",
  "33": "Lifetime remaining",
  "34": "Month",
  "35": "Week",
  "36": "Admission",
};

/** X12 AAA03: why a payer rejects an inquiry, in our words. */
const rejections: Readonly<Record<string, string>> = {
  "04": "The authorized quantity is exceeded",
  "15": "Something that the payer needs is missing",
  "33": "The input is not right",
  "35": "The payer is out of network",
  "41": "The payer does not allow us to ask",
  "42": "The payer cannot answer now; try again later",
  "43": "The payer does not know the provider's identification",
  "44": "The payer does not know the provider's name",
  "45": "The provider's specialty is missing or wrong",
  "46": "The provider's phone number is missing or wrong",
  "47": "The provider's state is missing or wrong",
  "48": "The referring provider's identification is missing or wrong",
  "49": "The provider is not a primary care physician",
  "50": "The payer does not allow this provider to ask",
  "51": "The payer does not have the provider on file",
  "52": "The dates of service are outside the provider's plan enrollment",
  "53": "The inquired benefit is not consistent with the provider's type",
  "54": "The product or procedure is not right",
  "55": "The product or procedure is not right",
  "56": "The date is not right",
  "57": "The date of service is missing or wrong",
  "58": "The patient's birth date is missing or wrong",
  "60": "The birth date is after the date of service",
  "61": "The date of death is before the date of service",
  "62": "The date of service is not within the period that can be asked about",
  "63": "The date of service is in the future",
  "64": "The patient's identification is missing or wrong",
  "65": "The patient's name is missing or wrong",
  "66": "The patient's gender is missing or wrong",
  "67": "The payer does not find the patient",
  "68": "The patient's identification is there twice",
  "69": "The patient's age does not fit",
  "70": "The patient's gender does not fit",
  "71": "The birth date is not the one that the payer has on file",
  "72": "The member number is missing or wrong",
  "73": "The subscriber's name is missing or wrong",
  "74": "The subscriber's gender is missing or wrong",
  "75": "The payer does not find the subscriber",
  "76": "The subscriber's identification is there twice",
  "77": "The subscriber is found, the patient is not",
  "78": "The subscriber is not in the group or plan that was named",
  "79": "The payer's identification is not right",
  "80": "No answer came from the payer",
  "97": "The name or address is not right",
  "98": "The experience does not fit",
  T4: "The payer's name or identification is missing",
};

export const rejection = (code: string) => ({
  code,
  message: rejections[code] ?? `The payer rejected the inquiry (AAA ${code})`,
});

/** `.2` is 20 %, and so is the `20` of payers that do not write a fraction. */
export function percentOf(written: string): string {
  const share = Number(written);
  return String(share > 1 ? share : Number((share * 100).toFixed(4)));
}

/** A plan-level line decides before one of a single service, and an active plan before an ended one. */
export function coverageStatus(
  lines: readonly { code: string; serviceTypes: readonly string[] }[],
) {
  const general = lines.filter(
    ({ serviceTypes }) => serviceTypes.length === 0 || serviceTypes.includes("30"),
  );
  for (const some of [general, lines]) {
    if (some.some(({ code }) => /^[1-5]$/.test(code))) return "active" as const;
    if (some.some(({ code }) => /^[678]$/.test(code))) return "inactive" as const;
  }
  return "unknown" as const;
}

function readBenefit(eb: Segment): Benefit {
  const code = value(eb, 1);
  const [amount, fraction, network] = [value(eb, 7), value(eb, 8), value(eb, 12)];
  return {
    code,
    name: benefitNames[code],
    serviceTypes: repetitions(eb, 3),
    amount: amount || undefined,
    percent: fraction ? percentOf(fraction) : undefined,
    period: periods[value(eb, 6)],
    inNetwork: network === "Y" ? true : network === "N" ? false : undefined,
  };
}

/** `20260101`, or `20260101-20261231` of which either end is taken. */
const dateOf = (dtp: Segment | undefined, end: "first" | "last") =>
  dtp &&
  isoDate(
    value(dtp, 3)
      .split("-")
      .at(end === "first" ? 0 : -1) ?? "",
  );

/** Reads the answer to one inquiry. Throws `X12Error`. */
export function read271(text: string): Coverage {
  const [transaction, another] = transactionsOf(text, "271");
  if (!transaction || another) throw new X12Error("There is more than one 271 in it");
  checkSegments(transaction.segments);
  const loops = loopsOf(transaction);
  const subscribers = loops.filter(({ level }) => level === "22");
  const dependents = loops.filter(({ level }) => level === "23");
  if (subscribers.length > 1 || dependents.length > 1)
    throw new X12Error("There is more than one patient in it");
  const [subscriber] = subscribers;
  const patient = dependents[0] ?? subscriber;

  const errors = loops
    .flatMap(({ segments }) => segments)
    .filter(({ id }) => id === "AAA")
    .map((aaa) => rejection(value(aaa, 3)));
  const lines = patient?.segments ?? [];
  const firstBenefit = lines.findIndex(({ id }) => id === "EB");
  const head = firstBenefit < 0 ? lines : lines.slice(0, firstBenefit);
  const ebs = lines.filter(({ id }) => id === "EB");
  const benefits = ebs.map(readBenefit);
  const named = (id: string, first: string, among: readonly Segment[] | undefined) =>
    among?.find((segment) => segment.id === id && value(segment, 1) === first);
  const dated = (...qualifiers: string[]) =>
    qualifiers.map((qualifier) => named("DTP", qualifier, head)).find(Boolean);

  const payer = loops.find(({ level }) => level === "20")?.segments.find(({ id }) => id === "NM1");
  const member = named("NM1", "IL", subscriber?.segments);
  const group = named("REF", "6P", head) ?? named("REF", "6P", subscriber?.segments);
  const active = ebs.find((eb) => /^[1-5]$/.test(value(eb, 1)) && value(eb, 5) !== "");
  const trace = patient?.segments.find(({ id, elements }) => id === "TRN" && elements[0] === "2");
  return {
    status: coverageStatus(benefits),
    payer: (payer && value(payer, 3)) || undefined,
    plan: active && value(active, 5),
    member: (member && value(member, 9)) || undefined,
    group: (group && value(group, 2)) || undefined,
    from: dateOf(dated("346", "356", "307", "291"), "first"),
    to: dateOf(dated("347", "357", "307", "291"), "last"),
    trace: trace && value(trace, 2),
    benefits,
    errors,
  };
}

export type Inquiry = Omit<CapabilityParams<"eligibility.check">, "id">;
type Insured = Omit<NonNullable<Inquiry["dependent"]>, "relationship">;

export const name = (code: string, { firstName, lastName }: Insured, ...rest: string[]): Row => [
  "NM1",
  code,
  "1",
  upper(lastName),
  upper(firstName),
  ...rest,
];
/** A 270 and a 276 know no third gender: it is left out. */
export const demographics = ({ birthDate, gender }: Insured): Row => [
  "DMG",
  "D8",
  compactDate(birthDate),
  gender === "U" ? "" : (gender ?? ""),
];

/** Writes a 270 for one patient. Throws `X12Error` for what X12 cannot carry. */
export function build270(
  inquiry: Inquiry,
  envelope: Pick<Envelope, "sender" | "receiver" | "control" | "usage" | "now">,
): string {
  const { payer, payerName, provider, subscriber, dependent } = inquiry;
  const { control, now } = envelope;
  const { date, time } = stampOf(now);
  // TRN03 has ten characters, of which the first says that the rest is of our own making.
  const trace: Row = ["TRN", "1", control, `9${control.padStart(9, "0")}`];
  const asked: Row[] = [
    ["DTP", "291", "D8", inquiry.serviceDate ? compactDate(inquiry.serviceDate) : date],
    ["EQ", { repeat: inquiry.serviceTypes?.length ? inquiry.serviceTypes : ["30"] }],
  ];
  const member = name("IL", subscriber, "", "", "", "MI", subscriber.memberId);
  const relationship = { spouse: "01", child: "19", other: "34" };
  return buildX12({ ...envelope, code: "HS", set: "270", version: "005010X279A1" }, [
    [
      ["BHT", "0022", "13", control, date, time],
      ["HL", "1", "", "20", "1"],
      ["NM1", "PR", "2", upper(payerName ?? payer), "", "", "", "", "PI", payer],
      ["HL", "2", "1", "21", "1"],
      ["NM1", "1P", "2", upper(provider.name), "", "", "", "", "XX", provider.npi],
      ["HL", "3", "2", "22", dependent ? "1" : "0"],
      ...(dependent
        ? [
            member,
            ["HL", "4", "3", "23", "0"] as const,
            trace,
            name("03", dependent),
            demographics(dependent),
            ["INS", "N", relationship[dependent.relationship]] as const,
          ]
        : [trace, member, demographics(subscriber)]),
      ...asked,
    ],
  ]);
}

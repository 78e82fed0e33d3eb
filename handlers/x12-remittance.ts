import * as z from "zod";

import { checkSegments } from "./x12-format.ts";
import {
  cents,
  components,
  isoDate,
  type Segment,
  type Transaction,
  transactionsOf,
  value,
  X12Error,
} from "./x12.ts";

/** Amounts are minor units. */
const Amount = z.number().int();
const Adjustment = z.object({
  /** CO contractual, PR patient, OA other, PI payer's own reduction, CR correction. */
  group: z.string(),
  /** Claim Adjustment Reason Code. */
  reason: z.string(),
  amount: Amount,
  quantity: z.number().optional(),
});

/** One payment and what it is for (X12 835). */
export const Remittance = z.object({
  payer: z.string(),
  payerId: z.string().optional(),
  payee: z.string(),
  payeeNpi: z.string().optional(),
  /** The check's or the transfer's number, which the bank shows too (TRN02). */
  trace: z.string(),
  /** X12 BPR04: ACH, CHK, NON (no payment)… */
  method: z.string(),
  paid: Amount,
  paidOn: z.string().optional(),
  claims: z.array(
    z.object({
      /** Our own number of the claim, and the payer's. */
      claimNumber: z.string(),
      number: z.string().optional(),
      /** X12 CLP02: 1 primary, 2 secondary, 4 denied, 19 primary and forwarded, 22 reversal… */
      status: z.string(),
      charged: Amount,
      paid: Amount,
      patientResponsibility: Amount.optional(),
      filing: z.string().optional(),
      patient: z.string().optional(),
      member: z.string().optional(),
      from: z.string().optional(),
      to: z.string().optional(),
      adjustments: z.array(Adjustment),
      /** Remittance Advice Remark Codes of the whole claim. */
      remarks: z.array(z.string()),
      lines: z.array(
        z.object({
          procedure: z.string().optional(),
          modifiers: z.array(z.string()),
          revenueCode: z.string().optional(),
          charged: Amount,
          paid: Amount,
          units: z.number().optional(),
          serviceDate: z.string().optional(),
          /** Our own number of the line. */
          number: z.string().optional(),
          adjustments: z.array(Adjustment),
          remarks: z.array(z.string()),
        }),
      ),
    }),
  ),
  /** Between the provider and the payer, not of one claim; a positive amount reduces the payment. */
  providerAdjustments: z.array(
    z.object({ reason: z.string(), reference: z.string().optional(), amount: Amount }),
  ),
  /** The adjustments explain each claim's payment, and the claims the whole payment. */
  balanced: z.boolean(),
});
export type Remittance = z.output<typeof Remittance>;
type Claim = Remittance["claims"][number];
type Line = Claim["lines"][number];
type Unbalanced = Omit<Remittance, "balanced">;

const sum = (amounts: readonly { amount: number }[]) =>
  amounts.reduce((total, { amount }) => total + amount, 0);

/** The 835 guide's rules (TR3 005010X221 §1.10.2): whoever posts a payment relies on them. */
export function withBalance(remittance: Unbalanced): Remittance {
  const { claims, providerAdjustments, paid } = remittance;
  const claimsBalance = claims.every((claim) => {
    const lines = claim.lines.every((line) => line.charged - sum(line.adjustments) === line.paid);
    const all = [...claim.adjustments, ...claim.lines.flatMap((line) => line.adjustments)];
    return lines && claim.charged - sum(all) === claim.paid;
  });
  const explained = claims.reduce((total, claim) => total + claim.paid, 0);
  const balanced = claimsBalance && explained - sum(providerAdjustments) === paid;
  return { ...remittance, balanced };
}

function money(segment: Segment, element: number): number {
  const amount = cents(value(segment, element));
  if (amount === undefined)
    throw new X12Error(`does not have an amount as its element ${element}`, segment);
  return amount;
}

const quantity = (written: string) => (written === "" ? undefined : Number(written));

/** CAS holds up to six reasons of one group. */
function readAdjustments(segments: readonly Segment[]): Claim["adjustments"] {
  return segments
    .filter(({ id }) => id === "CAS")
    .flatMap((cas) => {
      const found: Claim["adjustments"] = [];
      for (let at = 2; at <= cas.elements.length; at += 3) {
        const reason = value(cas, at);
        if (reason === "" && value(cas, at + 1) === "" && value(cas, at + 2) === "") continue;
        if (reason === "") throw new X12Error("has an adjustment without a reason", cas);
        found.push({
          group: value(cas, 1),
          reason,
          amount: money(cas, at + 1),
          quantity: quantity(value(cas, at + 2)),
        });
      }
      return found;
    });
}

const pick = (segments: readonly Segment[], id: string, first: string) =>
  segments.find((segment) => segment.id === id && value(segment, 1) === first);
const dated = (segments: readonly Segment[], ...qualifiers: string[]) => {
  const dtm = qualifiers.map((qualifier) => pick(segments, "DTM", qualifier)).find(Boolean);
  return dtm && isoDate(value(dtm, 2));
};
const text = (segment: Segment | undefined, element: number) =>
  (segment && value(segment, element)) || undefined;

function readLine([svc, ...rest]: readonly [Segment, ...Segment[]]): Line {
  const [qualifier, code, ...modifiers] = components(svc, 1);
  const revenue = qualifier === "NU";
  return {
    procedure: revenue ? undefined : code,
    modifiers: modifiers.slice(0, 4).filter(Boolean),
    revenueCode: revenue ? code : text(svc, 4),
    charged: money(svc, 2),
    paid: money(svc, 3),
    units: quantity(value(svc, 5)),
    serviceDate: dated(rest, "472", "150"),
    number: text(pick(rest, "REF", "6R"), 2),
    adjustments: readAdjustments(rest),
    remarks: rest.filter(({ id }) => id === "LQ").map((lq) => value(lq, 2)),
  };
}

/** Cuts where a segment of this name stands; what comes before the first is left out. */
function sections(segments: readonly Segment[], id: string) {
  const starts = segments.flatMap((segment, index) => (segment.id === id ? [index] : []));
  return starts.map(
    (start, index) => segments.slice(start, starts[index + 1]) as [Segment, ...Segment[]],
  );
}

function readClaim([clp, ...rest]: readonly [Segment, ...Segment[]]): Claim {
  const firstLine = rest.findIndex(({ id }) => id === "SVC");
  const own = firstLine < 0 ? rest : rest.slice(0, firstLine);
  const patient = pick(own, "NM1", "QC");
  const moa = own.find(({ id }) => id === "MOA");
  const mia = own.find(({ id }) => id === "MIA");
  const remarks = [
    ...[3, 4, 5, 6, 7].map((element) => text(moa, element)),
    ...[5, 20, 21, 22, 23].map((element) => text(mia, element)),
  ];
  const responsibility = value(clp, 5);
  return {
    claimNumber: value(clp, 1),
    number: text(clp, 7),
    status: value(clp, 2),
    charged: money(clp, 3),
    paid: money(clp, 4),
    patientResponsibility: responsibility === "" ? undefined : money(clp, 5),
    filing: text(clp, 6),
    patient: [text(patient, 4), text(patient, 3)].filter(Boolean).join(" ") || undefined,
    member: text(pick(own, "NM1", "IL"), 9) ?? text(patient, 9),
    from: dated(own, "232"),
    to: dated(own, "233"),
    adjustments: readAdjustments(own),
    remarks: remarks.flatMap((code) => code ?? []),
    lines: sections(rest, "SVC").map(readLine),
  };
}

/** PLB holds up to six reasons. */
function readProviderAdjustments(plb: Segment): Remittance["providerAdjustments"] {
  const found: Remittance["providerAdjustments"] = [];
  for (let at = 3; at <= plb.elements.length; at += 2) {
    if (value(plb, at) === "" && value(plb, at + 1) === "") continue;
    const [reason = "", reference] = components(plb, at);
    found.push({ reason, reference: reference || undefined, amount: money(plb, at + 1) });
  }
  return found;
}

export function readRemittance({ segments }: Transaction): Remittance {
  checkSegments(segments);
  const end = segments.findIndex(({ id }) => id === "PLB");
  const body = end < 0 ? segments : segments.slice(0, end);
  const firstClaim = body.findIndex(({ id }) => id === "LX" || id === "CLP");
  const head = firstClaim < 0 ? body : body.slice(0, firstClaim);
  const [bpr, trn] = ["BPR", "TRN"].map((id) => head.find((segment) => segment.id === id));
  const [payer, payee] = [pick(head, "N1", "PR"), pick(head, "N1", "PE")];
  if (!bpr || !trn || !payer || !payee || value(trn, 3) === "" || value(bpr, 16) === "")
    throw new X12Error("An 835 in it does not say who paid whom, and when");
  const total = money(bpr, 2);
  return withBalance({
    payer: value(payer, 2),
    payerId: text(pick(head, "REF", "2U"), 2) ?? text(payer, 4),
    payee: value(payee, 2),
    payeeNpi: value(payee, 3) === "XX" ? value(payee, 4) : undefined,
    trace: value(trn, 2),
    method: value(bpr, 4),
    paid: value(bpr, 3) === "D" ? -total : total,
    paidOn: isoDate(value(bpr, 16)),
    claims: sections(
      body.filter(({ id }) => id !== "LX"),
      "CLP",
    ).map(readClaim),
    providerAdjustments: segments.filter(({ id }) => id === "PLB").flatMap(readProviderAdjustments),
  });
}

/** Throws `X12Error`. */
export const read835 = (written: string): Remittance[] =>
  transactionsOf(written, "835").map(readRemittance);

import * as z from "zod";

import { capabilities, type CapabilityParams } from "./capabilities.ts";
import { demographics, name } from "./x12-eligibility.ts";
import { checkSegments } from "./x12-format.ts";
import {
  buildX12,
  cents,
  compactDate,
  dollars,
  type Envelope,
  isoDate,
  type Loop,
  loopsOf,
  type Row,
  type Segment,
  stampOf,
  type Transaction,
  transactionsOf,
  upper,
  value,
} from "./x12.ts";

export const ClaimAnswers = z.object({
  claims: z.array(
    capabilities["claim.status"].result.shape.claims.element.extend({
      /** What the category means. */
      meaning: z.string().optional(),
      from: z.string().optional(),
      to: z.string().optional(),
      /** The date of the status, and of the payer's decision. */
      asOf: z.string().optional(),
      decidedOn: z.string().optional(),
    }),
  ),
  errors: capabilities["claim.status"].result.shape.errors,
});
export type ClaimAnswers = z.output<typeof ClaimAnswers>;
export type ClaimAnswer = ClaimAnswers["claims"][number];

/** X12 STC01-1: claim status categories. */
const meanings: Readonly<Record<string, string>> = {
  A0: "Forwarded",
  A1: "Received",
  A2: "Accepted into adjudication",
  A3: "Returned as unprocessable",
  A4: "Not found",
  A5: "Split",
  A6: "Rejected for missing information",
  A7: "Rejected for invalid information",
  A8: "Rejected for a relational field in error",
  D0: "The payer's search found nothing",
  E0: "The payer cannot answer: error in the request",
  E1: "The payer cannot answer: its system",
  E2: "The payer did not answer",
  E3: "The request must be corrected",
  E4: "There is no agreement with the payer",
  F0: "Finalized",
  F1: "Finalized: paid",
  F2: "Finalized: denied",
  F3: "Finalized: revised",
  F3F: "Finalized: forwarded",
  F3N: "Finalized: not forwarded",
  F4: "Finalized: adjudicated, no payment will follow",
  P0: "Pending",
  P1: "Pending: in process",
  P2: "Pending: in review",
  P3: "Pending: the provider is asked for information",
  P4: "Pending: the patient is asked for information",
  P5: "Pending: held by the payer",
};

export const meaningOf = (category: string) =>
  meanings[category] ?? (category.startsWith("R") ? "More information is asked for" : undefined);

/** A category that says something of the inquiry, and nothing of a claim. */
const isOfInquiry = (category: string) => /^(?:D0|E\d|A4)$/.test(category);

const inquiryError = (category: string, code: string | undefined) => ({
  code: code ? `${category}:${code}` : category,
  message: meaningOf(category) ?? "The payer did not say what became of the claim",
});

/** Keeps the payer's "I cannot say" out of the claims. */
export function sortAnswers(answers: readonly ClaimAnswer[]): ClaimAnswers {
  return {
    claims: answers.filter(({ category }) => !isOfInquiry(category)),
    errors: answers
      .filter(({ category }) => isOfInquiry(category))
      .map(({ category, code }) => inquiryError(category, code)),
  };
}

function datesOf(dtp: Segment | undefined) {
  const [from = "", to = from] = dtp ? value(dtp, 3).split("-") : [];
  return { from: isoDate(from), to: isoDate(to) };
}

/** What follows one TRN. Several STC may; the first is the claim's own status. */
function readClaim(segments: readonly Segment[], level: string): ClaimAnswer | undefined {
  const firstLine = segments.findIndex(({ id }) => id === "SVC");
  const own = firstLine < 0 ? segments : segments.slice(0, firstLine);
  const stc = own.find(({ id }) => id === "STC");
  if (!stc) return undefined;
  const reference = (qualifier: string) => {
    const found = own.find(({ id, elements }) => id === "REF" && elements[0] === qualifier);
    return found && value(found, 2);
  };
  const [trn] = own;
  // A 277CA answers a claim by the claim's own number, a 277 an inquiry by the inquiry's.
  const traced = level === "PT" && trn ? value(trn, 2) : undefined;
  const category = value(stc, 1, 1);
  return {
    category,
    code: value(stc, 1, 2) || undefined,
    meaning: meaningOf(category),
    number: reference("1K"),
    claimNumber: reference("EJ") ?? traced,
    charged: cents(value(stc, 4)),
    paid: cents(value(stc, 5)),
    asOf: isoDate(value(stc, 2)),
    decidedOn: isoDate(value(stc, 6)),
    ...datesOf(own.find(({ id, elements }) => id === "DTP" && elements[0] === "472")),
  };
}

function readLoop({ level, segments }: Loop): ClaimAnswers {
  const starts = segments.flatMap(({ id }, index) => (id === "TRN" ? [index] : []));
  const patient = level === "22" || level === "23" || level === "PT";
  if (!patient) {
    // Receivers and providers have a status only where the inquiry went no further.
    const refused = segments.filter(({ id }) => id === "STC");
    const errors = refused
      .filter((stc) => !/^A[0-25]$/.test(value(stc, 1, 1)))
      .map((stc) => inquiryError(value(stc, 1, 1), value(stc, 1, 2) || undefined));
    return { claims: [], errors };
  }
  const answers = starts.flatMap(
    (start, index) => readClaim(segments.slice(start, starts[index + 1]), level) ?? [],
  );
  return sortAnswers(answers);
}

/** Reads a 277 (an answer to a 276) or a 277CA (what became of claims at the door). */
export function readStatuses(transactions: readonly Transaction[]): ClaimAnswers {
  const read = transactions.flatMap((transaction) => {
    checkSegments(transaction.segments);
    return loopsOf(transaction).map(readLoop);
  });
  return {
    claims: read.flatMap(({ claims }) => claims),
    errors: read.flatMap(({ errors }) => errors),
  };
}

/** Throws `X12Error`. */
export const read277 = (text: string): ClaimAnswers => readStatuses(transactionsOf(text, "277"));

export type StatusInquiry = Omit<CapabilityParams<"claim.status">, "id">;

/** Writes a 276 for one claim of one patient. Throws `X12Error` for what X12 cannot carry. */
export function build276(
  inquiry: StatusInquiry,
  submitter: { name: string; id: string },
  envelope: Pick<Envelope, "sender" | "receiver" | "control" | "usage" | "now">,
): string {
  const { payer, payerName, provider, subscriber, dependent, from, to } = inquiry;
  const { control, now } = envelope;
  const { date, time } = stampOf(now);
  const { claimNumber, payerClaimNumber, charge } = inquiry;
  const claim: Row[] = [["TRN", "1", control]];
  if (payerClaimNumber) claim.push(["REF", "1K", payerClaimNumber]);
  if (claimNumber) claim.push(["REF", "EJ", claimNumber]);
  if (charge !== undefined) claim.push(["AMT", "T3", dollars(charge)]);
  claim.push(["DTP", "472", "RD8", `${compactDate(from)}-${compactDate(to)}`]);
  const member = name("IL", subscriber, "", "", "", "MI", subscriber.memberId);
  const patient: Row[] = dependent
    ? [member, ["HL", "5", "4", "23"], demographics(dependent), name("QC", dependent), ...claim]
    : [demographics(subscriber), member, ...claim];
  return buildX12({ ...envelope, code: "HR", set: "276", version: "005010X212" }, [
    [
      ["BHT", "0010", "13", control, date, time],
      ["HL", "1", "", "20", "1"],
      ["NM1", "PR", "2", upper(payerName ?? payer), "", "", "", "", "PI", payer],
      ["HL", "2", "1", "21", "1"],
      ["NM1", "41", "2", upper(submitter.name), "", "", "", "", "46", submitter.id],
      ["HL", "3", "2", "19", "1"],
      ["NM1", "1P", "2", upper(provider.name), "", "", "", "", "XX", provider.npi],
      ["HL", "4", "3", "22", dependent ? "1" : "0"],
      ...patient,
    ],
  ]);
}

/** Reports of the Medical Network (Optum's OpenAPI: Claims Responses and Reports v2), JSON and raw. */
import * as z from "zod";

import { Acknowledgment, readAcknowledgment } from "./x12-acknowledgment.ts";
import {
  type ClaimAnswer,
  ClaimAnswers,
  meaningOf,
  readStatuses,
  sortAnswers,
} from "./x12-claim-status.ts";
import { readRemittance, Remittance, withBalance } from "./x12-remittance.ts";
import { cents, isoDate, parseX12, X12Error } from "./x12.ts";

/** Payers leave out what they do not have, or send null, or nothing between the quotes. */
const Text = z
  .string()
  .nullish()
  .transform((text) => text || undefined);
const Money = z.string().transform((written, context) => {
  const minor = cents(written);
  if (minor !== undefined) return minor;
  context.addIssue("not an amount");
  return z.NEVER;
});
const Owed = Text.pipe(Money.optional());
const Count = Text.pipe(
  z
    .string()
    .regex(/^-?\d*\.?\d+$/)
    .transform(Number)
    .optional(),
);

const date = (written: string | undefined) => isoDate(written ?? "");

/** Up to six reasons of one group: `adjustmentReasonCode1`, `adjustmentAmount1`… */
const Adjustments = z
  .looseObject({ claimAdjustmentGroupCode: z.string() })
  .transform((written, context) => {
    const group = written.claimAdjustmentGroupCode;
    return [1, 2, 3, 4, 5, 6].flatMap((index) => {
      const [reason, amount, quantity] = ["ReasonCode", "Amount", "Quantity"].map(
        (part) => written[`adjustment${part}${index}`],
      );
      const minor = amount ? cents(String(amount)) : undefined;
      if (!reason && !minor) return [];
      if (!reason || minor === undefined) context.addIssue("an adjustment that is not whole");
      const count = quantity ? Number(quantity) : undefined;
      return [{ group, reason: String(reason), amount: minor ?? 0, quantity: count }];
    });
  });
const AllAdjustments = z
  .array(Adjustments)
  .nullish()
  .transform((groups) => (groups ?? []).flat());
const Remarks = z.record(z.string(), z.unknown()).nullish();

const Line = z.object({
  serviceDate: Text,
  serviceStartDate: Text,
  lineItemControlNumber: Text,
  servicePaymentInformation: z.object({
    adjudicatedProcedureCode: Text,
    adjudicatedProcedureModifierCodes: z.array(z.string()).nullish(),
    nationalUniformBillingCommitteeRevenueCode: Text,
    lineItemChargeAmount: Money,
    lineItemProviderPaymentAmount: Money,
    unitsOfServicePaidCount: Count,
  }),
  serviceAdjustments: AllAdjustments,
  healthCareCheckRemarkCodes: z.array(z.object({ remarkCode: Text })).nullish(),
});

const Claim = z.object({
  claimStatementPeriodStart: Text,
  claimStatementPeriodEnd: Text,
  claimPaymentInfo: z.object({
    patientControlNumber: z.string(),
    claimStatusCode: z.string(),
    totalClaimChargeAmount: Money,
    claimPaymentAmount: Money,
    patientResponsibilityAmount: Owed,
    claimFilingIndicatorCode: Text,
    payerClaimControlNumber: Text,
  }),
  claimAdjustments: AllAdjustments,
  patientName: z.object({ lastName: Text, firstName: Text, memberId: Text }).nullish(),
  subscriber: z.object({ memberId: Text }).nullish(),
  inpatientAdjudication: Remarks,
  outpatientAdjudication: Remarks,
  serviceLines: z.array(Line).nullish(),
});

/** `GET /{filename}/835`. */
export const RemittanceReply = z.looseObject({
  transactions: z.array(
    z.object({
      paymentAndRemitReassociationDetails: z.object({ checkOrEFTTraceNumber: z.string() }),
      financialInformation: z.object({
        totalActualProviderPaymentAmount: Money,
        creditOrDebitFlagCode: Text,
        paymentMethodCode: z.string(),
        checkIssueOrEFTEffectiveDate: Text,
      }),
      payer: z.object({ name: z.string(), payerIdentificationNumber: Text }),
      payee: z.object({ name: z.string(), npi: Text }),
      detailInfo: z.array(z.object({ paymentInfo: z.array(Claim).nullish() })).nullish(),
      providerAdjustments: z
        .array(
          z.object({
            adjustments: z
              .array(
                z.object({
                  adjustmentReasonCode: z.string(),
                  providerAdjustmentIdentifier: Text,
                  providerAdjustmentAmount: Money,
                }),
              )
              .nullish(),
          }),
        )
        .nullish(),
    }),
  ),
});

const remarksOf = (adjudication: z.output<typeof Remarks>) =>
  Object.entries(adjudication ?? {}).flatMap(([key, code]) =>
    /RemarkCode/i.test(key) && typeof code === "string" && code ? [code] : [],
  );

function readLine(line: z.output<typeof Line>): Remittance["claims"][number]["lines"][number] {
  const paid = line.servicePaymentInformation;
  return {
    procedure: paid.adjudicatedProcedureCode,
    modifiers: paid.adjudicatedProcedureModifierCodes ?? [],
    revenueCode: paid.nationalUniformBillingCommitteeRevenueCode,
    charged: paid.lineItemChargeAmount,
    paid: paid.lineItemProviderPaymentAmount,
    units: paid.unitsOfServicePaidCount,
    serviceDate: date(line.serviceDate ?? line.serviceStartDate),
    number: line.lineItemControlNumber,
    adjustments: line.serviceAdjustments,
    remarks: (line.healthCareCheckRemarkCodes ?? []).flatMap(({ remarkCode }) => remarkCode ?? []),
  };
}

function readClaim(claim: z.output<typeof Claim>): Remittance["claims"][number] {
  const { claimPaymentInfo: paid, patientName: patient } = claim;
  return {
    claimNumber: paid.patientControlNumber,
    number: paid.payerClaimControlNumber,
    status: paid.claimStatusCode,
    charged: paid.totalClaimChargeAmount,
    paid: paid.claimPaymentAmount,
    patientResponsibility: paid.patientResponsibilityAmount,
    filing: paid.claimFilingIndicatorCode,
    patient: [patient?.firstName, patient?.lastName].filter(Boolean).join(" ") || undefined,
    member: claim.subscriber?.memberId ?? patient?.memberId,
    from: date(claim.claimStatementPeriodStart),
    to: date(claim.claimStatementPeriodEnd),
    adjustments: claim.claimAdjustments,
    remarks: [
      ...remarksOf(claim.outpatientAdjudication),
      ...remarksOf(claim.inpatientAdjudication),
    ],
    lines: (claim.serviceLines ?? []).map(readLine),
  };
}

export const readRemittances = (reply: z.output<typeof RemittanceReply>): Remittance[] =>
  reply.transactions.map((transaction) => {
    const { financialInformation: money, payer, payee } = transaction;
    const total = money.totalActualProviderPaymentAmount;
    return withBalance({
      payer: payer.name,
      payerId: payer.payerIdentificationNumber,
      payee: payee.name,
      payeeNpi: payee.npi,
      trace: transaction.paymentAndRemitReassociationDetails.checkOrEFTTraceNumber,
      method: money.paymentMethodCode,
      paid: money.creditOrDebitFlagCode === "D" ? -total : total,
      paidOn: date(money.checkIssueOrEFTEffectiveDate),
      claims: (transaction.detailInfo ?? []).flatMap(({ paymentInfo }) =>
        (paymentInfo ?? []).map(readClaim),
      ),
      providerAdjustments: (transaction.providerAdjustments ?? []).flatMap(({ adjustments }) =>
        (adjustments ?? []).map((each) => ({
          reason: each.adjustmentReasonCode,
          reference: each.providerAdjustmentIdentifier,
          amount: each.providerAdjustmentAmount,
        })),
      ),
    });
  });

const Status = z.object({
  informationClaimStatuses: z
    .array(
      z.object({
        statusInformationEffectiveDate: Text,
        totalClaimChargeAmount: Text,
        claimPaymentAmount: Text,
        adjudicatedFinalizedDate: Text,
        informationStatuses: z
          .array(z.object({ healthCareClaimStatusCategoryCode: z.string(), statusCode: Text }))
          .min(1),
      }),
    )
    .nullish(),
  referencedTransactionTraceNumber: Text,
  tradingPartnerClaimNumber: Text,
  patientAccountNumber: Text,
  claimServiceBeginDate: Text,
  claimServiceEndDate: Text,
  claimServiceDate: Text,
});

const Patients = z
  .array(z.object({ claims: z.array(z.object({ claimStatus: Status.nullish() })).nullish() }))
  .nullish();
const Details = z.array(z.object({ patientClaimStatusDetails: Patients })).nullish();

/** `GET /{filename}/277`. */
export const ClaimReportReply = z.looseObject({
  transactions: z.array(
    z.object({
      payers: z
        .array(
          z.object({
            claimStatusTransactions: z.array(z.object({ claimStatusDetails: Details })).nullish(),
          }),
        )
        .nullish(),
    }),
  ),
});

function readAnswers(found: z.output<typeof Status>): ClaimAnswer[] {
  return (found.informationClaimStatuses ?? []).flatMap((said) => {
    const [status] = said.informationStatuses;
    if (!status) return [];
    return {
      category: status.healthCareClaimStatusCategoryCode,
      code: status.statusCode,
      meaning: meaningOf(status.healthCareClaimStatusCategoryCode),
      number: found.tradingPartnerClaimNumber,
      // The mailbox holds 277CAs, which answer a claim by the claim's own number.
      claimNumber: found.patientAccountNumber ?? found.referencedTransactionTraceNumber,
      charged: cents(said.totalClaimChargeAmount ?? ""),
      paid: cents(said.claimPaymentAmount ?? ""),
      from: date(found.claimServiceBeginDate ?? found.claimServiceDate),
      to: date(found.claimServiceEndDate ?? found.claimServiceDate),
      asOf: date(said.statusInformationEffectiveDate),
      decidedOn: date(said.adjudicatedFinalizedDate),
    };
  });
}

export function readClaimReport({ transactions }: z.output<typeof ClaimReportReply>) {
  const claims = transactions
    .flatMap(({ payers }) => payers ?? [])
    .flatMap(({ claimStatusTransactions }) => claimStatusTransactions ?? [])
    .flatMap(({ claimStatusDetails }) => claimStatusDetails ?? [])
    .flatMap(({ patientClaimStatusDetails }) => patientClaimStatusDetails ?? [])
    .flatMap((patient) => patient.claims ?? [])
    .flatMap(({ claimStatus }) => (claimStatus ? readAnswers(claimStatus) : []));
  return sortAnswers(claims);
}

/** A report as it lies in the mailbox, and what its X12 says where it is X12. */
export const Report = z.object({
  format: z.enum(["x12", "text"]),
  content: z.string(),
  remittances: z.array(Remittance).optional(),
  statuses: ClaimAnswers.optional(),
  acknowledgments: z.array(Acknowledgment).optional(),
  /** Why an X12 report could not be read: the segment, and what is wrong with it. */
  problem: z.string().optional(),
});

export function readReport(content: string): z.output<typeof Report> {
  if (!content.trimStart().startsWith("ISA")) return { format: "text", content };
  try {
    const all = parseX12(content).flatMap(({ groups }) =>
      groups.flatMap(({ transactions }) => transactions),
    );
    const of = (set: string) => all.filter((transaction) => transaction.set === set);
    const [paid, answered, acknowledged] = [of("835"), of("277"), of("999")];
    return {
      format: "x12",
      content,
      ...(paid.length && { remittances: paid.map(readRemittance) }),
      ...(answered.length && { statuses: readStatuses(answered) }),
      ...(acknowledged.length && { acknowledgments: acknowledged.map(readAcknowledgment) }),
    };
  } catch (error) {
    if (error instanceof X12Error) return { format: "x12", content, problem: error.message };
    throw error;
  }
}

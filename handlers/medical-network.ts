/**
 * The JSON of Change Healthcare's Medical Network, which Optum runs and Stedi speaks too
 * (Optum's OpenAPI: Medical Network Eligibility v3, Professional Claims v3, Institutional Claims v1,
 * Claim Status v2).
 */
import * as z from "zod";

import type { CapabilityParams, CapabilityResult } from "./capabilities.ts";
import type { FailedReply, Failure } from "./define.ts";
import { type ClaimAnswers, meaningOf, sortAnswers } from "./x12-claim-status.ts";
import { type Coverage, coverageStatus, percentOf, rejection } from "./x12-eligibility.ts";
import { cents, compactDate, dollars, isoDate } from "./x12.ts";

/** Payers leave out what they do not have, or send null, or nothing between the quotes. */
const Text = z
  .string()
  .nullish()
  .transform((text) => text || undefined);
const Codes = z.array(z.string()).nullish();
const Rejected = z.object({ field: Text, code: Text, description: Text });
type Rejected = z.output<typeof Rejected>;

const date = (written: string | undefined) => isoDate(written ?? "");

/** The AAA code stands in `code`, and in replies of the sandbox in `field`. */
const aaaOf = ({ code, field }: Rejected) =>
  [code, field].find((each) => /^(?:\d\d|T4)$/.test(each ?? ""));

function readErrors(errors: readonly Rejected[] | null | undefined) {
  const all = errors ?? [];
  const telling = all.filter((error) => error.field !== "AAA" || aaaOf(error));
  const read = (telling.length ? telling : all).map((error) => {
    const aaa = aaaOf(error);
    if (aaa) return rejection(aaa);
    const code = error.code ?? error.field ?? "error";
    return { code, message: error.description ?? "The request was not accepted" };
  });
  // A rejection stands beside whom it is about, and often once more for the whole reply.
  const spelled = read.map((error) => JSON.stringify(error));
  return read.filter((_, index) => spelled.indexOf(spelled[index] ?? "") === index);
}

/** IK501 and IK502 of a 999 that came in place of the payer's answer. */
const Acknowledged = {
  transactionSetAcknowledgement: Text,
  implementationTransactionSetSyntaxError: Text,
};
function readRefusal(said: z.output<z.ZodObject<typeof Acknowledged>>) {
  if (!/^[RMWX]$/.test(said.transactionSetAcknowledgement ?? "")) return [];
  const code = said.implementationTransactionSetSyntaxError;
  return [{ code: code ? `999:${code}` : "999", message: "The payer could not process the X12" }];
}

/** A reply as `schema` reads it, and as it came. */
export const keepingRaw = <S extends z.ZodType>(schema: S) =>
  z.unknown().transform((raw, context): { raw: unknown; read: z.output<S> } => {
    const { data, error } = schema.safeParse(raw);
    if (error) {
      for (const { path } of error.issues) context.addIssue({ code: "custom", path });
      return z.NEVER;
    }
    return { raw, read: data };
  });

/** A path such as `claimInformation.serviceLines[0].serviceDate` names no person. */
const isPath = (text: string | undefined) => /^[A-Za-z][\w.[\]]{0,99}$/.test(text ?? "");

/** RFC 6749 §5.2 and RFC 6750 §3.1, at the token endpoint and at the gateway. */
const oauthCauses: Readonly<Record<string, Failure["cause"]>> = {
  invalid_client: "credentials_rejected",
  unauthorized_client: "credentials_rejected",
  invalid_grant: "credentials_expired",
  invalid_token: "credentials_expired",
  invalid_scope: "forbidden",
  insufficient_scope: "forbidden",
};

/** Reads `{errors: [{field, code, description}]}`; its free text may hold PHI, so it goes no further. */
export function networkFailure({ status, body }: FailedReply): Failure | undefined {
  const code = z.object({ error: z.string() }).safeParse(body).data?.error;
  const cause = status < 500 && code !== undefined ? oauthCauses[code] : undefined;
  if (status !== 429 && status >= 400 && cause && code) return { cause, code };
  const { data } = z.object({ errors: z.array(Rejected).min(1) }).safeParse(body);
  const refused = data?.errors.find((error) => aaaOf(error)) ?? data?.errors[0];
  if (status !== 400 || !refused) return undefined;
  const aaa = aaaOf(refused);
  if (aaa) return rejection(aaa);
  if (!isPath(refused.field)) return refused.code ? { code: refused.code } : undefined;
  const message = `The clearinghouse refused ${refused.field}`;
  return refused.code ? { code: refused.code, message } : { message };
}

type Inquiry = CapabilityParams<"eligibility.check">;
type Insured = Omit<NonNullable<Inquiry["dependent"]>, "relationship">;

const person = ({ firstName, lastName, birthDate, gender }: Insured, genders = "MFU") => ({
  firstName,
  lastName,
  dateOfBirth: compactDate(birthDate),
  ...(gender && genders.includes(gender) && { gender }),
});

export function eligibilityRequest(inquiry: Inquiry, controlNumber: string) {
  const { payer, payerName, provider, subscriber, dependent, serviceDate, serviceTypes } = inquiry;
  const relationship = { spouse: "01", child: "19", other: "34" };
  return {
    controlNumber,
    tradingPartnerServiceId: payer,
    tradingPartnerName: payerName,
    provider: { organizationName: provider.name, npi: provider.npi },
    subscriber: { memberId: subscriber.memberId, ...person(subscriber, "MF") },
    ...(dependent && {
      dependents: [
        {
          ...person(dependent, "MF"),
          individualRelationshipCode: relationship[dependent.relationship],
        },
      ],
    }),
    encounter: {
      ...(serviceDate && { dateOfService: compactDate(serviceDate) }),
      serviceTypeCodes: serviceTypes?.length ? serviceTypes : ["30"],
    },
  };
}

const Dates = z.object({
  plan: Text,
  planBegin: Text,
  planEnd: Text,
  eligibility: Text,
  eligibilityBegin: Text,
  eligibilityEnd: Text,
});

const aaaErrors = z.array(Rejected).nullish();
export const EligibilityReply = z
  .looseObject({
    ...Acknowledged,
    controlNumber: Text,
    provider: z.object({ aaaErrors }).nullish(),
    subscriber: z.object({ memberId: Text, groupNumber: Text, aaaErrors }).nullish(),
    dependents: z.array(z.object({ aaaErrors })).nullish(),
    payer: z.object({ name: Text, aaaErrors }).nullish(),
    planInformation: z.object({ groupNumber: Text, planDescription: Text }).nullish(),
    planDateInformation: Dates.nullish(),
    planStatus: z
      .array(z.object({ statusCode: Text, planDetails: Text, serviceTypeCodes: Codes }))
      .nullish(),
    benefitsInformation: z
      .array(
        z.object({
          code: z.string(),
          name: Text,
          serviceTypeCodes: Codes,
          timeQualifier: Text,
          benefitAmount: Text,
          benefitPercent: Text,
          inPlanNetworkIndicatorCode: Text,
        }),
      )
      .nullish(),
    errors: z.array(Rejected).nullish(),
  })
  .refine(({ controlNumber, errors }) => controlNumber || errors?.length);

export function readEligibility(reply: z.output<typeof EligibilityReply>): Coverage {
  const benefits = (reply.benefitsInformation ?? []).map((line): Coverage["benefits"][number] => ({
    code: line.code,
    name: line.name,
    serviceTypes: line.serviceTypeCodes ?? [],
    amount: line.benefitAmount,
    percent: line.benefitPercent ? percentOf(line.benefitPercent) : undefined,
    period: line.timeQualifier,
    inNetwork: { Y: true, N: false }[line.inPlanNetworkIndicatorCode ?? ""],
  }));
  const plans = (reply.planStatus ?? []).map(({ statusCode, planDetails, serviceTypeCodes }) => ({
    code: statusCode ?? "",
    plan: planDetails,
    serviceTypes: serviceTypeCodes ?? [],
  }));
  const parties = [reply.payer, reply.provider, reply.subscriber, ...(reply.dependents ?? [])];
  const rejected = parties.flatMap((party) => party?.aaaErrors ?? []);
  const dates = reply.planDateInformation;
  const [from, to] = (dates?.plan ?? dates?.eligibility ?? "").split("-");
  return {
    status: coverageStatus([...plans, ...benefits]),
    payer: reply.payer?.name,
    plan:
      plans.find(({ code, plan }) => /^[1-5]$/.test(code) && plan)?.plan ??
      reply.planInformation?.planDescription,
    member: reply.subscriber?.memberId,
    group: reply.planInformation?.groupNumber ?? reply.subscriber?.groupNumber,
    from: date(dates?.planBegin ?? dates?.eligibilityBegin ?? from),
    to: date(dates?.planEnd ?? dates?.eligibilityEnd ?? to),
    trace: reply.controlNumber,
    benefits,
    errors: [...readErrors([...(reply.errors ?? []), ...rejected]), ...readRefusal(reply)],
  };
}

export type ClaimParams = CapabilityParams<"claim.submit">;
/** Who sends the claim, where that is not the billing provider itself. */
export type Submitter = {
  organization?: string | undefined;
  contact?: string | undefined;
  phone?: string | undefined;
};

const address = (written: ClaimParams["provider"]["address"] | undefined) =>
  written && {
    address1: written.line1,
    ...(written.line2 && { address2: written.line2 }),
    city: written.city,
    state: written.state,
    postalCode: written.postalCode,
  };

const practitioner = (providerType: string, who: NonNullable<ClaimParams["rendering"]>) => ({
  providerType,
  npi: who.npi,
  firstName: who.firstName,
  lastName: who.lastName,
  ...(who.taxonomy && { taxonomyCode: who.taxonomy }),
});

const charges = ({ lines }: ClaimParams["claim"]) =>
  dollars(lines.reduce((total, { charge }) => total + charge, 0));

function supplement({ priorAuthorization, payerClaimNumber }: ClaimParams["claim"]) {
  if (!priorAuthorization && !payerClaimNumber) return {};
  return {
    claimSupplementalInformation: {
      ...(priorAuthorization && { priorAuthorizationNumber: priorAuthorization }),
      ...(payerClaimNumber && { claimControlNumber: payerClaimNumber }),
    },
  };
}

type ClaimLine = ClaimParams["claim"]["lines"][number];
const service = ({ procedure, modifiers, charge, units }: ClaimLine) => ({
  procedureIdentifier: "HC",
  procedureCode: procedure,
  ...(modifiers?.length && { procedureModifiers: modifiers }),
  lineItemChargeAmount: dollars(charge),
  measurementUnit: "UN",
  serviceUnitCount: String(units),
});

/** Diagnoses and lines as the 837P has them. */
const professional = ({ claim }: ClaimParams) => ({
  signatureIndicator: "Y",
  healthCareCodeInformation: claim.diagnoses.map((diagnosisCode, index) => ({
    diagnosisTypeCode: index === 0 ? "ABK" : "ABF",
    diagnosisCode,
  })),
  serviceLines: claim.lines.map((line, index) => ({
    providerControlNumber: String(index + 1),
    serviceDate: compactDate(line.serviceDate),
    professionalService: {
      ...service(line),
      compositeDiagnosisCodePointers: { diagnosisCodePointers: line.diagnosisPointers.map(String) },
    },
  })),
});

/** As the 837I has them. */
function institutional({ claim }: ClaimParams) {
  const [principal = "", ...others] = claim.diagnoses;
  const stay = claim.institutional;
  return {
    principalDiagnosis: { qualifierCode: "ABK", principalDiagnosisCode: principal },
    ...(others.length && {
      otherDiagnosisInformationList: [
        others.map((code) => ({ qualifierCode: "ABF", otherDiagnosisCode: code })),
      ],
    }),
    claimDateInformation: {
      statementBeginDate: compactDate(stay?.from ?? ""),
      statementEndDate: compactDate(stay?.to ?? ""),
    },
    claimCodeInformation: {
      admissionTypeCode: stay?.admissionType,
      ...(stay?.admissionSource && { admissionSourceCode: stay.admissionSource }),
      patientStatusCode: stay?.patientStatus,
    },
    serviceLines: claim.lines.map((line, index) => ({
      assignedNumber: String(index + 1),
      serviceDate: compactDate(line.serviceDate),
      institutionalService: { serviceLineRevenueCode: line.revenueCode, ...service(line) },
    })),
  };
}

/** What the two kinds of claim need besides what the capability's contract can say; undefined when all is there. */
export function claimGap({
  kind,
  claim,
}: ClaimParams): { path: string[]; message: string } | undefined {
  const { diagnoses, lines, institutional: stay, frequency = "1", payerClaimNumber } = claim;
  if (kind === "institutional" && !stay)
    return { path: ["claim", "institutional"], message: "An institutional claim needs this" };
  for (const [index, { diagnosisPointers, revenueCode }] of lines.entries()) {
    const path = ["claim", "lines", String(index)];
    if (diagnosisPointers.some((pointer) => pointer > diagnoses.length))
      return { path: [...path, "diagnosisPointers"], message: "There is no such diagnosis" };
    if (kind === "institutional" && !revenueCode)
      return { path: [...path, "revenueCode"], message: "An institutional claim needs this" };
  }
  return frequency === "1" || payerClaimNumber
    ? undefined
    : { path: ["claim", "payerClaimNumber"], message: "Say which claim this replaces or voids" };
}

export function claimRequest(
  params: ClaimParams,
  sent: { controlNumber: string; test: boolean; submitter: Submitter },
) {
  const { kind, payer, payerName, provider, subscriber, dependent, rendering, attending } = params;
  const { claim } = params;
  const { organization = provider.name, contact = provider.name, phone } = sent.submitter;
  const relationship = { spouse: "01", child: "19", other: "G8" };
  return {
    controlNumber: sent.controlNumber,
    tradingPartnerServiceId: payer,
    tradingPartnerName: payerName,
    usageIndicator: sent.test ? "T" : "P",
    submitter: {
      organizationName: organization,
      contactInformation: { name: contact, ...(phone && { phoneNumber: phone }) },
    },
    receiver: { organizationName: payerName },
    subscriber: {
      memberId: subscriber.memberId,
      paymentResponsibilityLevelCode: "P",
      ...person(subscriber),
      ...(subscriber.address && { address: address(subscriber.address) }),
    },
    ...(dependent && {
      dependent: {
        gender: "U",
        ...person(dependent),
        relationshipToSubscriberCode: relationship[dependent.relationship],
        address: address(dependent.address ?? subscriber.address),
      },
    }),
    billing: {
      providerType: "BillingProvider",
      npi: provider.npi,
      employerId: provider.taxId,
      ...(provider.taxonomy && { taxonomyCode: provider.taxonomy }),
      organizationName: provider.name,
      address: address(provider.address),
      contactInformation: { name: contact, ...(phone && { phoneNumber: phone }) },
    },
    ...(rendering && { rendering: practitioner("RenderingProvider", rendering) }),
    ...(attending &&
      kind === "institutional" && { attending: practitioner("AttendingProvider", attending) }),
    claimInformation: {
      claimFilingCode: claim.filing ?? "CI",
      patientControlNumber: claim.number,
      claimChargeAmount: charges(claim),
      placeOfServiceCode: claim.placeOfService,
      claimFrequencyCode: claim.frequency ?? "1",
      planParticipationCode: "A",
      benefitsAssignmentCertificationIndicator: "Y",
      releaseInformationCode: "Y",
      ...supplement(claim),
      ...(kind === "institutional" ? institutional(params) : professional(params)),
    },
  };
}

export const ClaimReply = z
  .looseObject({
    status: Text,
    controlNumber: Text,
    editStatus: Text,
    claimReference: z
      .object({ correlationId: Text, rhclaimNumber: Text, rhClaimNumber: Text })
      .nullish(),
    errors: z.array(Rejected).nullish(),
    editResponses: z.array(z.object({ editName: Text, errorDescription: Text })).nullish(),
    failure: z.object({ code: Text, description: Text }).nullish(),
  })
  .refine(({ controlNumber, claimReference }) => controlNumber || claimReference);

/** "Accepted" is the clearinghouse's word: what the payer says comes as reports. */
export function readClaimReply(
  reply: z.output<typeof ClaimReply>,
): CapabilityResult<"claim.submit"> & { correlationId?: string | undefined } {
  const { claimReference: reference, editResponses, failure } = reply;
  const errors = [
    ...readErrors(reply.errors),
    ...(editResponses ?? []).map(({ editName, errorDescription }) => ({
      code: editName ?? "edit",
      message: errorDescription ?? "The claim did not pass an edit",
    })),
    ...(failure?.code || failure?.description
      ? [{ code: failure.code ?? "failure", message: failure.description ?? "The claim failed" }]
      : []),
  ];
  const said = [reply.status, reply.editStatus].flatMap((each) => each?.toUpperCase() ?? []);
  const accepted = said.includes("SUCCESS") && said.every((each) => each === "SUCCESS");
  const rejected = errors.length > 0 || said.some((each) => /FAIL|REJECT|ERROR/.test(each));
  return {
    id:
      reference?.rhclaimNumber ??
      reference?.rhClaimNumber ??
      reference?.correlationId ??
      reply.controlNumber ??
      "",
    correlationId: reference?.correlationId,
    status: rejected ? "rejected" : accepted ? "accepted" : "pending",
    errors,
  };
}

export function statusRequest(params: CapabilityParams<"claim.status">, controlNumber: string) {
  const { payer, payerName, provider, subscriber, dependent, id, from, to, charge } = params;
  const named = { organizationName: provider.name, npi: provider.npi };
  return {
    controlNumber,
    tradingPartnerServiceId: payer,
    tradingPartnerName: payerName,
    providers: [
      { ...named, providerType: "BillingProvider" },
      { ...named, providerType: "ServiceProvider" },
    ],
    subscriber: { memberId: subscriber.memberId, ...person(subscriber) },
    ...(dependent && { dependent: person(dependent) }),
    encounter: {
      beginningDateOfService: compactDate(from),
      endDateOfService: compactDate(to),
      ...(id && { clearingHouseClaimNumber: id }),
      ...(params.payerClaimNumber && { tradingPartnerClaimNumber: params.payerClaimNumber }),
      ...(params.claimNumber && { patientAccountNumber: params.claimNumber }),
      ...(charge !== undefined && { submittedAmount: dollars(charge) }),
    },
  };
}

export const StatusReply = z
  .looseObject({
    ...Acknowledged,
    controlNumber: Text,
    claims: z
      .array(
        z.object({
          claimStatus: z.object({
            statusCategoryCode: z.string(),
            statusCode: Text,
            effectiveDate: Text,
            submittedAmount: Text,
            amountPaid: Text,
            paidDate: Text,
            claimServiceDate: Text,
            tradingPartnerClaimNumber: Text,
            patientAccountNumber: Text,
          }),
        }),
      )
      .nullish(),
    errorResponse: z
      .object({ code: Text, description: Text, errors: z.array(Rejected).nullish() })
      .nullish(),
  })
  .refine(({ controlNumber, errorResponse }) => controlNumber || errorResponse);

export function readStatus(reply: z.output<typeof StatusReply>): ClaimAnswers {
  const answers = (reply.claims ?? []).map(({ claimStatus: found }) => {
    const [from, to = from] = (found.claimServiceDate ?? "").split("-");
    return {
      category: found.statusCategoryCode,
      code: found.statusCode,
      meaning: meaningOf(found.statusCategoryCode),
      number: found.tradingPartnerClaimNumber,
      claimNumber: found.patientAccountNumber,
      charged: cents(found.submittedAmount ?? ""),
      paid: cents(found.amountPaid ?? ""),
      from: date(from),
      to: date(to),
      asOf: date(found.effectiveDate),
      decidedOn: date(found.paidDate),
    };
  });
  const { claims, errors } = sortAnswers(answers);
  const refused = reply.errorResponse;
  const own = readErrors(refused?.errors);
  if (refused && own.length === 0)
    own.push({
      code: refused.code ?? "error",
      message: refused.description ?? "The payer did not say what became of the claim",
    });
  return { claims, errors: [...errors, ...own, ...readRefusal(reply)] };
}

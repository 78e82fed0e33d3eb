import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import { type Answer, ask, exampleSubscriber, Id, Text } from "./availity-ask.ts";
import type { Config } from "./availity-fields.ts";
import { capabilities } from "./capabilities.ts";
import { operation } from "./define.ts";
import { claimGap, type ClaimParams } from "./medical-network.ts";
import { cents, dollars } from "./x12.ts";

type Address = ClaimParams["provider"]["address"];
type Lived = Pick<ClaimParams, "subscriber" | "dependent">;

const addressOf = (address: Address | undefined) =>
  address && {
    addressLine1: address.line1,
    ...(address.line2 && { addressLine2: address.line2 }),
    city: address.city,
    stateCode: address.state,
    zipCode: address.postalCode,
    countryCode: "US",
  };

const relationships = { spouse: "01", child: "19", other: "G8" };

function peopleOf({ subscriber, dependent }: Lived) {
  const patient = dependent ?? subscriber;
  const address = addressOf(dependent?.address ?? subscriber.address);
  return {
    subscriber: {
      memberId: subscriber.memberId,
      firstName: subscriber.firstName,
      lastName: subscriber.lastName,
      ...addressOf(subscriber.address),
    },
    patient: {
      firstName: patient.firstName,
      lastName: patient.lastName,
      birthDate: patient.birthDate,
      genderCode: patient.gender ?? "U",
      subscriberRelationshipCode: dependent ? relationships[dependent.relationship] : "18",
      ...address,
    },
  };
}

const submitterOf = (name: string, { customerId }: Config) => ({
  lastName: name,
  contactName: name,
  ...(customerId && { id: customerId }),
});

const modifiersOf = (codes: readonly string[] | undefined) =>
  Object.fromEntries((codes ?? []).map((code, index) => [`modifierCode${index + 1}`, code]));
const pointersOf = (pointers: readonly number[]) =>
  Object.fromEntries(
    pointers.map((pointer, index) => [`diagnosisCodePointer${index + 1}`, String(pointer)]),
  );

function predetermination(params: ClaimParams, values: Config) {
  const { kind, claim, provider, payer, payerName, rendering, attending } = params;
  const professional = kind === "professional";
  const [principal = "", ...others] = claim.diagnoses;
  const practitioner = (who: NonNullable<ClaimParams["rendering"]>) => ({
    npi: who.npi,
    firstName: who.firstName,
    lastName: who.lastName,
    ...(who.taxonomy && { specialtyCode: who.taxonomy }),
  });
  const stay = claim.institutional;
  return {
    requestTypeCode: "PRE_DETERMINATION",
    payer: {
      id: payer,
      name: payerName,
      responsibilitySequenceCode: "P",
      claimFilingIndicatorCode: claim.filing ?? "CI",
    },
    submitter: submitterOf(provider.name, values),
    billingProvider: {
      npi: provider.npi,
      ein: provider.taxId,
      [professional ? "lastName" : "name"]: provider.name,
      ...(provider.taxonomy && { specialtyCode: provider.taxonomy }),
      ...addressOf(provider.address),
    },
    ...peopleOf(params),
    claimInformation: {
      controlNumber: claim.number,
      frequencyTypeCode: claim.frequency ?? "1",
      informationReleaseCode: "Y",
      benefitsAssignmentCertification: "Y",
      providerAcceptAssignmentCode: "A",
      ...(professional
        ? {
            placeOfServiceCode: claim.placeOfService,
            providerSignatureOnFile: true,
            diagnoses: claim.diagnoses.map((code, index) => ({
              qualifierCode: index === 0 ? "ABK" : "ABF",
              code,
            })),
            ...(claim.priorAuthorization && {
              priorAuthorizationNumber: claim.priorAuthorization,
            }),
            ...(rendering && { renderingProvider: practitioner(rendering) }),
          }
        : {
            facilityTypeCode: claim.placeOfService,
            admissionTypeCode: stay?.admissionType,
            ...(stay?.admissionSource && { admissionSourceCode: stay.admissionSource }),
            patientStatusCode: stay?.patientStatus,
            principalDiagnosis: { qualifierCode: "ABK", code: principal },
            otherDiagnoses: others.map((code) => ({ qualifierCode: "ABF", code })),
            ...(attending && { attendingProvider: practitioner(attending) }),
          }),
      serviceLines: claim.lines.map((line, index) => ({
        controlNumber: String(index + 1),
        procedureCode: line.procedure,
        ...modifiersOf(line.modifiers),
        amount: dollars(line.charge),
        quantity: String(line.units),
        quantityTypeCode: "UN",
        fromDate: line.serviceDate,
        toDate: line.serviceDate,
        ...(professional ? pointersOf(line.diagnosisPointers) : { revenueCode: line.revenueCode }),
      })),
    },
  };
}

const Amount = z
  .object({ amount: Text })
  .nullish()
  .transform((item) => cents(item?.amount ?? ""));
const Message = z.object({ code: Text, description: Text });

const Told = z.object({
  totalCharges: Amount,
  totalAllowed: Amount,
  totalDeductible: Amount,
  totalCoInsurance: Amount,
  totalCoPay: Amount,
  totalNotCovered: Amount,
  totalPatientLiability: Amount,
  messages: z.array(Message).nullish(),
  serviceLines: z
    .array(
      z.object({
        procedureCode: Text,
        amount: Text,
        allowed: Amount,
        estimatedPatientResponsibility: Text,
        denyReason: Text,
      }),
    )
    .nullish(),
});
/** Where there is no estimate, `message` says why. */
const EstimateReply = z
  .looseObject({ message: Text, claimInformation: Told.nullish() })
  .refine(({ message, claimInformation }) => message ?? claimInformation);

const Minor = z.number().int().optional();
const Estimate = z.object({
  id: z.string(),
  status: z.enum(["answered", "pending"]),
  charged: Minor,
  allowed: Minor,
  deductible: Minor,
  coInsurance: Minor,
  coPay: Minor,
  notCovered: Minor,
  patientResponsibility: Minor,
  lines: z.array(
    z.object({
      procedure: z.string().optional(),
      charged: Minor,
      allowed: Minor,
      patientResponsibility: Minor,
      denied: z.string().optional(),
    }),
  ),
  messages: z.array(z.string()),
  raw: z.unknown().optional(),
});

function readEstimate({ message, claimInformation: told }: z.output<typeof EstimateReply>) {
  const messages = [message, ...(told?.messages ?? []).map(({ description }) => description)];
  return {
    charged: told?.totalCharges,
    allowed: told?.totalAllowed,
    deductible: told?.totalDeductible,
    coInsurance: told?.totalCoInsurance,
    coPay: told?.totalCoPay,
    notCovered: told?.totalNotCovered,
    patientResponsibility: told?.totalPatientLiability,
    lines: (told?.serviceLines ?? []).map((line) => ({
      procedure: line.procedureCode,
      charged: cents(line.amount ?? ""),
      allowed: line.allowed,
      patientResponsibility: cents(line.estimatedPatientResponsibility ?? ""),
      denied: line.denyReason,
    })),
    messages: messages.flatMap((each) => each ?? []),
  };
}

const Placed = z.object({ id: Text }).catch({ id: undefined });

/** The place of what was accepted: without it the answer could not be found. */
function placeOf({ id, reply }: Answer<z.output<typeof Placed>>) {
  const place = id ?? reply?.id;
  if (place !== undefined) return place;
  throw new VendorFailure("unexpected_reply", "Availity did not say where its answer will be");
}

const Kind = z.enum(["professional", "institutional"]);
const resources = { professional: "professional-claims", institutional: "institutional-claims" };
const Raw = { raw: z.boolean().default(false) };

const claim = capabilities["claim.submit"].params.shape;
const Dental = z.object({
  payer: claim.payer,
  payerName: claim.payerName,
  provider: claim.provider,
  subscriber: claim.subscriber,
  dependent: claim.dependent,
  claim: z.object({
    number: z.string().min(1).max(20),
    placeOfService: z
      .string()
      .regex(/^\d{2}$/)
      .default("11"),
    frequency: z.enum(["1", "7", "8"]).default("1"),
    payerClaimNumber: z.string().max(50).optional(),
    lines: z
      .array(
        z.object({
          /** CDT. */
          procedure: z.string().regex(/^D\d{4}$/, "A dental procedure is D and four digits"),
          /** Minor units. */
          charge: z.number().int().positive(),
          units: z.number().int().positive().default(1),
          serviceDate: z.iso.date(),
          tooth: z
            .string()
            .regex(/^(\d{1,2}|[A-T]S?)$/)
            .optional(),
          surfaces: z
            .array(z.enum(["B", "D", "F", "I", "L", "M", "O"]))
            .max(5)
            .optional(),
        }),
      )
      .min(1)
      .max(50),
  }),
});

function dentalClaim(params: z.output<typeof Dental>, values: Config) {
  const { claim: sent, provider, payer, payerName } = params;
  return {
    requestTypeCode: "CLAIM",
    payer: { id: payer, name: payerName, responsibilitySequenceCode: "P" },
    submitter: submitterOf(provider.name, values),
    billingProvider: {
      npi: provider.npi,
      ein: provider.taxId,
      lastName: provider.name,
      ...(provider.taxonomy && { specialtyCode: provider.taxonomy }),
      ...addressOf(provider.address),
    },
    ...peopleOf(params),
    claimInformation: {
      controlNumber: sent.number,
      placeOfServiceCode: sent.placeOfService,
      frequencyTypeCode: sent.frequency,
      ...(sent.payerClaimNumber && { payerClaimControlNumber: sent.payerClaimNumber }),
      informationReleaseCode: "Y",
      benefitsAssignmentCertification: true,
      providerAcceptAssignmentCode: "A",
      providerSignatureOnFile: true,
      serviceLines: sent.lines.map((line, index) => ({
        controlNumber: String(index + 1),
        procedureCode: line.procedure,
        amount: dollars(line.charge),
        quantity: String(line.units),
        serviceDate: line.serviceDate,
        ...(line.tooth && {
          toothInformation: [
            {
              toothCode: line.tooth,
              ...Object.fromEntries(
                (line.surfaces ?? []).map((surface, at) => [`toothSurfaceCode${at + 1}`, surface]),
              ),
            },
          ],
        }),
      })),
    },
  };
}

const DentalReply = z
  .looseObject({ id: Text, message: Text })
  .refine(({ id, message }) => id ?? message);

const exampleProvider = {
  npi: "1234567893",
  name: "Sunrise Clinic",
  taxId: "123456789",
  address: { line1: "1 Sunrise Way", city: "Waxhaw", state: "NC", postalCode: "281730000" },
};
const estimateId = "1400000000000000003";
const dentalId = "1400000000000000004";
const item = (amount: string) => ({ amount });

export const claimOperations = {
  requestEstimate: operation({
    title: "Ask what a visit will cost (predetermination)",
    description:
      "What Availity calls professional and institutional claims: the payer estimates, and pays nothing. Availity takes claims for payment as files and in its portal, not by this API.",
    effect: "write",
    params: capabilities["claim.submit"].params.superRefine((params, context) => {
      const gap = claimGap(params);
      if (gap) context.addIssue({ code: "custom", ...gap });
    }),
    result: z.object({ id: z.string(), status: z.literal("pending") }),
    example: {
      params: {
        kind: "professional",
        payer: "BCBSF",
        payerName: "Florida Blue",
        provider: exampleProvider,
        subscriber: exampleSubscriber,
        claim: {
          number: "VISIT-42",
          placeOfService: "11",
          diagnoses: ["J029"],
          lines: [
            {
              procedure: "99213",
              charge: 15000,
              units: 1,
              serviceDate: "2026-12-01",
              diagnosisPointers: [1],
            },
          ],
        },
      },
      wire: [
        {
          request: "POST /professional-claims",
          status: 202,
          headers: { location: `https://api.availity.com/v1/professional-claims/${estimateId}` },
          reply: "",
        },
      ],
      result: { id: estimateId, status: "pending" },
    },
    async run(api, params, values: Config) {
      const answer = await ask(api, "POST", "/{resource}", Placed, {
        path: { resource: resources[params.kind] },
        json: predetermination(params, values),
      });
      return { id: placeOf(answer), status: "pending" as const };
    },
  }),
  readEstimate: operation({
    title: "Read what a visit will cost",
    effect: "read",
    params: z.object({ kind: Kind, id: Id, ...Raw }),
    result: Estimate,
    example: {
      params: { kind: "professional", id: estimateId },
      wire: [
        {
          request: `GET /professional-claims/${estimateId}`,
          reply: {
            id: estimateId,
            requestTypeCode: "PRE_DETERMINATION",
            claimInformation: {
              totalCharges: item("150"),
              totalAllowed: item("120"),
              totalCoPay: item("25"),
              totalPatientLiability: item("25"),
              messages: [{ code: "1", description: "An estimate is not a promise to pay." }],
              serviceLines: [
                {
                  procedureCode: "99213",
                  amount: "150",
                  allowed: item("120"),
                  estimatedPatientResponsibility: "25",
                },
              ],
            },
          },
        },
      ],
      result: {
        id: estimateId,
        status: "answered",
        charged: 15000,
        allowed: 12000,
        coPay: 2500,
        patientResponsibility: 2500,
        lines: [
          { procedure: "99213", charged: 15000, allowed: 12000, patientResponsibility: 2500 },
        ],
        messages: ["An estimate is not a promise to pay."],
      },
    },
    async run(api, { kind, id, raw }) {
      const { pending, reply } = await ask(api, "GET", "/{resource}/{id}", EstimateReply, {
        path: { resource: resources[kind], id },
      });
      if (pending || !reply) return { id, status: "pending" as const, lines: [], messages: [] };
      const estimate = readEstimate(reply);
      return { id, status: "answered" as const, ...estimate, ...(raw && { raw: reply }) };
    },
  }),
  submitDentalClaim: operation({
    title: "Submit a dental claim (837D)",
    description: "The one kind of claim for payment that Availity's API takes.",
    effect: "write",
    params: Dental,
    result: z.object({ id: z.string(), status: z.literal("pending") }),
    example: {
      params: {
        payer: "BCBSF",
        payerName: "Florida Blue",
        provider: exampleProvider,
        subscriber: exampleSubscriber,
        claim: {
          number: "DENT-7",
          lines: [
            {
              procedure: "D2391",
              charge: 18000,
              serviceDate: "2026-11-20",
              tooth: "14",
              surfaces: ["O"],
            },
          ],
        },
      },
      wire: [
        {
          request: "POST /dental-claims",
          status: 202,
          headers: { location: `https://api.availity.com/v1/dental-claims/${dentalId}` },
          reply: "",
        },
      ],
      result: { id: dentalId, status: "pending" },
    },
    async run(api, params, values: Config) {
      const answer = await ask(api, "POST", "/dental-claims", Placed, {
        json: dentalClaim(params, values),
      });
      return { id: placeOf(answer), status: "pending" as const };
    },
  }),
  readDentalClaim: operation({
    title: "Read what became of a dental claim",
    effect: "read",
    params: z.object({ id: Id, ...Raw }),
    result: z.object({
      id: z.string(),
      status: z.enum(["answered", "pending"]),
      message: z.string().optional(),
      raw: z.unknown().optional(),
    }),
    example: {
      params: { id: dentalId },
      wire: [
        {
          request: `GET /dental-claims/${dentalId}`,
          reply: { id: dentalId, requestTypeCode: "CLAIM", message: "Accepted by the payer" },
        },
      ],
      result: { id: dentalId, status: "answered", message: "Accepted by the payer" },
    },
    async run(api, { id, raw }) {
      const { pending, reply } = await ask(api, "GET", "/dental-claims/{id}", DentalReply, {
        path: { id },
      });
      if (pending || !reply) return { id, status: "pending" as const };
      const { message } = reply;
      return { id, status: "answered" as const, message, ...(raw && { raw: reply }) };
    },
  }),
};

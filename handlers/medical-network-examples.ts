/** One made-up visit through the Medical Network: asked, claimed, followed up and paid. */
import type { CapabilityParams } from "./capabilities.ts";

const provider = { npi: "1234567893", name: "Sunrise Clinic" };
const subscriber = {
  memberId: "W000000001",
  firstName: "Camila",
  lastName: "Lopez",
  birthDate: "1987-09-12",
  gender: "F",
} as const;

export const exampleInquiry = {
  payer: "87726",
  provider,
  subscriber,
  serviceTypes: ["30"],
} satisfies CapabilityParams<"eligibility.check">;

export const exampleEligibility = {
  controlNumber: "123456789",
  tradingPartnerServiceId: "87726",
  subscriber: {
    memberId: "W000000001",
    firstName: "CAMILA",
    lastName: "LOPEZ",
    groupNumber: "G100",
  },
  payer: { name: "ACME HEALTH", payorIdentification: "87726" },
  planDateInformation: { plan: "20260101-20261231" },
  planStatus: [
    {
      statusCode: "1",
      status: "Active Coverage",
      planDetails: "GOLD PPO",
      serviceTypeCodes: ["30"],
    },
  ],
  benefitsInformation: [
    {
      code: "1",
      name: "Active Coverage",
      coverageLevelCode: "IND",
      serviceTypeCodes: ["30"],
      serviceTypes: ["Health Benefit Plan Coverage"],
      planCoverage: "GOLD PPO",
    },
    {
      code: "B",
      name: "Co-Payment",
      coverageLevelCode: "IND",
      serviceTypeCodes: ["98"],
      timeQualifierCode: "27",
      timeQualifier: "Visit",
      benefitAmount: "25",
      inPlanNetworkIndicatorCode: "Y",
    },
    {
      code: "A",
      name: "Co-Insurance",
      coverageLevelCode: "IND",
      serviceTypeCodes: ["98"],
      benefitPercent: ".2",
      inPlanNetworkIndicatorCode: "N",
    },
  ],
};

export const exampleCoverage = {
  status: "active" as const,
  payer: "ACME HEALTH",
  plan: "GOLD PPO",
  member: "W000000001",
  group: "G100",
  from: "2026-01-01",
  to: "2026-12-31",
  trace: "123456789",
  benefits: [
    { code: "1", name: "Active Coverage", serviceTypes: ["30"] },
    {
      code: "B",
      name: "Co-Payment",
      serviceTypes: ["98"],
      amount: "25",
      period: "Visit",
      inNetwork: true,
    },
    { code: "A", name: "Co-Insurance", serviceTypes: ["98"], percent: "20", inNetwork: false },
  ],
  errors: [],
};

export const exampleClaim = {
  kind: "professional",
  payer: "87726",
  payerName: "Acme Health",
  provider: {
    ...provider,
    taxId: "123456789",
    address: { line1: "1 Sunrise Way", city: "Waxhaw", state: "NC", postalCode: "281730000" },
  },
  subscriber: {
    ...subscriber,
    address: { line1: "237 Hobbs Street", city: "Waxhaw", state: "NC", postalCode: "28173" },
  },
  claim: {
    number: "VISIT-42",
    placeOfService: "11",
    diagnoses: ["J029"],
    lines: [
      {
        procedure: "99213",
        modifiers: ["25"],
        charge: 15000,
        units: 1,
        serviceDate: "2026-10-05",
        diagnosisPointers: [1],
      },
      {
        procedure: "87880",
        charge: 3500,
        units: 1,
        serviceDate: "2026-10-05",
        diagnosisPointers: [1],
      },
    ],
  },
} satisfies CapabilityParams<"claim.submit">;

export const exampleClaimReply = {
  status: "SUCCESS",
  controlNumber: "123456789",
  tradingPartnerServiceId: "87726",
  claimReference: {
    correlationId: "261123R999898~1",
    submitterId: "999898",
    customerClaimNumber: "123456789",
    patientControlNumber: "VISIT-42",
    timeOfResponse: "2026-11-23T12:00:00.000-05:00",
    claimType: "PRO",
    formatVersion: "5010",
    rhclaimNumber: "2632800000001",
  },
  editStatus: "SUCCESS",
  payer: { payerName: "ACME HEALTH", payerID: "87726" },
  meta: { applicationMode: "sandbox", senderId: "Sunrise_Clinic_App" },
};

export const exampleStatusInquiry = {
  payer: "87726",
  provider,
  subscriber,
  id: "2632800000001",
  from: "2026-10-05",
  to: "2026-10-05",
  charge: 18500,
} satisfies CapabilityParams<"claim.status">;

export const exampleStatusReply = {
  controlNumber: "123456789",
  tradingPartnerServiceId: "87726",
  claims: [
    {
      claimStatus: {
        statusCategoryCode: "F1",
        statusCategoryCodeValue: "Finalized/Payment",
        statusCode: "65",
        effectiveDate: "20261102",
        submittedAmount: "185",
        amountPaid: "140.5",
        paidDate: "20261101",
        claimServiceDate: "20261005",
        tradingPartnerClaimNumber: "2026300123",
        patientAccountNumber: "VISIT-42",
      },
    },
  ],
};

export const exampleAnswer = {
  category: "F1",
  code: "65",
  meaning: "Finalized: paid",
  number: "2026300123",
  claimNumber: "VISIT-42",
  charged: 18500,
  paid: 14050,
  from: "2026-10-05",
  to: "2026-10-05",
  asOf: "2026-11-02",
  decidedOn: "2026-11-01",
};

export const exampleMeta = {
  applicationMode: "sandbox",
  senderId: "Sunrise_Clinic_App",
  traceId: "00000000-0000-4000-8000-000000000001",
};

export const exampleRemittanceReply = {
  transactions: [
    {
      controlNumber: "0001",
      paymentAndRemitReassociationDetails: {
        traceTypeCode: "1",
        checkOrEFTTraceNumber: "EFT0001",
        originatingCompanyIdentifier: "1512345678",
      },
      financialInformation: {
        transactionHandlingCode: "I",
        totalActualProviderPaymentAmount: "140.5",
        creditOrDebitFlagCode: "C",
        paymentMethodCode: "ACH",
        checkIssueOrEFTEffectiveDate: "20261120",
      },
      payer: { name: "ACME HEALTH", payerIdentificationNumber: "87726" },
      payee: { name: "SUNRISE CLINIC", npi: "1234567893" },
      detailInfo: [
        {
          assignedNumber: "1",
          paymentInfo: [
            {
              claimPaymentInfo: {
                patientControlNumber: "VISIT-42",
                claimStatusCode: "1",
                totalClaimChargeAmount: "185",
                claimPaymentAmount: "140.5",
                patientResponsibilityAmount: "25",
                claimFilingIndicatorCode: "12",
                payerClaimControlNumber: "2026300123",
              },
              patientName: { lastName: "LOPEZ", firstName: "CAMILA", memberId: "W000000001" },
              serviceLines: [
                {
                  serviceDate: "20261005",
                  lineItemControlNumber: "1",
                  servicePaymentInformation: {
                    productOrServiceIDQualifier: "HC",
                    adjudicatedProcedureCode: "99213",
                    adjudicatedProcedureModifierCodes: ["25"],
                    lineItemChargeAmount: "150",
                    lineItemProviderPaymentAmount: "105.5",
                    unitsOfServicePaidCount: "1",
                  },
                  serviceAdjustments: [
                    {
                      claimAdjustmentGroupCode: "CO",
                      adjustmentReasonCode1: "45",
                      adjustmentAmount1: "19.5",
                    },
                    {
                      claimAdjustmentGroupCode: "PR",
                      adjustmentReasonCode1: "3",
                      adjustmentAmount1: "25",
                    },
                  ],
                },
                {
                  serviceDate: "20261005",
                  lineItemControlNumber: "2",
                  servicePaymentInformation: {
                    productOrServiceIDQualifier: "HC",
                    adjudicatedProcedureCode: "87880",
                    lineItemChargeAmount: "35",
                    lineItemProviderPaymentAmount: "35",
                    unitsOfServicePaidCount: "1",
                  },
                },
              ],
            },
          ],
        },
      ],
    },
  ],
  meta: exampleMeta,
};

export const exampleRemittance = {
  payer: "ACME HEALTH",
  payerId: "87726",
  payee: "SUNRISE CLINIC",
  payeeNpi: "1234567893",
  trace: "EFT0001",
  method: "ACH",
  paid: 14050,
  paidOn: "2026-11-20",
  claims: [
    {
      claimNumber: "VISIT-42",
      number: "2026300123",
      status: "1",
      charged: 18500,
      paid: 14050,
      patientResponsibility: 2500,
      filing: "12",
      patient: "CAMILA LOPEZ",
      member: "W000000001",
      adjustments: [],
      remarks: [],
      lines: [
        {
          procedure: "99213",
          modifiers: ["25"],
          charged: 15000,
          paid: 10550,
          units: 1,
          serviceDate: "2026-10-05",
          number: "1",
          adjustments: [
            { group: "CO", reason: "45", amount: 1950 },
            { group: "PR", reason: "3", amount: 2500 },
          ],
          remarks: [],
        },
        {
          procedure: "87880",
          modifiers: [],
          charged: 3500,
          paid: 3500,
          units: 1,
          serviceDate: "2026-10-05",
          number: "2",
          adjustments: [],
          remarks: [],
        },
      ],
    },
  ],
  providerAdjustments: [],
  balanced: true,
};

export const exampleClaimReportReply = {
  transactions: [
    {
      controlNumber: "0001",
      payers: [
        {
          organizationName: "ACME HEALTH",
          claimStatusTransactions: [
            {
              claimStatusDetails: [
                {
                  patientClaimStatusDetails: [
                    {
                      subscriber: {
                        lastName: "LOPEZ",
                        firstName: "CAMILA",
                        memberId: "W000000001",
                      },
                      claims: [
                        {
                          claimStatus: {
                            referencedTransactionTraceNumber: "VISIT-42",
                            informationClaimStatuses: [
                              {
                                statusInformationEffectiveDate: "20261006",
                                totalClaimChargeAmount: "185",
                                informationStatuses: [
                                  {
                                    healthCareClaimStatusCategoryCode: "A2",
                                    statusCode: "20",
                                  },
                                ],
                              },
                            ],
                            tradingPartnerClaimNumber: "2026300123",
                            claimServiceDate: "20261005",
                          },
                        },
                      ],
                    },
                  ],
                },
              ],
            },
          ],
        },
      ],
    },
  ],
  meta: exampleMeta,
};

export const exampleAccepted = {
  category: "A2",
  code: "20",
  meaning: "Accepted into adjudication",
  number: "2026300123",
  claimNumber: "VISIT-42",
  charged: 18500,
  from: "2026-10-05",
  to: "2026-10-05",
  asOf: "2026-10-06",
};

/** A 999 as it lies in the mailbox, with separators of its own. */
export const exampleReport =
  "ISA~00~          ~00~          ~ZZ~CHC            ~ZZ~999898         ~261123~1200~|~00501~000000042~0~T~^_" +
  "GS~FA~CHC~999898~20261123~1200~42~X~005010X231A1_ST~999~0001~005010X231A1_" +
  "AK1~HC~7~005010X222A1_AK2~837~0001~005010X222A1_IK5~A_AK9~A~1~1~1_" +
  "SE~6~0001_GE~1~42_IEA~1~000000042_";

export const exampleAcknowledgment = {
  group: "HC",
  control: "7",
  outcome: "accepted" as const,
  received: 1,
  accepted: 1,
  transactions: [{ set: "837", control: "0001", outcome: "accepted" as const, faults: [] }],
};

import { payer } from "./members.ts";

/** Made-up files with separators of their own, as the clearinghouse writes them. */
const envelope = (code: string, version: string, body: readonly string[]) =>
  [
    "ISA~00~          ~00~          ~ZZ~CHC            ~ZZ~999898         ~261123~1200~|~00501~000000042~0~T~^",
    `GS~${code}~CHC~999898~20261123~1200~42~X~${version}`,
    ...body,
    "GE~1~42",
    "IEA~1~000000042",
    "",
  ].join("_");

export const remittanceFile = envelope("HP", "005010X221A1", [
  "ST~835~0001",
  "BPR~I~140.5~C~ACH~CCP~01~999999992~DA~1234567~1512345678~~01~999988880~DA~98765~20261120",
  "TRN~1~EFT0001~1512345678",
  "DTM~405~20261119",
  `N1~PR~${payer.name}`,
  "N3~1 PAYER WAY",
  "N4~PHOENIX~AZ~85001",
  `REF~2U~${payer.id}`,
  "N1~PE~SUNRISE CLINIC~XX~1234567893",
  "LX~1",
  "CLP~VISIT-41~1~185~140.5~25~12~2026300122~11~1",
  "NM1~QC~1~LOPEZ~CAMILA~~~~MI~W000000001",
  "SVC~HC^99213^25~150~105.5~~1",
  "DTM~472~20261005",
  "CAS~CO~45~19.5",
  "CAS~PR~3~25",
  "REF~6R~1",
  "SVC~HC^87880~35~35~~1",
  "DTM~472~20261005",
  "REF~6R~2",
  "SE~21~0001",
]);

const remittance = {
  transactions: [
    {
      controlNumber: "0001",
      paymentAndRemitReassociationDetails: {
        traceTypeCode: "1",
        checkOrEFTTraceNumber: "EFT0001",
        originatingCompanyIdentifier: "1512345678",
      },
      productionDate: "20261119",
      financialInformation: {
        transactionHandlingCode: "I",
        totalActualProviderPaymentAmount: "140.5",
        creditOrDebitFlagCode: "C",
        paymentMethodCode: "ACH",
        paymentFormatCode: "CCP",
        checkIssueOrEFTEffectiveDate: "20261120",
      },
      payer: { name: payer.name, payerIdentificationNumber: payer.id },
      payee: { name: "SUNRISE CLINIC", npi: "1234567893" },
      detailInfo: [
        {
          assignedNumber: "1",
          paymentInfo: [
            {
              claimPaymentInfo: {
                patientControlNumber: "VISIT-41",
                claimStatusCode: "1",
                totalClaimChargeAmount: "185",
                claimPaymentAmount: "140.5",
                patientResponsibilityAmount: "25",
                claimFilingIndicatorCode: "12",
                payerClaimControlNumber: "2026300122",
                facilityTypeCode: "11",
                claimFrequencyCode: "1",
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
                      claimAdjustmentGroupCodeValue: "Contractual Obligations",
                      adjustmentReasonCode1: "45",
                      adjustmentAmount1: "19.5",
                      adjustmentReasonCode2: "",
                      adjustmentAmount2: "",
                    },
                    {
                      claimAdjustmentGroupCode: "PR",
                      claimAdjustmentGroupCodeValue: "Patient Responsibility",
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
};

export const acceptanceFile = envelope("FA", "005010X231A1", [
  "ST~999~0001~005010X231A1",
  "AK1~HC~7~005010X222A1",
  "AK2~837~0001~005010X222A1",
  "IK5~A",
  "AK9~A~1~1~1",
  "SE~6~0001",
]);

export type Claimed = {
  patientControlNumber: string;
  clearinghouseNumber: string;
  memberId: string;
  charge: string;
  serviceDate: string;
};

const seen = (claim: Claimed) => ({
  transactions: [
    {
      controlNumber: "0001",
      referenceIdentification: "0001",
      transactionSetCreationDate: "20261123",
      payers: [
        {
          organizationName: payer.name,
          payerIdentification: payer.id,
          claimStatusTransactions: [
            {
              provider: { organizationName: "SUNRISE CLINIC" },
              claimStatusDetails: [
                {
                  patientClaimStatusDetails: [
                    {
                      subscriber: { memberId: claim.memberId },
                      claims: [
                        {
                          claimStatus: {
                            referencedTransactionTraceNumber: claim.patientControlNumber,
                            informationClaimStatuses: [
                              {
                                statusInformationEffectiveDate: "20261123",
                                totalClaimChargeAmount: claim.charge,
                                informationStatuses: [
                                  {
                                    healthCareClaimStatusCategoryCode: "A2",
                                    healthCareClaimStatusCategoryCodeValue:
                                      "Acknowledgement/Acceptance into adjudication system",
                                    statusCode: "20",
                                    statusCodeValue: "Accepted for processing.",
                                  },
                                ],
                              },
                            ],
                            clearinghouseTraceNumber: claim.clearinghouseNumber,
                            claimServiceDate: claim.serviceDate,
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
});

const seenFile = (claim: Claimed) =>
  envelope("HN", "005010X214", [
    "ST~277~0001~005010X214",
    "BHT~0085~08~42~20261123~1200~TH",
    "HL~1~~20~1",
    `NM1~PR~2~${payer.name}~~~~~PI~${payer.id}`,
    "HL~2~1~21~1",
    "NM1~41~2~SUNRISE CLINIC~~~~~46~999898",
    "HL~3~2~19~1",
    "NM1~85~2~SUNRISE CLINIC~~~~~XX~1234567893",
    "HL~4~3~PT",
    `NM1~QC~1~LOPEZ~~~~~MI~${claim.memberId}`,
    `TRN~2~${claim.patientControlNumber}`,
    `STC~A2^20~20261123~WQ~${claim.charge}`,
    `REF~D9~${claim.clearinghouseNumber}`,
    `DTP~472~D8~${claim.serviceDate}`,
    "SE~15~0001",
  ]);

export type ReportFile = { content: string; as835?: object; as277?: object };

/** What lies there at the start. */
export const seeded = (): Map<string, ReportFile> =>
  new Map([
    ["R5000000.XY", { content: remittanceFile, as835: remittance }],
    ["X3000000.AB", { content: acceptanceFile }],
    [
      "X3000000.XX",
      report277({
        patientControlNumber: "VISIT-41",
        clearinghouseNumber: "2632700000001",
        memberId: "W000000001",
        charge: "185",
        serviceDate: "20261005",
      }),
    ],
    ["SB000000.TX", { content: "CLAIMS RECEIVED: 1\nCLAIMS ACCEPTED: 1\n" }],
  ]);

export const report277 = (claim: Claimed): ReportFile => ({
  content: seenFile(claim),
  as277: seen(claim),
});

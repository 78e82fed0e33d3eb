/** Fictional members and what their payer says, in the shapes of Availity's API descriptions. */
export const payer = { payerId: "BCBSF", name: "FLORIDA BLUE" };
/** Listed, and down. */
export const downPayer = { payerId: "60054", name: "UMBRA MUTUAL" };

export type Member = {
  memberId: string;
  lastName: string;
  birthDate: string;
  statusCode: "1" | "6";
  /** How many times "in progress" is said first. */
  patience: number;
};

export const members: readonly Member[] = [
  {
    memberId: "W000000001",
    lastName: "LOPEZ",
    birthDate: "1987-09-12",
    statusCode: "1",
    patience: 0,
  },
  {
    memberId: "W000000002",
    lastName: "LIN",
    birthDate: "1973-06-03",
    statusCode: "6",
    patience: 0,
  },
  {
    memberId: "W000000003",
    lastName: "SLOW",
    birthDate: "1960-01-01",
    statusCode: "1",
    patience: 2,
  },
];

const visit = "Professional (Physician) Visit - Office";

export function coverageOf(id: string, member: Member) {
  const active = member.statusCode === "1";
  const status = active ? "Active Coverage" : "Inactive";
  return {
    id,
    controlNumber: id.slice(-9),
    customerId: "1194",
    status: "Complete",
    statusCode: "4",
    createdDate: "2026-11-23T12:00:00.000+0000",
    expirationDate: "2026-11-24T12:00:00.000+0000",
    payer: { ...payer, responseName: payer.name },
    subscriber: { memberId: member.memberId, lastName: member.lastName },
    patient: { lastName: member.lastName, subscriberRelationshipCode: "18" },
    requestedServiceType: [{ code: "30", value: "Health Benefit Plan Coverage" }],
    validationMessages: [],
    plans: [
      {
        status,
        statusCode: member.statusCode,
        planName: "BLUE GOLD",
        groupNumber: "G100",
        coverageStartDate: active ? "2026-01-01T00:00:00.000+0000" : "2024-01-01T00:00:00.000+0000",
        coverageEndDate: active ? "2026-12-31T00:00:00.000+0000" : "2024-12-31T00:00:00.000+0000",
        benefits: active
          ? [
              {
                name: visit,
                type: "98",
                status,
                statusCode: "1",
                amounts: {
                  coPayment: {
                    inNetwork: [{ amount: "25", units: "USD", amountTimePeriod: "Visit" }],
                    outOfNetwork: [{ amount: "60", units: "USD", amountTimePeriod: "Visit" }],
                  },
                  coInsurance: { outOfNetwork: [{ amount: "20", units: "Percent" }] },
                  deductibles: {
                    notApplicableNetwork: [{ remaining: "812.5", units: "USD" }],
                  },
                },
              },
            ]
          : [],
      },
    ],
  };
}

/** What the payer rejected: a coverage too, with the reason in it. */
export const refusedCoverage = (id: string) => ({
  id,
  controlNumber: id.slice(-9),
  status: "Request Error",
  statusCode: "19",
  payer,
  plans: [],
  validationMessages: [
    { field: "memberId", code: "75", errorMessage: "Subscriber/Insured Not Found" },
  ],
});

export const statusOf = (id: string, number: string, found: boolean) => ({
  id,
  status: "Complete",
  statusCode: "4",
  claimCount: found ? "1" : "0",
  payer: { id: payer.payerId, name: payer.name },
  claimStatuses: found
    ? [
        {
          claimControlNumber: "2026300123",
          patientControlNumber: number,
          fromDate: "2026-10-05",
          toDate: "2026-10-05",
          statusDetails: [
            {
              category: "Finalized/Payment-The claim/line has been paid.",
              categoryCode: "F1",
              status: "Claim/line has been paid.",
              statusCode: "65",
              claimAmount: "185",
              claimAmountUnits: "USD",
              paymentAmount: "140.5",
              effectiveDate: "2026-11-02",
              finalizedDate: "2026-11-01",
            },
          ],
        },
      ]
    : [],
  providers: found
    ? []
    : [
        {
          npi: "1234567893",
          statusDetails: [
            {
              category: "Data Search Unsuccessful",
              categoryCode: "D0",
              statusCode: "35",
            },
          ],
        },
      ],
});

const item = (amount: string) => ({ amount });

export const estimateOf = (
  id: string,
  lines: readonly { procedureCode: string; amount: string }[],
) => {
  const charged = lines.reduce((total, { amount }) => total + Number(amount), 0);
  return {
    id,
    requestTypeCode: "PRE_DETERMINATION",
    customerId: "1194",
    claimInformation: {
      totalCharges: item(charged.toFixed(2)),
      totalAllowed: item((charged * 0.8).toFixed(2)),
      totalCoPay: item("25"),
      totalPatientLiability: item("25"),
      messages: [{ code: "1", description: "An estimate is not a promise to pay." }],
      serviceLines: lines.map(({ procedureCode, amount }) => ({
        procedureCode,
        amount,
        allowed: item((Number(amount) * 0.8).toFixed(2)),
        estimatedPatientResponsibility: "25",
      })),
    },
  };
};

export const routes = [
  {
    transactionDescription: "Eligibility and Benefits Inquiry",
    submissionMode: "API",
    enrollmentRequired: false,
    availability: true,
    effectiveDate: "2011-09-18T01:48:45.000+0000",
  },
  {
    transactionDescription: "Claim Payment/Advice",
    submissionMode: "Batch",
    enrollmentRequired: true,
    availability: true,
  },
];

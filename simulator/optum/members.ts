/** Fictional members of one fictional payer, and what the payer answers of each. */
export const payer = { id: "87726", name: "ACME HEALTH" };
/** Listed, and down. */
export const downPayer = { id: "60054", name: "UMBRA MUTUAL" };

export type Member = {
  memberId: string;
  firstName: string;
  lastName: string;
  dateOfBirth: string;
  plan: string;
  /** X12 EB01. */
  statusCode: "1" | "6";
  from: string;
  to: string;
};

export const members: readonly Member[] = [
  {
    memberId: "W000000001",
    firstName: "CAMILA",
    lastName: "LOPEZ",
    dateOfBirth: "19870912",
    plan: "GOLD PPO",
    statusCode: "1",
    from: "20260101",
    to: "20261231",
  },
  {
    memberId: "W000000002",
    firstName: "DERRICK",
    lastName: "LIN",
    dateOfBirth: "19730603",
    plan: "SILVER HMO",
    statusCode: "6",
    from: "20240101",
    to: "20241231",
  },
];
/** The child is insured through Camila. */
export const dependents = [
  { of: "W000000001", firstName: "ANA", lastName: "LOPEZ", dateOfBirth: "20150203" },
];

export type Sent = { readonly [key: string]: unknown };
export const isSent = (value: unknown): value is Sent =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const within = (value: unknown, key: string): unknown =>
  isSent(value) ? value[key] : undefined;
export const textAt = (value: unknown, key: string): string | undefined => {
  const found = within(value, key);
  return typeof found === "string" && found !== "" ? found : undefined;
};

export type Complaint = { field: string; code?: string; description: string };

export const isDate = (written: string | undefined) =>
  written !== undefined && /^\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$/.test(written);

/** What the payer does not accept of a person, as AAA rejections. */
export function whoIs(subscriber: unknown, dependent?: unknown): Member | Complaint[] {
  const rejected = (code: string, description: string): Complaint[] => [
    { field: "AAA", description: "Transaction contained a AAA rejection" },
    { field: code, description },
  ];
  const member = members.find(({ memberId }) => memberId === textAt(subscriber, "memberId"));
  if (!member) return rejected("75", "Subscriber/Insured Not Found");
  const same = (given: string | undefined, known: string) => given?.toUpperCase() === known;
  if (!same(textAt(subscriber, "lastName"), member.lastName))
    return rejected("73", "Invalid/Missing Subscriber/Insured Name");
  if (textAt(subscriber, "dateOfBirth") !== member.dateOfBirth)
    return rejected("71", "Patient Birth Date Does Not Match That for the Patient on the Database");
  const isKnown = dependents.some(
    (each) =>
      each.of === member.memberId &&
      same(textAt(dependent, "firstName"), each.firstName) &&
      textAt(dependent, "dateOfBirth") === each.dateOfBirth,
  );
  if (dependent !== undefined && !isKnown)
    return rejected("77", "Subscriber Found, Patient Not Found");
  return member;
}

export function coverageOf(member: Member, controlNumber: string) {
  const active = member.statusCode === "1";
  const status = active ? "Active Coverage" : "Inactive";
  return {
    meta: { applicationMode: "sandbox", traceId: "00000000-0000-4000-8000-000000000001" },
    controlNumber,
    reassociationKey: controlNumber,
    tradingPartnerServiceId: payer.id,
    provider: { npi: "1234567893", providerName: "SUNRISE CLINIC" },
    subscriber: {
      memberId: member.memberId,
      firstName: member.firstName,
      lastName: member.lastName,
      dateOfBirth: member.dateOfBirth,
      groupNumber: "G100",
    },
    payer: {
      entityIdentifier: "Payer",
      entityType: "Non-Person Entity",
      name: payer.name,
      payorIdentification: payer.id,
    },
    planInformation: { groupNumber: "G100" },
    planDateInformation: { plan: `${member.from}-${member.to}` },
    planStatus: [
      {
        statusCode: member.statusCode,
        status,
        planDetails: member.plan,
        serviceTypeCodes: ["30"],
      },
    ],
    benefitsInformation: [
      {
        code: member.statusCode,
        name: status,
        coverageLevelCode: "IND",
        coverageLevel: "Individual",
        serviceTypeCodes: ["30"],
        serviceTypes: ["Health Benefit Plan Coverage"],
        planCoverage: member.plan,
      },
      ...(active
        ? [
            {
              code: "B",
              name: "Co-Payment",
              serviceTypeCodes: ["98"],
              timeQualifierCode: "27",
              timeQualifier: "Visit",
              benefitAmount: "25",
              inPlanNetworkIndicatorCode: "Y",
              inPlanNetworkIndicator: "Yes",
            },
            {
              code: "A",
              name: "Co-Insurance",
              serviceTypeCodes: ["98"],
              benefitPercent: ".2",
              inPlanNetworkIndicatorCode: "N",
              inPlanNetworkIndicator: "No",
            },
          ]
        : []),
    ],
  };
}

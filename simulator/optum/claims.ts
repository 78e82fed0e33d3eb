import { type Complaint, isDate, isSent, textAt, whoIs, within } from "./members.ts";

export type Kind = "professional" | "institutional";

const must = (path: string): Complaint => ({ field: path, description: "Must not be empty" });

function missing(value: unknown, path: string, keys: readonly string[]): Complaint[] {
  const empty = (found: unknown) =>
    found === undefined ||
    found === null ||
    found === "" ||
    (Array.isArray(found) && !found.length);
  const prefix = path ? `${path}.` : "";
  return keys.filter((key) => empty(within(value, key))).map((key) => must(prefix + key));
}

const amount = (written: unknown) =>
  typeof written === "string" && /^\d{1,10}(\.\d{1,2})?$/.test(written)
    ? Math.round(Number(written) * 100)
    : undefined;

function addressComplaints(holder: unknown, path: string): Complaint[] {
  const address = within(holder, "address");
  if (!isSent(address)) return [must(`${path}.address`)];
  return missing(address, `${path}.address`, ["address1", "city", "state", "postalCode"]);
}

const required = {
  professional: [
    "claimFilingCode",
    "patientControlNumber",
    "claimChargeAmount",
    "placeOfServiceCode",
    "claimFrequencyCode",
    "signatureIndicator",
    "planParticipationCode",
    "benefitsAssignmentCertificationIndicator",
    "releaseInformationCode",
    "healthCareCodeInformation",
    "serviceLines",
  ],
  institutional: [
    "claimFilingCode",
    "patientControlNumber",
    "claimChargeAmount",
    "placeOfServiceCode",
    "claimFrequencyCode",
    "planParticipationCode",
    "benefitsAssignmentCertificationIndicator",
    "releaseInformationCode",
    "principalDiagnosis",
    "claimDateInformation",
    "claimCodeInformation",
    "serviceLines",
  ],
} as const;

function lineComplaints(kind: Kind, line: unknown, at: string, diagnoses: number): Complaint[] {
  const name = `${kind}Service`;
  const service = within(line, name);
  if (!isSent(service)) return [must(`${at}.${name}`)];
  const keys = ["lineItemChargeAmount", "measurementUnit", "serviceUnitCount"];
  const complaints = [
    ...missing(service, `${at}.${name}`, [
      ...keys,
      ...(kind === "professional"
        ? ["procedureIdentifier", "procedureCode", "compositeDiagnosisCodePointers"]
        : ["serviceLineRevenueCode"]),
    ]),
    ...(kind === "institutional" ? missing(line, at, ["assignedNumber"]) : []),
  ];
  if (typeof service["serviceUnitCount"] !== "string")
    complaints.push({ field: `${at}.${name}.serviceUnitCount`, description: "Must be a string" });
  if (!isDate(textAt(line, "serviceDate")))
    complaints.push({
      field: `${at}.serviceDate`,
      description: "Invalid date format. Please use the following format: yyyyMMdd.",
    });
  const pointers = within(service["compositeDiagnosisCodePointers"], "diagnosisCodePointers");
  if (kind === "professional" && Array.isArray(pointers))
    for (const pointer of pointers)
      if (!(Number(pointer) >= 1 && Number(pointer) <= diagnoses))
        complaints.push({
          field: `${at}.professionalService.compositeDiagnosisCodePointers`,
          description: "Points to no diagnosis",
        });
  return complaints;
}

/** The rules of the vendor's API description, and those that its sandbox was seen to apply. */
export function claimComplaints(kind: Kind, claim: unknown): Complaint[] {
  const [subscriber, billing] = [within(claim, "subscriber"), within(claim, "billing")];
  const complaint = missing(claim, "", [
    "controlNumber",
    "tradingPartnerServiceId",
    "submitter",
    "receiver",
    "subscriber",
    "billing",
    "claimInformation",
  ]);
  if (complaint.length) return complaint;
  complaint.push(
    ...missing(within(within(claim, "submitter"), "contactInformation"), "submitter", ["name"]),
    ...missing(within(claim, "receiver"), "receiver", ["organizationName"]),
    ...missing(subscriber, "subscriber", ["paymentResponsibilityLevelCode"]),
    ...missing(billing, "billing", ["providerType", "npi", "employerId", "organizationName"]),
    ...addressComplaints(billing, "billing"),
  );
  const gender = textAt(subscriber, "gender");
  if (gender && !/^[MFU]$/.test(gender))
    complaint.push({ field: "subscriber.gender", description: "Must be M, F or U" });
  const dependent = within(claim, "dependent");
  if (dependent === undefined) complaint.push(...addressComplaints(subscriber, "subscriber"));
  else
    complaint.push(
      ...missing(dependent, "dependent", [
        "firstName",
        "lastName",
        "gender",
        "dateOfBirth",
        "relationshipToSubscriberCode",
      ]),
    );
  const told = within(claim, "claimInformation");
  complaint.push(...missing(told, "claimInformation", required[kind]));
  const diagnoses = within(told, "healthCareCodeInformation");
  const lines = within(told, "serviceLines");
  const count = Array.isArray(diagnoses) ? diagnoses.length : 0;
  let total = 0;
  for (const [index, line] of (Array.isArray(lines) ? lines : []).entries()) {
    const at = `claimInformation.serviceLines[${index}]`;
    complaint.push(...lineComplaints(kind, line, at, count));
    total += amount(within(within(line, `${kind}Service`), "lineItemChargeAmount")) ?? 0;
  }
  if (amount(within(told, "claimChargeAmount")) !== total)
    complaint.push({
      field: "claimInformation.claimChargeAmount",
      description: "Must be the sum of the charges of the service lines",
    });
  if (kind === "institutional")
    complaint.push(
      ...missing(within(told, "claimCodeInformation"), "claimInformation.claimCodeInformation", [
        "admissionTypeCode",
        "patientStatusCode",
      ]),
      ...missing(within(told, "claimDateInformation"), "claimInformation.claimDateInformation", [
        "statementBeginDate",
        "statementEndDate",
      ]),
    );
  if (complaint.length === 0 && Array.isArray(whoIs(subscriber, dependent)))
    complaint.push({
      field: "subscriber",
      description: "Please use predefined canned users for non-prod environments",
    });
  return complaint;
}

import type {
  AllergyIntolerance,
  Appointment,
  Binary,
  CodeableConcept,
  Condition,
  DocumentReference,
  Encounter,
  Group,
  Location,
  MedicationRequest,
  Observation,
  Organization,
  Patient,
  Practitioner,
  Reference,
  Resource,
  Schedule,
  Slot,
} from "@medplum/fhirtypes";

/** Invented people: none of them exists. */
const families = [
  "Ashdown",
  "Bellweather",
  "Castlebay",
  "Dovewood",
  "Elderglen",
  "Fernsby",
  "Goldfinch",
  "Hartwell",
  "Inkpen",
  "Juniper",
  "Kestrel",
  "Larkspur",
  "Merriday",
  "Nightingale",
  "Oakhurst",
];
const given = [
  ["Amara", "female"],
  ["Basil", "male"],
  ["Clementine", "female"],
  ["Dorian", "male"],
  ["Esme", "female"],
  ["Felix", "male"],
  ["Greta", "female"],
  ["Hugo", "male"],
  ["Ines", "female"],
  ["Jasper", "male"],
] as const;
const doctors = [
  ["Prudence", "Nguyen", "Family Medicine"],
  ["Rowan", "Sedge", "Cardiology"],
  ["Tamsin", "Umber", "Endocrinology"],
  ["Viggo", "Wren", "Pediatrics"],
] as const;

const problems: readonly [icd: string, snomed: string, name: string][] = [
  ["I10", "59621000", "Essential hypertension"],
  ["E11.9", "44054006", "Type 2 diabetes mellitus"],
  ["J45.909", "195967001", "Asthma"],
  ["M54.50", "279039007", "Low back pain"],
  ["E78.5", "55822004", "Hyperlipidemia"],
];
const drugs: readonly [rxnorm: string, name: string, dose: string][] = [
  ["314076", "lisinopril 10 MG Oral Tablet", "1 tablet by mouth once a day"],
  ["860975", "metformin hydrochloride 500 MG Oral Tablet", "1 tablet by mouth twice a day"],
  ["745679", "albuterol 0.09 MG/ACTUAT Metered Dose Inhaler", "2 puffs as needed"],
  ["310965", "ibuprofen 200 MG Oral Tablet", "1 tablet by mouth as needed"],
  ["617310", "atorvastatin 20 MG Oral Tablet", "1 tablet by mouth at bedtime"],
];
const allergies: readonly [rxnorm: string, name: string][] = [
  ["7980", "penicillin G"],
  ["1191", "aspirin"],
  ["2670", "codeine"],
];

export const systems = {
  mrn: "urn:oid:1.2.840.114350.1.13.0.1.7.5.737384.14",
  loinc: "http://loinc.org",
  snomed: "http://snomed.info/sct",
  icd10: "http://hl7.org/fhir/sid/icd-10-cm",
  rxnorm: "http://www.nlm.nih.gov/research/umls/rxnorm",
};

const hl7 = (name: string, code: string): CodeableConcept => ({
  coding: [{ system: `http://terminology.hl7.org/CodeSystem/${name}`, code }],
});
const concept = (system: string, code: string, name: string): CodeableConcept => ({
  coding: [{ system, code, display: name }],
  text: name,
});
const pick = <T>(list: readonly T[], index: number): T => {
  const item = list[index % list.length];
  if (item === undefined) throw new Error("an empty list");
  return item;
};
const number = (value: number) => String(value).padStart(4, "0");

export const organizationId = "eSimOrganization0001";
/** The ids of the handlers' examples, so that those find something. */
export const known = {
  patient: "erXuFYUfucBZaryVksYEcMg3",
  practitioner: "prc1",
  schedule: "sch1",
  binary: "bin1",
  group: "grp1",
  observation: "old1",
  appointment: "eSimAppointment0001-1",
};
export const patientId = (index: number) =>
  index === 0 ? known.patient : `eSimPatient${number(index + 1)}`;
const practitionerId = (index: number) =>
  index % doctors.length === 0
    ? known.practitioner
    : `eSimPractitioner${number((index % doctors.length) + 1)}`;

type Day = (offset: number, time?: string) => string;

function practice(day: Day): Resource[] {
  const organization: Organization = {
    resourceType: "Organization",
    id: organizationId,
    active: true,
    name: "Simulated Clinic",
  };
  const location: Location = {
    resourceType: "Location",
    id: "eSimLocation0001",
    status: "active",
    name: "Simulated Clinic, Main Street",
  };
  const staff = doctors.flatMap(([first, last, specialty], index): Resource[] => {
    const id = practitionerId(index);
    const practitioner: Practitioner = {
      resourceType: "Practitioner",
      id,
      active: true,
      identifier: [{ system: "http://hl7.org/fhir/sid/us-npi", value: `99999999${10 + index}` }],
      name: [
        {
          use: "official",
          text: `${first} ${last}, MD`,
          family: last,
          given: [first],
          suffix: ["MD"],
        },
      ],
    };
    const schedule: Schedule = {
      resourceType: "Schedule",
      id: index === 0 ? known.schedule : `eSimSchedule${number(index + 1)}`,
      active: true,
      serviceType: [{ text: specialty }],
      actor: [{ reference: `Practitioner/${id}`, display: `${first} ${last}, MD` }],
    };
    const slots = Array.from({ length: 8 }, (_, hour): Slot => {
      const at = number(hour + 9).slice(2);
      return {
        resourceType: "Slot",
        id: `eSimSlot${number(index * 8 + hour + 1)}`,
        schedule: { reference: `Schedule/${schedule.id}` },
        serviceType: [{ text: specialty }],
        status: hour % 4 === 3 ? "busy" : "free",
        start: day(1, `${at}:00:00Z`),
        end: day(1, `${at}:30:00Z`),
      };
    });
    return [practitioner, schedule, ...slots];
  });
  return [organization, location, ...staff];
}

function person(index: number): Patient {
  const [first, gender] = pick(given, index * 3 + Math.floor(index / families.length));
  const family = pick(families, index);
  const year = 1940 + ((index * 37) % 80);
  return {
    resourceType: "Patient",
    id: patientId(index),
    active: true,
    identifier: [
      {
        use: "usual",
        type: { text: "MRN" },
        system: systems.mrn,
        value: `SIM${number(index + 1)}`,
      },
    ],
    name: [{ use: "official", text: `${first} ${family}`, family, given: [first] }],
    gender,
    birthDate: `${year}-${String((index % 12) + 1).padStart(2, "0")}-${String(((index * 7) % 28) + 1).padStart(2, "0")}`,
    telecom: [
      { system: "phone", value: `+1415555${number(100 + index)}`, use: "mobile" },
      { system: "email", value: `${first}.${family}@patients.example`.toLowerCase() },
    ],
    address: [
      {
        use: "home",
        line: [`${index + 1} Example Way`],
        city: "Sampletown",
        state: "CA",
        postalCode: "90000",
        country: "US",
      },
    ],
    generalPractitioner: [{ reference: `Practitioner/${practitionerId(index)}` }],
    managingOrganization: {
      reference: `Organization/${organizationId}`,
      display: "Simulated Clinic",
    },
    // The test patient of Epic's own sandbox, who does not exist either.
    ...(index === 0
      ? {
          identifier: [
            { type: { text: "MRN" }, system: "urn:oid:1.2.840.114350", value: "203713" },
          ],
          name: [
            {
              use: "official",
              text: "Camila Maria Lopez",
              family: "Lopez",
              given: ["Camila", "Maria"],
            },
          ],
          gender: "female",
          birthDate: "1987-09-12",
        }
      : {}),
  };
}

function chart(index: number, day: Day): Resource[] {
  const subject: Reference<Patient> = {
    reference: `Patient/${patientId(index)}`,
    display: person(index).name?.[0]?.text ?? "",
  };
  const doctor: Reference<Practitioner> = { reference: `Practitioner/${practitionerId(index)}` };
  const id = (kind: string, part = 1) => `eSim${kind}${number(index + 1)}-${part}`;
  const seen = -7 - index;
  const encounter: Encounter = {
    resourceType: "Encounter",
    id: id("Encounter"),
    status: "finished",
    class: {
      system: "http://terminology.hl7.org/CodeSystem/v3-ActCode",
      code: "AMB",
      display: "ambulatory",
    },
    type: [{ text: "Office Visit" }],
    subject,
    participant: [{ individual: doctor }],
    period: { start: day(seen, "15:00:00Z"), end: day(seen, "15:30:00Z") },
  };
  const observed = {
    resourceType: "Observation",
    status: "final",
    subject,
    encounter: { reference: `Encounter/${encounter.id}` },
    effectiveDateTime: day(seen, "15:05:00Z"),
  } as const;
  const vitals = [{ ...hl7("observation-category", "vital-signs"), text: "Vital Signs" }];
  const quantity = (value: number, unit: string, code = unit) => ({
    value,
    unit,
    system: "http://unitsofmeasure.org",
    code,
  });
  const observations: Observation[] = [
    {
      ...observed,
      id: id("Observation", 1),
      category: vitals,
      code: concept(systems.loinc, "85354-9", "Blood pressure"),
      component: [
        {
          code: concept(systems.loinc, "8480-6", "Systolic"),
          valueQuantity: quantity(112 + (index % 30), "mmHg", "mm[Hg]"),
        },
        {
          code: concept(systems.loinc, "8462-4", "Diastolic"),
          valueQuantity: quantity(70 + (index % 20), "mmHg", "mm[Hg]"),
        },
      ],
    },
    {
      ...observed,
      id: id("Observation", 2),
      category: vitals,
      code: concept(systems.loinc, "8867-4", "Heart rate"),
      valueQuantity: quantity(60 + (index % 35), "beats/min", "/min"),
    },
    {
      ...observed,
      id: index === 0 ? known.observation : id("Observation", 3),
      category: [{ ...hl7("observation-category", "laboratory"), text: "Laboratory" }],
      code: concept(systems.loinc, "4548-4", "Hemoglobin A1c"),
      valueQuantity: quantity(5 + (index % 30) / 10, "%"),
    },
  ];
  const [icd, snomed, name] = pick(problems, index);
  const condition: Condition = {
    resourceType: "Condition",
    id: id("Condition"),
    clinicalStatus: hl7("condition-clinical", "active"),
    verificationStatus: hl7("condition-ver-status", "confirmed"),
    category: [hl7("condition-category", "problem-list-item")],
    code: {
      coding: [
        { system: systems.icd10, code: icd, display: name },
        { system: systems.snomed, code: snomed, display: name },
      ],
      text: name,
    },
    subject,
    onsetDateTime: day(-400 - index).slice(0, 10),
  };
  const [rxnorm, drug, dose] = pick(drugs, index);
  const medication: MedicationRequest = {
    resourceType: "MedicationRequest",
    id: id("MedicationRequest"),
    status: "active",
    intent: "order",
    medicationCodeableConcept: concept(systems.rxnorm, rxnorm, drug),
    subject,
    requester: doctor,
    authoredOn: day(seen).slice(0, 10),
    dosageInstruction: [{ text: dose }],
  };
  const appointment: Appointment = {
    resourceType: "Appointment",
    id: id("Appointment"),
    status: "booked",
    serviceType: [{ text: "Follow-up" }],
    start: day((index % 14) + 1, "17:00:00Z"),
    end: day((index % 14) + 1, "17:30:00Z"),
    participant: [
      { actor: subject, status: "accepted" },
      { actor: doctor, status: "accepted" },
    ],
  };
  const records: Resource[] = [encounter, ...observations, condition, medication, appointment];
  if (index % 2 === 0) {
    const [code, substance] = pick(allergies, index / 2);
    const allergy: AllergyIntolerance = {
      resourceType: "AllergyIntolerance",
      id: id("AllergyIntolerance"),
      clinicalStatus: hl7("allergyintolerance-clinical", "active"),
      verificationStatus: hl7("allergyintolerance-verification", "confirmed"),
      code: concept(systems.rxnorm, code, substance),
      patient: subject,
      reaction: [{ manifestation: [{ text: "Rash" }], severity: "mild" }],
    };
    records.push(allergy);
  }
  if (index % 3 === 0) {
    const binary: Binary = {
      resourceType: "Binary",
      id: index === 0 ? known.binary : id("Binary"),
      contentType: "text/plain",
      data: Buffer.from(`Visit note of a patient who does not exist.\n${name}: stable.\n`).toString(
        "base64",
      ),
    };
    const document: DocumentReference = {
      resourceType: "DocumentReference",
      id: id("DocumentReference"),
      status: "current",
      docStatus: "final",
      type: concept(systems.loinc, "11506-3", "Progress note"),
      category: [
        {
          coding: [
            {
              system: "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
              code: "clinical-note",
            },
          ],
        },
      ],
      subject,
      date: day(seen, "16:00:00Z"),
      author: [doctor],
      content: [{ attachment: { contentType: "text/plain", url: `Binary/${binary.id}` } }],
      context: { encounter: [{ reference: `Encounter/${encounter.id}` }] },
    };
    records.push(binary, document);
  }
  return records;
}

/** Thirty charts, and a crowd of one surname that is too many for one search. */
export function records(now: Date): Resource[] {
  const day: Day = (offset, time = "00:00:00Z") =>
    `${new Date(now.getTime() + offset * 86_400_000).toISOString().slice(0, 10)}T${time}`;
  const indexes = Array.from({ length: 30 }, (_, index) => index);
  const crowd = Array.from({ length: 120 }, (_, index): Patient => ({
    resourceType: "Patient",
    id: `eSimCrowd${number(index + 1)}`,
    active: true,
    name: [
      {
        use: "official",
        text: `Nobody${index + 1} Everyman`,
        family: "Everyman",
        given: [`Nobody${index + 1}`],
      },
    ],
    gender: "unknown",
  }));
  const group: Group = {
    resourceType: "Group",
    id: known.group,
    active: true,
    type: "person",
    actual: true,
    name: "Simulated population",
    member: indexes.map((index) => ({ entity: { reference: `Patient/${patientId(index)}` } })),
  };
  return [
    ...practice(day),
    ...indexes.map(person),
    ...indexes.flatMap((index) => chart(index, day)),
    ...crowd,
    group,
  ];
}

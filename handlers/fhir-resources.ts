import * as z from "zod";

import {
  Coded,
  coded,
  codedReference,
  codeOf,
  Coding,
  Concept,
  Contained,
  current,
  currentName,
  fullName,
  givenOf,
  HumanName,
  idOf,
  inUse,
  named,
  patientOf,
  Period,
  Quantity,
  Reference,
  Status,
  Texts,
  words,
} from "./fhir-elements.ts";

/**
 * FHIR R4 (hl7.org/fhir/R4) to the flat shapes that operations answer. Only what is read is checked,
 * so that a server's extensions and later versions pass.
 */
export const Resource = z.looseObject({ resourceType: z.string(), id: z.string().optional() });
export type Resource = z.output<typeof Resource>;

/** Set where the caller asked for the resource itself. */
const raw = z.record(z.string(), z.unknown()).optional();

/** How a kind of resource is read: its schema, and what becomes of it. */
export type Reading<S extends z.ZodType, R> = {
  type: string;
  schema: S;
  read: (resource: z.output<S>) => R;
};
const reading = <S extends z.ZodType, N extends z.ZodType>(
  type: string,
  schema: S,
  _normalized: N,
  read: (resource: z.output<S>) => z.input<N>,
): Reading<S, z.input<N>> => ({ type, schema, read });

const Identifier = z.looseObject({
  system: z.string().optional(),
  value: z.string().optional(),
  type: Concept.optional(),
});

export const Patient = z.object({
  id: z.string(),
  name: z.string(),
  family: z.string().optional(),
  given: z.string().optional(),
  birthDate: z.string().optional(),
  gender: z.string().optional(),
  phone: z.string().optional(),
  email: z.string().optional(),
  identifiers: z.array(
    z.object({
      value: z.string(),
      system: z.string().optional(),
      type: z.string().optional(),
    }),
  ),
  address: z
    .object({
      lines: z.array(z.string()),
      city: z.string().optional(),
      state: z.string().optional(),
      postalCode: z.string().optional(),
      country: z.string().optional(),
    })
    .optional(),
  active: z.boolean().optional(),
  deceased: z.boolean().optional(),
  raw,
});
export const patient = reading(
  "Patient",
  z.looseObject({
    resourceType: z.literal("Patient"),
    id: z.string(),
    active: z.boolean().optional(),
    name: z.array(HumanName).optional(),
    telecom: z
      .array(
        z.looseObject({ ...inUse, system: z.string().optional(), value: z.string().optional() }),
      )
      .optional(),
    identifier: z.array(Identifier).optional(),
    birthDate: z.string().optional(),
    gender: z.string().optional(),
    address: z
      .array(
        z.looseObject({
          ...inUse,
          line: Texts,
          city: z.string().optional(),
          state: z.string().optional(),
          postalCode: z.string().optional(),
          country: z.string().optional(),
        }),
      )
      .optional(),
    deceasedBoolean: z.boolean().optional(),
    deceasedDateTime: z.string().optional(),
  }),
  Patient,
  (resource) => {
    const name = currentName(resource.name);
    const contact = (system: string) =>
      current(resource.telecom).find((each) => each.system === system && each.value)?.value;
    const [address] = current(resource.address);
    return {
      id: resource.id,
      name: fullName(name),
      family: name?.family,
      given: givenOf(name),
      birthDate: resource.birthDate,
      gender: resource.gender,
      phone: contact("phone"),
      email: contact("email"),
      identifiers: (resource.identifier ?? []).flatMap(({ value, system, type }) =>
        value ? [{ value, system, type: words(type) }] : [],
      ),
      address: address && {
        lines: address.line ?? [],
        city: address.city,
        state: address.state,
        postalCode: address.postalCode,
        country: address.country,
      },
      active: resource.active,
      deceased: resource.deceasedBoolean ?? (resource.deceasedDateTime ? true : undefined),
    };
  },
);

export const Appointment = z.object({
  id: z.string(),
  status: z.string(),
  start: z.string().optional(),
  end: z.string().optional(),
  patient: z.string().optional(),
  practitioner: z.string().optional(),
  location: z.string().optional(),
  reason: z.string().optional(),
  type: z.string().optional(),
  raw,
});
export const appointment = reading(
  "Appointment",
  z.looseObject({
    resourceType: z.literal("Appointment"),
    id: z.string(),
    contained: Contained,
    status: Status,
    start: z.string().optional(),
    end: z.string().optional(),
    description: z.string().optional(),
    appointmentType: Concept.optional(),
    serviceType: z.array(Concept).optional(),
    reasonCode: z.array(Concept).optional(),
    participant: z.array(z.looseObject({ actor: Reference.optional() })).optional(),
  }),
  Appointment,
  (resource) => {
    const actor = (type: string) =>
      resource.participant?.find((each) => each.actor?.reference?.includes(`${type}/`))?.actor;
    return {
      id: resource.id,
      status: resource.status,
      start: resource.start,
      end: resource.end,
      patient: patientOf(actor("Patient")),
      practitioner: named(actor("Practitioner") ?? actor("PractitionerRole"), resource.contained),
      location: named(actor("Location"), resource.contained),
      reason: words(resource.reasonCode?.[0]) ?? resource.description,
      type: words(resource.appointmentType ?? resource.serviceType?.[0]),
    };
  },
);

export const Slot = z.object({
  id: z.string(),
  status: z.string(),
  start: z.string(),
  end: z.string(),
  schedule: z.string().optional(),
  type: z.string().optional(),
  raw,
});
export const slot = reading(
  "Slot",
  z.looseObject({
    resourceType: z.literal("Slot"),
    id: z.string(),
    status: Status,
    start: z.string(),
    end: z.string(),
    schedule: Reference.optional(),
    serviceType: z.array(Concept).optional(),
    appointmentType: Concept.optional(),
  }),
  Slot,
  ({ id, status, start, end, schedule, serviceType, appointmentType }) => ({
    id,
    status,
    start,
    end,
    schedule: idOf(schedule?.reference),
    type: words(serviceType?.[0] ?? appointmentType),
  }),
);

export const Encounter = z.object({
  id: z.string(),
  status: z.string(),
  class: z.string().optional(),
  type: z.string().optional(),
  patient: z.string().optional(),
  start: z.string().optional(),
  end: z.string().optional(),
  location: z.string().optional(),
  practitioner: z.string().optional(),
  reason: z.string().optional(),
  raw,
});
export const encounter = reading(
  "Encounter",
  z.looseObject({
    resourceType: z.literal("Encounter"),
    id: z.string(),
    contained: Contained,
    status: Status,
    class: Coding.optional(),
    type: z.array(Concept).optional(),
    subject: Reference.optional(),
    period: Period.optional(),
    location: z.array(z.looseObject({ location: Reference.optional() })).optional(),
    participant: z.array(z.looseObject({ individual: Reference.optional() })).optional(),
    reasonCode: z.array(Concept).optional(),
  }),
  Encounter,
  (resource) => ({
    id: resource.id,
    status: resource.status,
    class: resource.class?.display ?? resource.class?.code,
    type: words(resource.type?.[0]),
    patient: patientOf(resource.subject),
    start: resource.period?.start,
    end: resource.period?.end,
    location: named(resource.location?.[0]?.location, resource.contained),
    practitioner: named(
      resource.participant?.find((each) => each.individual)?.individual,
      resource.contained,
    ),
    reason: words(resource.reasonCode?.[0]),
  }),
);

const Measured = z.object({
  code: Coded,
  /** The value for people: `120 mm[Hg]`, `Positive`. */
  value: z.string().optional(),
  number: z.number().optional(),
  unit: z.string().optional(),
});
export const Observation = Measured.extend({
  id: z.string(),
  status: z.string(),
  categories: z.array(z.string()),
  patient: z.string().optional(),
  effective: z.string().optional(),
  interpretation: z.string().optional(),
  range: z.string().optional(),
  /** The parts of a panel: systolic and diastolic of a blood pressure. */
  components: z.array(Measured),
  raw,
});
const valued = {
  code: Concept,
  valueQuantity: Quantity.optional(),
  valueCodeableConcept: Concept.optional(),
  valueString: z.string().optional(),
  valueBoolean: z.boolean().optional(),
  valueInteger: z.number().optional(),
  valueDateTime: z.string().optional(),
  dataAbsentReason: Concept.optional(),
};
const Valued = z.looseObject(valued);
function measured(observed: z.output<typeof Valued>): z.input<typeof Measured> {
  const { valueQuantity: quantity } = observed;
  const number = quantity?.value ?? observed.valueInteger;
  const unit = quantity?.unit ?? quantity?.code;
  const amount =
    number === undefined
      ? undefined
      : `${quantity?.comparator ?? ""}${number}${unit ? ` ${unit}` : ""}`;
  const other = observed.valueString ?? observed.valueBoolean?.toString() ?? observed.valueDateTime;
  return {
    code: coded(observed.code) ?? {},
    value: amount ?? words(observed.valueCodeableConcept) ?? other,
    number,
    unit,
  };
}
export const observation = reading(
  "Observation",
  z.looseObject({
    resourceType: z.literal("Observation"),
    id: z.string(),
    status: Status,
    ...valued,
    category: z.array(Concept).optional(),
    subject: Reference.optional(),
    effectiveDateTime: z.string().optional(),
    effectivePeriod: Period.optional(),
    issued: z.string().optional(),
    interpretation: z.array(Concept).optional(),
    referenceRange: z
      .array(
        z.looseObject({
          text: z.string().optional(),
          low: Quantity.optional(),
          high: Quantity.optional(),
        }),
      )
      .optional(),
    component: z.array(Valued).optional(),
  }),
  Observation,
  (resource) => {
    const [range] = resource.referenceRange ?? [];
    const limits = [range?.low?.value, range?.high?.value].filter((each) => each !== undefined);
    return {
      id: resource.id,
      status: resource.status,
      ...measured(resource),
      categories: (resource.category ?? []).flatMap((category) => codeOf(category) ?? []),
      patient: patientOf(resource.subject),
      effective: resource.effectiveDateTime ?? resource.effectivePeriod?.start ?? resource.issued,
      interpretation: words(resource.interpretation?.[0]),
      range: range?.text ?? (limits.length === 2 ? limits.join("–") : undefined),
      components: (resource.component ?? []).map(measured),
    };
  },
);

export const Condition = z.object({
  id: z.string(),
  code: Coded,
  clinicalStatus: z.string().optional(),
  verificationStatus: z.string().optional(),
  categories: z.array(z.string()),
  patient: z.string().optional(),
  onset: z.string().optional(),
  recorded: z.string().optional(),
  raw,
});
export const condition = reading(
  "Condition",
  z.looseObject({
    resourceType: z.literal("Condition"),
    id: z.string(),
    code: Concept.optional(),
    clinicalStatus: Concept.optional(),
    verificationStatus: Concept.optional(),
    category: z.array(Concept).optional(),
    subject: Reference.optional(),
    onsetDateTime: z.string().optional(),
    onsetPeriod: Period.optional(),
    onsetString: z.string().optional(),
    recordedDate: z.string().optional(),
  }),
  Condition,
  (resource) => ({
    id: resource.id,
    code: coded(resource.code) ?? {},
    clinicalStatus: codeOf(resource.clinicalStatus),
    verificationStatus: codeOf(resource.verificationStatus),
    categories: (resource.category ?? []).flatMap((category) => codeOf(category) ?? []),
    patient: patientOf(resource.subject),
    onset: resource.onsetDateTime ?? resource.onsetPeriod?.start ?? resource.onsetString,
    recorded: resource.recordedDate,
  }),
);

export const MedicationRequest = z.object({
  id: z.string(),
  status: z.string(),
  intent: z.string().optional(),
  medication: Coded,
  dosage: z.string().optional(),
  patient: z.string().optional(),
  prescriber: z.string().optional(),
  authored: z.string().optional(),
  raw,
});
export const medicationRequest = reading(
  "MedicationRequest",
  z.looseObject({
    resourceType: z.literal("MedicationRequest"),
    id: z.string(),
    contained: Contained,
    status: Status,
    intent: z.string().optional(),
    medicationCodeableConcept: Concept.optional(),
    medicationReference: Reference.optional(),
    dosageInstruction: z
      .array(
        z.looseObject({ text: z.string().optional(), patientInstruction: z.string().optional() }),
      )
      .optional(),
    subject: Reference.optional(),
    requester: Reference.optional(),
    authoredOn: z.string().optional(),
  }),
  MedicationRequest,
  (resource) => {
    const [dosage] = resource.dosageInstruction ?? [];
    return {
      id: resource.id,
      status: resource.status,
      intent: resource.intent,
      medication:
        coded(resource.medicationCodeableConcept) ??
        codedReference(resource.medicationReference, resource.contained),
      dosage: dosage?.text ?? dosage?.patientInstruction,
      patient: patientOf(resource.subject),
      prescriber: named(resource.requester, resource.contained),
      authored: resource.authoredOn,
    };
  },
);

export const Allergy = z.object({
  id: z.string(),
  code: Coded,
  clinicalStatus: z.string().optional(),
  verificationStatus: z.string().optional(),
  criticality: z.string().optional(),
  categories: z.array(z.string()),
  reactions: z.array(z.string()),
  patient: z.string().optional(),
  recorded: z.string().optional(),
  raw,
});
export const allergy = reading(
  "AllergyIntolerance",
  z.looseObject({
    resourceType: z.literal("AllergyIntolerance"),
    id: z.string(),
    code: Concept.optional(),
    clinicalStatus: Concept.optional(),
    verificationStatus: Concept.optional(),
    criticality: z.string().optional(),
    category: Texts,
    reaction: z.array(z.looseObject({ manifestation: z.array(Concept).optional() })).optional(),
    patient: Reference.optional(),
    recordedDate: z.string().optional(),
  }),
  Allergy,
  (resource) => ({
    id: resource.id,
    code: coded(resource.code) ?? {},
    clinicalStatus: codeOf(resource.clinicalStatus),
    verificationStatus: codeOf(resource.verificationStatus),
    criticality: resource.criticality,
    categories: resource.category ?? [],
    reactions: (resource.reaction ?? []).flatMap(({ manifestation }) =>
      (manifestation ?? []).flatMap((concept) => words(concept) ?? []),
    ),
    patient: patientOf(resource.patient),
    recorded: resource.recordedDate,
  }),
);

export const Document = z.object({
  id: z.string(),
  status: z.string(),
  type: Coded,
  description: z.string().optional(),
  date: z.string().optional(),
  patient: z.string().optional(),
  author: z.string().optional(),
  contents: z.array(
    z.object({
      contentType: z.string().optional(),
      title: z.string().optional(),
      /** To be read with `readDocument`. */
      binary: z.string().optional(),
      /** Where the server put the document into the reference itself. */
      base64: z.string().optional(),
    }),
  ),
  raw,
});
export const document = reading(
  "DocumentReference",
  z.looseObject({
    resourceType: z.literal("DocumentReference"),
    id: z.string(),
    contained: Contained,
    status: Status,
    type: Concept.optional(),
    description: z.string().optional(),
    date: z.string().optional(),
    subject: Reference.optional(),
    author: z.array(Reference).optional(),
    content: z.array(
      z.looseObject({
        attachment: z.looseObject({
          contentType: z.string().optional(),
          title: z.string().optional(),
          url: z.string().optional(),
          data: z.string().optional(),
        }),
      }),
    ),
  }),
  Document,
  (resource) => ({
    id: resource.id,
    status: resource.status,
    type: coded(resource.type) ?? {},
    description: resource.description,
    date: resource.date,
    patient: patientOf(resource.subject),
    author: named(resource.author?.[0], resource.contained),
    contents: resource.content.map(({ attachment }) => ({
      contentType: attachment.contentType,
      title: attachment.title,
      binary: attachment.url?.includes("Binary/") ? idOf(attachment.url) : undefined,
      base64: attachment.data,
    })),
  }),
);

import * as z from "zod";

import type { Api } from "./api.ts";
import { operation } from "./define.ts";
import {
  Allergy,
  allergy,
  Appointment,
  appointment,
  Condition,
  condition,
  Document,
  document,
  Encounter,
  encounter,
  MedicationRequest,
  medicationRequest,
  Observation,
  observation,
  Patient,
  patient,
  type Reading,
  Slot,
  slot,
} from "./fhir-resources.ts";
import {
  between,
  exampleSearch,
  FhirId,
  type FhirServer,
  paged,
  type Paging,
  paging,
  type Query,
  readOne,
  search,
  takes,
} from "./fhir.ts";

/**
 * Operations that any FHIR R4 vendor spreads into its own: `...patientOperations(server)`. Each set
 * is what servers tend to have or lack as a whole.
 */
const bundle = (type: string, query: string, ...resources: object[]) => ({
  resourceType: "Bundle",
  type: "searchset",
  total: resources.length,
  link: [{ relation: "self", url: `${type}?${query}` }],
  entry: resources.map((resource) => ({ resource, search: { mode: "match" } })),
});

const Day = z.iso.date();

const examplePatient = {
  resourceType: "Patient",
  id: "erXuFYUfucBZaryVksYEcMg3",
  active: true,
  identifier: [{ type: { text: "MRN" }, system: "urn:oid:1.2.840.114350", value: "203713" }],
  name: [
    { use: "official", text: "Camila Maria Lopez", family: "Lopez", given: ["Camila", "Maria"] },
  ],
  telecom: [{ system: "phone", value: "469-555-5555", use: "home" }],
  gender: "female",
  birthDate: "1987-09-12",
};
const normalPatient = {
  id: "erXuFYUfucBZaryVksYEcMg3",
  name: "Camila Maria Lopez",
  family: "Lopez",
  given: "Camila Maria",
  birthDate: "1987-09-12",
  gender: "female",
  phone: "469-555-5555",
  identifiers: [{ value: "203713", system: "urn:oid:1.2.840.114350", type: "MRN" }],
  active: true,
};
const of = { reference: "Patient/erXuFYUfucBZaryVksYEcMg3", display: "Lopez, Camila Maria" };
const whose = "erXuFYUfucBZaryVksYEcMg3";

export const patientOperations = <C>(server: FhirServer<C> = {}) => ({
  searchPatients: operation({
    title: "Search patients",
    description:
      "Give an identifier (`system|value`), or enough of name, birth date and telephone.",
    effect: "read",
    capability: "patient.search",
    params: z
      .object({
        family: z.string().min(1).optional(),
        given: z.string().min(1).optional(),
        birthDate: Day.optional(),
        identifier: z.string().min(1).optional(),
        gender: z.enum(["male", "female", "other", "unknown"]).optional(),
        ...(takes(server, "Patient", "telecom") && { telecom: z.string().min(1).optional() }),
        ...paging,
      })
      .refine(
        ({ cursor, family, given, birthDate, identifier, ...p }) =>
          cursor ?? family ?? given ?? birthDate ?? identifier ?? ("telecom" in p && p.telecom),
        "Give something to search by",
      ),
    result: z.object({ patients: z.array(Patient), ...paged }),
    example: {
      params: { family: "Lopez", birthDate: "1987-09-12", limit: 10 },
      wire: [
        {
          request: exampleSearch(
            server,
            "Patient",
            { family: "Lopez", birthdate: "1987-09-12" },
            10,
          ),
          reply: {
            ...bundle("Patient", "family=Lopez", examplePatient),
            link: [{ relation: "next", url: "Patient?session=1&page=2" }],
          },
        },
      ],
      result: { patients: [normalPatient], total: 1, next: "/Patient?session=1&page=2" },
    },
    async run(api, { birthDate: birthdate, limit, cursor, raw, ...given }, values: C) {
      const query = { ...given, birthdate } as Query;
      const { found, page } = await search(api, server, values, patient, query, {
        limit,
        cursor,
        raw,
      });
      return { patients: found, ...page };
    },
  }),
  readPatient: operation({
    title: "Read a patient",
    effect: "read",
    capability: "patient.read",
    params: z.object({ id: FhirId, raw: paging.raw }),
    result: z.object({ patient: Patient }),
    example: {
      params: { id: whose },
      wire: [{ request: `GET ${server.prefix ?? ""}/Patient/${whose}`, reply: examplePatient }],
      result: { patient: normalPatient },
    },
    run: async (api, params) => ({ patient: await readOne(api, server, patient, params) }),
  }),
});

export const appointmentOperations = <C>(server: FhirServer<C> = {}) => ({
  searchAppointments: operation({
    title: "Search a patient's appointments",
    effect: "read",
    capability: "appointment.search",
    params: z.object({
      patient: FhirId,
      from: Day.optional(),
      to: Day.optional(),
      status: z.string().max(40).optional(),
      ...paging,
    }),
    result: z.object({ appointments: z.array(Appointment), ...paged }),
    example: {
      params: { patient: whose, from: "2026-11-23", to: "2026-12-31" },
      wire: [
        {
          request: exampleSearch(server, "Appointment", {
            patient: whose,
            date: between(server, "2026-11-23", "2026-12-31"),
          }),
          reply: bundle("Appointment", `patient=${whose}`, {
            resourceType: "Appointment",
            id: "apt1",
            status: "booked",
            start: "2026-11-24T14:00:00Z",
            end: "2026-11-24T14:20:00Z",
            appointmentType: { text: "Office Visit" },
            reasonCode: [{ text: "Cough" }],
            participant: [
              { actor: of, status: "accepted" },
              { actor: { reference: "Practitioner/prc1", display: "Nora Nguyen, MD" } },
              { actor: { reference: "Location/loc1", display: "Main Clinic" } },
            ],
          }),
        },
      ],
      result: {
        appointments: [
          {
            id: "apt1",
            status: "booked",
            start: "2026-11-24T14:00:00Z",
            end: "2026-11-24T14:20:00Z",
            patient: whose,
            practitioner: "Nora Nguyen, MD",
            location: "Main Clinic",
            reason: "Cough",
            type: "Office Visit",
          },
        ],
        total: 1,
      },
    },
    async run(api, { patient: id, from, to, status, ...rest }, values: C) {
      const query = { patient: id, date: between(server, from, to), status };
      const { found, page } = await search(api, server, values, appointment, query, rest);
      return { appointments: found, ...page };
    },
  }),
});

export const slotOperations = <C>(server: FhirServer<C> = {}) => ({
  searchSlots: operation({
    title: "Search open times",
    effect: "read",
    params: z.object({
      schedule: FhirId.optional(),
      serviceType: z.string().max(200).optional(),
      from: Day,
      to: Day.optional(),
      status: z.enum(["free", "busy", "busy-unavailable", "busy-tentative"]).default("free"),
      ...paging,
    }),
    result: z.object({ slots: z.array(Slot), ...paged }),
    example: {
      params: { schedule: "sch1", from: "2026-11-24" },
      wire: [
        {
          request: exampleSearch(server, "Slot", {
            schedule: "sch1",
            start: between(server, "2026-11-24", undefined),
            status: "free",
          }),
          reply: bundle("Slot", "schedule=sch1", {
            resourceType: "Slot",
            id: "slot1",
            status: "free",
            start: "2026-11-24T14:00:00Z",
            end: "2026-11-24T14:20:00Z",
            schedule: { reference: "Schedule/sch1" },
          }),
        },
      ],
      result: {
        slots: [
          {
            id: "slot1",
            status: "free",
            start: "2026-11-24T14:00:00Z",
            end: "2026-11-24T14:20:00Z",
            schedule: "sch1",
          },
        ],
        total: 1,
      },
    },
    async run(api, { schedule, serviceType, from, to, status, ...rest }, values: C) {
      const query = {
        schedule,
        "service-type": serviceType,
        start: between(server, from, to),
        status,
      };
      const { found, page } = await search(api, server, values, slot, query, rest);
      return { slots: found, ...page };
    },
  }),
});

type ChartSearch<S extends z.ZodType, R extends object> = {
  title: string;
  description?: string;
  /** The name of the list in the result. */
  key: string;
  reading: Reading<S, R>;
  normalized: z.ZodObject;
  /** The operation's parameter, and the search parameter that it is sent as. */
  filters: Readonly<Record<string, { as: string; schema: z.ZodType }>>;
  /** The search parameter that `from` and `to` limit. */
  date?: string;
  example: { params: Readonly<Record<string, string>>; resource: object; result: object };
};

/** A search in one patient's chart. */
function chartSearch<C, S extends z.ZodType, R extends object>(
  server: FhirServer<C>,
  spec: ChartSearch<S, R>,
) {
  const { key, reading, date, example } = spec;
  const filters = Object.entries(spec.filters).filter(([, { as }]) =>
    takes(server, reading.type, as),
  );
  const schemas = filters.map(([name, { schema }]) => [name, schema.optional()]);
  const asQuery = (given: Readonly<Record<string, unknown>>) => {
    const query: Record<string, Query[string]> = { patient: String(given["patient"]) };
    for (const [name, { as }] of filters)
      if (given[name] !== undefined) query[as] = String(given[name]);
    if (date) query[date] = between(server, given["from"], given["to"]);
    return query;
  };
  const known = ["from", "to", ...filters.map(([name]) => name)];
  const shown = Object.entries(example.params).filter(([name]) => known.includes(name));
  const exampleParams = { patient: whose, ...Object.fromEntries(shown) };
  return operation({
    title: spec.title,
    ...(spec.description && { description: spec.description }),
    effect: "read",
    params: z.object({
      patient: FhirId,
      ...(Object.fromEntries(schemas) as Record<string, z.ZodOptional>),
      ...(date && { from: Day.optional(), to: Day.optional() }),
      ...paging,
    }),
    result: z.object({ [key]: z.array(spec.normalized), ...paged }),
    example: {
      params: exampleParams,
      wire: [
        {
          request: exampleSearch(server, reading.type, asQuery(exampleParams)),
          reply: bundle(reading.type, `patient=${whose}`, example.resource),
        },
      ],
      result: { [key]: [example.result], total: 1 },
    },
    async run(api: Api, params, values: C) {
      const given = params as Paging & Record<string, unknown>;
      const { found, page } = await search(api, server, values, reading, asQuery(given), given);
      return { [key]: found, ...page };
    },
  });
}

const category = (...names: [string, ...string[]]) => ({ as: "category", schema: z.enum(names) });
const Token = z.string().min(1).max(300);

export const chartOperations = <C>(server: FhirServer<C> = {}) => ({
  searchEncounters: chartSearch(server, {
    title: "Search a patient's encounters",
    key: "encounters",
    reading: encounter,
    normalized: Encounter,
    filters: { status: { as: "status", schema: Token } },
    date: "date",
    example: {
      params: { from: "2026-01-01" },
      resource: {
        resourceType: "Encounter",
        id: "enc1",
        status: "finished",
        class: { code: "AMB", display: "ambulatory" },
        type: [{ text: "Office Visit" }],
        subject: of,
        period: { start: "2026-03-02T15:00:00Z", end: "2026-03-02T15:20:00Z" },
      },
      result: {
        id: "enc1",
        status: "finished",
        class: "ambulatory",
        type: "Office Visit",
        patient: whose,
        start: "2026-03-02T15:00:00Z",
        end: "2026-03-02T15:20:00Z",
      },
    },
  }),
  searchObservations: chartSearch(server, {
    title: "Search a patient's results and vital signs",
    description: "Most servers want a category or a code (`http://loinc.org|4548-4`).",
    key: "observations",
    reading: observation,
    normalized: Observation,
    filters: {
      category: category(
        "laboratory",
        "vital-signs",
        "social-history",
        "imaging",
        "procedure",
        "survey",
        "exam",
        "therapy",
        "activity",
      ),
      code: { as: "code", schema: Token },
    },
    date: "date",
    example: {
      params: { category: "laboratory" },
      resource: {
        resourceType: "Observation",
        id: "obs1",
        status: "final",
        category: [{ coding: [{ code: "laboratory" }] }],
        code: { text: "Hemoglobin A1c", coding: [{ system: "http://loinc.org", code: "4548-4" }] },
        subject: of,
        effectiveDateTime: "2026-03-02T15:10:00Z",
        valueQuantity: { value: 5.6, unit: "%" },
        referenceRange: [{ low: { value: 4 }, high: { value: 5.7 } }],
      },
      result: {
        id: "obs1",
        status: "final",
        code: { text: "Hemoglobin A1c", code: "4548-4", system: "http://loinc.org" },
        value: "5.6 %",
        number: 5.6,
        unit: "%",
        categories: ["laboratory"],
        patient: whose,
        effective: "2026-03-02T15:10:00Z",
        range: "4–5.7",
        components: [],
      },
    },
  }),
  searchConditions: chartSearch(server, {
    title: "Search a patient's problems and diagnoses",
    key: "conditions",
    reading: condition,
    normalized: Condition,
    filters: {
      category: category("problem-list-item", "encounter-diagnosis", "health-concern"),
      clinicalStatus: { as: "clinical-status", schema: Token },
    },
    example: {
      params: { clinicalStatus: "active" },
      resource: {
        resourceType: "Condition",
        id: "con1",
        clinicalStatus: { coding: [{ code: "active" }] },
        category: [{ coding: [{ code: "problem-list-item" }] }],
        code: { text: "Asthma", coding: [{ system: "http://snomed.info/sct", code: "195967001" }] },
        subject: of,
        onsetDateTime: "2011-05-01",
      },
      result: {
        id: "con1",
        code: { text: "Asthma", code: "195967001", system: "http://snomed.info/sct" },
        clinicalStatus: "active",
        categories: ["problem-list-item"],
        patient: whose,
        onset: "2011-05-01",
      },
    },
  }),
  searchMedicationRequests: chartSearch(server, {
    title: "Search a patient's prescriptions",
    key: "medicationRequests",
    reading: medicationRequest,
    normalized: MedicationRequest,
    filters: {
      status: { as: "status", schema: Token },
      intent: { as: "intent", schema: Token },
    },
    example: {
      params: { status: "active" },
      resource: {
        resourceType: "MedicationRequest",
        id: "med1",
        status: "active",
        intent: "order",
        medicationReference: { reference: "Medication/m1", display: "albuterol 90 mcg inhaler" },
        dosageInstruction: [{ text: "Inhale 2 puffs every 6 hours as needed." }],
        subject: of,
        authoredOn: "2026-03-02",
      },
      result: {
        id: "med1",
        status: "active",
        intent: "order",
        medication: { text: "albuterol 90 mcg inhaler" },
        dosage: "Inhale 2 puffs every 6 hours as needed.",
        patient: whose,
        authored: "2026-03-02",
      },
    },
  }),
  searchAllergies: chartSearch(server, {
    title: "Search a patient's allergies",
    key: "allergies",
    reading: allergy,
    normalized: Allergy,
    filters: { clinicalStatus: { as: "clinical-status", schema: Token } },
    example: {
      params: {},
      resource: {
        resourceType: "AllergyIntolerance",
        id: "alg1",
        clinicalStatus: { coding: [{ code: "active" }] },
        criticality: "high",
        category: ["medication"],
        code: { text: "Penicillins" },
        patient: of,
        reaction: [{ manifestation: [{ text: "Hives" }] }],
      },
      result: {
        id: "alg1",
        code: { text: "Penicillins" },
        clinicalStatus: "active",
        criticality: "high",
        categories: ["medication"],
        reactions: ["Hives"],
        patient: whose,
      },
    },
  }),
  searchDocuments: chartSearch(server, {
    title: "Search a patient's documents",
    key: "documents",
    reading: document,
    normalized: Document,
    filters: {
      category: { as: "category", schema: Token },
      type: { as: "type", schema: Token },
      status: { as: "status", schema: Token },
    },
    date: "date",
    example: {
      params: { category: "clinical-note" },
      resource: {
        resourceType: "DocumentReference",
        id: "doc1",
        status: "current",
        type: { text: "Progress Notes", coding: [{ system: "http://loinc.org", code: "11506-3" }] },
        date: "2026-03-02T15:30:00Z",
        subject: of,
        content: [{ attachment: { contentType: "text/html", url: "Binary/bin1" } }],
      },
      result: {
        id: "doc1",
        status: "current",
        type: { text: "Progress Notes", code: "11506-3", system: "http://loinc.org" },
        date: "2026-03-02T15:30:00Z",
        patient: whose,
        contents: [{ contentType: "text/html", binary: "bin1" }],
      },
    },
  }),
  readDocument: operation({
    title: "Read a document's content",
    effect: "read",
    params: z.object({ id: FhirId }),
    result: z.object({ id: z.string(), contentType: z.string(), base64: z.string() }),
    example: {
      params: { id: "bin1" },
      wire: [
        {
          request: `GET ${server.prefix ?? ""}/Binary/bin1`,
          reply: {
            resourceType: "Binary",
            id: "bin1",
            contentType: "text/html",
            data: "PHA+V2VsbC48L3A+",
          },
        },
      ],
      result: { id: "bin1", contentType: "text/html", base64: "PHA+V2VsbC48L3A+" },
    },
    async run(api, { id }) {
      const reply = z.object({
        resourceType: z.literal("Binary"),
        contentType: z.string(),
        data: z.string().default(""),
      });
      const path = `${server.prefix ?? ""}/Binary/{id}`;
      const { contentType, data } = await api.get(path, reply, { path: { id } });
      return { id, contentType, base64: data };
    },
  }),
});

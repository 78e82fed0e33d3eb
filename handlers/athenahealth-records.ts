import * as z from "zod";

import {
  Cursor,
  Day,
  Done,
  fhirPatientId,
  getV1,
  insist,
  Limit,
  localPatientId,
  Moment,
  NumericId,
  pageV1,
  PatientId,
  postV1,
  type Practice,
  putV1,
  usDay,
  usMoment,
  v1,
  V1Id,
} from "./athenahealth-v1.ts";
import { operation } from "./define.ts";

/** Registration, chart entries and feeds of what has changed, which FHIR does not offer here. */
const Json = z.record(z.string(), z.unknown());

const registration = {
  email: z.email().optional(),
  homePhone: z.string().max(20).optional(),
  mobilePhone: z.string().max(20).optional(),
  address: z.string().max(100).optional(),
  city: z.string().max(30).optional(),
  state: z.string().length(2).optional(),
  zip: z.string().max(10).optional(),
  sex: z.enum(["M", "F"]).optional(),
};
type Registration = z.output<z.ZodObject<typeof registration>>;
const asForm = ({ homePhone, mobilePhone, address, ...same }: Registration) => ({
  ...same,
  homephone: homePhone,
  mobilephone: mobilePhone,
  address1: address,
});
const Registered = z.array(z.looseObject({ patientid: V1Id })).min(1);
const Patient = z.object({ id: z.string() });
const name = z.string().min(1).max(30);

const patients = {
  readRegistration: operation({
    title: "Read a patient's registration",
    description: "As athenaOne has it: insurance, balances and contacts beside the demographics.",
    effect: "read",
    params: z.object({ patient: PatientId }),
    result: z.object({ registration: Json }),
    example: {
      params: { patient: "a-195900.E-5309" },
      wire: [
        {
          request: "GET /v1/195900/patients/5309",
          reply: [{ patientid: "5309", firstname: "Nicklaus", lastname: "McCullough" }],
        },
      ],
      result: {
        registration: { patientid: "5309", firstname: "Nicklaus", lastname: "McCullough" },
      },
    },
    async run(api, { patient }, practice: Practice) {
      const id = localPatientId(patient, practice);
      const reply = z.array(z.looseObject({ patientid: V1Id })).length(1);
      const [found] = await getV1(api, "/patients/{id}", reply, { path: { id } });
      return { registration: { ...found } };
    },
  }),
  createPatient: operation({
    title: "Register a patient",
    description:
      "athenahealth looks for somebody who matches first, and then answers with that patient's id.",
    effect: "write",
    params: z
      .object({ first: name, last: name, birthDate: Day, department: NumericId, ...registration })
      .refine(
        (p) => p.email ?? p.homePhone ?? p.mobilePhone ?? p.zip,
        "Give an e-mail address, a telephone number or a ZIP code",
      ),
    result: Patient,
    example: {
      params: {
        first: "Camila",
        last: "Lopez",
        birthDate: "1987-09-12",
        department: "1",
        email: "camila@example.org",
      },
      wire: [{ request: "POST /v1/195900/patients", reply: [{ patientid: "5309" }] }],
      result: { id: "a-195900.E-5309" },
    },
    async run(api, { first, last, birthDate, department, ...rest }, practice: Practice) {
      const [made] = await postV1(api, "/patients", Registered, {
        form: {
          firstname: first,
          lastname: last,
          dob: usDay(birthDate),
          departmentid: department,
          ...asForm(rest),
        },
      });
      return { id: fhirPatientId(made?.patientid ?? "", practice) };
    },
  }),
  updatePatient: operation({
    title: "Change a patient's registration",
    effect: "write",
    idempotent: true,
    params: z
      .object({
        patient: PatientId,
        department: NumericId.optional(),
        first: name.optional(),
        last: name.optional(),
        ...registration,
      })
      .refine(
        ({ patient: _unchanged, ...changes }) =>
          Object.values(changes).some((each) => each !== undefined),
        "Give something to change",
      ),
    result: Patient,
    example: {
      params: { patient: "a-195900.E-5309", mobilePhone: "4695555555" },
      wire: [{ request: "PUT /v1/195900/patients/5309", reply: [{ patientid: "5309" }] }],
      result: { id: "a-195900.E-5309" },
    },
    async run(api, { patient, department, first, last, ...rest }, practice: Practice) {
      const id = localPatientId(patient, practice);
      await putV1(api, "/patients/{id}", Registered, {
        path: { id },
        form: {
          departmentid: department,
          firstname: first,
          lastname: last,
          ...asForm(rest),
        },
      });
      return { id: fhirPatientId(id, practice) };
    },
  }),
};

const chart = {
  addProblem: operation({
    title: "Add a problem to a chart",
    effect: "write",
    params: z.object({
      patient: PatientId,
      department: NumericId,
      snomed: NumericId,
      startDate: Day.optional(),
      status: z.enum(["CHRONIC", "ACUTE"]).optional(),
      note: z.string().max(2000).optional(),
    }),
    result: z.object({ id: z.string().optional() }),
    example: {
      params: { patient: "a-195900.E-5309", department: "162", snomed: "57406009" },
      wire: [
        {
          request: "POST /v1/195900/chart/5309/problems",
          reply: { success: "true", problemid: 4711 },
        },
      ],
      result: { id: "4711" },
    },
    async run(api, { patient, department, snomed, startDate, status, note }, practice: Practice) {
      const reply = Done.extend({ problemid: V1Id.optional() });
      const done = await postV1(api, "/chart/{id}/problems", reply, {
        path: { id: localPatientId(patient, practice) },
        form: {
          departmentid: department,
          snomedcode: snomed,
          startdate: usDay(startDate),
          status,
          note,
        },
      });
      insist(done);
      return { id: done.problemid };
    },
  }),
  addClinicalDocument: operation({
    title: "File a clinical document",
    description: "A note as text.",
    effect: "write",
    params: z.object({
      patient: PatientId,
      department: NumericId,
      text: z.string().min(1).max(200_000),
      date: Day,
      /** 423482 is “clinical document”; a practice's own types may be given. */
      documentType: NumericId.default("423482"),
    }),
    result: z.object({ id: z.string().optional() }),
    example: {
      params: {
        patient: "a-195900.E-5309",
        department: "162",
        text: "Seen by video. Well.",
        date: "2026-11-23",
      },
      wire: [
        {
          request: "POST /v1/195900/patients/5309/documents/clinicaldocument",
          reply: { success: true, clinicaldocumentid: 98765 },
        },
      ],
      result: { id: "98765" },
    },
    async run(api, { patient, department, text, date, documentType }, practice: Practice) {
      const reply = Done.extend({ clinicaldocumentid: V1Id.optional() });
      const done = await postV1(api, "/patients/{id}/documents/clinicaldocument", reply, {
        path: { id: localPatientId(patient, practice) },
        form: {
          departmentid: department,
          documentdata: text,
          documentsubclass: "CLINICALDOCUMENT",
          documenttypeid: documentType,
          observationdate: usDay(date),
          autoclose: true,
        },
      });
      insist(done);
      return { id: done.clinicaldocumentid };
    },
  }),
};

/** Each answers a list of its own name. */
const Feed = z.enum(["appointments", "patients", "providers", "claims"]);
const Changes = z.looseObject({ next: z.string().optional() });

const changes = {
  subscribeToChanges: operation({
    title: "Subscribe to a feed of changes",
    description: "Without an event to all of them. It takes effect within minutes.",
    effect: "write",
    idempotent: true,
    params: z.object({ feed: Feed, event: z.string().max(100).optional() }),
    result: z.object({ subscribed: z.literal(true) }),
    example: {
      params: { feed: "appointments", event: "ScheduleAppointment" },
      wire: [
        {
          request: "POST /v1/195900/appointments/changed/subscription",
          reply: { success: true },
        },
      ],
      result: { subscribed: true },
    },
    async run(api, { feed, event }) {
      const call = { path: { feed }, form: { eventname: event } };
      insist(await postV1(api, "/{feed}/changed/subscription", Done, call));
      return { subscribed: true as const };
    },
  }),
  unsubscribeFromChanges: operation({
    title: "End a subscription to changes",
    effect: "write",
    idempotent: true,
    params: z.object({ feed: Feed, event: z.string().max(100).optional() }),
    result: z.object({ subscribed: z.literal(false) }),
    example: {
      params: { feed: "appointments" },
      wire: [
        {
          request: "DELETE /v1/195900/appointments/changed/subscription",
          reply: { success: true },
        },
      ],
      result: { subscribed: false },
    },
    async run(api, { feed, event }) {
      insist(
        await api.delete(v1(api, "/{feed}/changed/subscription"), Done, {
          path: { feed },
          query: { eventname: event },
          headers: { accept: "application/json" },
        }),
      );
      return { subscribed: false as const };
    },
  }),
  listChanges: operation({
    title: "Read a feed of changes",
    description:
      "What has changed since it was last taken. Nothing is taken unless `take` is set; what was taken within two weeks is read again by `takenFrom` and `takenTo` (Eastern time). Needs a subscription.",
    effect: "read",
    params: z.object({
      feed: Feed,
      department: NumericId.optional(),
      take: z.boolean().default(false),
      takenFrom: Moment.optional(),
      takenTo: Moment.optional(),
      limit: Limit,
      cursor: Cursor,
    }),
    result: z.object({ changes: z.array(Json), next: z.string().optional() }),
    example: {
      params: { feed: "appointments" },
      wire: [
        {
          request: "GET /v1/195900/appointments/changed?leaveunprocessed=true&limit=100",
          reply: {
            totalcount: 1,
            appointments: [{ appointmentid: "659324", appointmentstatus: "x", departmentid: "1" }],
          },
        },
      ],
      result: {
        changes: [{ appointmentid: "659324", appointmentstatus: "x", departmentid: "1" }],
      },
    },
    async run(api, params, practice: Practice) {
      const { feed, department, take, takenFrom, takenTo, limit, cursor } = params;
      const again = takenFrom ?? takenTo;
      const reply = Changes.extend({ [feed]: z.array(Json) });
      const page = await pageV1(api, practice, "/{feed}/changed", reply, {
        path: { feed },
        query: {
          departmentid: department,
          leaveunprocessed: take || again !== undefined ? undefined : true,
          showprocessedstartdatetime: usMoment(takenFrom),
          showprocessedenddatetime: usMoment(takenTo),
          limit,
        },
        cursor,
      });
      const { next, [feed]: changed } = page as z.output<typeof Changes>;
      return { changes: changed as z.output<typeof Json>[], next };
    },
  }),
};

export const recordOperations = { ...patients, ...chart, ...changes };

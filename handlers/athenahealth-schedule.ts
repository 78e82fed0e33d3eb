import * as z from "zod";

import {
  Cursor,
  Day,
  fhirPatientId,
  getV1,
  isoDay,
  Limit,
  listed,
  localPatientId,
  NumericId,
  pageV1,
  PatientId,
  type Practice,
  putV1,
  usDay,
  V1Id,
} from "./athenahealth-v1.ts";
import { operation } from "./define.ts";
import { Appointment as FhirAppointment, Slot as FhirSlot } from "./fhir-resources.ts";

/** Departments, appointments and open times: FHIR has no search for them at athenahealth. */
const Booked = z.looseObject({
  appointmentid: V1Id,
  appointmentstatus: z.string().optional(),
  date: z.string(),
  starttime: z.string(),
  duration: z.union([z.string(), z.number()]).optional(),
  departmentid: V1Id.optional(),
  providerid: V1Id.optional(),
  patientid: V1Id.optional(),
  appointmenttype: z.string().optional(),
  patientappointmenttypename: z.string().optional(),
});
type Booked = z.output<typeof Booked>;
const BookedList = listed({ appointments: z.array(Booked) });

/** docs.athenahealth.com/api/api-ref/patient-appointment, “appointmentstatus”. */
const statuses: Readonly<Record<string, string>> = {
  f: "booked",
  o: "proposed",
  x: "cancelled",
  "2": "checked-in",
  "3": "fulfilled",
  "4": "fulfilled",
};

function localTimes({ date, starttime, duration }: Booked): { start?: string; end?: string } {
  const day = isoDay(date);
  const [, hours, minutes] = /^(\d\d):(\d\d)$/.exec(starttime) ?? [];
  if (!day || hours === undefined) return {};
  // As if it were UTC: only the sum matters, and no zone is written.
  const start = Date.parse(`${day}T${hours}:${minutes}:00Z`);
  const local = (time: number) => new Date(time).toISOString().slice(0, 19);
  const length = Number(duration ?? Number.NaN);
  return {
    start: local(start),
    ...(Number.isFinite(length) && { end: local(start + length * 60_000) }),
  };
}

const Appointment = FhirAppointment.extend({
  department: z.string().optional(),
  provider: z.string().optional(),
});
function normal(booked: Booked, practice: Practice, patient?: string) {
  const { appointmentid: id, appointmentstatus = "", departmentid, providerid } = booked;
  const whose = booked.patientid ?? patient;
  return {
    id,
    status: statuses[appointmentstatus] ?? (appointmentstatus || "booked"),
    ...localTimes(booked),
    ...(whose && { patient: fhirPatientId(whose, practice) }),
    department: departmentid,
    provider: providerid,
    type: booked.patientappointmenttypename ?? booked.appointmenttype,
  };
}

const within = (from: string | undefined, to: string | undefined) => (booked: Booked) => {
  const day = isoDay(booked.date) ?? "";
  return (!from || day >= from) && (!to || day <= to);
};

const Department = z.looseObject({
  departmentid: V1Id,
  name: z.string().optional(),
  patientdepartmentname: z.string().optional(),
  city: z.string().optional(),
  state: z.string().optional(),
  timezonename: z.string().optional(),
  timezoneoffset: z.number().optional(),
});

const exampleBooked = {
  date: "11/24/2026",
  appointmentid: "659324",
  starttime: "08:45",
  departmentid: "1",
  appointmentstatus: "f",
  patientid: "1",
  duration: "15",
  appointmenttypeid: "82",
  appointmenttype: "Any 15",
  providerid: "71",
  patientappointmenttypename: "Established Patient",
};
const exampleAppointment = {
  id: "659324",
  status: "booked",
  start: "2026-11-24T08:45:00",
  end: "2026-11-24T09:00:00",
  patient: "a-195900.E-1",
  department: "1",
  provider: "71",
  type: "Established Patient",
};

const searches = {
  searchAppointments: operation({
    title: "Search a patient's appointments",
    description: "Times are local to the department.",
    effect: "read",
    capability: "appointment.search",
    params: z.object({
      patient: PatientId,
      from: Day.optional(),
      to: Day.optional(),
      cancelled: z.boolean().default(false),
      limit: Limit,
      cursor: Cursor,
    }),
    result: z.object({ appointments: z.array(Appointment), next: z.string().optional() }),
    example: {
      params: { patient: "a-195900.E-1", from: "2026-11-23", to: "2026-12-31" },
      wire: [
        {
          request:
            "GET /v1/195900/patients/1/appointments?showpast=true&showcancelled=false&limit=100",
          reply: { totalcount: 1, appointments: [exampleBooked] },
        },
      ],
      result: { appointments: [exampleAppointment] },
    },
    async run(api, { patient, from, to, cancelled, limit, cursor }, practice: Practice) {
      const id = localPatientId(patient, practice);
      const { appointments, next } = await pageV1(
        api,
        practice,
        "/patients/{id}/appointments",
        BookedList,
        { path: { id }, query: { showpast: true, showcancelled: cancelled, limit }, cursor },
      );
      // It takes no dates.
      const found = appointments.filter(within(from, to));
      return { appointments: found.map((booked) => normal(booked, practice, id)), next };
    },
  }),
  listBookedAppointments: operation({
    title: "List booked appointments",
    description:
      "Of all departments, or of those that are named. Times are local to the department.",
    effect: "read",
    params: z.object({
      from: Day,
      to: Day,
      departments: z.array(NumericId).min(1).max(100).optional(),
      limit: Limit,
      cursor: Cursor,
    }),
    result: z.object({ appointments: z.array(Appointment), next: z.string().optional() }),
    example: {
      params: { from: "2026-11-24", to: "2026-11-24" },
      wire: [
        {
          request: "GET /v1/195900/departments?limit=1000",
          reply: { totalcount: 2, departments: [{ departmentid: "1" }, { departmentid: "21" }] },
        },
        {
          request:
            "GET /v1/195900/appointments/booked/multipledepartment?startdate=11%2F24%2F2026&enddate=11%2F24%2F2026&departmentid=1&departmentid=21&limit=100",
          reply: { totalcount: 1, appointments: [exampleBooked] },
        },
      ],
      result: { appointments: [exampleAppointment] },
    },
    async run(api, { from, to, departments, limit, cursor }, practice: Practice) {
      const all = listed({ departments: z.array(Department) });
      const departmentid =
        departments ??
        (cursor === undefined
          ? (await getV1(api, "/departments", all, { query: { limit: 1000 } })).departments.map(
              (department) => department.departmentid,
            )
          : []);
      const { appointments, next } = await pageV1(
        api,
        practice,
        "/appointments/booked/multipledepartment",
        BookedList,
        { query: { startdate: usDay(from), enddate: usDay(to), departmentid, limit }, cursor },
      );
      return { appointments: appointments.map((booked) => normal(booked, practice)), next };
    },
  }),
  searchSlots: operation({
    title: "Search open times",
    description:
      "Of a department, by the reason or the type of the appointment; times are local to the department. By type, what patients may book online themselves is left aside.",
    effect: "read",
    params: z
      .object({
        department: NumericId,
        reason: NumericId.optional(),
        appointmentType: NumericId.optional(),
        provider: NumericId.optional(),
        from: Day.optional(),
        to: Day.optional(),
        limit: Limit,
        cursor: Cursor,
      })
      .refine(
        (p) => p.reason ?? p.appointmentType ?? p.cursor,
        "Give a reason or an appointment type",
      ),
    result: z.object({
      slots: z.array(
        FhirSlot.extend({
          end: z.string().optional(),
          department: z.string().optional(),
          provider: z.string().optional(),
          appointmentType: z.string().optional(),
        }),
      ),
      next: z.string().optional(),
    }),
    example: {
      params: { department: "1", appointmentType: "82", from: "2026-11-24" },
      wire: [
        {
          request:
            "GET /v1/195900/appointments/open?departmentid=1&appointmenttypeid=82&ignoreschedulablepermission=true&startdate=11%2F24%2F2026&limit=100",
          reply: {
            totalcount: 1,
            appointments: [
              {
                date: "11/24/2026",
                appointmentid: "661338",
                departmentid: "1",
                appointmenttype: "Any 15",
                providerid: "71",
                starttime: "10:00",
                duration: "15",
                appointmenttypeid: "82",
                patientappointmenttypename: "Established Patient",
              },
            ],
          },
        },
      ],
      result: {
        slots: [
          {
            id: "661338",
            status: "free",
            start: "2026-11-24T10:00:00",
            end: "2026-11-24T10:15:00",
            department: "1",
            provider: "71",
            appointmentType: "82",
            type: "Established Patient",
          },
        ],
      },
    },
    async run(api, params, practice: Practice) {
      const { department, reason, appointmentType, provider, from, to, limit, cursor } = params;
      const { appointments, next } = await pageV1(api, practice, "/appointments/open", BookedList, {
        query: {
          departmentid: department,
          providerid: provider,
          reasonid: reason,
          appointmenttypeid: appointmentType,
          ignoreschedulablepermission: appointmentType === undefined ? undefined : true,
          startdate: usDay(from),
          enddate: usDay(to),
          limit,
        },
        cursor,
      });
      const slots = appointments.flatMap((open) => {
        const { start, end } = localTimes(open);
        const appointmenttypeid = V1Id.safeParse(open["appointmenttypeid"]).data;
        return start === undefined
          ? []
          : {
              id: open.appointmentid,
              status: "free",
              start,
              end,
              department: open.departmentid,
              provider: open.providerid,
              appointmentType: appointmenttypeid,
              type: open.patientappointmenttypename ?? open.appointmenttype,
            };
      });
      return { slots, next };
    },
  }),
  listDepartments: operation({
    title: "List departments",
    effect: "read",
    params: z.object({ limit: Limit, cursor: Cursor }),
    result: z.object({
      departments: z.array(
        z.object({
          id: z.string(),
          name: z.string(),
          city: z.string().optional(),
          state: z.string().optional(),
          timezone: z.string().optional(),
        }),
      ),
      next: z.string().optional(),
    }),
    example: {
      params: {},
      wire: [
        {
          request: "GET /v1/195900/departments?limit=100",
          reply: {
            totalcount: 1,
            departments: [
              {
                departmentid: "1",
                name: "Cruickshank HOUSE CALL",
                patientdepartmentname: "Main Office",
                city: "ROME",
                state: "NY",
                timezonename: "America/New_York",
              },
            ],
          },
        },
      ],
      result: {
        departments: [
          {
            id: "1",
            name: "Main Office",
            city: "ROME",
            state: "NY",
            timezone: "America/New_York",
          },
        ],
      },
    },
    async run(api, { limit, cursor }, practice: Practice) {
      const reply = listed({ departments: z.array(Department) });
      const { departments, next } = await pageV1(api, practice, "/departments", reply, {
        query: { limit },
        cursor,
      });
      return {
        departments: departments.map(({ departmentid: id, ...department }) => ({
          id,
          name: department.patientdepartmentname ?? department.name ?? id,
          city: department.city,
          state: department.state,
          timezone: department.timezonename,
        })),
        next,
      };
    },
  }),
};

const BookedOnes = z.array(Booked.partial().required({ appointmentid: true })).min(1);

const bookings = {
  bookAppointment: operation({
    title: "Book an open time",
    effect: "write",
    params: z
      .object({
        slot: NumericId,
        patient: PatientId,
        reason: NumericId.optional(),
        appointmentType: NumericId.optional(),
      })
      .refine((p) => p.reason ?? p.appointmentType, "Give a reason or an appointment type"),
    result: z.object({ id: z.string(), status: z.string() }),
    example: {
      params: { slot: "659324", patient: "a-195900.E-1", appointmentType: "82" },
      wire: [{ request: "PUT /v1/195900/appointments/659324", reply: [exampleBooked] }],
      result: { id: "659324", status: "booked" },
    },
    async run(api, { slot, patient, reason, appointmentType }, practice: Practice) {
      const [booked] = await putV1(api, "/appointments/{slot}", BookedOnes, {
        path: { slot },
        form: {
          patientid: localPatientId(patient, practice),
          reasonid: reason,
          appointmenttypeid: appointmentType,
          ignoreschedulablepermission: appointmentType === undefined ? undefined : true,
        },
      });
      return { id: booked?.appointmentid ?? slot, status: "booked" };
    },
  }),
  cancelAppointment: operation({
    title: "Cancel an appointment",
    effect: "write",
    params: z.object({
      id: NumericId,
      patient: PatientId,
      reason: z.string().max(200).optional(),
    }),
    result: z.object({ id: z.string(), status: z.string() }),
    example: {
      params: { id: "404627", patient: "a-195900.E-2695" },
      wire: [{ request: "PUT /v1/195900/appointments/404627/cancel", reply: { status: "x" } }],
      result: { id: "404627", status: "cancelled" },
    },
    async run(api, { id, patient, reason }, practice: Practice) {
      const reply = z.looseObject({ status: z.string() });
      const { status } = await putV1(api, "/appointments/{id}/cancel", reply, {
        path: { id },
        form: { patientid: localPatientId(patient, practice), cancellationreason: reason },
      });
      return { id, status: statuses[status] ?? status };
    },
  }),
  rescheduleAppointment: operation({
    title: "Move an appointment to an open time",
    effect: "write",
    params: z.object({ id: NumericId, patient: PatientId, slot: NumericId }),
    result: z.object({ id: z.string(), status: z.string() }),
    example: {
      params: { id: "185721", patient: "a-195900.E-1", slot: "204885" },
      wire: [
        {
          request: "PUT /v1/195900/appointments/185721/reschedule",
          reply: [{ appointmentid: "204885", appointmentstatus: "f", patientid: "1" }],
        },
      ],
      result: { id: "204885", status: "booked" },
    },
    async run(api, { id, patient, slot }, practice: Practice) {
      const [moved] = await putV1(api, "/appointments/{id}/reschedule", BookedOnes, {
        path: { id },
        form: { patientid: localPatientId(patient, practice), newappointmentid: slot },
      });
      return { id: moved?.appointmentid ?? slot, status: "booked" };
    },
  }),
};

export const scheduleOperations = { ...searches, ...bookings };

import type { Resource } from "@medplum/fhirtypes";

import { patientId, records } from "../fhir/records.ts";

export const practiceId = "195900";
/** Those of the handlers' examples come first. */
const numbers = ["1", "5309", "2695"];
export const patientNumber = (index: number) => numbers[index] ?? String(index + 1);

const people = Array.from({ length: 30 }, (_, index) => index);

/** The same people under athenahealth's ids. */
export function athenaRecords(now: Date): Resource[] {
  let text = JSON.stringify(records(now));
  for (const index of people)
    text = text.replaceAll(
      new RegExp(`"(Patient/)?${patientId(index)}"`, "g"),
      `"$1a-${practiceId}.E-${patientNumber(index)}"`,
    );
  return JSON.parse(text) as Resource[];
}

export type Registration = Record<string, string>;
export function registrations(now: Date): Map<string, Registration> {
  const found = new Map<string, Registration>();
  for (const resource of athenaRecords(now)) {
    if (resource.resourceType !== "Patient" || !resource.id?.includes(".E-")) continue;
    const patientid = resource.id.replace(/^.*\.E-/, "");
    const [name] = resource.name ?? [];
    found.set(patientid, {
      patientid,
      firstname: name?.given?.[0] ?? "",
      lastname: name?.family ?? "",
      dob: usDay(resource.birthDate ?? ""),
      departmentid: "1",
      primarydepartmentid: "1",
      status: "active",
    });
  }
  return found;
}

export const usDay = (day: string) => day.replace(/^(\d{4})-(\d\d)-(\d\d).*$/, "$2/$3/$1");

export const departments = [
  ["1", "Cruickshank HOUSE CALL", "Main Office", "ROME", "NY"],
  ["21", "STEUBENVILLE CLINIC", "Branch Office", "STEUBENVILLE", "OH"],
  ["162", "MERCY HOSPITAL", "Hospital", "BALLSTON SPA", "NY"],
].map(([departmentid, name, patientdepartmentname, city, state]) => ({
  departmentid,
  name,
  patientdepartmentname,
  city,
  state,
  timezonename: "America/New_York",
  timezoneoffset: -5,
}));

export type Visit = {
  appointmentid: string;
  date: string;
  starttime: string;
  duration: string;
  departmentid: string;
  providerid: string;
  appointmenttypeid: string;
  appointmenttype: string;
  patientappointmenttypename: string;
  /** `o`pen, `f`uture, cancelled (`x`). */
  appointmentstatus: string;
  patientid?: string;
};

/** Booked visits and open times of the two weeks that follow. */
export function visits(now: Date): Map<string, Visit> {
  const day = (offset: number) =>
    usDay(new Date(now.getTime() + offset * 86_400_000).toISOString().slice(0, 10));
  const all = people.map((index): Visit => ({
    appointmentid: String(700_000 + index),
    date: day((index % 14) + 1),
    starttime: `${String(8 + (index % 9)).padStart(2, "0")}:15`,
    duration: "15",
    departmentid: departments[index % 3]?.departmentid ?? "1",
    providerid: "71",
    appointmenttypeid: "82",
    appointmenttype: "Any 15",
    patientappointmenttypename: "Established Patient",
    appointmentstatus: "f",
    patientid: patientNumber(index),
  }));
  const [first] = all;
  if (!first) throw new Error("nobody has a visit");
  const { patientid: _whose, ...free } = { ...first, appointmentstatus: "o" };
  const open = ["659324", "204885", "661338", "661339"].map((appointmentid, hour): Visit => ({
    ...free,
    appointmentid,
    date: day(2),
    starttime: `${String(10 + hour)}:00`,
  }));
  const examples = [
    { ...first, appointmentid: "185721", patientid: "1" },
    { ...first, appointmentid: "404627", patientid: "2695" },
  ];
  return new Map([...all, ...open, ...examples].map((visit) => [visit.appointmentid, visit]));
}

import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import type { Api, Call } from "./api.ts";

/** athenaOne's own API beside FHIR: docs.athenahealth.com/api. Times are local to the department. */
export type Practice = { practiceId: string };

/** The path's template on the integration's host; the practice is part of it. */
export const v1 = (api: Api, path: string) =>
  `${new URL(api.baseUrl).origin}/v1/{practiceId}${path}`;

const json = { accept: "application/json" };
export const getV1 = <S extends z.ZodType>(api: Api, path: string, reply: S, call: Call = {}) =>
  api.get(v1(api, path), reply, { ...call, headers: json });
/** Bodies are forms, and never JSON. */
export const postV1 = <S extends z.ZodType>(api: Api, path: string, reply: S, call: Call) =>
  api.post(v1(api, path), reply, { ...call, headers: json });
export const putV1 = <S extends z.ZodType>(api: Api, path: string, reply: S, call: Call) =>
  api.put(v1(api, path), reply, { ...call, headers: json });

/** Ids come as text from some calls and as numbers from others. */
export const V1Id = z.union([z.string(), z.number()]).transform(String);
export const NumericId = z.string().regex(/^\d{1,20}$/, "An athenahealth id has digits only");

/** `5309`, or as FHIR names it `a-195900.E-5309`. */
export const PatientId = z
  .string()
  .regex(/^(?:a-\d+\.E-)?\d{1,20}$/, "Use the patient's id, such as a-195900.E-5309 or 5309");
export const fhirPatientId = (id: string, { practiceId }: Practice) => `a-${practiceId}.E-${id}`;
/** Throws where the id is of another practice. */
export function localPatientId(id: string, { practiceId }: Practice) {
  const [, practice, local = id] = /^a-(\d+)\.E-(\d+)$/.exec(id) ?? [];
  if (practice !== undefined && practice !== practiceId)
    throw new VendorFailure("invalid_request", "The patient is of another practice");
  return local;
}

export const Day = z.iso.date();
/** `2026-11-24` is `11/24/2026`. */
export const usDay = (day: string | undefined) =>
  day?.replace(/^(\d{4})-(\d\d)-(\d\d)$/, "$2/$3/$1");
/** `11/24/2026` is `2026-11-24`; anything else is left out. */
export function isoDay(day: string | undefined) {
  const [, month, date, year] = /^(\d\d)\/(\d\d)\/(\d{4})$/.exec(day ?? "") ?? [];
  return year && `${year}-${month}-${date}`;
}
/** athenahealth's clock is Eastern; whoever asks for a moment gives it so. */
export const usMoment = (moment: string | undefined) =>
  moment?.replace(/^(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)$/, "$2/$3/$1 $4");
export const Moment = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/, "Use 2026-11-24T08:00:00, in Eastern time");

/** Each list names its next page by a path that holds the practice. */
export const listed = <T extends z.ZodRawShape>(shape: T) =>
  z.looseObject({ ...shape, next: z.string().optional(), totalcount: z.number().optional() });

/** The cursor of a page; only a path of this practice is followed. */
export async function pageV1<S extends z.ZodType>(
  api: Api,
  { practiceId }: Practice,
  path: string,
  reply: S,
  { cursor, ...call }: Call & { cursor?: string | undefined },
): Promise<z.output<S>> {
  if (cursor === undefined) return getV1(api, path, reply, call);
  const { origin } = new URL(api.baseUrl);
  const url = cursor.startsWith(`/v1/${practiceId}/`) ? URL.parse(cursor, origin) : null;
  if (!url?.href.startsWith(`${origin}/v1/${practiceId}/`))
    throw new VendorFailure("invalid_request", "This is not a cursor of this practice");
  return api.next(url.href, reply, { headers: json });
}

export const Cursor = z.string().max(4000).optional();
/** Ours is up to 100; athenahealth's own is 1,500 unless one is asked for. */
export const Limit = z.number().int().min(1).max(1000).default(100);

/** Some writes answer 200 and say in the body that they failed. */
export const Done = z.looseObject({
  success: z.union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")]),
});
export function insist({ success }: z.output<typeof Done>) {
  if (!success)
    throw new VendorFailure("invalid_request", "athenahealth did not accept the content");
}

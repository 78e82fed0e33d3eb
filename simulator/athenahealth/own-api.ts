import { Hono, type Context } from "hono";

import { departments, practiceId, registrations, type Visit, visits } from "./practice.ts";

const refuse = (status: number, error: string, more: object = {}) =>
  Response.json({ error, ...more }, { status });

const feed = "/:feed{appointments|patients|providers|claims}/changed";
const subscription = `${feed}/subscription` as const;
type Changed = { record: Record<string, string>; taken: boolean };

/** `03/30/1992` and nothing else. */
const isDay = (text: string | undefined) => /^\d\d\/\d\d\/\d{4}$/.test(text ?? "");
const sortable = (day: string) => day.replace(/^(\d\d)\/(\d\d)\/(\d{4})$/, "$3$1$2");

/** athenaOne's own API: the practice is in the path, bodies are forms, lists name their next page. */
export function newOwnApi() {
  let book = visits(new Date());
  let people = registrations(new Date());
  let subscribed = new Set<string>();
  let changed = new Map<string, Changed[]>();
  let problems = 4711;

  const note = (name: string, record: Record<string, string>) =>
    changed.set(name, [...(changed.get(name) ?? []), { record: { ...record }, taken: false }]);

  function page<T>(c: Context, key: string, all: readonly T[]) {
    const limit = Number(c.req.query("limit") ?? 1500);
    const offset = Number(c.req.query("offset") ?? 0);
    const url = new URL(c.req.url);
    url.searchParams.set("offset", String(offset + limit));
    return c.json({
      totalcount: all.length,
      [key]: all.slice(offset, offset + limit),
      ...(offset + limit < all.length && { next: url.pathname + url.search }),
    });
  }
  async function form(c: Context): Promise<Record<string, string> | Response> {
    const type = c.req.header("content-type") ?? "";
    if (!type.startsWith("application/x-www-form-urlencoded"))
      return refuse(415, "Send application/x-www-form-urlencoded");
    return Object.fromEntries(new URLSearchParams(await c.req.text()));
  }
  const missing = (given: Record<string, string>, ...names: string[]) => {
    const missingfields = names.filter((name) => !given[name]);
    return missingfields.length
      ? refuse(400, "Additional fields are required.", { missingfields, invalidfields: [] })
      : undefined;
  };

  const app = new Hono().basePath(`/v1/${practiceId}`);
  app.get("/practiceinfo", (c) =>
    c.json({
      totalcount: 1,
      practiceinfo: [{ practiceid: practiceId, name: "athenahealth MDP Sandbox" }],
    }),
  );
  app.get("/departments", (c) => page(c, "departments", departments));

  app.get("/patients/:id/appointments", (c) => {
    const { id } = c.req.param();
    if (!people.has(id)) return refuse(404, "The patient ID is invalid.");
    const cancelled = c.req.query("showcancelled") === "true";
    const mine = [...book.values()].filter(
      (visit) => visit.patientid === id && (cancelled || visit.appointmentstatus !== "x"),
    );
    return page(
      c,
      "appointments",
      mine.map(({ patientid: _known, ...visit }) => visit),
    );
  });
  const between = (c: Context) => {
    const [from = "", to = ""] = [c.req.query("startdate"), c.req.query("enddate")];
    return (visit: Visit) =>
      (!from || sortable(visit.date) >= sortable(from)) &&
      (!to || sortable(visit.date) <= sortable(to));
  };
  app.get("/appointments/booked/multipledepartment", (c) => {
    const wanted = c.req.queries("departmentid") ?? [];
    if (!isDay(c.req.query("startdate")) || !isDay(c.req.query("enddate")) || !wanted.length)
      return refuse(400, "Additional fields are required.", {
        missingfields: ["startdate", "enddate", "departmentid"],
      });
    const booked = [...book.values()].filter(
      (visit) => visit.appointmentstatus === "f" && wanted.includes(visit.departmentid),
    );
    return page(c, "appointments", booked.filter(between(c)));
  });
  app.get("/appointments/open", (c) => {
    const { departmentid, reasonid, appointmenttypeid } = c.req.query();
    if (!departmentid || !(reasonid ?? appointmenttypeid))
      return refuse(400, "Additional fields are required.", { missingfields: ["departmentid"] });
    const open = [...book.values()].filter(
      (visit) => visit.appointmentstatus === "o" && visit.departmentid === departmentid,
    );
    return page(c, "appointments", open.filter(between(c)));
  });
  const changeVisit = (visit: Visit) => {
    book.set(visit.appointmentid, visit);
    note("appointments", visit as Record<string, string>);
    return visit;
  };
  app.put("/appointments/:id", async (c) => {
    const given = await form(c);
    if (given instanceof Response) return given;
    const wrong = missing(given, "patientid");
    if (wrong) return wrong;
    const visit = book.get(c.req.param("id"));
    if (visit?.appointmentstatus !== "o")
      return refuse(409, "That appointment time was already booked or not available for booking.", {
        detailedmessage: "The appointment ID is already booked.",
      });
    const patientid = given["patientid"] ?? "";
    return c.json([changeVisit({ ...visit, appointmentstatus: "f", patientid })]);
  });
  const mineOf = (id: string, patientid: string | undefined) => {
    const visit = book.get(id);
    return visit?.patientid === patientid && visit?.appointmentstatus === "f" ? visit : undefined;
  };
  app.put("/appointments/:id/cancel", async (c) => {
    const given = await form(c);
    if (given instanceof Response) return given;
    const visit = mineOf(c.req.param("id"), given["patientid"]);
    if (!visit) return refuse(404, "The appointment is not available.");
    changeVisit({ ...visit, appointmentstatus: "x" });
    return c.json({ status: "x" });
  });
  app.put("/appointments/:id/reschedule", async (c) => {
    const given = await form(c);
    if (given instanceof Response) return given;
    const visit = mineOf(c.req.param("id"), given["patientid"]);
    const open = book.get(given["newappointmentid"] ?? "");
    if (!visit || open?.appointmentstatus !== "o")
      return refuse(409, "That appointment time was already booked or not available for booking.");
    changeVisit({ ...visit, appointmentstatus: "x" });
    const patientid = given["patientid"] ?? "";
    return c.json([changeVisit({ ...open, appointmentstatus: "f", patientid })]);
  });

  app.get("/patients/:id", (c) => {
    const found = people.get(c.req.param("id"));
    return found ? c.json([found]) : refuse(404, "The patient ID is invalid.");
  });
  app.post("/patients", async (c) => {
    const given = await form(c);
    if (given instanceof Response) return given;
    const wrong = missing(given, "firstname", "lastname", "dob", "departmentid");
    if (wrong) return wrong;
    if (!isDay(given["dob"]))
      return refuse(400, "The data provided is invalid.", { invalidfields: ["dob"] });
    const same = [...people.values()].find((each) =>
      ["firstname", "lastname", "dob"].every((name) => each[name] === given[name]),
    );
    const patientid = same?.["patientid"] ?? String(10_000 + people.size);
    people.set(patientid, { ...same, ...given, patientid });
    note("patients", { patientid });
    return c.json([{ patientid }]);
  });
  app.put("/patients/:id", async (c) => {
    const given = await form(c);
    if (given instanceof Response) return given;
    const patientid = c.req.param("id");
    const found = people.get(patientid);
    if (!found) return refuse(404, "The patient ID is invalid.");
    people.set(patientid, { ...found, ...given });
    note("patients", { patientid });
    return c.json([{ patientid }]);
  });
  app.post("/chart/:id/problems", async (c) => {
    const given = await form(c);
    if (given instanceof Response) return given;
    const wrong = missing(given, "departmentid", "snomedcode");
    if (wrong) return wrong;
    if (!people.has(c.req.param("id"))) return refuse(404, "The patient ID is invalid.");
    problems += 1;
    return c.json({ success: "true", problemid: problems });
  });
  app.post("/patients/:id/documents/clinicaldocument", async (c) => {
    const given = await form(c);
    if (given instanceof Response) return given;
    const wrong = missing(given, "departmentid", "documentdata", "documentsubclass");
    if (wrong) return wrong;
    problems += 1;
    return c.json({ success: true, clinicaldocumentid: problems });
  });

  app.post(subscription, (c) => {
    subscribed.add(c.req.param("feed"));
    return c.json({ success: true });
  });
  app.delete(subscription, (c) => {
    subscribed.delete(c.req.param("feed"));
    return c.json({ success: true });
  });
  app.get(feed, (c) => {
    const name = c.req.param("feed");
    if (!subscribed.has(name))
      return refuse(403, "Changed messages require setup (subscription) that has not been done.");
    const again = c.req.query("showprocessedstartdatetime") !== undefined;
    const shown = (changed.get(name) ?? []).filter(({ taken }) => taken === again);
    if (!again && c.req.query("leaveunprocessed") !== "true")
      for (const each of shown) each.taken = true;
    return page(
      c,
      name,
      shown.map(({ record }) => record),
    );
  });
  app.all("*", () => refuse(404, "Invalid URL."));

  return {
    fetch: (request: Request) => app.fetch(request),
    subscribe: (name: string) => void subscribed.add(name),
    reset() {
      book = visits(new Date());
      people = registrations(new Date());
      subscribed = new Set();
      changed = new Map();
    },
  };
}

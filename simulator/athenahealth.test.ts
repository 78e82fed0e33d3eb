import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { vendor } from "../handlers/athenahealth.ts";
import { athenaFhirOnly, athenaKeys, athenaOwnOnly, athenaSigned } from "./athenahealth.ts";
import { startSimulator } from "./server.ts";
import { tenantOf } from "./smart/testing.ts";

const simulator = await startSimulator({ vendors: ["athenahealth"] });
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());
const integration = tenantOf(simulator, "athenahealth", vendor);
const day = (offset: number) =>
  new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);
const patient = "a-195900.E-1";
type Appointments = {
  appointments: { id: string; patient: string; start: string; status: string }[];
  next?: string;
};

describe("signing in", () => {
  test("reads the practice that the app may use", async () => {
    expect(await integration().test()).toEqual({
      account: "athenahealth MDP Sandbox (practice 195900)",
      checked: ["token issued", "practice can be read"],
    });
    const token = simulator.requests().find(({ path }) => path === "/oauth2/v1/token");
    expect(token?.headers.get("authorization")).toMatch(/^Basic /);
    expect(token?.host).toBe("api.preview.platform.athenahealth.com");
  });

  test.each(["RS384", "ES384"] as const)("signs with %s", async (algorithm) => {
    const key = algorithm === "RS384" ? athenaKeys.rs384 : athenaKeys.es384;
    const signed = { privateKey: key.privateKey, keyId: key.kid, algorithm };
    await integration({ ...athenaSigned, clientSecret: undefined, ...signed }).test();
  });

  test("tests an app for FHIR alone by FHIR", async () => {
    const it = integration({ ...athenaFhirOnly, scopes: "system/Patient.read" });
    expect((await it.test()).checked).toEqual(["token issued", "patient search allowed"]);
  });
});

describe("causes", () => {
  const fault = (kind: "reset" | "rate_limited" | "garbage") => () => {
    simulator.fault({ vendor: "athenahealth", kind, match: "/practiceinfo" });
    return integration().test();
  };
  test.each([
    ["a wrong secret", "credentials_rejected", () => integration({ clientSecret: "wrong" }).test()],
    [
      // The authorization server answers invalid_client to a secret that was replaced, as to a wrong one.
      "an expired secret, which looks like a wrong one",
      "credentials_rejected",
      () => {
        simulator.fault({ vendor: "athenahealth", kind: "expired_credentials", match: "token$" });
        return integration().test();
      },
    ],
    ["a scope that the app has not", "forbidden", () => integration(athenaOwnOnly).test()],
    ["another practice", "forbidden", () => integration({ practiceId: "1" }).test()],
    ["a host that is not there", "vendor_unavailable", fault("reset")],
    ["too many requests", "rate_limited", fault("rate_limited")],
    ["garbage", "unexpected_reply", fault("garbage")],
  ])("%s is %s", async (_what, failure, work) => {
    await expect(work()).rejects.toMatchObject({ failure });
  });

  test("FHIR is forbidden to an app that has only athenahealth's own API, and the other way round", async () => {
    const own = integration({ ...athenaOwnOnly, scopes: "athena/service/Athenanet.MDP.*" });
    await own.test();
    await expect(own.run("readPatient", { id: patient })).rejects.toMatchObject({
      failure: "forbidden",
    });
    const fhir = integration({ ...athenaFhirOnly, scopes: "system/Patient.read" });
    await fhir.run("readPatient", { id: patient });
    await expect(fhir.run("listDepartments", {})).rejects.toMatchObject({ failure: "forbidden" });
  });

  test("names the fields that are missing, and nothing else of what is said", () => {
    const body = {
      error: "Additional fields are required.",
      missingfields: ["lastname", "dob", "<script>"],
      detailedmessage: "Jane Roe",
    };
    const read = vendor.failure?.({ status: 400, headers: new Headers(), body });
    expect(read).toEqual({ message: "athenahealth misses or does not accept: lastname, dob" });
  });

  test("waits for the next minute where a 429 does not say how long", () => {
    const read = vendor.failure?.({ status: 429, headers: new Headers(), body: "" });
    expect(read).toMatchObject({ cause: "rate_limited" });
    expect(read?.retryAfter).toBeGreaterThan(0);
    expect(read?.retryAfter).toBeLessThanOrEqual(60);
  });
});

describe("a clinic's day", () => {
  test("finds a patient by FHIR, in the practice, and the appointments by its own API", async () => {
    const it = integration();
    type Patients = { patients: { id: string }[] };
    const { patients } = await it.run<Patients>("searchPatients", { family: "Lopez" });
    expect(patients).toMatchObject([{ id: patient }]);
    const search = simulator.requests().findLast(({ path }) => path === "/fhir/r4/Patient");
    expect(search?.query).toContain("ah-practice=a-1.Practice-195900");
    const found = await it.run<Appointments>("searchAppointments", { patient: patients[0]?.id });
    expect(found.appointments.map((each) => each.patient)).toEqual([patient, patient]);
    const later = await it.run<Appointments>("searchAppointments", { patient, from: day(300) });
    expect(later.appointments).toEqual([]);
    await expect(it.run("searchAppointments", { patient: "a-1.E-1" })).rejects.toMatchObject({
      failure: "invalid_request",
    });
  });

  test("lists what is booked in every department, page by page", async () => {
    const it = integration();
    const days = { from: day(1), to: day(14) };
    const ids: string[] = [];
    let page: Appointments = await it.run("listBookedAppointments", { ...days, limit: 20 });
    for (;;) {
      ids.push(...page.appointments.map(({ id }) => id));
      if (!page.next) break;
      page = await it.run("listBookedAppointments", { ...days, cursor: page.next });
    }
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength(32);
    const one: Appointments = await it.run("listBookedAppointments", {
      ...days,
      departments: ["162"],
    });
    expect(one.appointments).toHaveLength(10);
  });

  test("follows no cursor out of the practice", async () => {
    const it = integration();
    for (const cursor of [
      "https://evil.example.com/v1/195900/departments",
      "//evil.example.com/v1/195900/",
      "/v1/1/departments",
      "/v1/195900/../1/departments",
      "/fhir/r4/Patient",
    ])
      await expect(it.run("listDepartments", { cursor })).rejects.toMatchObject({
        failure: "invalid_request",
      });
  });

  test("books an open time once, moves it, and cancels it", async () => {
    const it = integration();
    const searched = { department: "1", appointmentType: "82", from: day(1), to: day(3) };
    const { slots } = await it.run<{ slots: { id: string }[] }>("searchSlots", searched);
    const [first, second] = slots;
    const booking = { slot: first?.id, patient, appointmentType: "82" };
    expect(await it.run("bookAppointment", booking)).toEqual({ id: first?.id, status: "booked" });
    await expect(it.run("bookAppointment", booking)).rejects.toMatchObject({
      failure: "invalid_request",
      message: "The time is not open any more",
    });
    const moved = await it.run<{ id: string }>("rescheduleAppointment", {
      id: first?.id,
      patient,
      slot: second?.id,
    });
    expect(moved.id).toBe(second?.id);
    expect(await it.run("cancelAppointment", { id: moved.id, patient })).toMatchObject({
      status: "cancelled",
    });
    const put = simulator.requests().find(({ method }) => method === "PUT");
    expect(put?.headers.get("content-type")).toBe("application/x-www-form-urlencoded");
    expect(new TextDecoder().decode(put?.body)).toContain("patientid=1");
  });

  test("registers a patient once, changes the registration, and reads it back", async () => {
    const it = integration();
    const registration = {
      first: "Ada",
      last: "Newcomer",
      birthDate: "1990-02-03",
      department: "1",
      email: "ada@patients.example",
    };
    const { id } = await it.run<{ id: string }>("createPatient", registration);
    expect(await it.run("createPatient", registration)).toEqual({ id });
    await it.run("updatePatient", { patient: id, mobilePhone: "4155550199" });
    expect(await it.run("readRegistration", { patient: id })).toMatchObject({
      registration: { firstname: "Ada", dob: "02/03/1990", mobilephone: "4155550199" },
    });
  });

  test("reads what has changed, after a subscription, and takes it only if asked to", async () => {
    const it = integration();
    await expect(it.run("listChanges", { feed: "appointments" })).rejects.toMatchObject({
      failure: "forbidden",
      message: "Subscribe to this feed of changes first",
    });
    await it.run("subscribeToChanges", { feed: "appointments" });
    await it.run("cancelAppointment", { id: "404627", patient: "a-195900.E-2695" });
    const read = (more: object = {}) =>
      it.run<{ changes: object[] }>("listChanges", { feed: "appointments", ...more });
    const cancelled = [{ appointmentid: "404627", appointmentstatus: "x" }];
    expect((await read()).changes).toMatchObject(cancelled);
    expect((await read({ take: true })).changes).toMatchObject(cancelled);
    expect((await read({ take: true })).changes).toEqual([]);
    const again = await read({ takenFrom: `${day(0)}T00:00:00`, takenTo: `${day(0)}T23:59:59` });
    expect(again.changes).toMatchObject(cancelled);
  });
});

describe("event notifications", () => {
  const url = "https://integrations.example.com/webhooks/athenahealth/1";
  const events = (bundle: object) =>
    vendor.webhooks?.events({
      method: "POST",
      url,
      headers: new Headers(),
      body: new TextEncoder().encode(JSON.stringify(bundle)),
    });
  const status = (more: object) => ({ resource: { resourceType: "SubscriptionStatus", ...more } });

  test("are subscribed to with a secret that is sent and never read back", async () => {
    const it = integration();
    const { id } = await it.run<{ id: string }>("subscribeToEvents", {
      topic: "Appointment.check-in",
      url,
    });
    const [post] = simulator.requests().filter(({ path }) => path === "/fhir/r4/Subscription");
    expect(post?.headers.get("x-hub-secret")).toBe("example-notification-secret-0123456789");
    const listed = await it.run("listEventSubscriptions", {});
    expect(listed).toEqual({
      subscriptions: [{ id, status: "active", topic: "Appointment.check-in", url }],
    });
    expect(JSON.stringify(listed)).not.toContain("example-notification-secret");
    await it.run("unsubscribeFromEvents", { id });
    expect(await it.run("listEventSubscriptions", {})).toEqual({ subscriptions: [] });
  });

  test("are not subscribed to without a secret, since anybody could then send them", async () => {
    const it = integration({ webhookSecret: undefined });
    await expect(
      it.run("subscribeToEvents", { topic: "Patient.update", url }),
    ).rejects.toMatchObject({
      failure: "not_configured",
      message: expect.stringMatching(/secret/),
    });
    expect(simulator.requests()).toEqual([]);
  });

  test("are read one by one out of a notification of several, by their own ids", () => {
    const bundle = {
      entry: [
        status({
          topic: "https://api.platform.athenahealth.com/fhir/r4/SubscriptionTopic/Patient.update",
          notificationEvent: [
            { id: "e1", timestamp: "2026-11-23T12:00:00.000Z" },
            { id: "e2", timestamp: "2026-11-23T12:00:01.000Z" },
          ],
        }),
      ],
    };
    expect(events(bundle)).toEqual([
      { id: "e1", type: "Patient.update", occurredAt: "2026-11-23T12:00:00.000Z" },
      { id: "e2", type: "Patient.update", occurredAt: "2026-11-23T12:00:01.000Z" },
    ]);
  });

  test("take their topic from the audit event where the status names none", () => {
    const audit = { resourceType: "AuditEvent", id: "e1", type: { code: "Order.signoff" } };
    expect(
      events({ entry: [status({ notificationEvent: [{ id: "e1" }] }), { resource: audit }] }),
    ).toMatchObject([{ id: "e1", type: "Order.signoff" }]);
    expect(events({ entry: [status({ type: "heartbeat" })] })).toEqual([
      { type: "subscription.status" },
    ]);
    expect(events({ nonsense: true })).toEqual([{ type: "subscription.status" }]);
  });
});

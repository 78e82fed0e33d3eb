import { exportPKCS8, generateKeyPair } from "jose";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { vendor } from "../handlers/oracle-health.ts";
import { known } from "./fhir/records.ts";
import {
  oracleKeys,
  oracleOtherTenant,
  oraclePatientsOnly,
  oracleSecret,
  oracleServiceType,
} from "./oracle-health.ts";
import { startSimulator } from "./server.ts";
import { tenantOf } from "./smart/testing.ts";

const simulator = await startSimulator({ vendors: ["oracle-health"] });
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());
const integration = tenantOf(simulator, "oracle-health", vendor);
const noKey = { privateKey: undefined, keyId: undefined };
const day = (offset: number) =>
  new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);

describe("signing in", () => {
  test.each([
    ["an RSA key", { algorithm: "RS384" }],
    [
      "an EC key",
      {
        algorithm: "ES384",
        privateKey: oracleKeys.es384.privateKey,
        keyId: oracleKeys.es384.kid,
      },
    ],
    ["a secret", { ...oracleSecret, ...noKey }],
  ])("works with %s, by the token endpoint of the tenant", async (_what, changes) => {
    const { checked, account } = await integration(changes).test();
    expect(checked).toEqual(["token issued", "patient search allowed"]);
    expect(account).toContain("ec2458f2");
    const token = simulator.requests().find(({ method }) => method === "POST");
    expect(token?.path).toContain("/tenants/ec2458f2-1e24-41c8-b71b-0e701af7583d/hosts/");
  });

  test("tests a patient where one is named", async () => {
    const { account } = await integration({ testPatientId: known.patient }).test();
    expect(account).toMatch(/^Simulated Clinic/);
  });

  test("never takes the open server for proof, nor the sandbox's tenant for production", async () => {
    const open = `https://fhir-open.cerner.com/r4/ec2458f2-1e24-41c8-b71b-0e701af7583d`;
    await expect(
      integration({}, { environment: "production", endpoint: open }).test(),
    ).rejects.toThrow(/no sign-in/);
    await expect(integration({}, { environment: "production" }).test()).rejects.toThrow(
      /tenant of the sandbox/,
    );
    await expect(integration({}, { endpoint: open }).test()).rejects.toMatchObject({
      failure: "invalid_request",
    });
    expect(simulator.requests()).toEqual([]);
  });
});

describe("causes", () => {
  const fault = (kind: "reset" | "rate_limited" | "garbage") => () => {
    simulator.fault({ vendor: "oracle-health", kind, match: "/Patient" });
    return integration().test();
  };
  test.each([
    [
      "a wrong key",
      "credentials_rejected",
      async () => {
        const { privateKey } = await generateKeyPair("RS384", { extractable: true });
        return integration({ privateKey: await exportPKCS8(privateKey) }).test();
      },
    ],
    [
      // Oracle Health answers invalid_client to a key or secret that has expired, as to a wrong one.
      "an expired key, which looks like a wrong one",
      "credentials_rejected",
      () => {
        simulator.fault({ vendor: "oracle-health", kind: "expired_credentials", match: "token$" });
        return integration().test();
      },
    ],
    [
      "scopes of which the app has none",
      "forbidden",
      () =>
        integration({ ...oraclePatientsOnly, ...noKey, scopes: "system/Condition.read" }).test(),
    ],
    [
      "a tenant without the app",
      "forbidden",
      () => integration({ tenantId: oracleOtherTenant }).test(),
    ],
    ["a host that is not there", "vendor_unavailable", fault("reset")],
    ["too many requests", "rate_limited", fault("rate_limited")],
    ["garbage", "unexpected_reply", fault("garbage")],
  ])("%s is %s", async (_what, failure, work) => {
    await expect(work()).rejects.toMatchObject({ failure });
  });

  test("an access token that has expired is fetched anew", async () => {
    const it = integration();
    await it.test();
    simulator.fault({
      vendor: "oracle-health",
      kind: "expired_credentials",
      times: 1,
      match: "/Patient",
    });
    await it.test();
    expect(simulator.requests().filter(({ method }) => method === "POST")).toHaveLength(2);
  });

  test("a scope that a call lacks is forbidden", async () => {
    const it = integration({ ...oraclePatientsOnly, ...noKey, scopes: "system/Patient.read" });
    await it.test();
    await expect(it.run("searchConditions", { patient: known.patient })).rejects.toMatchObject({
      failure: "forbidden",
    });
  });
});

describe("a clinic's day", () => {
  test("finds a patient by telephone, and the chart, in pages", async () => {
    const it = integration();
    type Patients = { patients: { id: string; name: string }[] };
    const { patients } = await it.run<Patients>("searchPatients", { telecom: "+14155550101" });
    expect(patients).toHaveLength(1);
    type Observations = { observations: object[]; next?: string };
    const of = { patient: patients[0]?.id, category: "vital-signs" };
    const first = await it.run<Observations>("searchObservations", { ...of, limit: 1 });
    expect(first.next).toMatch(/-pageContext=\w+&-pageDirection=NEXT$/);
    const second = await it.run<Observations>("searchObservations", { ...of, cursor: first.next });
    expect(second.observations).toHaveLength(1);
    expect(second.observations).not.toEqual(first.observations);
  });

  test("says why a search by nothing is refused", async () => {
    const it = integration();
    await expect(it.run("searchResources", { type: "Patient" })).rejects.toMatchObject({
      failure: "invalid_request",
      vendorCode: "required",
    });
  });

  test("searches appointments with and without days, and free times", async () => {
    const it = integration();
    const all = await it.run<{ appointments: { id: string }[] }>("searchAppointments", {
      patient: known.patient,
    });
    expect(all.appointments).toHaveLength(1);
    const none = await it.run("searchAppointments", {
      patient: known.patient,
      from: day(-9),
      to: day(-2),
    });
    expect(none).toMatchObject({ appointments: [] });
    const { slots } = await it.run<{ slots: { status: string }[] }>("searchSlots", {
      serviceType: oracleServiceType,
      from: day(1),
      to: day(1),
    });
    expect(slots.length).toBeGreaterThan(5);
  });

  test("cancels the version of an appointment that was read, and no later one", async () => {
    const it = integration();
    const { resource } = await it.run<{ resource: { meta: { versionId: string } } }>(
      "readResource",
      { type: "Appointment", id: known.appointment },
    );
    const cancel = () =>
      it.run("patchResource", {
        type: "Appointment",
        id: known.appointment,
        version: resource.meta.versionId,
        changes: [{ op: "replace", path: "/status", value: "cancelled" }],
      });
    expect(await cancel()).toMatchObject({ id: known.appointment });
    await expect(cancel()).rejects.toMatchObject({
      failure: "invalid_request",
      message: expect.stringMatching(/has changed/),
    });
    expect(
      await it.run("readResource", { type: "Appointment", id: known.appointment }),
    ).toMatchObject({ resource: { status: "cancelled" } });
  });

  test("exports a group, whose files are at another host where no token goes", async () => {
    const it = integration();
    const { job } = await it.run<{ job: string }>("startExport", {
      group: known.group,
      types: ["Patient"],
    });
    type State = { done: boolean; files?: { file: string }[] };
    let state: State = { done: false };
    for (let i = 0; i < 5 && !state.done; i++) state = await it.run<State>("checkExport", { job });
    const file = state.files?.[0]?.file;
    const lines = await it.run<Response>("downloadExportFile", { file });
    expect((await lines.text()).trimEnd().split("\n")).toHaveLength(150);
    const away = simulator.requests().at(-1);
    expect(away?.host).toBe("files.cerner-export.example");
    expect(away?.headers.has("authorization")).toBe(false);
    expect(await it.run("cancelExport", { job })).toEqual({ cancelled: true });
  });
});

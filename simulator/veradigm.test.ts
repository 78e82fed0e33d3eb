import { exportPKCS8, generateKeyPair } from "jose";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import type { AnyVendor } from "../handlers/define.ts";
import { vendor } from "../handlers/veradigm.ts";
import { known } from "./fhir/records.ts";
import { startSimulator } from "./server.ts";
import { tenantOf } from "./smart/testing.ts";
import {
  veradigmKeys,
  veradigmOtherTenant,
  veradigmPatientsOnly,
  veradigmSecret,
} from "./veradigm.ts";

const simulator = await startSimulator({ vendors: ["veradigm"] });
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());
const integration = tenantOf(simulator, "veradigm", vendor);
const noKey = { privateKey: undefined, keyId: undefined };

describe("signing in", () => {
  test.each([
    ["an RSA key", { algorithm: "RS384" }],
    [
      "an EC key",
      {
        algorithm: "ES384",
        privateKey: veradigmKeys.es384.privateKey,
        keyId: veradigmKeys.es384.kid,
      },
    ],
    ["a secret", { ...veradigmSecret, ...noKey }],
  ])("works with %s in the sandbox, and says which organization it is", async (_what, changes) => {
    const { checked, account } = await integration(changes).test();
    expect(checked).toEqual(["token issued", "patient search allowed"]);
    expect(account).toMatch(/^CP00101 at/);
  });

  test("works at an organization's own address, whose token endpoint it discovers", async () => {
    const endpoint = "https://fhir.example.org/fhirroute/fhir/10030240";
    const it = integration({}, { environment: "production", endpoint });
    expect((await it.test()).account).toMatch(/^10030240 at fhir.example.org/);
    const token = simulator.requests().find(({ method }) => method === "POST");
    expect(token?.path).toBe("/fhirroute/authorizationV2/10030240/connect/token");
  });
});

describe("causes", () => {
  const fault = (kind: "reset" | "rate_limited" | "garbage") => () => {
    simulator.fault({ vendor: "veradigm", kind, match: "/Patient" });
    return integration().test();
  };
  const away = `https://fhir.example.org/fhirroute/fhir/${veradigmOtherTenant}`;
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
      // Veradigm answers invalid_client to a secret that has expired, as to a wrong one.
      "an expired secret, which looks like a wrong one",
      "credentials_rejected",
      () => {
        simulator.fault({ vendor: "veradigm", kind: "expired_credentials", match: "token$" });
        return integration({ ...veradigmSecret, ...noKey }).test();
      },
    ],
    [
      "a scope that the app has not",
      "forbidden",
      () => integration({ ...veradigmPatientsOnly, ...noKey }).test(),
    ],
    [
      "an organization that has not licensed the app",
      "forbidden",
      () => integration({}, { environment: "production", endpoint: away }).test(),
    ],
    ["a host that is not there", "vendor_unavailable", fault("reset")],
    ["too many requests", "rate_limited", fault("rate_limited")],
    ["garbage", "unexpected_reply", fault("garbage")],
  ])("%s is %s", async (_what, failure, work) => {
    await expect(work()).rejects.toMatchObject({ failure });
  });

  test("a scope that a call lacks is forbidden", async () => {
    const it = integration({ ...veradigmPatientsOnly, ...noKey, scopes: "system/Patient.read" });
    await it.test();
    await expect(it.run("searchConditions", { patient: known.patient })).rejects.toMatchObject({
      failure: "forbidden",
    });
  });

  test("a search that matches too much says so", async () => {
    await expect(integration().run("searchPatients", { family: "Everyman" })).rejects.toMatchObject(
      { failure: "invalid_request", message: expect.stringMatching(/narrow the search/) },
    );
  });
});

test("a chart is read, and a group that was found is exported", async () => {
  const it = integration();
  type Found = { resources: { id: string }[] };
  const { resources } = await it.run<Found>("searchResources", { type: "Group" });
  const { patients } = await it.run<{ patients: { id: string }[] }>("searchPatients", {
    family: "Lopez",
    birthDate: "1987-09-12",
  });
  const { conditions } = await it.run<{ conditions: object[] }>("searchConditions", {
    patient: patients[0]?.id,
    clinicalStatus: "active",
  });
  expect(conditions).toHaveLength(1);
  const { job } = await it.run<{ job: string }>("startExport", {
    group: resources[0]?.id,
    types: ["Condition"],
  });
  await it.run("checkExport", { job });
  const { files } = await it.run<{ files: { file: string; count: number }[] }>("checkExport", {
    job,
  });
  expect(files).toMatchObject([{ type: "Condition", count: 30 }]);
});

test("what Veradigm's FHIR API lacks is not offered: appointments, and writing", () => {
  const { operations } = vendor as AnyVendor;
  const names = Object.keys(operations);
  expect(names).not.toContain("searchAppointments");
  const writes = names.filter((name) => operations[name]?.effect === "write");
  expect(writes).toEqual(["startExport", "cancelExport"]);
});

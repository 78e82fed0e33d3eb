import { exportPKCS8, generateKeyPair } from "jose";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import type { AnyVendor } from "../handlers/define.ts";
import { vendor } from "../handlers/veradigm.ts";
import { known } from "./fhir/records.ts";
import { startSimulator } from "./server.ts";
import { weight } from "./smart/ehr.ts";
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

describe("writing", () => {
  const byPerson = (userScopes?: string) =>
    integration({ ...veradigmSecret, ...noKey, signIn: "user", userScopes });
  const everything = "openid offline_access user/*.*";
  const resource = { ...weight, id: known.observation };
  type Written = { id: string };

  test.each([
    ["a system's token", () => integration()],
    ["a person's token with the scopes that are there at first", () => byPerson()],
    ["a person's token for reading everything", () => byPerson("openid user/*.read")],
  ])("is forbidden to %s, with the scope that it takes", async (_whose, connected) => {
    const it = connected();
    await it.run("readResource", { type: "Observation", id: known.observation });
    const refusal = { failure: "forbidden", message: expect.stringContaining("user/*.*") };
    await expect(it.run("createResource", { resource: weight })).rejects.toMatchObject(refusal);
    await expect(it.run("updateResource", { resource })).rejects.toMatchObject(refusal);
  });

  test("has no scope that a system could be given, nor a narrower one of a person", async () => {
    const bySystem = integration({ scopes: "system/Observation.write" });
    await expect(bySystem.run("createResource", { resource: weight })).rejects.toMatchObject({
      failure: "forbidden",
    });
    await expect(
      byPerson("user/Observation.write").run("createResource", { resource: weight }),
    ).rejects.toThrow("invalid_scope");
  });

  test("works where the person gave the scope, and names no version", async () => {
    const it = byPerson(everything);
    const { id } = await it.run<Written>("createResource", { resource: weight });
    const changed = { ...weight, id, status: "amended" };
    expect(await it.run("updateResource", { resource: changed })).toEqual({ id });
    const read = await it.run("readResource", { type: "Observation", id });
    expect(read).toMatchObject({ resource: { status: "amended" } });
    const put = simulator.requests().find(({ method }) => method === "PUT");
    expect(put?.headers.has("if-match")).toBe(false);
    await expect(it.run("updateResource", { resource, version: "1" })).rejects.toMatchObject({
      code: "invalid_request",
    });
  });

  test("of a type that the server does not list is refused before anything is sent", async () => {
    const it = byPerson(everything);
    const patient = { resourceType: "Patient", id: known.patient };
    for (const operation of ["createResource", "updateResource"])
      await expect(it.run(operation, { resource: patient })).rejects.toMatchObject({
        code: "invalid_request",
      });
    expect(simulator.requests()).toEqual([]);
  });
});

test("appointments, which Veradigm's FHIR API lacks, are not offered", () => {
  expect(Object.keys((vendor as AnyVendor).operations)).not.toContain("searchAppointments");
});

import { exportPKCS8, generateKeyPair } from "jose";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import type { HeldKey } from "../handlers/api.ts";
import { vendor } from "../handlers/eclinicalworks.ts";
import { ecwKeys, ecwOtherPractice, ecwPatientsOnly, ecwSingle } from "./eclinicalworks.ts";
import { known } from "./fhir/records.ts";
import { startSimulator } from "./server.ts";
import { tenantOf } from "./smart/testing.ts";

const simulator = await startSimulator({ vendors: ["eclinicalworks"] });
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());
const integration = tenantOf(simulator, "eclinicalworks", vendor);

/** The scopes of the last token request. */
function askedScopes() {
  const token = simulator.requests().findLast(({ path }) => path.endsWith("/token"));
  const form = new URLSearchParams(new TextDecoder().decode(token?.body));
  return form.get("scope")?.split(" ") ?? [];
}

describe("signing in", () => {
  test("asks for the group's scope for a bulk app, and never for one of single patients", async () => {
    const bulk = await integration().test();
    expect(bulk).toMatchObject({ checked: ["token issued", "groups can be listed"] });
    expect(askedScopes()).toContain("system/Group.read");
    const single = await integration({
      ...ecwSingle,
      scopes: "system/Patient.read system/Group.read",
    }).test();
    expect(single.checked).toEqual(["token issued", "patient search allowed"]);
    expect(single.account).toContain("FEIGCD");
    expect(askedScopes()).toEqual(["system/Patient.read"]);
  });

  test("takes RS384 only, and says so of a key that we hold", async () => {
    const { es384 } = ecwKeys;
    const held: HeldKey = {
      privateKey: es384.privateKey,
      keyId: es384.kid,
      algorithm: "ES384",
    };
    const changes = {
      ...ecwSingle,
      privateKey: undefined,
      keyId: undefined,
      signingKeyId: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    };
    const it = integration(changes, { heldKey: async () => held });
    await expect(it.test()).rejects.toMatchObject({
      failure: "invalid_request",
      message: expect.stringContaining("RS384"),
    });
    const { rs384 } = ecwKeys;
    const rsa: HeldKey = { privateKey: rs384.privateKey, keyId: rs384.kid, algorithm: "RS384" };
    await integration(changes, { heldKey: async () => rsa }).test();
  });
});

describe("causes", () => {
  const fault = (kind: "reset" | "rate_limited" | "garbage") => () => {
    simulator.fault({ vendor: "eclinicalworks", kind, match: "/Group" });
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
      // A key leaves the JWK Set, and then is as unknown as a wrong one: no answer tells the two apart.
      "an expired key, which looks like a wrong one",
      "credentials_rejected",
      () => integration({ keyId: "ehrconnect-2025" }).test(),
    ],
    ["an app of the other kind", "forbidden", () => integration({ use: "patient" }).test()],
    [
      "a scope that is not enabled",
      "forbidden",
      () => integration({ ...ecwPatientsOnly, scopes: "system/Condition.read" }).test(),
    ],
    [
      "a practice that has not enabled the app",
      "credentials_rejected",
      () => {
        const token = "https://oauthserver.eclinicalworks.com/oauth/oauth2/token";
        return integration({ practiceCode: ecwOtherPractice, tokenUrl: token }).test();
      },
    ],
    ["a host that is not there", "vendor_unavailable", fault("reset")],
    ["too many requests", "rate_limited", fault("rate_limited")],
    ["garbage", "unexpected_reply", fault("garbage")],
  ])("%s is %s", async (_what, failure, work) => {
    await expect(work()).rejects.toMatchObject({ failure });
  });

  test("the 251st request of a minute is refused until the next", async () => {
    const it = integration();
    await it.test();
    const used = simulator.requests().length;
    const read = () => it.run("readPatient", { id: known.patient });
    for (let i = used; i < 250; i += 1) await read();
    await expect(read()).rejects.toMatchObject({
      failure: "rate_limited",
      retryAfter: expect.toSatisfy((seconds: number) => seconds >= 1 && seconds <= 60),
    });
  });

  test("a group that is not enabled is not taken for a bad key", async () => {
    const it = integration();
    await expect(it.run("startExport", { group: "nobodys" })).rejects.toMatchObject({
      failure: "not_found",
      message: expect.stringMatching(/no such group/),
    });
    simulator.fault({ vendor: "eclinicalworks", kind: "expired_credentials", match: "token$" });
    await expect(integration().run("startExport", { group: "nobodys" })).rejects.toMatchObject({
      failure: "credentials_rejected",
    });
  });

  test("a write that is refused says by which of eClinicalWorks's codes", () => {
    const read = (body: unknown, status = 200) =>
      vendor.failure?.({ status, headers: new Headers(), body });
    expect(read({ status: 202, error: "INVALID_PATIENT_ALREADY_EXIST" })).toMatchObject({
      cause: "invalid_request",
      code: "202",
      message: "The patient exists already",
    });
    expect(read({ status: "139" }, 400)).toMatchObject({ code: "139" });
    expect(read({ status: 1 })).toBeUndefined();
    expect(read({ resourceType: "Condition", status: "202" })).toBeUndefined();
  });
});

test("an export is polled, fetched and cancelled, and not started twice", async () => {
  const it = integration();
  const start = () =>
    it.run<{ job: string }>("startExport", { group: known.group, types: ["Patient"] });
  const { job } = await start();
  expect(job).toMatch(/^\/fhir\/r4\/FEIGCD\/\$export-poll-location\?job_id=/);
  await expect(start()).rejects.toMatchObject({ failure: "invalid_request" });
  expect(await it.run("checkExport", { job })).toMatchObject({ done: false, askAgainIn: 1 });
  const { files } = await it.run<{ files: { file: string }[] }>("checkExport", { job });
  const lines = await it.run<Response>("downloadExportFile", { file: files[0]?.file });
  expect(JSON.parse((await lines.text()).split("\n")[0] ?? "")).toMatchObject({
    resourceType: "Patient",
  });
  expect(await it.run("cancelExport", { job })).toEqual({ cancelled: true });
});

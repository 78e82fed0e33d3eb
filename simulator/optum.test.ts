import { afterAll, beforeEach, describe, expect, test } from "vitest";

import * as examples from "../handlers/medical-network-examples.ts";
import { memoryTokens } from "../handlers/oauth.ts";
import { vendor } from "../handlers/optum.ts";
import type { VendorFailure } from "../problem.ts";
import type { FaultKind } from "./define.ts";
import { optumEligibilityOnly } from "./optum.ts";
import { startSimulator } from "./server.ts";
import { connectVendor } from "./wire.ts";

const simulator = await startSimulator({ vendors: ["optum"] });
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const {
  credentials,
  run,
  test: testWith,
  exampleOf,
  asked,
} = connectVendor(simulator, "optum", vendor);

describe("the test of the credentials", () => {
  test("fetches a token, proves it, and says who Optum thinks that we are", async () => {
    await expect(testWith()).resolves.toEqual({
      account: "Sunrise_Clinic_App",
      checked: ["token issued", "eligibility answers", "the report mailbox can be read"],
    });
    expect(asked()).toEqual([
      "POST /apip/auth/v2/token",
      "GET /medicalnetwork/eligibility/v3/healthcheck",
      "GET /medicalnetwork/reports/v2/",
    ]);
  });

  test("passes for a client that may only ask for eligibility, and says so", async () => {
    await expect(testWith({ values: optumEligibilityOnly })).resolves.toEqual({
      account: `Client ${optumEligibilityOnly.clientId}`,
      checked: ["token issued", "eligibility answers"],
    });
  });

  test("is not fooled by the health check that asks for no token", async () => {
    const open = "https://sandbox-apigw.optum.com/medicalnetwork/payerlist/v1/healthcheck";
    expect((await simulator.fetch(open)).status).toBe(200);
    const wrong = { ...credentials, clientSecret: "not-the-secret" };
    await expect(testWith({ values: wrong })).rejects.toMatchObject({
      failure: "credentials_rejected",
    });
  });

  test("a token of the sandbox is worth nothing in production", async () => {
    const tokens = memoryTokens();
    await testWith({ tokens });
    await testWith({ tokens, environment: "production" });
    expect(asked().filter((each) => each === "POST /apip/auth/v2/token")).toHaveLength(2);
  });
});

describe("six causes, six names", () => {
  const other = (values: object) => ({ values: { ...credentials, ...values } });
  const faulty = (kind: FaultKind) => {
    simulator.fault({ vendor: "optum", kind });
    return run("checkEligibility", examples.exampleInquiry);
  };
  test.each<[string, VendorFailure["failure"], () => Promise<unknown>]>([
    [
      "a wrong key",
      "credentials_rejected",
      () => run("checkEligibility", examples.exampleInquiry, other({ clientSecret: "wrong-one" })),
    ],
    ["an expired key", "credentials_expired", () => faulty("expired_credentials")],
    [
      "a missing scope",
      "forbidden",
      () => run("submitClaim", examples.exampleClaim, other(optumEligibilityOnly)),
    ],
    ["an unreachable host", "vendor_unavailable", () => faulty("reset")],
    ["too many requests", "rate_limited", () => faulty("rate_limited")],
    ["garbage", "unexpected_reply", () => faulty("garbage")],
  ])("%s is %s", async (_what, failure, attempt) => {
    await expect(attempt()).rejects.toMatchObject({ failure });
  });

  test("a token that expires in the middle is renewed, for a write too", async () => {
    const tokens = memoryTokens();
    await run("checkEligibility", examples.exampleInquiry, { tokens });
    simulator.fault({
      vendor: "optum",
      kind: "expired_credentials",
      times: 1,
      match: "submission",
    });
    await expect(run("submitClaim", examples.exampleClaim, { tokens })).resolves.toMatchObject({
      status: "accepted",
    });
  });

  test("a claim whose fate is unknown is not sent again", async () => {
    simulator.fault({ vendor: "optum", kind: "server_error", times: 1, match: "submission" });
    await expect(run("submitClaim", examples.exampleClaim)).rejects.toMatchObject({
      failure: "vendor_unavailable",
      mayHaveHappened: true,
    });
    expect(asked().filter((each) => each.endsWith("submission"))).toHaveLength(1);
  });
});

describe("a visit", () => {
  test("is asked about, claimed, followed and paid", async () => {
    await expect(run("checkEligibility", examples.exampleInquiry)).resolves.toMatchObject({
      status: "active",
      plan: "GOLD PPO",
      benefits: [{ code: "1" }, { amount: "25", inNetwork: true }, { percent: "20" }],
      errors: [],
    });
    await expect(run("validateClaim", examples.exampleClaim)).resolves.toMatchObject({
      status: "accepted",
    });
    const question = { ...examples.exampleStatusInquiry, claimNumber: "VISIT-42", id: undefined };
    await expect(run("checkClaimStatus", question)).resolves.toMatchObject({
      claims: [],
      errors: [{ code: "D0:35" }],
    });

    const sent = await run("submitClaim", examples.exampleClaim);
    expect(sent).toMatchObject({ status: "accepted", errors: [] });
    const { id } = sent as { id: string };
    await expect(run("checkClaimStatus", { ...question, id })).resolves.toMatchObject({
      status: "answered",
      id,
      claims: [{ category: "P1", claimNumber: "VISIT-42", charged: 18500, paid: 0 }],
    });

    const { reports } = (await run("listReports", {})) as { reports: { name: string }[] };
    const [seen = ""] = reports.flatMap(({ name }) => (name.endsWith(".CA") ? [name] : []));
    const accepted = { category: "A2", claimNumber: "VISIT-42", charged: 18500 };
    const report = await run("readClaimReport", { name: seen });
    expect(report).toMatchObject({ claims: [accepted], errors: [] });
    await expect(run("readReport", { name: seen })).resolves.toMatchObject({
      format: "x12",
      statuses: { claims: [accepted] },
    });
    await run("acknowledgeReport", { name: seen });
    await expect(run("readReport", { name: seen })).rejects.toMatchObject({ failure: "not_found" });
  });

  test("a remittance says the same as JSON and as X12", async () => {
    const asJson = await run("readRemittance", { name: "R5000000.XY" });
    const asX12 = await run("readReport", { name: "R5000000.XY" });
    expect(asJson).toMatchObject({ remittances: [{ paid: 14050, balanced: true }] });
    expect(asX12).toMatchObject(asJson as object);
  });

  test("a report that is no X12 is text, and one of another kind is refused", async () => {
    await expect(run("readReport", { name: "SB000000.TX" })).resolves.toEqual({
      format: "text",
      content: "CLAIMS RECEIVED: 1\nCLAIMS ACCEPTED: 1\n",
    });
    await expect(run("readRemittance", { name: "SB000000.TX" })).rejects.toMatchObject({
      failure: "invalid_request",
    });
  });

  test("the mailbox's own password is checked", async () => {
    const values = { ...credentials, networkPassword: "another" };
    await expect(run("listReports", {}, { values })).rejects.toMatchObject({
      failure: "forbidden",
    });
  });
});

describe("people", () => {
  const child = {
    firstName: "Ana",
    lastName: "Lopez",
    birthDate: "2015-02-03",
    relationship: "child",
  };

  test("a child is insured through a parent", async () => {
    const inquiry = { ...examples.exampleInquiry, dependent: child };
    await expect(run("checkEligibility", inquiry)).resolves.toMatchObject({ status: "active" });
    const claim = { ...examples.exampleClaim, dependent: child };
    await expect(run("submitClaim", claim)).resolves.toMatchObject({ status: "accepted" });
    const unknown = { ...inquiry, dependent: { ...child, firstName: "Zoe" } };
    await expect(run("checkEligibility", unknown)).rejects.toMatchObject({
      failure: "invalid_request",
      vendorCode: "77",
      message: "The subscriber is found, the patient is not (77)",
    });
  });

  test.each([
    [{ memberId: "W999999999" }, "75"],
    [{ birthDate: "1990-01-01" }, "71"],
    [{ lastName: "Nobody" }, "73"],
  ])("%j is rejected by the payer with %s", async (change, vendorCode) => {
    const subscriber = { ...examples.exampleInquiry.subscriber, ...change };
    await expect(
      run("checkEligibility", { ...examples.exampleInquiry, subscriber }),
    ).rejects.toMatchObject({ failure: "invalid_request", vendorCode });
  });

  test("coverage that ended is inactive, and a payer that is down is named", async () => {
    const subscriber = {
      memberId: "W000000002",
      firstName: "Derrick",
      lastName: "Lin",
      birthDate: "1973-06-03",
    };
    await expect(
      run("checkEligibility", { ...examples.exampleInquiry, subscriber }),
    ).resolves.toMatchObject({ status: "inactive", to: "2024-12-31" });
    await expect(
      run("checkEligibility", { ...examples.exampleInquiry, payer: "60054" }),
    ).rejects.toMatchObject({ vendorCode: "42" });
  });

  test("the vendor's own reply comes along where it is wanted", async () => {
    const inquiry = { ...examples.exampleInquiry, raw: true };
    await expect(run("checkEligibility", inquiry)).resolves.toMatchObject({
      raw: { payer: { entityType: "Non-Person Entity" } },
    });
  });
});

describe("claims", () => {
  const { claim } = examples.exampleClaim;
  const lastBody = (): unknown =>
    JSON.parse(new TextDecoder().decode(simulator.requests("optum").at(-1)?.body));
  const hospital = {
    ...examples.exampleClaim,
    kind: "institutional",
    attending: { npi: "1999999984", firstName: "Marcus", lastName: "Welby" },
    claim: {
      ...claim,
      placeOfService: "13",
      diagnoses: ["J029", "R509"],
      institutional: {
        from: "2026-10-05",
        to: "2026-10-06",
        admissionType: "3",
        patientStatus: "01",
      },
      lines: claim.lines.map((line) => ({ ...line, revenueCode: "0510" })),
    },
  };

  test("an institutional claim has its own address and fields", async () => {
    await expect(run("submitClaim", hospital)).resolves.toMatchObject({ status: "accepted" });
    expect(asked().at(-1)).toBe("POST /medicalnetwork/institutionalclaims/v1/submission");
    expect(lastBody()).toMatchObject({ attending: { npi: "1999999984" } });
  });

  test("a professional claim has no field for who attended", async () => {
    await run("submitClaim", { ...examples.exampleClaim, attending: hospital.attending });
    expect(lastBody()).not.toHaveProperty("attending");
  });

  test.each<[string, object, string]>([
    ["no admission", { institutional: undefined }, "params.claim.institutional"],
    ["no revenue code", { lines: claim.lines }, "params.claim.lines.0.revenueCode"],
    ["a pointer to no diagnosis", { diagnoses: [] }, "params.claim.diagnoses"],
    ["a replacement of nothing", { frequency: "7" }, "params.claim.payerClaimNumber"],
  ])("one with %s is not sent", async (_what, change, path) => {
    const params = { ...hospital, claim: { ...hospital.claim, ...change } };
    const refused = await run("submitClaim", params).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "invalid_request" });
    expect((refused as { errors: { path: string }[] }).errors.map((each) => each.path)).toContain(
      path,
    );
    expect(asked()).toEqual([]);
  });

  test("what the clearinghouse refuses is named by its path, without its text", async () => {
    const params = { ...examples.exampleClaim, subscriber: examples.exampleInquiry.subscriber };
    await expect(run("submitClaim", params)).rejects.toMatchObject({
      failure: "invalid_request",
      message: "The clearinghouse refused subscriber.address",
      mayHaveHappened: false,
    });
  });

  test("X12 that is not whole does not leave the house", async () => {
    const example = exampleOf("submitClaimX12") as { x12: string };
    const x12 = example.x12.replace("SE*4", "SE*5");
    await expect(run("submitClaimX12", { ...example, x12 })).rejects.toMatchObject({
      failure: "invalid_request",
      message: "The X12 is not right: segment 6 (SE) does not count its segments right",
    });
    expect(asked()).toEqual([]);
  });
});

test("payers are found, and those that are down are listed", async () => {
  await expect(run("listPayers", { name: "acme" })).resolves.toMatchObject({
    payers: [{ id: "87726", name: "ACME HEALTH" }],
    total: 1,
  });
  await expect(run("listOutages", {})).resolves.toMatchObject({ outages: [{ payer: "60054" }] });
});

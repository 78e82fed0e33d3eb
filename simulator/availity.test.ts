import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { vendor } from "../handlers/availity.ts";
import * as examples from "../handlers/medical-network-examples.ts";
import { memoryTokens } from "../handlers/oauth.ts";
import type { VendorFailure } from "../problem.ts";
import { availityPayerListOnly, availityStandard } from "./availity.ts";
import type { FaultKind } from "./define.ts";
import { startSimulator } from "./server.ts";
import { connectVendor } from "./wire.ts";

const simulator = await startSimulator({ vendors: ["availity"] });
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const {
  credentials,
  run,
  test: testWith,
  exampleOf,
  ...wire
} = connectVendor(simulator, "availity", vendor);
const asked = () => wire.asked().map((each) => each.replace(/\/14\d+$/, "/{id}"));
const sent = (path: string) => {
  const found = simulator.requests("availity").findLast((request) => request.path === path);
  return new URLSearchParams(new TextDecoder().decode(found?.body));
};

const provider = { npi: "1234567893", name: "Sunrise Clinic" };
const camila = {
  memberId: "W000000001",
  firstName: "Camila",
  lastName: "Lopez",
  birthDate: "1987-09-12",
} as const;
const slow = {
  memberId: "W000000003",
  firstName: "Sally",
  lastName: "Slow",
  birthDate: "1960-01-01",
} as const;
const inquiry = { payer: "BCBSF", provider, subscriber: camila };
const question = { ...inquiry, from: "2026-10-05", to: "2026-10-05" };
const idOf = (answer: unknown) => (answer as { id: string }).id;

describe("the test of the credentials", () => {
  test("fetches a token, proves it, and says which plan it is", async () => {
    await expect(testWith()).resolves.toEqual({
      account: "Customer 1194, Demo plan",
      checked: ["token issued", "payer list can be read"],
    });
    expect(asked()).toEqual(["POST /v1/token", "GET /v1/availity-payer-list"]);
    expect(Object.fromEntries(sent("/v1/token"))).toMatchObject({
      grant_type: "client_credentials",
      scope: "healthcare-hipaa-transactions-demo",
    });
  });

  test("asks for the product and the plan where the plan is Standard", async () => {
    const more = { values: availityStandard, environment: "production" } as const;
    await expect(testWith(more)).resolves.toMatchObject({
      account: "Customer 1194, Standard plan",
    });
    expect(sent("/v1/token").get("scope")).toBe(
      "healthcare-hipaa-transactions healthcare-hipaa-transactions-standard",
    );
  });

  test.each([
    ["Demo in production", { environment: "production" }],
    ["Standard in the sandbox", { values: availityStandard }],
  ] as const)("refuses %s, before real payers are asked", async (_what, more) => {
    await expect(testWith(more)).rejects.toMatchObject({ failure: "credentials_rejected" });
    expect(asked()).toEqual([]);
  });

  test("goes to the other address that Availity publishes, where it is set", async () => {
    const endpoint = "https://api.availity.com/availity/v1";
    await expect(testWith({ endpoint })).resolves.toMatchObject({
      checked: ["token issued", "payer list can be read"],
    });
    expect(asked()).toEqual(["POST /v1/token", "GET /availity/v1/availity-payer-list"]);
  });
});

describe("six causes, six names", () => {
  const faulty = (kind: FaultKind) => {
    simulator.fault({ vendor: "availity", kind });
    return run("checkEligibility", inquiry);
  };
  const wrong = { values: { ...credentials, clientSecret: "wrong-secret" } };
  test.each<[string, VendorFailure["failure"], () => Promise<unknown>]>([
    ["a wrong key", "credentials_rejected", () => run("checkEligibility", inquiry, wrong)],
    ["an expired key", "credentials_expired", () => faulty("expired_credentials")],
    [
      "a missing scope",
      "forbidden",
      () => run("checkEligibility", inquiry, { values: availityPayerListOnly }),
    ],
    ["an unreachable host", "vendor_unavailable", () => faulty("reset")],
    ["too many requests", "rate_limited", () => faulty("rate_limited")],
    ["garbage", "unexpected_reply", () => faulty("garbage")],
  ])("%s is %s", async (_what, failure, attempt) => {
    await expect(attempt()).rejects.toMatchObject({ failure });
  });

  test.each(["garbage", "wrong_content_type", "truncated"] as const)(
    "%s in the place of an answer is not an answer",
    async (kind) => {
      const tokens = memoryTokens();
      await testWith({ tokens });
      simulator.fault({ vendor: "availity", kind });
      for (const [operation, params] of [
        ["checkEligibility", inquiry],
        ["checkClaimStatus", question],
        ["readCoverage", { id: "1400000000000000001" }],
        ["readEstimate", { kind: "professional", id: "1400000000000000003" }],
      ] as const)
        await expect(run(operation, params, { tokens })).rejects.toMatchObject({
          failure: "unexpected_reply",
        });
    },
  );

  test("a token is renewed after its five minutes, without a failure", async () => {
    let now = Date.now();
    const tokens = memoryTokens(() => now);
    await run("checkEligibility", inquiry, { tokens, now: () => now });
    now += 290_000;
    await run("checkEligibility", inquiry, { tokens, now: () => now });
    expect(asked().filter((each) => each === "POST /v1/token")).toHaveLength(2);
  });

  test("a payer that is down is not called bad credentials", async () => {
    await expect(run("checkEligibility", { ...inquiry, payer: "60054" })).rejects.toMatchObject({
      failure: "vendor_unavailable",
      message: "The payer cannot be reached now",
    });
  });
});

describe("coverage", () => {
  test("is read with all its networks", async () => {
    await expect(run("checkEligibility", inquiry)).resolves.toMatchObject({
      status: "active",
      plan: "BLUE GOLD",
      group: "G100",
      from: "2026-01-01",
      to: "2026-12-31",
      benefits: [
        { code: "1" },
        { code: "B", amount: "25", inNetwork: true },
        { code: "B", amount: "60", inNetwork: false },
        { code: "A", percent: "20", inNetwork: false },
        { code: "C", amount: "812.5", period: "Remaining" },
      ],
      errors: [],
    });
    expect(Object.fromEntries(sent("/v1/coverages"))).toEqual({
      payerId: "BCBSF",
      providerNpi: "1234567893",
      providerLastName: "Sunrise Clinic",
      memberId: "W000000001",
      patientLastName: "Lopez",
      patientFirstName: "Camila",
      patientBirthDate: "1987-09-12",
      subscriberRelationship: "18",
      serviceType: "30",
    });
  });

  test("of a slow payer is pending, and is asked for again by its id", async () => {
    const first = await run("checkEligibility", { ...inquiry, subscriber: slow });
    expect(first).toEqual({ status: "pending", id: idOf(first), benefits: [], errors: [] });
    const again = { ...inquiry, subscriber: slow, id: idOf(first) };
    await expect(run("checkEligibility", again)).resolves.toMatchObject({ status: "pending" });
    await expect(run("readCoverage", { id: idOf(first) })).resolves.toMatchObject({
      status: "pending",
    });
    await expect(run("readCoverage", { id: idOf(first) })).resolves.toMatchObject({
      status: "active",
    });
    expect(asked().filter((each) => each === "POST /v1/coverages")).toHaveLength(1);
  });

  test("that the payer rejects is an error, and never inactive", async () => {
    const stranger = { ...camila, memberId: "W999999999" };
    await expect(
      run("checkEligibility", { ...inquiry, subscriber: stranger }),
    ).resolves.toMatchObject({
      status: "unknown",
      errors: [{ code: "75", message: "Subscriber/Insured Not Found" }],
    });
  });

  test("that ended is inactive", async () => {
    const derrick = {
      memberId: "W000000002",
      firstName: "Derrick",
      lastName: "Lin",
      birthDate: "1973-06-03",
    };
    await expect(
      run("checkEligibility", { ...inquiry, subscriber: derrick }),
    ).resolves.toMatchObject({ status: "inactive", to: "2024-12-31" });
  });

  test("is asked by the integration's own NPI and payer where nothing else is said", async () => {
    const values = { ...credentials, payer: "BCBSF", providerTaxId: "123456789" };
    await run("checkEligibility", { subscriber: camila }, { values });
    expect(Object.fromEntries(sent("/v1/coverages"))).toMatchObject({
      payerId: "BCBSF",
      providerNpi: "1234567893",
      providerTaxId: "123456789",
    });
    await expect(run("checkEligibility", { subscriber: camila })).rejects.toMatchObject({
      failure: "not_configured",
      message: "Say which payer is meant, or set a usual payer",
    });
  });

  test("is asked for a date of a real payer, and not of the demo, which has none of this year", async () => {
    const dated = { ...inquiry, serviceDate: "2026-11-23" };
    await run("checkEligibility", dated);
    expect(sent("/v1/coverages").has("asOfDate")).toBe(false);
    const standard = { values: availityStandard, environment: "production" } as const;
    await run("checkEligibility", dated, standard);
    expect(sent("/v1/coverages").get("asOfDate")).toBe("2026-11-23");
  });

  test("is deleted, so that nothing stays", async () => {
    const id = idOf(await run("checkEligibility", inquiry));
    await run("deleteCoverage", { id });
    await expect(run("readCoverage", { id })).rejects.toMatchObject({ failure: "not_found" });
  });

  test("of another application cannot be read", async () => {
    const id = idOf(await run("checkEligibility", inquiry));
    const standard = { values: availityStandard, environment: "production" } as const;
    await expect(run("readCoverage", { id }, standard)).rejects.toMatchObject({
      failure: "not_found",
    });
  });

  test("with characters that Availity holds unsafe is refused in words of ours", async () => {
    const odd = { ...camila, firstName: "<Camila>" };
    await expect(run("checkEligibility", { ...inquiry, subscriber: odd })).rejects.toMatchObject({
      failure: "invalid_request",
      message: "Availity refuses characters in this request as unsafe",
    });
  });
});

describe("a claim", () => {
  test("is looked for without PHI in an address, polled, and found", async () => {
    const first = await run("checkClaimStatus", { ...question, claimNumber: "VISIT-42" });
    expect(first).toMatchObject({ status: "pending", claims: [] });
    await expect(run("readClaimStatus", { id: idOf(first) })).resolves.toMatchObject({
      status: "pending",
    });
    await expect(run("checkClaimStatus", { ...question, id: idOf(first) })).resolves.toMatchObject({
      status: "answered",
      claims: [{ category: "F1", claimNumber: "VISIT-42", charged: 18500, paid: 14050 }],
      errors: [],
    });
    expect(asked().filter((each) => !each.endsWith("/token"))).toEqual([
      "POST /v1/claim-statuses",
      "GET /v1/claim-statuses/{id}",
      "GET /v1/claim-statuses/{id}",
    ]);
    const [, post] = simulator.requests("availity");
    expect(post?.headers.get("x-http-method-override")).toBe("GET");
    expect(post?.query).toBe("");
  });

  test("that the payer does not know is an error", async () => {
    const stranger = { ...question, subscriber: { ...camila, memberId: "W999999999" } };
    const id = idOf(await run("checkClaimStatus", stranger));
    await run("readClaimStatus", { id });
    await expect(run("readClaimStatus", { id })).resolves.toMatchObject({
      status: "answered",
      claims: [],
      errors: [{ code: "D0:35", message: "The payer's search found nothing" }],
    });
  });

  test.each(["professional", "institutional"] as const)(
    "of a %s visit is estimated, and is not called a claim for payment",
    async (kind) => {
      const { claim } = examples.exampleClaim;
      const stay = {
        from: "2026-10-05",
        to: "2026-10-06",
        admissionType: "3",
        patientStatus: "01",
      };
      const params = {
        ...examples.exampleClaim,
        kind,
        claim: {
          ...claim,
          institutional: stay,
          lines: claim.lines.map((line) => ({ ...line, revenueCode: "0510" })),
        },
      };
      const id = idOf(await run("requestEstimate", params));
      await expect(run("readEstimate", { kind, id })).resolves.toMatchObject({
        status: "pending",
      });
      await expect(run("readEstimate", { kind, id })).resolves.toMatchObject({
        status: "answered",
        charged: 18500,
        allowed: 14800,
        patientResponsibility: 2500,
        lines: [{ procedure: "99213" }, { procedure: "87880" }],
      });
    },
  );

  test("no operation says that it submits an 837P or 837I, or fetches an 835", () => {
    const capabilities = Object.values(vendor.operations).map(({ capability }) => capability);
    expect(capabilities).not.toContain("claim.submit");
    expect(Object.keys(vendor.operations).join()).not.toMatch(/remit|835/i);
  });

  test("of a dentist is accepted, and read until it is answered", async () => {
    const dental = exampleOf("submitDentalClaim");
    const id = idOf(await run("submitDentalClaim", dental));
    await expect(run("readDentalClaim", { id })).resolves.toEqual({ id, status: "pending" });
    await expect(run("readDentalClaim", { id })).resolves.toMatchObject({ status: "answered" });
  });

  test("that may have arrived is not sent again", async () => {
    const tokens = memoryTokens();
    await testWith({ tokens });
    simulator.fault({ vendor: "availity", kind: "server_error", times: 1 });
    const dental = exampleOf("submitDentalClaim");
    await expect(run("submitDentalClaim", dental, { tokens })).rejects.toMatchObject({
      mayHaveHappened: true,
    });
    expect(asked().filter((each) => each === "POST /v1/dental-claims")).toHaveLength(1);
  });
});

test("what EHRConnect's earlier client sends has a place", () => {
  const fields = Object.keys(Object.assign({}, ...vendor.steps.map((step) => step.fields)));
  const kept = Object.values(vendor.formerly ?? {}).filter((name) => name !== null);
  expect(kept).toEqual(["customerId", "providerNpi", "providerTaxId", "payer"]);
  expect(fields).toEqual(expect.arrayContaining([...kept, "clientId", "clientSecret"]));
});

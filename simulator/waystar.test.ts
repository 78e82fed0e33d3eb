import * as fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { realTimeRequest, textOf } from "../handlers/waystar-soap.ts";
import { vendor } from "../handlers/waystar.ts";
import { acknowledged, isa } from "../handlers/x12-samples.ts";
import type { VendorFailure } from "../problem.ts";
import type { FaultKind } from "./define.ts";
import { startSimulator } from "./server.ts";
import { waystarCoverageOnly, waystarNoEligibility } from "./waystar.ts";
import { readQuestion } from "./waystar/x12.ts";
import { connectVendor } from "./wire.ts";

const simulator = await startSimulator({ vendors: ["waystar"] });
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const { credentials, run, test: testWith, exampleOf } = connectVendor(simulator, "waystar", vendor);
const answering = (body: string, init: ResponseInit = {}) => ({
  wire: async () =>
    new Response(body, { headers: { "content-type": "text/html; charset=utf-8" }, ...init }),
});

const subscriber = {
  memberId: "W000000001",
  firstName: "Camila",
  lastName: "Lopez",
  birthDate: "1987-09-12",
} as const;
const provider = { npi: "1234567893", name: "Sunrise Clinic" };
const inquiry = { payer: "87726", provider, subscriber };
const question = { ...inquiry, from: "2026-10-05", to: "2026-10-06", claimNumber: "VISIT-42" };

describe("the test of the credentials", () => {
  test("asks Waystar's simulated payer about a patient who does not exist", async () => {
    await expect(testWith()).resolves.toEqual({
      account: "RealTime API user RTE000001, customer 100001",
      checked: ["user and password accepted", "eligibility answers for Waystar's simulated payer"],
    });
    const [request] = simulator.requests("waystar");
    const form = new URLSearchParams(new TextDecoder().decode(request?.body));
    expect(Object.fromEntries(form)).toMatchObject({
      UserID: "RTE000001",
      CustID: "100001",
      DataFormat: "X12",
      ResponseType: "271",
    });
    const sent = readQuestion(form.get("Data") ?? "");
    if (typeof sent === "string") return expect.fail(sent);
    expect(sent.find("NM1", "PR")?.[9]).toBe("66666");
    expect(sent.find("NM1", "IL")?.slice(3, 5)).toEqual(["PATIENT", "TEST"]);
    expect(request?.query).toBe("");
  });

  test.each([
    "Authentication Failure",
    "<html><body>Authentication Failure</body></html>",
    "An error occurred: Authentication failure.",
  ])("is not fooled by 200 with %j", async (body) => {
    await expect(testWith(answering(body))).rejects.toMatchObject({
      failure: "credentials_rejected",
    });
  });
});

describe("six causes, six names", () => {
  const faulty = (kind: FaultKind) => {
    simulator.fault({ vendor: "waystar", kind });
    return run("checkEligibility", inquiry);
  };
  const other = (values: object) => ({ values: { ...credentials, ...values } });
  test.each<[string, VendorFailure["failure"], () => Promise<unknown>]>([
    [
      "a wrong key",
      "credentials_rejected",
      () => run("checkEligibility", inquiry, other({ password: "wrong" })),
    ],
    ["an expired key", "credentials_expired", () => faulty("expired_credentials")],
    [
      "a missing scope",
      "forbidden",
      () => run("checkEligibility", inquiry, other(waystarNoEligibility)),
    ],
    ["an unreachable host", "vendor_unavailable", () => faulty("reset")],
    ["too many requests", "rate_limited", () => faulty("rate_limited")],
    ["garbage", "unexpected_reply", () => faulty("garbage")],
  ])("%s is %s", async (_what, failure, attempt) => {
    await expect(attempt()).rejects.toMatchObject({ failure });
  });

  test.each<[string, VendorFailure["failure"], object]>([
    ["a wrong key", "credentials_rejected", { password: "wrong" }],
    ["a feature that is not contracted", "forbidden", waystarCoverageOnly],
  ])("%s is %s for claim status too", async (_what, failure, values) => {
    await expect(run("checkClaimStatus", question, other(values))).rejects.toMatchObject({
      failure,
    });
  });

  test("words that Waystar quotes are not told further", async () => {
    const page = "<p>Payer ACME HEALTH of Camila Lopez (87726) is not setup for eligibility.</p>";
    const refused = await run("checkEligibility", inquiry, answering(page)).catch(
      (error: unknown) => error as VendorFailure,
    );
    expect(refused).toMatchObject({
      failure: "invalid_request",
      message: "The payer does not take eligibility inquiries through Waystar",
    });
  });
});

describe("coverage", () => {
  test("is read out of X12 with separators of Waystar's own", async () => {
    const answer = await run("checkEligibility", { ...inquiry, raw: true });
    expect(answer).toMatchObject({
      status: "active",
      payer: "ACME HEALTH",
      plan: "GOLD PPO",
      member: "W000000001",
      from: "2026-01-01",
      benefits: [
        { code: "1" },
        { code: "B", amount: "25", period: "Visit", inNetwork: true },
        { code: "A", percent: "20", inNetwork: false },
      ],
      errors: [],
    });
    expect((answer as { raw: string }).raw).toContain("EB|A|IND|98|||||.2||||N~");
  });

  test("of a child is that of the parent's policy", async () => {
    const dependent = {
      firstName: "Ana",
      lastName: "Lopez",
      birthDate: "2015-02-03",
      relationship: "child",
    };
    await expect(run("checkEligibility", { ...inquiry, dependent })).resolves.toMatchObject({
      status: "active",
      member: "W000000001",
    });
  });

  test("that ended is inactive, and a member that is not known is an error", async () => {
    const derrick = {
      memberId: "W000000002",
      firstName: "Derrick",
      lastName: "Lin",
      birthDate: "1973-06-03",
    };
    await expect(
      run("checkEligibility", { ...inquiry, subscriber: derrick }),
    ).resolves.toMatchObject({ status: "inactive", to: "2024-12-31" });
    const stranger = { ...subscriber, memberId: "W999999999" };
    await expect(
      run("checkEligibility", { ...inquiry, subscriber: stranger }),
    ).resolves.toMatchObject({ status: "unknown", errors: [{ code: "75" }] });
  });

  test("of a payer that does not answer is not called bad credentials", async () => {
    await expect(run("checkEligibility", { ...inquiry, payer: "60054" })).rejects.toMatchObject({
      failure: "vendor_unavailable",
    });
    await expect(run("checkEligibility", { ...inquiry, payer: "00000" })).rejects.toMatchObject({
      failure: "invalid_request",
    });
  });

  test("in half an answer is no coverage", async () => {
    const { raw } = (await run("checkEligibility", { ...inquiry, raw: true })) as { raw: string };
    for (const cut of [
      raw.slice(0, -40),
      raw.replace("EB|1", "EB|1|X"),
      raw.replace("SE|", "SE|9"),
    ])
      await expect(run("checkEligibility", inquiry, answering(cut))).rejects.toMatchObject({
        failure: "unexpected_reply",
        message: expect.stringMatching(/^The answer is not whole X12: segment \d+/),
      });
  });

  test.each([
    ["999", acknowledged],
    ["TA1", `${isa}TA1*000000042*261123*1200*R*006~IEA*0*000000042~`],
  ])("that is refused by a %s was not asked for right", async (vendorCode, answer) => {
    const refused = { failure: "invalid_request", vendorCode };
    await expect(run("checkEligibility", inquiry, answering(answer))).rejects.toMatchObject(
      refused,
    );
    const envelope = answering(`<Envelope><Body><Payload>${answer}</Payload></Body></Envelope>`);
    await expect(run("checkClaimStatus", question, envelope)).rejects.toMatchObject(refused);
  });

  test("with a name that X12 cannot carry is refused before it is sent", async () => {
    const odd = { ...subscriber, lastName: "Lo*pez" };
    await expect(run("checkEligibility", { ...inquiry, subscriber: odd })).rejects.toMatchObject({
      failure: "invalid_request",
    });
    expect(simulator.requests("waystar")).toEqual([]);
  });

  test("is asked for with X12 of one's own, if it is whole", async () => {
    const { x12 } = exampleOf("checkEligibilityX12") as { x12: string };
    await expect(run("checkEligibilityX12", { x12 })).resolves.toMatchObject({ status: "active" });
    const cut = x12.slice(0, -20);
    await expect(run("checkEligibilityX12", { x12: cut })).rejects.toMatchObject({
      failure: "invalid_request",
    });
    expect(simulator.requests("waystar")).toHaveLength(1);
  });
});

describe("a claim", () => {
  test("is asked about in a CORE envelope, and found", async () => {
    await expect(run("checkClaimStatus", question)).resolves.toEqual({
      status: "answered",
      claims: [
        {
          category: "F1",
          code: "65",
          meaning: "Finalized: paid",
          number: "2026300123",
          claimNumber: "VISIT-42",
          charged: 18500,
          paid: 14050,
          from: "2026-10-05",
          to: "2026-10-06",
          asOf: "2026-11-02",
          decidedOn: "2026-11-01",
        },
      ],
      errors: [],
    });
  });

  test("that Waystar does not have is an error, and a payer that cannot be asked another", async () => {
    await expect(
      run("checkClaimStatus", { ...question, claimNumber: "VISIT-77" }),
    ).resolves.toMatchObject({ claims: [], errors: [{ code: "claim_not_found" }] });
    await expect(run("checkClaimStatus", { ...question, payer: "60054" })).rejects.toMatchObject({
      failure: "invalid_request",
      message: "The payer does not take claim status inquiries through Waystar",
    });
  });
});

describe("the envelope", () => {
  const envelope = {
    user: "u",
    password: "p",
    payloadType: "X12_276_Request_005010X212",
    payloadId: "1",
    sender: "s",
    receiver: "r",
    now: new Date("2026-11-23T12:00:00Z"),
  };

  test("carries any credentials and payload, and nothing breaks out of it", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (user, password, payload) => {
        const xml = realTimeRequest({ ...envelope, user, password, payload });
        expect(textOf(xml, "Username")).toBe(user);
        expect(textOf(xml, "Password")).toBe(password);
        expect(textOf(xml, "Payload")).toBe(payload);
        expect(xml.match(/<(?:\w+:)?Payload>/g)).toHaveLength(1);
      }),
    );
  });

  test.each([
    ["<Payload>a</Payload>", "a"],
    ['<x:Payload xmlns:x="y">a&amp;&lt;b&#65;&#x42;</x:Payload>', "a&<bAB"],
    ["<Payload><![CDATA[ISA*<&>]]></Payload>", "ISA*<&>"],
    ["<PayloadType>no</PayloadType><Payload >yes</Payload >", "yes"],
    ["<Payload/>", undefined],
    ["<Payload>cut", undefined],
  ])("of %j is read as %j", (xml, payload) => {
    expect(textOf(xml, "Payload")).toBe(payload);
  });

  test("of 5 MB of openings is read soon", () => {
    for (const piece of ["<Payload>", "<Payload ", "<a:", "&#", "<![CDATA["]) {
      const began = performance.now();
      textOf(piece.repeat(5_000_000 / piece.length), "Payload");
      textOf(`<Payload>${piece.repeat(500_000)}</Payload>`, "Payload");
      expect(performance.now() - began).toBeLessThan(3_000);
    }
  });
});

import { Hono } from "hono";

import { defineSimulation, isSame, retryAfter } from "./define.ts";
import { type Question, readQuestion, type Row, writeAnswer } from "./waystar/x12.ts";

const credentials = {
  userId: "RTE000001",
  password: "simulated-waystar-password",
  custId: "100001",
  receiverId: "WAYSTAR",
};
/** May ask for coverage; its account is not contracted for claim status. */
export const waystarCoverageOnly = {
  ...credentials,
  userId: "RTE000002",
  password: "simulated-coverage-password",
};
/** A user whose account is not set up for eligibility. */
export const waystarNoEligibility = {
  ...credentials,
  userId: "RTE000003",
  password: "simulated-nothing-password",
};
const users = [
  { ...credentials, coverage: true, status: true },
  { ...waystarCoverageOnly, coverage: true, status: false },
  { ...waystarNoEligibility, coverage: false, status: false },
];

/** Errors are HTML with 200, whatever was asked for. */
const page = (message: string, status = 200) =>
  new Response(`<html><body><p class="error">${message}</p></body></html>`, {
    status,
    headers: { "content-type": "text/html; charset=utf-8" },
  });

const payers = new Map([
  ["87726", "ACME HEALTH"],
  ["60054", "UMBRA MUTUAL"],
  ["66666", "SIMULATED COMMERCIAL"],
]);

type Member = { memberId: string; lastName: string; birthDate: string; active: boolean };
const members: readonly Member[] = [
  { memberId: "W000000001", lastName: "LOPEZ", birthDate: "19870912", active: true },
  { memberId: "W000000002", lastName: "LIN", birthDate: "19730603", active: false },
];

function coverageOf(question: Question): string {
  const { control, find } = question;
  const payer = find("NM1", "PR")?.[9] ?? "";
  const [asked, born, provider] = [find("NM1", "IL"), find("DMG"), find("NM1", "1P")];
  const dependent = find("NM1", "03");
  const member = members.find(({ memberId }) => memberId === asked?.[9]);
  const simulated = payer === "66666";
  const trace = find("TRN", "1")?.[2] ?? control;
  const head: Row[] = [
    ["BHT", "0022", "11", control, "20261123", "1200"],
    ["HL", "1", "", "20", "1"],
    ["NM1", "PR", "2", payers.get(payer) ?? "", "", "", "", "", "PI", payer],
    ["HL", "2", "1", "21", "1"],
    ["NM1", "1P", "2", provider?.[3] ?? "", "", "", "", "", "XX", provider?.[9] ?? ""],
    ["HL", "3", "2", "22", dependent ? "1" : "0"],
  ];
  const subscriber: Row = asked ?? ["NM1", "IL", "1"];
  const rejected = (code: string) =>
    writeAnswer("HB", "271", control, [...head, subscriber, ["AAA", "N", "", code, "C"]]);
  if (!simulated && !member) return rejected("75");
  if (!simulated && member && asked?.[3] !== member.lastName) return rejected("73");
  if (!simulated && !dependent && born?.[2] !== member?.birthDate) return rejected("71");
  const active = simulated || member?.active === true;
  const patient: Row[] = dependent
    ? [["HL", "4", "3", "23", "0"], ["TRN", "2", trace, "9000000042"], dependent]
    : [];
  const lines: Row[] = active
    ? [
        ["DTP", "346", "D8", "20260101"],
        ["EB", "1", "IND", "30", "PR", "GOLD PPO"],
        ["EB", "B", "IND", "98", "", "", "27", "25", "", "", "", "", "Y"],
        ["EB", "A", "IND", "98", "", "", "", "", ".2", "", "", "", "N"],
        ["MSG", "THIS IS NOT A GUARANTEE OF PAYMENT"],
      ]
    : [
        ["DTP", "347", "D8", "20241231"],
        ["EB", "6", "", "30"],
      ];
  const traced: Row[] = dependent ? [] : [["TRN", "2", trace, "9000000042"]];
  return writeAnswer("HB", "271", control, [...head, ...traced, subscriber, ...patient, ...lines]);
}

function statusOf(question: Question): string | undefined {
  const { control, find } = question;
  const asked = find("NM1", "IL");
  const member = members.find(({ memberId }) => memberId === asked?.[9]);
  const number = find("REF", "EJ")?.[2] ?? "VISIT-42";
  if (!member || number !== "VISIT-42") return undefined;
  return writeAnswer("HN", "277", control, [
    ["BHT", "0010", "08", control, "20261123", "1200", "DG"],
    ["HL", "1", "", "20", "1"],
    find("NM1", "PR") ?? ["NM1", "PR", "2"],
    ["HL", "2", "1", "21", "1"],
    find("NM1", "41") ?? ["NM1", "41", "2"],
    ["HL", "3", "2", "19", "1"],
    find("NM1", "1P") ?? ["NM1", "1P", "2"],
    ["HL", "4", "3", "22", "0"],
    asked ?? ["NM1", "IL", "1"],
    ["TRN", "2", find("TRN", "1")?.[2] ?? control],
    "STC|F1:65|20261102||185|140.5|20261101|CHK|20261102|889901|||PAID AS BILLED; SEE EOB".split(
      "|",
    ),
    ["REF", "1K", "2026300123"],
    ["REF", "EJ", number],
    ["DTP", "472", "RD8", "20261005-20261006"],
  ]);
}

const inElement = (xml: string, name: string) =>
  new RegExp(`<(?:\\w+:)?${name}(?: [^>]*)?>([^<]*)</`).exec(xml)?.[1];
const unescape = (text: string) =>
  text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
const escape = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

const core = (payload: string, code = "Success", message = "") =>
  new Response(
    [
      '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>',
      '<COREEnvelopeRealTimeResponse xmlns="http://www.caqh.org/SOAP/WSDL/CORERule2.2.0.xsd">',
      "<PayloadType>X12_277_Response_005010X212</PayloadType>",
      "<ProcessingMode>RealTime</ProcessingMode>",
      `<Payload>${escape(payload)}</Payload>`,
      `<ErrorCode>${code}</ErrorCode><ErrorMessage>${escape(message)}</ErrorMessage>`,
      "</COREEnvelopeRealTimeResponse></s:Body></s:Envelope>",
    ].join(""),
    { headers: { "content-type": "application/soap+xml; charset=utf-8" } },
  );
const support = "For assistance, contact Waystar client support";

export const simulation = defineSimulation(() => {
  const app = new Hono();
  const userOf = (id: string | null | undefined, password: string | null | undefined) =>
    users.find((user) => isSame(user.userId, id) && isSame(user.password, password));

  app.post("/1.0/Rest/Gateway/GatewayAsync.ashx", async (c) => {
    if (!c.req.header("content-type")?.startsWith("application/x-www-form-urlencoded"))
      return page("Authentication Failure");
    const form = new URLSearchParams(await c.req.text());
    const user = userOf(form.get("UserID"), form.get("Password"));
    if (!user) return page("Authentication Failure");
    if (!user.coverage) return page("The account is not set up for Eligibility", 403);
    const question = readQuestion(form.get("Data") ?? "");
    if (form.get("DataFormat") !== "X12" || typeof question === "string" || question.set !== "270")
      return page("'Data' is not valid. Please review the X12/Simple File and resubmit");
    const payer = question.find("NM1", "PR")?.[9] ?? "";
    const name = payers.get(payer);
    if (name === undefined) return page(`Payer ${payer} is not setup for eligibility.`);
    if (payer === "60054") return page("Payer timeout", 504);
    const answer = coverageOf(question);
    return form.get("ResponseType") === "271"
      ? c.text(answer)
      : page(`<pre>${escape(answer)}</pre>`);
  });

  app.post("/ExternalClaimStatus/ExternalCSIntake/Process", async (c) => {
    const xml = await c.req.text();
    const user = userOf(
      unescape(inElement(xml, "Username") ?? ""),
      unescape(inElement(xml, "Password") ?? ""),
    );
    const isCore =
      c.req.header("content-type")?.startsWith("application/soap+xml") &&
      inElement(xml, "PayloadType") === "X12_276_Request_005010X212" &&
      inElement(xml, "CORERuleVersion") === "2.2.0";
    if (!user || !isCore)
      return core(
        "",
        "Format Error",
        `The request is not in a recognized format. Please review and resubmit. ${support}`,
      );
    if (!user.status)
      return core(
        "",
        "Feature Inactive",
        "The feature you are attempting to use is not currently active for this account.",
      );
    const question = readQuestion(unescape(inElement(xml, "Payload") ?? ""));
    if (typeof question === "string" || question.set !== "276")
      return core(
        "",
        "276 Parser Error",
        `The 276 request could not be processed. Please review and resubmit. ${support}`,
      );
    const payer = question.find("NM1", "PR")?.[9] ?? "";
    if (payer !== "87726")
      return core(
        "",
        "Payer Inactive",
        "The destination payer is not available for EDI claim statusing",
      );
    const answer = statusOf(question);
    return answer === undefined
      ? core(
          "",
          "Claim Not Found",
          `No claim was found matching the 276 request. Please review and resubmit. ${support}`,
        )
      : core(answer);
  });
  app.notFound(() => page("The resource cannot be found.", 404));

  return {
    hosts: ["eligibilityapi.zirmed.com", "claimsapi.zirmed.com"],
    app,
    credentials,
    faults: {
      rate_limited: (fault) =>
        new Response("Too many requests", { status: 429, headers: retryAfter(fault) }),
      server_error: () => page("Server Error", 500),
      expired_credentials: () => page("Authentication Failure: the password has expired", 401),
      forbidden: () => page("The account is not set up for Eligibility", 403),
    },
    reset: () => undefined,
  };
});

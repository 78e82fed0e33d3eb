import { Hono } from "hono";

import { bearerToken, defineSimulation, idSequence, isSame, retryAfter } from "./define.ts";
import { claimComplaints, type Kind } from "./optum/claims.ts";
import { type Claimed, report277, seeded } from "./optum/mailbox.ts";
import {
  type Complaint,
  coverageOf,
  downPayer,
  isDate,
  isSent,
  payer,
  textAt,
  whoIs,
  within,
} from "./optum/members.ts";

const credentials = {
  clientId: "00000000000000000000000000000001",
  clientSecret: "simulated-optum-secret",
  submitterName: "Sunrise Clinic",
  contactName: "Dana Desk",
  contactPhone: "4155550100",
  submitterId: "999898",
  networkUser: "sunrise01",
  networkPassword: "simulated-mailbox-password",
};
/** May ask for eligibility, and nothing else. */
export const optumEligibilityOnly = {
  clientId: "00000000000000000000000000000002",
  clientSecret: "simulated-eligibility-secret",
};

const lifetimeSeconds = 3_600;
const unauthorized = (description: string) =>
  Response.json({ error: "invalid_token", error_description: description }, { status: 401 });
const forbidden = () =>
  Response.json(
    { error: "insufficient_scope", error_description: "Not entitled to this API" },
    { status: 403 },
  );
const refused = (errors: readonly Complaint[]) => Response.json({ errors }, { status: 400 });
const claimApis: Readonly<Record<string, Kind>> = {
  "professionalclaims/v3": "professional",
  "institutionalclaims/v1": "institutional",
};

async function readJson(request: Request): Promise<unknown> {
  if (!request.headers.get("content-type")?.startsWith("application/json")) return undefined;
  return request.json().catch(() => undefined);
}

function inquiryComplaints(body: unknown): Complaint[] {
  const complaints: Complaint[] = [];
  const say = (fine: boolean, field: string, description: string) => {
    if (!fine) complaints.push({ field, description });
  };
  const subscriber = within(body, "subscriber");
  say(/^\d{9}$/.test(textAt(body, "controlNumber") ?? ""), "controlNumber", "Must be nine digits");
  say(isSent(subscriber), "subscriber", "Must not be empty");
  say(textAt(body, "tradingPartnerServiceId") !== undefined, "tradingPartnerServiceId", "Required");
  if (!isSent(subscriber)) return complaints;
  const born = textAt(subscriber, "dateOfBirth");
  say(
    born === undefined || isDate(born),
    "subscriber.dateOfBirth",
    "Invalid date format. Please use the following format: yyyyMMdd.",
  );
  say(
    /^[A-Za-z0-9-]{1,80}$/.test(textAt(subscriber, "memberId") ?? ""),
    "subscriber.memberId",
    "Must be letters, digits and hyphens",
  );
  return complaints;
}

export const simulation = defineSimulation(() => {
  const ids = idSequence("optum");
  const tokens = new Map<string, { host: string; limited: boolean; expiresAt: number }>();
  const claims: Claimed[] = [];
  let mailbox = seeded();
  const app = new Hono<{ Variables: { limited: boolean; mode: string } }>();

  app.post("/apip/auth/v2/token", async (c) => {
    const type = c.req.header("content-type") ?? "";
    const no = (status: 400 | 401, error: string, error_description: string) =>
      c.json({ error, error_description }, status);
    const sent: unknown = type.startsWith("application/json")
      ? await readJson(c.req.raw)
      : Object.fromEntries(new URLSearchParams(await c.req.text()));
    if (!isSent(sent)) return no(400, "invalid_request", "Invalid request");
    if (sent["grant_type"] !== "client_credentials")
      return no(400, "unsupported_grant_type", "Only client_credentials is supported");
    const client = [credentials, optumEligibilityOnly].find(
      ({ clientId, clientSecret }) =>
        isSame(clientId, textAt(sent, "client_id")) &&
        isSame(clientSecret, textAt(sent, "client_secret")),
    );
    if (!client) return no(401, "invalid_client", "Client authentication failed");
    const access_token = ids.letters("eyJ", 40);
    tokens.set(access_token, {
      host: new URL(c.req.url).host,
      limited: client === optumEligibilityOnly,
      expiresAt: Date.now() + lifetimeSeconds * 1_000,
    });
    return c.json({ access_token, token_type: "bearer", expires_in: lifetimeSeconds });
  });

  // Asks for no token, so that it proves nothing of one.
  app.get("/medicalnetwork/payerlist/v1/healthcheck", (c) => c.json({ status: "OK" }));

  app.use("/medicalnetwork/*", async (c, next) => {
    const token = tokens.get(bearerToken(c.req.raw) ?? "");
    const { host } = new URL(c.req.url);
    if (!token || token.host !== host) return unauthorized("The access token is not valid");
    if (token.expiresAt <= Date.now()) return unauthorized("The access token has expired");
    if (token.limited && !c.req.path.startsWith("/medicalnetwork/eligibility/")) return forbidden();
    c.set("mode", host.startsWith("sandbox") ? "sandbox" : "production");
    return next();
  });
  app.get("/medicalnetwork/:api/:version/healthcheck", (c) =>
    c.json({ status: "OK", version: c.req.param("version") }),
  );

  app.post("/medicalnetwork/eligibility/v3/", async (c) => {
    const body = await readJson(c.req.raw);
    const complaints = inquiryComplaints(body);
    if (complaints.length) return refused(complaints);
    const asked = textAt(body, "tradingPartnerServiceId");
    if (asked === downPayer.id)
      return refused([{ field: "42", description: "Unable to Respond at Current Time" }]);
    if (asked !== payer.id)
      return refused([{ field: "79", description: "Invalid Participant Identification" }]);
    const dependents = within(body, "dependents");
    const [dependent] = Array.isArray(dependents) ? (dependents as unknown[]) : [];
    const found = whoIs(within(body, "subscriber"), dependent);
    if (Array.isArray(found)) return refused(found);
    return c.json(coverageOf(found, textAt(body, "controlNumber") ?? ""));
  });
  app.post("/medicalnetwork/eligibility/v3/raw-x12", async (c) => {
    const x12 = textAt(await readJson(c.req.raw), "x12");
    if (!x12?.startsWith("ISA") || !x12.includes("270"))
      return refused([{ field: "x12", description: "Not a 270" }]);
    const element = x12[3] ?? "*";
    const segments = x12.split(x12[105] ?? "~").map((segment) => segment.split(element));
    const member = segments.find(([id, code]) => id === "NM1" && code === "IL");
    const born = segments.find(([id]) => id === "DMG");
    const found = whoIs({ memberId: member?.[9], lastName: member?.[3], dateOfBirth: born?.[2] });
    if (Array.isArray(found)) return refused(found);
    return c.json(coverageOf(found, segments[0]?.[13] ?? ""));
  });

  const claimReply = (kind: Kind, mode: string, claim: Claimed, controlNumber: string) => ({
    status: "SUCCESS",
    controlNumber,
    tradingPartnerServiceId: payer.id,
    claimReference: {
      correlationId: ids.letters(`261123R${credentials.submitterId}~`, 12),
      submitterId: credentials.submitterId,
      customerClaimNumber: controlNumber,
      patientControlNumber: claim.patientControlNumber,
      timeOfResponse: "2026-11-23T12:00:00.000-05:00",
      claimType: kind === "professional" ? "PRO" : "INST",
      formatVersion: "5010",
      ...(kind === "professional"
        ? { rhclaimNumber: claim.clearinghouseNumber }
        : { rhClaimNumber: claim.clearinghouseNumber }),
    },
    editStatus: "SUCCESS",
    payer: { payerName: payer.name, payerID: payer.id },
    meta: { applicationMode: mode, senderId: "Sunrise_Clinic_App" },
  });
  const newClaim = (told: Omit<Claimed, "clearinghouseNumber">): Claimed => ({
    ...told,
    clearinghouseNumber: ids.hex("26328", 8).replace(/[a-f]/g, "0"),
  });
  function accept(claim: Claimed) {
    claims.push(claim);
    const place = String(claims.length).padStart(2, "0");
    mailbox.set(`X3${place}0000.CA`, report277(claim));
  }

  app.post("/medicalnetwork/:api/:version/:step{(?:validation|submission)}", async (c) => {
    const kind = claimApis[`${c.req.param("api")}/${c.req.param("version")}`];
    if (!kind) return c.json({ message: "no Route matched with those values" }, 404);
    const body = await readJson(c.req.raw);
    const complaints = claimComplaints(kind, body);
    if (complaints.length) return refused(complaints);
    const told = within(body, "claimInformation");
    const lines = within(told, "serviceLines");
    const claim = newClaim({
      patientControlNumber: textAt(told, "patientControlNumber") ?? "",
      memberId: textAt(within(body, "subscriber"), "memberId") ?? "",
      charge: textAt(told, "claimChargeAmount") ?? "",
      serviceDate: textAt(Array.isArray(lines) ? lines[0] : undefined, "serviceDate") ?? "",
    });
    if (c.req.param("step") === "submission") accept(claim);
    return c.json(claimReply(kind, c.get("mode"), claim, textAt(body, "controlNumber") ?? ""));
  });
  app.post("/medicalnetwork/:api/:version/raw-x12-submission", async (c) => {
    const kind = claimApis[`${c.req.param("api")}/${c.req.param("version")}`];
    const x12 = textAt(await readJson(c.req.raw), "x12");
    const clm = /CLM\*([^*]+)\*([\d.]+)/.exec(x12 ?? "");
    if (!kind || !clm) return refused([{ field: "x12", description: "Not an 837" }]);
    const [, patientControlNumber = "", charge = ""] = clm;
    const claim = newClaim({
      patientControlNumber,
      charge,
      memberId: "W000000001",
      serviceDate: "20261005",
    });
    accept(claim);
    return c.json(claimReply(kind, c.get("mode"), claim, x12?.slice(90, 99) ?? ""));
  });

  app.post("/medicalnetwork/claimstatus/v2/", async (c) => {
    const body = await readJson(c.req.raw);
    const complaints = inquiryComplaints(body);
    const providers = within(body, "providers");
    if (!Array.isArray(providers) || !providers.every((each) => textAt(each, "providerType")))
      complaints.push({ field: "providers", description: "Must not be empty" });
    if (complaints.length) return refused(complaints);
    const found = whoIs(within(body, "subscriber"), within(body, "dependent"));
    if (Array.isArray(found)) return refused(found);
    const encounter = within(body, "encounter");
    const [id, number] = [
      textAt(encounter, "clearingHouseClaimNumber"),
      textAt(encounter, "patientAccountNumber"),
    ];
    const matching = claims.filter(
      (claim) =>
        claim.memberId === found.memberId &&
        (id === undefined || claim.clearinghouseNumber === id) &&
        (number === undefined || claim.patientControlNumber === number),
    );
    const nothing = {
      statusCategoryCode: "D0",
      statusCategoryCodeValue: "Data Search Unsuccessful",
      statusCode: "35",
      statusCodeValue: "Claim/encounter not found.",
      effectiveDate: "20261123",
    };
    const statuses = matching.map((claim) => ({
      statusCategoryCode: "P1",
      statusCategoryCodeValue: "Pending/In Process",
      statusCode: "20",
      statusCodeValue: "Accepted for processing.",
      effectiveDate: "20261123",
      submittedAmount: claim.charge,
      amountPaid: "0",
      claimServiceDate: claim.serviceDate,
      clearingHouseClaimNumber: claim.clearinghouseNumber,
      patientAccountNumber: claim.patientControlNumber,
    }));
    return c.json({
      controlNumber: textAt(body, "controlNumber"),
      tradingPartnerServiceId: payer.id,
      payer: { organizationName: payer.name, payerIdentification: payer.id },
      claims: (statuses.length ? statuses : [nothing]).map((claimStatus) => ({ claimStatus })),
    });
  });

  const reports = "/medicalnetwork/reports/v2";
  const meta = (mode: string) => ({
    applicationMode: mode,
    senderId: "Sunrise_Clinic_App",
    traceId: ids.uuid(),
  });
  app.use(`${reports}/*`, async (c, next) => {
    const given = c.req.header("X-CHC-Reports-Username");
    const password = c.req.header("X-CHC-Reports-Password");
    const known =
      isSame(credentials.networkUser, given) && isSame(credentials.networkPassword, password);
    return given !== undefined && !known ? forbidden() : next();
  });
  app.get(`${reports}/`, (c) =>
    c.json({ reports: [...mailbox.keys()], meta: meta(c.get("mode")) }),
  );
  app.get(`${reports}/:name`, (c) => {
    const file = mailbox.get(c.req.param("name"));
    if (!file) return c.json({ detail: "Report not found" }, 404);
    return c.json({ report_content: file.content, meta: meta(c.get("mode")) });
  });
  app.get(`${reports}/:name/:set{(?:835|277)}`, (c) => {
    const file = mailbox.get(c.req.param("name"));
    const read = c.req.param("set") === "835" ? file?.as835 : file?.as277;
    if (!file) return c.json({ detail: "Report not found" }, 404);
    if (!read)
      return c.json(
        { detail: [{ loc: ["path", "filename"], msg: "not of that kind", type: "value_error" }] },
        422,
      );
    return c.json({ ...read, meta: meta(c.get("mode")) });
  });
  app.delete(`${reports}/:name`, (c) => {
    if (!mailbox.delete(c.req.param("name"))) return c.json({ detail: "Report not found" }, 404);
    return c.json({ status: "success", meta: meta(c.get("mode")) });
  });

  const listed = [payer, downPayer].map(({ id, name }) => ({
    payerId: id,
    payerPlanName: name,
    status: "Active",
    payerType: "Commercial",
    stateDoingBusiness: "NC",
    transactionType: "Eligibility",
  }));
  app.get("/medicalnetwork/payerlist/v1/payers", (c) => {
    const query = c.req.query();
    if (!query["system"]) return c.json({ message: "system is required" }, 400);
    const named = (query["payerPlanName"] ?? "").toUpperCase();
    const found = listed.filter(
      (each) =>
        each.payerPlanName.includes(named) && each.payerId === (query["payerId"] ?? each.payerId),
    );
    const pageSize = Number(query["pageSize"] ?? 50);
    return c.json({ data: found.slice(0, pageSize), page: 1, pageSize, totalCount: found.length });
  });
  app.get("/medicalnetwork/payerlist/v1/outages", (c) => {
    if (!c.req.query("system")) return c.json({ message: "system is required" }, 400);
    const data = [
      {
        imnPayerId: downPayer.id,
        payerName: downPayer.name,
        transactionType: "Eligibility",
        activeStatus: "Active",
        standinReason: "Payer maintenance",
        issueStartDate: "2026-11-23T06:00:00Z",
      },
    ].filter(({ imnPayerId }) => imnPayerId === (c.req.query("imnPayerId") ?? imnPayerId));
    return c.json({ data, page: 1, pageSize: 50, totalCount: data.length });
  });
  app.notFound((c) => c.json({ message: "no Route matched with those values" }, 404));

  return {
    hosts: ["sandbox-apigw.optum.com", "apigw.optum.com"],
    app,
    credentials,
    faults: {
      rate_limited: (fault) =>
        Response.json(
          { message: "API rate limit exceeded" },
          { status: 429, headers: retryAfter(fault) },
        ),
      server_error: () =>
        Response.json({ message: "An unexpected error occurred" }, { status: 500 }),
      expired_credentials: () => unauthorized("The access token has expired"),
      forbidden,
    },
    reset() {
      ids.reset();
      tokens.clear();
      claims.length = 0;
      mailbox = seeded();
    },
  };
});

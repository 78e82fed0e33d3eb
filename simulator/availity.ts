import { Hono } from "hono";

import {
  coverageOf,
  downPayer,
  estimateOf,
  type Member,
  members,
  payer,
  refusedCoverage,
  routes,
  statusOf,
} from "./availity/answers.ts";
import { bearerToken, defineSimulation, idSequence, isSame, retryAfter } from "./define.ts";

const credentials = {
  clientId: "00000000-0000-4000-8000-0000000000a1",
  clientSecret: "simulated-availity-secret",
  plan: "demo",
  customerId: "1194",
  providerNpi: "1234567893",
};
const demo = "healthcare-hipaa-transactions-demo";
const product = "healthcare-hipaa-transactions";

/** Subscribed to Standard, and one that is subscribed to the payer list alone. */
export const availityStandard = {
  ...credentials,
  clientId: "00000000-0000-4000-8000-0000000000b2",
  clientSecret: "simulated-standard-secret",
  plan: "standard",
};
export const availityPayerListOnly = {
  ...credentials,
  clientId: "00000000-0000-4000-8000-0000000000c3",
  clientSecret: "simulated-payer-list-secret",
  scopes: "aws-availity-payer-list",
};
const applications = [
  { ...credentials, granted: [demo] },
  { ...availityStandard, granted: [product, `${product}-standard`] },
  { ...availityPayerListOnly, granted: ["aws-availity-payer-list"] },
];

const lifetimeSeconds = 300;

const failure = (
  statusCode: number,
  userMessage: string,
  more: { developerMessage?: string; errors?: object[] } = {},
  headers: Record<string, string> = {},
) =>
  Response.json(
    { statusCode, reasonCode: 0, userMessage, developerMessage: userMessage, ...more },
    { status: statusCode, headers },
  );
const unauthorized = (developerMessage: string) =>
  failure(401, "You are not authorized to make this request.", { developerMessage });
const forbidden = () => failure(403, "The request is understood, but it has been refused.");
const missing = (fields: readonly string[]) =>
  failure(400, "The request was malformed.", {
    errors: fields.map((field) => ({ field, errorMessage: `${field} is required` })),
  });

type Kept = { owner: string; patience: number; body: object };

export const simulation = defineSimulation(() => {
  const ids = idSequence("availity");
  const tokens = new Map<string, { owner: string; scopes: string[]; expiresAt: number }>();
  const kept = new Map<string, Kept>();
  const app = new Hono<{ Variables: { owner: string; demo: boolean } }>();

  function seed() {
    kept.clear();
    const [member] = members;
    const { clientId: owner } = credentials;
    if (!member) return;
    const seeded: [string, object][] = [
      ["1400000000000000001", coverageOf("1400000000000000001", member)],
      ["1400000000000000002", statusOf("1400000000000000002", "VISIT-41", true)],
      [
        "1400000000000000003",
        estimateOf("1400000000000000003", [{ procedureCode: "99213", amount: "150.00" }]),
      ],
      [
        "1400000000000000004",
        { id: "1400000000000000004", requestTypeCode: "CLAIM", message: "Accepted by the payer" },
      ],
    ];
    for (const [id, body] of seeded) kept.set(id, { owner, patience: 0, body });
  }
  seed();

  app.use("*", async (c, next) => {
    await next();
    c.res.headers.set("X-Availity-Transaction-ID", ids.uuid());
    if (c.get("demo")) c.res.headers.set("X-Api-Mock-Response", "true");
  });

  app.post("/v1/token", async (c) => {
    const no = (status: 400 | 401, error: string) => c.json({ error }, status);
    if (!c.req.header("content-type")?.startsWith("application/x-www-form-urlencoded"))
      return no(400, "invalid_request");
    const form = new URLSearchParams(await c.req.text());
    if (form.get("grant_type") !== "client_credentials") return no(400, "unsupported_grant_type");
    const application = applications.find(
      ({ clientId, clientSecret }) =>
        isSame(clientId, form.get("client_id")) && isSame(clientSecret, form.get("client_secret")),
    );
    if (!application) return no(401, "invalid_client");
    const scopes = (form.get("scope") ?? "").split(" ").filter(Boolean);
    if (scopes.length === 0) return no(400, "invalid_scope");
    // As its gateway does, whatever the standard says of invalid_scope.
    if (!scopes.every((scope) => application.granted.includes(scope)))
      return no(401, "unauthorized_client");
    const access_token = ids.letters("AAI", 60);
    tokens.set(access_token, {
      owner: application.clientId,
      scopes,
      expiresAt: Date.now() + lifetimeSeconds * 1_000,
    });
    return c.json({
      access_token,
      token_type: "Bearer",
      expires_in: lifetimeSeconds,
      scope: scopes.join(" "),
      consented_on: 1_795_000_000,
    });
  });

  const api = new Hono<{ Variables: { owner: string; demo: boolean } }>();
  api.use("*", async (c, next) => {
    const token = tokens.get(bearerToken(c.req.raw) ?? "");
    if (!token) return unauthorized("Invalid access token");
    if (token.expiresAt <= Date.now()) return unauthorized("Access token has expired");
    const customer = c.req.header("X-Availity-Customer-Id");
    if (customer !== undefined && customer !== credentials.customerId) return forbidden();
    const listOnly = token.scopes.includes("aws-availity-payer-list");
    if (listOnly && !c.req.path.endsWith("/availity-payer-list")) return forbidden();
    c.set("owner", token.owner);
    c.set("demo", token.scopes.includes(demo));
    return next();
  });

  async function readForm(request: Request): Promise<URLSearchParams | Response> {
    if (!request.headers.get("content-type")?.startsWith("application/x-www-form-urlencoded"))
      return failure(415, "Unsupported media type");
    const form = new URLSearchParams(await request.text());
    if ([...form.values()].some((value) => /[<>{}]/.test(value)))
      return failure(400, "The request was malformed.", {
        developerMessage: "Possible inbound injection detected",
      });
    return form;
  }
  const memberOf = (form: URLSearchParams, names: [string, string, string]): Member | undefined =>
    members.find(
      (member) =>
        member.memberId === form.get(names[0]) &&
        member.lastName === form.get(names[1])?.toUpperCase() &&
        member.birthDate === form.get(names[2]),
    );
  const keep = (owner: string, patience: number, make: (id: string) => object) => {
    const id = ids.hex("14", 17).replace(/[a-f]/g, "7");
    const body = make(id);
    kept.set(id, { owner, patience, body });
    return { id, body };
  };
  const inProgress = (id: string) => ({ id, status: "In Progress", statusCode: "0" });

  api.post("/coverages", async (c) => {
    const form = await readForm(c.req.raw);
    if (form instanceof Response) return form;
    const needed = ["payerId", "providerNpi", "memberId", "patientLastName", "patientBirthDate"];
    const absent = needed.filter((name) => !form.get(name));
    if (absent.length) return missing(absent);
    // The demo holds data of another year.
    if (c.get("demo") && form.get("asOfDate")) return failure(500, "Internal error");
    if (form.get("payerId") === downPayer.payerId) return failure(503, "Payer unavailable");
    const names: [string, string, string] = ["memberId", "patientLastName", "patientBirthDate"];
    const self = form.get("subscriberRelationship") === "18";
    const insured = members.find(({ memberId }) => memberId === form.get("memberId"));
    const member = self ? memberOf(form, names) : insured;
    const { id, body } = keep(c.get("owner"), member?.patience ?? 0, (id) =>
      member ? coverageOf(id, member) : refusedCoverage(id),
    );
    const page = (coverage: object) => ({ totalCount: 1, count: 1, coverages: [coverage] });
    if (member?.patience)
      return c.json(page(inProgress(id)), 202, {
        location: `https://api.availity.com/v1/coverages/${id}`,
      });
    const { status, statusCode } = body as { status: string; statusCode: string };
    return c.json(page(member ? { id, status, statusCode } : body));
  });

  api.post("/claim-statuses", async (c) => {
    if (c.req.header("X-HTTP-Method-Override") !== "GET")
      return failure(405, "The method is not allowed for this resource.");
    const form = await readForm(c.req.raw);
    if (form instanceof Response) return form;
    const needed = ["payer.id", "providers.npi", "subscriber.memberId", "fromDate", "toDate"];
    const absent = needed.filter((name) => !form.get(name));
    if (absent.length) return missing(absent);
    const names: [string, string, string] = [
      "subscriber.memberId",
      "patient.lastName",
      "patient.birthDate",
    ];
    const found = memberOf(form, names) !== undefined;
    const number = form.get("patient.accountNumber") ?? "VISIT-41";
    const { id } = keep(c.get("owner"), 1, (id) => statusOf(id, number, found));
    return c.json(
      { totalCount: 1, count: 1, offset: 0, limit: 50, claimStatuses: [inProgress(id)] },
      202,
      {
        location: `https://api.availity.com/v1/claim-statuses/${id}`,
        "x-status-message": "In Progress",
      },
    );
  });

  type Lines = { procedureCode: string; amount: string }[];
  type ClaimBody = {
    requestTypeCode?: string;
    payer?: { id?: string };
    billingProvider?: { npi?: string };
    subscriber?: { memberId?: string };
    claimInformation?: { serviceLines?: Lines };
  };
  const claimResource = (path: string, type: string, make: (id: string, lines: Lines) => object) =>
    api.post(path, async (c) => {
      if (!c.req.header("content-type")?.startsWith("application/json"))
        return failure(415, "Unsupported media type");
      const body = (await c.req.json().catch(() => ({}))) as ClaimBody;
      const lines = body.claimInformation?.serviceLines ?? [];
      const absent = [
        ...(body.requestTypeCode === type ? [] : ["requestTypeCode"]),
        ...(body.payer?.id ? [] : ["payer.id"]),
        ...(body.billingProvider?.npi ? [] : ["billingProvider.npi"]),
        ...(body.subscriber?.memberId ? [] : ["subscriber.memberId"]),
        ...(lines.length ? [] : ["claimInformation.serviceLines"]),
      ];
      if (absent.length) return missing(absent);
      const { id } = keep(c.get("owner"), 1, (id) => make(id, lines));
      return c.body(null, 202, { location: `https://api.availity.com/v1${path}/${id}` });
    });
  claimResource("/professional-claims", "PRE_DETERMINATION", estimateOf);
  claimResource("/institutional-claims", "PRE_DETERMINATION", estimateOf);
  claimResource("/dental-claims", "CLAIM", (id) => ({
    id,
    requestTypeCode: "CLAIM",
    message: "Accepted by the payer",
  }));

  api.get("/availity-payer-list", (c) => {
    const asked = c.req.query("payerId");
    const limit = Number(c.req.query("limit") ?? 50);
    if (!(limit >= 1 && limit <= 50)) return missing(["limit"]);
    return c.json(
      [payer, downPayer]
        .filter(({ payerId }) => payerId === (asked ?? payerId))
        .slice(0, limit)
        .map((each) => ({ ...each, displayName: each.name, processingRoutes: routes })),
    );
  });
  api.get("/configurations", (c) => {
    const type = c.req.query("type");
    if (!type) return missing(["type"]);
    const payerId = c.req.query("payerId") ?? payer.payerId;
    const configurations = [
      {
        type,
        payerId,
        payerName: payer.name,
        version: "1.0.0",
        elements: {
          memberId: { type: "Text", label: "Member ID", required: true, maxLength: 20 },
          patientGender: { type: "Enumeration", required: false },
        },
      },
    ];
    return c.json({ totalCount: 1, count: 1, offset: 0, limit: 50, configurations });
  });

  const resources =
    "coverages|claim-statuses|professional-claims|institutional-claims|dental-claims";
  api.get(`/:resource{(?:${resources})}/:id`, (c) => {
    const { resource, id } = c.req.param();
    const found = kept.get(id);
    if (!found || found.owner !== c.get("owner"))
      return failure(404, "The requested resource does not exist.");
    if (found.patience === 0) return c.json(found.body);
    found.patience -= 1;
    if (resource === "coverages") return c.json(inProgress(id));
    const headers = { "x-status-message": "In Progress" };
    return resource === "claim-statuses"
      ? c.json(inProgress(id), 202, headers)
      : c.body(null, 202, headers);
  });
  api.delete("/coverages/:id", (c) => {
    const found = kept.get(c.req.param("id"));
    if (!found || found.owner !== c.get("owner"))
      return failure(404, "The requested resource does not exist.");
    kept.delete(c.req.param("id"));
    return c.body(null, 204);
  });
  api.notFound(() => failure(404, "The requested resource does not exist."));

  app.route("/v1", api);
  app.route("/availity/v1", api);
  app.notFound(() => failure(404, "The requested resource does not exist."));

  return {
    hosts: ["api.availity.com"],
    app,
    credentials,
    faults: {
      rate_limited: (fault) =>
        failure(429, "The transaction rate limit has been exceeded.", {}, retryAfter(fault)),
      server_error: () => failure(500, "The service encountered an unexpected condition."),
      expired_credentials: () => unauthorized("Access token has expired"),
      forbidden,
    },
    reset() {
      ids.reset();
      tokens.clear();
      seed();
    },
  };
});

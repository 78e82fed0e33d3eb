import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import type { Api } from "./api.ts";
import { capabilities } from "./capabilities.ts";
import { defineVendor, operation } from "./define.ts";
import * as examples from "./medical-network-examples.ts";
import {
  claimGap,
  type ClaimParams,
  ClaimReply,
  claimRequest,
  EligibilityReply,
  eligibilityRequest,
  keepingRaw,
  networkFailure,
  readClaimReply,
  readEligibility,
  readStatus,
  StatusReply,
  statusRequest,
} from "./medical-network.ts";
import { type Config, present, steps } from "./optum-fields.ts";
import { payerOperations } from "./optum-payers.ts";
import { mailbox, ReportList, reportOperations, reports } from "./optum-reports.ts";
import { ClaimAnswers } from "./x12-claim-status.ts";
import { build270, Coverage } from "./x12-eligibility.ts";
import { buildX12, parseX12, X12Error } from "./x12.ts";

const host = "https://sandbox-apigw.optum.com";
const root = "/medicalnetwork";
const claims = `${root}/{api}/{version}`;
const apis = {
  professional: { api: "professionalclaims", version: "v3" },
  institutional: { api: "institutionalclaims", version: "v1" },
};
const professional = `${root}/professionalclaims/v3`;

/** Payers have 20 s to answer (CAQH CORE), and the clearinghouse needs some of its own. */
const timeoutMs = 30_000;

const isSandbox = (api: Api) => api.baseUrl.includes("sandbox");

/** Nine digits that nobody else is likely to use today; the sandbox knows only its own. */
function controlNumber(api: Api) {
  if (isSandbox(api)) return "123456789";
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  return String((random % 999_999_999) + 1).padStart(9, "0");
}

function claimHeaders(kind: ClaimParams["kind"], values: Config) {
  const prefix = kind === "professional" ? "X-CHC-ClaimSubmission" : "X-CHC-InstitutionalClaims";
  return present({
    [`${prefix}-SubmitterId`]: values.submitterId,
    [`${prefix}-BillerId`]: values.billerId,
    [`${prefix}-Username`]: values.networkUser,
    [`${prefix}-Pwd`]: values.networkPassword,
  });
}
const claimCall = (api: Api, params: ClaimParams, values: Config) => ({
  path: apis[params.kind],
  headers: claimHeaders(params.kind, values),
  timeoutMs,
  json: claimRequest(params, {
    controlNumber: controlNumber(api),
    test: isSandbox(api),
    submitter: {
      organization: values.submitterName,
      contact: values.contactName,
      phone: values.contactPhone,
    },
  }),
});

/** An interchange that is not whole is refused here, before the clearinghouse takes half of it. */
function checked(x12: string, set: string) {
  try {
    const sets = parseX12(x12).flatMap(({ groups }) =>
      groups.flatMap(({ transactions }) => transactions.map((transaction) => transaction.set)),
    );
    if (sets.length > 0 && sets.every((each) => each === set)) return { json: { x12 } };
  } catch (error) {
    if (!(error instanceof X12Error)) throw error;
    throw new VendorFailure("invalid_request", `The X12 is not right: ${error.message}`);
  }
  throw new VendorFailure("invalid_request", `The X12 must hold ${set} transactions alone`);
}

const Raw = { raw: z.boolean().default(false) };
const X12 = z.string().min(106).max(5_000_000);
const Kind = z.enum(["professional", "institutional"]);
const Covered = Coverage.extend({
  /** Optum's own reply, where `raw` asked for it. */
  raw: z.unknown().optional(),
});
const Claim = capabilities["claim.submit"].params.extend(Raw).superRefine((params, context) => {
  const gap = claimGap(params);
  if (gap) context.addIssue({ code: "custom", ...gap });
});
const Claimed = capabilities["claim.submit"].result.extend({
  correlationId: z.string().optional(),
  raw: z.unknown().optional(),
});
const Statuses = ClaimAnswers.extend({
  status: z.enum(["answered", "pending"]),
  id: z.string().optional(),
  raw: z.unknown().optional(),
});

const Sent = keepingRaw(ClaimReply);
const claimReply = (params: { raw: boolean }, { read, raw }: z.output<typeof Sent>) => ({
  ...readClaimReply(read),
  ...(params.raw && { raw }),
});
const exampleClaimed = {
  id: "2632800000001",
  correlationId: "261123R999898~1",
  status: "accepted" as const,
  errors: [],
};
const parties = {
  sender: "999898",
  receiver: "CHC",
  control: "42",
  usage: "test",
  now: new Date("2026-11-23T12:00:00Z"),
} as const;
const example270 = build270(examples.exampleInquiry, parties);
/** The envelope is right; the body is cut short. */
const example837 = buildX12({ ...parties, code: "HC", set: "837", version: "005010X222A1" }, [
  [
    ["BHT", "0019", "00", "42", "20261123", "1200", "CH"],
    ["CLM", "VISIT-42", "185", "", "", ["11", "B", "1"], "Y", "A", "Y", "Y"],
  ],
]);

export const vendor = defineVendor({
  name: "Optum (Change Healthcare)",
  aliases: ["change-healthcare"],
  category: "claims",
  alsoIn: ["eligibility", "era", "rcm"],
  description:
    "The Medical Network clearinghouse, formerly Change Healthcare: eligibility, professional and institutional claims with validation, claim status, acknowledgments and remittance with most US payers.",
  website: "https://www.optum.com",
  documentation: "https://developer.optum.com/eligibilityandclaims",
  keywords: ["clearinghouse", "270", "271", "276", "277", "835", "837", "era", "payer list"],
  featured: true,
  access: {
    kind: "partner",
    contact: "https://developer.optum.com/eligibilityandclaims",
    takes:
      "A form for the free sandbox; for production an agreement with Optum, and enrollment with the payers.",
  },
  environments: {
    sandbox: { baseUrl: host },
    production: { baseUrl: "https://apigw.optum.com" },
  },
  steps,
  auth: ({ clientId, clientSecret }) => ({
    kind: "client_credentials",
    tokenUrl: "/apip/auth/v2/token",
    clientId,
    clientSecret,
    style: "json",
  }),
  failure: networkFailure,
  async test(api, values, environment) {
    const Health = z.union([
      z.object({ status: z.string() }),
      z.object({ version: z.string(), status: z.null().optional() }),
    ]);
    // The payer list has a health check too, which asks for no token and so proves nothing.
    const { status } = await api.get(`${root}/eligibility/v3/healthcheck`, Health);
    if (/down|fail|error/i.test(status ?? ""))
      throw new VendorFailure("vendor_unavailable", "Optum says that eligibility is down");
    const found = await api
      .get(`${reports}/`, ReportList, mailbox(values))
      .catch((error: unknown) => {
        const refused = error instanceof VendorFailure && error.failure === "forbidden";
        if (refused) return undefined;
        throw error;
      });
    const { senderId, applicationMode } = found?.meta ?? {};
    if (applicationMode && (applicationMode === "sandbox") !== (environment === "sandbox"))
      throw new VendorFailure(
        "credentials_rejected",
        `Optum says that these are credentials of its ${applicationMode === "sandbox" ? "sandbox" : "production"} environment`,
      );
    return {
      account: senderId ?? `Client ${values.clientId}`,
      checked: [
        "token issued",
        "eligibility answers",
        ...(found ? ["the report mailbox can be read"] : []),
      ],
    };
  },
  operations: {
    checkEligibility: operation({
      title: "Check a patient's coverage (270/271)",
      effect: "read",
      idempotent: true,
      capability: "eligibility.check",
      params: capabilities["eligibility.check"].params.extend(Raw),
      result: Covered,
      example: {
        params: examples.exampleInquiry,
        wire: [{ request: `POST ${root}/eligibility/v3/`, reply: examples.exampleEligibility }],
        result: examples.exampleCoverage,
      },
      async run(api, params) {
        const json = eligibilityRequest(params, controlNumber(api));
        const reply = keepingRaw(EligibilityReply);
        const { read, raw } = await api.post(`${root}/eligibility/v3/`, reply, { json, timeoutMs });
        return { ...readEligibility(read), ...(params.raw && { raw }) };
      },
    }),
    checkEligibilityX12: operation({
      title: "Check a patient's coverage with a 270 of your own",
      effect: "read",
      idempotent: true,
      params: z.object({ x12: X12, ...Raw }),
      result: Covered,
      example: {
        params: { x12: example270 },
        wire: [
          { request: `POST ${root}/eligibility/v3/raw-x12`, reply: examples.exampleEligibility },
        ],
        result: examples.exampleCoverage,
      },
      async run(api, { x12, raw: wanted }) {
        const reply = keepingRaw(EligibilityReply);
        const path = `${root}/eligibility/v3/raw-x12`;
        const call = { ...checked(x12, "270"), timeoutMs };
        const { read, raw } = await api.post(path, reply, call);
        return { ...readEligibility(read), ...(wanted && { raw }) };
      },
    }),
    validateClaim: operation({
      title: "Check a claim without sending it",
      description: "Runs the clearinghouse's edits; the claim goes no further.",
      effect: "read",
      idempotent: true,
      params: Claim,
      result: Claimed,
      example: {
        params: examples.exampleClaim,
        wire: [{ request: `POST ${professional}/validation`, reply: examples.exampleClaimReply }],
        result: exampleClaimed,
      },
      async run(api, params, values: Config) {
        // The API description wants this of institutional claims alone.
        const query = {
          USERNAME: params.kind === "institutional" ? values.networkUser : undefined,
        };
        const call = { ...claimCall(api, params, values), query };
        return claimReply(params, await api.post(`${claims}/validation`, Sent, call));
      },
    }),
    submitClaim: operation({
      title: "Submit a claim (837)",
      description:
        "“Accepted” is the clearinghouse's word; the payer's answer arrives as a report. Optum has no idempotency key: after an uncertain failure ask for the claim's status before you send it again.",
      effect: "write",
      capability: "claim.submit",
      params: Claim,
      result: Claimed,
      example: {
        params: examples.exampleClaim,
        wire: [{ request: `POST ${professional}/submission`, reply: examples.exampleClaimReply }],
        result: exampleClaimed,
      },
      async run(api, params, values: Config) {
        const path = `${claims}/submission`;
        return claimReply(params, await api.post(path, Sent, claimCall(api, params, values)));
      },
    }),
    submitClaimX12: operation({
      title: "Submit a claim with an 837 of your own",
      effect: "write",
      params: z.object({ kind: Kind, x12: X12, ...Raw }),
      result: Claimed,
      example: {
        params: { kind: "professional", x12: example837 },
        wire: [
          {
            request: `POST ${professional}/raw-x12-submission`,
            reply: examples.exampleClaimReply,
          },
        ],
        result: exampleClaimed,
      },
      async run(api, params, values: Config) {
        const path = `${claims}/raw-x12-submission`;
        const headers = claimHeaders(params.kind, values);
        const call = { ...checked(params.x12, "837"), headers, path: apis[params.kind], timeoutMs };
        return claimReply(params, await api.post(path, Sent, call));
      },
    }),
    checkClaimStatus: operation({
      title: "Ask what became of a claim (276/277)",
      effect: "read",
      idempotent: true,
      capability: "claim.status",
      params: capabilities["claim.status"].params.extend(Raw),
      result: Statuses,
      example: {
        params: examples.exampleStatusInquiry,
        wire: [{ request: `POST ${root}/claimstatus/v2/`, reply: examples.exampleStatusReply }],
        result: {
          status: "answered",
          id: "2632800000001",
          claims: [examples.exampleAnswer],
          errors: [],
        },
      },
      async run(api, params) {
        const json = statusRequest(params, controlNumber(api));
        const reply = keepingRaw(StatusReply);
        const { read, raw } = await api.post(`${root}/claimstatus/v2/`, reply, {
          json,
          timeoutMs,
        });
        const { id } = params;
        return { status: "answered" as const, id, ...readStatus(read), ...(params.raw && { raw }) };
      },
    }),
    ...reportOperations,
    ...payerOperations,
  },
  links: [
    { title: "Developer portal", url: "https://developer.optum.com/eligibilityandclaims" },
    { title: "Marketplace", url: "https://marketplace.optum.com" },
  ],
});

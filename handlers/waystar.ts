import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import type { Api, Call } from "./api.ts";
import { capabilities } from "./capabilities.ts";
import { defineVendor, type Failure, operation } from "./define.ts";
import { password, type Step, text, type Values } from "./fields.ts";
import { realTimeRequest, soapType, textOf } from "./waystar-soap.ts";
import { build276, ClaimAnswers, read277 } from "./x12-claim-status.ts";
import { build270, Coverage, type Inquiry, read271 } from "./x12-eligibility.ts";
import { eligibility as example271, statuses as example277 } from "./x12-samples.ts";
import { parseX12, X12Error } from "./x12.ts";

const steps = [
  {
    id: "credentials",
    title: "RealTime API user",
    description:
      "Not the user of a person: Waystar makes a RealTime API user for programs. Its IP list, if it has one, must allow this service.",
    fields: {
      userId: text({
        label: "User ID",
        help: "Waystar portal, Settings, Key/Pass: the user of the RealTime API.",
        helpUrl: "https://developer.waystar.com",
        max: 60,
        example: "RTE000001",
      }),
      password: password({
        label: "Password",
        help: "Of that user. It can be changed by its owner only, and may expire.",
        helpUrl: "https://developer.waystar.com",
        max: 100,
        example: "simulated-waystar-password",
      }),
      custId: text({
        label: "Customer ID (CustID)",
        help: "Your organization's number at Waystar; each facility may have its own.",
        pattern: "^[A-Za-z0-9]{1,15}$",
        message: "A customer ID has up to 15 letters and digits",
        example: "100001",
      }),
    },
  },
  {
    id: "x12",
    title: "X12 envelope",
    description: "Only where your Waystar contact gave you other names than the usual ones.",
    fields: {
      senderId: text({
        label: "Sender ID",
        required: false,
        help: "ISA06 and GS02 of what is sent. Usually the customer ID.",
        pattern: "^[A-Za-z0-9]{1,15}$",
        message: "A sender ID has up to 15 letters and digits",
        example: "100001",
      }),
      receiverId: text({
        label: "Receiver ID",
        required: false,
        help: "ISA08 and GS03. Usually WAYSTAR; older accounts have ZIRMED.",
        pattern: "^[A-Za-z0-9]{1,15}$",
        message: "A receiver ID has up to 15 letters and digits",
        default: "WAYSTAR",
        example: "WAYSTAR",
      }),
    },
  },
] as const satisfies readonly Step[];

type Config = Values<typeof steps>;

/** Payers have 20 s to answer (CAQH CORE), and Waystar needs some of its own. */
const timeoutMs = 30_000;
const gateway = "/Rest/Gateway/GatewayAsync.ashx";
/** Simulated by Waystar itself: no payer is asked. */
const simulatedPayer = "66666";

/**
 * Errors come as words, in HTML, with 200 or with a status. The words are Waystar's, from its
 * documentation's error tables; what they may quote is not told further.
 */
const words: readonly [RegExp, NonNullable<Failure["cause"]>, string][] = [
  [
    /password[^.]{0,40}expired|expired[^.]{0,40}password/i,
    "credentials_expired",
    "The password has expired",
  ],
  [
    /authentication failure|FailedAuthentication|UnAuthorized/i,
    "credentials_rejected",
    "Waystar refused the user or the password",
  ],
  [
    /feature[^.]{0,60}not currently active/i,
    "forbidden",
    "The feature is not active for this account",
  ],
  [/account[^.]{0,60}not set ?up/i, "forbidden", "The account is not set up for this"],
  [
    /not set ?up for eligibility/i,
    "invalid_request",
    "The payer does not take eligibility inquiries through Waystar",
  ],
  [
    /destination payer is not available/i,
    "invalid_request",
    "The payer does not take claim status inquiries through Waystar",
  ],
  [
    /'Data' is not valid|276 request could not be processed/i,
    "invalid_request",
    "Waystar could not read the X12",
  ],
  [
    /request is not in a recognized format/i,
    "credentials_rejected",
    "Waystar could not authenticate the call, or not read it",
  ],
  [/processing error/i, "vendor_unavailable", "Waystar could not process the inquiry"],
];

function readWords(said: unknown): Failure | undefined {
  if (typeof said !== "string") return undefined;
  const head = said.slice(0, 20_000);
  const [, cause, message] = words.find(([pattern]) => pattern.test(head)) ?? [];
  return cause && message ? { cause, message } : undefined;
}

function refuse(said: string): never {
  const { cause = "unexpected_reply", message } = readWords(said) ?? {};
  throw new VendorFailure(cause, message);
}

/** X12 of the tenant's making is its mistake, of the vendor's making the vendor's. */
function withX12<T>(cause: "invalid_request" | "unexpected_reply", work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof X12Error)) throw error;
    const whose =
      cause === "invalid_request" ? "The X12 is not right" : "The answer is not whole X12";
    throw new VendorFailure(cause, `${whose}: ${error.message}`);
  }
}

const isX12 = (said: string) => said.trimStart().startsWith("ISA");

/** CAQH CORE: what cannot be processed is answered by a TA1 or a 999 alone. */
function readAnswer<T>(answer: string, read: (x12: string) => T): T {
  return withX12("unexpected_reply", () => {
    const all = parseX12(answer);
    const sets = all.flatMap(({ groups }) =>
      groups.flatMap(({ transactions }) => transactions.map(({ set }) => set)),
    );
    const acknowledged = sets.length > 0 || all.some((each) => each.acknowledgments.length > 0);
    if (!acknowledged || sets.some((set) => set !== "999")) return read(answer);
    throw new VendorFailure("invalid_request", "Waystar or the payer could not process the X12", {
      vendorCode: sets[0] ?? "TA1",
    });
  });
}

async function send270(api: Api, x12: string, values: Config, more: Call = {}): Promise<string> {
  const response = await api.send("POST", gateway, {
    ...more,
    form: {
      UserID: values.userId,
      Password: values.password,
      CustID: values.custId,
      DataFormat: "X12",
      ResponseType: "271",
      Data: x12,
    },
  });
  const said = await response.text();
  // Errors come as HTML whatever was asked for: the envelope is looked for first.
  return isX12(said) ? said : refuse(said);
}

function envelopeOf(values: Config) {
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  return {
    sender: values.senderId ?? values.custId,
    receiver: values.receiverId,
    control: String((random % 999_999_999) + 1).padStart(9, "0"),
    usage: "production" as const,
    now: new Date(),
  };
}

async function checkCoverage(api: Api, inquiry: Inquiry, values: Config, more?: Call) {
  const x12 = withX12("invalid_request", () => build270(inquiry, envelopeOf(values)));
  const answer = await send270(api, x12, values, more);
  return { answer, coverage: readAnswer(answer, read271) };
}

const Raw = { raw: z.boolean().default(false) };
const Covered = Coverage.extend({
  /** The 271 itself, where `raw` asked for it. */
  raw: z.string().optional(),
});

const provider = { npi: "1234567893", name: "Sunrise Clinic" };
const subscriber = {
  memberId: "W000000001",
  firstName: "Camila",
  lastName: "Lopez",
  birthDate: "1987-09-12",
} as const;
const asked: Inquiry = { payer: "87726", provider, subscriber };
const example270 = build270(asked, {
  sender: "100001",
  receiver: "WAYSTAR",
  control: "42",
  usage: "production",
  now: new Date("2026-11-23T12:00:00Z"),
});
const exampleCoverage = read271(example271);
const soapReply = (payload: string) =>
  [
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>',
    '<COREEnvelopeRealTimeResponse xmlns="http://www.caqh.org/SOAP/WSDL/CORERule2.2.0.xsd">',
    "<PayloadType>X12_277_Response_005010X212</PayloadType>",
    `<Payload><![CDATA[${payload}]]></Payload>`,
    "<ErrorCode>Success</ErrorCode><ErrorMessage/>",
    "</COREEnvelopeRealTimeResponse></s:Body></s:Envelope>",
  ].join("");

export const vendor = defineVendor({
  name: "Waystar",
  aliases: ["zirmed"],
  category: "eligibility",
  alsoIn: ["claims", "rcm"],
  description:
    "Real-time coverage (270/271) and claim status (276/277), as X12. Waystar's claims, remittances, estimates and statements go through its portal and file exchange, or interfaces whose messages it shows to partners only.",
  website: "https://www.waystar.com",
  documentation: "https://developer.waystar.com",
  keywords: ["clearinghouse", "zirmed", "navicure", "270", "271", "276", "277", "x12"],
  access: {
    kind: "partner",
    contact: "https://www.waystar.com/clients-partners/",
    takes:
      "A Waystar account with real-time eligibility, and with Claim Monitoring for claim status; a RealTime API user; and, where that user is limited to IP addresses, this service's on its list.",
  },
  environments: {
    // Tests are an account of their own at the same address.
    sandbox: { baseUrl: "https://eligibilityapi.zirmed.com/1.0" },
    production: { baseUrl: "https://eligibilityapi.zirmed.com/1.0" },
  },
  hosts: ["claimsapi.zirmed.com"],
  steps,
  auth: () => ({ kind: "in_body" }),
  failure: ({ status, body }) => (status >= 400 && status !== 429 ? readWords(body) : undefined),
  async test(api, values) {
    const inquiry = {
      payer: simulatedPayer,
      provider,
      subscriber: { ...subscriber, memberId: "TEST000001", firstName: "Test", lastName: "Patient" },
    };
    await checkCoverage(api, inquiry, values);
    return {
      account: `RealTime API user ${values.userId}, customer ${values.custId}`,
      checked: ["user and password accepted", "eligibility answers for Waystar's simulated payer"],
    };
  },
  operations: {
    checkEligibility: operation({
      title: "Check a patient's coverage (270/271)",
      description: "`payer` is an id of Waystar's payer list.",
      effect: "read",
      idempotent: true,
      capability: "eligibility.check",
      params: capabilities["eligibility.check"].params.extend(Raw),
      result: Covered,
      example: {
        params: { payer: "87726", provider, subscriber },
        wire: [{ request: `POST ${gateway}`, reply: example271 }],
        result: exampleCoverage,
      },
      async run(api, params, values: Config) {
        const { answer, coverage } = await checkCoverage(api, params, values, { timeoutMs });
        return { ...coverage, ...(params.raw && { raw: answer }) };
      },
    }),
    checkEligibilityX12: operation({
      title: "Check a patient's coverage with a 270 of your own",
      effect: "read",
      idempotent: true,
      params: z.object({ x12: z.string().min(106).max(1_000_000) }),
      result: Covered,
      example: {
        params: { x12: example270 },
        wire: [{ request: `POST ${gateway}`, reply: example271 }],
        result: { ...exampleCoverage, raw: example271 },
      },
      async run(api, { x12 }, values: Config) {
        withX12("invalid_request", () => parseX12(x12));
        const answer = await send270(api, x12, values, { timeoutMs });
        return { ...readAnswer(answer, read271), raw: answer };
      },
    }),
    checkClaimStatus: operation({
      title: "Ask what became of a claim (276/277)",
      description: "Of claims that were sent through Waystar under the same customer ID.",
      effect: "read",
      idempotent: true,
      capability: "claim.status",
      params: capabilities["claim.status"].params.extend(Raw),
      result: ClaimAnswers.extend({
        status: z.enum(["answered", "pending"]),
        id: z.string().optional(),
        /** The 277 itself, where `raw` asked for it. */
        raw: z.string().optional(),
      }),
      example: {
        params: {
          payer: "87726",
          provider,
          subscriber,
          from: "2026-10-05",
          to: "2026-10-06",
          claimNumber: "VISIT-42",
        },
        wire: [
          {
            request:
              "POST https://claimsapi.zirmed.com/ExternalClaimStatus/ExternalCSIntake/Process",
            headers: { "content-type": "application/soap+xml; charset=utf-8" },
            reply: soapReply(example277),
          },
        ],
        result: { status: "answered", ...read277(example277) },
      },
      async run(api, params, values: Config) {
        const envelope = envelopeOf(values);
        const submitter = { name: params.provider.name, id: values.custId };
        const response = await api.send(
          "POST",
          "https://claimsapi.zirmed.com/ExternalClaimStatus/{intake}/Process",
          {
            path: { intake: "ExternalCSIntake" },
            timeoutMs,
            headers: { "content-type": soapType, accept: "application/soap+xml" },
            body: realTimeRequest({
              user: values.userId,
              password: values.password,
              payloadType: "X12_276_Request_005010X212",
              payloadId: crypto.randomUUID(),
              sender: envelope.sender,
              receiver: envelope.receiver,
              now: envelope.now,
              payload: withX12("invalid_request", () => build276(params, submitter, envelope)),
            }),
          },
        );
        const said = await response.text();
        const payload = textOf(said, "Payload") ?? "";
        if (!isX12(payload)) {
          if (!/no claim was found matching/i.test(said)) return refuse(said);
          const nothing = { code: "claim_not_found", message: "Waystar has no such claim" };
          return { status: "answered" as const, claims: [], errors: [nothing] };
        }
        return {
          status: "answered" as const,
          ...readAnswer(payload, read277),
          ...(params.raw && { raw: payload }),
        };
      },
    }),
  },
  links: [{ title: "Developer portal", url: "https://developer.waystar.com" }],
});

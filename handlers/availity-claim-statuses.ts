import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import type { Api } from "./api.ts";
import {
  ask,
  dateOf,
  exampleSubscriber,
  Id,
  partiesOf,
  patientOf,
  relationshipOf,
  stateOf,
  Text,
} from "./availity-ask.ts";
import type { Config } from "./availity-fields.ts";
import { capabilities } from "./capabilities.ts";
import { operation } from "./define.ts";
import { type ClaimAnswer, ClaimAnswers, meaningOf, sortAnswers } from "./x12-claim-status.ts";
import { cents, dollars } from "./x12.ts";

const Status = z.object({
  category: Text,
  categoryCode: Text,
  statusCode: Text,
  claimAmount: Text,
  paymentAmount: Text,
  effectiveDate: Text,
  finalizedDate: Text,
});
const Statuses = z.array(Status).nullish();
const StatusReply = z
  .looseObject({
    id: Text,
    status: Text,
    statusCode: Text,
    claimStatuses: z
      .array(
        z.object({
          claimControlNumber: Text,
          patientControlNumber: Text,
          fromDate: Text,
          toDate: Text,
          statusDetails: Statuses,
        }),
      )
      .nullish(),
    submitter: z.object({ statusDetails: Statuses }).nullish(),
    providers: z.array(z.object({ statusDetails: Statuses })).nullish(),
  })
  .refine(({ id, status, statusCode }) => id ?? status ?? statusCode);
const StatusList = z
  .looseObject({
    claimStatuses: z.array(z.object({ id: Text, status: Text, statusCode: Text })).nullish(),
    totalCount: z.number().nullish(),
  })
  .refine(({ claimStatuses, totalCount }) => claimStatuses ?? totalCount === 0);

const answerOf = (detail: z.output<typeof Status>): ClaimAnswer[] =>
  detail.categoryCode === undefined
    ? []
    : [
        {
          category: detail.categoryCode,
          code: detail.statusCode,
          meaning: meaningOf(detail.categoryCode) ?? detail.category,
          charged: cents(detail.claimAmount ?? ""),
          paid: cents(detail.paymentAmount ?? ""),
          asOf: dateOf(detail.effectiveDate),
          decidedOn: dateOf(detail.finalizedDate),
        },
      ];

/** A refusal of the submitter or of a provider means that no claim was looked for. */
function readStatuses(found: z.output<typeof StatusReply>): ClaimAnswers {
  const claims = (found.claimStatuses ?? []).flatMap((claim) => {
    const [answer] = (claim.statusDetails ?? []).flatMap(answerOf);
    if (!answer) return [];
    return [
      {
        ...answer,
        number: claim.claimControlNumber,
        claimNumber: claim.patientControlNumber,
        from: dateOf(claim.fromDate),
        to: dateOf(claim.toDate),
      },
    ];
  });
  const sorted = sortAnswers(claims);
  const outer = [
    ...(found.submitter?.statusDetails ?? []),
    ...(found.providers ?? []).flatMap(({ statusDetails }) => statusDetails ?? []),
  ].flatMap(answerOf);
  const refusals = claims.length
    ? []
    : outer.map(({ category, code, meaning }) => ({
        code: code ? `${category}:${code}` : category,
        message: meaning ?? "The payer did not look for the claim",
      }));
  return { claims: sorted.claims, errors: [...sorted.errors, ...refusals] };
}

async function fetchStatus(api: Api, id: string, raw: boolean) {
  const path = "/claim-statuses/{id}";
  const { pending, reply } = await ask(api, "GET", path, StatusReply, { path: { id } });
  if (pending || !reply || stateOf(reply) === "pending")
    return { status: "pending" as const, id, claims: [], errors: [] };
  return { status: "answered" as const, id, ...readStatuses(reply), ...(raw && { raw: reply }) };
}

const Raw = { raw: z.boolean().default(false) };
const inquiry = capabilities["claim.status"].params;
const Stated = ClaimAnswers.extend({
  status: z.enum(["answered", "pending"]),
  id: z.string().optional(),
  /** Availity's own reply, where `raw` asked for it. */
  raw: z.unknown().optional(),
});

const statusId = "1400000000000000002";
const exampleStatusReply = {
  id: statusId,
  status: "Complete",
  statusCode: "4",
  claimCount: "1",
  claimStatuses: [
    {
      claimControlNumber: "2026300123",
      patientControlNumber: "VISIT-42",
      fromDate: "2026-10-05",
      toDate: "2026-10-05",
      statusDetails: [
        {
          category: "Finalized/Payment",
          categoryCode: "F1",
          statusCode: "65",
          claimAmount: "185",
          paymentAmount: "140.5",
          effectiveDate: "2026-11-02",
          finalizedDate: "2026-11-01",
        },
      ],
    },
  ],
};
const exampleStatus = {
  status: "answered" as const,
  id: statusId,
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
      to: "2026-10-05",
      asOf: "2026-11-02",
      decidedOn: "2026-11-01",
    },
  ],
  errors: [],
};

export const claimStatusOperations = {
  checkClaimStatus: operation({
    title: "Ask what became of a claim (276/277)",
    description:
      "Answers `pending` with an `id` where the payer takes its time: ask again with that `id`, or with “Read a claim status”.",
    effect: "read",
    idempotent: true,
    capability: "claim.status",
    params: inquiry.extend({
      ...Raw,
      payer: z.string().min(1).max(80).optional(),
      provider: inquiry.shape.provider.optional(),
    }),
    result: Stated,
    example: {
      params: {
        payer: "BCBSF",
        provider: { npi: "1234567893", name: "Sunrise Clinic" },
        subscriber: exampleSubscriber,
        from: "2026-10-05",
        to: "2026-10-05",
      },
      wire: [
        {
          request: "POST /claim-statuses",
          reply: {
            totalCount: 1,
            claimStatuses: [{ id: statusId, status: "Complete", statusCode: "4" }],
          },
        },
        { request: `GET /claim-statuses/${statusId}`, reply: exampleStatusReply },
      ],
      result: exampleStatus,
    },
    async run(api, params, values: Config) {
      if (params.id) return fetchStatus(api, params.id, params.raw);
      const { payer, npi, name, taxId } = partiesOf(params, values);
      const patient = patientOf(params);
      const answer = await ask(api, "POST", "/claim-statuses", StatusList, {
        // A search in the form of a POST, since an address must not hold PHI.
        headers: { "X-HTTP-Method-Override": "GET" },
        form: {
          "payer.id": payer,
          "submitter.lastName": name,
          "providers.lastName": name,
          "providers.npi": npi,
          "providers.taxId": taxId,
          "subscriber.memberId": params.subscriber.memberId,
          "subscriber.lastName": params.subscriber.lastName,
          "subscriber.firstName": params.subscriber.firstName,
          "patient.lastName": patient.lastName,
          "patient.firstName": patient.firstName,
          "patient.birthDate": patient.birthDate,
          "patient.genderCode": patient.gender,
          "patient.subscriberRelationshipCode": relationshipOf(params),
          "patient.accountNumber": params.claimNumber,
          fromDate: params.from,
          toDate: params.to,
          claimNumber: params.payerClaimNumber,
          claimAmount: params.charge === undefined ? undefined : dollars(params.charge),
        },
      });
      const [first] = answer.reply?.claimStatuses ?? [];
      const id = first?.id ?? answer.id;
      if (answer.pending || (first && stateOf(first) === "pending")) {
        if (id === undefined) throw new VendorFailure("unexpected_reply");
        return { status: "pending" as const, id, claims: [], errors: [] };
      }
      if (id !== undefined) return fetchStatus(api, id, params.raw);
      return {
        status: "answered" as const,
        claims: [],
        errors: [{ code: "D0", message: "The payer's search found nothing" }],
      };
    },
  }),
  readClaimStatus: operation({
    title: "Read a claim status that was asked for before",
    effect: "read",
    params: z.object({ id: Id, ...Raw }),
    result: Stated,
    example: {
      params: { id: statusId },
      wire: [{ request: `GET /claim-statuses/${statusId}`, reply: exampleStatusReply }],
      result: exampleStatus,
    },
    run: (api, { id, raw }) => fetchStatus(api, id, raw),
  }),
};

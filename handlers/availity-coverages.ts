import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import type { Api } from "./api.ts";
import {
  type Answer,
  ask,
  Complaint,
  dateOf,
  exampleSubscriber,
  Id,
  partiesOf,
  patientOf,
  readComplaints,
  relationshipOf,
  stateOf,
  Text,
} from "./availity-ask.ts";
import type { Config } from "./availity-fields.ts";
import { capabilities } from "./capabilities.ts";
import { operation } from "./define.ts";
import { Coverage, coverageStatus, percentOf } from "./x12-eligibility.ts";

const Worth = z.object({
  amount: Text,
  units: Text,
  amountTimePeriod: Text,
  total: Text,
  totalTimePeriod: Text,
  remaining: Text,
  remainingTimePeriod: Text,
});
type Worth = z.output<typeof Worth>;
const Worths = z.array(Worth).nullish();
const Networks = z
  .object({
    inNetwork: Worths,
    outOfNetwork: Worths,
    noNetwork: Worths,
    notApplicableNetwork: Worths,
  })
  .nullish();
const Benefit = z.object({
  name: Text,
  type: Text,
  status: Text,
  statusCode: Text,
  nonCovered: Networks,
  amounts: z
    .object({
      coInsurance: Networks,
      coPayment: Networks,
      deductibles: Networks,
      outOfPocket: Networks,
    })
    .nullish(),
});
const Plan = z.object({
  status: Text,
  statusCode: Text,
  planName: Text,
  groupName: Text,
  groupNumber: Text,
  coverageStartDate: Text,
  coverageEndDate: Text,
  planStartDate: Text,
  planEndDate: Text,
  eligibilityStartDate: Text,
  eligibilityEndDate: Text,
  benefits: z.array(Benefit).nullish(),
});
const CoverageReply = z
  .looseObject({
    id: Text,
    status: Text,
    statusCode: Text,
    controlNumber: Text,
    payer: z.object({ name: Text, responseName: Text }).nullish(),
    subscriber: z.object({ memberId: Text }).nullish(),
    plans: z.array(Plan).nullish(),
    validationMessages: z.array(Complaint).nullish(),
  })
  .refine(({ id, status, statusCode }) => id ?? status ?? statusCode);
type CoverageReply = z.output<typeof CoverageReply>;
/** The API description has one coverage; the demo answers with a list of them. */
const Coverages = z.union([z.looseObject({ coverages: z.array(CoverageReply) }), CoverageReply]);

type Line = Coverage["benefits"][number];

/** An amount, and of a deductible its total and what remains of it: each is a line, as in a 271. */
function amountsOf(worth: Worth) {
  const { amount, total, remaining, amountTimePeriod, totalTimePeriod } = worth;
  const { remainingTimePeriod: left = "" } = worth;
  const once = total === amount;
  return [
    { amount, period: amountTimePeriod ?? (once ? totalTimePeriod : undefined) },
    { amount: once ? undefined : total, period: totalTimePeriod },
    { amount: remaining, period: /remaining/i.test(left) ? left : "Remaining" },
  ];
}

type Benefit = z.output<typeof Benefit>;
type Networks = z.output<typeof Networks>;

/** All four networks: who reads the first alone misquotes the patient. */
const ofNetworks = (networks: Networks, read: (worth: Worth, inNetwork?: boolean) => Line[]) => [
  ...(networks?.inNetwork ?? []).flatMap((worth) => read(worth, true)),
  ...(networks?.outOfNetwork ?? []).flatMap((worth) => read(worth, false)),
  ...(networks?.noNetwork ?? []).flatMap((worth) => read(worth)),
  ...(networks?.notApplicableNetwork ?? []).flatMap((worth) => read(worth)),
];

const names: Readonly<Record<string, string>> = {
  A: "Co-insurance",
  B: "Co-payment",
  C: "Deductible",
  G: "Out of pocket (stop loss)",
  I: "Non-covered",
};
const lineOf = (code: string, { name, type }: Benefit): Line => ({
  code,
  name: [names[code], name].filter(Boolean).join(": "),
  serviceTypes: type ? [type] : [],
});

const readWorths = (code: string, benefit: Benefit, networks: Networks) =>
  ofNetworks(networks, (worth, inNetwork) =>
    amountsOf(worth).flatMap(({ amount, period }) => {
      if (amount === undefined) return [];
      const isNumber = /^\d*\.?\d+$/.test(amount);
      const isShare = isNumber && (code === "A" || /percent|%/i.test(worth.units ?? ""));
      const value = isShare ? { percent: percentOf(amount) } : { amount };
      return { ...lineOf(code, benefit), ...value, period, inNetwork };
    }),
  );

const readBenefit = (benefit: Benefit): Line[] => [
  ...(benefit.statusCode
    ? [
        {
          code: benefit.statusCode,
          name: [benefit.status, benefit.name].filter(Boolean).join(": "),
          serviceTypes: benefit.type ? [benefit.type] : [],
        },
      ]
    : []),
  ...ofNetworks(benefit.nonCovered, (_, inNetwork) => [{ ...lineOf("I", benefit), inNetwork }]),
  ...readWorths("B", benefit, benefit.amounts?.coPayment),
  ...readWorths("A", benefit, benefit.amounts?.coInsurance),
  ...readWorths("C", benefit, benefit.amounts?.deductibles),
  ...readWorths("G", benefit, benefit.amounts?.outOfPocket),
];

function readCoverage(found: CoverageReply): Coverage & { raw: unknown } {
  const plans = found.plans ?? [];
  const lines = plans.map(({ statusCode }) => ({ code: statusCode ?? "", serviceTypes: [] }));
  const benefits = plans.flatMap(({ benefits }) => (benefits ?? []).flatMap(readBenefit));
  const plan = plans.find(({ statusCode }) => /^[1-5]$/.test(statusCode ?? "")) ?? plans[0];
  const state = stateOf(found);
  const errors = readComplaints(found.validationMessages ?? []);
  if (state === "refused" && errors.length === 0)
    errors.push({ code: found.statusCode ?? "error", message: found.status ?? "It was refused" });
  return {
    status: state === "pending" ? "pending" : coverageStatus([...lines, ...benefits]),
    id: found.id,
    payer: found.payer?.responseName ?? found.payer?.name,
    plan: plan?.planName ?? plan?.groupName,
    member: found.subscriber?.memberId,
    group: plan?.groupNumber,
    from: dateOf(plan?.coverageStartDate ?? plan?.eligibilityStartDate ?? plan?.planStartDate),
    to: dateOf(plan?.coverageEndDate ?? plan?.eligibilityEndDate ?? plan?.planEndDate),
    trace: found.controlNumber,
    benefits,
    errors,
    raw: found,
  };
}

const pendingCoverage = (id: string | undefined): Coverage => {
  if (id === undefined)
    throw new VendorFailure("unexpected_reply", "Availity did not say where its answer will be");
  return { status: "pending", id, benefits: [], errors: [] };
};

async function fetchCoverage(api: Api, id: string, raw: boolean) {
  const { pending, reply } = await ask(api, "GET", "/coverages/{id}", CoverageReply, {
    path: { id },
  });
  if (!reply) return pendingCoverage(id);
  const { raw: own, ...found } = readCoverage(reply);
  return {
    ...found,
    id,
    ...(pending && { status: "pending" as const }),
    ...(raw && { raw: own }),
  };
}

const firstOf = ({ reply }: Answer<z.output<typeof Coverages>>): CoverageReply | undefined =>
  reply &&
  ("coverages" in reply && Array.isArray(reply["coverages"])
    ? (reply["coverages"] as CoverageReply[])[0]
    : (reply as CoverageReply));

const Raw = { raw: z.boolean().default(false) };
const eligibility = capabilities["eligibility.check"].params;
const Covered = Coverage.extend({
  /** Availity's own reply, where `raw` asked for it. */
  raw: z.unknown().optional(),
});

const coverageId = "1400000000000000001";
const exampleReply = {
  id: coverageId,
  controlNumber: "42",
  status: "Complete",
  statusCode: "4",
  payer: { payerId: "BCBSF", name: "FLORIDA BLUE", responseName: "FLORIDA BLUE" },
  subscriber: { memberId: "W000000001", firstName: "CAMILA", lastName: "LOPEZ" },
  plans: [
    {
      status: "Active Coverage",
      statusCode: "1",
      planName: "BLUE GOLD",
      groupNumber: "G100",
      coverageStartDate: "2026-01-01T00:00:00.000+0000",
      coverageEndDate: "2026-12-31T00:00:00.000+0000",
      benefits: [
        {
          name: "Professional (Physician) Visit - Office",
          type: "98",
          status: "Active Coverage",
          statusCode: "1",
          amounts: {
            coPayment: {
              inNetwork: [{ amount: "25", units: "USD", amountTimePeriod: "Visit" }],
            },
            coInsurance: { outOfNetwork: [{ amount: "20", units: "Percent" }] },
          },
        },
      ],
    },
  ],
};
const visit = "Professional (Physician) Visit - Office";
const exampleCoverage = {
  status: "active" as const,
  id: coverageId,
  payer: "FLORIDA BLUE",
  plan: "BLUE GOLD",
  member: "W000000001",
  group: "G100",
  from: "2026-01-01",
  to: "2026-12-31",
  trace: "42",
  benefits: [
    { code: "1", name: `Active Coverage: ${visit}`, serviceTypes: ["98"] },
    {
      code: "B",
      name: `Co-payment: ${visit}`,
      serviceTypes: ["98"],
      amount: "25",
      period: "Visit",
      inNetwork: true,
    },
    {
      code: "A",
      name: `Co-insurance: ${visit}`,
      serviceTypes: ["98"],
      percent: "20",
      inNetwork: false,
    },
  ],
  errors: [],
};
export const coverageOperations = {
  checkEligibility: operation({
    title: "Check a patient's coverage (270/271)",
    description:
      "Answers `pending` with an `id` where the payer takes its time: ask again with that `id`, or with “Read a coverage”.",
    effect: "read",
    idempotent: true,
    capability: "eligibility.check",
    params: eligibility.extend({
      ...Raw,
      payer: z.string().min(1).max(80).optional(),
      provider: eligibility.shape.provider.optional(),
    }),
    result: Covered,
    example: {
      params: {
        payer: "BCBSF",
        provider: { npi: "1234567893", name: "Sunrise Clinic" },
        subscriber: exampleSubscriber,
      },
      wire: [
        {
          request: "POST /coverages",
          reply: {
            totalCount: 1,
            count: 1,
            coverages: [{ id: coverageId, status: "Complete", statusCode: "4" }],
          },
        },
        { request: `GET /coverages/${coverageId}`, reply: exampleReply },
      ],
      result: exampleCoverage,
    },
    async run(api, params, values: Config) {
      if (params.id) return fetchCoverage(api, params.id, params.raw);
      const { payer, npi, name, taxId } = partiesOf(params, values);
      const patient = patientOf(params);
      const answer = await ask(api, "POST", "/coverages", Coverages, {
        form: {
          payerId: payer,
          providerNpi: npi,
          providerLastName: name,
          providerTaxId: taxId,
          memberId: params.subscriber.memberId,
          patientLastName: patient.lastName,
          patientFirstName: patient.firstName,
          patientBirthDate: patient.birthDate,
          patientGender: patient.gender,
          subscriberRelationship: relationshipOf(params),
          // The demo is of another year, and fails on any date of this one.
          asOfDate: values.plan === "demo" ? undefined : params.serviceDate,
          serviceType: params.serviceTypes?.length ? params.serviceTypes : ["30"],
        },
      });
      const first = firstOf(answer);
      const id = first?.id ?? answer.id;
      if (!first || id === undefined || answer.pending || stateOf(first) === "pending")
        return pendingCoverage(id);
      if (stateOf(first) === "refused" || first.plans?.some(({ benefits }) => benefits?.length)) {
        const { raw, ...found } = readCoverage(first);
        return { ...found, id, ...(params.raw && { raw }) };
      }
      return fetchCoverage(api, id, params.raw);
    },
  }),
  readCoverage: operation({
    title: "Read a coverage that was asked for before",
    effect: "read",
    params: z.object({ id: Id, ...Raw }),
    result: Covered,
    example: {
      params: { id: coverageId },
      wire: [{ request: `GET /coverages/${coverageId}`, reply: exampleReply }],
      result: exampleCoverage,
    },
    run: (api, { id, raw }) => fetchCoverage(api, id, raw),
  }),
  deleteCoverage: operation({
    title: "Delete a coverage at Availity",
    description: "So that no health information stays there.",
    effect: "write",
    idempotent: true,
    params: z.object({ id: Id }),
    result: z.object({ id: z.string(), deleted: z.literal(true) }),
    example: {
      params: { id: coverageId },
      wire: [{ request: `DELETE /coverages/${coverageId}`, status: 204, reply: "" }],
      result: { id: coverageId, deleted: true },
    },
    async run(api, { id }) {
      await ask(api, "DELETE", "/coverages/{id}", z.unknown(), { path: { id } });
      return { id, deleted: true as const };
    },
  }),
};

import * as z from "zod";

import { operation } from "./define.ts";
import { type Config, present } from "./optum-fields.ts";

const root = "/medicalnetwork";

const Payer = z.object({
  payerId: z.string().nullish(),
  payerPlanName: z.string().nullish(),
  status: z.string().nullish(),
  payerType: z.string().nullish(),
  stateDoingBusiness: z.string().nullish(),
  transactionType: z.string().nullish(),
});
const PayerResult = z.object({
  id: z.string(),
  name: z.string().optional(),
  status: z.string().optional(),
  type: z.string().optional(),
  state: z.string().optional(),
  transactionType: z.string().optional(),
});
const Outage = z.object({
  imnPayerId: z.string().nullish(),
  payerName: z.string().nullish(),
  transactionType: z.string().nullish(),
  activeStatus: z.string().nullish(),
  standinReason: z.string().nullish(),
  issueStartDate: z.string().nullish(),
});
const OutageResult = z.object({
  payer: z.string().optional(),
  name: z.string().optional(),
  transactionType: z.string().optional(),
  status: z.string().optional(),
  reason: z.string().optional(),
  since: z.string().optional(),
});

const System = z.enum(["IMN", "EXCH", "IEDI", "RPA", "DENTAL"]);

export const payerOperations = {
  listPayers: operation({
    title: "Find payers and their ids",
    effect: "read",
    params: z.object({
      system: System.default("IMN"),
      name: z.string().max(80).optional(),
      payer: z.string().max(80).optional(),
      /** As Optum names it: Eligibility, Claim Status, Claims Professional, ERA Professional… */
      transactionType: z.string().max(60).optional(),
      state: z
        .string()
        .regex(/^[A-Z]{2}$/)
        .optional(),
      limit: z.number().int().min(1).max(500).default(50),
    }),
    result: z.object({ payers: z.array(PayerResult), total: z.number().int().optional() }),
    example: {
      params: { name: "Acme", limit: 1 },
      wire: [
        {
          request: `GET ${root}/payerlist/v1/payers?system=IMN&payerPlanName=Acme&pageSize=1`,
          reply: {
            data: [
              {
                payerId: "87726",
                payerPlanName: "Acme Health",
                status: "Active",
                payerType: "Commercial",
                stateDoingBusiness: "NC",
                transactionType: "Eligibility",
              },
            ],
            page: 1,
            pageSize: 1,
            totalCount: 2,
          },
        },
      ],
      result: {
        payers: [
          {
            id: "87726",
            name: "Acme Health",
            status: "Active",
            type: "Commercial",
            state: "NC",
            transactionType: "Eligibility",
          },
        ],
        total: 2,
      },
    },
    async run(api, params, { submitterId }: Config) {
      const reply = z.object({
        data: z.array(Payer).nullish(),
        totalCount: z.number().int().nullish(),
      });
      const { data, totalCount } = await api.get(`${root}/payerlist/v1/payers`, reply, {
        headers: present({ "X-CHC-PayerList-SubmitterId": submitterId }),
        query: {
          system: params.system,
          payerPlanName: params.name,
          payerId: params.payer,
          transactionType: params.transactionType,
          stateDoingBusiness: params.state,
          pageSize: params.limit,
        },
      });
      return {
        // One without an id is one that nothing can be sent to.
        payers: (data ?? []).flatMap(({ payerId: id, ...payer }) =>
          id
            ? {
                id,
                name: payer.payerPlanName ?? undefined,
                status: payer.status ?? undefined,
                type: payer.payerType ?? undefined,
                state: payer.stateDoingBusiness ?? undefined,
                transactionType: payer.transactionType ?? undefined,
              }
            : [],
        ),
        total: totalCount ?? undefined,
      };
    },
  }),
  listOutages: operation({
    title: "See which payers cannot be reached now",
    effect: "read",
    params: z.object({
      system: System.default("IMN"),
      payer: z.string().max(80).optional(),
      transactionType: z.string().max(60).optional(),
      limit: z.number().int().min(1).max(500).default(50),
    }),
    result: z.object({ outages: z.array(OutageResult) }),
    example: {
      params: { payer: "60054", limit: 10 },
      wire: [
        {
          request: `GET ${root}/payerlist/v1/outages?system=IMN&imnPayerId=60054&pageSize=10`,
          reply: {
            data: [
              {
                imnPayerId: "60054",
                payerName: "Umbra Mutual",
                transactionType: "Eligibility",
                activeStatus: "Active",
                standinReason: "Payer maintenance",
                issueStartDate: "2026-11-23T06:00:00Z",
              },
            ],
            totalCount: 1,
          },
        },
      ],
      result: {
        outages: [
          {
            payer: "60054",
            name: "Umbra Mutual",
            transactionType: "Eligibility",
            status: "Active",
            reason: "Payer maintenance",
            since: "2026-11-23T06:00:00Z",
          },
        ],
      },
    },
    async run(api, params) {
      const reply = z.object({ data: z.array(Outage).nullish() });
      const { data } = await api.get(`${root}/payerlist/v1/outages`, reply, {
        query: {
          system: params.system,
          imnPayerId: params.payer,
          transactionType: params.transactionType,
          pageSize: params.limit,
        },
      });
      return {
        outages: (data ?? []).map((outage) => ({
          payer: outage.imnPayerId ?? undefined,
          name: outage.payerName ?? undefined,
          transactionType: outage.transactionType ?? undefined,
          status: outage.activeStatus ?? undefined,
          reason: outage.standinReason ?? undefined,
          since: outage.issueStartDate ?? undefined,
        })),
      };
    },
  }),
};

import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import { readFailure, Text } from "./availity-ask.ts";
import { claimStatusOperations } from "./availity-claim-statuses.ts";
import { claimOperations } from "./availity-claims.ts";
import { coverageOperations } from "./availity-coverages.ts";
import { type Config, formerly, steps } from "./availity-fields.ts";
import { defineVendor, operation } from "./define.ts";

/** The demo's own scope alone is what the demo grants; Standard takes the product's and the plan's. */
const scopeOf = ({ plan, scopes }: Config) =>
  scopes ??
  (plan === "demo"
    ? "healthcare-hipaa-transactions-demo"
    : "healthcare-hipaa-transactions healthcare-hipaa-transactions-standard");

const Route = z.object({
  transactionDescription: Text,
  submissionMode: Text,
  enrollmentRequired: z.boolean().nullish(),
  availability: z.boolean().nullish(),
});
const Payer = z.object({
  payerId: z.string(),
  name: Text,
  displayName: Text,
  processingRoutes: z.union([z.array(Route), Route.transform((route) => [route])]).nullish(),
});
/** A list in the API description, a page of one in the API guide. */
const PayerList = z.union([
  z.array(Payer).transform((payers) => ({ payers, totalCount: undefined })),
  z.object({ payers: z.array(Payer), totalCount: z.number().int().nullish() }),
]);

const transactionTypes = ["270", "276", "278I", "835", "837P", "837I", "837D"] as const;

export const vendor = defineVendor({
  name: "Availity",
  category: "eligibility",
  alsoIn: ["claims", "rcm"],
  description:
    "Coverage, claim status, cost estimates and dental claims with most US payers. Professional and institutional claims and remittances (835) go through Availity's file exchange and portal, which have no API.",
  website: "https://www.availity.com",
  documentation: "https://developer.availity.com",
  keywords: ["clearinghouse", "270", "271", "276", "277", "eligibility", "predetermination"],
  featured: true,
  access: { kind: "self-serve" },
  environments: {
    // One address for both; the plan's scope tells the demo from real payers.
    sandbox: { baseUrl: "https://api.availity.com/v1" },
    production: { baseUrl: "https://api.availity.com/v1" },
  },
  steps,
  formerly,
  auth: (values) => ({
    kind: "client_credentials",
    tokenUrl: "https://api.availity.com/v1/token",
    clientId: values.clientId,
    clientSecret: values.clientSecret,
    scope: scopeOf(values),
    style: "body",
  }),
  headers: ({ customerId }) => (customerId ? { "X-Availity-Customer-Id": customerId } : {}),
  failure: readFailure,
  async test(api, values, environment) {
    const demo = !/(?:standard|unlimited)(?: |$)/.test(scopeOf(values));
    if (demo !== (environment === "sandbox"))
      throw new VendorFailure(
        "credentials_rejected",
        demo
          ? "The Demo plan belongs in the sandbox: choose the Standard plan for production"
          : "The Standard plan asks real payers and belongs in production: choose Demo for the sandbox",
      );
    const { payers } = await api.get("/availity-payer-list", PayerList, {
      query: { limit: 1 },
    });
    const name = values.customerId ? `Customer ${values.customerId}` : `API key ${values.clientId}`;
    return {
      account: `${name}, ${demo ? "Demo" : "Standard"} plan`,
      checked: [
        "token issued",
        payers.length ? "payer list can be read" : "payer list can be read, and is empty",
      ],
    };
  },
  operations: {
    ...coverageOperations,
    ...claimStatusOperations,
    ...claimOperations,
    listPayers: operation({
      title: "Find payers and what can be sent to them",
      effect: "read",
      params: z.object({
        payer: z.string().max(80).optional(),
        transactionType: z.enum(transactionTypes).optional(),
        limit: z.number().int().min(1).max(50).default(50),
        offset: z.number().int().min(0).optional(),
      }),
      result: z.object({
        payers: z.array(
          z.object({
            id: z.string(),
            name: z.string().optional(),
            transactions: z.array(
              z.object({
                name: z.string().optional(),
                mode: z.string().optional(),
                enrollmentRequired: z.boolean().optional(),
                available: z.boolean().optional(),
              }),
            ),
          }),
        ),
        total: z.number().int().optional(),
      }),
      example: {
        params: { payer: "BCBSF", limit: 1 },
        wire: [
          {
            request: "GET /availity-payer-list?payerId=BCBSF&limit=1",
            reply: [
              {
                payerId: "BCBSF",
                name: "FLORIDA BLUE",
                processingRoutes: [
                  {
                    transactionDescription: "Eligibility and Benefits Inquiry",
                    submissionMode: "API",
                    enrollmentRequired: false,
                    availability: true,
                  },
                ],
              },
            ],
          },
        ],
        result: {
          payers: [
            {
              id: "BCBSF",
              name: "FLORIDA BLUE",
              transactions: [
                {
                  name: "Eligibility and Benefits Inquiry",
                  mode: "API",
                  enrollmentRequired: false,
                  available: true,
                },
              ],
            },
          ],
        },
      },
      async run(api, { payer, transactionType, limit, offset }) {
        const { payers, totalCount } = await api.get("/availity-payer-list", PayerList, {
          query: { payerId: payer, transactionType, limit, offset },
        });
        return {
          payers: payers.map((found) => ({
            id: found.payerId,
            name: found.displayName ?? found.name,
            transactions: (found.processingRoutes ?? []).map((route) => ({
              name: route.transactionDescription,
              mode: route.submissionMode,
              enrollmentRequired: route.enrollmentRequired ?? undefined,
              available: route.availability ?? undefined,
            })),
          })),
          total: totalCount ?? undefined,
        };
      },
    }),
    readPayerRules: operation({
      title: "Read what a payer wants in an inquiry",
      description: "Availity's configuration of the form for one transaction, as it comes.",
      effect: "read",
      params: z.object({ type: z.enum(["270", "276"]), payer: z.string().min(1).max(80) }),
      result: z.object({
        rules: z.array(
          z.object({
            payer: z.string().optional(),
            name: z.string().optional(),
            version: z.string().optional(),
            /** The fields of the form, with what is required and allowed. */
            elements: z.record(z.string(), z.unknown()),
          }),
        ),
      }),
      example: {
        params: { type: "270", payer: "BCBSF" },
        wire: [
          {
            request: "GET /configurations?type=270&payerId=BCBSF",
            reply: {
              totalCount: 1,
              configurations: [
                {
                  type: "270",
                  payerId: "BCBSF",
                  payerName: "FLORIDA BLUE",
                  version: "1.0.0",
                  elements: { memberId: { type: "Text", required: true, maxLength: 20 } },
                },
              ],
            },
          },
        ],
        result: {
          rules: [
            {
              payer: "BCBSF",
              name: "FLORIDA BLUE",
              version: "1.0.0",
              elements: { memberId: { type: "Text", required: true, maxLength: 20 } },
            },
          ],
        },
      },
      async run(api, { type, payer }) {
        const reply = z.object({
          configurations: z
            .array(
              z.object({
                payerId: Text,
                payerName: Text,
                version: Text,
                elements: z.record(z.string(), z.unknown()).nullish(),
              }),
            )
            .nullish(),
        });
        const { configurations } = await api.get("/configurations", reply, {
          query: { type, payerId: payer },
        });
        return {
          rules: (configurations ?? []).map(({ payerId, payerName, version, elements }) => ({
            payer: payerId,
            name: payerName,
            version,
            elements: elements ?? {},
          })),
        };
      },
    }),
  },
  // Of the Standard plan; the Demo allows 5 a second and 500 a day.
  rateLimit: { requests: 100, perSeconds: 1 },
  links: [
    { title: "API guide", url: "https://developer.availity.com/blog/2025/3/25/availity-api-guide" },
    {
      title: "HIPAA transactions",
      url: "https://developer.availity.com/blog/2025/3/25/hipaa-transactions",
    },
  ],
});

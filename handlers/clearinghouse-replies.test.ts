import { expect, test } from "vitest";

import { runOperation } from "./api.ts";
import { exampleValues } from "./define.ts";
import { registry } from "./registry.ts";
import { scripted } from "./testing.ts";

/** What the clearinghouses' API descriptions allow, though their examples do not show it. */
type Allowed = {
  vendor: "availity" | "optum";
  operation: string;
  reply: unknown;
  result: unknown;
};

const cases: Allowed[] = [
  {
    vendor: "optum",
    operation: "listPayers",
    reply: { data: [{ payerPlanName: "Acme" }, { payerId: "87726" }], totalCount: 2 },
    result: { payers: [{ id: "87726" }], total: 2 },
  },
  {
    vendor: "optum",
    operation: "checkEligibility",
    reply: {
      controlNumber: "123456789",
      errors: [
        { field: "AAA", code: "72", description: "Invalid ID" },
        { field: "subscriber", description: "Not one of the sandbox's" },
      ],
      provider: { aaaErrors: [{ code: "51" }] },
      subscriber: { aaaErrors: [{ field: "AAA", code: "72", description: "Invalid ID" }] },
      dependents: [{ aaaErrors: null }],
    },
    result: {
      status: "unknown",
      trace: "123456789",
      benefits: [],
      errors: [
        { code: "72", message: "The member number is missing or wrong" },
        { code: "subscriber", message: "Not one of the sandbox's" },
        { code: "51", message: "The payer does not have the provider on file" },
      ],
    },
  },
  {
    vendor: "optum",
    operation: "checkEligibility",
    reply: { controlNumber: "1", transactionSetAcknowledgement: "R" },
    result: {
      status: "unknown",
      trace: "1",
      benefits: [],
      errors: [{ code: "999", message: "The payer could not process the X12" }],
    },
  },
  {
    vendor: "optum",
    operation: "checkClaimStatus",
    reply: {
      controlNumber: "1",
      transactionSetAcknowledgement: "R",
      implementationTransactionSetSyntaxError: "I6",
    },
    result: {
      status: "answered",
      id: "2632800000001",
      claims: [],
      errors: [{ code: "999:I6", message: "The payer could not process the X12" }],
    },
  },
  {
    vendor: "optum",
    operation: "checkClaimStatus",
    reply: { controlNumber: "1", transactionSetAcknowledgement: "A" },
    result: { status: "answered", id: "2632800000001", claims: [], errors: [] },
  },
  {
    vendor: "optum",
    operation: "listPayers",
    reply: { data: null, totalCount: 0 },
    result: { payers: [], total: 0 },
  },
  {
    vendor: "optum",
    operation: "listOutages",
    reply: { page: 1, pageSize: 10 },
    result: { outages: [] },
  },
  {
    vendor: "optum",
    operation: "readRemittance",
    reply: {
      transactions: [
        {
          paymentAndRemitReassociationDetails: { checkOrEFTTraceNumber: "T1" },
          financialInformation: {
            totalActualProviderPaymentAmount: "1",
            paymentMethodCode: "CHK",
          },
          payer: { name: "ACME" },
          payee: { name: "CLINIC" },
          detailInfo: [
            {
              paymentInfo: [
                {
                  claimPaymentInfo: {
                    patientControlNumber: "C1",
                    claimStatusCode: "1",
                    totalClaimChargeAmount: "1",
                    claimPaymentAmount: "1",
                  },
                  serviceLines: [
                    {
                      servicePaymentInformation: {
                        lineItemChargeAmount: "1",
                        lineItemProviderPaymentAmount: "1",
                      },
                      healthCareCheckRemarkCodes: [{ remarkCode: "N130" }, { remarkCode: "" }],
                    },
                  ],
                },
              ],
            },
          ],
        },
      ],
    },
    result: {
      remittances: [
        {
          payer: "ACME",
          payee: "CLINIC",
          trace: "T1",
          method: "CHK",
          paid: 100,
          claims: [
            {
              claimNumber: "C1",
              status: "1",
              charged: 100,
              paid: 100,
              adjustments: [],
              remarks: [],
              lines: [
                { modifiers: [], charged: 100, paid: 100, adjustments: [], remarks: ["N130"] },
              ],
            },
          ],
          providerAdjustments: [],
          balanced: true,
        },
      ],
    },
  },
  {
    vendor: "availity",
    operation: "checkClaimStatus",
    reply: { totalCount: 0, claimStatuses: null },
    result: {
      status: "answered",
      claims: [],
      errors: [{ code: "D0", message: "The payer's search found nothing" }],
    },
  },
  {
    vendor: "availity",
    operation: "readCoverage",
    reply: {
      id: "1400000000000000001",
      statusCode: "4",
      plans: [
        {
          statusCode: "1",
          benefits: [
            {
              type: "30",
              nonCovered: { outOfNetwork: [{ description: "Emergencies alone" }] },
              amounts: {
                deductibles: {
                  inNetwork: [
                    {
                      total: "1500",
                      totalTimePeriod: "Calendar Year",
                      remaining: "812.5",
                      remainingTimePeriod: "Calendar Year",
                    },
                    { amount: "3000", total: "3000", totalTimePeriod: "Calendar Year" },
                  ],
                },
              },
            },
          ],
        },
      ],
    },
    result: {
      status: "active",
      id: "1400000000000000001",
      benefits: [
        { code: "I", name: "Non-covered", serviceTypes: ["30"], inNetwork: false },
        ...[
          ["1500", "Calendar Year"],
          ["812.5", "Remaining"],
          ["3000", "Calendar Year"],
        ].map(([amount, period]) => ({
          code: "C",
          name: "Deductible",
          serviceTypes: ["30"],
          amount,
          period,
          inNetwork: true,
        })),
      ],
      errors: [],
    },
  },
  {
    vendor: "availity",
    operation: "readEstimate",
    reply: { message: "The payer does not estimate" },
    result: {
      id: "1400000000000000003",
      status: "answered",
      lines: [],
      messages: ["The payer does not estimate"],
    },
  },
  {
    vendor: "availity",
    operation: "readEstimate",
    reply: Response.json({ code: "IN_PROGRESS" }, { status: 202 }),
    result: { id: "1400000000000000003", status: "pending", lines: [], messages: [] },
  },
  {
    vendor: "availity",
    operation: "readDentalClaim",
    reply: new Response("Accepted", { status: 202 }),
    result: { id: "1400000000000000004", status: "pending" },
  },
  {
    vendor: "availity",
    operation: "readPayerRules",
    reply: { totalCount: 0 },
    result: { rules: [] },
  },
];

test.each(cases)(
  "$vendor may answer $operation so: $reply",
  async ({ vendor: vendorId, operation, reply, result }) => {
    const vendor = await registry[vendorId]();
    const { wire } = scripted(reply instanceof Response ? reply : Response.json(reply));
    const tokens = {
      get: async () => ({ accessToken: "example-token" }),
      drop: async () => undefined,
    };
    const values = exampleValues(vendor);
    const { params } = vendor.operations[operation]?.example ?? {};
    const run = { vendorId, vendor, values, wire, tokens, operation, params };
    expect(await runOperation({ ...run, environment: "sandbox" })).toEqual(result);
  },
);

import * as z from "zod";

import { Currency } from "./capabilities.ts";
import { defineVendor, operation } from "./define.ts";
import { password } from "./fields.ts";
import { bytesOf, header, hmac, type Incoming, jsonOf, unixSeconds } from "./signature.ts";
import { keyAuth, keyChoices, keyFields, testKey } from "./stripe-keys.ts";

const Id = (prefix: string) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}_[A-Za-z0-9_]+$`), `Expected an id that starts ${prefix}_`);
const Https = z.url({ protocol: /^https$/ });
const Metadata = z.record(
  z
    .string()
    .max(40)
    .regex(/^[^[\]]+$/, "A key may not be empty or hold square brackets"),
  z.string().max(500),
);
const Limit = z.number().int().min(1).max(100).default(20);

/** Stripe nests by brackets: `metadata[visit]=42`. */
const nested = (name: string, entries: Readonly<Record<string, string>> = {}) =>
  Object.fromEntries(Object.entries(entries).map(([key, value]) => [`${name}[${key}]`, value]));

const iso = (seconds: number) => new Date(seconds * 1000).toISOString();

/** An id, or the whole object where Stripe was told to expand it. */
const Expandable = z
  .union([z.string(), z.object({ id: z.string() }).transform(({ id }) => id)])
  .nullish();

const IntentReply = z.object({
  id: z.string(),
  status: z.string(),
  amount: z.number().int(),
  amount_received: z.number().int().optional(),
  currency: z.string(),
  /** As far as a Date reaches. */
  created: z.number().int().max(8_640_000_000_000),
  customer: Expandable,
  description: z.string().nullish(),
  client_secret: z.string().nullish(),
  last_payment_error: z.object({ code: z.string().nullish() }).nullish(),
});
const PaymentIntent = z.object({
  id: z.string(),
  /** `requires_payment_method`, `requires_action`, `processing`, `succeeded`, `canceled`… */
  status: z.string(),
  amount: z.number().int(),
  amountReceived: z.number().int().optional(),
  currency: z.string(),
  createdAt: z.string(),
  customer: z.string().optional(),
  description: z.string().optional(),
  /** Why the last attempt failed, as Stripe's code. */
  error: z.string().optional(),
});
const paymentIntent = (reply: z.output<typeof IntentReply>): z.input<typeof PaymentIntent> => ({
  id: reply.id,
  status: reply.status,
  amount: reply.amount,
  amountReceived: reply.amount_received,
  currency: reply.currency,
  createdAt: iso(reply.created),
  customer: reply.customer ?? undefined,
  description: reply.description ?? undefined,
  error: reply.last_payment_error?.code ?? undefined,
});

const InvoiceReply = z.object({
  id: z.string(),
  status: z.string().nullish(),
  currency: z.string(),
  amount_due: z.number().int(),
  hosted_invoice_url: z.string().nullish(),
});
const Invoice = z.object({
  id: z.string(),
  status: z.string(),
  amountDue: z.number().int(),
  currency: z.string(),
  /** Where the patient pays; set once the invoice is finalized. */
  url: z.string().optional(),
});
const invoice = (reply: z.output<typeof InvoiceReply>): z.input<typeof Invoice> => ({
  id: reply.id,
  status: reply.status ?? "draft",
  amountDue: reply.amount_due,
  currency: reply.currency,
  url: reply.hosted_invoice_url ?? undefined,
});

const Refund = z.object({
  id: z.string(),
  status: z
    .string()
    .nullish()
    .transform((status) => status ?? "pending"),
  amount: z.number().int(),
  currency: z.string(),
});

const parts = (incoming: Incoming) => header(incoming, "stripe-signature")?.split(",");
const stamp = (incoming: Incoming) =>
  parts(incoming)
    ?.find((part) => part.startsWith("t="))
    ?.slice(2);

const EventBody = z.object({
  id: z.string(),
  type: z.string(),
  /** Unix seconds in v1 events, ISO 8601 in v2 thin events. */
  created: z.union([z.number(), z.string()]).optional(),
});
function readEvents(incoming: Incoming) {
  const { success, data: event } = EventBody.safeParse(jsonOf(incoming));
  if (!success) return [{ type: "other" }];
  const at = typeof event.created === "number" ? iso(event.created) : event.created;
  return [{ id: event.id, type: event.type, ...(at && { occurredAt: at }) }];
}

const exampleIntent = {
  id: "pi_3Q0000000000000000000001",
  status: "succeeded",
  amount: 2500,
  amount_received: 2500,
  currency: "usd",
  created: 1795435200,
  customer: null,
  description: "Copay",
  client_secret: "pi_3Q0000000000000000000001_secret_0000000000000000",
  last_payment_error: null,
};
const examplePayment = {
  id: "pi_3Q0000000000000000000001",
  status: "succeeded",
  amount: 2500,
  amountReceived: 2500,
  currency: "usd",
  createdAt: "2026-11-23T12:00:00.000Z",
  description: "Copay",
};
const intentPath = `/v1/payment_intents/${examplePayment.id}`;
const exampleInvoice = {
  id: "in_1Q0000000000000000000001",
  status: "open",
  currency: "usd",
  amount_due: 12000,
  hosted_invoice_url: "https://invoice.stripe.com/i/acct_0/test_0",
};
const exampleBill = {
  id: "in_1Q0000000000000000000001",
  status: "open",
  amountDue: 12000,
  currency: "usd",
  url: "https://invoice.stripe.com/i/acct_0/test_0",
};

const ErrorReply = z.object({
  type: z.string().optional(),
  code: z.string().optional(),
  decline_code: z.string().optional(),
});

const write = { effect: "write", idempotencyHeader: "Idempotency-Key" } as const;

const intentStep = (step: "capture" | "cancel", title: string, status: string) =>
  operation({
    ...write,
    title,
    params: z.object({ id: Id("pi") }),
    result: PaymentIntent,
    example: {
      params: { id: examplePayment.id },
      wire: [{ request: `POST ${intentPath}/${step}`, reply: { ...exampleIntent, status } }],
      result: { ...examplePayment, status },
    },
    async run(api, { id }) {
      const path = { id };
      return paymentIntent(
        await api.post(`/v1/payment_intents/{id}/${step}`, IntentReply, { path }),
      );
    },
  });

const invoiceStep = (step: "finalize" | "send" | "void", title: string, status: string) =>
  operation({
    ...write,
    title,
    params: z.object({ id: Id("in") }),
    result: Invoice,
    example: {
      params: { id: exampleBill.id },
      wire: [
        {
          request: `POST /v1/invoices/${exampleBill.id}/${step}`,
          reply: { ...exampleInvoice, status },
        },
      ],
      result: { ...exampleBill, status },
    },
    run: async (api, { id }) =>
      invoice(await api.post(`/v1/invoices/{id}/${step}`, InvoiceReply, { path: { id } })),
  });

export const vendor = defineVendor({
  name: "Stripe",
  category: "payment",
  alsoIn: ["billing"],
  description: "Card payments, refunds, payment pages and invoices for copays and balances.",
  website: "https://stripe.com",
  documentation: "https://docs.stripe.com/api",
  keywords: ["payment", "card", "refund", "checkout", "invoice", "copay", "billing"],
  featured: true,
  icon: "stripe",
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://api.stripe.com" },
    production: { baseUrl: "https://api.stripe.com" },
  },
  steps: [
    {
      id: "credentials",
      title: "Access",
      fields: keyFields,
      oneOf: keyChoices,
    },
    {
      id: "webhooks",
      title: "Webhooks",
      fields: {
        webhookSecret: password({
          label: "Signing secret",
          required: false,
          placeholder: "whsec_…",
          help: "Stripe Dashboard, Developers, Webhooks, your endpoint, “Signing secret”, Reveal. Each endpoint has its own, and test and live differ.",
          helpUrl: "https://dashboard.stripe.com/webhooks",
          pattern: "^whsec_\\S+$",
          message: "A signing secret starts whsec_",
          example: "whsec_00000000000000000000000000000000",
        }),
      },
    },
  ],
  formerly: { publishableKey: null, webhookEvents: null },
  auth: keyAuth,
  headers: ({ stripeAccount }) => ({
    "Stripe-Version": "2026-10-28.endive",
    ...(stripeAccount && { "Stripe-Account": stripeAccount }),
  }),
  failure: ({ status, body }) => {
    const { success, data } = z.object({ error: ErrorReply }).safeParse(body);
    // docs.stripe.com/api/errors: something that Stripe depends on has failed.
    if (status === 424) return { cause: "vendor_unavailable" };
    if (!success) return undefined;
    const { type, code = type, decline_code: declined = code } = data.error;
    if (type === "card_error")
      return { cause: "invalid_request", code: declined ?? type, message: "The card was declined" };
    // 409: sent again with its key, it is answered once the other one is through.
    if (code === "idempotency_key_in_use" || code === "lock_timeout")
      return { cause: "vendor_unavailable", code, message: "Stripe is busy with the same thing" };
    if (type === "idempotency_error")
      return { code: type, message: "This Idempotency-Key was used before with other parameters" };
    if (code?.endsWith("api_key_expired")) return { cause: "credentials_expired", code };
    return code ? { code } : undefined;
  },
  test: testKey,
  operations: {
    createPaymentIntent: operation({
      ...write,
      title: "Create a payment",
      description: "The patient completes it in the browser with the client secret.",
      capability: "payment.create",
      params: z.object({
        amount: z.number().int().positive(),
        currency: Currency,
        description: z.string().max(500).optional(),
        reference: z.string().max(200).optional(),
        customer: Id("cus").optional(),
        receiptEmail: z.email().optional(),
        captureLater: z.boolean().default(false),
        metadata: Metadata.optional(),
      }),
      result: PaymentIntent.extend({ clientSecret: z.string().optional() }),
      example: {
        params: { amount: 2500, currency: "usd", description: "Copay", reference: "visit-42" },
        wire: [
          {
            request: "POST /v1/payment_intents",
            reply: { ...exampleIntent, status: "requires_payment_method", amount_received: 0 },
          },
        ],
        result: {
          ...examplePayment,
          status: "requires_payment_method",
          amountReceived: 0,
          clientSecret: "pi_3Q0000000000000000000001_secret_0000000000000000",
        },
      },
      async run(api, params) {
        const { reference, metadata } = params;
        const reply = await api.post("/v1/payment_intents", IntentReply, {
          form: {
            amount: params.amount,
            currency: params.currency,
            description: params.description,
            customer: params.customer,
            receipt_email: params.receiptEmail,
            capture_method: params.captureLater ? "manual" : undefined,
            ...nested("metadata", { ...metadata, ...(reference && { reference }) }),
          },
        });
        return { ...paymentIntent(reply), clientSecret: reply.client_secret ?? undefined };
      },
    }),
    getPaymentIntent: operation({
      title: "Read a payment",
      effect: "read",
      params: z.object({ id: Id("pi") }),
      result: PaymentIntent,
      example: {
        params: { id: exampleIntent.id },
        wire: [{ request: `GET ${intentPath}`, reply: exampleIntent }],
        result: examplePayment,
      },
      run: async (api, { id }) =>
        paymentIntent(await api.get("/v1/payment_intents/{id}", IntentReply, { path: { id } })),
    }),
    listPaymentIntents: operation({
      title: "List payments",
      effect: "read",
      params: z.object({
        customer: Id("cus").optional(),
        limit: Limit,
        cursor: Id("pi").optional(),
      }),
      result: z.object({ payments: z.array(PaymentIntent), next: z.string().optional() }),
      example: {
        params: { limit: 1 },
        wire: [
          {
            request: "GET /v1/payment_intents?limit=1",
            reply: { object: "list", has_more: true, data: [exampleIntent] },
          },
        ],
        result: { payments: [examplePayment], next: "pi_3Q0000000000000000000001" },
      },
      async run(api, { customer: of, limit, cursor }) {
        const reply = z.object({ has_more: z.boolean(), data: z.array(IntentReply) });
        const { has_more, data } = await api.get("/v1/payment_intents", reply, {
          query: { customer: of, limit, starting_after: cursor },
        });
        return { payments: data.map(paymentIntent), next: has_more ? data.at(-1)?.id : undefined };
      },
    }),
    capturePaymentIntent: intentStep("capture", "Capture an authorized payment", "succeeded"),
    cancelPaymentIntent: intentStep("cancel", "Cancel a payment", "canceled"),
    refundPayment: operation({
      ...write,
      title: "Refund a payment",
      description: "All of it, or `amount` of it.",
      capability: "payment.refund",
      params: z.object({
        payment: z.string().regex(/^(pi|ch)_[A-Za-z0-9_]+$/, "Expected a pi_… or ch_… id"),
        amount: z.number().int().positive().optional(),
        reason: z.enum(["duplicate", "fraudulent", "requested_by_customer"]).optional(),
      }),
      result: z.object({
        id: z.string(),
        status: z.string(),
        amount: z.number().int(),
        currency: z.string(),
      }),
      example: {
        params: { payment: exampleIntent.id, amount: 1000, reason: "requested_by_customer" },
        wire: [
          {
            request: "POST /v1/refunds",
            reply: { id: "re_3Q01", status: "succeeded", amount: 1000, currency: "usd" },
          },
        ],
        result: { id: "re_3Q01", status: "succeeded", amount: 1000, currency: "usd" },
      },
      run(api, { payment, amount, reason }) {
        const of = payment.startsWith("ch_") ? { charge: payment } : { payment_intent: payment };
        return api.post("/v1/refunds", Refund, { form: { ...of, amount, reason } });
      },
    }),
    createCustomer: operation({
      ...write,
      title: "Create a customer",
      params: z.object({
        name: z.string().max(256).optional(),
        email: z.email().optional(),
        phone: z.string().max(20).optional(),
        metadata: Metadata.optional(),
      }),
      result: z.object({ id: z.string() }),
      example: {
        params: { name: "Camila Lopez", email: "camila@example.com" },
        wire: [{ request: "POST /v1/customers", reply: { id: "cus_R01", livemode: false } }],
        result: { id: "cus_R01" },
      },
      run: (api, { metadata, ...person }) =>
        api.post("/v1/customers", z.object({ id: z.string() }), {
          form: { ...person, ...nested("metadata", metadata) },
        }),
    }),
    createCheckoutSession: operation({
      ...write,
      title: "Create a payment page",
      params: z.object({
        amount: z.number().int().positive(),
        currency: Currency,
        /** What the patient sees; keep health information out of it. */
        productName: z.string().min(1).max(250),
        successUrl: Https,
        cancelUrl: Https.optional(),
        customer: Id("cus").optional(),
        reference: z.string().max(200).optional(),
      }),
      result: z.object({ id: z.string(), url: z.string().optional(), status: z.string() }),
      example: {
        params: {
          amount: 12000,
          currency: "usd",
          productName: "Balance",
          successUrl: "https://clinic.example.com/paid",
        },
        wire: [
          {
            request: "POST /v1/checkout/sessions",
            reply: { id: "cs_test_01", url: "https://checkout.stripe.com/c/01", status: "open" },
          },
        ],
        result: { id: "cs_test_01", url: "https://checkout.stripe.com/c/01", status: "open" },
      },
      async run(api, params) {
        const reply = z.object({
          id: z.string(),
          url: z.string().nullish(),
          status: z.string().nullish(),
        });
        const { id, url, status } = await api.post("/v1/checkout/sessions", reply, {
          form: {
            mode: "payment",
            success_url: params.successUrl,
            cancel_url: params.cancelUrl,
            customer: params.customer,
            client_reference_id: params.reference,
            "line_items[0][quantity]": 1,
            "line_items[0][price_data][currency]": params.currency,
            "line_items[0][price_data][unit_amount]": params.amount,
            "line_items[0][price_data][product_data][name]": params.productName,
          },
        });
        return { id, url: url ?? undefined, status: status ?? "open" };
      },
    }),
    createInvoice: operation({
      ...write,
      title: "Start an invoice",
      description: "A draft: add items, then finalize it and send it.",
      params: z.object({
        customer: Id("cus"),
        currency: Currency,
        daysUntilDue: z.number().int().min(0).max(365).default(30),
        description: z.string().max(500).optional(),
      }),
      result: Invoice,
      example: {
        params: { customer: "cus_R01", currency: "usd" },
        wire: [
          {
            request: "POST /v1/invoices",
            reply: { ...exampleInvoice, status: "draft", amount_due: 0, hosted_invoice_url: null },
          },
        ],
        result: { id: exampleInvoice.id, status: "draft", amountDue: 0, currency: "usd" },
      },
      run: async (api, params) =>
        invoice(
          await api.post("/v1/invoices", InvoiceReply, {
            form: {
              customer: params.customer,
              currency: params.currency,
              description: params.description,
              collection_method: "send_invoice",
              days_until_due: params.daysUntilDue,
              pending_invoice_items_behavior: "exclude",
            },
          }),
        ),
    }),
    addInvoiceItem: operation({
      ...write,
      title: "Add an item to a draft invoice",
      params: z.object({
        invoice: Id("in"),
        customer: Id("cus"),
        amount: z.number().int(),
        currency: Currency,
        description: z.string().max(500),
      }),
      result: z.object({ id: z.string(), amount: z.number().int() }),
      example: {
        params: {
          invoice: exampleInvoice.id,
          customer: "cus_R01",
          amount: 12000,
          currency: "usd",
          description: "Office visit",
        },
        wire: [{ request: "POST /v1/invoiceitems", reply: { id: "ii_01", amount: 12000 } }],
        result: { id: "ii_01", amount: 12000 },
      },
      run: (api, form) =>
        api.post("/v1/invoiceitems", z.object({ id: z.string(), amount: z.number().int() }), {
          form,
        }),
    }),
    finalizeInvoice: invoiceStep("finalize", "Finalize an invoice", "open"),
    sendInvoice: invoiceStep("send", "Email an invoice", "open"),
    voidInvoice: invoiceStep("void", "Void an invoice", "void"),
  },
  webhooks: {
    verify: hmac({
      scheme: 'Stripe-Signature: HMAC-SHA256 of "<t>.<body>"',
      hash: "SHA-256",
      encoding: "hex",
      anyMatch: true,
      secret: ({ webhookSecret }: { webhookSecret?: string | undefined }) => webhookSecret,
      signatures: (incoming) =>
        parts(incoming)
          ?.filter((part) => part.startsWith("v1="))
          .map((part) => part.slice(3)),
      timestamp: (incoming) => unixSeconds(stamp(incoming)),
      message: (incoming) => {
        const at = stamp(incoming);
        return at && bytesOf(`${at}.`, incoming.body);
      },
    }),
    secretField: "webhookSecret",
    events: readEvents,
    types: [
      "payment_intent.succeeded",
      "payment_intent.payment_failed",
      "payment_intent.processing",
      "payment_intent.requires_action",
      "payment_intent.canceled",
      "charge.refunded",
      "charge.dispute.created",
      "charge.dispute.closed",
      "refund.updated",
      "refund.failed",
      "checkout.session.completed",
      "checkout.session.async_payment_succeeded",
      "checkout.session.async_payment_failed",
      "checkout.session.expired",
      "invoice.finalized",
      "invoice.paid",
      "invoice.payment_failed",
      "invoice.voided",
    ],
    failures: [
      "payment_intent.payment_failed",
      "charge.dispute.created",
      "refund.failed",
      "checkout.session.async_payment_failed",
      "invoice.payment_failed",
    ],
    setup: [
      "Open Developers, Webhooks in the Stripe Dashboard, in the mode of your key: https://dashboard.stripe.com/webhooks",
      "Choose “Add destination”, select the events, then “Webhook endpoint” and enter {url}.",
      "Reveal the endpoint's signing secret and enter it here.",
    ],
  },
  rateLimit: { requests: 25, perSeconds: 1 },
  links: [
    { title: "Status", url: "https://status.stripe.com" },
    { title: "Restricted keys", url: "https://docs.stripe.com/keys/restricted-api-keys" },
  ],
});

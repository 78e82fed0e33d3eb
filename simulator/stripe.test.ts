import { Stripe } from "stripe";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { vendor } from "../handlers/stripe.ts";
import { type Simulator, startSimulator, startVendor } from "./server.ts";
import { stripeReadOnlyKey } from "./stripe.ts";
import { connectVendor, saidBy, testParity } from "./wire.ts";

const simulator: Simulator = await startVendor("stripe");
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const { secretKey, webhookSecret } = simulator.simulation("stripe").credentials;
const client = (key = String(secretKey)) =>
  new Stripe(key, {
    host: "127.0.0.1",
    port: simulator.port,
    protocol: "http",
    maxNetworkRetries: 0,
    telemetry: false,
  });
const stripe = client();
/** Those of the test, without the seeded one. */
const payments = async () =>
  (await stripe.paymentIntents.list()).data.filter(({ description }) => description === null);
const payNow = {
  amount: 2000,
  currency: "usd",
  payment_method: "pm_card_visa",
  confirm: true,
  automatic_payment_methods: { enabled: true, allow_redirects: "never" as const },
};

describe("authentication", () => {
  test("accepts the key as bearer token and as Basic user name", async () => {
    await expect(stripe.accounts.retrieveCurrent()).resolves.toMatchObject({ object: "account" });
    const basic = `Basic ${Buffer.from(`${secretKey}:`).toString("base64")}`;
    const reply = await fetch(`${simulator.url}/v1/balance`, { headers: { authorization: basic } });
    expect(reply.status).toBe(200);
  });

  test("refuses another key with the SDK's own authentication error", async () => {
    await expect(client("sk_test_wrong000000000000").balance.retrieve()).rejects.toMatchObject({
      constructor: Stripe.errors.StripeAuthenticationError,
      statusCode: 401,
      message: expect.stringMatching(/^Invalid API Key provided: sk_test_\*+0000$/),
    });
  });

  test("refuses a write with a read-only key", async () => {
    const restricted = client(stripeReadOnlyKey);
    await expect(restricted.balance.retrieve()).resolves.toMatchObject({ object: "balance" });
    await expect(restricted.customers.create({})).rejects.toBeInstanceOf(
      Stripe.errors.StripePermissionError,
    );
  });

  test("refuses a connected account that the key cannot reach", async () => {
    await expect(
      stripe.balance.retrieve({}, { stripeAccount: "acct_1SomebodyElse0000" }),
    ).rejects.toMatchObject({ statusCode: 403, code: "account_invalid" });
  });
});

describe("payments", () => {
  test("creates, confirms and refunds a payment, in part and then in full", async () => {
    const intent = await stripe.paymentIntents.create({
      amount: 2000,
      currency: "usd",
      metadata: { visit: "V-100" },
      automatic_payment_methods: { enabled: true, allow_redirects: "never" },
    });
    expect(intent).toMatchObject({
      status: "requires_payment_method",
      metadata: { visit: "V-100" },
      client_secret: expect.stringContaining(`${intent.id}_secret_`),
    });
    const paid = await stripe.paymentIntents.confirm(intent.id, {
      payment_method: "pm_card_visa",
      expand: ["latest_charge"],
    });
    expect(paid).toMatchObject({ status: "succeeded", latest_charge: { object: "charge" } });
    const part = await stripe.refunds.create({ payment_intent: intent.id, amount: 500 });
    expect(part).toMatchObject({ amount: 500, status: "succeeded" });
    await expect(
      stripe.refunds.create({ payment_intent: intent.id, amount: 1501 }),
    ).rejects.toMatchObject({ statusCode: 400 });
    expect((await stripe.refunds.create({ payment_intent: intent.id })).amount).toBe(1500);
    await expect(stripe.refunds.create({ payment_intent: intent.id })).rejects.toMatchObject({
      code: "charge_already_refunded",
    });
  });

  test("captures an authorized payment once and does not cancel it afterwards", async () => {
    const { id, status } = await stripe.paymentIntents.create({
      ...payNow,
      capture_method: "manual",
    });
    expect(status).toBe("requires_capture");
    const captured = await stripe.paymentIntents.capture(id, { amount_to_capture: 1500 });
    expect(captured).toMatchObject({ status: "succeeded", amount_received: 1500 });
    await expect(stripe.paymentIntents.cancel(id)).rejects.toMatchObject({
      code: "payment_intent_unexpected_state",
    });
  });

  test("cancels an unpaid payment", async () => {
    const { id } = await stripe.paymentIntents.create({ amount: 2000, currency: "usd" });
    const reason = "requested_by_customer";
    await expect(
      stripe.paymentIntents.cancel(id, { cancellation_reason: reason }),
    ).resolves.toMatchObject({ status: "canceled", cancellation_reason: reason });
  });

  test("declines a card as StripeCardError with the intent in it", async () => {
    const declined = { ...payNow, payment_method: "pm_card_chargeDeclinedInsufficientFunds" };
    await expect(stripe.paymentIntents.create(declined)).rejects.toMatchObject({
      constructor: Stripe.errors.StripeCardError,
      code: "card_declined",
      decline_code: "insufficient_funds",
      payment_intent: { status: "requires_payment_method" },
    });
  });

  test.each([
    [{ currency: "usd" }, { code: "parameter_missing", param: "amount" }],
    [
      { amount: 20.5, currency: "usd" },
      { code: "parameter_invalid_integer", param: "amount" },
    ],
    [
      { amount: 20, currency: "usd" },
      { code: "amount_too_small", param: "amount" },
    ],
    [
      { amount: 2000, currency: "usd", price: 1 },
      { code: "parameter_unknown", param: "price" },
    ],
    [{ amount: 2000, currency: "usd", customer: "cus_x" }, { code: "resource_missing" }],
  ])("refuses %j by naming the parameter", async (params, failure) => {
    await expect(
      stripe.paymentIntents.create(params as Stripe.PaymentIntentCreateParams),
    ).rejects.toMatchObject({
      constructor: Stripe.errors.StripeInvalidRequestError,
      statusCode: 400,
      ...failure,
    });
  });

  test("answers 404 for what does not exist", async () => {
    await expect(stripe.paymentIntents.retrieve("pi_missing")).rejects.toMatchObject({
      statusCode: 404,
      code: "resource_missing",
    });
  });
});

describe("idempotency", () => {
  test("replays the first answer for the same key and parameters", async () => {
    const key = { idempotencyKey: "visit-100" };
    const first = await stripe.paymentIntents.create(payNow, key);
    const again = await stripe.paymentIntents.create(payNow, key);
    expect(again.id).toBe(first.id);
    expect(again.lastResponse.headers["idempotent-replayed"]).toBe("true");
    expect(again.lastResponse.requestId).toBe(first.lastResponse.requestId);
    expect(await payments()).toHaveLength(1);
  });

  test("refuses the key with other parameters", async () => {
    const key = { idempotencyKey: "visit-100" };
    await stripe.paymentIntents.create(payNow, key);
    await expect(
      stripe.paymentIntents.create({ ...payNow, amount: 3000 }, key),
    ).rejects.toBeInstanceOf(Stripe.errors.StripeIdempotencyError);
  });

  test("lets a key be used again after refused parameters, and replays a decline", async () => {
    const key = { idempotencyKey: "visit-101" };
    await expect(
      stripe.paymentIntents.create({ amount: 1, currency: "usd" }, key),
    ).rejects.toMatchObject({ code: "amount_too_small" });
    const declined = { ...payNow, payment_method: "pm_card_chargeDeclined" };
    for (let i = 0; i < 2; i += 1)
      await expect(stripe.paymentIntents.create(declined, key)).rejects.toMatchObject({
        code: "card_declined",
      });
    expect(await payments()).toHaveLength(1);
  });

  test("the SDK's retry after a lost answer charges once", async () => {
    simulator.fault({ vendor: "stripe", kind: "slow", delayMs: 2000, times: 1 });
    const impatient = { timeout: 100, maxNetworkRetries: 1 };
    const paid = await stripe.paymentIntents.create(payNow, impatient);
    expect(paid.lastResponse.headers["idempotent-replayed"]).toBe("true");
    expect(await payments()).toHaveLength(1);
  });
});

describe("customers, checkout and invoices", () => {
  test("pages through a list, newest first", async () => {
    for (let i = 1; i <= 25; i += 1) await stripe.customers.create({ name: `Customer ${i}` });
    const page = await stripe.customers.list({ limit: 10 });
    expect(page).toMatchObject({
      has_more: true,
      data: { length: 10, 0: { name: "Customer 25" } },
    });
    const all = await stripe.customers.list({ limit: 10 }).autoPagingToArray({ limit: 100 });
    expect(new Set(all.map(({ id }) => id)).size).toBe(26);
    const [last] = page.data.slice(-1);
    const next = await stripe.customers.list({ limit: 10, starting_after: last?.id ?? "" });
    const [first] = next.data;
    const back = await stripe.customers.list({ limit: 10, ending_before: first?.id ?? "" });
    expect(back.data.map(({ id }) => id)).toEqual(page.data.map(({ id }) => id));
    await expect(stripe.customers.list({ limit: 101 })).rejects.toMatchObject({ param: "limit" });
  });

  test("updates and deletes a customer", async () => {
    const { id } = await stripe.customers.create({ email: "ada@patients.example" });
    await stripe.customers.update(id, { name: "Ada Example", metadata: { mrn: "SIM-1" } });
    expect(await stripe.customers.retrieve(id)).toMatchObject({
      email: "ada@patients.example",
      name: "Ada Example",
      metadata: { mrn: "SIM-1" },
    });
    expect((await stripe.customers.list({ email: "ada@patients.example" })).data).toHaveLength(1);
    expect(await stripe.customers.del(id)).toMatchObject({ deleted: true });
  });

  test("opens and expires a checkout session of nested line items", async () => {
    const session = await stripe.checkout.sessions.create({
      mode: "payment",
      success_url: "https://clinic.example/paid",
      line_items: [
        {
          quantity: 2,
          price_data: { currency: "usd", unit_amount: 4500, product_data: { name: "Visit" } },
        },
      ],
    });
    expect(session).toMatchObject({ amount_total: 9000, status: "open", payment_status: "unpaid" });
    expect(session.url).toMatch(/^https:\/\/checkout\.stripe\.com\//);
    expect((await stripe.checkout.sessions.expire(session.id)).status).toBe("expired");
  });

  test("drafts, finalizes, sends and collects an invoice", async () => {
    const { id: customer } = await stripe.customers.create({ name: "Ada Example" });
    const draft = await stripe.invoices.create({
      customer,
      collection_method: "send_invoice",
      days_until_due: 30,
    });
    await stripe.invoiceItems.create({
      customer,
      invoice: draft.id,
      amount: 12_500,
      currency: "usd",
    });
    const open = await stripe.invoices.finalizeInvoice(draft.id);
    expect(open).toMatchObject({ status: "open", amount_due: 12_500, total: 12_500 });
    expect(open.number).toBeTruthy();
    await expect(stripe.invoices.finalizeInvoice(draft.id)).rejects.toMatchObject({
      statusCode: 400,
    });
    expect((await stripe.invoices.sendInvoice(draft.id)).status).toBe("open");
    expect((await stripe.invoices.pay(draft.id)).status).toBe("paid");
  });
});

describe("form bodies", () => {
  const post = (body: string, type = "application/x-www-form-urlencoded") =>
    fetch(`${simulator.url}/v1/customers`, {
      method: "POST",
      headers: { authorization: `Bearer ${secretKey}`, "content-type": type },
      body,
    });

  test.each([
    "name[=x",
    "name=%zz",
    "name=a&name=b",
    "metadata[a]=1&metadata=2",
    "metadata=2&metadata[a]=1",
    "expand[1]=customer",
    "[]=x",
  ])("refuses %s", async (body) => {
    expect((await post(body)).status).toBe(400);
  });

  test("refuses JSON", async () => {
    expect((await post('{"name":"Ada"}', "application/json")).status).toBe(400);
  });
});

describe("webhooks and faults", () => {
  test("signs events that the SDK's verifier accepts, and only unaltered", async () => {
    const { webhook, credentials } = simulator.simulation("stripe");
    const request = await webhook?.({
      url: "https://edge.example/webhooks/stripe/1",
      credentials,
      type: "charge.refunded",
    });
    const body = (await request?.text()) ?? "";
    const signature = request?.headers.get("stripe-signature") ?? "";
    const event = await stripe.webhooks.constructEventAsync(body, signature, String(webhookSecret));
    expect(event).toMatchObject({
      type: "charge.refunded",
      data: { object: { object: "charge" } },
    });
    await expect(
      stripe.webhooks.constructEventAsync(
        body.replace("2000", "9000"),
        signature,
        String(webhookSecret),
      ),
    ).rejects.toBeInstanceOf(Stripe.errors.StripeSignatureVerificationError);
  });

  test.each([
    ["rate_limited", Stripe.errors.StripeRateLimitError],
    ["server_error", Stripe.errors.StripeAPIError],
    ["expired_credentials", Stripe.errors.StripeAuthenticationError],
    ["forbidden", Stripe.errors.StripePermissionError],
    ["truncated", Stripe.errors.StripeConnectionError],
    ["garbage", Stripe.errors.StripeAPIError],
  ] as const)("%s is the SDK's own error, once", async (kind, error) => {
    simulator.fault({ vendor: "stripe", kind, times: 1 });
    await expect(stripe.balance.retrieve()).rejects.toBeInstanceOf(error);
    await expect(stripe.balance.retrieve()).resolves.toMatchObject({ object: "balance" });
  });

  test("a dropped line is the SDK's connection error", async () => {
    // The SDK tries once more unasked, taking it for a stale keep-alive connection.
    simulator.fault({ vendor: "stripe", kind: "reset", times: 2 });
    await expect(stripe.balance.retrieve()).rejects.toBeInstanceOf(
      Stripe.errors.StripeConnectionError,
    );
  });
});

const wire = await startSimulator({ vendors: ["stripe"] });
afterAll(() => wire.close());
const connected = connectVendor(wire, "stripe", vendor);
const idempotencyKey = "visit-42";
const settings = {
  httpClient: Stripe.createFetchHttpClient(wire.fetch),
  maxNetworkRetries: 0,
  telemetry: false,
};
const sdk = new Stripe(String(secretKey), settings);
const once = { idempotencyKey };
const headers = ["stripe-version", "stripe-account", "idempotency-key"];
const payment = "pi_3Q0000000000000000000001";
const customer = "cus_R01";
const bill = "in_1Q0000000000000000000001";
const description = "Copay & fee: 100 % of Zoë's";
const { latest_charge } = await sdk.paymentIntents.retrieve(payment);

testParity(connected, {
  headers,
  idempotencyKey,
  rows: [
    ["test", {}, () => sdk.accounts.retrieveCurrent()],
    [
      "createPaymentIntent",
      { amount: 2500, currency: "usd" },
      () => sdk.paymentIntents.create({ amount: 2500, currency: "usd" }, once),
    ],
    [
      "createPaymentIntent",
      {
        amount: 2500,
        currency: "usd",
        description,
        reference: "visit-42",
        customer,
        receiptEmail: "camila+pay@example.com",
        captureLater: true,
        metadata: { "a b": "1&2", clinic: "Zoë" },
      },
      () =>
        sdk.paymentIntents.create(
          {
            amount: 2500,
            currency: "usd",
            description,
            customer,
            receipt_email: "camila+pay@example.com",
            capture_method: "manual",
            metadata: { "a b": "1&2", clinic: "Zoë", reference: "visit-42" },
          },
          once,
        ),
    ],
    ["getPaymentIntent", { id: payment }, () => sdk.paymentIntents.retrieve(payment)],
    [
      "listPaymentIntents",
      { customer, limit: 5 },
      () => sdk.paymentIntents.list({ customer, limit: 5 }),
    ],
    [
      "listPaymentIntents",
      { cursor: payment },
      () => sdk.paymentIntents.list({ limit: 20, starting_after: payment }),
    ],
    ["capturePaymentIntent", {}, ({ id }) => sdk.paymentIntents.capture(id, {}, once)],
    ["cancelPaymentIntent", {}, ({ id }) => sdk.paymentIntents.cancel(id, {}, once)],
    [
      "refundPayment",
      { payment, amount: 1000, reason: "requested_by_customer" },
      () =>
        sdk.refunds.create(
          { payment_intent: payment, amount: 1000, reason: "requested_by_customer" },
          once,
        ),
    ],
    [
      "refundPayment",
      { payment: latest_charge },
      () => sdk.refunds.create({ charge: String(latest_charge) }, once),
    ],
    [
      "createCustomer",
      { name: "Zoë Example", email: "zoe@example.com", phone: "+1 555", metadata: { mrn: "1" } },
      () =>
        sdk.customers.create(
          {
            name: "Zoë Example",
            email: "zoe@example.com",
            phone: "+1 555",
            metadata: { mrn: "1" },
          },
          once,
        ),
    ],
    [
      "createCheckoutSession",
      {
        amount: 12_000,
        currency: "usd",
        productName: "Balance",
        successUrl: "https://clinic.example/paid?id={CHECKOUT_SESSION_ID}&x=1",
        cancelUrl: "https://clinic.example/bill",
        customer,
        reference: "visit-42",
      },
      () =>
        sdk.checkout.sessions.create(
          {
            mode: "payment",
            line_items: [
              {
                quantity: 1,
                price_data: {
                  currency: "usd",
                  unit_amount: 12_000,
                  product_data: { name: "Balance" },
                },
              },
            ],
            success_url: "https://clinic.example/paid?id={CHECKOUT_SESSION_ID}&x=1",
            cancel_url: "https://clinic.example/bill",
            customer,
            client_reference_id: "visit-42",
          },
          once,
        ),
    ],
    [
      "createInvoice",
      { customer, currency: "usd", daysUntilDue: 14, description },
      () =>
        sdk.invoices.create(
          {
            customer,
            currency: "usd",
            description,
            collection_method: "send_invoice",
            days_until_due: 14,
            pending_invoice_items_behavior: "exclude",
          },
          once,
        ),
    ],
    [
      "addInvoiceItem",
      { invoice: bill, customer, amount: 12_000, currency: "usd", description },
      () =>
        sdk.invoiceItems.create(
          { invoice: bill, customer, amount: 12_000, currency: "usd", description },
          once,
        ),
    ],
    ["finalizeInvoice", { id: bill }, () => sdk.invoices.finalizeInvoice(bill, {}, once)],
    ["sendInvoice", { id: bill }, () => sdk.invoices.sendInvoice(bill, {}, once)],
    ["voidInvoice", {}, ({ id }) => sdk.invoices.voidInvoice(id, {}, once)],
  ],
});

test("a connected account is named as the SDK names it", async () => {
  const { id: stripeAccount } = await sdk.accounts.retrieveCurrent();
  const theirs = await saidBy(
    connected,
    () => sdk.paymentIntents.retrieve(payment, {}, { stripeAccount }),
    headers,
  );
  const values = connected.changed({ stripeAccount });
  const ours = await saidBy(
    connected,
    () => connected.run("getPaymentIntent", { id: payment }, values),
    headers,
  );
  expect(ours).toEqual(theirs);
  expect(ours).toMatchObject([{ headers: { "stripe-account": stripeAccount } }]);
});

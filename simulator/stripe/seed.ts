import { unixNow } from "../define.ts";
import type { Ledger } from "./ledger.ts";

const customer = "cus_R01";

function addPayment({ add, ids }: Ledger, id: string, fields: object) {
  const amount = 2500;
  const charge = ids.letters("ch_3Q", 12);
  const paid = { amount, currency: "usd", customer: null, payment_method: "pm_card_visa" };
  add("payment_intents", "payment_intent", id, {
    ...paid,
    amount_capturable: 0,
    amount_received: 0,
    automatic_payment_methods: { enabled: true, allow_redirects: "always" },
    canceled_at: null,
    cancellation_reason: null,
    capture_method: "automatic_async",
    client_secret: `${id}_secret_0000000000000000`,
    description: "Copay",
    last_payment_error: null,
    latest_charge: charge,
    next_action: null,
    payment_method_types: ["card"],
    receipt_email: null,
    ...fields,
  });
  add("charges", "charge", charge, {
    ...paid,
    amount_captured: amount,
    amount_refunded: 0,
    captured: true,
    paid: true,
    payment_intent: id,
    refunded: false,
    status: "succeeded",
  });
  return { id };
}

function addInvoice({ add }: Ledger, id: string, status: "draft" | "open") {
  add("invoices", "invoice", id, {
    amount_due: 0,
    amount_paid: 0,
    amount_remaining: 0,
    auto_advance: false,
    collection_method: "send_invoice",
    currency: "usd",
    customer,
    description: null,
    due_date: unixNow() + 30 * 86_400,
    hosted_invoice_url: null,
    invoice_pdf: null,
    number: null,
    status,
    total: 0,
  });
  return { id };
}

/** A patient who has paid once and is about to be billed, so that a fresh account has something to read. */
export function seed(ledger: Ledger) {
  ledger.add("customers", "customer", customer, {
    address: null,
    balance: 0,
    currency: null,
    description: null,
    email: "camila@example.com",
    name: "Camila Lopez",
    phone: null,
  });
  addPayment(ledger, "pi_3Q0000000000000000000001", { status: "succeeded", amount_received: 2500 });
  addInvoice(ledger, "in_1Q0000000000000000000001", "draft");
}

/** What the seeded patient has not: a payment to capture, one to cancel, an invoice to void. */
export const paramsOf = (ledger: Ledger) => {
  const payment = (status: string) =>
    addPayment(ledger, ledger.ids.letters("pi_3", 23), { status });
  return {
    capturePaymentIntent: () => payment("requires_capture"),
    cancelPaymentIntent: () => payment("requires_payment_method"),
    voidInvoice: () => addInvoice(ledger, ledger.ids.letters("in_1", 23), "open"),
  };
};

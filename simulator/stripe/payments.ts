import * as z from "zod";

import { unixNow } from "../define.ts";
import {
  boolean,
  currency,
  integer,
  type Ledger,
  parse,
  refuse,
  type Resource,
  shared,
  type StripeApp,
} from "./ledger.ts";

const cards: Record<
  string,
  { outcome: "approved" | "declined" | "action"; code?: string; decline?: string }
> = {
  pm_card_visa: { outcome: "approved" },
  pm_card_mastercard: { outcome: "approved" },
  pm_card_chargeDeclined: {
    outcome: "declined",
    code: "card_declined",
    decline: "generic_decline",
  },
  pm_card_chargeDeclinedInsufficientFunds: {
    outcome: "declined",
    code: "card_declined",
    decline: "insufficient_funds",
  },
  pm_card_chargeDeclinedExpiredCard: { outcome: "declined", code: "expired_card" },
  pm_card_authenticationRequired: { outcome: "action" },
};

const PaymentIntentParams = {
  ...shared,
  customer: z.string().optional(),
  description: z.string().optional(),
  receipt_email: z.string().optional(),
  setup_future_usage: z.enum(["on_session", "off_session"]).optional(),
  statement_descriptor_suffix: z.string().max(22).optional(),
  payment_method: z.string().optional(),
  payment_method_types: z.array(z.string()).optional(),
  capture_method: z.enum(["automatic", "automatic_async", "manual"]).optional(),
  return_url: z.string().optional(),
  off_session: boolean.optional(),
};

export function addPayments(app: StripeApp, { ids, add, find, reply, list }: Ledger) {
  const customer = (id: string | undefined) =>
    id === undefined ? null : find("customers", "customer", id, "customer").id;

  function charge(intent: Resource, captured: boolean) {
    const amount = intent["amount"] as number;
    const paid = add("charges", "charge", ids.letters("ch_3", 23), {
      amount,
      amount_captured: captured ? amount : 0,
      amount_refunded: 0,
      captured,
      currency: intent["currency"],
      customer: intent["customer"],
      paid: true,
      payment_intent: intent.id,
      payment_method: intent["payment_method"],
      refunded: false,
      status: "succeeded",
    });
    Object.assign(intent, { latest_charge: paid.id });
  }

  /** What Stripe does with the test payment methods. */
  function confirm(intent: Resource, returnUrl: string | undefined) {
    const method = intent["payment_method"];
    if (typeof method !== "string")
      return refuse(
        400,
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken.",
        { code: "payment_intent_unexpected_state" },
      );
    const automatic = intent["automatic_payment_methods"] as { allow_redirects: string } | null;
    if (automatic && automatic.allow_redirects !== "never" && returnUrl === undefined)
      return refuse(
        400,
        "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.",
      );
    const card = cards[method];
    if (!card)
      return refuse(400, `No such PaymentMethod: '${method}'`, {
        code: "resource_missing",
        param: "payment_method",
      });
    if (card.outcome === "declined") {
      const type = "card_error";
      const code = card.code ?? "card_declined";
      const decline = card.decline === undefined ? {} : { decline_code: card.decline };
      const last = { type, code, ...decline, message: "Your card was declined." };
      Object.assign(intent, {
        status: "requires_payment_method",
        payment_method: null,
        last_payment_error: last,
      });
      return refuse(402, last.message, { type, code, ...decline, payment_intent: intent });
    }
    if (card.outcome === "action") {
      const next = { type: "use_stripe_sdk", use_stripe_sdk: { type: "three_d_secure_redirect" } };
      return Object.assign(intent, { status: "requires_action", next_action: next });
    }
    const manual = intent["capture_method"] === "manual";
    charge(intent, !manual);
    const amount = intent["amount"];
    return Object.assign(
      intent,
      manual
        ? { status: "requires_capture", amount_capturable: amount }
        : { status: "succeeded", amount_received: amount },
    );
  }
  function expectStatus(intent: Resource, verb: string, allowed: readonly string[]) {
    if (allowed.includes(String(intent["status"]))) return;
    refuse(
      400,
      `You cannot ${verb} this PaymentIntent because it has a status of ${String(intent["status"])}. Only a PaymentIntent with one of the following statuses may be ${verb === "capture" ? "captured" : `${verb}ed`}: ${allowed.join(", ")}.`,
      { code: "payment_intent_unexpected_state" },
    );
  }
  const intent = (id: string) => find("payment_intents", "payment_intent", id);

  app.post("/v1/payment_intents", (c) => {
    const params = parse(
      z.strictObject({
        ...PaymentIntentParams,
        amount: integer,
        currency,
        confirm: boolean.optional(),
        automatic_payment_methods: z
          .strictObject({
            enabled: boolean,
            allow_redirects: z.enum(["always", "never"]).optional(),
          })
          .optional(),
      }),
      c.get("params"),
    );
    if (params.amount < 1)
      refuse(400, "This value must be greater than or equal to 1.", {
        code: "parameter_invalid_integer",
        param: "amount",
      });
    if (params.currency === "usd" && params.amount < 50)
      refuse(400, "Amount must be at least $0.50 usd", {
        code: "amount_too_small",
        param: "amount",
      });
    if (params.amount > 99_999_999)
      refuse(400, "Amount must be no more than $999,999.99", {
        code: "amount_too_large",
        param: "amount",
      });
    const automatic =
      params.automatic_payment_methods ??
      (params.payment_method_types ? undefined : { enabled: true });
    const id = ids.letters("pi_3", 23);
    const created = add("payment_intents", "payment_intent", id, {
      amount: params.amount,
      amount_capturable: 0,
      amount_received: 0,
      automatic_payment_methods: automatic ? { allow_redirects: "always", ...automatic } : null,
      canceled_at: null,
      cancellation_reason: null,
      capture_method: params.capture_method ?? "automatic_async",
      client_secret: `${id}_secret_${ids.letters("", 25)}`,
      currency: params.currency,
      customer: customer(params.customer),
      description: params.description ?? null,
      last_payment_error: null,
      latest_charge: null,
      metadata: params.metadata ?? {},
      next_action: null,
      payment_method: params.payment_method ?? null,
      payment_method_types: params.payment_method_types ?? ["card"],
      receipt_email: params.receipt_email ?? null,
      status: params.payment_method ? "requires_confirmation" : "requires_payment_method",
    });
    if (params.confirm) confirm(created, params.return_url);
    return reply(c, created);
  });
  app.get("/v1/payment_intents", (c) => list(c, "payment_intents", ["customer"]));
  app.get("/v1/payment_intents/:id", (c) => reply(c, intent(c.req.param("id"))));
  app.post("/v1/payment_intents/:id", (c) => {
    const found = intent(c.req.param("id"));
    const params = parse(
      z.strictObject({ ...PaymentIntentParams, amount: integer.optional() }),
      c.get("params"),
    );
    const { expand: _, return_url: __, metadata, ...rest } = params;
    Object.assign(found, rest, { metadata: { ...(found["metadata"] as object), ...metadata } });
    return reply(c, found);
  });
  app.post("/v1/payment_intents/:id/confirm", (c) => {
    const found = intent(c.req.param("id"));
    const params = parse(z.strictObject(PaymentIntentParams), c.get("params"));
    expectStatus(found, "confirm", [
      "requires_payment_method",
      "requires_confirmation",
      "requires_action",
    ]);
    if (params.payment_method) found["payment_method"] = params.payment_method;
    confirm(found, params.return_url);
    return reply(c, found);
  });
  app.post("/v1/payment_intents/:id/capture", (c) => {
    const found = intent(c.req.param("id"));
    const params = parse(
      z.strictObject({ ...shared, amount_to_capture: integer.optional() }),
      c.get("params"),
    );
    expectStatus(found, "capture", ["requires_capture"]);
    const amount = params.amount_to_capture ?? (found["amount"] as number);
    if (amount > (found["amount"] as number))
      refuse(
        400,
        "The payment could not be captured because the requested capture amount is greater than the amount you can capture for this charge.",
        { code: "amount_too_large", param: "amount_to_capture" },
      );
    Object.assign(find("charges", "charge", String(found["latest_charge"])), {
      captured: true,
      amount_captured: amount,
    });
    Object.assign(found, { status: "succeeded", amount_capturable: 0, amount_received: amount });
    return reply(c, found);
  });
  app.post("/v1/payment_intents/:id/cancel", (c) => {
    const found = intent(c.req.param("id"));
    const reasons = z.enum(["duplicate", "fraudulent", "requested_by_customer", "abandoned"]);
    const params = parse(
      z.strictObject({ ...shared, cancellation_reason: reasons.optional() }),
      c.get("params"),
    );
    expectStatus(found, "cancel", [
      "requires_payment_method",
      "requires_capture",
      "requires_confirmation",
      "requires_action",
      "processing",
    ]);
    const cancellation_reason = params.cancellation_reason ?? null;
    Object.assign(found, {
      status: "canceled",
      canceled_at: unixNow(),
      cancellation_reason,
      amount_capturable: 0,
    });
    return reply(c, found);
  });

  app.get("/v1/charges/:id", (c) => reply(c, find("charges", "charge", c.req.param("id"))));

  app.post("/v1/refunds", (c) => {
    const params = parse(
      z.strictObject({
        ...shared,
        payment_intent: z.string().optional(),
        charge: z.string().optional(),
        amount: integer.optional(),
        reason: z.enum(["duplicate", "fraudulent", "requested_by_customer"]).optional(),
      }),
      c.get("params"),
    );
    if (params.payment_intent === undefined && params.charge === undefined)
      refuse(
        400,
        "One of the following params should be provided for this request: payment_intent or charge.",
      );
    const paid = params.payment_intent
      ? find("payment_intents", "payment_intent", params.payment_intent, "payment_intent")
      : undefined;
    const chargeId = params.charge ?? paid?.["latest_charge"];
    if (typeof chargeId !== "string" || paid?.["status"] === "requires_capture")
      return refuse(
        400,
        `This PaymentIntent (${params.payment_intent}) does not have a successful charge to refund.`,
        { param: "payment_intent" },
      );
    const found = find("charges", "charge", chargeId, "charge");
    const left = Number(found["amount_captured"]) - Number(found["amount_refunded"]);
    if (left === 0)
      refuse(400, `Charge ${chargeId} has already been refunded.`, {
        code: "charge_already_refunded",
      });
    const amount = params.amount ?? left;
    if (amount > left)
      refuse(
        400,
        `Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`,
        { param: "amount" },
      );
    found["amount_refunded"] = Number(found["amount_refunded"]) + amount;
    found["refunded"] = amount === left;
    return reply(
      c,
      add("refunds", "refund", ids.letters("re_3", 23), {
        amount,
        charge: chargeId,
        currency: found["currency"],
        metadata: params.metadata ?? {},
        payment_intent: found["payment_intent"],
        reason: params.reason ?? null,
        status: "succeeded",
      }),
    );
  });
  app.get("/v1/refunds", (c) => list(c, "refunds", ["charge", "payment_intent"]));
  app.get("/v1/refunds/:id", (c) => reply(c, find("refunds", "refund", c.req.param("id"))));
}

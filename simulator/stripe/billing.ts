import * as z from "zod";

import { unixNow } from "../define.ts";
import {
  account,
  boolean,
  currency,
  integer,
  type Ledger,
  parse,
  refuse,
  shared,
  type StripeApp,
} from "./ledger.ts";

export function addBilling(app: StripeApp, { ids, table, add, find, reply, list }: Ledger) {
  const CustomerParams = z.strictObject({
    ...shared,
    name: z.string().optional(),
    email: z.string().optional(),
    phone: z.string().optional(),
    description: z.string().optional(),
    address: z.record(z.string(), z.string()).optional(),
  });
  app.post("/v1/customers", (c) => {
    const { expand: _, ...params } = parse(CustomerParams, c.get("params"));
    if (params.email !== undefined && !/^\S+@\S+\.\S+$/.test(params.email))
      refuse(400, `Invalid email address: ${params.email}`, {
        code: "email_invalid",
        param: "email",
      });
    const blank = {
      address: null,
      balance: 0,
      currency: null,
      description: null,
      email: null,
      name: null,
      phone: null,
    };
    return reply(c, add("customers", "customer", ids.letters("cus_", 14), { ...blank, ...params }));
  });
  app.get("/v1/customers", (c) => list(c, "customers", ["email"]));
  app.get("/v1/customers/:id", (c) => reply(c, find("customers", "customer", c.req.param("id"))));
  app.post("/v1/customers/:id", (c) => {
    const found = find("customers", "customer", c.req.param("id"));
    const { expand: _, metadata, ...params } = parse(CustomerParams, c.get("params"));
    Object.assign(found, params, { metadata: { ...(found["metadata"] as object), ...metadata } });
    return reply(c, found);
  });
  app.delete("/v1/customers/:id", (c) => {
    const { id } = find("customers", "customer", c.req.param("id"));
    table("customers").delete(id);
    return c.json({ id, object: "customer", deleted: true });
  });

  const LineItem = z.strictObject({
    price: z.string().optional(),
    quantity: integer.optional(),
    price_data: z
      .strictObject({
        currency,
        unit_amount: integer,
        product_data: z.strictObject({ name: z.string(), description: z.string().optional() }),
        recurring: z
          .strictObject({ interval: z.enum(["day", "week", "month", "year"]) })
          .optional(),
      })
      .optional(),
  });
  app.post("/v1/checkout/sessions", (c) => {
    const params = parse(
      z.strictObject({
        ...shared,
        mode: z.enum(["payment", "setup", "subscription"]),
        success_url: z.url(),
        cancel_url: z.url().optional(),
        client_reference_id: z.string().max(200).optional(),
        customer: z.string().optional(),
        customer_email: z.string().optional(),
        expires_at: integer.optional(),
        line_items: z.array(LineItem).max(100).optional(),
        payment_intent_data: z
          .strictObject({ description: z.string().optional(), metadata: shared.metadata })
          .optional(),
        payment_method_types: z.array(z.string()).optional(),
      }),
      c.get("params"),
    );
    if (params.mode !== "setup" && !params.line_items?.length)
      refuse(400, "Missing required param: line_items.", {
        code: "parameter_missing",
        param: "line_items",
      });
    const items = (params.line_items ?? []).map(({ price, price_data, quantity }, index) => {
      const param = `line_items[${index}]`;
      if (price !== undefined)
        refuse(400, `No such price: '${price}'`, {
          code: "resource_missing",
          param: `${param}[price]`,
        });
      if (!price_data)
        return refuse(400, `Missing required param: ${param}[price_data].`, {
          code: "parameter_missing",
          param: `${param}[price_data]`,
        });
      if (quantity === undefined)
        return refuse(400, "You must specify a quantity.", {
          code: "parameter_missing",
          param: `${param}[quantity]`,
        });
      return { amount: price_data.unit_amount * quantity, currency: price_data.currency };
    });
    const total = items.reduce((sum, { amount }) => sum + amount, 0);
    const id = ids.letters("cs_test_", 58);
    return reply(
      c,
      add("sessions", "checkout.session", id, {
        amount_subtotal: total,
        amount_total: total,
        cancel_url: params.cancel_url ?? null,
        client_reference_id: params.client_reference_id ?? null,
        currency: items[0]?.currency ?? null,
        customer:
          params.customer === undefined
            ? null
            : find("customers", "customer", params.customer, "customer").id,
        customer_email: params.customer_email ?? null,
        expires_at: params.expires_at ?? unixNow() + 86_400,
        metadata: params.metadata ?? {},
        mode: params.mode,
        payment_intent: null,
        payment_status: params.mode === "setup" ? "no_payment_required" : "unpaid",
        status: "open",
        success_url: params.success_url,
        url: `https://checkout.stripe.com/c/pay/${id}`,
      }),
    );
  });
  const session = (id: string) => find("sessions", "checkout.session", id);
  app.get("/v1/checkout/sessions", (c) =>
    list(c, "sessions", ["customer", "payment_intent", "status"]),
  );
  app.get("/v1/checkout/sessions/:id", (c) => reply(c, session(c.req.param("id"))));
  app.post("/v1/checkout/sessions/:id/expire", (c) => {
    const found = session(c.req.param("id"));
    if (found["status"] !== "open")
      refuse(
        400,
        `Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of \`${String(found["status"])}\`.`,
      );
    return reply(c, Object.assign(found, { status: "expired", url: null }));
  });

  const owner = (id: string) => find("customers", "customer", id, "customer").id;
  app.post("/v1/invoiceitems", (c) => {
    const params = parse(
      z.strictObject({
        ...shared,
        customer: z.string(),
        amount: integer.optional(),
        currency: currency.optional(),
        description: z.string().optional(),
        invoice: z.string().optional(),
        quantity: integer.optional(),
        unit_amount_decimal: z.string().optional(),
      }),
      c.get("params"),
    );
    const invoice =
      params.invoice === undefined
        ? undefined
        : find("invoices", "invoice", params.invoice, "invoice");
    if (invoice && invoice["status"] !== "draft")
      refuse(400, `The specified invoice ${invoice.id} is not a draft.`, { param: "invoice" });
    const amount =
      params.amount ?? Math.round(Number(params.unit_amount_decimal ?? 0) * (params.quantity ?? 1));
    const item = add("invoiceitems", "invoiceitem", ids.letters("ii_1", 23), {
      amount,
      currency: params.currency ?? "usd",
      customer: owner(params.customer),
      date: unixNow(),
      description: params.description ?? null,
      invoice: params.invoice ?? null,
      metadata: params.metadata ?? {},
      quantity: params.quantity ?? 1,
    });
    if (invoice) addUp(invoice.id);
    return reply(c, item);
  });

  /** An invoice's totals are the sum of its items. */
  function addUp(id: string) {
    const invoice = find("invoices", "invoice", id);
    const items = [...table("invoiceitems").values()].filter((item) => item["invoice"] === id);
    const total = items.reduce((sum, item) => sum + Number(item["amount"]), 0);
    const lines = items.map((item) => ({
      id: `il_${item.id.slice(3)}`,
      object: "line_item",
      amount: item["amount"],
      currency: item["currency"],
      description: item["description"],
    }));
    return Object.assign(invoice, {
      amount_due: total,
      amount_remaining: total,
      lines: { object: "list", data: lines, has_more: false, url: `/v1/invoices/${id}/lines` },
      subtotal: total,
      total,
    });
  }
  app.post("/v1/invoices", (c) => {
    const params = parse(
      z.strictObject({
        ...shared,
        customer: z.string(),
        auto_advance: boolean.optional(),
        collection_method: z.enum(["charge_automatically", "send_invoice"]).optional(),
        currency: currency.optional(),
        days_until_due: integer.optional(),
        description: z.string().optional(),
        due_date: integer.optional(),
        footer: z.string().optional(),
        number: z.string().max(26).optional(),
        pending_invoice_items_behavior: z.enum(["include", "exclude"]).optional(),
      }),
      c.get("params"),
    );
    const method = params.collection_method ?? "charge_automatically";
    const due =
      params.due_date ??
      (params.days_until_due === undefined ? null : unixNow() + params.days_until_due * 86_400);
    if (method === "send_invoice" && due === null)
      refuse(
        400,
        "If invoice is configured with collection_method 'send_invoice', you must provide either `due_date` or `days_until_due`.",
        { param: "days_until_due" },
      );
    if (method === "charge_automatically" && due !== null)
      refuse(
        400,
        "You can only specify `days_until_due` if the invoice `collection_method` is 'send_invoice'.",
        { param: "days_until_due" },
      );
    const invoice = add("invoices", "invoice", ids.letters("in_1", 23), {
      amount_paid: 0,
      auto_advance: params.auto_advance ?? false,
      collection_method: method,
      currency: params.currency ?? "usd",
      customer: owner(params.customer),
      description: params.description ?? null,
      due_date: due,
      hosted_invoice_url: null,
      invoice_pdf: null,
      metadata: params.metadata ?? {},
      number: params.number ?? null,
      status: "draft",
    });
    if (params.pending_invoice_items_behavior === "include")
      for (const item of table("invoiceitems").values())
        if (item["invoice"] === null && item["customer"] === params.customer)
          item["invoice"] = invoice.id;
    return reply(c, addUp(invoice.id));
  });
  const invoice = (id: string) => find("invoices", "invoice", id);
  app.get("/v1/invoices", (c) => list(c, "invoices", ["customer", "status"]));
  app.get("/v1/invoices/:id", (c) => reply(c, invoice(c.req.param("id"))));

  function finalize(id: string) {
    const found = invoice(id);
    if (found["status"] !== "draft")
      refuse(400, "This invoice is already finalized, you can't re-finalize a non-draft invoice.", {
        code: "invoice_not_editable",
      });
    const settled = found["total"] === 0;
    const code = ids.letters("", 24);
    return Object.assign(found, {
      number: found["number"] ?? `SIM-${String(table("invoices").size).padStart(4, "0")}`,
      hosted_invoice_url: `https://invoice.stripe.com/i/${account}/${code}`,
      invoice_pdf: `https://pay.stripe.com/invoice/${account}/${code}/pdf`,
      status: settled ? "paid" : "open",
    });
  }
  app.post("/v1/invoices/:id/finalize", (c) => {
    parse(
      z.strictObject({ auto_advance: boolean.optional(), expand: shared.expand }),
      c.get("params"),
    );
    return reply(c, finalize(c.req.param("id")));
  });
  app.post("/v1/invoices/:id/send", (c) => {
    parse(z.strictObject({ expand: shared.expand }), c.get("params"));
    const found = invoice(c.req.param("id"));
    if (found["collection_method"] !== "send_invoice")
      refuse(
        400,
        "You can only manually send an invoice if its collection method is 'send_invoice'.",
      );
    if (found["status"] === "draft") finalize(found.id);
    return reply(c, found);
  });
  app.post("/v1/invoices/:id/pay", (c) => {
    parse(z.strictObject({ ...shared, paid_out_of_band: boolean.optional() }), c.get("params"));
    const found = invoice(c.req.param("id"));
    if (found["status"] === "draft") finalize(found.id);
    if (found["status"] !== "open" && found["total"] !== 0)
      refuse(400, `Invoice is already ${String(found["status"])}`, {
        code: "invoice_not_editable",
      });
    return reply(
      c,
      Object.assign(found, { status: "paid", amount_paid: found["total"], amount_remaining: 0 }),
    );
  });
  app.post("/v1/invoices/:id/void", (c) => {
    const found = invoice(c.req.param("id"));
    if (found["status"] !== "open")
      refuse(400, "Only open or uncollectible invoices can be voided.");
    return reply(c, Object.assign(found, { status: "void" }));
  });
}

import { Hono } from "hono";
import { Stripe } from "stripe";
import * as z from "zod";

import {
  basicCredentials,
  bearerToken,
  defineSimulation,
  isSame,
  retryAfter,
  unixNow,
  type WebhookOptions,
} from "./define.ts";
import { newCodes } from "./derived/codes.ts";
import { addBilling } from "./stripe/billing.ts";
import { BadForm, parseBracketForm } from "./stripe/form.ts";
import {
  account,
  failureResponse,
  newLedger,
  parse,
  shared,
  type StripeApp,
} from "./stripe/ledger.ts";
import { addPayments } from "./stripe/payments.ts";
import { paramsOf, seed } from "./stripe/seed.ts";

const credentials = {
  secretKey: "sk_test_00000000000000000000000000",
  webhookSecret: "whsec_00000000000000000000000000000000",
};
/** A Connect platform, which accounts let act for them. */
export const stripePlatform = {
  clientId: "ca_00000000000000000000000000000000",
  key: "sk_test_11111111111111111111111111",
};
/** May read, but not write: as a restricted key whose permissions are read-only. */
export const stripeReadOnlyKey = "rk_test_simulatorReadOnly00000000";
const version = "2026-10-28.endive";

const mask = (key: string) =>
  `${key.slice(0, 8)}${"*".repeat(Math.max(key.length - 12, 0))}${key.slice(-4)}`;

const lacksPermission = (key: string) =>
  `The provided key '${mask(key)}' does not have the required permissions for this endpoint on account '${account}'.`;

/** Makes resources look as they do at the moment of their event. */
const eventObjects: Record<string, Record<string, unknown>> = {
  payment_intent: { amount: 2000, amount_received: 2000, currency: "usd", status: "succeeded" },
  charge: {
    amount: 2000,
    amount_refunded: 2000,
    currency: "usd",
    refunded: true,
    status: "succeeded",
  },
  "checkout.session": {
    amount_total: 2000,
    currency: "usd",
    mode: "payment",
    payment_status: "paid",
    status: "complete",
  },
  invoice: { amount_paid: 2000, currency: "usd", status: "paid", total: 2000 },
};

const OnlyExpand = z.strictObject({ expand: shared.expand });

export const simulation = defineSimulation(() => {
  const ledger = newLedger();
  const { ids, table } = ledger;
  const replays = new Map<
    string,
    { fingerprint: string; status: number; body: string; requestId: string }
  >();
  const app: StripeApp = new Hono();
  const codes = newCodes(
    {
      kind: "authorization_code",
      authorizeUrl: "https://connect.stripe.com/oauth/authorize",
      tokenUrl: "https://connect.stripe.com/oauth/token",
      clientId: stripePlatform.clientId,
      clientSecret: stripePlatform.key,
      style: "body",
      scopes: [],
      pkce: false,
    },
    ids,
    {
      consent: { vendor: "Stripe" },
      accessToken: () => ids.letters("sk_test_", 26),
      extra: { livemode: false, stripe_user_id: account, token_type: "bearer" },
    },
  );
  const connected = new Set<string>();
  app.use("/oauth/*", async (c, next) => {
    const served = await codes.serve(c.req.raw.clone());
    if (served?.headers.get("content-type")?.startsWith("application/json") && served.ok) {
      // docs.stripe.com/connect/oauth-reference: the tokens have no end.
      const { expires_in: _, ...reply } = (await served.json()) as Record<string, unknown>;
      connected.add(String(reply["access_token"]));
      return c.json(reply);
    }
    return served ?? next();
  });
  app.post("/oauth/deauthorize", async (c) => {
    const form = new URLSearchParams(await c.req.raw.clone().text());
    if (!isSame(stripePlatform.key, bearerToken(c.req.raw)))
      return c.json({ error: "invalid_client" }, 401);
    if (form.get("client_id") !== stripePlatform.clientId || form.get("stripe_user_id") !== account)
      return c.json({ error: "invalid_client" }, 401);
    connected.clear();
    return c.json({ stripe_user_id: account });
  });

  app.use("*", async (c, next) => {
    const requestId = ids.letters("req_", 14);
    await next();
    c.res.headers.set("request-id", c.res.headers.get("original-request") ?? requestId);
    c.res.headers.set("stripe-version", c.req.header("stripe-version") ?? version);
  });

  app.use("*", async (c, next) => {
    const { raw } = c.req;
    const key = bearerToken(raw) ?? basicCredentials(raw)?.user;
    if (!key)
      return failureResponse(
        401,
        "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/.",
        {},
        { "www-authenticate": 'Bearer realm="Stripe"' },
      );
    const readOnly = isSame(stripeReadOnlyKey, key);
    if (!readOnly && !connected.has(key) && !isSame(credentials.secretKey, key))
      return failureResponse(401, `Invalid API Key provided: ${mask(key)}`);
    if (readOnly && c.req.method !== "GET")
      return failureResponse(403, lacksPermission(key), { code: "more_permissions_required" });
    const other = c.req.header("stripe-account");
    if (other !== undefined && other !== account)
      return failureResponse(
        403,
        `The provided key '${mask(key)}' does not have access to account '${other}' (or that account does not exist). Application access may have been revoked.`,
        { code: "account_invalid" },
      );
    const asked = c.req.header("stripe-version");
    if (asked !== undefined && !/^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$/.test(asked))
      return failureResponse(400, `Invalid Stripe API version: ${asked}`);
    return next();
  });

  app.use("*", async (c, next) => {
    const text = await c.req.text();
    if (text && !c.req.header("content-type")?.startsWith("application/x-www-form-urlencoded"))
      return failureResponse(
        400,
        "The content type of a v1 request must be application/x-www-form-urlencoded",
      );
    try {
      c.set(
        "params",
        parseBracketForm(c.req.method === "GET" ? new URL(c.req.url).search.slice(1) : text),
      );
    } catch (error) {
      if (error instanceof BadForm) return failureResponse(400, error.message);
      throw error;
    }

    const key = c.req.header("idempotency-key");
    if (c.req.method !== "POST" || key === undefined) return next();
    if (key.length > 255)
      return failureResponse(400, "Idempotency keys may have at most 255 characters", {
        type: "idempotency_error",
      });
    const fingerprint = `${c.req.path}?${JSON.stringify(c.get("params"))}`;
    const earlier = replays.get(key);
    if (earlier && earlier.fingerprint !== fingerprint)
      return failureResponse(
        400,
        `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
        { type: "idempotency_error" },
      );
    if (earlier)
      return new Response(earlier.body, {
        status: earlier.status,
        headers: {
          "content-type": "application/json",
          "idempotency-key": key,
          "idempotent-replayed": "true",
          "original-request": earlier.requestId,
        },
      });
    await next();
    c.res.headers.set("idempotency-key", key);
    // Stripe keeps a result once the work began, so not for refused parameters.
    if (c.res.ok || c.res.status === 402) {
      const requestId = ids.letters("req_", 14);
      c.res.headers.set("original-request", requestId);
      replays.set(key, {
        fingerprint,
        status: c.res.status,
        body: await c.res.clone().text(),
        requestId,
      });
    }
    return undefined;
  });

  app.notFound((c) =>
    failureResponse(
      404,
      `Unrecognized request URL (${c.req.method}: ${c.req.path}). If you are trying to list objects, remove the trailing slash. If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code. Please see https://stripe.com/docs or we can help at https://support.stripe.com/.`,
    ),
  );

  app.get("/v1/account", (c) => {
    parse(OnlyExpand, c.get("params"));
    return c.json({
      id: account,
      object: "account",
      business_profile: { name: "Simulated Clinic" },
      charges_enabled: true,
      country: "US",
      default_currency: "usd",
      details_submitted: true,
      email: "billing@clinic.example",
      payouts_enabled: true,
      settings: { dashboard: { display_name: "Simulated Clinic", timezone: "Etc/UTC" } },
      type: "standard",
    });
  });
  app.get("/v1/balance", (c) => {
    parse(OnlyExpand, c.get("params"));
    const amount = [...table("charges").values()].reduce(
      (sum, charge) => sum + Number(charge["amount_captured"]) - Number(charge["amount_refunded"]),
      0,
    );
    const funds = (value: number) => [
      { amount: value, currency: "usd", source_types: { card: value } },
    ];
    return c.json({
      object: "balance",
      available: funds(0),
      livemode: false,
      pending: funds(amount),
    });
  });

  seed(ledger);
  addBilling(app, ledger);
  addPayments(app, ledger);

  async function webhook({
    url,
    credentials: given,
    type = "payment_intent.succeeded",
    body,
    now = unixNow(),
  }: WebhookOptions) {
    const object = type.slice(0, type.lastIndexOf("."));
    const event = {
      id: ids.letters("evt_1", 23),
      object: "event",
      api_version: version,
      created: now,
      data: {
        object: {
          id: ids.letters(`${object.slice(0, 2)}_`, 24),
          object,
          livemode: false,
          metadata: {},
          ...eventObjects[object],
        },
      },
      livemode: false,
      pending_webhooks: 1,
      request: { id: null, idempotency_key: null },
      type,
      ...(body as object | undefined),
    };
    const payload = JSON.stringify(event, null, 2);
    const signature = await Stripe.webhooks.generateTestHeaderStringAsync({
      payload,
      secret: String(given["webhookSecret"]),
      timestamp: now,
    });
    return new Request(url, {
      method: "POST",
      headers: {
        "content-type": "application/json; charset=utf-8",
        "stripe-signature": signature,
        "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
      },
      body: payload,
    });
  }

  return {
    hosts: ["api.stripe.com", "connect.stripe.com"],
    app,
    credentials,
    webhook,
    faults: {
      rate_limited: (fault) =>
        failureResponse(
          429,
          "Too many requests made to the API too quickly. We recommend an exponential backoff of your requests.",
          { code: "rate_limit" },
          fault.retryAfter === undefined ? {} : retryAfter(fault),
        ),
      server_error: () => failureResponse(500, "An unknown error occurred", { type: "api_error" }),
      expired_credentials: (_, request) =>
        failureResponse(401, `Expired API Key provided: ${mask(bearerToken(request) ?? "")}`, {
          code: "api_key_expired",
        }),
      forbidden: (_, request) =>
        failureResponse(403, lacksPermission(bearerToken(request) ?? ""), {
          code: "more_permissions_required",
        }),
    },
    params: paramsOf(ledger),
    reset() {
      ledger.reset();
      codes.reset();
      connected.clear();
      replays.clear();
      seed(ledger);
    },
  };
});

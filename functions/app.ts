import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import { requestId } from "hono/request-id";
import { routePath } from "hono/route";
import { secureHeaders } from "hono/secure-headers";

import { Problem } from "../problem.ts";
import { readSession, readUnproved } from "./access.ts";
import { activityRoutes } from "./activity.ts";
import { auditRoutes } from "./audit.ts";
import { capabilityRoutes } from "./capabilities.ts";
import { checkRoutes } from "./checks.ts";
import { deliveryRoutes } from "./deliveries.ts";
import { destinationRoutes } from "./destinations.ts";
import { envOf } from "./env.ts";
import { erasureRoutes } from "./erasures.ts";
import { eventRoutes } from "./events.ts";
import { executeRoutes } from "./execute.ts";
import { type AppEnv, newApp, onError } from "./http.ts";
import { integrationRoutes } from "./integrations.ts";
import { keyRoutes } from "./keys.ts";
import { limits } from "./limits.ts";
import { callbackRoutes, oauthRoutes } from "./oauth.ts";
import { describeApi } from "./openapi.ts";
import { keySetRoutes, signingKeyRoutes } from "./signing-keys.ts";
import { ssoRoutes } from "./sso.ts";
import { vendorRoutes } from "./vendors.ts";
import { webhookTestRoutes } from "./webhook-test.ts";
import { webhookRoutes } from "./webhooks.ts";

const megabyte = 1024 * 1024;
/** Of a call to a vendor: a recording of 12 MB in base64, held several times over in 128 MB. */
const largestCall = 17 * megabyte;
const root = newApp();

root.onError(onError);
root.notFound((c) => {
  throw new Problem("not_found", `There is no ${c.req.method} ${c.req.path.slice(0, 200)}`);
});

root.use("*", requestId());
/** What was begun is finished and put on record though whoever asked has left: workerd drops it else. */
root.use("*", async function finish(c, next) {
  const done = next();
  c.executionCtx.waitUntil(done);
  await done;
});
root.use(
  "*",
  secureHeaders({
    strictTransportSecurity: "max-age=63072000; includeSubDomains; preload",
    xFrameOptions: "DENY",
    referrerPolicy: "no-referrer",
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  }),
);
root.use("*", async function configure(c, next) {
  c.env = envOf(c.env);
  const started = Date.now();
  await next();
  const trips = c.var.db?.trips ?? 0;
  if (c.var.db) c.res.headers.append("server-timing", `db;desc="${trips}"`);
  console.log(
    JSON.stringify({
      level: "info",
      message: "request",
      request_id: c.var.requestId,
      route: `${c.req.method} ${routePath(c, -1)}`,
      status: c.res.status,
      ms: Date.now() - started,
      db: trips,
    }),
  );
});
root.use("/api/*", (c, next) =>
  cors({
    origin: (origin) => (c.env.settings.allowedOrigins.includes(origin) ? origin : null),
    credentials: true,
    allowHeaders: [
      "authorization",
      "content-type",
      "idempotency-key",
      "if-match",
      "x-api-key",
      "x-org-id",
    ],
    exposeHeaders: [
      "etag",
      "ratelimit",
      "ratelimit-policy",
      "retry-after",
      "server-timing",
      "x-request-id",
    ],
    maxAge: 600,
  })(c, next),
);
const limitBody = (maxSize: number) =>
  bodyLimit({
    maxSize,
    onError: () => {
      throw new Problem("too_large", `A body may have at most ${maxSize / megabyte} MB`);
    },
  });
const [limitRequest, limitCall] = [limitBody(readUnproved), limitBody(largestCall)];
root.use("/api/*", (c, next) => {
  const isCall = /^\/api\/integrations\/(?:[^/]+\/)?execute$/.test(c.req.path);
  // Without a length it would be read, whoever asks, before it is known to be too large.
  const isMeasured = !!c.req.header("content-length") && !c.req.header("transfer-encoding");
  return (isCall && isMeasured ? limitCall : limitRequest)(c, next);
});
root.use("/api/*", limits);
root.use("/oauth/*", limits);

const requireJson: MiddlewareHandler<AppEnv> = async (c, next) => {
  const type = c.req.header("content-type");
  const length = c.req.header("content-length");
  const hasBody = c.req.raw.body !== null && length !== "0";
  if (hasBody && type !== undefined && !/^application\/(?:[\w.+-]+\+)?json\b/i.test(type))
    throw new Problem("unsupported_media_type", "Send the body as application/json");
  await next();
};
for (const path of [
  "/api/integrations/*",
  "/api/events/*",
  "/api/destinations/*",
  "/api/deliveries/*",
  "/api/erasures",
  "/api/keys/*",
  "/api/signing-keys/*",
  "/api/sso/*",
])
  root.use(path, requireJson);

/** The catalog changes only with a deployment. */
root.use("/api/integrations/vendors/*", etag(), async function cache(c, next) {
  await next();
  if (c.res.ok) c.header("cache-control", "public, max-age=60, stale-while-revalidate=600");
});

root.get("/healthz", (c) => c.json({ ok: true }));

// Better Auth is loaded only by the first request that needs it: the rest of the API does not.
root.on(["GET", "POST"], "/api/auth/*", async (c) => {
  const { handleAuth } = await import("./auth.ts");
  const session = await readSession(c);
  return handleAuth(c.env, c.req.raw, { requestId: c.var.requestId, session });
});

export const app = root
  .route("/", webhookRoutes)
  .route("/", callbackRoutes)
  .route("/", auditRoutes)
  .route("/", activityRoutes)
  .route("/api/events", eventRoutes)
  .route("/api/destinations", destinationRoutes)
  .route("/api/deliveries", deliveryRoutes)
  .route("/api/erasures", erasureRoutes)
  .route("/api/keys", keyRoutes)
  .route("/api/signing-keys", signingKeyRoutes)
  .route("/", keySetRoutes)
  .route("/api/sso", ssoRoutes)
  .route("/api/integrations", vendorRoutes)
  .route("/api/integrations", checkRoutes)
  .route("/api/integrations", capabilityRoutes)
  .route("/api/integrations", executeRoutes)
  .route("/api/integrations", webhookTestRoutes)
  .route("/api/integrations", oauthRoutes)
  .route("/api/integrations", integrationRoutes);

describeApi(root);

export type App = typeof app;

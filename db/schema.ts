import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  type PgColumn,
  pgPolicy,
  pgRole,
  pgTable,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
  varchar,
} from "drizzle-orm/pg-core";

import { organizations } from "./auth-schema.ts";

export * from "./auth-schema.ts";

/** Requests run as `tenant`, the clock and the queues as `system`; neither may bypass row security. */
export const tenantRole = pgRole("ehrconnect_tenant").existing();
export const systemRole = pgRole("ehrconnect_system").existing();

/** `app_org_id()` is the transaction's `app.org_id`: unset, it is null and matches no row. */
export const mine = sql`org_id = app_org_id()`;
const policies = () => [
  pgPolicy("tenant", { to: tenantRole, for: "all", using: mine, withCheck: mine }),
  pgPolicy("system", { to: systemRole, for: "all", using: sql`true`, withCheck: sql`true` }),
];

const id = () => uuid("id").primaryKey().defaultRandom();
const orgId = () =>
  uuid("org_id")
    .notNull()
    .default(sql`app_org_id()`)
    .references(() => organizations.id, { onDelete: "cascade" });
const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
const createdAt = () => at("created_at").notNull().defaultNow();

/** AES-256-GCM under a data key of its own, which a key-encryption key wraps; see functions/vault.ts. */
export type Envelope = {
  v: 1;
  /** Name of the key-encryption key, such as `KEY_1`. */
  kek: string;
  /** The wrapped data key, base64. */
  dk: string;
  /** Version of the data key; part of the AAD. */
  dv: number;
  iv: string;
  ct: string;
};

/**
 * The key that wraps an envelope, beside its column: with an index, so that those of an older key are
 * found without reading any. Each column of envelopes has one; functions/rotation.ts finds it by name.
 */
const kekOf = (column: string) =>
  text(`${column}_kek`).generatedAlwaysAs(sql.raw(`${column} ->> 'kek'`));
const kekIndex = (name: string, kek: PgColumn) =>
  index(`${name}_kek`)
    .on(kek)
    .where(sql`${sql.identifier(kek.name)} is not null`);

export type UsageMapping = { id: string; workflow: string; enabled: boolean };
export type HealthStatus = "active" | "inactive" | "error" | "testing";

export const integrations = pgTable(
  "integrations",
  {
    id: id(),
    orgId: orgId(),
    vendorId: varchar("vendor_id", { length: 100 }).notNull(),
    enabled: boolean("enabled").notNull().default(false),
    environment: varchar("environment", { length: 20 })
      .$type<"sandbox" | "production">()
      .notNull()
      .default("sandbox"),
    apiEndpoint: text("api_endpoint"),
    credentials: jsonb("credentials")
      .$type<Envelope | Record<string, never>>()
      .notNull()
      .default({}),
    credentialsKek: kekOf("credentials"),
    /** What may be shown of the credentials: plain settings, and secrets as `••••1234`. */
    settings: jsonb("settings")
      .$type<Record<string, string | number | boolean>>()
      .notNull()
      .default({}),
    usageMappings: jsonb("usage_mappings").$type<UsageMapping[]>().notNull().default([]),
    healthStatus: varchar("health_status", { length: 20 })
      .$type<HealthStatus>()
      .notNull()
      .default("inactive"),
    lastTestedAt: at("last_tested_at"),
    lastError: text("last_error"),
    /** A `VendorCause`, for machines; `lastError` is for people. */
    lastCause: varchar("last_cause", { length: 40 }),
    lastLatencyMs: integer("last_latency_ms"),
    /** Who the vendor said that we are, at the last good check. */
    account: text("account"),
    consecutiveFailures: integer("consecutive_failures").notNull().default(0),
    consecutiveSuccesses: integer("consecutive_successes").notNull().default(0),
    /** Real calls that failed since one last worked: a probe that passes does not clear them. */
    failedCalls: integer("failed_calls").notNull().default(0),
    /** The last twenty real calls, the newest in the lowest bit, which is 1 where it failed. */
    recentCalls: integer("recent_calls").notNull().default(0),
    /** Null while switched off: the clock takes what is due. */
    nextCheckAt: at("next_check_at"),
    /** Grows with every change a person makes: the ETag, and the guard of concurrent saves. */
    version: integer("version").notNull().default(1),
    createdAt: createdAt(),
    updatedAt: at("updated_at").notNull().defaultNow(),
    createdBy: uuid("created_by"),
    updatedBy: uuid("updated_by"),
  },
  (table) => [
    unique("integrations_org_vendor_environment").on(
      table.orgId,
      table.vendorId,
      table.environment,
    ),
    unique("integrations_org_id").on(table.orgId, table.id),
    check("integrations_environment", sql`${table.environment} in ('sandbox', 'production')`),
    check(
      "integrations_health_status",
      sql`${table.healthStatus} in ('active', 'inactive', 'error', 'testing')`,
    ),
    index("integrations_due")
      .on(table.nextCheckAt)
      .where(sql`next_check_at is not null`),
    kekIndex("integrations_credentials", table.credentialsKek),
    ...policies(),
  ],
);

/**
 * The audit log: append-only for both roles, chained by hash within an org (a trigger sets `seq`,
 * `prev_hash` and `hash`). `integration_id` has no foreign key, since the row outlives its subject.
 */
export const integrationActivityLog = pgTable(
  "integration_activity_log",
  {
    id: id(),
    orgId: orgId(),
    integrationId: uuid("integration_id"),
    vendorId: varchar("vendor_id", { length: 100 }),
    activityType: varchar("activity_type", { length: 50 }).notNull(),
    status: varchar("status", { length: 20 }).notNull(),
    details: jsonb("details").$type<Record<string, unknown>>().notNull().default({}),
    errorMessage: text("error_message"),
    /** `user:<id>`, `key:<id>`, `vendor`, `clock`. */
    actor: varchar("actor", { length: 60 })
      .notNull()
      .default(sql`coalesce(nullif(current_setting('app.actor', true), ''), 'system')`),
    ip: varchar("ip", { length: 45 }).default(sql`nullif(current_setting('app.ip', true), '')`),
    requestId: varchar("request_id", { length: 64 }).default(
      sql`nullif(current_setting('app.request_id', true), '')`,
    ),
    createdAt: createdAt(),
    createdBy: uuid("created_by").default(sql`app_user_id()`),
    seq: bigint("seq", { mode: "number" }).notNull().default(0),
    prevHash: text("prev_hash").notNull().default(""),
    hash: text("hash").notNull().default(""),
  },
  (table) => [
    uniqueIndex("activity_org_seq").on(table.orgId, table.seq),
    index("activity_integration").on(table.orgId, table.integrationId, table.seq),
    ...policies(),
  ],
);

/** The last link of each org's chain; only the trigger touches it. */
export const activityHeads = pgTable("activity_heads", {
  orgId: uuid("org_id")
    .primaryKey()
    .references(() => organizations.id, { onDelete: "cascade" }),
  seq: bigint("seq", { mode: "number" }).notNull(),
  hash: text("hash").notNull(),
});

/** A verified webhook. `integration_id` has no foreign key: what a vendor told us outlives the integration. */
export const events = pgTable(
  "events",
  {
    id: id(),
    orgId: orgId(),
    integrationId: uuid("integration_id").notNull(),
    vendorId: varchar("vendor_id", { length: 100 }).notNull(),
    /** The vendor's event id, else `sha256:` and the body's hash. */
    dedupKey: text("dedup_key").notNull(),
    type: varchar("type", { length: 200 }).notNull(),
    occurredAt: at("occurred_at"),
    receivedAt: at("received_at").notNull().defaultNow(),
    verifiedAt: at("verified_at").notNull().defaultNow(),
    /** The order in which events were stored, and so in which they are forwarded. */
    seq: bigint("seq", { mode: "number" }).generatedAlwaysAsIdentity(),
    sizeBytes: integer("size_bytes").notNull(),
    headers: jsonb("headers").$type<Record<string, string>>().notNull().default({}),
    contentType: text("content_type"),
    bodyHash: text("body_hash").notNull(),
    /** Sealed; null once the org's retention has passed: the hash stays. */
    payload: jsonb("payload").$type<Envelope>(),
    payloadKek: kekOf("payload"),
    /** When the payload goes, unless a delivery still needs it. */
    purgeAt: at("purge_at")
      .notNull()
      .default(sql`now() + interval '30 days'`),
    /** When the clock hands an event that is still `received` to the queue (again). */
    processAt: at("process_at")
      .notNull()
      .default(sql`now() + interval '2 minutes'`),
    status: varchar("status", { length: 20 })
      .$type<"received" | "processed" | "failed">()
      .notNull()
      .default("received"),
    /** Further deliveries of the same event by the vendor. */
    duplicates: integer("duplicates").notNull().default(0),
    /** When everything it held was erased for a person's sake, and by whom, as in the audit log. */
    erasedAt: at("erased_at"),
    erasedBy: varchar("erased_by", { length: 60 }),
  },
  (table) => [
    unique("events_dedup").on(table.integrationId, table.dedupKey),
    unique("events_org_id").on(table.orgId, table.id),
    index("events_recent").on(table.orgId, table.seq),
    index("events_to_process")
      .on(table.processAt)
      .where(sql`status = 'received'`),
    index("events_to_purge")
      .on(table.purgeAt)
      .where(sql`payload is not null`),
    index("events_without_payload")
      .on(table.receivedAt)
      .where(sql`payload is null`),
    kekIndex("events_payload", table.payloadKek),
    ...policies(),
  ],
);

/** How many days payloads are kept, for one vendor or (`*`) for all others; 0: only until forwarded. */
export const eventRetention = pgTable(
  "event_retention",
  {
    id: id(),
    orgId: orgId(),
    vendorId: varchar("vendor_id", { length: 100 }).notNull(),
    days: integer("days").notNull(),
  },
  (table) => [
    unique("event_retention_vendor").on(table.orgId, table.vendorId),
    check("event_retention_days", sql`${table.days} between 0 and 365`),
    ...policies(),
  ],
);

/** `paused` parks what comes in; `disabled` takes nothing new; `deleted` stays for its history only. */
export type DestinationStatus = "enabled" | "paused" | "disabled" | "deleted";
/** `open`: nothing is sent but a probe. `draining`: what was parked goes out one by one, in order. */
export type BreakerState = "closed" | "open" | "draining";

/** A tenant's own endpoint that events are forwarded to. */
export const destinations = pgTable(
  "destinations",
  {
    id: id(),
    orgId: orgId(),
    name: varchar("name", { length: 200 }).notNull(),
    description: text("description").notNull().default(""),
    url: text("url").notNull(),
    /** Globs over `<vendor>.<type>` or the type alone; with none, every event fits. So do the next two. */
    eventTypes: jsonb("event_types").$type<string[]>().notNull().default([]),
    vendorIds: jsonb("vendor_ids").$type<string[]>().notNull().default([]),
    integrationIds: jsonb("integration_ids").$type<string[]>().notNull().default([]),
    /** Signing secrets and custom headers; null once deleted. */
    sealed: jsonb("sealed").$type<Envelope>(),
    sealedKek: kekOf("sealed"),
    /** Custom headers as they may be shown: values masked. */
    headers: jsonb("headers").$type<Record<string, string>>().notNull().default({}),
    secretHint: varchar("secret_hint", { length: 20 }).notNull().default(""),
    /** Until then deliveries are signed with the secret before, too. */
    previousSecretUntil: at("previous_secret_until"),
    /** Deliveries at the same time; 1 keeps the order. */
    concurrency: integer("concurrency").notNull().default(5),
    status: varchar("status", { length: 20 })
      .$type<DestinationStatus>()
      .notNull()
      .default("enabled"),
    statusReason: text("status_reason"),
    breaker: varchar("breaker", { length: 20 }).$type<BreakerState>().notNull().default("closed"),
    breakerSince: at("breaker_since"),
    consecutiveFailures: integer("consecutive_failures").notNull().default(0),
    failedProbes: integer("failed_probes").notNull().default(0),
    probeAt: at("probe_at"),
    /** Grows with each 429, 502 and 504, shrinks with each success; above 0 one delivery at a time. */
    slowLevel: integer("slow_level").notNull().default(0),
    /** Nothing is sent before. */
    resumeAt: at("resume_at"),
    lastSuccessAt: at("last_success_at"),
    lastFailureAt: at("last_failure_at"),
    version: integer("version").notNull().default(1),
    createdAt: createdAt(),
    updatedAt: at("updated_at").notNull().defaultNow(),
    createdBy: uuid("created_by"),
    updatedBy: uuid("updated_by"),
  },
  (table) => [
    unique("destinations_org_id").on(table.orgId, table.id),
    check(
      "destinations_status",
      sql`${table.status} in ('enabled', 'paused', 'disabled', 'deleted')`,
    ),
    check("destinations_breaker", sql`${table.breaker} in ('closed', 'open', 'draining')`),
    check("destinations_concurrency", sql`${table.concurrency} between 1 and 5`),
    kekIndex("destinations_sealed", table.sealedKek),
    ...policies(),
  ],
);

/** `failed` waits for its next attempt; `parked` waits for its destination; the last three are settled. */
export const deliveryStates = [
  "pending",
  "delivering",
  "failed",
  "parked",
  "delivered",
  "dead",
  "canceled",
] as const;
export type DeliveryState = (typeof deliveryStates)[number];
const waiting = sql`state in ('pending', 'delivering', 'failed', 'parked')`;

/** One event to one destination. The keys tie both to the row's own org: none can cross tenants. */
export const deliveries = pgTable(
  "deliveries",
  {
    id: id(),
    orgId: orgId(),
    eventId: uuid("event_id").notNull(),
    destinationId: uuid("destination_id").notNull(),
    eventSeq: bigint("event_seq", { mode: "number" }).notNull(),
    state: varchar("state", { length: 20 }).$type<DeliveryState>().notNull().default("pending"),
    /** Attempts made, and the number of the last one. */
    attempts: integer("attempts").notNull().default(0),
    /** Attempts that count: the place in the retry schedule. */
    failures: integer("failures").notNull().default(0),
    /** Failed probes that the endpoint itself answered: the next probe is another delivery. */
    skips: integer("skips").notNull().default(0),
    replays: integer("replays").notNull().default(0),
    /** When it is due; while `delivering`, when the attempt counts as interrupted. */
    nextAttemptAt: at("next_attempt_at").notNull().defaultNow(),
    lastStatus: integer("last_status"),
    lastCause: varchar("last_cause", { length: 40 }),
    lastLatencyMs: integer("last_latency_ms"),
    deliveredAt: at("delivered_at"),
    createdAt: createdAt(),
    updatedAt: at("updated_at").notNull().defaultNow(),
  },
  (table) => [
    unique("deliveries_event_destination").on(table.eventId, table.destinationId),
    unique("deliveries_org_id").on(table.orgId, table.id),
    foreignKey({
      name: "deliveries_event",
      columns: [table.orgId, table.eventId],
      foreignColumns: [events.orgId, events.id],
    }).onDelete("cascade"),
    foreignKey({
      name: "deliveries_destination",
      columns: [table.orgId, table.destinationId],
      foreignColumns: [destinations.orgId, destinations.id],
    }).onDelete("cascade"),
    check(
      "deliveries_state",
      sql`${table.state} in ('pending', 'delivering', 'failed', 'parked', 'delivered', 'dead', 'canceled')`,
    ),
    index("deliveries_in_order").on(table.destinationId, table.eventSeq).where(waiting),
    index("deliveries_due").on(table.destinationId, table.nextAttemptAt).where(waiting),
    index("deliveries_by_state").on(table.destinationId, table.state, table.eventSeq),
    index("deliveries_recent").on(table.orgId, table.eventSeq),
    ...policies(),
  ],
);

/** One request to a destination; without `finished_at` it is under way. */
export const deliveryAttempts = pgTable(
  "delivery_attempts",
  {
    id: id(),
    orgId: orgId(),
    deliveryId: uuid("delivery_id").notNull(),
    number: integer("number").notNull(),
    /** Sent while the breaker was open, to see whether the endpoint is back. */
    probe: boolean("probe").notNull().default(false),
    replay: boolean("replay").notNull().default(false),
    startedAt: at("started_at").notNull().defaultNow(),
    finishedAt: at("finished_at"),
    status: integer("status"),
    latencyMs: integer("latency_ms"),
    cause: varchar("cause", { length: 40 }),
    /** The reply's first 500 bytes, masked and sealed: it may echo the payload. Goes with the payload. */
    excerpt: jsonb("excerpt").$type<Envelope>(),
    excerptKek: kekOf("excerpt"),
  },
  (table) => [
    unique("delivery_attempts_number").on(table.deliveryId, table.number),
    foreignKey({
      name: "delivery_attempts_delivery",
      columns: [table.orgId, table.deliveryId],
      foreignColumns: [deliveries.orgId, deliveries.id],
    }).onDelete("cascade"),
    kekIndex("delivery_attempts_excerpt", table.excerptKek),
    ...policies(),
  ],
);

/**
 * What a person allowed at the vendor: the tokens of an integration that is connected by sign-in.
 * A new sign-in is a new row, so that nothing which was under way for the old one can overwrite it.
 */
export const grants = pgTable(
  "grants",
  {
    id: id(),
    orgId: orgId(),
    integrationId: uuid("integration_id").notNull(),
    /** `reconnect`: the vendor no longer takes it, and a person has to sign in again. */
    status: varchar("status", { length: 20 }).$type<"connected" | "reconnect">().notNull(),
    /** Token set and endpoints; null once the grant is dead. */
    tokens: jsonb("tokens").$type<Envelope>(),
    tokensKek: kekOf("tokens"),
    /** Hash of client, server and address that it was given for: it is used for no other. */
    boundTo: text("bound_to").notNull(),
    scopesAsked: jsonb("scopes_asked").$type<string[]>().notNull(),
    scopesGranted: jsonb("scopes_granted").$type<string[]>().notNull(),
    /** Of the access token; null while the vendor does not end it. */
    expiresAt: at("expires_at"),
    refreshExpiresAt: at("refresh_expires_at"),
    refreshable: boolean("refreshable").notNull(),
    /** When the clock refreshes it ahead of its expiry. */
    nextRefreshAt: at("next_refresh_at"),
    /** Grows with every token set: a refresh saves only over the version that it read. */
    version: integer("version").notNull().default(1),
    /** Who may ask the vendor for new tokens now; past its end, a refresh was interrupted. */
    refreshBy: uuid("refresh_by"),
    refreshStartedAt: at("refresh_started_at"),
    refreshUntil: at("refresh_until"),
    refreshedAt: at("refreshed_at"),
    lastError: text("last_error"),
    /** The last warning before its end: 14, 3 or 1 days. */
    warnedDays: integer("warned_days"),
    connectedBy: uuid("connected_by"),
    connectedAt: at("connected_at").notNull().defaultNow(),
  },
  (table) => [
    unique("grants_integration").on(table.integrationId),
    foreignKey({
      name: "grants_of_integration",
      columns: [table.orgId, table.integrationId],
      foreignColumns: [integrations.orgId, integrations.id],
    }).onDelete("cascade"),
    check("grants_status", sql`${table.status} in ('connected', 'reconnect')`),
    index("grants_to_refresh")
      .on(table.nextRefreshAt)
      .where(sql`next_refresh_at is not null`),
    kekIndex("grants_tokens", table.tokensKek),
    ...policies(),
  ],
);

/** A sign-in that was begun: good once, for ten minutes, for one person in one browser. */
export const oauthStates = pgTable(
  "oauth_states",
  {
    id: id(),
    orgId: orgId(),
    /** SHA-256 of the `state` parameter. */
    stateHash: text("state_hash").notNull(),
    userId: uuid("user_id").notNull(),
    integrationId: uuid("integration_id").notNull(),
    /** The PKCE verifier and the server that was chosen. */
    sealed: jsonb("sealed").$type<Envelope>().notNull(),
    sealedKek: kekOf("sealed"),
    /** SHA-256 of the cookie that the browser was given. */
    browserHash: text("browser_hash").notNull(),
    boundTo: text("bound_to").notNull(),
    redirectUri: text("redirect_uri").notNull(),
    returnTo: text("return_to").notNull(),
    expiresAt: at("expires_at").notNull(),
  },
  (table) => [
    unique("oauth_states_hash").on(table.stateHash),
    foreignKey({
      name: "oauth_states_of_integration",
      columns: [table.orgId, table.integrationId],
      foreignColumns: [integrations.orgId, integrations.id],
    }).onDelete("cascade"),
    index("oauth_states_expired").on(table.expiresAt),
    kekIndex("oauth_states_sealed", table.sealedKek),
    ...policies(),
  ],
);

/** What a request with an Idempotency-Key was answered, so that its repetition does nothing again. */
export const idempotencyKeys = pgTable(
  "idempotency_keys",
  {
    id: id(),
    orgId: orgId(),
    key: varchar("key", { length: 255 }).notNull(),
    requestHash: text("request_hash").notNull(),
    startedAt: at("started_at").notNull().defaultNow(),
    /** Null while the request runs. */
    status: integer("status"),
    /** The answer's body, sealed: it may hold a patient's data. */
    answer: jsonb("answer").$type<Envelope>(),
    answerKek: kekOf("answer"),
    expiresAt: at("expires_at").notNull(),
  },
  (table) => [
    unique("idempotency_org_key").on(table.orgId, table.key),
    index("idempotency_expired").on(table.expiresAt),
    kekIndex("idempotency_keys_answer", table.answerKek),
    ...policies(),
  ],
);

/** An organization's own OpenID provider, by which people of one email domain sign in. */
export const identityProviders = pgTable(
  "identity_providers",
  {
    id: id(),
    orgId: orgId(),
    name: varchar("name", { length: 100 }).notNull(),
    /** The email domain, lower case. */
    domain: varchar("domain", { length: 253 }).notNull(),
    issuer: text("issuer").notNull(),
    clientId: text("client_id").notNull(),
    clientSecret: jsonb("client_secret").$type<Envelope>().notNull(),
    clientSecretKek: kekOf("client_secret"),
    /** What the domain's TXT record must say before anybody may sign in. */
    domainToken: varchar("domain_token", { length: 64 }).notNull(),
    verifiedAt: at("verified_at"),
    lastUsedAt: at("last_used_at"),
    createdAt: createdAt(),
    createdBy: uuid("created_by"),
  },
  (table) => [
    unique("identity_providers_org_domain").on(table.orgId, table.domain),
    // Whoever proved the domain has it; a claim without proof keeps nobody out.
    uniqueIndex("identity_providers_domain")
      .on(table.domain)
      .where(sql`verified_at is not null`),
    kekIndex("identity_providers_client_secret", table.clientSecretKek),
    ...policies(),
  ],
);

/** A key pair that we hold for an org, whose public half vendors read at its JWK Set URL. */
export const signingKeys = pgTable(
  "signing_keys",
  {
    id: id(),
    orgId: orgId(),
    /** RFC 7638 thumbprint of the public half. */
    kid: varchar("kid", { length: 64 }).notNull(),
    algorithm: varchar("algorithm", { length: 10 }).$type<"RS384" | "ES384">().notNull(),
    publicJwk: jsonb("public_jwk").$type<Record<string, string>>().notNull(),
    /** Sealed PKCS#8 PEM; gone once retired. */
    privateKey: jsonb("private_key").$type<Envelope>(),
    privateKeyKek: kekOf("private_key"),
    createdAt: createdAt(),
    createdBy: uuid("created_by").default(sql`app_user_id()`),
    /** From then on it signs nothing; its public half is shown a day longer. */
    retiredAt: at("retired_at"),
  },
  (table) => [
    unique("signing_keys_org_kid").on(table.orgId, table.kid),
    check("signing_keys_algorithm", sql`${table.algorithm} in ('RS384', 'ES384')`),
    kekIndex("signing_keys_private_key", table.privateKeyKek),
    ...policies(),
  ],
);

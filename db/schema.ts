import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
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
    sizeBytes: integer("size_bytes").notNull(),
    headers: jsonb("headers").$type<Record<string, string>>().notNull().default({}),
    contentType: text("content_type"),
    bodyHash: text("body_hash").notNull(),
    /** Sealed; null where the org keeps only the hash. */
    payload: jsonb("payload").$type<Envelope>(),
    status: varchar("status", { length: 20 })
      .$type<"received" | "processed" | "failed">()
      .notNull()
      .default("received"),
    /** Further deliveries of the same event by the vendor. */
    duplicates: integer("duplicates").notNull().default(0),
  },
  (table) => [
    unique("events_dedup").on(table.integrationId, table.dedupKey),
    index("events_recent").on(table.orgId, table.receivedAt),
    ...policies(),
  ],
);

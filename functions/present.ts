import { z } from "@hono/zod-openapi";

import type { Activity } from "../db/activity.ts";
import { type Integration, shownHealth } from "../db/integrations.ts";
import { GrantView } from "./grant-view.ts";

const when = z.iso.datetime().nullable();

export const UsageMapping = z.strictObject({
  id: z.string().min(1).max(100),
  workflow: z.string().min(1).max(200),
  enabled: z.boolean(),
});

export const IntegrationRow = z
  .object({
    id: z.uuid(),
    org_id: z.uuid(),
    vendor_id: z.string(),
    enabled: z.boolean(),
    environment: z.enum(["sandbox", "production"]),
    api_endpoint: z.string().nullable(),
    /** Settings as they are, secrets as `••••1234`. */
    credentials: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    usage_mappings: z.array(UsageMapping),
    health_status: z.enum(["active", "inactive", "error", "testing"]),
    last_tested_at: when,
    last_error: z.string().nullable(),
    last_cause: z.string().nullable(),
    last_latency_ms: z.number().int().nullable(),
    account: z.string().nullable(),
    next_check_at: when,
    version: z.number().int(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
    created_by: z.uuid().nullable(),
    updated_by: z.uuid().nullable(),
    webhook_url: z.string().nullable(),
    /** Of one that is connected by a sign-in at the vendor; lists leave it out. */
    grant: GrantView.nullable().optional(),
  })
  .openapi("Integration");
export type IntegrationRow = z.infer<typeof IntegrationRow>;

export const presentIntegration = (
  row: Integration,
  webhookUrl: string | null,
): IntegrationRow => ({
  id: row.id,
  org_id: row.orgId,
  vendor_id: row.vendorId,
  enabled: row.enabled,
  environment: row.environment,
  api_endpoint: row.apiEndpoint,
  credentials: row.settings,
  usage_mappings: row.usageMappings,
  health_status: shownHealth(row),
  last_tested_at: row.lastTestedAt?.toISOString() ?? null,
  last_error: row.lastError,
  last_cause: row.lastCause,
  last_latency_ms: row.lastLatencyMs,
  account: row.account,
  next_check_at: row.nextCheckAt?.toISOString() ?? null,
  version: row.version,
  created_at: row.createdAt.toISOString(),
  updated_at: row.updatedAt.toISOString(),
  created_by: row.createdBy,
  updated_by: row.updatedBy,
  webhook_url: webhookUrl,
});

export const Summary = z
  .object({
    total: z.number().int(),
    enabled: z.number().int(),
    active: z.number().int(),
    errors: z.number().int(),
    inactive: z.number().int(),
  })
  .openapi("HealthSummary");

export const TestReport = z
  .object({
    latency_ms: z.number().int().nullable(),
    account: z.string().nullable(),
    checked: z.array(z.string()),
    cause: z.string().nullable(),
  })
  .openapi("TestReport");

export const ActivityRow = z
  .object({
    id: z.uuid(),
    org_id: z.uuid(),
    integration_id: z.uuid().nullable(),
    vendor_id: z.string().nullable(),
    activity_type: z.string(),
    status: z.string(),
    details: z.record(z.string(), z.unknown()),
    error_message: z.string().nullable(),
    actor: z.string(),
    ip: z.string().nullable(),
    request_id: z.string().nullable(),
    created_at: z.iso.datetime(),
    created_by: z.uuid().nullable(),
    seq: z.number().int(),
    hash: z.string(),
  })
  .openapi("Activity");

export const presentActivity = (row: Activity): z.infer<typeof ActivityRow> => ({
  id: row.id,
  org_id: row.orgId,
  integration_id: row.integrationId,
  vendor_id: row.vendorId,
  activity_type: row.activityType,
  status: row.status,
  details: row.details,
  error_message: row.errorMessage,
  actor: row.actor,
  ip: row.ip,
  request_id: row.requestId,
  created_at: row.createdAt.toISOString(),
  created_by: row.createdBy,
  seq: row.seq,
  hash: row.hash,
});

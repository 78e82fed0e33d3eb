import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { base64ToString, stringToBase64 } from "uint8array-extras";

import { logActivity } from "../db/activity.ts";
import { getGrant, type Grant } from "../db/grants.ts";
import {
  addIntegration,
  changeIntegration,
  expectVersion,
  getIntegration,
  type Integration,
  listIntegrations,
  recordCheck,
  removeIntegration,
  summarizeIntegrations,
} from "../db/integrations.ts";
import { environmentNames, type AnyVendor, categories, type Category } from "../handlers/define.ts";
import { loadVendor, vendorId } from "../handlers/registry.ts";
import { Problem } from "../problem.ts";
import { chooseOrg, guarded } from "./access.ts";
import { forget } from "./calls.ts";
import { nextCheck, outcomeOf, probe, type Probe } from "./checks.ts";
import { configure, openValues, storedOf, webhookUrl } from "./credentials.ts";
import { grantView } from "./grant-view.ts";
import { type AppEnv, ById, json, jsonBody, newApp, page, pageOf } from "./http.ts";
import { revoke } from "./oauth.ts";
import {
  IntegrationRow,
  presentIntegration,
  Summary,
  TestReport,
  UsageMapping,
} from "./present.ts";
import { cards, mustLoadVendor } from "./vendors.ts";

const Flag = z
  .enum(["true", "false", "1", "0"])
  .transform((value) => value === "true" || value === "1");
const OrgId = z.union([z.uuid(), z.literal("")]).optional();
const Environment = z.enum(environmentNames);
/** The earlier web client sends "" for what is not set. */
const Endpoint = z.string().max(2000).nullable().optional();
const Credentials = z.record(z.string().max(100), z.unknown());

const ListQuery = z.object({
  org_id: OrgId,
  active: Flag.optional(),
  vendor_id: z.string().max(100).optional(),
  environment: Environment.optional(),
  category: z.enum(Object.keys(categories) as [Category, ...Category[]]).optional(),
  health_status: z.enum(["active", "inactive", "error", "testing"]).optional(),
  cursor: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(100),
});

const CreateBody = z
  .strictObject({
    org_id: OrgId,
    vendor_id: z.string().min(1).max(100),
    enabled: z.boolean().default(false),
    environment: Environment.default("sandbox"),
    api_endpoint: Endpoint,
    credentials: Credentials.default({}),
    usage_mappings: z.array(UsageMapping).max(100).default([]),
  })
  .openapi("NewIntegration");

const UpdateBody = z
  .strictObject({
    org_id: OrgId,
    enabled: z.boolean().optional(),
    environment: Environment.optional(),
    api_endpoint: Endpoint,
    credentials: Credentials.optional(),
    usage_mappings: z.array(UsageMapping).max(100).optional(),
  })
  .openapi("IntegrationChange");

const Answer = z.object({
  success: z.literal(true),
  data: IntegrationRow.extend({
    test: TestReport.extend({ success: z.boolean(), message: z.string() }).optional(),
  }),
  message: z.string().optional(),
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listIntegrations",
  summary: "List integrations",
  ...guarded("integrations:read"),
  request: { query: ListQuery },
  responses: {
    200: json(
      pageOf(IntegrationRow).extend({ summary: Summary }),
      "The org's integrations, oldest first",
    ),
  },
});
const create = createRoute({
  method: "post",
  path: "/",
  operationId: "createIntegration",
  summary: "Create an integration",
  ...guarded("integrations:write"),
  request: jsonBody(CreateBody),
  responses: { 201: json(Answer, "Created; with `enabled` it is tested at once") },
});
const read = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "readIntegration",
  summary: "Read an integration",
  ...guarded("integrations:read"),
  request: { params: ById },
  responses: { 200: json(Answer, "The integration; its ETag serves as If-Match") },
});
const update = createRoute({
  method: "put",
  path: "/{id}",
  operationId: "updateIntegration",
  summary: "Change an integration (what is left out stays)",
  ...guarded("integrations:write"),
  request: {
    params: ById,
    headers: z.object({ "if-match": z.string().optional() }),
    ...jsonBody(UpdateBody),
  },
  responses: { 200: json(Answer, "Changed") },
});
const remove = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "deleteIntegration",
  summary: "Delete an integration",
  ...guarded("integrations:write"),
  request: { params: ById },
  responses: {
    200: json(
      z.object({
        success: z.literal(true),
        data: z.object({
          id: z.uuid(),
          /** Of the sign-in at the vendor, where there was one. */
          revocation: z.enum(["revoked", "unsupported", "failed", "nothing"]).optional(),
        }),
        message: z.string(),
      }),
      "Deleted",
    ),
  },
});
const toggle = createRoute({
  method: "post",
  path: "/{id}/toggle",
  operationId: "toggleIntegration",
  summary: "Switch an integration on or off; switching on tests it",
  ...guarded("integrations:write"),
  request: { params: ById, ...jsonBody(z.strictObject({ org_id: OrgId, enabled: z.boolean() })) },
  responses: { 200: json(Answer, "Switched") },
});

async function present(c: Context<AppEnv>, vendor: AnyVendor, row: Integration) {
  const mayWrite = ["owner", "admin"].includes(c.var.db.actor.role);
  return presentIntegration(row, await webhookUrl(c.env.settings, vendor, row, mayWrite));
}

const presentWhole = async (
  c: Context<AppEnv>,
  vendor: AnyVendor,
  row: Integration,
  grant: Grant | undefined,
) => ({
  ...(await present(c, vendor, row)),
  grant: await grantView(c.env.vault, vendor, row, grant),
});

const withTest = (result: Probe | undefined) =>
  result ? { test: { ...result.report, success: result.success, message: result.message } } : {};

/** `createdAt|id` of a page's last row, in base64url. */
const encodeCursor = (row: Integration) =>
  stringToBase64(`${row.createdAt.toISOString()}|${row.id}`, { urlSafe: true });
function decodeCursor(cursor: string) {
  const refuse = () =>
    new Problem("invalid_request", undefined, {
      errors: [{ path: "cursor", message: "Not a cursor of ours" }],
    });
  try {
    const [time = "", id = ""] = base64ToString(cursor).split("|");
    const createdAt = new Date(time);
    if (Number.isNaN(createdAt.getTime()) || !z.uuid().safeParse(id).success) throw refuse();
    return { createdAt, id };
  } catch {
    throw refuse();
  }
}

async function mustGet(c: Context<AppEnv>, id: string): Promise<Integration> {
  const [[row]] = await c.var.db.run(getIntegration(c.var.db, id));
  if (!row) throw new Problem("not_found");
  return row;
}

async function mustGetWhole(c: Context<AppEnv>, id: string) {
  const { db } = c.var;
  const [[row], [grant]] = await db.run(getIntegration(db, id), getGrant(db, id));
  if (!row) throw new Problem("not_found");
  return { row, grant };
}

export const integrationRoutes = newApp()
  .openapi(list, async (c) => {
    const { db } = c.var;
    const query = c.req.valid("query");
    const inCategory = query.category
      ? cards.filter(
          (card) =>
            card.category === query.category || card.also_in.includes(query.category as Category),
        )
      : undefined;
    const ids = inCategory?.map((card) => card.id);
    const named = query.vendor_id && vendorId(query.vendor_id);
    const [rows, [summary]] = await db.run(
      listIntegrations(db, {
        active: query.active,
        vendorIds: named ? (ids?.filter((id) => id === named) ?? [named]) : ids,
        environment: query.environment,
        healthStatus: query.health_status,
        after: query.cursor ? decodeCursor(query.cursor) : undefined,
        limit: query.limit + 1,
      }),
      summarizeIntegrations(db),
    );
    const found = page(rows, query.limit, encodeCursor);
    const data = await Promise.all(
      found.data.map(async (row) => {
        // A newer version may have added a vendor that this one, still serving, does not know.
        const vendor = await loadVendor(row.vendorId);
        return vendor ? present(c, vendor, row) : presentIntegration(row, null);
      }),
    );
    const none = { total: 0, enabled: 0, active: 0, errors: 0, inactive: 0 };
    return c.json({ ...found, data, summary: summary ?? none }, 200);
  })
  .openapi(create, async (c) => {
    const { db } = c.var;
    const input = c.req.valid("json");
    chooseOrg(c, input.org_id);
    const { orgId } = await db.authenticate();
    const vendor = await loadVendor(input.vendor_id);
    if (!vendor)
      throw new Problem("invalid_request", `There is no vendor named ${input.vendor_id}`, {
        errors: [{ path: "vendor_id", message: "There is no such vendor" }],
      });
    const { environment, credentials } = input;
    const chosen = configure(vendor, { environment, endpoint: input.api_endpoint, credentials });
    const id = crypto.randomUUID();
    const [[row]] = await db.run(
      addIntegration(db, {
        id,
        vendorId: vendorId(input.vendor_id),
        environment,
        enabled: input.enabled,
        apiEndpoint: chosen.endpoint,
        credentials: await c.env.vault.seal({ orgId, id }, chosen.values),
        settings: chosen.shown,
        usageMappings: input.usage_mappings,
        healthStatus: input.enabled ? "testing" : "inactive",
        nextCheckAt: input.enabled ? nextCheck() : null,
        createdBy: db.actor.userId,
        updatedBy: db.actor.userId,
      }),
      logActivity(db, {
        integrationId: id,
        vendorId: vendorId(input.vendor_id),
        activityType: "created",
        status: "success",
        details: { environment, enabled: input.enabled, fields: Object.keys(chosen.values) },
      }),
    );
    if (!row) throw new Problem("internal");
    const result = input.enabled ? await probe(c.env, row, vendor, chosen.values) : undefined;
    const [[tested]] = result ? await record(c, row, result) : [[row]];
    c.header("etag", `"${row.version}"`);
    c.header("location", `/api/integrations/${id}`);
    const data = {
      ...(await presentWhole(c, vendor, tested ?? row, undefined)),
      ...withTest(result),
    };
    return c.json({ success: true as const, data, message: `${vendor.name} was added` }, 201);
  })
  .openapi(read, async (c) => {
    const { row, grant } = await mustGetWhole(c, c.req.valid("param").id);
    c.header("etag", `"${row.version}"`);
    const vendor = await mustLoadVendor(row.vendorId);
    const data = await presentWhole(c, vendor, row, grant);
    return c.json({ success: true as const, data }, 200);
  })
  .openapi(update, async (c) => {
    const { db } = c.var;
    const { id } = c.req.valid("param");
    const input = c.req.valid("json");
    chooseOrg(c, input.org_id);
    const { row: before, grant } = await mustGetWhole(c, id);
    const vendor = await mustLoadVendor(before.vendorId);
    const known = await openValues(c.env.vault, before);
    const environment = input.environment ?? before.environment;
    const chosen = configure(
      vendor,
      {
        environment,
        endpoint: input.api_endpoint === undefined ? before.apiEndpoint : input.api_endpoint,
        credentials: input.credentials ?? {},
      },
      storedOf(before, known),
    );
    const enabled = input.enabled ?? before.enabled;
    const dataVersion = "dv" in before.credentials ? before.credentials.dv + 1 : 1;
    const changed = Object.keys(input).filter((key) => key !== "org_id");
    const reconfigured = ["environment", "api_endpoint", "credentials"].some((key) =>
      changed.includes(key),
    );
    const retest = enabled && (reconfigured || !before.enabled);
    const ifMatch = c.req.valid("header")["if-match"];
    const [, [row]] = await db.run(
      expectVersion(db, id, ifMatch && ifMatch !== "*" ? versionOf(ifMatch) : before.version),
      changeIntegration(db, id, {
        environment,
        enabled,
        apiEndpoint: chosen.endpoint,
        ...(reconfigured
          ? {
              credentials: await c.env.vault.seal(before, chosen.values, dataVersion),
              settings: chosen.shown,
            }
          : {}),
        ...(input.usage_mappings ? { usageMappings: input.usage_mappings } : {}),
        ...(retest
          ? { healthStatus: "testing", consecutiveFailures: 0, consecutiveSuccesses: 0 }
          : {}),
        ...(enabled ? {} : { healthStatus: "inactive" }),
        nextCheckAt: enabled ? (retest ? nextCheck() : before.nextCheckAt) : null,
      }),
      logActivity(db, {
        integrationId: id,
        vendorId: before.vendorId,
        activityType: "updated",
        status: "success",
        details: { changed, fields: Object.keys(input.credentials ?? {}) },
      }),
    );
    if (!row) throw new Problem("not_found");
    await forget(c.env, row);
    const result = retest ? await probe(c.env, row, vendor, chosen.values) : undefined;
    const [[tested]] = result ? await record(c, row, result) : [[row]];
    c.header("etag", `"${row.version}"`);
    const data = {
      ...(await presentWhole(c, vendor, tested ?? row, grant)),
      ...withTest(result),
    };
    return c.json({ success: true as const, data, message: "Saved" }, 200);
  })
  .openapi(remove, async (c) => {
    const { db } = c.var;
    const { row, grant } = await mustGetWhole(c, c.req.valid("param").id);
    // First, since the tokens go with the row; that the vendor does not confirm it stops nothing.
    const revocation = grant && (await revoke(c.env, row));
    await db.run(
      expectVersion(db, row.id, undefined),
      removeIntegration(db, row.id),
      logActivity(db, {
        integrationId: row.id,
        vendorId: row.vendorId,
        activityType: "deleted",
        status: "success",
        details: { environment: row.environment, ...(revocation && { revocation }) },
      }),
    );
    await forget(c.env, row);
    const unconfirmed = revocation === "failed" || revocation === "unsupported";
    const message = unconfirmed
      ? "Deleted, but the vendor did not confirm that its access ended: remove EHRConnect in your settings there too"
      : "Deleted";
    const data = { id: row.id, ...(revocation && { revocation }) };
    return c.json({ success: true as const, data, message }, 200);
  })
  .openapi(toggle, async (c) => {
    const { db } = c.var;
    const { id } = c.req.valid("param");
    const { enabled, org_id } = c.req.valid("json");
    chooseOrg(c, org_id);
    const before = await mustGet(c, id);
    const vendor = await mustLoadVendor(before.vendorId);
    if (!enabled) {
      const [, [row]] = await db.run(
        expectVersion(db, id, undefined),
        changeIntegration(db, id, { enabled: false, healthStatus: "inactive", nextCheckAt: null }),
        logActivity(db, {
          integrationId: id,
          vendorId: before.vendorId,
          activityType: "disabled",
          status: "success",
        }),
      );
      if (!row) throw new Problem("not_found");
      await forget(c.env, row);
      return c.json(
        {
          success: true as const,
          data: await present(c, vendor, row),
          message: `${vendor.name} is off`,
        },
        200,
      );
    }
    const result = await probe(c.env, before, vendor);
    const [, , , [row]] = await db.run(
      expectVersion(db, id, undefined),
      changeIntegration(db, id, {
        enabled: true,
        healthStatus: "testing",
        nextCheckAt: nextCheck(),
      }),
      logActivity(db, {
        integrationId: id,
        vendorId: before.vendorId,
        activityType: "enabled",
        status: result.success ? "success" : "failure",
        details: { ...result.report },
        errorMessage: result.success ? null : result.message,
      }),
      recordCheck(db, id, outcomeOf(result), { decisive: true }),
    );
    if (!row) throw new Problem("not_found");
    const message = result.success
      ? `${vendor.name} is on`
      : `${vendor.name} is on, but its test failed: ${result.message}`;
    const data = { ...(await present(c, vendor, row)), ...withTest(result) };
    return c.json({ success: true as const, data, message }, 200);
  });

/** -1, which no version is, for what is no ETag of ours. */
const versionOf = (ifMatch: string) => Number(/^(?:W\/)?"(\d{1,9})"$/.exec(ifMatch)?.[1] ?? -1);

const record = (c: Context<AppEnv>, row: Integration, result: Probe) =>
  c.var.db.run(
    recordCheck(c.var.db, row.id, outcomeOf(result), { decisive: true }),
    logActivity(c.var.db, {
      integrationId: row.id,
      vendorId: row.vendorId,
      activityType: "tested",
      status: result.success ? "success" : "failure",
      details: { ...result.report },
      errorMessage: result.success ? null : result.message,
    }),
  );

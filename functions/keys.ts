import { createRoute, z } from "@hono/zod-openapi";
import { uint8ArrayToBase64 } from "uint8array-extras";

import { logActivity } from "../db/activity.ts";
import { addKey, type KeyRow, listKeys, revokeKey } from "../db/keys.ts";
import { Problem } from "../problem.ts";
import { guarded, hashKey, type Permission, permissions } from "./access.ts";
import { ById, json, jsonBody, newApp } from "./http.ts";

const scopes = Object.keys(permissions) as [Permission, ...Permission[]];
const Scope = z.enum(scopes);
const Key = z
  .object({
    id: z.uuid(),
    name: z.string(),
    start: z.string(),
    /** Null: everything, as keys made before scopes could do. */
    scopes: z.array(z.string()).nullable(),
    created_by: z.uuid().nullable(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
    last_used_at: z.iso.datetime().nullable(),
  })
  .openapi("ApiKey");
const NewKey = z.strictObject({
  name: z.string().trim().min(1).max(100),
  scopes: z
    .array(Scope)
    .min(1)
    .refine((chosen) => new Set(chosen).size === chosen.length, "Each scope once"),
  expires_in_days: z.number().int().min(1).max(366).default(90),
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listKeys",
  summary: "List the organization's API keys",
  ...guarded("keys:read"),
  responses: {
    200: json(
      z.object({
        success: z.literal(true),
        data: z.array(Key),
        count: z.number().int(),
        scopes: z.array(Scope),
      }),
      "All that were not revoked, newest first; `scopes` are those that a key may have",
    ),
  },
});
const create = createRoute({
  method: "post",
  path: "/",
  operationId: "createKey",
  summary: "Make an API key",
  ...guarded("keys:write"),
  request: jsonBody(NewKey),
  responses: {
    201: json(
      z.object({
        success: z.literal(true),
        data: Key.extend({ key: z.string() }),
        message: z.string(),
      }),
      "Made; `key` is shown this once",
    ),
  },
});
const revoke = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "revokeKey",
  summary: "Revoke an API key: it works for not one request more",
  ...guarded("keys:write"),
  request: { params: ById },
  responses: {
    200: json(
      z.object({
        success: z.literal(true),
        data: z.object({ id: z.uuid() }),
        message: z.string(),
      }),
      "Revoked",
    ),
  },
});

const iso = (at: string | Date) => new Date(at).toISOString();

const present = (row: KeyRow): z.infer<typeof Key> => ({
  id: row.id,
  name: row.name ?? "",
  start: row.start ?? "",
  scopes: row.permissions
    ? Object.entries(JSON.parse(row.permissions) as Record<string, string[]>).flatMap(
        ([resource, actions]) => actions.map((action) => `${resource}:${action}`),
      )
    : null,
  created_by: row.created_by,
  created_at: iso(row.created_at),
  expires_at: row.expires_at && iso(row.expires_at),
  last_used_at: row.last_request && iso(row.last_request),
});

/** The form that `authenticate` in `db/security.sql` reads: `{"integrations":["read","write"]}`. */
function permissionsOf(chosen: readonly Permission[]) {
  const byResource: Record<string, string[]> = {};
  for (const scope of chosen) {
    const [resource = "", action = ""] = scope.split(":");
    (byResource[resource] ??= []).push(action);
  }
  return byResource;
}

/** `ehr_` and 256 random bits. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return `ehr_${uint8ArrayToBase64(bytes, { urlSafe: true })}`;
}

export const keyRoutes = newApp()
  .openapi(list, async (c) => {
    const [rows] = await c.var.db.run(listKeys(c.var.db));
    return c.json(
      { success: true as const, data: rows.map(present), count: rows.length, scopes },
      200,
    );
  })
  .openapi(create, async (c) => {
    const { db } = c.var;
    const { name, scopes: chosen, expires_in_days: days } = c.req.valid("json");
    await db.authenticate();
    const key = newKey();
    const id = crypto.randomUUID();
    const row = {
      id,
      name,
      start: key.slice(0, 10),
      permissions: permissionsOf(chosen),
      expiresAt: new Date(Date.now() + days * 86_400_000),
    };
    await db.run(
      addKey(db, { ...row, hash: await hashKey(key) }),
      logActivity(db, {
        integrationId: null,
        vendorId: null,
        activityType: "key_created",
        status: "success",
        details: { key_id: id, name },
      }),
    );
    c.header("location", `/api/keys/${id}`);
    const data = {
      ...present({
        ...row,
        permissions: JSON.stringify(row.permissions),
        created_by: db.actor.userId,
        created_at: new Date(),
        expires_at: row.expiresAt,
        last_request: null,
      }),
      key,
    };
    const message = "Keep the key now: it is not shown again";
    return c.json({ success: true as const, data, message }, 201);
  })
  .openapi(revoke, async (c) => {
    const { db } = c.var;
    const { id } = c.req.valid("param");
    const [rows] = await db.run(listKeys(db));
    const row = rows.find((one) => one.id === id);
    if (!row) throw new Problem("not_found");
    await db.run(
      revokeKey(db, id),
      logActivity(db, {
        integrationId: null,
        vendorId: null,
        activityType: "key_revoked",
        status: "success",
        details: { key_id: id, name: row.name },
      }),
    );
    return c.json({ success: true as const, data: { id }, message: "Revoked" }, 200);
  });

import { createRoute, z } from "@hono/zod-openapi";
import { calculateJwkThumbprint, exportJWK, exportPKCS8, generateKeyPair } from "jose";

import { logActivity } from "../db/activity.ts";
import { OrgDb } from "../db/org.ts";
import {
  addSigningKey,
  expectUnused,
  getSigningKey,
  listSigningKeys,
  publishedKeys,
  retireSigningKey,
  type SigningKey,
  usersOfKeys,
} from "../db/signing-keys.ts";
import { environmentNames } from "../handlers/define.ts";
import { Problem } from "../problem.ts";
import { guarded } from "./access.ts";
import type { Env, Settings } from "./env.ts";
import type { PrivateHalf } from "./held-keys.ts";
import { ById, json, newApp } from "./http.ts";

const algorithms = ["RS384", "ES384"] as const;
/** In use at a time; more are of no use, and each is shown to everybody. */
const mostKeys = 20;

/** Each member of an RSA or EC public key is text. */
const PublicJwk = z.record(z.string(), z.string());
const Key = z
  .object({
    id: z.uuid(),
    kid: z.string(),
    algorithm: z.enum(algorithms),
    public_jwk: PublicJwk,
    created_at: z.iso.datetime(),
    created_by: z.uuid().nullable(),
    retired_at: z.iso.datetime().nullable(),
  })
  .openapi("SigningKey");
const User = z.object({
  id: z.uuid(),
  vendor_id: z.string(),
  environment: z.enum(environmentNames),
});
const Answer = z.object({
  success: z.literal(true),
  data: Key.extend({ jwks_url: z.url() }),
  message: z.string(),
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listSigningKeys",
  summary: "List the keys that we hold, and the address where vendors read their public halves",
  ...guarded("signing-keys:read"),
  responses: {
    200: json(
      z.object({
        success: z.literal(true),
        data: z.array(
          Key.extend({
            used_by: z.array(User).openapi({ description: "The integrations that sign with it" }),
          }),
        ),
        count: z.number().int(),
        jwks_url: z.url(),
      }),
      "Newest first, retired ones too; `jwks_url` is the JWK Set URL to register at vendors",
    ),
  },
});
const create = createRoute({
  method: "post",
  path: "/",
  operationId: "createSigningKey",
  summary: "Make a key pair whose private half never leaves us",
  ...guarded("signing-keys:write"),
  request: {
    body: {
      required: true,
      content: {
        "application/json": { schema: z.strictObject({ algorithm: z.enum(algorithms) }) },
      },
    },
  },
  responses: { 201: json(Answer, "Made, and published at `jwks_url`") },
});
const retire = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "retireSigningKey",
  summary: "Retire a key: it signs no more, and leaves the JWK Set a day later",
  ...guarded("signing-keys:write"),
  request: { params: ById },
  responses: { 200: json(Answer, "Retired; the private half is erased") },
});

const jwksUrl = ({ PUBLIC_URL }: Settings, orgId: string) =>
  `${PUBLIC_URL}/.well-known/jwks/${orgId}.json`;

const present = (row: SigningKey): z.infer<typeof Key> => ({
  id: row.id,
  kid: row.kid,
  algorithm: row.algorithm,
  public_jwk: row.publicJwk,
  created_at: row.createdAt.toISOString(),
  created_by: row.createdBy,
  retired_at: row.retiredAt?.toISOString() ?? null,
});

async function makePair(algorithm: (typeof algorithms)[number]) {
  const pair = await generateKeyPair(algorithm, { extractable: true, modulusLength: 2048 });
  const bare = await exportJWK(pair.publicKey);
  const kid = await calculateJwkThumbprint(bare);
  const half: PrivateHalf = { pem: await exportPKCS8(pair.privateKey) };
  const publicJwk = PublicJwk.parse({ ...bare, kid, alg: algorithm, use: "sig" });
  return { kid, half, publicJwk };
}

const logOf = (
  db: OrgDb,
  activityType: "signing_key_created" | "signing_key_retired",
  kid: string,
) =>
  logActivity(db, {
    integrationId: null,
    vendorId: null,
    activityType,
    status: "success",
    details: { kid },
  });

export const signingKeyRoutes = newApp()
  .openapi(list, async (c) => {
    const { db } = c.var;
    const [rows, users] = await db.run(listSigningKeys(db), usersOfKeys(db));
    const url = jwksUrl(c.env.settings, db.actor.orgId);
    const data = rows.map((row) => ({
      ...present(row),
      used_by: users.filter(({ key_id }) => key_id === row.id).map((user) => User.parse(user)),
    }));
    return c.json({ success: true as const, data, count: data.length, jwks_url: url }, 200);
  })
  .openapi(create, async (c) => {
    const { db } = c.var;
    const { algorithm } = c.req.valid("json");
    const [held] = await db.run(listSigningKeys(db));
    if (held.filter((key) => !key.retiredAt).length >= mostKeys)
      throw new Problem("conflict", `There may be ${mostKeys} keys in use: retire one first`);
    const { orgId } = db.actor;
    const id = crypto.randomUUID();
    const { kid, half, publicJwk } = await makePair(algorithm);
    const privateKey = await c.env.vault.seal({ orgId, id }, half);
    const [[row]] = await db.run(
      addSigningKey(db, { id, kid, algorithm, publicJwk, privateKey }),
      logOf(db, "signing_key_created", kid),
    );
    if (!row) throw new Problem("internal");
    c.header("location", `/api/signing-keys/${id}`);
    const url = jwksUrl(c.env.settings, orgId);
    const message = `Register ${url} as the JWK Set URL at the vendor, and ${kid} here as the key`;
    return c.json(
      { success: true as const, data: { ...present(row), jwks_url: url }, message },
      201,
    );
  })
  .openapi(retire, async (c) => {
    const { db } = c.var;
    const { id } = c.req.valid("param");
    const [[before], users] = await db.run(getSigningKey(db, id), usersOfKeys(db, id));
    if (!before) throw new Problem("not_found");
    const inUse = users.map((user) => `${user.vendor_id} (${user.environment})`).join(", ");
    if (inUse) throw new Problem("conflict", `The key signs for ${inUse}: give them another first`);
    const url = jwksUrl(c.env.settings, db.actor.orgId);
    const answer = (row: SigningKey) => ({
      success: true as const,
      data: { ...present(row), jwks_url: url },
      message: "Retired; it leaves the JWK Set in 24 hours",
    });
    if (before.retiredAt) return c.json(answer(before), 200);
    const [, [row]] = await db.run(
      expectUnused(db, before.kid),
      retireSigningKey(db, id),
      logOf(db, "signing_key_retired", before.kid),
    );
    if (!row) throw new Problem("stale");
    return c.json(answer(row), 200);
  });

const OrgQuery = z.object({ org: z.uuid() });
const KeySet = z.object({ keys: z.array(PublicJwk) }).openapi("KeySet");
const published = { 200: json(KeySet, "Public keys (RFC 7517); of no organization, none") };
const byQuery = createRoute({
  method: "get",
  path: "/.well-known/jwks.json",
  operationId: "readKeySet",
  summary: "The public keys of an organization, by which vendors verify what we sign",
  security: [],
  request: { query: OrgQuery },
  responses: published,
});
const byPath = createRoute({
  method: "get",
  path: "/.well-known/jwks/{file}",
  operationId: "readKeySetFile",
  summary: "The same, for vendors that take no query in a JWK Set URL",
  security: [],
  request: { params: z.object({ file: z.string().regex(/^[\da-fA-F-]{36}\.json$/) }) },
  responses: published,
});

async function keySet({ client }: Env, orgId: string) {
  const db = new OrgDb(client, { orgId, actor: "public" });
  const [rows] = await db.run(publishedKeys(db));
  return { keys: rows.map((row) => row.public_jwk) };
}
/** Vendors keep it as long: a new key is known to them within five minutes. */
const cached = { "cache-control": "public, max-age=300", "access-control-allow-origin": "*" };

export const keySetRoutes = newApp()
  .openapi(byQuery, async (c) => c.json(await keySet(c.env, c.req.valid("query").org), 200, cached))
  .openapi(byPath, async (c) => {
    const orgId = z.uuid().safeParse(c.req.valid("param").file.replace(/\.json$/, "")).data;
    if (!orgId) throw new Problem("not_found");
    return c.json(await keySet(c.env, orgId), 200, cached);
  });

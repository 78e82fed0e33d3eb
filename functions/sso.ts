import { createRoute, z } from "@hono/zod-openapi";
import { uint8ArrayToHex } from "uint8array-extras";

import { type ActivityType, logActivity } from "../db/activity.ts";
import {
  addProvider,
  getProvider,
  type IdentityProvider,
  listProviders,
  markVerified,
  removeProvider,
} from "../db/identity-providers.ts";
import type { OrgDb } from "../db/org.ts";
import { Problem } from "../problem.ts";
import { guarded } from "./access.ts";
import { ById, json, jsonBody, newApp } from "./http.ts";
import { discover, ProviderRefused, txtRecords } from "./oidc.ts";
import { callbackAddress } from "./sso-sign-in.ts";

const mostProviders = 20;
const Domain = z
  .string()
  .trim()
  .toLowerCase()
  .max(253)
  .regex(/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/, "A domain such as clinic.org");
const Issuer = z
  .string()
  .trim()
  .max(500)
  .transform((url) => url.replace(/\/\.well-known\/openid-configuration$/, ""))
  .refine((url) => !/[?#]/.test(url), "Without a question mark or #");
const NewProvider = z.strictObject({
  name: z.string().trim().min(1).max(100),
  domain: Domain,
  issuer: Issuer,
  client_id: z.string().trim().min(1).max(500),
  client_secret: z.string().min(1).max(2000),
});
const Provider = z
  .object({
    id: z.uuid(),
    name: z.string(),
    domain: z.string(),
    issuer: z.string(),
    client_id: z.string(),
    /** To be entered at the provider. */
    redirect_uri: z.url(),
    /** To be entered at the domain, for as long as single sign-on is used. */
    txt_name: z.string(),
    txt_value: z.string(),
    verified_at: z.iso.datetime().nullable(),
    last_used_at: z.iso.datetime().nullable(),
    created_at: z.iso.datetime(),
  })
  .openapi("IdentityProvider");
const Answer = z.object({
  success: z.literal(true),
  data: Provider,
  message: z.string().optional(),
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listIdentityProviders",
  summary: "List the organization's OpenID providers",
  ...guarded("sso:read"),
  responses: {
    200: json(
      z.object({ success: z.literal(true), data: z.array(Provider), count: z.number().int() }),
      "By domain",
    ),
  },
});
const create = createRoute({
  method: "post",
  path: "/",
  operationId: "addIdentityProvider",
  summary: "Let people of a domain sign in at your own OpenID provider",
  ...guarded("sso:write"),
  request: jsonBody(NewProvider),
  responses: { 201: json(Answer, "Added; nobody can use it before the domain is verified") },
});
const verify = createRoute({
  method: "post",
  path: "/{id}/verify",
  operationId: "verifyIdentityProvider",
  summary: "Look for the TXT record that proves the domain",
  ...guarded("sso:write"),
  request: { params: ById },
  responses: {
    200: json(
      z.object({ success: z.boolean(), data: Provider, message: z.string() }),
      "A record that is not there is a 200 with `success: false`",
    ),
  },
});
const remove = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "removeIdentityProvider",
  summary: "Remove an OpenID provider: nobody signs in through it any more",
  ...guarded("sso:write"),
  request: { params: ById },
  responses: {
    200: json(
      z.object({
        success: z.literal(true),
        data: z.object({ id: z.uuid() }),
        message: z.string(),
      }),
      "Removed",
    ),
  },
});

const txtName = (domain: string) => `_ehrconnect.${domain}`;
const txtValue = (token: string) => `ehrconnect-domain-verification=${token}`;

const present = (row: IdentityProvider, publicUrl: string): z.infer<typeof Provider> => ({
  id: row.id,
  name: row.name,
  domain: row.domain,
  issuer: row.issuer,
  client_id: row.clientId,
  redirect_uri: callbackAddress(publicUrl, row.id),
  txt_name: txtName(row.domain),
  txt_value: txtValue(row.domainToken),
  verified_at: row.verifiedAt?.toISOString() ?? null,
  last_used_at: row.lastUsedAt?.toISOString() ?? null,
  created_at: row.createdAt.toISOString(),
});

const log = (db: OrgDb, activityType: ActivityType, row: { id: string; domain: string }) =>
  logActivity(db, {
    integrationId: null,
    vendorId: null,
    activityType,
    status: "success",
    details: { provider_id: row.id, domain: row.domain },
  });

const newToken = () => uint8ArrayToHex(crypto.getRandomValues(new Uint8Array(16)));

export const ssoRoutes = newApp()
  .openapi(list, async (c) => {
    const [rows] = await c.var.db.run(listProviders(c.var.db));
    const data = rows.map((row) => present(row, c.env.settings.PUBLIC_URL));
    return c.json({ success: true as const, data, count: data.length }, 200);
  })
  .openapi(create, async (c) => {
    const { db } = c.var;
    const input = c.req.valid("json");
    const [rows] = await db.run(listProviders(db));
    if (rows.length >= mostProviders)
      throw new Problem("too_many_requests", `At most ${mostProviders} providers`);
    if (rows.some((row) => row.domain === input.domain))
      throw new Problem("conflict", "This domain has a provider already. Remove that one first");
    try {
      await discover(c.env, input.issuer);
    } catch (error) {
      if (!(error instanceof ProviderRefused)) throw error;
      throw new Problem("invalid_request", `issuer: ${error.message}`, {
        errors: [{ path: "issuer", message: error.message }],
      });
    }
    const id = crypto.randomUUID();
    const { orgId, userId } = db.actor;
    const [[row]] = await db.run(
      addProvider(db, {
        id,
        name: input.name,
        domain: input.domain,
        issuer: input.issuer,
        clientId: input.client_id,
        clientSecret: await c.env.vault.seal({ orgId, id }, input.client_secret),
        domainToken: newToken(),
        createdBy: userId,
      }),
      log(db, "sso_added", { id, domain: input.domain }),
    );
    if (!row) throw new Problem("internal");
    c.header("location", `/api/sso/${id}`);
    const message = "Added. Verify the domain to let people in";
    const data = present(row, c.env.settings.PUBLIC_URL);
    return c.json({ success: true as const, data, message }, 201);
  })
  .openapi(verify, async (c) => {
    const { db } = c.var;
    const { PUBLIC_URL } = c.env.settings;
    const [[row]] = await db.run(getProvider(db, c.req.valid("param").id));
    if (!row) throw new Problem("not_found");
    const answer = (success: boolean, at: IdentityProvider, message: string) =>
      c.json({ success, data: present(at, PUBLIC_URL), message }, 200);
    if (row.verifiedAt) return answer(true, row, "Verified");
    let records: string[];
    try {
      records = await txtRecords(c.env, txtName(row.domain));
    } catch {
      return answer(false, row, "The domain's name servers did not answer. Try again");
    }
    if (!records.includes(txtValue(row.domainToken)))
      return answer(
        false,
        row,
        records.length
          ? `The TXT record of ${txtName(row.domain)} says something else`
          : `${txtName(row.domain)} has no TXT record yet. It may take an hour to be seen`,
      );
    const [[verified]] = await db
      .run(markVerified(db, row.id), log(db, "sso_verified", row))
      .catch((error: unknown) => {
        if (isTaken(error))
          throw new Problem("conflict", "Another organization has verified this domain already");
        throw error;
      });
    if (!verified) throw new Problem("not_found");
    return answer(true, verified, `People with an address at ${row.domain} can sign in now`);
  })
  .openapi(remove, async (c) => {
    const { db } = c.var;
    const [[row]] = await db.run(getProvider(db, c.req.valid("param").id));
    if (!row) throw new Problem("not_found");
    await db.run(removeProvider(db, row.id), log(db, "sso_removed", row));
    return c.json({ success: true as const, data: { id: row.id }, message: "Removed" }, 200);
  });

function isTaken(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause)
    if ("code" in e && e.code === "23505") return true;
  return false;
}

import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { drizzleAdapter } from "better-auth/adapters/drizzle";
import { createAccessControl } from "better-auth/plugins/access";
import { organization } from "better-auth/plugins/organization";
import {
  adminAc,
  defaultStatements,
  memberAc,
  ownerAc,
} from "better-auth/plugins/organization/access";

import { openClient } from "../db/client.ts";
import * as schema from "../db/schema.ts";
import type { Env } from "./env.ts";

const control = createAccessControl({
  ...defaultStatements,
  apiKey: ["create", "read", "update", "delete"],
});
const everyKey = { apiKey: ["create", "read", "update", "delete"] } as const;
const roles = {
  owner: control.newRole({ ...ownerAc.statements, ...everyKey }),
  admin: control.newRole({ ...adminAc.statements, ...everyKey }),
  member: control.newRole({ ...memberAc.statements }),
  viewer: control.newRole({ ...memberAc.statements }),
};

/** Serves `/api/auth/*`. Requests to the rest of the API never come here: see functions/access.ts. */
export function openAuth(env: Env) {
  const { settings } = env;
  return betterAuth({
    appName: "EHRConnect Integrations",
    baseURL: settings.PUBLIC_URL,
    basePath: "/api/auth",
    secret: settings.AUTH_SECRET,
    trustedOrigins: [...settings.allowedOrigins],
    database: drizzleAdapter(openClient(settings.DATABASE_URL, settings.DATABASE_ENDPOINT), {
      provider: "pg",
      schema: {
        user: schema.users,
        session: schema.sessions,
        account: schema.accounts,
        verification: schema.verifications,
        organization: schema.organizations,
        member: schema.members,
        invitation: schema.invitations,
        apikey: schema.apiKeys,
        rateLimit: schema.rateLimits,
      },
      transaction: false,
    }),
    advanced: {
      database: { generateId: () => crypto.randomUUID() },
      useSecureCookies: settings.PUBLIC_URL.startsWith("https://"),
      ipAddress: { ipAddressHeaders: ["cf-connecting-ip"] },
    },
    emailAndPassword: { enabled: true, minPasswordLength: 12, maxPasswordLength: 128 },
    session: { expiresIn: 7 * 86_400, updateAge: 86_400, cookieCache: { enabled: false } },
    rateLimit: { enabled: settings.SIMULATOR_URL === undefined, storage: "database" },
    telemetry: { enabled: false },
    plugins: [
      organization({ ac: control, roles, creatorRole: "owner", invitationExpiresIn: 7 * 86_400 }),
      apiKey({
        references: "organization",
        defaultPrefix: "ehr_",
        requireName: true,
        enableMetadata: false,
        rateLimit: { enabled: false },
        keyExpiration: { defaultExpiresIn: null, minExpiresIn: 1, maxExpiresIn: 366 },
      }),
    ],
  });
}

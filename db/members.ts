import { sql } from "drizzle-orm";

import type { Client } from "./client.ts";
import { members } from "./schema.ts";

/** A member who came by single sign-on, with the audit row of `log_membership`. */
export const joinBySignIn = (
  client: Client,
  {
    orgId,
    userId,
    ip,
    requestId,
  }: { orgId: string; userId: string; ip: string; requestId: string },
) =>
  client.batch([
    client.execute(sql`select set_config('app.signing_in', ${userId}, true),
      set_config('app.ip', ${ip}, true), set_config('app.request_id', ${requestId}, true)`),
    client.insert(members).values({ organizationId: orgId, userId, role: "member" }),
  ]);

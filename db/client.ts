import { neon, neonConfig } from "@neondatabase/serverless";
import { drizzle } from "drizzle-orm/neon-http";

import * as schema from "./schema.ts";

export type Client = ReturnType<typeof drizzle<typeof schema>>;

const clients = new Map<string, Client>();

/**
 * The only place that opens a connection. `endpoint` is the SQL-over-HTTP address of the embedded
 * database in development; without it the driver asks Neon's own.
 */
export function openClient(url: string, endpoint?: string): Client {
  if (endpoint) neonConfig.fetchEndpoint = endpoint;
  let client = clients.get(url);
  if (!client) {
    client = drizzle(neon(url), { schema });
    clients.set(url, client);
  }
  return client;
}

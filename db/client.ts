import { neon, neonConfig } from "@neondatabase/serverless";
import { drizzle } from "drizzle-orm/neon-http";

import * as schema from "./schema.ts";

export type Client = ReturnType<typeof drizzle<typeof schema>>;

const clients = new Map<string, Client>();

/**
 * A client of which each statement runs as a transaction with these settings, for triggers to read:
 * for a library that writes one statement at a time and knows nothing of them.
 */
export function openClientWith(
  url: string,
  endpoint: string | undefined,
  settings: Readonly<Record<string, string>>,
): Client {
  if (endpoint) neonConfig.fetchEndpoint = endpoint;
  const plain = neon(url);
  const { query: prepare, transaction } = plain;
  const places = Object.keys(settings).map(
    (_none, i) => `set_config($${2 * i + 1}, $${2 * i + 2}, true)`,
  );
  const query = async (text: string, params: unknown[], options: { arrayMode: boolean }) => {
    const set = prepare(`select ${places.join(", ")}`, Object.entries(settings).flat());
    const asked = prepare(text, params, { ...options, fullResults: true }) as unknown;
    const [, result] = await transaction([set, asked as typeof set], { fullResults: true });
    return result;
  };
  return drizzle(Object.assign(plain, { query: query as unknown as typeof plain.query }), {
    schema,
  });
}

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

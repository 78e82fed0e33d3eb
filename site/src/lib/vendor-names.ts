import { patientFetch } from "./api.ts";
import type { CatalogEntry } from "./catalog.ts";

let loaded: Promise<Map<string, CatalogEntry>> | undefined;

async function read() {
  const reply = await patientFetch("/catalog.json");
  if (!reply.ok) throw new Error("The list of vendors could not be loaded. Reload to try again.");
  const entries: CatalogEntry[] = await reply.json();
  return new Map(entries.map((entry) => [entry.id, entry]));
}

/** Names and logos of all vendors, by id; read once a page. */
export const loadCatalog = () => (loaded ??= read());

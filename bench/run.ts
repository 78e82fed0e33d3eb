import { randomBytes, randomUUID } from "node:crypto";

import { neon, neonConfig } from "@neondatabase/serverless";

import { openClient } from "../db/client.ts";
import { rotate } from "../functions/rotation.ts";
import { openVault, secretKeyRing } from "../functions/vault.ts";
import { keyHash } from "../scripts/seed.ts";
import { buildWorker } from "../scripts/worker.ts";
import { newOrg, startWorld } from "../scripts/world.ts";

/** Every figure stands beside a baseline of the same run: machines differ, ratios less so. */
type Figure = { what: string; ms: number; baseline: string; baselineMs: number };
const figures: Figure[] = [];

async function median(times: number, work: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < Math.min(20, times); i++) await work();
  const taken: number[] = [];
  for (let i = 0; i < times; i++) {
    const started = performance.now();
    await work();
    taken.push(performance.now() - started);
  }
  return taken.toSorted((a, b) => a - b)[Math.floor(times / 2)] ?? Number.NaN;
}

async function compare(
  what: string,
  work: () => Promise<unknown>,
  baseline: string,
  base: () => Promise<unknown>,
  times = 300,
) {
  const ms = await median(times, work);
  figures.push({ what, ms, baseline, baselineMs: await median(times, base) });
}

const engine = process.argv.includes("--pglite") ? "pglite" : "postgres";
await buildWorker();
const world = await startWorld(engine);
try {
  neonConfig.fetchEndpoint = world.database.endpoint;
  const sql = neon(world.database.url);
  const org = await newOrg({
    url: world.url,
    databaseUrl: world.database.url,
    endpoint: world.database.endpoint,
  });
  const added = await org.call("POST", "/api/integrations", {
    vendor_id: "stripe",
    environment: "sandbox",
    credentials: world.simulator.simulation("stripe").credentials,
  });
  const { webhook_url } = added.body.data as { webhook_url: string };

  await compare(
    "GET /api/integrations: sign-in, role, row security and rows in one round trip",
    () => org.call("GET", "/api/integrations"),
    "the same Worker answering without a database",
    () => fetch(`${world.url}/healthz`).then((response) => response.text()),
  );
  const hash = keyHash(org.apiKey);
  const batch = () =>
    sql.transaction([
      sql`select * from authenticate(null, ${hash}, null, array['owner','admin'], 'integrations:read', null, null)`,
      sql`select set_config('role', 'ehrconnect_tenant', true)`,
      sql`select * from integrations where org_id = app_org_id()`,
    ]);
  await compare(
    "one batch to the database",
    batch,
    "key, org and rows asked one after the other",
    async () => {
      const [key] = await sql`select reference_id from api_keys where key = ${hash}`;
      const [own] = await sql`select id from organizations where id = ${key?.["reference_id"]}`;
      return sql`select * from integrations where org_id = ${own?.["id"]}`;
    },
  );

  let n = 0;
  const url = `${world.url}${new URL(webhook_url).pathname}`;
  const { credentials, webhook } = world.simulator.simulation("stripe");
  if (!webhook) throw new Error("Stripe's simulation signs webhooks");
  const send = async (signed: Request) => {
    const response = await fetch(url, {
      method: "POST",
      headers: signed.headers,
      body: await signed.text(),
    });
    await response.text();
    return response.status;
  };
  await compare(
    "a signed webhook: verified, stored, logged, queued",
    async () => {
      const body = { id: `evt_${n++}` };
      const status = await send(await webhook({ url, credentials, body }));
      if (status !== 200) throw new Error(`webhook ${status}`);
    },
    "a forged one: refused",
    async () => {
      const signed = await webhook({ url, credentials });
      const forged = new Request(signed, {
        headers: { ...Object.fromEntries(signed.headers), "stripe-signature": "t=1,v1=00" },
      });
      await send(forged);
    },
    200,
  );

  const keys = {
    KEY_1: randomBytes(32).toString("base64"),
    KEY_2: randomBytes(32).toString("base64"),
  };
  const vault = openVault(secretKeyRing({ KEY_1: keys.KEY_1 }));
  const owner = { orgId: randomUUID(), id: randomUUID() };
  const sealed = await vault.seal(owner, { apiKey: "x".repeat(64) });
  const plain = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, [
    "encrypt",
    "decrypt",
  ]);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const ct = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, plain, new Uint8Array(100));
  await compare(
    "opening an envelope (unwrap the data key, decrypt)",
    () => vault.open(owner, sealed),
    "one AES-GCM decryption",
    () => crypto.subtle.decrypt({ name: "AES-GCM", iv }, plain, ct),
    2_000,
  );

  const count = 10_000;
  const orgId = randomUUID();
  await sql`insert into organizations (id, name, slug) values (${orgId}, 'Rotation', ${orgId})`;
  const ids = Array.from({ length: count }, () => randomUUID());
  for (let i = 0; i < count; i += 1_000) {
    const slice = ids.slice(i, i + 1_000);
    const rows = await Promise.all(
      slice.map(async (id) => JSON.stringify(await vault.seal({ orgId, id }, { secret: id }))),
    );
    await sql`insert into integrations (id, org_id, vendor_id, credentials)
      select t.id::uuid, ${orgId}, 'v' || t.id, t.c::jsonb from unnest(${slice}::text[], ${rows}::text[]) as t(id, c)`;
  }
  const both = openVault(secretKeyRing(keys));
  const client = openClient(world.database.url, world.database.endpoint);
  await sql`delete from integrations where org_id <> ${orgId}`;
  await sql`delete from events`;
  let failed = 0;
  let reads = 0;
  let running = true;
  const reader = (async () => {
    while (running) {
      const id = ids[Math.floor(Math.random() * count)] ?? "";
      const [row] = await sql`select credentials from integrations where id = ${id}`;
      await both.open({ orgId, id }, row?.["credentials"]).catch(() => (failed += 1));
      reads += 1;
    }
  })();
  const started = performance.now();
  for (let left = true; left;) ({ left } = await rotate(client, both, { limit: 500 }));
  running = false;
  await reader;
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `\nRotation of ${count} integrations under load: ${seconds.toFixed(1)} s, ${reads} reads meanwhile, ${failed} failed`,
  );
} finally {
  await world.stop();
}

console.log(`\nMedians on ${engine}; the ratio is what to compare between machines.\n`);
for (const { what, ms, baseline, baselineMs } of figures)
  console.log(
    `${ms.toFixed(2)} ms  ${what}\n${baselineMs.toFixed(2)} ms  baseline: ${baseline}  (${(ms / baselineMs).toFixed(1)}×)\n`,
  );
process.exit(0);

import { neon, neonConfig } from "@neondatabase/serverless";
import Stripe from "stripe";

import { eventually, type Receiver, startReceiver } from "./receiver.ts";
import { call, type EngineName, newOrg, startWorld, type TestOrg } from "./world.ts";

export type Destination = {
  id: string;
  secret: string;
  status: string;
  status_reason: string | null;
  breaker: string;
  held_until: string | null;
};
export type Delivery = {
  id: string;
  event_id: string;
  destination_id: string;
  state: string;
  attempts: number;
  failures: number;
  next_attempt_at: string | null;
  last_status: number | null;
  last_cause: string | null;
};
export type Attempt = Record<string, unknown> & { excerpt: string | null };

const webhookSecret = "whsec_0123456789abcdef0123456789abcdef";
const stripe = new Stripe("sk_test_unused");

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A world of its own for tests that play the clock, with what they do again and again. */
export async function startForwarding(engine: EngineName) {
  const world = await startWorld(engine);
  const receivers: Receiver[] = [];
  const place = {
    url: world.url,
    databaseUrl: world.database.url,
    endpoint: world.database.endpoint,
    publicUrl: world.url.replace("127.0.0.1", "localhost"),
  };
  let sent = 0;

  const database = () => {
    neonConfig.fetchEndpoint = world.database.endpoint;
    return neon(world.database.url);
  };
  async function created<T>(org: TestOrg, path: string, body: object): Promise<T> {
    const reply = await org.call("POST", path, body);
    if (reply.status !== 201) throw new Error(JSON.stringify(reply.body));
    return reply.body.data as T;
  }
  const list = async (org: TestOrg, query = "") =>
    (await org.call("GET", `/api/deliveries?limit=200${query}`)).body.data as Delivery[];

  return {
    world,
    place,
    database,
    list,
    newOrg: () => newOrg(place),
    async receiver() {
      const one = await startReceiver(world.simulator.url);
      receivers.push(one);
      return one;
    },
    addStripe: (org: TestOrg) =>
      created<{ id: string; webhook_url: string }>(org, "/api/integrations", {
        vendor_id: "stripe",
        environment: "sandbox",
        credentials: { secretKey: "sk_test_0123456789abcdefghijklmn", webhookSecret },
      }),
    async addDestination(org: TestOrg, to: Receiver, more: object = {}) {
      const body = { name: "Ours", url: to.url, ...more };
      const destination = await created<Destination>(org, "/api/destinations", body);
      to.secrets.push(destination.secret);
      return destination;
    },
    readDestination: async (org: TestOrg, id: string) =>
      (await org.call("GET", `/api/destinations/${id}`)).body.data as Destination,
    /** A signed webhook of Stripe; answers with its payload. */
    async post(webhookUrl: string, type = "payment_intent.succeeded") {
      sent += 1;
      const payload = JSON.stringify({
        id: `evt_${sent}`,
        object: "event",
        type,
        created: 1_760_000_000,
        data: { object: { id: "pi_1", amount: 12 } },
      });
      const signature = stripe.webhooks.generateTestHeaderString({
        payload,
        secret: webhookSecret,
      });
      const reply = await call(`${world.url}${new URL(webhookUrl).pathname}`, "POST", payload, {
        "content-type": "application/json",
        "stripe-signature": signature,
      });
      if (reply.status !== 200) throw new Error(JSON.stringify(reply.body));
      return payload;
    },
    /** Waits until the org has exactly so many deliveries in a state. */
    inState: (org: TestOrg, state: string, count = 1) =>
      eventually(async () => {
        const rows = await list(org, `&state=${state}`);
        return rows.length === count && rows;
      }, `${count} deliveries ${state}`),
    attempts: async (org: TestOrg, id: string) =>
      ((await org.call("GET", `/api/deliveries/${id}`)).body.data as { tries: Attempt[] }).tries,
    /** As if the wait were over: what is due after it, is due now. */
    async skipWait(org: TestOrg) {
      const sql = database();
      await sql`update deliveries set next_attempt_at = now() - interval '1 minute'
        where org_id = ${org.orgId} and state in ('failed', 'pending', 'delivering', 'parked')`;
      await sql`update destinations set resume_at = null,
        probe_at = case when probe_at is not null then now() - interval '1 minute' end
        where org_id = ${org.orgId}`;
      await world.worker.tick();
    },
    async close() {
      await Promise.all(receivers.map((one) => one.close()));
      await world.stop();
    },
  };
}

export type Forwarding = Awaited<ReturnType<typeof startForwarding>>;

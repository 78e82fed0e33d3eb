import { createHmac, randomUUID } from "node:crypto";
import { Agent, request } from "node:http";

import { neon, neonConfig } from "@neondatabase/serverless";

import { eventually, startReceiver } from "../scripts/receiver.ts";
import { newOrg, startWorld, type World } from "../scripts/world.ts";

const kinds = ["valid", "replayed", "forged", "garbage"] as const;
type Kind = (typeof kinds)[number];
/** Out of ten. */
const mix: readonly Kind[] = [
  "valid",
  "valid",
  "valid",
  "valid",
  "valid",
  "replayed",
  "replayed",
  "forged",
  "forged",
  "garbage",
];
const expected: Record<Kind, readonly number[]> = {
  valid: [200],
  replayed: [200],
  forged: [401],
  garbage: [401, 404],
};

export type LoadReport = {
  sent: Record<Kind, number>;
  /** Answers other than those expected, by kind and status. */
  surprises: Record<string, number>;
  stored: number;
  duplicates: number;
  delivered: number;
  /** Deliveries to the receiver, their ids, and how many of them did not verify. */
  received: { all: number; ids: number; unverified: number };
  errorsLogged: string[];
  seconds: number;
  p50: number;
  p99: number;
};

const webhookSecret = "whsec_0123456789abcdef0123456789abcdef";
const sign = (payload: string, secret: string) => {
  const t = Math.floor(Date.now() / 1000);
  return `t=${t},v1=${createHmac("sha256", secret).update(`${t}.${payload}`).digest("hex")}`;
};

/** `total` webhooks of Stripe's form from `senders` parallel senders to three orgs, one of which forwards. */
export async function sendMixed(world: World, total: number, senders: number): Promise<LoadReport> {
  const place = {
    url: world.url,
    databaseUrl: world.database.url,
    endpoint: world.database.endpoint,
  };
  const orgs = await Promise.all([newOrg(place), newOrg(place), newOrg(place)]);
  const paths = await Promise.all(
    orgs.map(async (org) => {
      const added = await org.call("POST", "/api/integrations", {
        vendor_id: "stripe",
        environment: "sandbox",
        credentials: { secretKey: "sk_test_0123456789abcdefghijklmn", webhookSecret },
      });
      return new URL((added.body.data as { webhook_url: string }).webhook_url).pathname;
    }),
  );
  const to = await startReceiver(world.simulator.url);
  const [forwarding] = orgs;
  const destination = await forwarding.call("POST", "/api/destinations", {
    name: "Load",
    url: to.url,
  });
  to.secrets.push((destination.body.data as { secret: string }).secret);
  world.logs.length = 0;

  const agent = new Agent({ keepAlive: true, maxSockets: senders });
  const post = (path: string, body: string, headers: Record<string, string>) =>
    new Promise<number>((resolve) => {
      const options = { method: "POST", agent, headers };
      const sent = request(`${world.url}${path}`, options, (response) => {
        response.resume().on("end", () => resolve(response.statusCode ?? 0));
      });
      sent.on("error", () => resolve(0)).end(body);
    });

  const sent: Record<Kind, number> = { valid: 0, replayed: 0, forged: 0, garbage: 0 };
  const surprises: Record<string, number> = {};
  const latencies: number[] = [];
  const known: { path: string; payload: string }[] = [];
  let validToFirst = 0;

  async function one(index: number) {
    const kind = (index < 10 ? "valid" : mix[index % mix.length]) ?? "valid";
    const path = paths[index % paths.length] ?? "";
    const payload = JSON.stringify({
      id: `evt_${index}`,
      object: "event",
      type: index % 3 ? "payment_intent.succeeded" : "charge.refunded",
      created: 1_760_000_000,
      data: { object: { id: randomUUID(), amount: index } },
    });
    const json = { "content-type": "application/json" };
    const ask = {
      valid: () => {
        known.push({ path, payload });
        if (path === paths[0]) validToFirst += 1;
        return post(path, payload, { ...json, "stripe-signature": sign(payload, webhookSecret) });
      },
      replayed: () => {
        const again = known[Math.floor(Math.random() * known.length)] ?? { path, payload };
        const signature = sign(again.payload, webhookSecret);
        return post(again.path, again.payload, { ...json, "stripe-signature": signature });
      },
      forged: () => {
        const signature =
          index % 2 ? sign(payload, "whsec_another") : sign(`${payload} `, webhookSecret);
        return post(path, payload, { ...json, "stripe-signature": signature });
      },
      garbage: () => {
        const noise = [
          () => post(path, "\u0000\u0001not json", {}),
          () => post(path, payload, { ...json, "stripe-signature": "t=1,v1=zz" }),
          () => post(`/webhooks/stripe/${randomUUID()}`, payload, json),
          () => post("/webhooks/nope/x", "", {}),
        ];
        return (noise[index % noise.length] ?? noise[0])?.() ?? Promise.resolve(0);
      },
    }[kind];
    sent[kind] += 1;
    const started = performance.now();
    const status = await ask();
    latencies.push(performance.now() - started);
    if (!expected[kind].includes(status)) {
      const surprise = `${kind} ${status}`;
      surprises[surprise] = (surprises[surprise] ?? 0) + 1;
    }
  }

  const started = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: senders }, async () => {
      while (next < total) await one(next++);
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  agent.destroy();

  neonConfig.fetchEndpoint = world.database.endpoint;
  const sql = neon(world.database.url);
  const delivered = async () => {
    const [row] = await sql`select count(*)::int as n from deliveries
      where org_id = ${forwarding.orgId} and state = 'delivered'`;
    return (row?.["n"] as number | undefined) ?? 0;
  };
  await eventually(async () => (await delivered()) >= validToFirst, "the deliveries", 120_000);
  const orgIds = orgs.map((org) => org.orgId);
  const [counts] = await sql`select count(*)::int as stored, sum(duplicates)::int as duplicates
    from events where org_id = any(${orgIds}) and status = 'processed'`;
  latencies.sort((a, b) => a - b);
  const report: LoadReport = {
    sent,
    surprises,
    stored: counts?.["stored"] as number,
    duplicates: counts?.["duplicates"] as number,
    delivered: await delivered(),
    received: {
      all: to.received.length,
      ids: new Set(to.received.map((each) => each.id)).size,
      unverified: to.received.filter((each) => !each.verified).length,
    },
    errorsLogged: world.logs.filter((line) => line.includes('"level":"error"')),
    seconds,
    p50: latencies[Math.floor(latencies.length * 0.5)] ?? 0,
    p99: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
  };
  await to.close();
  return report;
}

if (import.meta.main) {
  const total = Number(process.argv[2] ?? 10_000);
  const world = await startWorld("postgres");
  try {
    const report = await sendMixed(world, total, 20);
    console.log(JSON.stringify(report, undefined, 2));
    console.log(`${Math.round(total / report.seconds)} webhooks a second`);
  } finally {
    await world.stop();
  }
}

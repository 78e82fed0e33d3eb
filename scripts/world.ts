import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { rmSync } from "node:fs";

import { neon, neonConfig } from "@neondatabase/serverless";

import { startPostgres } from "../db/local/postgres.ts";
import { type Database, startDatabase } from "../db/local/server.ts";
import { migrate } from "../db/migrate.ts";
import { type Simulator, startSimulator } from "../simulator/server.ts";
import { openCanaries, plant } from "./canaries.ts";
import { findLeaks } from "./canary-watch.ts";
import { addOrg } from "./seed.ts";
import { newSecrets, type RunningWorker, startWorker, type WorkerSecrets } from "./worker.ts";

export const engines = ["pglite", "postgres"] as const;
export type EngineName = (typeof engines)[number];

/** The whole system on this machine: a database, the vendors' side, and the Worker as built. */
export type World = {
  url: string;
  engine: EngineName;
  database: Database;
  simulator: Simulator;
  worker: RunningWorker;
  secrets: WorkerSecrets;
  /** Every line that the Worker has logged. */
  logs: string[];
  stop(): Promise<void>;
};

export async function startWorld(
  engine: EngineName = "pglite",
  options: { port?: number; stateFolder?: string; settings?: Record<string, string> } = {},
): Promise<World> {
  const postgres = engine === "postgres" ? await startPostgres() : undefined;
  const database = await startDatabase(postgres ? { url: postgres.url } : {});
  await migrate(database.url, database.endpoint);
  let canaries = "";
  const simulator = await startSimulator({
    onToken: (value) => plant(canaries, [{ what: "a vendor's token", kind: "secret", value }]),
    person: () => newPerson(canaries),
  });
  const logs: string[] = [];
  // Tests send more than any caller would; functions/limits.test.ts sets limits of its own.
  const secrets = {
    ...newSecrets(),
    LIMIT_IP: "1000000",
    LIMIT_KEY: "1000000",
    LIMIT_ORG: "1000000",
    LIMIT_SIGN_IN: "1000000",
    ...options.settings,
  };
  const worker = await startWorker({
    databaseUrl: database.url,
    databaseEndpoint: database.endpoint,
    simulatorUrl: simulator.url,
    secrets,
    log: (line) => logs.push(line),
    ...options,
  });
  canaries = openCanaries(worker.url);
  return {
    url: worker.url,
    engine,
    database,
    simulator,
    worker,
    secrets,
    logs,
    async stop() {
      await worker.stop();
      const watched = { folder: canaries, database, secrets, logs };
      try {
        const leaks = await findLeaks(watched);
        if (leaks.length) throw new Error(`What was planted has leaked:\n${leaks.join("\n")}`);
      } finally {
        rmSync(canaries, { recursive: true });
        await simulator.close();
        await database.close();
        await postgres?.stop();
      }
    },
  };
}

/** Somebody whom no other text names, for a webhook to tell of. */
function newPerson(canaries: string): { patient_name: string; patient_phone: string } {
  const person = {
    patient_name: `Cnry Zebrafinch ${randomBytes(6).toString("hex")}`,
    patient_phone: `+1555${String(randomInt(1e9)).padStart(9, "0")}`,
  };
  plant(
    canaries,
    Object.entries(person).map(([what, value]) => ({ what, kind: "person", value })),
  );
  return person;
}

export type Reply = { status: number; headers: Headers; body: Answer };
export type Answer = {
  success: boolean;
  data?: unknown;
  [more: string]: unknown;
};

export type TestOrg = {
  orgId: string;
  userId: string;
  email: string;
  password: string;
  apiKey: string;
  call: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<Reply>;
};

/** Sends one request and reads the answer as JSON, whatever its status. */
export async function call(
  url: string,
  method: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const raw = typeof body === "string" || body instanceof Uint8Array;
  const response = await fetch(url, {
    method,
    redirect: "manual",
    headers: {
      ...(body === undefined || raw ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: raw ? (body as BodyInit) : JSON.stringify(body) }),
  });
  const text = await response.text();
  let parsed: Answer;
  try {
    parsed = JSON.parse(text) as Answer;
  } catch {
    parsed = { success: false, text };
  }
  return { status: response.status, headers: response.headers, body: parsed };
}

/** An org of its own for each test, so that no order matters and nothing is cleared. */
export async function newOrg(world: {
  url: string;
  databaseUrl: string;
  endpoint: string;
}): Promise<TestOrg> {
  neonConfig.fetchEndpoint = world.endpoint;
  const suffix = randomBytes(6).toString("hex");
  const org = {
    orgId: randomUUID(),
    name: `Clinic ${suffix}`,
    slug: `clinic-${suffix}`,
    person: "Terry Test",
    email: `${suffix}@clinic.example`,
    password: "a long test password",
    apiKey: `ehr_${randomBytes(24).toString("base64url")}`,
  };
  const { userId } = await addOrg(world.databaseUrl, org);
  return {
    ...org,
    userId,
    call: (method, path, body, headers) =>
      call(`${world.url}${path}`, method, body, {
        authorization: `Bearer ${org.apiKey}`,
        ...headers,
      }),
  };
}

/** A person in an org with a role, and the cookie of their session. */
export async function newMember(
  world: { url: string; databaseUrl: string; endpoint: string; publicUrl: string },
  orgId: string,
  role: string,
): Promise<{ userId: string; email: string; cookie: string }> {
  neonConfig.fetchEndpoint = world.endpoint;
  const sql = neon(world.databaseUrl);
  const email = `${randomBytes(6).toString("hex")}@clinic.example`;
  const origin = { origin: world.publicUrl };
  const password = "a long test password";
  const signUp = await fetch(`${world.url}/api/auth/sign-up/email`, {
    method: "POST",
    headers: { "content-type": "application/json", ...origin },
    body: JSON.stringify({ name: `A ${role}`, email, password }),
  });
  const { user } = (await signUp.json()) as { user: { id: string } };
  const cookie = signUp.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
  await sql`insert into members (organization_id, user_id, role) values (${orgId}, ${user.id}, ${role})`;
  return { userId: user.id, email, cookie };
}

/** Adds an integration of a vendor with the credentials that its simulation knows; expects a 201. */
export async function addSimulated<T = { id: string; webhook_url: string }>(
  org: TestOrg,
  vendorId: string,
  { credentials, ...more }: { credentials?: object; [member: string]: unknown } = {},
): Promise<T> {
  const demo = await org.call("GET", `/api/integrations/vendors/${vendorId}/demo-credentials`);
  const { status, body } = await org.call("POST", "/api/integrations", {
    vendor_id: vendorId,
    environment: "production",
    credentials: { ...(demo.body.data as object), ...credentials },
    ...more,
  });
  if (status !== 201) throw new Error(`${vendorId} was not added: ${JSON.stringify(body)}`);
  return body.data as T;
}

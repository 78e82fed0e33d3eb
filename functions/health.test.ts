import { neon } from "@neondatabase/serverless";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import type { VendorCause } from "../problem.ts";
import { newOrg, startWorld, type TestOrg, type World } from "../scripts/world.ts";
import { outcomeOfCall } from "./execute.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld(inject("world").engine);
});
afterAll(() => world.stop());

const place = () => ({
  url: world.url,
  databaseUrl: world.database.url,
  endpoint: world.database.endpoint,
});
async function addTwilio(org: TestOrg, enabled = true) {
  const reply = await org.call("POST", "/api/integrations", {
    vendor_id: "twilio",
    environment: "production",
    enabled,
    credentials: world.simulator.simulation("twilio").credentials,
  });
  expect(reply.status, JSON.stringify(reply.body)).toBe(201);
  return (reply.body.data as { id: string }).id;
}
const statusOf = async (org: TestOrg, id: string) =>
  (await org.call("GET", `/api/integrations/${id}`)).body.data as Record<string, unknown>;

/** Makes everything due, lets the clock tick, and waits until the queue has written `count` checks. */
async function tick(ids: string[]) {
  const sql = neon(world.database.url);
  await sql`update integrations set next_check_at = now() - interval '1 second', last_tested_at = null where id = any(${ids}::uuid[])`;
  await world.worker.tick();
  await expect
    .poll(
      async () =>
        (
          await sql`select count(*)::int as n from integrations where id = any(${ids}::uuid[]) and last_tested_at is not null`
        )[0]?.["n"],
      { timeout: 20_000 },
    )
    .toBe(ids.length);
}

test("three failed probes in a row open, two good ones close, and each change is on record", async () => {
  const org = await newOrg(place());
  const id = await addTwilio(org);
  expect(await statusOf(org, id)).toMatchObject({ health_status: "active" });
  world.simulator.fault({ vendor: "twilio", kind: "maintenance" });
  await tick([id]);
  await tick([id]);
  expect(await statusOf(org, id)).toMatchObject({
    health_status: "active",
    last_cause: "vendor_unavailable",
  });
  await tick([id]);
  expect(await statusOf(org, id)).toMatchObject({ health_status: "error" });
  world.simulator.clearFaults();
  await tick([id]);
  expect(await statusOf(org, id)).toMatchObject({ health_status: "error" });
  await tick([id]);
  expect(await statusOf(org, id)).toMatchObject({ health_status: "active", last_error: null });
  const changes = await org.call("GET", "/api/activity?activity_type=health_changed");
  expect(changes.body.data).toMatchObject([
    { status: "success", details: { from: "error", to: "active" }, actor: "clock" },
    { status: "failure", details: { from: "active", to: "error" }, actor: "clock" },
  ]);
});

test("what nobody has looked at for half an hour is not called active", async () => {
  const org = await newOrg(place());
  const id = await addTwilio(org);
  const sql = neon(world.database.url);
  await sql`update integrations set last_tested_at = now() - interval '31 minutes' where id = ${id}`;
  expect(await statusOf(org, id)).toMatchObject({ health_status: "testing" });
  const list = await org.call("GET", "/api/integrations?health_status=active");
  expect(list.body).toMatchObject({ count: 0, summary: { total: 1, active: 0, errors: 0 } });
  await tick([id]);
  expect(await statusOf(org, id)).toMatchObject({ health_status: "active" });
});

test("a 429 says nothing about the integration", async () => {
  const org = await newOrg(place());
  const id = await addTwilio(org);
  world.simulator.fault({ vendor: "twilio", kind: "rate_limited", retryAfter: 120 });
  for (let i = 0; i < 4; i++) await tick([id]);
  expect(await statusOf(org, id)).toMatchObject({ health_status: "active" });
  world.simulator.clearFaults();
});

test("failing calls turn the status red although probes would still pass", async () => {
  const org = await newOrg(place());
  const id = await addTwilio(org);
  world.simulator.fault({ vendor: "twilio", kind: "server_error", match: "Messages" });
  for (let i = 0; i < 3; i++) {
    const reply = await org.call("POST", `/api/integrations/${id}/execute`, {
      operation: "sendSMS",
      params: { to: "+15558675310", body: "hello" },
    });
    expect(reply.status).toBe(503);
    expect(reply.body).toMatchObject({ code: "vendor_failed", cause: "vendor_unavailable" });
  }
  expect(await statusOf(org, id)).toMatchObject({ health_status: "error" });
  await tick([id]);
  await tick([id]);
  await tick([id]);
  expect(await statusOf(org, id)).toMatchObject({ health_status: "error" });
  world.simulator.clearFaults();
  const works = await org.call("POST", `/api/integrations/${id}/execute`, {
    operation: "sendSMS",
    params: { to: "+15558675310", body: "hello" },
  });
  expect(works.status).toBe(200);
  await tick([id]);
  expect(await statusOf(org, id)).toMatchObject({ health_status: "active", last_error: null });
});

test("calls that fail half of the time turn the status red, though never three in a row", async () => {
  const org = await newOrg(place());
  const id = await addTwilio(org);
  const send = async (fault?: "server_error" | "rate_limited") => {
    if (fault) world.simulator.fault({ vendor: "twilio", kind: fault, match: "Messages" });
    await org.call("POST", `/api/integrations/${id}/execute`, {
      operation: "sendSMS",
      params: { to: "+15558675310", body: "hello" },
    });
    world.simulator.clearFaults();
    return (await statusOf(org, id))["health_status"];
  };
  const seen: unknown[] = [];
  for (let i = 0; i < 10; i++) seen.push(await send("server_error"), await send());
  expect(seen.slice(0, 18)).toEqual(Array(18).fill("active"));
  expect(seen.slice(18)).toEqual(["error", "error"]);
  for (let i = 0; i < 3; i++) await tick([id]);
  expect(await statusOf(org, id)).toMatchObject({ health_status: "error" });
  expect([await send(), await send()]).toEqual(["active", "active"]);
});

test("a call that is limited says nothing by itself, but all of them do", async () => {
  const org = await newOrg(place());
  const id = await addTwilio(org);
  world.simulator.fault({ vendor: "twilio", kind: "rate_limited", match: "Messages" });
  for (let i = 0; i < 10; i++) {
    expect(await statusOf(org, id)).toMatchObject({ health_status: "active" });
    await org.call("POST", `/api/integrations/${id}/execute`, {
      operation: "sendSMS",
      params: { to: "+15558675310", body: "hello" },
    });
  }
  world.simulator.clearFaults();
  expect(await statusOf(org, id)).toMatchObject({
    health_status: "error",
    last_error: expect.stringMatching(/too many|limit/i),
  });
});

test("a call that the vendor left unanswered counts against it, one whose caller left does not", () => {
  const said = (failure: VendorCause, callerLeft: boolean) =>
    outcomeOfCall({ failure, message: "" }, callerLeft)?.result;
  expect(said("timeout", false)).toBe("failed");
  expect(said("timeout", true)).toBeUndefined();
  expect(said("vendor_unavailable", true)).toBe("failed");
  expect(said("rate_limited", false)).toBe("limited");
  expect(said("not_found", false)).toBeUndefined();
});

test("the clock checks only what is on and due, of all orgs, once", async () => {
  const orgs = await Promise.all([newOrg(place()), newOrg(place()), newOrg(place())]);
  const on = await Promise.all(orgs.map((org) => addTwilio(org)));
  const off = await addTwilio(await newOrg(place()), false);
  world.simulator.reset();
  await tick(on);
  await Promise.all([world.worker.tick(), world.worker.tick()]);
  expect(world.simulator.requests("twilio")).toHaveLength(on.length);
  const sql = neon(world.database.url);
  const [row] = await sql`select last_tested_at, next_check_at from integrations where id = ${off}`;
  expect(row).toEqual({ last_tested_at: null, next_check_at: null });
});

test("health/check looks at once and answers with totals", async () => {
  const org = await newOrg(place());
  await addTwilio(org);
  world.simulator.fault({ vendor: "twilio", kind: "expired_credentials", times: 1 });
  const bad = await org.call("POST", "/api/integrations/health/check", { org_id: org.orgId });
  expect(bad.status, JSON.stringify(bad.body)).toBe(200);
  expect(bad.body["summary"]).toEqual({ total: 1, enabled: 1, active: 0, errors: 1, inactive: 0 });
  const good = await org.call("POST", "/api/integrations/health/check", { org_id: org.orgId });
  expect(good.body["summary"]).toMatchObject({ active: 1, errors: 0 });
  const status = await org.call("GET", `/api/integrations/health/status?org_id=${org.orgId}`);
  expect(status.body).toMatchObject({ success: true, count: 1, summary: { active: 1 } });
});

test("no credential is in any answer, log line or row", async () => {
  const org = await newOrg(place());
  await addTwilio(org);
  const secrets = Object.entries(world.simulator.simulation("twilio").credentials)
    .filter(([key]) => /token|secret/i.test(key))
    .map(([, value]) => String(value));
  expect(secrets.length).toBeGreaterThan(0);
  const sql = neon(world.database.url);
  const seen = [
    ...world.logs,
    JSON.stringify((await org.call("GET", "/api/integrations")).body),
    JSON.stringify((await org.call("GET", "/api/activity")).body),
    JSON.stringify(await sql`select * from integrations`),
    JSON.stringify(await sql`select * from integration_activity_log`),
  ].join("\n");
  for (const secret of secrets) expect(seen).not.toContain(secret);
  expect(seen).not.toContain(org.apiKey);
});

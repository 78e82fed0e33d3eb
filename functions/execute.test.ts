import { neon, neonConfig } from "@neondatabase/serverless";
import { expect, inject, test } from "vitest";

import { addSimulated, newOrg, type TestOrg } from "../scripts/world.ts";
import { streamed } from "./execute.ts";

const world = inject("world");
neonConfig.fetchEndpoint = world.endpoint;
const sql = neon(world.databaseUrl);

type Added = { id: string; health_status: string; test: { message: string } };
const addFromSimulator = (org: TestOrg, vendorId: string, environment = "sandbox", more = {}) =>
  addSimulated<Added>(org, vendorId, { environment, enabled: true, ...more });

test("an operation runs at the vendor, and its outcome is on the record", async () => {
  const org = await newOrg(world);
  const { id, health_status, test: tested } = await addFromSimulator(org, "twilio", "production");
  expect(health_status, tested.message).toBe("active");
  const sent = await org.call("POST", `/api/integrations/${id}/execute`, {
    operation: "sendSMS",
    params: { to: "+15558675310", body: "Your appointment is confirmed" },
  });
  expect(sent.status, JSON.stringify(sent.body)).toBe(200);
  expect(sent.body.data).toMatchObject({
    vendor_id: "twilio",
    result: { status: expect.stringMatching(/^(queued|accepted)$/) },
  });
  const activity = await org.call("GET", `/api/integrations/${id}/activity?activity_type=executed`);
  expect(activity.body.data).toMatchObject([
    { status: "success", details: { operation: "sendSMS" } },
  ]);
  expect(JSON.stringify(activity.body)).not.toContain("+15558675310");
});

test("wrong params, unknown operations and switched-off integrations are refused before the vendor is asked", async () => {
  const org = await newOrg(world);
  const { id } = await addFromSimulator(org, "twilio", "production");
  const execute = (body: object) => org.call("POST", `/api/integrations/${id}/execute`, body);
  const wrong = await execute({ operation: "sendSMS", params: { to: "12", body: "" } });
  expect(wrong.status).toBe(422);
  expect(wrong.body["errors"]).toContainEqual(expect.objectContaining({ path: "params.to" }));
  expect((await execute({ operation: "nope" })).status).toBe(404);
  await org.call("POST", `/api/integrations/${id}/toggle`, { enabled: false });
  expect((await execute({ operation: "sendSMS" })).body["code"]).toBe("integration_disabled");
});

test("a write that was carried out is not sent again because its record could not be written", async () => {
  const org = await newOrg(world);
  const { id } = await addFromSimulator(org, "twilio", "production");
  const send = () =>
    org.call(
      "POST",
      `/api/integrations/${id}/execute`,
      { operation: "sendSMS", params: { to: "+15558675310", body: "Your result is here" } },
      { "idempotency-key": "unrecorded" },
    );
  await sql`create or replace function refuse_record() returns trigger language plpgsql as
    $$ begin raise exception 'disk full' using errcode = '53100'; end $$`;
  await sql.query(`create trigger refuse_record before insert on integration_activity_log
    for each row when (new.org_id = '${org.orgId}' and new.activity_type = 'executed')
    execute function refuse_record()`);
  expect((await send()).status).toBe(503);
  await sql`drop trigger refuse_record on integration_activity_log`;
  const again = await send();
  expect([again.status, again.body["code"]]).toEqual([409, "request_in_progress"]);
  // Whoever began it must be long gone: nobody knows what came of it.
  await sql`update idempotency_keys set started_at = now() - interval '1 hour'
    where org_id = ${org.orgId}`;
  const later = await send();
  expect([later.status, later.body["code"]]).toEqual([409, "request_in_progress"]);
  expect(later.body["error"]).toMatch(/whether it was carried out/);
});

test("calls that come together fetch one token", async () => {
  const org = await newOrg(world);
  const tokens = async () => {
    const reply = await fetch(`${world.simulatorUrl}/_simulator/requests?vendor=availity`);
    const requests = (await reply.json()) as { path: string }[];
    return requests.filter(({ path }) => path.endsWith("/token")).length;
  };
  const { id } = await addFromSimulator(org, "availity", "sandbox", { enabled: false });
  const before = await tokens();
  await fetch(`${world.simulatorUrl}/_simulator/faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      vendor: "availity",
      kind: "slow",
      delayMs: 300,
      match: "token",
      times: 1,
    }),
  });
  const tests = await Promise.all(
    Array.from({ length: 8 }, () => org.call("POST", `/api/integrations/${id}/test`)),
  );
  expect(tests.map(({ body }) => body.success)).toEqual(Array(8).fill(true));
  expect((await tokens()) - before).toBe(1);
});

test("an Idempotency-Key of one integration answers for no other", async () => {
  const org = await newOrg(world);
  const replies = await Promise.all(
    (["sandbox", "production"] as const).map((environment) =>
      addFromSimulator(org, "twilio", environment),
    ),
  );
  const statuses: number[] = [];
  for (const { id } of replies) {
    const path = `/api/integrations/${id}/execute`;
    const body = { operation: "sendSMS", params: { to: "+15558675310", body: "See you at noon" } };
    statuses.push((await org.call("POST", path, body, { "idempotency-key": "noon" })).status);
  }
  expect(statuses).toEqual([200, 422]);
});

test("a stream comes without the vendor's own headers", async () => {
  const reply = streamed(
    new Response("data: 1\n\n", {
      headers: {
        "content-type": "text/event-stream",
        "set-cookie": "better-auth.session_token=planted; Path=/",
        "clear-site-data": "*",
        "access-control-allow-origin": "*",
      },
    }),
  );
  expect(Object.fromEntries(reply.headers)).toEqual({
    "content-type": "text/event-stream",
    "cache-control": "no-store",
  });
  expect(await reply.text()).toBe("data: 1\n\n");
});

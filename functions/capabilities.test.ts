import { neon } from "@neondatabase/serverless";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { newOrg, startWorld, type TestOrg, type World } from "../scripts/world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld(inject("world").engine);
});
afterAll(() => world.stop());
beforeEach(() => world.simulator.reset());

const place = () => ({
  url: world.url,
  databaseUrl: world.database.url,
  endpoint: world.database.endpoint,
});
async function add(org: TestOrg, vendorId: string, more: object = {}) {
  const reply = await org.call("POST", "/api/integrations", {
    vendor_id: vendorId,
    environment: "production",
    enabled: true,
    credentials: world.simulator.simulation(vendorId).credentials,
    ...more,
  });
  expect(reply.status, JSON.stringify(reply.body)).toBe(201);
  return (reply.body.data as { id: string }).id;
}
const sms = { to: "+15558675310", body: "Your appointment is confirmed" };
const send = (org: TestOrg, more: object = {}, headers: Record<string, string> = {}) =>
  org.call(
    "POST",
    "/api/integrations/execute",
    { capability: "sms.send", params: sms, ...more },
    headers,
  );
const sent = (vendor: string) =>
  world.simulator
    .requests(vendor)
    .filter(({ method, path }) => method === "POST" && /message/i.test(path)).length;

test("a capability runs on what is preferred, mapped and healthy, in that order", async () => {
  const org = await newOrg(place());
  const twilio = await add(org, "twilio");
  const plivo = await add(org, "plivo", {
    usage_mappings: [{ id: "m", workflow: "Reminders", enabled: true }],
  });
  expect((await send(org)).body.data).toMatchObject({ vendor_id: "twilio", tried: [] });
  expect((await send(org, { prefer: "plivo" })).body.data).toMatchObject({ vendor_id: "plivo" });
  expect((await send(org, { prefer: plivo })).body.data).toMatchObject({ integration_id: plivo });
  for (const workflow of ["reminders", " Reminders "]) {
    const mapped = await send(org, { workflow, prefer: "twilio" });
    expect(mapped.body.data, workflow).toMatchObject({ integration_id: plivo });
  }
  const sql = neon(world.database.url);
  await sql`update integrations set health_status = 'error' where id = ${twilio}`;
  expect((await send(org)).body.data).toMatchObject({ integration_id: plivo });
  const off = { id: "m", workflow: "Reminders", enabled: false };
  const twice = [off, { ...off, id: "n", enabled: true }];
  await org.call("PUT", `/api/integrations/${plivo}`, { usage_mappings: twice });
  const again = await send(org, { workflow: "reminders", prefer: "twilio" });
  expect(again.body.data).toMatchObject({ integration_id: plivo });
  const changed = await org.call("PUT", `/api/integrations/${plivo}`, { usage_mappings: [off] });
  expect(changed.status).toBe(200);
  const excluded = await send(org, { workflow: "reminders", prefer: "plivo" });
  expect(excluded.body.data).toMatchObject({ integration_id: twilio, tried: [] });
});

test("an outage before the message is taken goes to the next; the answer says what was tried", async () => {
  const org = await newOrg(place());
  const twilio = await add(org, "twilio");
  const plivo = await add(org, "plivo");
  world.simulator.fault({ vendor: "twilio", kind: "rate_limited", retryAfter: 60 });
  const reply = await send(org);
  expect(reply.status, JSON.stringify(reply.body)).toBe(200);
  expect(reply.body.data).toMatchObject({
    integration_id: plivo,
    tried: [{ integration_id: twilio, vendor_id: "twilio", cause: "rate_limited" }],
  });
});

test("an integration that lacks a setting is passed over, and params that nobody would take are not", async () => {
  const org = await newOrg(place());
  const openai = await add(org, "openai", {
    credentials: { ...world.simulator.simulation("openai").credentials, defaultModel: "" },
  });
  const ask = (params: object) =>
    org.call("POST", "/api/integrations/execute", { capability: "ai.text.generate", params });
  const prompt = "How should a patient prepare for a lipid panel?";
  const alone = await ask({ prompt });
  expect(alone.status).toBe(409);
  expect(alone.body).toMatchObject({
    code: "no_integration",
    detail: expect.stringContaining("openai (not_configured)"),
  });
  const anthropic = await add(org, "anthropic");
  const served = await ask({ prompt });
  expect(served.status, JSON.stringify(served.body)).toBe(200);
  expect(served.body.data).toMatchObject({
    integration_id: anthropic,
    tried: [
      {
        integration_id: openai,
        cause: "not_configured",
        message: expect.stringMatching(/^Choose a model: .*“Default text model”/),
      },
    ],
  });
  const asked = () => world.simulator.requests("anthropic").length;
  const before = asked();
  const wrong = await ask({ prompt, model: "example-embedding" });
  expect(wrong.body).toMatchObject({ code: "vendor_failed", cause: "invalid_request" });
  expect(asked()).toBe(before);
  const direct = await org.call("POST", `/api/integrations/${openai}/execute`, {
    operation: "generateText",
    params: { prompt },
  });
  expect(direct.status).toBe(409);
  expect(direct.body).toMatchObject({ code: "vendor_failed", cause: "not_configured" });
});

test("a write that may have happened is never repeated elsewhere", async () => {
  const org = await newOrg(place());
  await add(org, "twilio");
  await add(org, "plivo");
  for (const kind of ["server_error", "truncated", "garbage", "reset"] as const) {
    world.simulator.reset();
    world.simulator.fault({ vendor: "twilio", kind, match: "Messages" });
    // The third failure turns Twilio red, after which only a wish puts it first.
    const reply = await send(org, { prefer: "twilio" });
    expect(reply.body["code"], kind).toBe("vendor_failed");
    expect([sent("twilio"), sent("plivo")], kind).toEqual([1, 0]);
  }
});

test("a record's id is looked up where the record is, and nowhere else when that is away", async () => {
  const org = await newOrg(place());
  const twilio = await add(org, "twilio");
  const ask = (capability: string, params: object, prefer?: string) =>
    org.call("POST", "/api/integrations/execute", { capability, params, prefer });
  const { result } = (await send(org)).body.data as { result: { id: string } };
  expect((await ask("sms.status", result)).body.data).toMatchObject({ integration_id: twilio });
  await add(org, "plivo");
  await add(org, "athenahealth");
  await add(org, "oracle-health");
  const usage_mappings = [{ id: "m", workflow: "Reminders", enabled: true }];
  await org.call("PUT", `/api/integrations/${twilio}`, { usage_mappings });
  const body = { capability: "sms.status", params: result, workflow: "reminders" };
  const ofWorkflow = await org.call("POST", "/api/integrations/execute", body);
  expect(ofWorkflow.body.data).toMatchObject({ integration_id: twilio });
  const asked = () => world.simulator.requests().length;
  const before = asked();
  for (const capability of ["sms.status", "patient.read"]) {
    const whose = await ask(capability, { id: result.id });
    expect([whose.status, whose.body], capability).toMatchObject([
      422,
      { errors: [{ path: "prefer", message: expect.stringContaining("params.id") }] },
    ]);
  }
  expect(asked()).toBe(before);
  world.simulator.fault({ vendor: "twilio", kind: "maintenance" });
  for (const prefer of [twilio, "twilio"])
    expect((await ask("sms.status", result, prefer)).body, prefer).toMatchObject({
      code: "no_integration",
      tried: [{ integration_id: twilio, cause: "vendor_unavailable" }],
    });
  expect(asked()).toBe(before + 2);
});

test("a failure says whose it is, and what was tried before", async () => {
  const org = await newOrg(place());
  const twilio = await add(org, "twilio");
  const plivo = await add(org, "plivo");
  world.simulator.fault({ vendor: "twilio", kind: "forbidden" });
  world.simulator.fault({ vendor: "plivo", kind: "server_error", match: "Message" });
  const key = { "idempotency-key": crypto.randomUUID() };
  for (const time of ["first", "again"]) {
    const reply = await send(org, {}, key);
    expect([reply.status, reply.body], time).toMatchObject([
      503,
      {
        integration_id: plivo,
        vendor_id: "plivo",
        tried: [{ integration_id: twilio, vendor_id: "twilio", cause: "forbidden" }],
      },
    ]);
  }
  expect(sent("plivo")).toBe(1);
});

test("a recording of twelve megabytes reaches the vendor, and a larger one nobody", async () => {
  const org = await newOrg(place());
  const id = await add(org, "openai", { environment: "sandbox" });
  const transcribe = (bytes: number, path: string, more: object) =>
    org.call("POST", `/api/integrations/${path}`, {
      ...more,
      params: {
        model: "example-transcriber",
        audio: Buffer.alloc(bytes, 7).toString("base64"),
        fileName: "visit.mp3",
      },
    });
  const own = { operation: "transcribeAudio" };
  const any = { capability: "ai.audio.transcribe" };
  const said = { result: { status: "completed", text: expect.stringContaining("12000000") } };
  expect((await transcribe(12_000_000, "execute", any)).body.data).toMatchObject(said);
  expect((await transcribe(14_000_000, `${id}/execute`, own)).status).toBe(413);
  const { orgId } = org;
  const elsewhere = {
    org_id: orgId,
    vendor_id: "openai",
    credentials: { apiKey: "x".repeat(2e6) },
  };
  expect((await org.call("POST", "/api/integrations", elsewhere)).status).toBe(413);
  const stranger = await org.call(
    "POST",
    `/api/integrations/${id}/execute`,
    `{${" ".repeat(2e6)}`,
    { authorization: "Bearer not-a-key-of-anybody", "content-type": "application/json" },
  );
  expect(stranger.status).toBe(401);
});

test("nothing that can serve is a 409 that says so", async () => {
  const org = await newOrg(place());
  await add(org, "twilio", { enabled: false });
  const none = await send(org);
  expect([none.status, sent("twilio")]).toEqual([409, 0]);
  expect(none.body["code"]).toBe("no_integration");
  const wrong = await send(org, { params: { to: "1", body: "x" } });
  expect(wrong.status).toBe(422);
  expect(wrong.body["errors"]).toMatchObject([{ path: "params.to" }]);
  expect((await send(org, { capability: "nope" })).status).toBe(422);
});

test("sandbox and production are never mixed", async () => {
  const org = await newOrg(place());
  await add(org, "twilio", { environment: "sandbox" });
  expect((await send(org)).body.data).toMatchObject({ vendor_id: "twilio" });
  const plivo = await add(org, "plivo");
  expect((await send(org)).body.data).toMatchObject({ integration_id: plivo });
  world.simulator.fault({ vendor: "plivo", kind: "rate_limited", retryAfter: 60 });
  expect((await send(org)).status).toBe(409);
  expect((await send(org, { environment: "sandbox" })).body.data).toMatchObject({
    vendor_id: "twilio",
  });
});

test("an Idempotency-Key makes twenty twins one message", async () => {
  const org = await newOrg(place());
  await add(org, "twilio");
  const key = { "idempotency-key": crypto.randomUUID() };
  world.simulator.fault({ vendor: "twilio", kind: "slow", delayMs: 400, match: "Messages" });
  const twins = await Promise.all(Array.from({ length: 20 }, () => send(org, {}, key)));
  const statuses = twins.map((twin) => twin.status);
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(0);
  expect(new Set(statuses)).toEqual(new Set(statuses.includes(409) ? [200, 409] : [200]));
  expect(sent("twilio")).toBe(1);
  const again = await send(org, {}, key);
  expect(again.headers.get("idempotent-replayed")).toBe("true");
  expect(again.body).toEqual(twins.find((twin) => twin.status === 200)?.body);
  expect(sent("twilio")).toBe(1);
  const other = await send(org, { params: { ...sms, body: "Something else" } }, key);
  expect(other.status).toBe(422);
  expect(other.body["errors"]).toMatchObject([{ path: "idempotency-key" }]);
});

test("a key is free again after a failure in which nothing happened, and kept after one in which it may have", async () => {
  const org = await newOrg(place());
  const id = await add(org, "twilio");
  const execute = (headers: Record<string, string>) =>
    org.call(
      "POST",
      `/api/integrations/${id}/execute`,
      { operation: "sendSMS", params: sms },
      headers,
    );
  const free = { "idempotency-key": crypto.randomUUID() };
  world.simulator.fault({
    vendor: "twilio",
    kind: "rate_limited",
    match: "Messages",
    times: 1,
    retryAfter: 60,
  });
  expect((await execute(free)).status).toBe(429);
  expect((await execute(free)).status).toBe(200);
  const kept = { "idempotency-key": crypto.randomUUID() };
  world.simulator.fault({ vendor: "twilio", kind: "server_error", match: "Messages", times: 1 });
  const failed = await execute(kept);
  expect(failed.status).toBe(503);
  const before = sent("twilio");
  const replayed = await execute(kept);
  expect(replayed.status).toBe(503);
  expect(replayed.headers.get("idempotent-replayed")).toBe("true");
  expect(sent("twilio")).toBe(before);
});

test("another org's key of the same name is its own", async () => {
  const [a, b] = [await newOrg(place()), await newOrg(place())];
  await add(a, "twilio");
  await add(b, "twilio");
  const key = { "idempotency-key": "same" };
  expect((await send(a, {}, key)).status).toBe(200);
  const reply = await send(b, {}, key);
  expect(reply.status).toBe(200);
  expect(reply.headers.get("idempotent-replayed")).toBeNull();
});

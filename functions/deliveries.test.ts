import { createHmac, randomBytes } from "node:crypto";

import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import {
  type Destination,
  type Forwarding,
  pause,
  startForwarding,
} from "../scripts/forwarding-world.ts";
import { eventually } from "../scripts/receiver.ts";
import { call } from "../scripts/world.ts";

let f: Forwarding;
beforeAll(async () => {
  f = await startForwarding(inject("world").engine);
});
afterAll(() => f.close());

describe.concurrent("an event", () => {
  test("goes, signed, to the destinations whose filters it fits, and to no other org", async () => {
    const [org, other] = [await f.newOrg(), await f.newOrg()];
    const [fits, wrongType, wrongVendor, foreign] = await Promise.all(
      Array.from({ length: 4 }, f.receiver),
    );
    if (!fits || !wrongType || !wrongVendor || !foreign) throw new Error("no receivers");
    const { id: integrationId, webhook_url } = await f.addStripe(org);
    await f.addDestination(org, fits, {
      event_types: ["stripe.payment_intent.*"],
      vendor_ids: ["stripe", "twilio"],
      integration_ids: [integrationId],
      headers: { Authorization: "Bearer destination-own-token" },
    });
    await f.addDestination(org, wrongType, { event_types: ["charge.*", "payment_intent"] });
    await f.addDestination(org, wrongVendor, { vendor_ids: ["twilio"] });
    await f.addDestination(other, foreign);
    const payload = await f.post(webhook_url);
    const [row] = await f.inState(org, "delivered");
    const [delivered] = fits.received;
    expect(delivered).toMatchObject({
      verified: true,
      id: row?.event_id,
      headers: {
        authorization: "Bearer destination-own-token",
        "content-type": "application/json",
        "user-agent": "EHRConnect-Webhooks/1",
      },
      body: {
        id: row?.event_id,
        type: "stripe.payment_intent.succeeded",
        timestamp: new Date(1_760_000_000_000).toISOString(),
        org_id: org.orgId,
        integration_id: integrationId,
        vendor_id: "stripe",
        data_encoding: "json",
        data: JSON.parse(payload),
      },
    });
    expect(delivered?.headers).not.toHaveProperty("webhook-replay");
    expect(await f.list(org)).toHaveLength(1);
    await pause(300);
    for (const silent of [wrongType, wrongVendor, foreign]) expect(silent.received).toEqual([]);
    expect(await f.list(other)).toEqual([]);
    const event = await org.call("GET", `/api/events/${row?.event_id}`);
    expect(event.body.data).toMatchObject({
      type: "payment_intent.succeeded",
      status: "processed",
      deliveries: { delivered: 1 },
      payload: { encoding: "json", data: payload },
      destinations: [{ state: "delivered", last_status: 200 }],
    });
  });

  test("arrives byte for byte, 5 MB of JSON as well as what is no text", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const secret = "the secret of the signature";
    const added = await org.call("POST", "/api/integrations", {
      vendor_id: "rest-api",
      environment: "sandbox",
      api_endpoint: "https://api.clinic.example/v1",
      credentials: { authKind: "none", webhookScheme: "hmac", webhookSecret: secret },
    });
    const { webhook_url } = added.body.data as { webhook_url: string };
    await f.addDestination(org, to, { concurrency: 1 });
    const large = { kept: 12, text: `😀\u2028 ${randomBytes(2_600_000).toString("hex")}` };
    const sent: [type: string, body: Buffer][] = [
      ["application/json", Buffer.from(JSON.stringify(large))],
      ["application/json", Buffer.from([0xff, 0xfe, 0x7b, 0x00])],
      ["application/octet-stream", randomBytes(300)],
      ["application/x-www-form-urlencoded", Buffer.from("a=1&a=2&b=%00")],
    ];
    for (const [type, body] of sent) {
      const reply = await call(`${f.world.url}${new URL(webhook_url).pathname}`, "POST", body, {
        "content-type": type,
        "x-signature": createHmac("sha256", secret).update(body).digest("hex"),
      });
      expect(reply.status, JSON.stringify(reply.body)).toBe(200);
    }
    await f.inState(org, "delivered", sent.length);
    expect(to.received.every((one) => one.verified)).toBe(true);
    const [first, ...others] = to.received.map(({ body }) => [body["data_encoding"], body.data]);
    expect(first?.[0]).toBe("json");
    expect(JSON.stringify(first?.[1]) === JSON.stringify(large)).toBe(true);
    expect(others).toEqual([
      ["base64", sent[1]?.[1].toString("base64")],
      ["base64", sent[2]?.[1].toString("base64")],
      ["form", { a: ["1", "2"], b: "\0" }],
    ]);
  });

  test("is tried again by its schedule until the endpoint takes it, always under the same id", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    await f.addDestination(org, to);
    to.answer = () => ({
      status: to.received.length < 3 ? 500 : 204,
      headers: { "content-type": "application/json" },
      ...(to.received.length < 3
        ? { body: '{"error":"sorry","token":"abcdef","note":"Bearer abc.def"}' }
        : {}),
    });
    await f.post(webhook_url);
    const [first] = await f.inState(org, "failed");
    const wait = Date.parse(first?.next_attempt_at ?? "") - (to.received[0]?.at ?? 0);
    expect(wait).toBeGreaterThanOrEqual(4_990);
    expect(wait).toBeLessThan(8_000);
    // The second attempt is the destination's own alarm: nobody ticks here.
    await eventually(() => to.received.length === 2, "the second attempt", 12_000);
    await eventually(async () => (await f.list(org))[0]?.failures === 2, "the second failure");
    await f.skipWait(org);
    const [row] = await f.inState(org, "delivered");
    expect(row).toMatchObject({ attempts: 3, failures: 2, last_status: 204, last_cause: null });
    expect(new Set(to.received.map((one) => one.id)).size).toBe(1);
    expect(to.received.every((one) => one.verified)).toBe(true);
    expect(await f.attempts(org, row?.id ?? "")).toMatchObject([
      { number: 3, status: 204, cause: null, excerpt: null },
      { number: 2, status: 500, cause: "refused" },
      {
        number: 1,
        status: 500,
        cause: "refused",
        excerpt: '{"error":"sorry","token":••••,"note":"Bearer ••••"}',
      },
    ]);
  });

  test("is dead after ten attempts, and a replay sends it again under its own id", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    await f.addDestination(org, to);
    to.answer = () => ({ status: 400 });
    await f.post(webhook_url);
    for (let attempts = 1; attempts < 10; attempts++) {
      await eventually(
        async () => (await f.list(org, "&state=failed"))[0]?.failures === attempts,
        `failure ${attempts}`,
      );
      await f.skipWait(org);
    }
    const [dead] = await f.inState(org, "dead");
    expect(dead).toMatchObject({ attempts: 10, failures: 10, last_status: 400 });
    expect(to.received).toHaveLength(10);
    const logged = await org.call("GET", "/api/activity?activity_type=delivery_dead");
    expect(logged.body["count"]).toBe(1);
    to.answer = () => ({ status: 200 });
    const replay = await org.call("POST", `/api/events/${dead?.event_id}/replay`);
    expect(replay.body.data).toMatchObject({ deliveries: 1 });
    await f.inState(org, "delivered");
    const last = to.received.at(-1);
    expect(last).toMatchObject({ verified: true, headers: { "webhook-replay": "true" } });
    expect(last?.id).toBe(to.received[0]?.id);
  });
});

describe.concurrent("a destination", () => {
  test("that answers 410 is disabled with its reason; what waits is parked and goes out later", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    const { id } = await f.addDestination(org, to, { concurrency: 1 });
    to.answer = () => ({ status: to.received.length === 1 ? 500 : 410 });
    await f.post(webhook_url);
    await f.inState(org, "failed");
    await f.post(webhook_url);
    await f.inState(org, "dead");
    await f.inState(org, "parked");
    expect(await f.readDestination(org, id)).toMatchObject({
      status: "disabled",
      status_reason: "The endpoint answered 410 Gone",
    });
    const logged = await org.call("GET", "/api/activity?activity_type=destination_disabled");
    expect(logged.body["count"]).toBe(1);
    await f.post(webhook_url);
    await pause(1_500);
    expect(to.received).toHaveLength(2);
    to.answer = () => ({ status: 200 });
    await org.call("PUT", `/api/destinations/${id}`, { status: "enabled" });
    await f.inState(org, "delivered");
    expect(await f.readDestination(org, id)).toMatchObject({
      status: "enabled",
      status_reason: null,
    });
  });

  test("that answers 429 is left alone for as long as it asks", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    const { id } = await f.addDestination(org, to);
    to.answer = () => ({ status: 429, headers: { "retry-after": "1000" } });
    await f.post(webhook_url);
    const [row] = await f.inState(org, "failed");
    const asked = (to.received[0]?.at ?? 0) + 1_000_000;
    expect(Date.parse(row?.next_attempt_at ?? "")).toBeGreaterThanOrEqual(asked);
    const { held_until: held } = await f.readDestination(org, id);
    expect(Math.abs(Date.parse(held ?? "") - asked)).toBeLessThan(5_000);
    await f.post(webhook_url);
    await f.inState(org, "pending");
    await f.world.worker.tick();
    await pause(1_500);
    expect(to.received).toHaveLength(1);
    to.answer = () => ({ status: 200 });
    await f.skipWait(org);
    await f.inState(org, "delivered", 2);
  });

  test.each([
    { status: 503, asks: () => new Date(Date.now() + 500_000).toUTCString(), wait: 500, held: 500 },
    { status: 429, asks: () => "99999999999999999999", wait: 86_400, held: 3_600 },
    { status: 429, asks: () => "Fri, 31 Dec 9999 23:59:59 GMT", wait: 86_400, held: 3_600 },
    { status: 429, asks: () => "Thu, 01 Jan 1970 00:00:00 GMT", wait: 5, held: 1 },
    { status: 429, asks: () => "-5", wait: 5, held: 1 },
    { status: 502, asks: () => "100", wait: 100, held: 1 },
    { status: 504, asks: () => "soon", wait: 5, held: 1 },
  ])(
    "that answers $status is slowed down by what it asks, within reason: $wait s",
    async (given) => {
      const org = await f.newOrg();
      const to = await f.receiver();
      const { webhook_url } = await f.addStripe(org);
      const { id } = await f.addDestination(org, to);
      to.answer = () => ({ status: given.status, headers: { "retry-after": given.asks() } });
      await f.post(webhook_url);
      const [row] = await f.inState(org, "failed");
      const { held_until: held } = await f.readDestination(org, id);
      const since = (time?: string | null) =>
        (Date.parse(time ?? "") - (to.received[0]?.at ?? 0)) / 1_000;
      expect(since(row?.next_attempt_at)).toBeGreaterThanOrEqual(given.wait - 1);
      expect(since(row?.next_attempt_at)).toBeLessThan(given.wait * 1.25 + 3);
      // One second is over before it is read: then it says nothing.
      if (given.held > 1) expect(Math.abs(since(held) - given.held)).toBeLessThan(3);
    },
  );

  test("that keeps failing is left alone but for probes; nothing is lost, and order is kept", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    const { id } = await f.addDestination(org, to);
    to.answer = () => ({ status: 503 });
    for (let i = 0; i < 6; i++) await f.post(webhook_url);
    await eventually(async () => (await f.readDestination(org, id)).breaker === "open", "it opens");
    await f.inState(org, "parked", 6);
    const sent = to.received.length;
    await f.post(webhook_url);
    await f.inState(org, "parked", 7);
    await f.world.worker.tick();
    await pause(1_000);
    expect(to.received).toHaveLength(sent);
    // A probe that fails is an attempt that does not count.
    await f.skipWait(org);
    await eventually(() => to.received.length === sent + 1, "a probe");
    await f.inState(org, "parked", 7);
    expect((await f.list(org)).every((row) => row.failures <= 1)).toBe(true);

    to.answer = () => ({ status: 200 });
    const from = to.received.length;
    await f.skipWait(org);
    const rows = await f.inState(org, "delivered", 7);
    const order = to.received.slice(from).map((one) => one.id);
    expect(order).toEqual(rows.map((row) => row.event_id).toReversed());
    await eventually(
      async () => (await f.readDestination(org, id)).breaker === "closed",
      "it closes",
    );
    const logged = (await org.call("GET", "/api/activity")).body.data as {
      activity_type: string;
    }[];
    const types = logged.map((row) => row.activity_type);
    expect(types.filter((type) => type.startsWith("breaker"))).toEqual([
      "breaker_closed",
      "breaker_opened",
    ]);
  });

  test("whose breaker a single bad event cannot open, gets every other event", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    const { id } = await f.addDestination(org, to);
    to.answer = ({ body }) => ({ status: body.type.endsWith("charge.failed") ? 500 : 200 });
    await f.post(webhook_url, "charge.failed");
    for (let failures = 1; failures < 7; failures++) {
      await eventually(
        async () => (await f.list(org, "&state=failed"))[0]?.failures === failures,
        `failure ${failures}`,
      );
      await f.skipWait(org);
    }
    expect((await f.readDestination(org, id)).breaker).toBe("closed");
    await f.post(webhook_url);
    await f.inState(org, "delivered");
  });

  test("that is paused keeps its events, and gets them in order when it goes on", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    const { id } = await f.addDestination(org, to, { status: "paused" });
    for (let i = 0; i < 5; i++) await f.post(webhook_url);
    await f.inState(org, "parked", 5);
    await f.world.worker.tick();
    expect(to.received).toEqual([]);
    await org.call("PUT", `/api/destinations/${id}`, { status: "enabled" });
    const rows = await f.inState(org, "delivered", 5);
    expect(to.received.map((one) => one.id)).toEqual(rows.map((row) => row.event_id).toReversed());
    expect(to.peak).toBe(1);
  });

  test("never has more requests under way than it allows", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    await f.addDestination(org, to, { concurrency: 3 });
    to.answer = () => ({ status: 200, delayMs: 100 });
    await Promise.all(Array.from({ length: 20 }, () => f.post(webhook_url)));
    await f.inState(org, "delivered", 20);
    expect(to.peak).toBe(3);
  });

  test("verifies with the old and the new secret while they overlap, and then only with the new", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    const { id, secret } = await f.addDestination(org, to);
    const rotated = await org.call("POST", `/api/destinations/${id}/rotate-secret`);
    const next = (rotated.body.data as Destination).secret;
    expect(next).not.toBe(secret);
    await f.post(webhook_url);
    await eventually(() => to.received.length === 1, "a delivery");
    expect(to.received[0]?.verified).toBe(true);
    to.secrets = [next];
    await org.call("POST", `/api/destinations/${id}/test`);
    expect(to.received[1]).toMatchObject({ verified: true, body: { type: "test.ping" } });
    expect(to.received[1]?.headers["webhook-signature"]?.split(" ")).toHaveLength(2);
    const hard = await org.call("POST", `/api/destinations/${id}/rotate-secret`, {
      overlap_hours: 0,
    });
    to.secrets = [(hard.body.data as Destination).secret];
    await org.call("POST", `/api/destinations/${id}/test`);
    expect(to.received[2]?.verified).toBe(true);
    // The first rotation promised a day: the first secret still signs, the one in between does not.
    to.secrets = [next];
    await org.call("POST", `/api/destinations/${id}/test`);
    expect(to.received[3]?.verified).toBe(false);
  });

  test("takes the values of its headers to no other host", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const value = "custom-header-value-1234";
    const { id } = await f.addDestination(org, to, { headers: { "X-Key": value } });
    const move = (more: object) =>
      org.call("PUT", `/api/destinations/${id}`, { url: "https://collector.example/", ...more });
    for (const more of [{}, { headers: { "x-key": "••••1234" } }]) {
      const reply = await move(more);
      expect([reply.status, reply.body["errors"]]).toMatchObject([
        422,
        [{ path: "headers.x-key" }],
      ]);
    }
    expect((await move({ headers: {} })).status).toBe(200);
  });

  test("is refused where its address could reach inside, or back to us", async () => {
    const org = await f.newOrg();
    for (const url of [
      "http://receiver.example/hooks",
      "https://localhost/hooks",
      "https://127.0.0.1/hooks",
      "https://[::1]/hooks",
      "https://2130706433/",
      "https://169.254.169.254/latest/meta-data",
      "https://metadata.google.internal/",
      "https://user:pass@receiver.example/",
      "https://receiver.example:8443/",
      "ftp://receiver.example/",
      "not a url",
    ]) {
      const reply = await org.call("POST", "/api/destinations", { name: "Bad", url });
      expect(reply.status, url).toBe(422);
      expect(reply.body["errors"], url).toMatchObject([{ path: "url" }]);
    }
    for (const name of ["webhook-signature", "Host", "content-length", "bad name"]) {
      const reply = await org.call("POST", "/api/destinations", {
        name: "Bad",
        url: "https://receiver.example/",
        headers: { [name]: "x" },
      });
      expect(reply.status, name).toBe(422);
    }
  });

  test("shows its secret once, keeps masked headers, and leaves no secret in any answer or log", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    const value = "custom-header-value-1234";
    const { id, secret } = await f.addDestination(org, to, { headers: { "X-Key": value } });
    const shown = await f.readDestination(org, id);
    expect(shown).toMatchObject({ headers: { "x-key": "••••1234" } });
    await org.call("PUT", `/api/destinations/${id}`, {
      headers: { "x-key": "••••1234", "x-more": "plain" },
    });
    to.answer = ({ headers, text }) => ({
      status: 500,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ secret, seen: headers, text }),
    });
    await f.post(webhook_url);
    const [row] = await f.inState(org, "failed");
    expect(to.received[0]?.headers).toMatchObject({ "x-key": value, "x-more": "plain" });
    const answers = JSON.stringify([
      (await org.call("GET", `/api/deliveries/${row?.id}`)).body,
      (await org.call("GET", "/api/destinations")).body,
      (await org.call("GET", "/api/activity")).body,
      (await org.call("POST", `/api/destinations/${id}/test`)).body,
      f.world.logs,
    ]);
    for (const canary of [secret, secret.slice(6), value]) expect(answers).not.toContain(canary);
    const stored =
      await f.database()`select excerpt, (select sealed from destinations where id = ${id})
      from delivery_attempts where delivery_id = ${row?.id}`;
    expect(JSON.stringify(stored)).not.toContain("seen");
  });

  test("reports what its endpoint said to a test", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const { id } = await f.addDestination(org, to);
    const good = await org.call("POST", `/api/destinations/${id}/test`);
    expect(good.body).toMatchObject({ success: true, data: { status: 200, excerpt: "ok" } });
    to.answer = () => ({ status: 302, headers: { location: "https://elsewhere.example/" } });
    const moved = await org.call("POST", `/api/destinations/${id}/test`);
    expect(moved.body).toMatchObject({
      success: false,
      data: { status: 302, cause: "redirected" },
    });
    await to.close();
    const gone = await org.call("POST", `/api/destinations/${id}/test`);
    expect(gone.status).toBe(200);
    expect(gone.body).toMatchObject({ success: false, data: { status: null } });
  });

  test("that is deleted gets nothing more; its history stays", async () => {
    const org = await f.newOrg();
    const to = await f.receiver();
    const { webhook_url } = await f.addStripe(org);
    const { id } = await f.addDestination(org, to);
    to.answer = () => ({ status: 500 });
    await f.post(webhook_url);
    await f.inState(org, "failed");
    const removed = await org.call("DELETE", `/api/destinations/${id}`);
    expect(removed.body.data).toEqual({ id, canceled: 1 });
    expect((await org.call("GET", `/api/destinations/${id}`)).status).toBe(404);
    await f.post(webhook_url);
    await f.skipWait(org);
    await pause(1_500);
    expect(to.received).toHaveLength(1);
    expect(await f.list(org)).toMatchObject([{ state: "canceled", destination_id: id }]);
    const [row] = await f.database()`select sealed, url from destinations where id = ${id}`;
    expect(row).toEqual({ sealed: null, url: new URL(to.url).origin });
  });

  test("changes only at the version that was read", async () => {
    const org = await f.newOrg();
    const { id } = await f.addDestination(org, await f.receiver());
    const put = (version: string) =>
      org.call("PUT", `/api/destinations/${id}`, { name: "New" }, { "if-match": version });
    expect((await put('"1"')).status).toBe(200);
    expect((await put('"1"')).status).toBe(412);
  });
});

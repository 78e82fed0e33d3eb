import { createHmac } from "node:crypto";

import { describe, expect, test } from "vitest";

import { parseFields } from "./fields.ts";
import { vendor as restApi } from "./rest-api.ts";
import type { Incoming } from "./signature.ts";
import { vendor as slack } from "./slack.ts";
import { vendor as stripe } from "./stripe.ts";
import { vendor as twilio } from "./twilio.ts";

const received = (body: string, headers: Record<string, string> = {}): Incoming => ({
  method: "POST",
  url: "https://hooks.example.com/webhooks/x/1",
  headers: new Headers(headers),
  body: new TextEncoder().encode(body),
});
const form = (fields: Record<string, string>) => received(String(new URLSearchParams(fields)));

describe("twilio", () => {
  const events = (fields: Record<string, string>) => twilio.webhooks?.events(form(fields));

  test("tells each state of a text apart, and knows a repeat", () => {
    const sent = { MessageSid: "SM1", MessageStatus: "sent" };
    expect(events(sent)).toEqual([{ id: "SM1.sent", type: "message.sent" }]);
    expect(events({ ...sent, MessageStatus: "delivered" })?.[0]?.id).toBe("SM1.delivered");
    expect(events({ MessageSid: "SM2", SmsStatus: "received", Body: "YES" })).toEqual([
      { id: "SM2.received", type: "message.received" },
    ]);
  });

  test("gives a call flow no id, since it asks many times in one state", () => {
    const asked = { CallSid: "CA1", CallStatus: "in-progress", Digits: "1" };
    expect(events(asked)).toEqual([{ type: "call.in-progress" }]);
    const at = "Mon, 23 Nov 2026 12:00:00 +0000";
    expect(
      events({ CallSid: "CA1", CallStatus: "completed", SequenceNumber: "3", Timestamp: at }),
    ).toEqual([
      { id: "CA1.completed.3", type: "call.completed", occurredAt: "2026-11-23T12:00:00.000Z" },
    ]);
  });

  test("answers with TwiML, which is all that an inbound text accepts", async () => {
    const answer = twilio.webhooks?.reply?.();
    expect(answer?.headers.get("content-type")).toBe("text/xml");
    expect(await answer?.text()).toMatch(/<Response\/>$/);
  });
});

describe("stripe", () => {
  test("reads the time of both event formats", () => {
    const body = (created: unknown) =>
      received(JSON.stringify({ id: "evt_1", type: "invoice.paid", created }));
    const event = { id: "evt_1", type: "invoice.paid", occurredAt: "2026-11-23T12:00:00.000Z" };
    expect(stripe.webhooks?.events(body(1_795_435_200))).toEqual([event]);
    expect(stripe.webhooks?.events(body("2026-11-23T12:00:00.000Z"))).toEqual([event]);
  });
});

describe("slack", () => {
  test("answers the challenge, and only that", async () => {
    const values = {
      botToken: "xoxb-1",
      clientId: undefined,
      clientSecret: undefined,
      connect: undefined,
      defaultChannel: undefined,
      signingSecret: "s",
      webhookToken: "t",
    };
    const challenge = received('{"type":"url_verification","challenge":"abc"}');
    const answer = await slack.webhooks?.handshake?.(challenge, values);
    expect(await answer?.json()).toEqual({ challenge: "abc" });
    expect(await slack.webhooks?.handshake?.(received('{"type":"x"}'), values)).toBeUndefined();
  });

  test("reads events, buttons and slash commands", () => {
    const event = { type: "app_mention", text: "hi" };
    const body = { type: "event_callback", event_id: "Ev1", event_time: 1_795_435_200, event };
    expect(slack.webhooks?.events(received(JSON.stringify(body)))).toEqual([
      { id: "Ev1", type: "app_mention", occurredAt: "2026-11-23T12:00:00.000Z" },
    ]);
    const button = form({ payload: '{"type":"block_actions","actions":[]}' });
    expect(slack.webhooks?.events(button)).toEqual([{ type: "block_actions" }]);
    const command = form({ command: "/room", trigger_id: "13.37" });
    expect(slack.webhooks?.events(command)).toEqual([{ id: "13.37", type: "command" }]);
    expect(slack.webhooks?.events(form({ payload: "{" }))).toEqual([{ type: "other" }]);
  });
});

describe("rest-api", () => {
  const secret = "0123456789abcdef";
  const { values } = parseFields(restApi.steps, {
    authKind: "none",
    webhookScheme: "hmac",
    webhookSecret: secret,
    webhookHeader: "X-Hub-Signature-256",
    webhookPrefix: "sha256=",
  });
  const verify = async (incoming: Incoming) =>
    (await restApi.webhooks?.verify.verify(incoming, values as never, 1))?.ok;

  test("checks a signature in the header and with the prefix that the tenant names", async () => {
    const body = '{"type":"item.changed"}';
    const signature = createHmac("sha256", secret).update(body).digest("hex");
    expect(await verify(received(body, { "x-hub-signature-256": `sha256=${signature}` }))).toBe(
      true,
    );
    expect(await verify(received(body, { "x-hub-signature-256": signature }))).toBe(false);
    expect(
      await verify(received(`${body} `, { "x-hub-signature-256": `sha256=${signature}` })),
    ).toBe(false);
    expect(await verify(received(body))).toBe(false);
  });

  test("does not take the id of a record for the id of an event", () => {
    const changed = received('{"id":"42","type":"item.changed"}');
    expect(restApi.webhooks?.events(changed)).toEqual([{ type: "item.changed" }]);
    const named = received('{"event_id":7,"event":"item.changed"}');
    expect(restApi.webhooks?.events(named)).toEqual([{ id: "7", type: "item.changed" }]);
  });

  test("takes the id in a header only where that is signed", () => {
    const repeated = received('{"type":"item.changed"}', {
      "webhook-id": "another",
      "webhook-signature": "v1,unsigned",
    });
    const read = (webhookScheme: string) =>
      restApi.webhooks?.events(repeated, { ...values, webhookScheme } as never);
    expect(read("hmac")).toEqual([{ type: "item.changed" }]);
    expect(read("standard")).toEqual([{ id: "another", type: "item.changed" }]);
  });
});

import * as fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";

import { envelope, payloadForm } from "./envelope.ts";
import { newSecret, signature, signingSecrets } from "./send.ts";

const base64 = (text: string | Uint8Array) => Buffer.from(text).toString("base64");
const event = {
  event_id: "2d4ee62c-04f8-4d22-8f2f-2a4d9a2f6f4b",
  type: "message.sent",
  vendor_id: "twilio",
  integration_id: "8d5cb5f2-5a0c-4a35-9d0c-1f3f2c2a4b11",
  content_type: "application/json",
  happened_at: "2026-11-23T12:00:00.000Z",
};

test("a JSON body stays exactly as it came, digits and all", () => {
  const text = '{"id": 12345678901234567890, "a":1.10}';
  const body = envelope("org", event, { body: base64(text) });
  expect(body.endsWith(`,"data":${text}}`)).toBe(true);
  expect(JSON.parse(body)).toMatchObject({
    id: event.event_id,
    type: "twilio.message.sent",
    timestamp: event.happened_at,
    org_id: "org",
    integration_id: event.integration_id,
    vendor_id: "twilio",
    data_encoding: "json",
    data: { a: 1.1 },
  });
});

test("any bytes make an envelope that is JSON, and none is lost", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.json().map((text) => new Uint8Array(Buffer.from(text))),
        fc.string().map((text) => new Uint8Array(Buffer.from(text))),
      ),
      (bytes) => {
        const stored = base64(bytes);
        const { data, data_encoding: encoding } = JSON.parse(
          envelope("org", event, { body: stored }),
        ) as { data: unknown; data_encoding: string };
        if (encoding === "base64") expect(data).toBe(stored);
        else if (encoding === "json")
          expect(data).toEqual(JSON.parse(Buffer.from(bytes).toString()));
        else expect(bytes.length).toBe(0);
      },
    ),
  );
});

test("a form becomes its fields, and so does the query of a webhook without a body", () => {
  const form = "application/x-www-form-urlencoded; charset=UTF-8";
  const fields = { Body: "Hi there", To: "+1555", Media: ["a", "b"] };
  const text = "Body=Hi+there&To=%2B1555&Media=a&Media=b";
  const read = (payload: { body: string; query?: string }) => {
    const { encoding, data } = payloadForm(payload, form);
    return { encoding, data: JSON.parse(data) as unknown };
  };
  expect(read({ body: base64(text) })).toEqual({ encoding: "form", data: fields });
  expect(read({ body: "", query: `?${text}` })).toEqual({ encoding: "form", data: fields });
  expect(read({ body: "" })).toEqual({ encoding: "none", data: null });
});

test("what is signed verifies with each secret that is in force, and with no other", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.nat({ max: 3 }), (body, old) => {
      const now = Date.now();
      const until = new Date(now + 60_000).toISOString();
      const previous = Array.from({ length: old }, () => ({ secret: newSecret(), until }));
      const ended = { secret: newSecret(), until: new Date(now).toISOString() };
      const sealed = { secret: newSecret(), previous: [...previous, ended], headers: {} };
      const secrets = signingSecrets(sealed, now);
      const headers = signature({ id: "evt", body }, secrets, now);
      for (const { secret } of [{ secret: sealed.secret }, ...previous])
        expect(() => new Webhook(secret).verify(body, headers, { jsonParse: false })).not.toThrow();
      for (const secret of [ended.secret, newSecret()])
        expect(() => new Webhook(secret).verify(body, headers, { jsonParse: false })).toThrow();
    }),
    { numRuns: 30 },
  );
});

import { Hono } from "hono";
import twilio from "twilio";

import {
  basicCredentials,
  defineSimulation,
  idSequence,
  isSame,
  retryAfter,
  type WebhookOptions,
} from "./define.ts";
import { failureResponse, newPager, rfc2822, type TwilioApp } from "./twilio/account.ts";
import { addMessaging } from "./twilio/messaging.ts";
import { addVerify } from "./twilio/verify.ts";

const sid = "AC0123456789abcdef0123456789abcdef";
const number = "+14155550100";
const credentials = {
  accountSid: sid,
  authToken: "12345678901234567890123456789012",
  fromNumber: number,
  messagingServiceSid: "MG0123456789abcdef0123456789abcdef",
  verifyServiceSid: "VA0123456789abcdef0123456789abcdef",
};
/** A Standard API key: all but the account itself, keys and subaccounts. */
export const twilioApiKey = {
  apiKeySid: "SK0123456789abcdef0123456789abcdef",
  apiKeySecret: "abcdefghijklmnopqrstuvwxyz012345",
};

export const simulation = defineSimulation(() => {
  const ids = idSequence("twilio");
  const app: TwilioApp = new Hono();
  const root = `/2010-04-01/Accounts/${sid}`;

  app.use("*", async (c, next) => {
    await next();
    c.res.headers.set("twilio-request-id", ids.hex("RQ", 32));
  });
  app.use("*", async (c, next) => {
    const given = basicCredentials(c.req.raw);
    const challenge = { "www-authenticate": 'Basic realm="Twilio API"' };
    if (!given)
      return failureResponse(
        401,
        20003,
        "Authentication Error - No credentials provided",
        challenge,
      );
    const byKey = isSame(twilioApiKey.apiKeySid, given.user);
    if (!byKey && !isSame(sid, given.user))
      return failureResponse(401, 20003, "Authentication Error - invalid username", challenge);
    if (!isSame(byKey ? twilioApiKey.apiKeySecret : credentials.authToken, given.password))
      return failureResponse(401, 20003, "Authenticate", challenge);
    if (byKey && c.req.path === `${root}.json`)
      return failureResponse(401, 20003, "Authenticate", challenge);
    return next();
  });
  app.use("*", async (c, next) => {
    const text = await c.req.text();
    const type = c.req.header("content-type") ?? "";
    if (text && !type.startsWith("application/x-www-form-urlencoded"))
      return failureResponse(415, 20415, `Content type ${type} is not supported`);
    c.set("form", new URLSearchParams(text));
    return next();
  });
  app.notFound((c) =>
    failureResponse(404, 20404, `The requested resource ${c.req.path} was not found`),
  );

  app.get(`${root}.json`, (c) =>
    c.json({
      auth_token: null,
      date_created: "Mon, 05 Jan 2026 09:00:00 +0000",
      date_updated: "Mon, 05 Jan 2026 09:00:00 +0000",
      friendly_name: "Simulated Clinic",
      owner_account_sid: sid,
      sid,
      status: "active",
      subresource_uris: { messages: `${root}/Messages.json` },
      type: "Full",
      uri: `${root}.json`,
    }),
  );
  app.get(`${root}/Balance.json`, (c) =>
    c.json({ account_sid: sid, balance: "25.00", currency: "USD" }),
  );
  app.get(`${root}/IncomingPhoneNumbers.json`, (c) => {
    const page = newPager(c.req.url);
    const numbers = [
      {
        account_sid: sid,
        capabilities: { fax: false, mms: true, sms: true, voice: true },
        date_created: rfc2822(),
        friendly_name: "Front desk",
        phone_number: number,
        sid: "PN00000000000000000000000000000001",
        status: "in-use",
      },
    ].filter((n) => n.phone_number === (page.query.get("PhoneNumber") ?? n.phone_number));
    return c.json(page.of("incoming_phone_numbers", numbers));
  });

  const account = {
    sid,
    ids,
    number,
    service: credentials.messagingServiceSid,
    verifyService: credentials.verifyServiceSid,
  };
  const messaging = addMessaging(app, account);
  const verify = addVerify(app, account);

  function parameters(type: string): Record<string, string> {
    const [subject = "message", event = "delivered"] = type.split(".");
    const shared = { AccountSid: sid, ApiVersion: "2010-04-01" };
    if (subject === "call")
      return {
        ...shared,
        CallSid: ids.hex("CA", 32),
        CallStatus: event,
        Direction: "outbound-api",
        From: number,
        SequenceNumber: "3",
        Timestamp: rfc2822(),
        To: "+14155550101",
        ...(event === "completed" ? { CallDuration: "12" } : {}),
      };
    if (subject === "recording")
      return {
        ...shared,
        CallSid: ids.hex("CA", 32),
        RecordingSid: ids.hex("RE", 32),
        RecordingStatus: event,
        RecordingDuration: "12",
      };
    const MessageSid = ids.hex("SM", 32);
    const message = { ...shared, MessageSid, SmsSid: MessageSid };
    return event === "received"
      ? {
          ...message,
          Body: "Yes, I will come.",
          From: "+14155550101",
          NumMedia: "0",
          NumSegments: "1",
          SmsStatus: "received",
          To: number,
        }
      : { ...message, From: number, MessageStatus: event, SmsStatus: event, To: "+14155550101" };
  }
  async function webhook({
    url,
    credentials: given,
    type = "message.delivered",
    body,
  }: WebhookOptions) {
    const params = { ...parameters(type), ...(body as Record<string, string> | undefined) };
    return new Request(url, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "i-twilio-idempotency-token": ids.uuid(),
        "user-agent": "TwilioProxy/1.1",
        "x-twilio-signature": twilio.getExpectedTwilioSignature(
          String(given["authToken"]),
          url,
          params,
        ),
      },
      body: new URLSearchParams(params).toString(),
    });
  }

  return {
    hosts: ["api.twilio.com", "lookups.twilio.com", "verify.twilio.com"],
    app,
    credentials,
    webhook,
    faults: {
      rate_limited: (fault) => failureResponse(429, 20429, "Too Many Requests", retryAfter(fault)),
      server_error: () => failureResponse(500, 20500, "An internal server error has occurred"),
      expired_credentials: () => failureResponse(401, 20003, "Authenticate"),
      forbidden: () => failureResponse(403, 20403, "Forbidden"),
    },
    reset() {
      messaging.reset();
      verify.reset();
      ids.reset();
    },
  };
});

import {
  isE164,
  newPager,
  refuse,
  rfc2822,
  type TwilioAccount,
  type TwilioApp,
} from "./account.ts";

/** Twilio's documented magic numbers, and what sending to or from them answers. */
const toFailures: Record<string, [code: number, message: (to: string) => string]> = {
  "+15005550001": [21211, (to) => `The 'To' number ${to} is not a valid phone number.`],
  "+15005550002": [21612, (to) => `The 'To' phone number: ${to}, is not currently reachable`],
  "+15005550003": [
    21408,
    (to) =>
      `Permission to send an SMS has not been enabled for the region indicated by the 'To' number: ${to}`,
  ],
  "+15005550004": [21610, () => "Attempt to send to unsubscribed recipient"],
  "+15005550009": [21614, (to) => `To number: ${to}, is not a mobile number`],
};
const fromFailures: Record<string, [code: number, message: (from: string) => string]> = {
  "+15005550001": [
    21212,
    (from) =>
      `The 'From' number ${from} is not a valid phone number, shortcode, or alphanumeric sender ID.`,
  ],
  "+15005550008": [
    21611,
    () => "This 'From' number has exceeded the maximum number of queued messages",
  ],
};

const gsm7 = /^[\n\r !"#$%&'()*+,\-./0-9:;<=>?@A-Z_a-z¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ]*$/;
function segments(body: string) {
  const [one, many] = gsm7.test(body) ? [160, 153] : [70, 67];
  return body.length <= one ? 1 : Math.ceil(body.length / many);
}

export const seeded = {
  message: "SM0123456789abcdef0123456789abcdef",
  reply: "SM00000000000000000000000000000002",
  call: "CA0123456789abcdef0123456789abcdef",
};

type Message = Record<string, unknown> & {
  sid: string;
  status: string;
  to: string;
  from: string | null;
};
type Call = Record<string, unknown> & { sid: string; status: string };

export function addMessaging(app: TwilioApp, { sid, ids, number, service }: TwilioAccount) {
  const root = `/2010-04-01/Accounts/${sid}`;
  const messages = new Map<string, Message>();
  const calls = new Map<string, Call>();
  const own = (from: string) => from === number || from === "+15005550006";

  function newMessage(fields: Partial<Message> & Pick<Message, "sid" | "to" | "from">): Message {
    const now = rfc2822();
    const message: Message = {
      account_sid: sid,
      api_version: "2010-04-01",
      body: "",
      date_created: now,
      date_sent: null,
      date_updated: now,
      direction: "outbound-api",
      error_code: null,
      error_message: null,
      messaging_service_sid: null,
      num_media: "0",
      num_segments: "1",
      price: null,
      price_unit: "USD",
      status: "queued",
      subresource_uris: { media: `${root}/Messages/${fields.sid}/Media.json` },
      uri: `${root}/Messages/${fields.sid}.json`,
      ...fields,
    };
    messages.set(message.sid, message);
    return message;
  }
  function newCall(fields: { sid: string; from: string; to: string }): Call {
    const call: Call = {
      account_sid: sid,
      answered_by: null,
      api_version: "2010-04-01",
      date_created: null,
      date_updated: null,
      direction: "outbound-api",
      duration: null,
      end_time: null,
      parent_call_sid: null,
      price: null,
      price_unit: "USD",
      start_time: null,
      status: "queued",
      uri: `${root}/Calls/${fields.sid}.json`,
      ...fields,
    };
    calls.set(call.sid, call);
    return call;
  }
  /** An earlier reminder, its answer, and a call, so that a fresh account has something to read. */
  function seed() {
    messages.clear();
    calls.clear();
    const patient = "+15558675310";
    const reminder = "Your appointment is confirmed!";
    newMessage({
      sid: seeded.reply,
      from: patient,
      to: number,
      body: "YES",
      direction: "inbound",
      status: "received",
    });
    newMessage({ sid: seeded.message, from: number, to: patient, body: reminder });
    newCall({ sid: seeded.call, from: number, to: patient });
  }
  seed();

  app.post(`${root}/Messages.json`, (c) => {
    const form = c.get("form");
    const [to, from, body] = [form.get("To"), form.get("From"), form.get("Body") ?? ""];
    const through = form.get("MessagingServiceSid");
    if (!to) return refuse(400, 21604, "A 'To' phone number is required.");
    if (!from && !through) return refuse(400, 21603, "A 'From' phone number is required.");
    if (!body && !form.get("MediaUrl") && !form.get("ContentSid"))
      return refuse(400, 21602, "Message body is required.");
    if (body.length > 1600)
      return refuse(400, 21617, "The concatenated message body exceeds the 1600 character limit");
    if (!isE164(to))
      return refuse(400, 21211, `The 'To' number ${to} is not a valid phone number.`);
    const [toCode, toMessage] = toFailures[to] ?? [];
    if (toCode !== undefined && toMessage) return refuse(400, toCode, toMessage(to));
    if (through && through !== service)
      return refuse(404, 20404, `The requested resource /Services/${through} was not found`);
    if (from) {
      const [code, message] = fromFailures[from] ?? [];
      if (code !== undefined && message) return refuse(400, code, message(from));
      if (
        !isE164(from) &&
        !/^\d{5,6}$/.test(from) &&
        !/^(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}$/.test(from)
      )
        return refuse(
          400,
          21212,
          `The 'From' number ${from} is not a valid phone number, shortcode, or alphanumeric sender ID.`,
        );
      if (!own(from))
        return refuse(
          400,
          21606,
          `The From phone number ${from} is not a valid, SMS-capable inbound phone number or short code for your account.`,
        );
      if (from === to) return refuse(400, 21266, "'To' and 'From' number cannot be the same");
    }
    const scheduled = form.get("ScheduleType") === "fixed";
    if (scheduled && !through)
      return refuse(400, 35118, "MessagingServiceSid is required to schedule a message");
    const sendAt = Date.parse(form.get("SendAt") ?? "") - Date.now();
    if (scheduled && !(sendAt >= 300_000 && sendAt <= 35 * 86_400_000))
      return refuse(
        400,
        35114,
        "SendAt time must be between 300 seconds and 35 days in the future",
      );
    const message = newMessage({
      body,
      from: from ?? null,
      messaging_service_sid: through,
      num_media: String(form.getAll("MediaUrl").length),
      num_segments: through ? "0" : String(segments(body)),
      sid: ids.hex("SM", 32),
      status: scheduled ? "scheduled" : through ? "accepted" : "queued",
      to,
    });
    return c.json(message, 201);
  });

  const message = (path: string, file: string) =>
    messages.get(file.replace(/\.json$/, "")) ??
    refuse(404, 20404, `The requested resource ${path} was not found`);
  app.get(`${root}/Messages.json`, (c) => {
    const page = newPager(c.req.url);
    const [to, from] = [page.query.get("To"), page.query.get("From")];
    const since = Date.parse(page.query.get("DateSent>") ?? "1970-01-01");
    const found = [...messages.values()].filter(
      (m) =>
        (to === null || m.to === to) &&
        (from === null || m.from === from) &&
        Date.parse(String(m["date_created"])) >= since,
    );
    return c.json(page.of("messages", found.toReversed()));
  });
  /** Delivered by the time that anybody asks. */
  app.get(`${root}/Messages/:file`, (c) => {
    const found = message(c.req.path, c.req.param("file"));
    if (found.status === "queued" || found.status === "accepted")
      Object.assign(found, {
        status: "delivered",
        date_sent: rfc2822(),
        from: found.from ?? number,
        num_segments: String(segments(String(found["body"]))),
        price: "-0.00830",
      });
    return c.json(found);
  });
  app.post(`${root}/Messages/:file`, (c) => {
    const found = message(c.req.path, c.req.param("file"));
    const form = c.get("form");
    if (form.get("Status") === "canceled") {
      if (found.status !== "scheduled")
        return refuse(400, 30409, "Message is not in a cancelable state");
      found.status = "canceled";
    }
    if (form.get("Body") === "") found["body"] = "";
    return c.json(found);
  });

  app.delete(`${root}/Messages/:file`, (c) => {
    messages.delete(message(c.req.path, c.req.param("file")).sid);
    return c.body(null, 204);
  });

  app.post(`${root}/Calls.json`, (c) => {
    const form = c.get("form");
    const [to, from] = [form.get("To"), form.get("From")];
    if (!to) return refuse(400, 21201, "No 'To' number is specified");
    if (!from) return refuse(400, 21213, "No 'From' number is specified");
    if (!form.get("Url") && !form.get("Twiml") && !form.get("ApplicationSid"))
      return refuse(400, 21205, "Url parameter is required.");
    const url = form.get("Url");
    if (url && !URL.canParse(url)) return refuse(400, 21205, `Url is not a valid URL: ${url}`);
    if (!isE164(to) || to === "+15005550001")
      return refuse(
        400,
        21211,
        `The phone number you are attempting to call, ${to}, is not valid.`,
      );
    if (!isE164(from))
      return refuse(400, 21212, `The source phone number provided, ${from}, is not valid`);
    if (!own(from))
      return refuse(
        400,
        21210,
        `The source phone number provided, ${from}, is not yet verified for your account. You may only make calls from phone numbers that you've verified or purchased from Twilio.`,
      );
    return c.json(newCall({ sid: ids.hex("CA", 32), from, to }), 201);
  });
  const call = (path: string, file: string) =>
    calls.get(file.replace(/\.json$/, "")) ??
    refuse(404, 20404, `The requested resource ${path} was not found`);
  app.get(`${root}/Calls.json`, (c) =>
    c.json(newPager(c.req.url).of("calls", [...calls.values()].toReversed())),
  );
  app.get(`${root}/Calls/:file`, (c) => {
    const found = call(c.req.path, c.req.param("file"));
    if (found.status === "queued") {
      const now = rfc2822();
      Object.assign(found, {
        status: "completed",
        duration: "12",
        date_created: now,
        date_updated: now,
        start_time: now,
        end_time: now,
      });
    }
    return c.json(found);
  });
  app.post(`${root}/Calls/:file`, (c) => {
    const found = call(c.req.path, c.req.param("file"));
    const status = c.get("form").get("Status");
    if (status !== null && status !== "completed" && status !== "canceled")
      return refuse(400, 21218, `Invalid Status: ${status}`);
    if (status !== null && found.status === "completed")
      return refuse(400, 21220, "Call is not in-progress. Cannot redirect.");
    if (status !== null) found.status = status;
    return c.json(found);
  });

  return { reset: seed };
}

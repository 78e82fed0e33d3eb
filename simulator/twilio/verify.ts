import { isE164, refuse, type TwilioAccount, type TwilioApp } from "./account.ts";

/** The code that every verification sends: a simulated patient knows it. */
export const verificationCode = "123456";
const attempts = 5;

type Verification = { sid: string; to: string; status: string; sends: number; checks: number };

const lookupFields = new Set([
  "validation",
  "caller_name",
  "sim_swap",
  "call_forwarding",
  "line_status",
  "line_type_intelligence",
  "identity_match",
  "reassigned_number",
  "sms_pumping_risk",
  "phone_number_quality_score",
  "pre_fill",
]);

export function addVerify(app: TwilioApp, { sid, ids, verifyService }: TwilioAccount) {
  const verifications = new Map<string, Verification>();

  /** A code is on its way to the patient of the seeded texts. */
  function seed() {
    verifications.clear();
    const sid = "VE00000000000000000000000000000001";
    verifications.set(sid, { sid, to: "+15558675310", status: "pending", sends: 1, checks: 0 });
  }
  seed();

  app.get("/v2/PhoneNumbers/:number", (c) => {
    const given = c.req.param("number");
    const country = c.req.query("CountryCode");
    const number = /^\d{10}$/.test(given) && (country ?? "US") === "US" ? `+1${given}` : given;
    const fields = (c.req.query("Fields") ?? "").split(",").filter(Boolean);
    const unknown = fields.find((field) => !lookupFields.has(field));
    if (unknown !== undefined) return refuse(400, 60600, `Invalid Fields parameter: ${unknown}`);
    const valid = isE164(number);
    const [, area, exchange, line] = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number) ?? [];
    return c.json({
      calling_country_code: valid ? (area ? "1" : number.slice(1, 3)) : null,
      country_code: area ? "US" : null,
      phone_number: number,
      national_format: area ? `(${area}) ${exchange}-${line}` : number,
      valid,
      validation_errors: valid ? [] : [number.length < 9 ? "TOO_SHORT" : "NOT_A_NUMBER"],
      ...Object.fromEntries(
        [...lookupFields].filter((f) => f !== "validation").map((f) => [f, null]),
      ),
      ...(valid && fields.includes("line_type_intelligence")
        ? {
            line_type_intelligence: {
              carrier_name: "Simulated Wireless",
              error_code: null,
              mobile_country_code: "310",
              mobile_network_code: "000",
              type: "mobile",
            },
          }
        : {}),
      ...(valid && fields.includes("caller_name")
        ? {
            caller_name: {
              caller_name: "SIMULATED PATIENT",
              caller_type: "CONSUMER",
              error_code: null,
            },
          }
        : {}),
      url: `https://lookups.twilio.com/v2/PhoneNumbers/${encodeURIComponent(number)}`,
    });
  });

  function view(verification: Verification, channel: string) {
    const now = new Date().toISOString();
    return {
      account_sid: sid,
      amount: null,
      channel,
      date_created: now,
      date_updated: now,
      payee: null,
      service_sid: verifyService,
      sid: verification.sid,
      status: verification.status,
      to: verification.to,
      valid: verification.status === "approved",
    };
  }
  const inService = (path: string, service: string) => {
    if (service !== verifyService)
      refuse(404, 20404, `The requested resource ${path} was not found`);
  };

  app.get("/v2/Services/:service", (c) => {
    inService(c.req.path, c.req.param("service"));
    return c.json({
      sid: verifyService,
      account_sid: sid,
      friendly_name: "Simulated Clinic",
      code_length: 6,
    });
  });
  app.post("/v2/Services/:service/Verifications", (c) => {
    inService(c.req.path, c.req.param("service"));
    const form = c.get("form");
    const [to, channel] = [form.get("To"), form.get("Channel")];
    if (!to) return refuse(400, 60200, "Missing required parameter To in the post body");
    if (!channel) return refuse(400, 60200, "Missing required parameter Channel in the post body");
    if (!["sms", "call", "email", "whatsapp", "auto"].includes(channel))
      return refuse(400, 60200, `Invalid parameter: Channel: ${channel}`);
    if (channel === "email" ? !/^\S+@\S+$/.test(to) : !isE164(to))
      return refuse(400, 60200, `Invalid parameter \`To\`: ${to}`);
    const pending = [...verifications.values()].find((v) => v.to === to && v.status === "pending");
    const verification = pending ?? {
      sid: ids.hex("VE", 32),
      to,
      status: "pending",
      sends: 0,
      checks: 0,
    };
    if (verification.sends >= attempts)
      return refuse(429, 60203, "Max send attempts reached", { "retry-after": "600" });
    verification.sends += 1;
    verifications.set(verification.sid, verification);
    return c.json(
      {
        ...view(verification, channel),
        lookup: { carrier: null },
        send_code_attempts: Array.from({ length: verification.sends }, (_, i) => ({
          attempt_sid: `VL${verification.sid.slice(2, 32)}0${i}`,
          channel,
          time: new Date().toISOString(),
        })),
        sna: null,
        url: `https://verify.twilio.com/v2/Services/${verifyService}/Verifications/${verification.sid}`,
      },
      201,
    );
  });
  app.post("/v2/Services/:service/VerificationCheck", (c) => {
    inService(c.req.path, c.req.param("service"));
    const form = c.get("form");
    const [to, id, code] = [form.get("To"), form.get("VerificationSid"), form.get("Code")];
    if (!to && !id) return refuse(400, 60200, "Missing required parameter To in the post body");
    if (!code) return refuse(400, 60200, "Missing required parameter Code in the post body");
    const found = [...verifications.values()].find(
      (v) => v.status === "pending" && (id ? v.sid === id : v.to === to),
    );
    if (!found) return refuse(404, 20404, `The requested resource ${c.req.path} was not found`);
    if (found.checks >= attempts) return refuse(429, 60202, "Max check attempts reached");
    found.checks += 1;
    if (code === verificationCode) found.status = "approved";
    return c.json({ ...view(found, "sms"), sna_attempts_error_codes: [] }, 200);
  });

  return { reset: seed };
}

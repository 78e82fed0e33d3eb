import * as z from "zod";

import { Phone } from "./capabilities.ts";
import { operation } from "./define.ts";
import { notConfigured } from "./failure.ts";

type Caller = { fromNumber?: string | undefined };

/** Vonage writes numbers without +. */
export const digits = (phone: string) => phone.replace(/^\+/, "");
export const plus = (phone: string) => (/^[1-9]\d{6,14}$/.test(phone) ? `+${phone}` : phone);

const CallId = z.uuid();
const Https = z.url({ protocol: /^https$/ });

/** A talk action takes 1500 characters: longer texts are cut between words where there are any. */
function talk(text: string, language: string | undefined) {
  const parts = text.match(/[^]{1,1499}(?:\s|$)|[^]{1,1500}/gu) ?? [];
  return parts.map((part) => ({ action: "talk", text: part, ...(language && { language }) }));
}

const Begun = z.object({ uuid: z.string(), status: z.string().default("unknown") });
const Call = z.object({
  status: z.string().default("unknown"),
  duration: z.union([z.string(), z.number()]).nullish(),
  start_time: z.string().nullish(),
  end_time: z.string().nullish(),
});

const callId = "63f61863-4a51-4f6b-86e1-46edebcf9356";

/** developer.vonage.com/en/api/voice */
export const vonageCalls = {
  makeCall: operation({
    title: "Call a number",
    description:
      "Says `say` when the call is answered, or does what the call control object (NCCO) at `url` says.",
    effect: "write",
    capability: "voice.call",
    params: z
      .object({
        to: Phone,
        from: Phone.optional(),
        say: z.string().min(1).max(3000).optional(),
        /** BCP 47: `es-MX`. */
        language: z.string().max(20).optional(),
        url: Https.optional(),
        /** Vonage posts what becomes of the call to it; else to the application's event address. */
        statusCallback: Https.optional(),
      })
      .refine(({ say, url }) => Boolean(say) !== Boolean(url), {
        message: "Give exactly one of say and url",
        path: ["say"],
      }),
    result: z.object({ id: z.string(), status: z.string() }),
    example: {
      params: { to: "+15558675310", say: "Your test results are ready." },
      wire: [
        {
          request: "POST /v1/calls",
          status: 201,
          reply: {
            uuid: callId,
            status: "started",
            direction: "outbound",
            conversation_uuid: "CON-f972836a-550f-45fa-956c-12a2ab5b7d22",
          },
        },
      ],
      result: { id: callId, status: "started" },
    },
    async run(api, { to, from, say, language, url, statusCallback }, values: Caller) {
      const caller = from ?? values.fromNumber;
      if (!caller || !/^\+?\d+$/.test(caller))
        throw notConfigured("Give `from`, or set a from number in the integration's configuration");
      const { uuid, status } = await api.post("/v1/calls", Begun, {
        json: {
          to: [{ type: "phone", number: digits(to) }],
          from: { type: "phone", number: digits(caller) },
          ...(say ? { ncco: talk(say, language) } : { answer_url: [url] }),
          ...(statusCallback && { event_url: [statusCallback] }),
        },
      });
      return { id: uuid, status };
    },
  }),
  getCall: operation({
    title: "Read a call and what became of it",
    effect: "read",
    params: z.object({ id: CallId }),
    result: z.object({
      id: z.string(),
      status: z.string(),
      seconds: z.number().int().optional(),
      startedAt: z.string().optional(),
      endedAt: z.string().optional(),
    }),
    example: {
      params: { id: callId },
      wire: [
        {
          request: `GET /v1/calls/${callId}`,
          reply: {
            uuid: callId,
            status: "completed",
            duration: "31",
            start_time: "2026-11-23T12:00:00.000Z",
            end_time: "2026-11-23T12:00:31.000Z",
          },
        },
      ],
      result: {
        id: callId,
        status: "completed",
        seconds: 31,
        startedAt: "2026-11-23T12:00:00.000Z",
        endedAt: "2026-11-23T12:00:31.000Z",
      },
    },
    async run(api, { id }) {
      const { status, ...found } = await api.get("/v1/calls/{id}", Call, { path: { id } });
      return {
        id,
        status,
        seconds: /^\d+$/.test(String(found.duration)) ? Number(found.duration) : undefined,
        startedAt: found.start_time ?? undefined,
        endedAt: found.end_time ?? undefined,
      };
    },
  }),
  hangUp: operation({
    title: "End a call",
    effect: "write",
    idempotent: true,
    params: z.object({ id: CallId }),
    result: z.object({ id: z.string(), ended: z.literal(true) }),
    example: {
      params: { id: callId },
      wire: [{ request: `PUT /v1/calls/${callId}`, status: 204, reply: "" }],
      result: { id: callId, ended: true },
    },
    async run(api, { id }) {
      await api.send("PUT", "/v1/calls/{id}", { path: { id }, json: { action: "hangup" } });
      return { id, ended: true as const };
    },
  }),
};

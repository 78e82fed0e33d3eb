import * as z from "zod";

import { Phone } from "./capabilities.ts";
import { operation } from "./define.ts";
import { notConfigured, unlessNotFound } from "./failure.ts";
import { openSpeech, sealSpeech, speechXml } from "./plivo-speech.ts";
import type { Incoming } from "./signature.ts";

type Caller = {
  authToken: string;
  fromNumber?: string | undefined;
  answerUrl?: string | undefined;
};

export const account = "/v1/Account/{authId}";
export const Uuid = z.uuid();
export const Https = z.url({ protocol: /^https$/ });

/** Plivo writes numbers without +, and takes either. */
export const digits = (phone: string) => phone.replace(/^\+/, "");
export const plus = (phone: string | null | undefined) =>
  phone && /^[1-9]\d{6,14}$/.test(phone) ? `+${phone}` : (phone ?? undefined);

/** `2017-05-22 21:36:14+05:30`, in the time zone of the account. */
export function iso(written: string | null | undefined) {
  const [, day, time, zone] =
    /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)?([+-]\d\d:\d\d)$/.exec(written ?? "") ?? [];
  const moment = Date.parse(`${day}T${time}${zone}`);
  return Number.isNaN(moment) ? undefined : new Date(moment).toISOString();
}

/** A call that ended; one that has not is only found with `status=live` or, before that, `queued`. */
const EndedCall = z.object({
  call_uuid: z.string(),
  call_state: z.string().nullish(),
  call_duration: z.number().nullish(),
  initiation_time: z.string().nullish(),
  end_time: z.string().nullish(),
  hangup_cause_name: z.string().nullish(),
});
const LiveCall = z.object({ call_uuid: z.string(), call_status: z.string() });

const root = "/v1/Account/MAXXXXXXXXXXXXXXXXXX";
const callId = "9834029e-58b6-11e1-b8b7-a5bd0e4e126f";
const api_id = "97ceeb52-58b6-11e1-86da-77300b68f8bb";

/** What Plivo is told when it asks, signed, what to do with a call that `makeCall` placed. */
export async function answerCall(incoming: Incoming, { authToken }: Caller) {
  const said = new URL(incoming.url).searchParams.get("say");
  return said === null ? undefined : speechXml(await openSpeech(said, authToken));
}

export const plivoCalls = {
  makeCall: operation({
    title: "Call a number",
    description:
      "Says `say` when the call is answered, for which the integration's webhook address must be configured, or does what the Plivo XML at `url` says.",
    effect: "write",
    capability: "voice.call",
    params: z
      .object({
        to: Phone,
        from: z.string().optional(),
        say: z.string().min(1).max(3000).optional(),
        /** BCP 47: `es-US`. */
        language: z.string().max(20).optional(),
        url: Https.optional(),
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
          request: `POST ${root}/Call/`,
          status: 201,
          reply: { api_id, message: "call fired", request_uuid: callId },
        },
      ],
      result: { id: callId, status: "queued" },
    },
    async run(api, { to, from, say, language, url }, values: Caller) {
      const caller = from ?? values.fromNumber;
      if (!caller)
        throw notConfigured("Give `from`, or set a from number in the integration's configuration");
      let answer = url;
      if (say) {
        if (!values.answerUrl)
          throw notConfigured("To speak a text, set this integration's webhook address first");
        const address = new URL(values.answerUrl);
        address.searchParams.set("say", await sealSpeech({ say, language }, values.authToken));
        answer = address.href;
      }
      const reply = z.object({ request_uuid: z.string() });
      const { request_uuid } = await api.post(`${account}/Call/`, reply, {
        json: {
          from: digits(caller),
          to: digits(to),
          answer_url: answer,
          answer_method: "POST",
          ...(values.answerUrl && { hangup_url: values.answerUrl, hangup_method: "POST" }),
        },
      });
      return { id: request_uuid, status: "queued" };
    },
  }),
  getCall: operation({
    title: "Read a call and what became of it",
    effect: "read",
    params: z.object({ id: Uuid }),
    result: z.object({
      id: z.string(),
      status: z.string(),
      seconds: z.number().int().optional(),
      startedAt: z.string().optional(),
      endedAt: z.string().optional(),
      hangupCause: z.string().optional(),
    }),
    example: {
      params: { id: callId },
      wire: [
        { request: `GET ${root}/Call/${callId}/`, status: 404, reply: { error: "not found" } },
        {
          request: `GET ${root}/Call/${callId}/?status=live`,
          reply: { api_id, call_uuid: callId, call_status: "in-progress" },
        },
      ],
      result: { id: callId, status: "in-progress" },
    },
    async run(api, { id }) {
      const address = `${account}/Call/{id}/`;
      const path = { id };
      const ended = await api.get(address, EndedCall, { path }).catch(unlessNotFound);
      if (!ended) {
        const open = (status: string) => api.get(address, LiveCall, { path, query: { status } });
        const found = (await open("live").catch(unlessNotFound)) ?? (await open("queued"));
        return { id, status: found.call_status };
      }
      return {
        id,
        status: ended.call_state?.toLowerCase() ?? "completed",
        seconds: ended.call_duration ?? undefined,
        startedAt: iso(ended.initiation_time),
        endedAt: iso(ended.end_time),
        hangupCause: ended.hangup_cause_name ?? undefined,
      };
    },
  }),
  hangUp: operation({
    title: "End a call",
    effect: "write",
    idempotent: true,
    params: z.object({ id: Uuid }),
    result: z.object({ id: z.string(), ended: z.literal(true) }),
    example: {
      params: { id: callId },
      wire: [{ request: `DELETE ${root}/Call/${callId}/`, status: 204, reply: "" }],
      result: { id: callId, ended: true },
    },
    async run(api, { id }) {
      await api.send("DELETE", `${account}/Call/{id}/`, { path: { id } });
      return { id, ended: true as const };
    },
  }),
};

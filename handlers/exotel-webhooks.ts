import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import type { Api } from "./api.ts";
import type { WebhookEvent } from "./define.ts";
import { unlessNotFound } from "./failure.ts";
import {
  formOf,
  header,
  type Incoming,
  jsonOf,
  sharedSecret,
  textOf,
  type Verifier,
} from "./signature.ts";

/** Exotel signs nothing and sends no header of ours: the token in the address is all there is. */
export const exotelVerifier: Verifier<{ webhookToken: string }> = sharedSecret({
  scheme: "A token in the address",
  secret: ({ webhookToken }) => webhookToken,
  given: ({ url }) => new URL(url).searchParams.get("token") ?? undefined,
});

/** The text fields of multipart/form-data (RFC 7578), which is how Exotel posts unless told otherwise. */
function multipartFields(text: string, boundary: string): URLSearchParams {
  const fields = new URLSearchParams();
  for (const part of text.split(`--${boundary}`, 200)) {
    const end = part.indexOf("\r\n\r\n");
    const name = end < 0 ? undefined : /;\s*name="([^"]*)"/i.exec(part.slice(0, end))?.[1];
    if (name) fields.append(name, part.slice(end + 4).replace(/\r\n$/, ""));
  }
  return fields;
}

function jsonFields(body: unknown): URLSearchParams {
  const fields = new URLSearchParams();
  if (!(body instanceof Object)) return fields;
  for (const [name, value] of Object.entries(body))
    if (typeof value === "string" || typeof value === "number") fields.set(name, String(value));
  return fields;
}

function fieldsOf(incoming: Incoming): URLSearchParams {
  if (incoming.body.length === 0) return new URL(incoming.url).searchParams;
  const type = header(incoming, "content-type") ?? "";
  const boundary = /^multipart\/form-data;.*boundary="?([^";]{1,100})"?/i.exec(type)?.[1];
  if (boundary) return multipartFields(textOf(incoming) ?? "", boundary);
  const json = jsonOf(incoming);
  return json === undefined ? formOf(incoming) : jsonFields(json);
}

const ends = new Set(["completed", "failed", "busy", "no-answer", "canceled"]);
const settled = new Set(["delivered", "failed"]);

/**
 * Exotel says it in two words. Only the detailed one tells the handset from the operator; that of a
 * failure need not say so: SENDER_BLOCKED_BY_DLT.
 */
export function messageState(status: string, detailed: string): string {
  const said = (detailed || status).toLowerCase();
  if (/^delivered(_to_handset)?$/.test(said)) return "delivered";
  const isOver = /^(failed|undelivered|expired|rejected)/;
  if (isOver.test(said) || isOver.test(status.toLowerCase())) return "failed";
  if (/^(sent|delivered_to_operator|submitted)/.test(said)) return "sent";
  return "queued";
}

type Told =
  | { about: "call"; id: string; state: string }
  | { about: "message"; id: string; state: string }
  | { about: "nothing" };

function read(incoming: Incoming): Told {
  const fields = fieldsOf(incoming);
  const get = (name: string) => fields.get(name) ?? "";
  const message = get("SmsSid");
  if (message) {
    const state = get("Status") ? messageState(get("Status"), get("DetailedStatus")) : "received";
    return { about: "message", id: message, state };
  }
  const call = get("CallSid");
  if (!call) return { about: "nothing" };
  // A flow's Passthru applet tells of a call that goes on, without a status.
  const state = get("EventType") === "answered" ? "answered" : get("Status") || "reported";
  return { about: "call", id: call, state };
}

/** Exotel has no event id: what it is about and what became of it make one. */
export function readExotelEvents(incoming: Incoming): readonly WebhookEvent[] {
  const told = read(incoming);
  if (told.about === "nothing") return [{ type: "other" }];
  const type = `${told.about}.${told.state}`;
  // A flow may report many times of one call.
  return [told.state === "reported" ? { type } : { id: `${told.id}.${told.state}`, type }];
}

export const exotelEventTypes = [
  "call.answered",
  "call.completed",
  "call.failed",
  "call.busy",
  "call.no-answer",
  "call.reported",
  "message.sent",
  "message.delivered",
  "message.failed",
  "message.received",
] as const;

const account = "/v1/Accounts/{accountSid}";
const Call = z.object({ Call: z.object({ Sid: z.string(), Status: z.string() }) });
const Message = z.object({
  SMSMessage: z.object({
    Sid: z.string(),
    Status: z.string(),
    DetailedStatus: z.string().nullish(),
  }),
});

/** Exotel does not know it: then it was not Exotel who told us of it. */
const orUnknown = <T>(reading: Promise<T>): Promise<T | undefined> => reading.catch(unlessNotFound);

/** Asked again later: Exotel's own records follow minutes after its callbacks. */
const notYet = () => new VendorFailure("vendor_unavailable", "Exotel's API does not show it yet");

async function isCallSo(api: Api, id: string, told: string): Promise<boolean> {
  const path = { id };
  const found = await orUnknown(api.get(`${account}/Calls/{id}.json`, Call, { path }));
  if (found?.Call.Sid !== id) return false;
  const state = found.Call.Status;
  if (told === "reported") return true;
  if (told === "answered") {
    if (state === "in-progress" || state === "completed") return true;
    if (ends.has(state)) return false;
    throw notYet();
  }
  if (state === told) return true;
  if (ends.has(state)) return false;
  throw notYet();
}

async function isMessageSo(api: Api, id: string, told: string): Promise<boolean> {
  const path = { id };
  const found = await orUnknown(api.get(`${account}/SMS/Messages/{id}.json`, Message, { path }));
  if (found?.SMSMessage.Sid !== id) return false;
  if (told === "received") return true;
  const { Status, DetailedStatus } = found.SMSMessage;
  const state = messageState(Status, DetailedStatus ?? "");
  // It has been through "sent" and "queued" where it is further on.
  if (state === told || !settled.has(told)) return true;
  if (settled.has(state)) return false;
  throw notYet();
}

/** Reads back the call or the text, which must be as the event says. */
export async function confirmExotel(api: Api, _event: WebhookEvent, incoming: Incoming) {
  const told = read(incoming);
  if (told.about === "nothing") return false;
  if (!/^[\w-]{1,100}$/.test(told.id)) return false;
  return told.about === "call"
    ? isCallSo(api, told.id, told.state)
    : isMessageSo(api, told.id, told.state);
}

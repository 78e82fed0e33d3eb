import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import type { Api } from "./api.ts";
import type { WebhookEvent } from "./define.ts";
import { unlessNotFound } from "./failure.ts";
import { header, type Incoming, jsonOf, sharedSecret, type Verifier } from "./signature.ts";

type Secrets = { webhookToken: string; webhookSecret?: string | undefined };

/** The header that the setup tells to configure. */
export const secretHeader = "x-webhook-secret";

const byAddress = sharedSecret<Secrets>({
  scheme: "A token in the address, and a secret header where one is set",
  secret: ({ webhookToken }) => webhookToken,
  given: ({ url }) => new URL(url).searchParams.get("token") ?? undefined,
});
const byHeader = sharedSecret<Secrets>({
  scheme: byAddress.scheme,
  secret: ({ webhookSecret }) => webhookSecret,
  given: (incoming) => header(incoming, secretHeader),
});

/** 100ms signs nothing, but repeats a header of our choice: where one is set, both must fit. */
export const hmsVerifier: Verifier<Secrets> = {
  scheme: byAddress.scheme,
  async verify(incoming, values, now) {
    const verdict = await byAddress.verify(incoming, values, now);
    if (!verdict.ok || !values.webhookSecret) return verdict;
    return byHeader.verify(incoming, values, now);
  },
};

const text = z.string().optional().catch(undefined);
const Body = z.object({
  id: text,
  type: z.string(),
  timestamp: text,
  data: z
    .object({ room_id: text, session_id: text, peer_id: text })
    .catch({ room_id: undefined, session_id: undefined, peer_id: undefined }),
});

export function readHmsEvents(incoming: Incoming): readonly WebhookEvent[] {
  const { success, data: event } = Body.safeParse(jsonOf(incoming));
  if (!success) return [{ type: "other" }];
  return [{ id: event.id, type: event.type, occurredAt: event.timestamp }];
}

const Session = z.object({
  id: z.string(),
  room_id: z.string(),
  active: z.boolean().optional(),
  peers: z.record(z.string(), z.unknown()).nullish(),
});
const Assets = z.object({ data: z.array(z.object({ room_id: z.string().optional() })).nullish() });

/** The vendor does not know it: then it was not the vendor who told us of it. */
const orUnknown = <T>(read: Promise<T>): Promise<T | undefined> => read.catch(unlessNotFound);

/** Asked again later: what the API shows may follow the event. */
function shown(is: boolean): true {
  if (is) return true;
  throw new VendorFailure("vendor_unavailable", "100ms's API does not show it yet");
}

/** Reads back the session, person or recording that the event is about. */
export async function confirmHms(api: Api, _event: WebhookEvent, incoming: Incoming) {
  const { success, data: event } = Body.safeParse(jsonOf(incoming));
  if (!success) return false;
  const { room_id: room, session_id: id, peer_id: peer } = event.data;
  if (!id) {
    if (!room) return false;
    const found = await orUnknown(
      api.get("/rooms/{room}", z.object({ id: z.string() }), { path: { room } }),
    );
    return found?.id === room;
  }
  const session = await orUnknown(api.get("/sessions/{id}", Session, { path: { id } }));
  if (!session || (room && session.room_id !== room)) return false;
  if (event.type === "session.close.success") return shown(session.active === false);
  if (peer && /^peer\.(join|leave)\.success$/.test(event.type))
    return shown(Object.hasOwn(session.peers ?? {}, peer));
  if (event.type === "recording.success") {
    const query = { session_id: id, status: "completed" };
    const { data } = await api.get("/recording-assets", Assets, { query });
    return shown((data ?? []).length > 0);
  }
  return true;
}

export const hmsEventTypes = [
  "session.open.success",
  "session.close.success",
  "peer.join.success",
  "peer.join.failure",
  "peer.leave.success",
  "peer.leave.failure",
  "room.end.success",
  "role.change.success",
  "recording.success",
  "recording.failed",
  "track.recording.started.success",
  "track.recording.success",
  "track.recording.failure",
  "stream.recording.success",
  "stream.recording.failure",
  "beam.started.success",
  "beam.stopped.success",
  "beam.recording.success",
  "beam.failure",
  "hls.started.success",
  "hls.stopped.success",
  "hls.recording.success",
  "hls.failure",
  "transcription.started.success",
  "transcription.success",
  "transcription.failure",
] as const;

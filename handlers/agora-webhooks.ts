import * as z from "zod";

import type { WebhookEvent } from "./define.ts";
import { header, hmac, type Incoming, jsonOf, type Verifier } from "./signature.ts";

/** V2 alone: `Agora-Signature`, which comes beside it, is HMAC-SHA1. */
export const agoraSignature = <C>(
  secret: (values: C) => string | readonly string[] | undefined,
): Verifier<C> =>
  hmac<C>({
    scheme: "Agora-Signature-V2: HMAC-SHA256 of the body",
    hash: "SHA-256",
    encoding: "hex",
    secret,
    signatures: (incoming) => {
      const signature = header(incoming, "agora-signature-v2");
      return signature === undefined ? undefined : [signature];
    },
    message: ({ body }) => body,
  });

/** By `productId`, then by `eventType`: docs.agora.io, Notifications, event types. */
export const agoraEvents = {
  1: {
    101: "channel.created",
    102: "channel.destroyed",
    103: "broadcaster.joined",
    104: "broadcaster.left",
    105: "audience.joined",
    106: "audience.left",
    107: "user.joined",
    108: "user.left",
    111: "role.broadcaster",
    112: "role.audience",
  },
  3: {
    1: "recording.error",
    2: "recording.warning",
    3: "recording.status_updated",
    4: "recording.playlist_created",
    11: "recording.session_exited",
    12: "recording.failed_over",
    30: "recording.upload_started",
    31: "recording.uploaded",
    32: "recording.backed_up",
    33: "recording.uploading",
    40: "recording.started",
    41: "recording.left",
    42: "recording.slice_started",
    43: "recording.audio_changed",
    44: "recording.video_changed",
    45: "recording.snapshot_taken",
    90: "recording.download_failed",
    1001: "recording.transcoded",
  },
} as const satisfies Record<number, Record<number, string>>;

const names: Readonly<Record<number, Readonly<Record<number, string>>>> = agoraEvents;

const Notice = z.object({
  noticeId: z.string().optional().catch(undefined),
  productId: z.number(),
  eventType: z.number(),
  notifyMs: z.number().optional().catch(undefined),
  payload: z
    .object({ ts: z.number().optional(), sendts: z.number().optional() })
    .catch({})
    .optional(),
});

function timeOf({ payload, notifyMs }: z.output<typeof Notice>): string | undefined {
  // Of a channel in seconds, of a recording in milliseconds; `notifyMs` is new on each retry.
  const at = payload?.ts !== undefined ? payload.ts * 1000 : (payload?.sendts ?? notifyMs);
  const time = new Date(at ?? Number.NaN);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

export function readAgoraEvents(incoming: Incoming): readonly WebhookEvent[] {
  const { success, data: notice } = Notice.safeParse(jsonOf(incoming));
  if (!success) return [{ type: "other" }];
  const { noticeId, productId, eventType } = notice;
  const type = names[productId]?.[eventType] ?? `${productId}.${eventType}`;
  return [{ id: noticeId || undefined, type, occurredAt: timeOf(notice) }];
}

export const agoraEventTypes = Object.values(names).flatMap((product) => Object.values(product));

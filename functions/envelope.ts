import { base64ToUint8Array } from "uint8array-extras";

import type { Claimed } from "../db/deliveries.ts";

/** What the event store seals: the webhook's bytes in base64, and its query where it had one. */
export type StoredPayload = { body: string; query?: string };

export type PayloadForm = {
  /** `json` and `form`: `data` is the parsed body; `base64`: its bytes; `none`: there was no body. */
  encoding: "json" | "form" | "base64" | "none";
  /** JSON text. A JSON body stays exactly as it came: large numbers are not rounded. */
  data: string;
};

const strict = new TextDecoder("utf-8", { fatal: true });

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Fields that come more than once become a list. */
function fieldsOf(form: string): Record<string, string | string[]> {
  const params = new URLSearchParams(form);
  return Object.fromEntries(
    [...new Set(params.keys())].map((name) => {
      const values = params.getAll(name);
      return [name, values.length > 1 ? values : (values[0] ?? "")];
    }),
  );
}

export function payloadForm(
  { body, query }: StoredPayload,
  contentType: string | null,
): PayloadForm {
  const bytes = base64ToUint8Array(body);
  if (!bytes.length)
    return query
      ? { encoding: "form", data: JSON.stringify(fieldsOf(query.replace(/^\?/, ""))) }
      : { encoding: "none", data: "null" };
  const text = textOf(bytes);
  if (text !== undefined) {
    if (/^application\/x-www-form-urlencoded\b/i.test(contentType ?? ""))
      return { encoding: "form", data: JSON.stringify(fieldsOf(text)) };
    if (isJsonText(text)) return { encoding: "json", data: text };
  }
  return { encoding: "base64", data: JSON.stringify(body) };
}

/** The body that a destination receives. */
export function envelope(
  orgId: string,
  event: Pick<
    Claimed,
    "event_id" | "type" | "vendor_id" | "integration_id" | "content_type" | "happened_at"
  >,
  payload: StoredPayload,
): string {
  const { encoding, data } = payloadForm(payload, event.content_type);
  const head = JSON.stringify({
    id: event.event_id,
    type: `${event.vendor_id}.${event.type}`,
    timestamp: event.happened_at,
    org_id: orgId,
    integration_id: event.integration_id,
    vendor_id: event.vendor_id,
    data_encoding: encoding,
  });
  return `${head.slice(0, -1)},"data":${data}}`;
}

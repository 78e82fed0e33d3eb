import type { Hono } from "hono";
import { HTTPException } from "hono/http-exception";

import type { idSequence } from "../define.ts";

export type TwilioApp = Hono<{ Variables: { form: URLSearchParams } }>;
export type TwilioAccount = {
  sid: string;
  /** The one number of the account. */
  number: string;
  /** The one messaging service. */
  service: string;
  verifyService: string;
  ids: ReturnType<typeof idSequence>;
};

export const failureResponse = (status: number, code: number, message: string, headers = {}) =>
  Response.json(
    { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status },
    { status, headers },
  );
export function refuse(status: number, code: number, message: string, headers = {}): never {
  throw new HTTPException(status as 400, { res: failureResponse(status, code, message, headers) });
}

export const isE164 = (number: string) => /^\+[1-9]\d{7,14}$/.test(number);

/** `Mon, 23 Nov 2026 12:00:00 +0000`, as the 2010 API writes dates. */
export const rfc2822 = () => new Date().toUTCString().replace("GMT", "+0000");

export function newPager(requestUrl: string) {
  const { pathname, searchParams: query } = new URL(requestUrl);
  const size = Number(query.get("PageSize") ?? 50);
  const page = Number(query.get("Page") ?? 0);
  if (page > 0 && !query.get("PageToken")?.startsWith("PA"))
    refuse(400, 20001, "Page number cannot be used without PageToken");
  if (!Number.isInteger(size) || size < 1 || size > 1000)
    refuse(400, 20007, "Page size must be between 1 and 1000");
  const uri = (to: number, after?: string) => {
    const target = new URLSearchParams(query);
    target.delete("PageToken");
    target.set("PageSize", String(size));
    target.set("Page", String(to));
    if (after !== undefined) target.set("PageToken", `PA${after}`);
    return `${pathname}?${target}`;
  };
  return {
    query,
    of: (name: string, all: readonly { sid: string }[]) => {
      const items = all.slice(page * size, (page + 1) * size);
      const isLast = (page + 1) * size >= all.length;
      return {
        [name]: items,
        end: page * size + Math.max(items.length - 1, 0),
        first_page_uri: uri(0),
        next_page_uri: isLast ? null : uri(page + 1, items.at(-1)?.sid),
        page,
        page_size: size,
        previous_page_uri: page === 0 ? null : uri(page - 1, items[0]?.sid),
        start: page * size,
        uri: uri(page),
      };
    },
  };
}

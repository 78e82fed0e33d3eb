import type { InferRequestType, InferResponseType } from "hono/client";

import { answer, client } from "./api.ts";

const keys = client["signing-keys"];

type Answer = InferResponseType<typeof keys.$get, 200>;
export type SigningKey = Answer["data"][number];
export type Algorithm = InferRequestType<typeof keys.$post>["json"]["algorithm"];

/** The types keep it whole. */
export const algorithmTexts: Readonly<Record<Algorithm, { title: string; help: string }>> = {
  RS384: { title: "RS384 (RSA)", help: "Every EHR takes it." },
  ES384: { title: "ES384 (EC P-384)", help: "Shorter; eClinicalWorks does not take it." },
};

const publishedMs = 24 * 3_600_000;
/** Until when vendors may still verify by a retired key; undefined where that is over. */
export function shownUntil({ retired_at }: SigningKey, nowMs = Date.now()): Date | undefined {
  const until = Date.parse(retired_at ?? "") + publishedMs;
  return until > nowMs ? new Date(until) : undefined;
}

export const listSigningKeys = (): Promise<Answer> => answer(keys.$get());
export const addSigningKey = async (algorithm: Algorithm) =>
  (await answer(keys.$post({ json: { algorithm } }))).data;
export const retireSigningKey = (id: string) => answer(keys[":id"].$delete({ param: { id } }));

import type { InferRequestType, InferResponseType } from "hono/client";

import { answer, client } from "./api.ts";

const { sso } = client;

export type IdentityProvider = InferResponseType<typeof sso.$get, 200>["data"][number];
export type NewProvider = InferRequestType<typeof sso.$post>["json"];

export const listProviders = async () => (await answer(sso.$get())).data;
export const addProvider = async (entered: NewProvider) =>
  (await answer(sso.$post({ json: entered }))).data;
/** A record that is not there yet is an answer, not an error. */
export const verifyProvider = (id: string) => answer(sso[":id"].verify.$post({ param: { id } }));
export const removeProvider = (id: string) => answer(sso[":id"].$delete({ param: { id } }));

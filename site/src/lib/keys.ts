import type { InferResponseType } from "hono/client";

import type { Permission } from "../../../functions/access.ts";
import { answer, client } from "./api.ts";

const { keys } = client;

export type Key = InferResponseType<typeof keys.$get, 200>["data"][number];
export type Scope = Permission;

/** What a key may be allowed, in the order of the form. The types keep it whole. */
export const scopeTexts: Readonly<Record<Scope, string>> = {
  "integrations:read": "See integrations, their status and metrics",
  "integrations:write": "Add, change and remove integrations",
  "integrations:test": "Test integrations",
  "integrations:execute": "Run operations at vendors",
  "activity:read": "Read the activity log",
  "events:read": "Read events, with what vendors sent",
  "events:write": "Change how long payloads are kept",
  "events:replay": "Send events again",
  "destinations:read": "See destinations and deliveries",
  "destinations:write": "Add, change and remove destinations",
  "signing-keys:read": "See signing keys and their JWK Set URL",
  "signing-keys:write": "Make and retire signing keys",
};

/** The keys, and the scopes that one may have. */
export const listKeys = () => answer(keys.$get());

export const addKey = async (name: string, scopes: Scope[], expiresInDays: number) =>
  (await answer(keys.$post({ json: { name, scopes, expires_in_days: expiresInDays } }))).data;

export const revokeKey = (id: string) => answer(keys[":id"].$delete({ param: { id } }));

import type { InferRequestType, InferResponseType } from "hono/client";

import { answer, client } from "./api.ts";

const { events, deliveries, destinations, erasures } = client;

export type WebhookEvent = InferResponseType<typeof events.$get, 200>["data"][number];
export type OpenedEvent = InferResponseType<(typeof events)[":id"]["$get"], 200>["data"];
export type Delivery = InferResponseType<typeof deliveries.$get, 200>["data"][number];
export type DeliveryState = Delivery["state"];
export type Attempt = InferResponseType<
  (typeof deliveries)[":id"]["$get"],
  200
>["data"]["tries"][number];
export type Destination = InferResponseType<typeof destinations.$get, 200>["data"][number];
export type NewDestination = InferRequestType<typeof destinations.$post>["json"];
export type EventFilter = NonNullable<
  InferRequestType<typeof events.replay.$post>["json"]["filter"]
>;
export type Replay = InferResponseType<typeof events.replay.$post, 200>["data"];
export type Retention = InferResponseType<typeof events.retention.$get, 200>["data"];

export type Erasure = InferResponseType<typeof erasures.$post, 200>["data"];

export const listEvents = (filter: EventFilter, limit: number, cursor?: string) =>
  answer(
    events.$get({ query: { ...filter, limit: String(limit), ...(cursor ? { cursor } : {}) } }),
  );

export const getEvent = async (id: string) =>
  (await answer(events[":id"].$get({ param: { id } }))).data;

export const replayEvent = (id: string, destinationId?: string) =>
  answer(
    events[":id"].replay.$post({
      param: { id },
      json: destinationId ? { destination_id: destinationId } : {},
    }),
  );

export const replayEvents = (filter: EventFilter, destinationId: string, dryRun: boolean) =>
  answer(
    events.replay.$post({
      json: {
        filter,
        ...(destinationId ? { destination_id: destinationId } : {}),
        dry_run: dryRun,
      },
    }),
  );

export const getRetention = async () => (await answer(events.retention.$get())).data;
export const setRetention = (retention: Retention) =>
  answer(events.retention.$put({ json: retention }));

/** One step; repeated with the cursor that it answers until that is null. */
export const eraseSubject = (subject: string, dryRun: boolean, cursor?: string | null) =>
  answer(erasures.$post({ json: { subject, dry_run: dryRun, ...(cursor ? { cursor } : {}) } }));

export type DeliveryFilter = { event_id?: string; destination_id?: string; state?: DeliveryState };

export const listDeliveries = (filter: DeliveryFilter, limit: number, cursor?: string) =>
  answer(
    deliveries.$get({ query: { ...filter, limit: String(limit), ...(cursor ? { cursor } : {}) } }),
  );

/** Each attempt of a delivery, the last first. */
export const listAttempts = async (id: string) =>
  (await answer(deliveries[":id"].$get({ param: { id } }))).data.tries;

export const listDestinations = async () => (await answer(destinations.$get())).data;

export const addDestination = (entered: NewDestination) =>
  answer(destinations.$post({ json: entered }));

export const changeDestination = (
  id: string,
  changes: Partial<NewDestination> | { status: "enabled" | "paused" },
  version?: number,
) =>
  answer(
    destinations[":id"].$put({
      param: { id },
      json: changes,
      header: version === undefined ? {} : { "if-match": `"${version}"` },
    }),
  );

export const removeDestination = (id: string) =>
  answer(destinations[":id"].$delete({ param: { id } }));

/** The answer holds the new secret, this once. */
export const rotateSecret = (id: string, overlapHours: number) =>
  answer(
    destinations[":id"]["rotate-secret"].$post({
      param: { id },
      json: { overlap_hours: overlapHours },
    }),
  );

export const testDestination = (id: string) =>
  answer(destinations[":id"].test.$post({ param: { id } }));

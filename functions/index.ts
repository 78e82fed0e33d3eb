import type {
  ExecutionContext,
  MessageBatch,
  ScheduledController,
} from "@cloudflare/workers-types";

import { app } from "./app.ts";
import { handleCron } from "./cron.ts";
import { type Bindings, envOf } from "./env.ts";
import { handleQueue } from "./queue.ts";

export { DestinationObject } from "./destination-object.ts";
export { IntegrationObject } from "./integration-object.ts";
export { LimitObject } from "./limit-object.ts";

export default {
  fetch: (request: Request, bindings: Bindings, ctx: ExecutionContext) =>
    app.fetch(request, bindings, ctx),
  scheduled: ({ scheduledTime }: ScheduledController, bindings: Bindings) =>
    handleCron(envOf(bindings), new Date(scheduledTime)),
  queue: (batch: MessageBatch, bindings: Bindings) => handleQueue(batch, envOf(bindings)),
};

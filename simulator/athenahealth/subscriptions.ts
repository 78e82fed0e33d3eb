import { createHmac, randomUUID } from "node:crypto";

import { unixNow, type WebhookOptions } from "../define.ts";
import { fhirReply, refuse } from "../fhir/outcome.ts";
import { practiceId } from "./practice.ts";

type Subscription = { resourceType: "Subscription"; id: string; [more: string]: unknown };

/** `/Subscription`, where a secret is taken with each one and never shown. */
export function newSubscriptions() {
  let all = new Map<string, Subscription>();
  const add = (more: object = {}) => {
    const id = randomUUID();
    all.set(id, { ...more, resourceType: "Subscription", id, status: "active" });
    return id;
  };
  async function handle(request: Request): Promise<Response> {
    const id = new URL(request.url).pathname.split("/").at(4);
    if (request.method === "GET")
      return fhirReply({
        resourceType: "Bundle",
        type: "searchset",
        total: all.size,
        entry: [...all.values()].map((resource) => ({ resource })),
      });
    if (request.method === "DELETE")
      return all.delete(id ?? "")
        ? new Response(null, { status: 204 })
        : refuse(404, "not-found", "There is no such subscription");
    const body = (await request.json()) as Subscription;
    if (body.resourceType !== "Subscription" || body["status"] !== "requested")
      return refuse(400, "invalid", "This is not a subscription that is requested");
    return fhirReply(all.get(add(body)) ?? {}, 201);
  }
  return {
    handle,
    add,
    reset() {
      all = new Map();
    },
  };
}

/** A notification of one event, signed as WebSub says. */
export async function notification({
  url,
  credentials,
  type = "Appointment.check-in",
  body: more,
  now = unixNow(),
}: WebhookOptions) {
  const timestamp = new Date(now * 1000).toISOString();
  const id = randomUUID();
  const [kind = "Appointment"] = type.split(".");
  const identifier = { system: `urn:athenahealth:athenanet:${kind}:${practiceId}`, value: "1" };
  const status = {
    resourceType: "SubscriptionStatus",
    id: randomUUID(),
    status: "active",
    type: "event-notification",
    eventsSinceSubscriptionStart: "1",
    eventsInNotification: 1,
    subscription: { reference: `Subscription/${randomUUID()}` },
    topic: `https://api.preview.platform.athenahealth.com/fhir/r4/SubscriptionTopic/${type}`,
    notificationEvent: [{ eventNumber: "1", id, timestamp, focus: { identifier } }],
  };
  const audit = {
    resourceType: "AuditEvent",
    id,
    type: { system: "https://fhir.athena.io/CodeSystem/SubscriptionTopic", code: type },
    recorded: timestamp,
    source: { observer: { reference: `Organization/a-1.Practice-${practiceId}` } },
  };
  const bundle = {
    resourceType: "Bundle",
    id: randomUUID(),
    type: "history",
    timestamp,
    entry: [status, audit].map((resource) => ({
      fullUrl: `urn:uuid:${resource.id}`,
      resource,
    })),
    ...(more instanceof Object ? more : {}),
  };
  const body = JSON.stringify(bundle, null, 2);
  const signature = createHmac("sha256", String(credentials["webhookSecret"]))
    .update(body)
    .digest("hex");
  return new Request(url, {
    method: "POST",
    headers: {
      "content-type": "application/fhir+json",
      "x-hub-signature": `sha256=${signature}`,
    },
    body,
  });
}

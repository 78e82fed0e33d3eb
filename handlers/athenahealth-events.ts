import * as z from "zod";

import type { Practice } from "./athenahealth-v1.ts";
import { operation, type WebhookEvent, type Webhooks } from "./define.ts";
import { notConfigured } from "./failure.ts";
import { FhirId } from "./fhir.ts";
import { header, hmac, type Incoming, jsonOf } from "./signature.ts";

/** github.com/athenahealth/aone-fhir-subscriptions: FHIR Subscriptions (R5 backport) with ids only. */
type Values = Practice & { webhookSecret?: string | undefined };

const about = {
  Appointment: "cancel check-in check-out freeze reschedule schedule unfreeze update",
  Claim: "create delete update",
  ClinicalEncounterDiagnosis: "create delete update",
  Encounter: "check-in reopen signoff",
  HistoricalMedication: "create delete update",
  HistoricalVaccine: "create delete update",
  ImagingResult: "close create delete reopen update",
  LabResult: "close create update",
  Order: "cancel deny perform signoff submit update",
  Patient: "create delete merge update",
  PatientCase: "add-note create update",
  PatientProblem: "create delete update",
  Prescription: "create delete preapprove refill-create refill-update reopen update",
  Provider: "create delete undelete update",
  ReferringProvider: "create delete undelete update",
};
const topics = Object.entries(about).flatMap(([type, events]) =>
  events.split(" ").map((event) => `${type}.${event}`),
);

const Notification = z.looseObject({
  entry: z
    .array(
      z.looseObject({
        resource: z.looseObject({
          resourceType: z.string(),
          id: z.string().optional(),
          topic: z.string().optional(),
          notificationEvent: z
            .array(z.looseObject({ id: z.string(), timestamp: z.string().optional() }))
            .optional(),
          type: z.unknown().optional(),
        }),
      }),
    )
    .min(1),
});
const Code = z.looseObject({ code: z.string() });

/** One event each, of which the id is the same when a notification is sent again. */
function readEvents(incoming: Incoming): readonly WebhookEvent[] {
  const found = Notification.safeParse(jsonOf(incoming)).data?.entry.map((each) => each.resource);
  const [status, ...audits] = found ?? [];
  const topic = status?.topic?.split("/").at(-1);
  const events = (status?.notificationEvent ?? []).map(({ id, timestamp }) => {
    const audit = audits.find((each) => each.resourceType === "AuditEvent" && each.id === id);
    const type = topic ?? Code.safeParse(audit?.type).data?.code ?? "unknown";
    return { id, type, occurredAt: timestamp };
  });
  // A handshake or heartbeat of the standard tells of no event.
  return events.length > 0 ? events : [{ type: "subscription.status" }];
}

export const eventWebhooks: Webhooks<Values & { webhookToken: string }> = {
  verify: hmac({
    scheme: "HMAC-SHA256 of the body, in X-Hub-Signature (WebSub)",
    hash: "SHA-256",
    encoding: "hex",
    secret: ({ webhookSecret }) => webhookSecret,
    signatures(incoming) {
      const sent = header(incoming, "x-hub-signature");
      return sent === undefined ? undefined : [/^sha256=(.*)$/.exec(sent)?.[1] ?? ""];
    },
    message: ({ body }) => body,
  }),
  secretField: "webhookSecret",
  events: readEvents,
  types: topics,
  setup: [
    "Ask athenahealth's API operations for the scopes system/SubscriptionTopic.read, system/Subscription.read and system/Subscription.write: event subscriptions are not part of every app. Add them to this integration's scopes.",
    "Choose a random secret of at least 32 characters, and save it here as the notification secret.",
    "Run “Subscribe to events” once for each topic, with the address {url}.",
  ],
};

const Subscription = z.looseObject({
  resourceType: z.literal("Subscription"),
  id: z.string(),
  status: z.string().optional(),
  criteria: z.string().optional(),
  channel: z.looseObject({ endpoint: z.string().optional() }).optional(),
});
const backport = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition";
const Topic = z.enum(topics as [string, ...string[]]);
const Address = z.url({ protocol: /^https$/ }).max(2000);

export const eventOperations = {
  subscribeToEvents: operation({
    title: "Subscribe to events",
    description:
      "Of one topic in this practice, sent to this integration's webhook address and signed with its notification secret.",
    effect: "write",
    params: z.object({
      topic: Topic,
      url: Address,
      until: z.iso.datetime({ offset: true }).optional(),
      reason: z.string().max(200).default("EHRConnect"),
    }),
    result: z.object({ id: z.string() }),
    example: {
      params: {
        topic: "Appointment.check-in",
        url: "https://integrations.example.com/webhooks/athenahealth/0190a1b2",
      },
      wire: [
        {
          request: "POST /Subscription",
          status: 201,
          reply: { resourceType: "Subscription", id: "a9c3784c-9f56-4b32-95b0-882868d39e58" },
        },
      ],
      result: { id: "a9c3784c-9f56-4b32-95b0-882868d39e58" },
    },
    async run(api, { topic, url, until, reason }, { practiceId, webhookSecret }: Values) {
      // Without it anybody could send us events: athenahealth would sign nothing.
      if (!webhookSecret) throw notConfigured("Save a notification secret first");
      const { id } = await api.post("/Subscription", Subscription, {
        headers: { "x-hub-secret": webhookSecret },
        json: {
          resourceType: "Subscription",
          meta: { profile: [`${backport}/backport-subscription`] },
          status: "requested",
          ...(until && { end: until }),
          reason,
          criteria: `${api.baseUrl}/SubscriptionTopic/${topic}`,
          _criteria: {
            extension: [
              {
                url: `${backport}/backport-filter-criteria`,
                valueString: `ah-practice=Organization/a-1.Practice-${practiceId}`,
              },
            ],
          },
          channel: {
            type: "rest-hook",
            endpoint: url,
            payload: "application/fhir+json",
            _payload: {
              extension: [{ url: `${backport}/backport-payload-content`, valueCode: "id-only" }],
            },
          },
        },
      });
      return { id };
    },
  }),
  listEventSubscriptions: operation({
    title: "List event subscriptions",
    effect: "read",
    params: z.object({}),
    result: z.object({
      subscriptions: z.array(
        z.object({
          id: z.string(),
          status: z.string().optional(),
          topic: z.string().optional(),
          url: z.string().optional(),
        }),
      ),
    }),
    example: {
      params: {},
      wire: [
        {
          request: "GET /Subscription",
          reply: {
            resourceType: "Bundle",
            type: "searchset",
            entry: [
              {
                resource: {
                  resourceType: "Subscription",
                  id: "a9c3784c",
                  status: "active",
                  criteria:
                    "https://api.preview.platform.athenahealth.com/fhir/r4/SubscriptionTopic/Patient.update",
                  channel: { endpoint: "https://integrations.example.com/hook" },
                },
              },
            ],
          },
        },
      ],
      result: {
        subscriptions: [
          {
            id: "a9c3784c",
            status: "active",
            topic: "Patient.update",
            url: "https://integrations.example.com/hook",
          },
        ],
      },
    },
    async run(api) {
      const reply = z.looseObject({
        resourceType: z.literal("Bundle"),
        entry: z.array(z.looseObject({ resource: Subscription })).default([]),
      });
      const { entry } = await api.get("/Subscription", reply);
      return {
        subscriptions: entry.map(({ resource: { id, status, criteria, channel } }) => ({
          id,
          status,
          topic: criteria?.split("/").at(-1),
          url: channel?.endpoint,
        })),
      };
    },
  }),
  unsubscribeFromEvents: operation({
    title: "End an event subscription",
    effect: "write",
    idempotent: true,
    params: z.object({ id: FhirId }),
    result: z.object({ ended: z.literal(true) }),
    example: {
      params: { id: "a9c3784c" },
      wire: [{ request: "DELETE /Subscription/a9c3784c", status: 204, reply: "" }],
      result: { ended: true },
    },
    async run(api, { id }) {
      await api.send("DELETE", "/Subscription/{id}", { path: { id } });
      return { ended: true as const };
    },
  }),
};

import * as z from "zod";

import { notConfigured } from "./failure.ts";

/** E.164 telephone number. */
export const Phone = z
  .string()
  .regex(/^\+[1-9]\d{6,14}$/, "Use + and the country code: +14155550100");

/** ISO 4217 code, lower case as Stripe writes it. */
export const Currency = z.string().regex(/^[a-z]{3}$/, "Use a three-letter code such as usd");

const Person = z.object({
  id: z.string(),
  name: z.string(),
  birthDate: z.string().optional(),
  gender: z.string().optional(),
  phone: z.string().optional(),
  email: z.string().optional(),
});

const Appointment = z.object({
  id: z.string(),
  status: z.string(),
  start: z.string().optional(),
  end: z.string().optional(),
  patient: z.string().optional(),
  practitioner: z.string().optional(),
  location: z.string().optional(),
  reason: z.string().optional(),
});

/** National Provider Identifier, ten digits. */
export const Npi = z.string().regex(/^\d{10}$/, "An NPI has ten digits");

const Provider = z.object({
  npi: Npi,
  name: z.string().min(1).max(60),
  state: z
    .string()
    .regex(/^[A-Z]{2}$/)
    .optional(),
});
const Address = z.object({
  line1: z.string().min(1).max(55),
  line2: z.string().max(55).optional(),
  city: z.string().min(2).max(30),
  state: z.string().regex(/^[A-Z]{2}$/),
  postalCode: z.string().regex(/^\d{5}(\d{4})?$/),
});
const Insured = z.object({
  firstName: z.string().min(1).max(35),
  lastName: z.string().min(1).max(60),
  birthDate: z.iso.date(),
  gender: z.enum(["M", "F", "U"]).optional(),
});
const Subscriber = Insured.extend({ memberId: z.string().min(2).max(80) });
/** The patient, where the policy is somebody else's. */
const Dependent = Insured.extend({ relationship: z.enum(["spouse", "child", "other"]) });

const Taxonomy = z.string().regex(/^[A-Z0-9]{10}$/, "A taxonomy code has ten characters");
const Practitioner = z.object({
  npi: Npi,
  firstName: z.string().min(1).max(35),
  lastName: z.string().min(1).max(60),
  taxonomy: Taxonomy.optional(),
});

/** A vendor's own id of a model; the integration's default serves where it is left out. */
export const Model = z.string().min(1).max(128);

/** Throws `VendorFailure` where neither the call nor the integration names a model. */
export function chooseModel(
  model: string | undefined,
  configured: string | undefined,
  field = "Default model",
): string {
  const chosen = model ?? configured;
  if (chosen) return chosen;
  throw notConfigured(
    `Choose a model: give \`model\`, or set “${field}” in the integration's configuration`,
  );
}

/** A recording as base64: 12 MB, since a Worker holds it in memory several times over. */
export const Recording = z.base64().min(1).max(16_000_000);

/** For vendors that fetch a recording themselves: `audio`, or the `url` where they find it. */
export const recording = {
  audio: Recording.optional(),
  url: z
    .url({ protocol: /^https$/ })
    .max(2000)
    .optional(),
  fileName: z.string().max(200).optional(),
};
type Given = { audio?: string | undefined; url?: string | undefined };
/** What `.refine()` takes. */
export const oneRecording: [(given: Given) => boolean, { path: string[]; message: string }] = [
  ({ audio, url }) => (audio === undefined) !== (url === undefined),
  { path: ["audio"], message: "Give either `audio` or `url`" },
];

/**
 * Vendor-neutral operations: what each takes and answers. A vendor's operation that names one must
 * accept these params and answer at least this result; `operation()` checks it by type.
 */
export const capabilities = {
  "sms.send": {
    title: "Send a text message",
    effect: "write",
    params: z.object({ to: Phone, body: z.string().min(1).max(1600), from: z.string().optional() }),
    result: z.object({ id: z.string(), status: z.string() }),
  },
  "sms.status": {
    title: "Read what became of a text message",
    effect: "read",
    ofOne: ["id"],
    params: z.object({ id: z.string().min(1) }),
    result: z.object({ id: z.string(), status: z.string(), error: z.string().optional() }),
  },
  "voice.call": {
    title: "Call and say something",
    effect: "write",
    params: z.object({ to: Phone, say: z.string().min(1).max(3000), from: z.string().optional() }),
    result: z.object({ id: z.string(), status: z.string() }),
  },
  "ai.text.generate": {
    title: "Generate text",
    effect: "read",
    params: z.object({
      model: Model.optional(),
      prompt: z.string().min(1),
      instructions: z.string().optional(),
      maxOutputTokens: z.number().int().positive().optional(),
    }),
    result: z.object({
      id: z.string(),
      text: z.string(),
      model: z.string(),
      usage: z.object({ inputTokens: z.number().int(), outputTokens: z.number().int() }).optional(),
    }),
  },
  "ai.embed": {
    title: "Turn texts into vectors",
    effect: "read",
    params: z.object({
      model: Model.optional(),
      texts: z.array(z.string().min(1)).min(1).max(100),
    }),
    result: z.object({ model: z.string(), vectors: z.array(z.array(z.number())) }),
  },
  "ai.audio.transcribe": {
    title: "Transcribe speech",
    effect: "read",
    params: z.object({
      model: Model.optional(),
      /** Some vendors' own operations take the `url` of a recording instead. */
      audio: Recording,
      /** Its ending tells the format: `visit.mp3`. */
      fileName: z.string().min(3).max(200),
      /** ISO 639-1. */
      language: z
        .string()
        .regex(/^[a-z]{2}$/)
        .optional(),
    }),
    /** `completed` with its `text`, or `processing`: then `ai.audio.transcript` reads it by its `id`. */
    result: z.object({
      status: z.enum(["completed", "processing"]),
      id: z.string().optional(),
      text: z.string().optional(),
    }),
  },
  "ai.audio.transcript": {
    title: "Read a transcript that was not ready at once",
    effect: "read",
    ofOne: ["id"],
    params: z.object({ id: z.string().min(1) }),
    result: z.object({
      id: z.string(),
      status: z.enum(["completed", "processing", "failed"]),
      text: z.string().optional(),
      error: z.string().optional(),
    }),
  },
  "payment.create": {
    title: "Create a payment",
    effect: "write",
    params: z.object({
      /** Minor units: 1050 is 10.50. */
      amount: z.number().int().positive(),
      currency: Currency,
      description: z.string().max(500).optional(),
      reference: z.string().max(200).optional(),
    }),
    result: z.object({ id: z.string(), status: z.string() }),
  },
  "payment.refund": {
    title: "Refund a payment",
    effect: "write",
    ofOne: ["payment"],
    params: z.object({
      payment: z.string().min(1),
      amount: z.number().int().positive().optional(),
    }),
    result: z.object({ id: z.string(), status: z.string() }),
  },
  "patient.search": {
    title: "Search patients",
    effect: "read",
    ofOne: ["cursor"],
    params: z.object({
      family: z.string().optional(),
      given: z.string().optional(),
      birthDate: z.iso.date().optional(),
      identifier: z.string().optional(),
      limit: z.number().int().min(1).max(100).optional(),
      cursor: z.string().optional(),
    }),
    result: z.object({ patients: z.array(Person), next: z.string().optional() }),
  },
  "patient.read": {
    title: "Read a patient",
    effect: "read",
    ofOne: ["id"],
    params: z.object({ id: z.string().min(1) }),
    result: z.object({ patient: Person }),
  },
  "appointment.search": {
    title: "Search appointments",
    effect: "read",
    ofOne: ["patient", "cursor"],
    params: z.object({
      patient: z.string().min(1),
      from: z.iso.date().optional(),
      to: z.iso.date().optional(),
      limit: z.number().int().min(1).max(100).optional(),
      cursor: z.string().optional(),
    }),
    result: z.object({ appointments: z.array(Appointment), next: z.string().optional() }),
  },
  "video.room.create": {
    title: "Create a video room",
    effect: "write",
    params: z.object({
      name: z.string().min(1).max(100),
      description: z.string().max(500).optional(),
    }),
    /** `url` where the vendor hosts a page to join by; else `id` and a token are what a client needs. */
    result: z.object({ id: z.string(), name: z.string(), url: z.string().optional() }),
  },
  "video.token.create": {
    title: "Let somebody into a video room",
    effect: "read",
    ofOne: ["room"],
    params: z.object({
      room: z.string().min(1),
      user: z.string().min(1).max(200),
      role: z.enum(["host", "guest"]).optional(),
      ttlSeconds: z.number().int().min(60).max(86_400).optional(),
    }),
    result: z.object({ token: z.string(), room: z.string(), expiresAt: z.string() }),
  },
  "eligibility.check": {
    title: "Check a patient's coverage (270/271)",
    effect: "read",
    ofOne: ["id"],
    params: z.object({
      payer: z.string().min(1),
      payerName: z.string().min(1).max(60).optional(),
      provider: Provider,
      subscriber: Subscriber,
      dependent: Dependent.optional(),
      /** Of an inquiry that was `pending`, to ask again. */
      id: z.string().optional(),
      /** CCYY-MM-DD; today where it is left out. */
      serviceDate: z.iso.date().optional(),
      /** X12 service type codes; 30 (health benefit plan coverage) where they are left out. */
      serviceTypes: z
        .array(z.string().regex(/^[A-Z0-9]{1,2}$/))
        .max(99)
        .optional(),
    }),
    result: z.object({
      /** `pending`: the payer has not answered; ask again by `id`. */
      status: z.enum(["active", "inactive", "unknown", "pending"]),
      id: z.string().optional(),
      plan: z.string().optional(),
      member: z.string().optional(),
      benefits: z.array(
        z.object({
          /** X12 EB01, such as 1 (active coverage), B (co-payment), C (deductible). */
          code: z.string(),
          name: z.string().optional(),
          serviceTypes: z.array(z.string()),
          amount: z.string().optional(),
          /** `20` is 20 %. */
          percent: z.string().optional(),
          period: z.string().optional(),
          inNetwork: z.boolean().optional(),
        }),
      ),
      errors: z.array(z.object({ code: z.string(), message: z.string() })),
    }),
  },
  "claim.submit": {
    title: "Submit a claim (837)",
    effect: "write",
    params: z.object({
      kind: z.enum(["professional", "institutional"]),
      payer: z.string().min(1),
      payerName: z.string().min(1).max(60),
      provider: Provider.extend({
        taxId: z.string().regex(/^\d{9}$/),
        taxonomy: Taxonomy.optional(),
        address: Address,
      }),
      subscriber: Subscriber.extend({ address: Address.optional() }),
      dependent: Dependent.extend({ address: Address.optional() }).optional(),
      /** Who treated, where it is not the billing provider. */
      rendering: Practitioner.optional(),
      /** Institutional claims only. */
      attending: Practitioner.optional(),
      claim: z.object({
        /** Our own number of the claim (CLM01). */
        number: z.string().min(1).max(20),
        /** Of an institutional claim: the facility type, the first two digits of its type of bill. */
        placeOfService: z.string().regex(/^\d{2}$/),
        /** X12 SBR09, such as CI (commercial), MB (Medicare part B); CI where it is left out. */
        filing: z
          .string()
          .regex(/^[A-Z0-9]{2}$/)
          .optional(),
        /** 1 original, 7 replacement, 8 void; the last two need `payerClaimNumber`. */
        frequency: z.enum(["1", "7", "8"]).optional(),
        payerClaimNumber: z.string().min(1).max(50).optional(),
        priorAuthorization: z.string().min(1).max(50).optional(),
        /** What an institutional claim needs besides. */
        institutional: z
          .object({
            from: z.iso.date(),
            to: z.iso.date(),
            /** UB-04 type of admission, such as 3 (elective). */
            admissionType: z.string().regex(/^\d$/),
            admissionSource: z
              .string()
              .regex(/^[A-Z0-9]$/)
              .optional(),
            /** UB-04 discharge status, such as 01 (home). */
            patientStatus: z.string().regex(/^\d{2}$/),
          })
          .optional(),
        /** ICD-10-CM, without a dot. */
        diagnoses: z
          .array(z.string().regex(/^[A-Z]\d[0-9A-Z]{1,5}$/))
          .min(1)
          .max(12),
        lines: z
          .array(
            z.object({
              /** CPT or HCPCS. */
              procedure: z.string().regex(/^[A-Z0-9]{5}$/),
              modifiers: z
                .array(z.string().regex(/^[A-Z0-9]{2}$/))
                .max(4)
                .optional(),
              /** UB-04 revenue code: institutional claims only. */
              revenueCode: z
                .string()
                .regex(/^\d{4}$/)
                .optional(),
              /** Minor units. */
              charge: z.number().int().positive(),
              units: z.number().positive(),
              serviceDate: z.iso.date(),
              /** 1-based positions in `diagnoses`. */
              diagnosisPointers: z.array(z.number().int().min(1).max(12)).min(1).max(4),
            }),
          )
          .min(1)
          .max(50),
      }),
    }),
    result: z.object({
      id: z.string(),
      status: z.enum(["accepted", "rejected", "pending"]),
      errors: z.array(z.object({ code: z.string(), message: z.string() })),
    }),
  },
  "claim.status": {
    title: "Ask what became of a claim (276/277)",
    effect: "read",
    ofOne: ["id"],
    params: z.object({
      payer: z.string().min(1),
      payerName: z.string().min(1).max(60).optional(),
      provider: Provider,
      subscriber: Subscriber,
      dependent: Dependent.optional(),
      /** The vendor's id of the claim, or of the inquiry that is still pending. */
      id: z.string().optional(),
      /** Our own number of the claim (CLM01), and the payer's. */
      claimNumber: z.string().min(1).max(38).optional(),
      payerClaimNumber: z.string().min(1).max(50).optional(),
      from: z.iso.date(),
      to: z.iso.date(),
      /** Minor units. */
      charge: z.number().int().positive().optional(),
    }),
    result: z.object({
      status: z.enum(["answered", "pending"]),
      id: z.string().optional(),
      claims: z.array(
        z.object({
          /** X12 STC category, such as F1 (finalized, paid) or P1 (pending). */
          category: z.string(),
          code: z.string().optional(),
          /** The payer's number of the claim, and our own. */
          number: z.string().optional(),
          claimNumber: z.string().optional(),
          /** Minor units. */
          charged: z.number().int().optional(),
          paid: z.number().int().optional(),
        }),
      ),
      errors: z.array(z.object({ code: z.string(), message: z.string() })),
    }),
  },
  "message.post": {
    title: "Post a team message",
    effect: "write",
    params: z.object({ text: z.string().min(1).max(4000), channel: z.string().optional() }),
    result: z.object({ id: z.string() }),
  },
} as const satisfies Record<
  string,
  {
    title: string;
    effect: "read" | "write";
    /** Params that mean something at one vendor only, such as an id: at another it may be somebody else's. */
    ofOne?: readonly string[];
    params: z.ZodObject;
    result: z.ZodObject;
  }
>;

export type CapabilityName = keyof typeof capabilities;
export type CapabilityParams<K extends CapabilityName> = z.output<
  (typeof capabilities)[K]["params"]
>;
export type CapabilityResult<K extends CapabilityName> = z.output<
  (typeof capabilities)[K]["result"]
>;

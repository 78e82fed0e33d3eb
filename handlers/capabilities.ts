import * as z from "zod";

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
    effect: "write",
    params: z.object({
      model: z.string().min(1),
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
      model: z.string().min(1),
      texts: z.array(z.string().min(1)).min(1).max(100),
    }),
    result: z.object({ model: z.string(), vectors: z.array(z.array(z.number())) }),
  },
  "ai.audio.transcribe": {
    title: "Transcribe speech",
    effect: "read",
    params: z.object({
      model: z.string().min(1),
      /** The recording, base64. */
      audio: z.base64().min(1),
      /** Its ending tells the format: `visit.mp3`. */
      fileName: z.string().min(3).max(200),
      /** ISO 639-1. */
      language: z
        .string()
        .regex(/^[a-z]{2}$/)
        .optional(),
    }),
    result: z.object({ text: z.string() }),
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
    params: z.object({
      payment: z.string().min(1),
      amount: z.number().int().positive().optional(),
    }),
    result: z.object({ id: z.string(), status: z.string() }),
  },
  "patient.search": {
    title: "Search patients",
    effect: "read",
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
    params: z.object({ id: z.string().min(1) }),
    result: z.object({ patient: Person }),
  },
  "appointment.search": {
    title: "Search appointments",
    effect: "read",
    params: z.object({
      patient: z.string().min(1),
      from: z.iso.date().optional(),
      to: z.iso.date().optional(),
      limit: z.number().int().min(1).max(100).optional(),
      cursor: z.string().optional(),
    }),
    result: z.object({ appointments: z.array(Appointment), next: z.string().optional() }),
  },
  "message.post": {
    title: "Post a team message",
    effect: "write",
    params: z.object({ text: z.string().min(1).max(4000), channel: z.string().optional() }),
    result: z.object({ id: z.string() }),
  },
} as const satisfies Record<
  string,
  { title: string; effect: "read" | "write"; params: z.ZodObject; result: z.ZodObject }
>;

export type CapabilityName = keyof typeof capabilities;
export type CapabilityParams<K extends CapabilityName> = z.output<
  (typeof capabilities)[K]["params"]
>;
export type CapabilityResult<K extends CapabilityName> = z.output<
  (typeof capabilities)[K]["result"]
>;

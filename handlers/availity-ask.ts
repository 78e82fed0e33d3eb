import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import type { Api, Call } from "./api.ts";
import type { Config } from "./availity-fields.ts";
import type { CapabilityParams } from "./capabilities.ts";
import type { FailedReply, Failure } from "./define.ts";
import { notConfigured } from "./failure.ts";
import { rejection } from "./x12-eligibility.ts";

const isField = (field: string | undefined | null) => /^[A-Za-z][\w.[\]]{0,79}$/.test(field ?? "");

const ErrorReply = z.object({
  userMessage: z.string().nullish(),
  developerMessage: z.string().nullish(),
  errors: z.array(z.object({ field: z.string().nullish() })).nullish(),
});

/** Availity's one error envelope. Its texts may hold PHI, so only what they are about is told. */
export function readFailure({ status, body }: FailedReply): Failure | undefined {
  const { data } = ErrorReply.safeParse(body);
  if (!data) return undefined;
  const said = `${data.userMessage ?? ""} ${data.developerMessage ?? ""}`;
  if (status === 401 && /expired/i.test(said)) return { cause: "credentials_expired" };
  if (status === 403)
    return { message: "The application is not subscribed to this product, or not on this plan" };
  if (status === 503) return { message: "The payer cannot be reached now" };
  if (status === 400 && /inbound injection/i.test(said))
    return { message: "Availity refuses characters in this request as unsafe" };
  const field = data.errors?.find((error) => isField(error.field))?.field;
  return field && (status === 400 || status === 422)
    ? { message: `Availity refused ${field}` }
    : undefined;
}

export type Answer<T> = {
  /** 202: not done, to be asked again by `id`. Availity answers so to a POST and to a GET. */
  pending: boolean;
  /** From `Location`. */
  id: string | undefined;
  reply: T | undefined;
};

/** Payers have 20 s to answer (CAQH CORE), and Availity needs some of its own. */
const timeoutMs = 30_000;

/** One request of Availity's accept-and-poll manner: both the status and the body count. */
export async function ask<S extends z.ZodType>(
  api: Api,
  method: "GET" | "POST" | "DELETE",
  path: string,
  schema: S,
  call: Call = {},
): Promise<Answer<z.output<S>>> {
  const headers = { accept: "application/json", ...call.headers };
  const response = await api.send(method, path, { timeoutMs, ...call, headers });
  const text = await response.text();
  const pending = response.status === 202;
  const place = response.headers.get("location");
  const id = place === null ? undefined : /\/([\w-]{1,80})\/?(?:\?.*)?$/.exec(place)?.[1];
  if (text.trim() === "" && (pending || response.status === 204))
    return { pending, id, reply: undefined };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const { data, success } = schema.safeParse(json);
  if (success) return { pending, id, reply: data };
  // What is not done yet may be said in any words.
  if (pending) return { pending, id, reply: undefined };
  throw new VendorFailure("unexpected_reply", undefined, { vendorStatus: response.status });
}

/** Availity leaves out what it does not have, or sends null. */
export const Text = z
  .union([z.string(), z.number().transform(String)])
  .nullish()
  .transform((text) => text || undefined);

/** `2014-06-16T18:38:12.000+0000`, and plain dates. */
export const dateOf = (written: string | undefined) => /^\d{4}-\d\d-\d\d/.exec(written ?? "")?.[0];

/** In progress and retrying; 4 and "Complete" are the end, and anything else is a refusal. */
export function stateOf(status: { status?: string | undefined; statusCode?: string | undefined }) {
  const { status: name = "", statusCode: code = "" } = status;
  if (/^(?:0|R1)$/.test(code) || /progress|retry|pending|accepted/i.test(name)) return "pending";
  if (code === "4" || /complete/i.test(name)) return "complete";
  return code === "" && name === "" ? "unsaid" : "refused";
}

export const Complaint = z.object({ field: Text, code: Text, errorMessage: Text });

export const readComplaints = (complaints: readonly z.output<typeof Complaint>[]) =>
  complaints.map(({ code, field, errorMessage }) =>
    errorMessage === undefined && code !== undefined
      ? rejection(code)
      : { code: code ?? field ?? "error", message: errorMessage ?? "The request was refused" },
  );

export const Id = z
  .string()
  .regex(/^[\w-]{1,80}$/, "An Availity id has letters, digits and hyphens");

type Who = {
  payer?: string | undefined;
  provider?: CapabilityParams<"eligibility.check">["provider"] | undefined;
};

/** What the request does not say is taken from the integration's configuration. */
export function partiesOf({ payer, provider }: Who, values: Config) {
  const asked = payer ?? values.payer;
  const npi = provider?.npi ?? values.providerNpi;
  if (!asked) throw notConfigured("Say which payer is meant, or set a usual payer");
  if (!npi) throw notConfigured("Say which provider asks, or set an NPI");
  return { payer: asked, npi, name: provider?.name, taxId: values.providerTaxId };
}

const relationships = { spouse: "01", child: "19", other: "34" };
type Asked = Pick<CapabilityParams<"eligibility.check">, "subscriber" | "dependent">;
export const patientOf = ({ subscriber, dependent }: Asked) => dependent ?? subscriber;
export const relationshipOf = ({ dependent }: Asked) =>
  dependent ? relationships[dependent.relationship] : "18";

/** Made-up, for the examples. */
export const exampleSubscriber = {
  memberId: "W000000001",
  firstName: "Camila",
  lastName: "Lopez",
  birthDate: "1987-09-12",
} as const;

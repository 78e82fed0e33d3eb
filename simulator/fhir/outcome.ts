import type { OperationOutcome, OperationOutcomeIssue } from "@medplum/fhirtypes";

type Issue = {
  severity: OperationOutcomeIssue["severity"];
  code: OperationOutcomeIssue["code"];
  /** The vendor's number for it. */
  number?: string;
  text: string;
};

export const outcome = (system: string, ...issues: Issue[]): OperationOutcome => ({
  resourceType: "OperationOutcome",
  issue: issues.map(({ severity, code, number, text }) => ({
    severity,
    code,
    details: {
      ...(number === undefined ? {} : { coding: [{ system, code: number, display: text }] }),
      text,
    },
    diagnostics: text,
  })),
});

export const fhirReply = (body: object, status = 200, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/fhir+json; charset=utf-8", ...headers },
  });

/** A refusal in the standard's words alone. */
export const refuse = (
  status: number,
  code: Issue["code"],
  text: string,
  headers?: Record<string, string>,
) => fhirReply(outcome("", { severity: "error", code, text }), status, headers);

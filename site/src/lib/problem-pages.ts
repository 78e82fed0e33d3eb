import { advice } from "../../../handlers/advice.ts";
import { type ProblemCode, problems, type VendorCause, vendorCauses } from "../../../problem.ts";

type Meaning = { means: string; action: string };

const meanings: Record<ProblemCode, Meaning> = {
  invalid_json: {
    means: "The body could not be read as JSON.",
    action: "Check it with a JSON parser: a missing quote or a trailing comma is the usual reason.",
  },
  invalid_webhook: {
    means: "A webhook arrived whose body could not be read in the vendor's format.",
    action:
      "Check that the vendor posts the content type it documents, to the address shown for this integration.",
  },
  unauthenticated: {
    means: "The request has neither a valid session nor a valid API key.",
    action: "Sign in, or send Authorization: Bearer with an API key that is not revoked.",
  },
  webhook_rejected: {
    means: "A webhook's signature does not match, so nothing of it was kept.",
    action:
      "Compare the signing secret stored here with the one in the vendor's console, and the webhook address with the one shown here.",
  },
  forbidden: {
    means:
      "You are known, but your role or key does not allow this, or the organization is not yours.",
    action: "Ask an owner or admin of the organization to do it or to change your role.",
  },
  not_found: {
    means: "Nothing with this address or id exists in your organization.",
    action: "Check the id, and which organization is selected.",
  },
  unknown_vendor: {
    means: "No vendor has this id.",
    action: "Look the id up in the marketplace or with GET /api/integrations/vendors.",
  },
  unknown_operation: {
    means: "The vendor has no operation of this name.",
    action: "The vendor's page lists its operations. Names are case-sensitive.",
  },
  method_not_allowed: {
    means: "The address exists but takes other methods.",
    action: "The Allow header and the API reference say which.",
  },
  conflict: {
    means: "Such a record exists: an organization has one integration a vendor and environment.",
    action: "Change the existing one, or choose the other environment.",
  },
  integration_disabled: {
    means: "The integration is off, so nothing was called.",
    action: "Switch it on, then repeat the request.",
  },
  request_in_progress: {
    means: "A request with the same Idempotency-Key is still running.",
    action: "Wait a moment and repeat it with the same key: you get the first one's answer.",
  },
  no_integration: {
    means: "No integration of your organization that is on can do this.",
    action: "Configure and switch on a vendor that has the capability.",
  },
  stale: {
    means: "Somebody changed the record after you read it, so your change was not applied.",
    action: "Read it again, apply your change to what you got, and send its new ETag as If-Match.",
  },
  too_large: {
    means: "The body is larger than this route accepts.",
    action: "Send less at once, or send it in parts.",
  },
  unsupported_media_type: {
    means: "The route does not take this content type.",
    action: "Send Content-Type: application/json.",
  },
  invalid_request: {
    means: "One or more values are missing or not of the right form. Nothing was changed.",
    action: "The errors member names each field by its path and says what is wrong with it.",
  },
  vendor_failed: {
    means: "The vendor was called and did not do as asked.",
    action: "The cause member says why; each cause has its own page.",
  },
  too_many_requests: {
    means: "You sent more requests than are allowed in this time.",
    action: "Wait as many seconds as the Retry-After header says.",
  },
  internal: {
    means: "Something failed on our side that should not have.",
    action: "Repeat the request once. If it fails again, contact support with the request_id.",
  },
  unavailable: {
    means: "A part that is needed is out of service for the moment.",
    action: "Repeat the request after the seconds in the Retry-After header.",
  },
};

type Section = Meaning & { kind: "api" | "vendor"; title: string; status: number };
export type ProblemPage = { code: string; title: string; sections: Section[] };

/** A page a code; a code that is both ours and a vendor's cause has a section for each. */
export function problemPages(): ProblemPage[] {
  const codes = [...new Set([...Object.keys(problems), ...Object.keys(vendorCauses)])];
  return codes.map((code) => {
    const sections: Section[] = [];
    if (Object.hasOwn(problems, code)) {
      const own = code as ProblemCode;
      sections.push({ kind: "api", ...problems[own], ...meanings[own] });
    }
    if (Object.hasOwn(vendorCauses, code)) {
      const cause = code as VendorCause;
      sections.push({ kind: "vendor", ...vendorCauses[cause], ...advice[cause] });
    }
    return { code, title: sections[0]?.title ?? code, sections };
  });
}

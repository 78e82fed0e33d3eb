import type { VendorCause } from "../problem.ts";

/** What each cause means to the person configuring, and what to do about it. */
export const advice: Record<VendorCause, { means: string; action: string }> = {
  credentials_rejected: {
    means: "The vendor does not accept these credentials.",
    action:
      "Compare each value with the vendor's console, check that it belongs to this environment, then test again.",
  },
  credentials_expired: {
    means: "These credentials were valid once and have expired.",
    action: "Create new ones in the vendor's console, replace them here, then test again.",
  },
  forbidden: {
    means: "The credentials are right, but they lack a permission that is needed.",
    action: "Grant the missing scope or role in the vendor's console, then test again.",
  },
  not_found: {
    means: "The vendor has nothing under the account, instance or identifier given.",
    action: "Check identifiers and addresses for typing mistakes and for the right environment.",
  },
  rate_limited: {
    means: "The vendor limits how many calls may be made, and the limit is reached.",
    action: "Wait a minute, then test again. The values themselves may be right.",
  },
  vendor_unavailable: {
    means: "The vendor is not answering properly at the moment.",
    action:
      "Look at the vendor's status page and test again later. If you gave the address, check it.",
  },
  timeout: {
    means: "The vendor did not answer within 15 seconds.",
    action: "Test again. If it repeats, check the endpoint and the vendor's allow-list.",
  },
  unexpected_reply: {
    means: "Something answered, but not in the way this vendor's API does.",
    action: "Check the endpoint: it may be a sign-in page, a proxy or another product.",
  },
  invalid_request: {
    means: "The vendor refused the request itself.",
    action: "Check the form of each value against its help text, then test again.",
  },
  not_configured: {
    means: "The call needs something that neither it nor the integration's configuration says.",
    action: "Open the integration, fill in the setting that the message names, and save.",
  },
};

/** The same for one integration: what ends for a person who signed in is not replaced in a form. */
export const actionOf = (cause: VendorCause, isConnected: boolean) =>
  isConnected && cause === "credentials_expired"
    ? "A person has to press Connect on the integration's page and sign in."
    : advice[cause].action;

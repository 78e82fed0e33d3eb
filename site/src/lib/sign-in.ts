import type { SignInError } from "../../../functions/oauth.ts";
import { startSignIn } from "./api.ts";

/** What the callback's `oauth_error` says, and what to do about it. */
const errors: Record<SignInError, { means: string; action: string }> = {
  state: {
    means: "This sign-in was used already, or it was not begun here.",
    action: "Connect again from the integration's page.",
  },
  expired: {
    means: "The sign-in took longer than ten minutes.",
    action: "Connect again; have the vendor's password at hand.",
  },
  browser: {
    means: "The sign-in was begun in another browser.",
    action: "Begin and finish it in the same browser.",
  },
  session: {
    means:
      "You are signed out here, are somebody else than who began it, or may not change integrations any more.",
    action: "Sign in as the person who began it, then connect again.",
  },
  changed: {
    means: "The configuration changed while you were at the vendor.",
    action: "Connect again with the configuration as it is now.",
  },
  issuer: {
    means: "The answer came from another server than the one that was asked, and was not accepted.",
    action:
      "Check the sign-in addresses and the issuer. If it happens again, do not go on: ask us.",
  },
  access_denied: {
    means: "The vendor was told not to allow it: by you, or by an administrator there.",
    action: "Connect again and agree, or ask the administrator of your account there.",
  },
  scope: {
    means: "The vendor does not let this app have all that it asks for.",
    action: "Allow the scopes in the app's settings at the vendor, or ask for fewer here.",
  },
  client: {
    means: "The vendor does not accept the client ID with this secret or key.",
    action: "Compare both with the app's settings at the vendor, then connect again.",
  },
  refused: {
    means: "The vendor took its own code back: it was too old, used, or meant for another address.",
    action: "Check that the app's redirect URL at the vendor is this site's, then connect again.",
  },
  unavailable: {
    means: "The vendor, or this service, did not answer in time.",
    action: "Nothing was changed. Connect again in a little while.",
  },
  unexpected: {
    means: "Something answered, but not as a token endpoint does.",
    action: "Check the token URL: it may be a web page or a proxy.",
  },
};

export type Outcome = "connected" | { means: string; action: string };

/** What a sign-in came to, as the address says it; it is taken out, so that a reload does not say it again. */
export function takeOutcome(): Outcome | undefined {
  const url = new URL(location.href);
  const error = url.searchParams.get("oauth_error");
  const connected = url.searchParams.has("connected");
  if (error === null && !connected) return undefined;
  url.searchParams.delete("oauth_error");
  url.searchParams.delete("connected");
  history.replaceState(history.state, "", url);
  if (error === null) return "connected";
  return Object.hasOwn(errors, error) ? errors[error as SignInError] : errors.unexpected;
}

/** Leaves this page for the vendor's; the answer of the vendor leads to the integration's page. */
export async function goConnect(id: string): Promise<void> {
  location.assign((await startSignIn(id)).data.authorization_url);
}

import { useEffect, useState } from "preact/hooks";

import { ApiProblem, signInAddress } from "../lib/api.ts";
import {
  acceptInvitation,
  getInvitation,
  getSession,
  type Invitation,
  selectOrg,
} from "../lib/auth.ts";
import { Icon } from "./Icon.tsx";
import { NeedsPassword } from "./NeedsPassword.tsx";

type State =
  | { kind: "loading" }
  | { kind: "signed-out" }
  | { kind: "open"; invitation: Invitation }
  | { kind: "needs-password"; reason: string }
  | { kind: "bad"; reason: string };

export function InvitationCard() {
  const id = new URLSearchParams(location.search).get("id") ?? "";
  const [state, setState] = useState<State>({ kind: "loading" });
  const [busy, setBusy] = useState(false);
  const complain = (error: unknown) =>
    setState({ kind: "bad", reason: error instanceof Error ? error.message : String(error) });

  async function load() {
    if (!id) return setState({ kind: "bad", reason: "The link has no invitation in it." });
    const session = await getSession();
    if (!session) return setState({ kind: "signed-out" });
    try {
      setState({ kind: "open", invitation: await getInvitation(id) });
    } catch (error) {
      if (!(session.bySso && error instanceof ApiProblem && error.status === 403)) throw error;
      setState({ kind: "needs-password", reason: error.message });
    }
  }
  useEffect(() => void load().catch(complain), []);

  async function accept(invitation: Invitation) {
    setBusy(true);
    await acceptInvitation(id);
    await selectOrg(invitation.organizationId);
    location.assign("/integrations/");
  }

  if (state.kind === "loading") return <span class="skeleton skeleton-row" />;
  if (state.kind === "signed-out")
    return (
      <div class="stack">
        <p>Sign in with the address that was invited, or create an account with it.</p>
        <div class="row">
          <a class="button button-primary" href={signInAddress()}>
            Sign in
          </a>
          <a class="button button-plain" href={signInAddress().replace("/sign-in/", "/sign-up/")}>
            Create an account
          </a>
        </div>
      </div>
    );
  if (state.kind === "needs-password")
    return (
      <NeedsPassword reason={state.reason}>
        <p>
          If you have none, ask an owner or admin of your organization for a link that sets one.
        </p>
      </NeedsPassword>
    );
  if (state.kind === "bad")
    return (
      <div class="note note-bad" role="alert">
        <Icon name="alert" />
        <div>
          <b>This invitation cannot be used</b>
          <p>{state.reason}</p>
          <p>
            Invitations expire, and are for one address. Ask whoever invited you to send another, or
            sign in with the address it was sent to.
          </p>
        </div>
      </div>
    );
  const { organizationName, inviterEmail, role } = state.invitation;
  return (
    <div class="stack">
      <p>
        {inviterEmail} invites you to <strong>{organizationName}</strong> as {role}.
      </p>
      <button
        type="button"
        class="button button-primary button-wide"
        disabled={busy}
        onClick={() => void accept(state.invitation).catch(complain)}
      >
        {busy && <span class="spinner" />}
        Join {organizationName}
      </button>
    </div>
  );
}

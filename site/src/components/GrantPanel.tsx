import { Fragment } from "preact";
import { useState } from "preact/hooks";

import { announce } from "../lib/announce.tsx";
import { disconnect, type Integration } from "../lib/api.ts";
import { may } from "../lib/roles.ts";
import { goConnect } from "../lib/sign-in.ts";
import { ago, fullTime } from "../lib/time.ts";
import { Confirm } from "./Confirm.tsx";
import { Icon } from "./Icon.tsx";
import { messageOf } from "./States.tsx";

type Grant = NonNullable<Integration["grant"]>;
type Props = {
  id: string;
  grant: Grant;
  vendor: string;
  /** After it was disconnected. */
  onGrant: (grant: Grant | null) => void;
};

const looks = {
  not_connected: { tone: "note-warn", icon: "link", title: "Not connected yet" },
  connected: { tone: "note-good", icon: "check-circle", title: "Connected" },
  reconnect: { tone: "note-bad", icon: "alert", title: "Connect again" },
} as const;

function explain({ status, connected_at, ends_at, refreshes, last_error }: Grant, vendor: string) {
  if (status === "not_connected")
    return `Calls fail until a person signs in at ${vendor} and agrees.`;
  if (status === "reconnect")
    return `${last_error ?? `${vendor} no longer accepts the sign-in`}. Calls fail until a person signs in again.`;
  const since = connected_at ? `Since ${ago(connected_at)} (${fullTime(connected_at)}). ` : "";
  const renewed = refreshes ? "Renewed by itself" : "Not renewed: the vendor gave no refresh token";
  return `${since}${renewed}${ends_at ? `, until ${fullTime(ends_at)}` : ""}.`;
}

/** What a person has allowed at the vendor, and the way to allow it, again or no more. */
export function GrantPanel({ id, grant, vendor, onGrant }: Props) {
  const [busy, setBusy] = useState(false);
  const [ending, setEnding] = useState(false);
  const { tone, icon, title } = looks[grant.status];
  const connected = grant.status === "connected";
  const writes = may("integrations:write");

  async function connect() {
    setBusy(true);
    try {
      await goConnect(id);
    } catch (error) {
      announce(`Not connected. ${messageOf(error)}`, "bad");
      setBusy(false);
    }
  }

  return (
    <section class="stack" aria-label={`Sign-in at ${vendor}`}>
      <div class={`note ${tone}`}>
        <Icon name={icon} />
        <div>
          <b>{title}</b>
          <p>{explain(grant, vendor)}</p>
          {connected && grant.last_error && <p>The last renewal failed: {grant.last_error}.</p>}
          {writes && (
            <div class="row">
              <button
                type="button"
                class={`button button-small ${connected ? "button-plain" : "button-primary"}`}
                aria-disabled={busy}
                onClick={() => !busy && void connect()}
              >
                {busy ? <span class="spinner" /> : <Icon name="link" size={14} />}
                {grant.status === "not_connected" ? `Connect with ${vendor}` : "Reconnect"}
              </button>
              {connected && (
                <button
                  type="button"
                  class="button button-quiet button-small"
                  onClick={() => setEnding(true)}
                >
                  Disconnect
                </button>
              )}
            </div>
          )}
        </div>
      </div>
      {grant.missing.length > 0 && (
        <div class="note note-warn">
          <Icon name="alert" />
          <p>
            {vendor} did not grant <Scopes of={grant.missing} />. Operations that need it will be
            refused.
          </p>
        </div>
      )}
      {grant.scopes_asked.length + grant.scopes_granted.length > 0 && (
        <dl class="review">
          <div>
            <dt>Asked for</dt>
            <dd>
              <Scopes of={grant.scopes_asked} />
            </dd>
          </div>
          {grant.status !== "not_connected" && (
            <div>
              <dt>Granted</dt>
              <dd>
                <Scopes of={grant.scopes_granted} />
              </dd>
            </div>
          )}
        </dl>
      )}
      {ending && (
        <Confirm
          title={`Disconnect ${vendor}?`}
          action="Disconnect"
          danger
          onClose={() => setEnding(false)}
          onConfirm={async () => {
            const { data, message } = await disconnect(id);
            setEnding(false);
            announce(message, data.revocation === "failed" ? "bad" : "good");
            onGrant(data.grant);
          }}
        >
          <p>
            Its tokens are revoked at {vendor} and erased here. Calls fail until somebody connects
            it again.
          </p>
        </Confirm>
      )}
    </section>
  );
}

function Scopes({ of }: { of: readonly string[] }) {
  if (of.length === 0) return <>Nothing</>;
  return (
    <>
      {of.map((scope, at) => (
        <Fragment key={scope}>
          {at > 0 && " "}
          <code>{scope}</code>
        </Fragment>
      ))}
    </>
  );
}

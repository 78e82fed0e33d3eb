import { useEffect, useState } from "preact/hooks";

import { announce } from "../../lib/announce.tsx";
import { may } from "../../lib/roles.ts";
import {
  type IdentityProvider,
  listProviders,
  removeProvider,
  verifyProvider,
} from "../../lib/sso.ts";
import { ago } from "../../lib/time.ts";
import { Confirm } from "../Confirm.tsx";
import { CopyField } from "../CopyField.tsx";
import { Icon } from "../Icon.tsx";
import { Empty, Failed, Loading, messageOf } from "../States.tsx";
import { AddProviderDialog } from "./AddProviderDialog.tsx";

export function SsoPage() {
  const [rows, setRows] = useState<IdentityProvider[]>();
  const [failure, setFailure] = useState<unknown>();
  const [adding, setAdding] = useState(false);
  const allowed = may("sso:write");
  const load = () => {
    setFailure(undefined);
    listProviders().then(setRows, setFailure);
  };
  useEffect(() => {
    if (allowed) load();
  }, []);

  if (!allowed)
    return (
      <Empty icon="lock" title="Owners and admins set this up">
        <p>If your organization uses it, choose “Continue with single sign-on” when you sign in.</p>
      </Empty>
    );
  if (failure) return <Failed error={failure} onRetry={load} />;
  if (!rows) return <Loading rows={2} />;
  const add = (
    <button type="button" class="button button-primary" onClick={() => setAdding(true)}>
      <Icon name="plus" /> Add a provider
    </button>
  );
  return (
    <div class="stack">
      {rows.length === 0 ? (
        <Empty icon="lock" title="No provider yet">
          <p>
            Works with Microsoft Entra, Okta, Keycloak and every other OpenID Connect provider.
            Whoever signs in there becomes a member here.
          </p>
          <div class="row">{add}</div>
        </Empty>
      ) : (
        <>
          <div class="row">{add}</div>
          <ul class="lines">
            {rows.map((row) => (
              <ProviderEntry
                key={row.id}
                row={row}
                onChange={(now) => setRows(rows.map((one) => (one.id === row.id ? now : one)))}
                onGone={load}
              />
            ))}
          </ul>
        </>
      )}
      {adding && (
        <AddProviderDialog
          onClose={() => setAdding(false)}
          onAdded={() => {
            setAdding(false);
            load();
          }}
        />
      )}
    </div>
  );
}

type EntryProps = {
  row: IdentityProvider;
  onChange: (row: IdentityProvider) => void;
  onGone: () => void;
};

function ProviderEntry({ row, onChange, onGone }: EntryProps) {
  const [removing, setRemoving] = useState(false);
  const [busy, setBusy] = useState(false);
  const [missing, setMissing] = useState("");

  async function verify() {
    setBusy(true);
    setMissing("");
    try {
      const { success, data, message } = await verifyProvider(row.id);
      if (success) announce(message);
      else setMissing(message);
      onChange(data);
    } catch (error) {
      setMissing(messageOf(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <li class="entry">
      <div class="entry-name">
        <h2>
          {row.name}
          {row.verified_at ? (
            <span class="status status-good">
              <Icon name="check" size={14} /> In use
            </span>
          ) : (
            <span class="status status-warn">
              <Icon name="clock" size={14} /> Waits for the domain
            </span>
          )}
        </h2>
        <p class="quiet small">
          {row.domain} · {row.issuer} ·{" "}
          {row.last_used_at ? `used ${ago(row.last_used_at)}` : "never used"}
        </p>
      </div>
      <div class="entry-end">
        {!row.verified_at && (
          <button
            type="button"
            class="button button-primary button-small"
            disabled={busy}
            onClick={() => void verify()}
          >
            {busy && <span class="spinner" />}
            Verify
          </button>
        )}
        <button
          type="button"
          class="button button-plain button-small"
          aria-label={`Remove ${row.name}`}
          onClick={() => setRemoving(true)}
        >
          Remove
        </button>
      </div>
      {!row.verified_at && (
        <div class="stack">
          <ol class="numbered">
            <li>
              At the provider, allow this redirect address:
              <CopyField label="Redirect address" text={row.redirect_uri} />
            </li>
            <li>
              At the domain’s name servers, add a TXT record named
              <CopyField label="Record name" text={row.txt_name} />
              with this value:
              <CopyField label="Record value" text={row.txt_value} />
            </li>
            <li>Press Verify. Until then nobody can sign in this way.</li>
          </ol>
          {missing && (
            <div class="note note-warn" role="alert">
              <Icon name="alert" />
              <p>{missing}</p>
            </div>
          )}
        </div>
      )}
      {removing && (
        <Confirm
          title={`Remove ${row.name}?`}
          action="Remove"
          danger
          onClose={() => setRemoving(false)}
          onConfirm={async () => {
            await removeProvider(row.id);
            announce(`${row.name} is removed`);
            setRemoving(false);
            onGone();
          }}
        >
          <p>
            Nobody signs in through it any more. Whoever has no password here needs a reset link
            from you. Sessions that are open stay.
          </p>
        </Confirm>
      )}
    </li>
  );
}

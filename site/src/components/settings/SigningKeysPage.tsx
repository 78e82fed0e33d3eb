import { useEffect, useState } from "preact/hooks";

import { announce } from "../../lib/announce.tsx";
import { listMembers } from "../../lib/organization.ts";
import { may } from "../../lib/roles.ts";
import {
  listSigningKeys,
  retireSigningKey,
  shownUntil,
  type SigningKey,
} from "../../lib/signing-keys.ts";
import { ago, fullTime } from "../../lib/time.ts";
import { loadCatalog } from "../../lib/vendor-names.ts";
import { Confirm } from "../Confirm.tsx";
import { CopyField } from "../CopyField.tsx";
import { Dialog } from "../Dialog.tsx";
import { Icon } from "../Icon.tsx";
import { Empty, Failed, Loading } from "../States.tsx";
import { NewSigningKeyDialog } from "./NewSigningKeyDialog.tsx";

type Names = ReadonlyMap<string, string>;
type Loaded = { keys: SigningKey[]; url: string; people: Names; vendors: Names };

const pageOf = (id: string) => `/integrations/view/?id=${id}`;

export function SigningKeysPage({ orgId }: { orgId: string }) {
  const [loaded, setLoaded] = useState<Loaded>();
  const [failure, setFailure] = useState<unknown>();
  const [adding, setAdding] = useState(false);
  const [leaving, setLeaving] = useState<SigningKey>();
  const allowed = may("signing-keys:write");

  const load = () => {
    setFailure(undefined);
    Promise.all([listSigningKeys(), listMembers(orgId), loadCatalog()]).then(
      ([{ data, jwks_url }, members, catalog]) =>
        setLoaded({
          keys: data,
          url: jwks_url,
          people: new Map(members.map(({ userId, user }) => [userId, user.name])),
          vendors: new Map([...catalog].map(([id, { name }]) => [id, name])),
        }),
      setFailure,
    );
  };
  useEffect(load, []);

  if (failure) return <Failed error={failure} onRetry={load} />;
  if (!loaded) return <Loading rows={3} />;
  const { keys, url, people, vendors } = loaded;
  const add = allowed && (
    <div class="row">
      <button type="button" class="button button-primary" onClick={() => setAdding(true)}>
        <Icon name="plus" /> New signing key
      </button>
    </div>
  );
  return (
    <div class="stack">
      {keys.length === 0 ? (
        <Empty icon="lock" title="No signing keys yet">
          <p>
            An EHR that knows your organization by a key reads its public half from an address of
            ours.{" "}
            {allowed
              ? "Make a key, register the address there, and no private key has to be kept anywhere."
              : "Owners and admins make one."}
          </p>
          {add}
        </Empty>
      ) : (
        <>
          {add}
          <section class="field" aria-label="JWK Set URL">
            <span class="label">JWK Set URL</span>
            <CopyField label="JWK Set URL" text={url} />
            <p class="field-help">
              Register it at the vendor, as your app’s key set. It shows the public halves of the
              keys in use, and of those that were retired within the day.
            </p>
          </section>
          <ul class="lines">
            {keys.map((row) => (
              <SigningKeyEntry
                key={row.id}
                row={row}
                vendors={vendors}
                maker={
                  row.created_by ? (people.get(row.created_by) ?? "a former member") : "a program"
                }
                onRetire={allowed ? () => setLeaving(row) : undefined}
              />
            ))}
          </ul>
        </>
      )}
      {adding && <NewSigningKeyDialog onClose={() => setAdding(false)} onMade={load} />}
      {leaving && (
        <RetireDialog
          row={leaving}
          vendors={vendors}
          onClose={() => setLeaving(undefined)}
          onRetired={() => {
            announce("The key is retired");
            setLeaving(undefined);
            load();
          }}
        />
      )}
    </div>
  );
}

function Users({ row, vendors }: { row: SigningKey; vendors: Names }) {
  return (
    <ul class="scopes" aria-label="Integrations that sign with it">
      {row.used_by.map(({ id, vendor_id, environment }) => (
        <li key={id} class="badge badge-line">
          <a href={pageOf(id)}>{vendors.get(vendor_id) ?? vendor_id}</a>, {environment}
        </li>
      ))}
    </ul>
  );
}

type EntryProps = {
  row: SigningKey;
  vendors: Names;
  maker: string;
  onRetire: (() => void) | undefined;
};

function SigningKeyEntry({ row, vendors, maker, onRetire }: EntryProps) {
  const until = shownUntil(row);
  return (
    <li class="entry">
      <div class="entry-name">
        <h2>
          {row.algorithm}
          {row.retired_at ? (
            <span class="status">
              <Icon name="close" size={14} /> Retired
            </span>
          ) : (
            <span class="status status-good">
              <Icon name="check" size={14} /> {row.used_by.length ? "In use" : "Ready"}
            </span>
          )}
        </h2>
        <CopyField label="Key ID" text={row.kid} />
        <p class="quiet small">
          <span title={fullTime(row.created_at)}>
            Made {ago(row.created_at)} by {maker}
          </span>
          {row.retired_at && (
            <>
              {" · "}
              <span title={fullTime(row.retired_at)}>retired {ago(row.retired_at)}</span>
              {until && ` · in the key set until ${fullTime(until.toISOString())}`}
            </>
          )}
          {!row.retired_at && row.used_by.length === 0 && " · no integration signs with it"}
        </p>
        {row.used_by.length > 0 && <Users row={row} vendors={vendors} />}
      </div>
      {onRetire && !row.retired_at && (
        <div class="entry-end">
          <button
            type="button"
            class="button button-plain button-small"
            aria-label={`Retire the key ${row.kid}`}
            onClick={onRetire}
          >
            Retire
          </button>
        </div>
      )}
    </li>
  );
}

type RetireProps = {
  row: SigningKey;
  vendors: Names;
  onClose: () => void;
  onRetired: () => void;
};

function RetireDialog({ row, vendors, onClose, onRetired }: RetireProps) {
  if (row.used_by.length)
    return (
      <Dialog label="This key is in use" kind="dialog" role="alertdialog" onClose={onClose}>
        <h2>This key is in use</h2>
        <div class="soft stack">
          <p>
            These integrations sign in with it, and would stop at once. Give each another key first,
            then retire this one.
          </p>
          <Users row={row} vendors={vendors} />
        </div>
        <div class="dialog-actions">
          <button type="button" class="button button-primary" onClick={onClose}>
            Close
          </button>
        </div>
      </Dialog>
    );
  return (
    <Confirm
      title="Retire this key?"
      action="Retire"
      danger
      onClose={onClose}
      onConfirm={async () => {
        await retireSigningKey(row.id);
        onRetired();
      }}
    >
      <p>
        Its private half is erased now, so that nothing can sign with it again: an integration that
        is given this key ID fails. Vendors can still verify by it for 24 hours; then it leaves the
        key set. This cannot be undone.
      </p>
      <p>
        <code>{row.kid}</code>
      </p>
    </Confirm>
  );
}

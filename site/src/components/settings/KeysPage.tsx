import { useEffect, useState } from "preact/hooks";

import { announce } from "../../lib/announce.tsx";
import { type Key, listKeys, revokeKey, type Scope } from "../../lib/keys.ts";
import { listMembers } from "../../lib/organization.ts";
import { may } from "../../lib/roles.ts";
import { ago, fullTime } from "../../lib/time.ts";
import { Confirm } from "../Confirm.tsx";
import { Icon } from "../Icon.tsx";
import { Empty, Failed, Loading } from "../States.tsx";
import { NewKeyDialog } from "./NewKeyDialog.tsx";

type Loaded = { keys: Key[]; scopes: Scope[]; names: ReadonlyMap<string, string> };

export function KeysPage({ orgId }: { orgId: string }) {
  const [loaded, setLoaded] = useState<Loaded>();
  const [failure, setFailure] = useState<unknown>();
  const [adding, setAdding] = useState(false);
  const [leaving, setLeaving] = useState<Key>();
  const allowed = may("keys:write");

  const load = () => {
    setFailure(undefined);
    Promise.all([listKeys(), listMembers(orgId)]).then(
      ([{ data, scopes }, people]) =>
        setLoaded({
          keys: data,
          scopes,
          names: new Map(people.map(({ userId, user }) => [userId, user.name])),
        }),
      setFailure,
    );
  };
  useEffect(() => {
    if (allowed) load();
  }, []);

  if (!allowed)
    return (
      <Empty icon="key" title="Owners and admins manage keys">
        <p>Ask one of them for a key, and say what it is to be used for.</p>
      </Empty>
    );
  if (failure) return <Failed error={failure} onRetry={load} />;
  if (!loaded) return <Loading rows={3} />;
  const { keys, scopes, names } = loaded;
  const add = (
    <button type="button" class="button button-primary" onClick={() => setAdding(true)}>
      <Icon name="plus" /> New key
    </button>
  );
  return (
    <div class="stack">
      {keys.length === 0 ? (
        <Empty icon="key" title="No keys yet">
          <p>
            A program sends its key as a bearer token. Give each program a key of its own, with no
            more scopes than it needs.
          </p>
          <div class="row">{add}</div>
        </Empty>
      ) : (
        <>
          <div class="row">{add}</div>
          <ul class="lines">
            {keys.map((row) => (
              <KeyEntry key={row.id} row={row} names={names} onRevoke={() => setLeaving(row)} />
            ))}
          </ul>
        </>
      )}
      {adding && <NewKeyDialog scopes={scopes} onClose={() => setAdding(false)} onMade={load} />}
      {leaving && (
        <Confirm
          title={`Revoke ${leaving.name}?`}
          action="Revoke"
          danger
          onClose={() => setLeaving(undefined)}
          onConfirm={async () => {
            await revokeKey(leaving.id);
            announce(`${leaving.name} is revoked`);
            setLeaving(undefined);
            load();
          }}
        >
          <p>
            Whatever uses it stops at its next request. This cannot be undone
            {leaving.last_used_at ? `; it was last used ${ago(leaving.last_used_at)}` : ""}.
          </p>
        </Confirm>
      )}
    </div>
  );
}

const soonMs = 14 * 86_400_000;

function KeyEntry({
  row,
  names,
  onRevoke,
}: {
  row: Key;
  names: ReadonlyMap<string, string>;
  onRevoke: () => void;
}) {
  const left = row.expires_at ? Date.parse(row.expires_at) - Date.now() : Infinity;
  const maker = row.created_by ? (names.get(row.created_by) ?? "a former member") : "the system";
  return (
    <li class="entry">
      <div class="entry-name">
        <h2>
          {row.name} <code>{row.start}…</code>
          {left <= 0 ? (
            <span class="status status-bad">
              <Icon name="alert" size={14} /> Expired
            </span>
          ) : (
            left < soonMs && (
              <span class="status status-warn">
                <Icon name="clock" size={14} /> Expires soon
              </span>
            )
          )}
        </h2>
        <p class="quiet small">
          {row.last_used_at ? (
            <span title={fullTime(row.last_used_at)}>Used {ago(row.last_used_at)}</span>
          ) : (
            "Never used"
          )}
          {" · "}
          {row.expires_at ? (
            <span title={fullTime(row.expires_at)}>
              {left <= 0 ? "expired" : "expires"} {ago(row.expires_at)}
            </span>
          ) : (
            "does not expire"
          )}
          {" · "}
          <span title={fullTime(row.created_at)}>
            made {ago(row.created_at)} by {maker}
          </span>
        </p>
        <ul class="scopes" aria-label="Scopes">
          {row.scopes ? (
            row.scopes.map((scope) => (
              <li key={scope} class="badge badge-line">
                <code>{scope}</code>
              </li>
            ))
          ) : (
            <li class="badge">Everything</li>
          )}
        </ul>
      </div>
      <div class="entry-end">
        <button
          type="button"
          class="button button-plain button-small"
          aria-label={`Revoke ${row.name}`}
          onClick={onRevoke}
        >
          Revoke
        </button>
      </div>
    </li>
  );
}

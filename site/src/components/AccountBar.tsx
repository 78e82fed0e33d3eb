import { useEffect, useState } from "preact/hooks";

import { announce } from "../lib/announce.tsx";
import { addOrg, listOrgs, type Org, selectOrg, type Session, signOut } from "../lib/auth.ts";
import { Dialog } from "./Dialog.tsx";
import { Icon } from "./Icon.tsx";
import { Menu } from "./Menu.tsx";

const complain = (error: unknown) =>
  announce(error instanceof Error ? error.message : String(error), "bad");

async function leave() {
  await signOut();
  location.assign("/");
}

async function enter(org: Org) {
  await selectOrg(org.id);
  location.reload();
}

export function AccountBar({ session }: { session: Session }) {
  const [orgs, setOrgs] = useState<Org[]>();
  const [adding, setAdding] = useState(false);
  useEffect(() => {
    listOrgs().then(setOrgs, complain);
  }, []);
  const current = orgs?.find((org) => org.id === session.orgId);
  const { name, email } = session.user;

  return (
    <>
      <Menu
        label={`Organization: ${current?.name ?? "none"}`}
        faceClass="button button-quiet org-button"
        face={
          <>
            <Icon name="org" />
            <span class="org-name">
              {orgs ? (current?.name ?? "No organization") : <i class="skeleton skeleton-line" />}
            </span>
            <Icon name="chevron-down" size={14} />
          </>
        }
      >
        <p>Organizations</p>
        {orgs?.map((org) => (
          <button
            key={org.id}
            type="button"
            role="menuitemradio"
            aria-checked={org === current}
            tabIndex={-1}
            onClick={() => org !== current && void enter(org).catch(complain)}
          >
            {org.name}
            {org === current && <Icon name="check" />}
          </button>
        ))}
        <hr />
        {session.orgId && (
          <>
            <a href="/settings/" role="menuitem" tabIndex={-1}>
              <Icon name="org" /> Settings and members
            </a>
            <a href="/settings/keys/" role="menuitem" tabIndex={-1}>
              <Icon name="key" /> API keys
            </a>
            <a href="/settings/signing-keys/" role="menuitem" tabIndex={-1}>
              <Icon name="lock" /> Signing keys
            </a>
            <hr />
          </>
        )}
        {session.bySso ? (
          <p>You came by single sign-on. For another organization, sign in with your password.</p>
        ) : (
          <button type="button" role="menuitem" tabIndex={-1} onClick={() => setAdding(true)}>
            <Icon name="plus" /> New organization
          </button>
        )}
      </Menu>
      <Menu
        label={`Account: ${email}`}
        faceClass="avatar"
        face={<span aria-hidden="true">{(name || email).slice(0, 1).toUpperCase()}</span>}
      >
        <p>
          {name}
          <br />
          {email}
        </p>
        <hr />
        <a href="/settings/security/" role="menuitem" tabIndex={-1}>
          <Icon name="lock" /> Your security
        </a>
        <button
          type="button"
          role="menuitem"
          tabIndex={-1}
          onClick={() => void leave().catch(complain)}
        >
          <Icon name="sign-out" /> Sign out
        </button>
      </Menu>
      {adding && <NewOrg onClose={() => setAdding(false)} />}
    </>
  );
}

function NewOrg({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [failure, setFailure] = useState("");
  async function add(event: Event) {
    event.preventDefault();
    try {
      await addOrg(name.trim());
      location.assign("/");
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
  }
  return (
    <Dialog label="New organization" kind="dialog" onClose={onClose}>
      <form onSubmit={(event) => void add(event)}>
        <h2>New organization</h2>
        <div class="field">
          <label for="new-org">Name</label>
          <input
            id="new-org"
            class="input"
            required
            maxLength={80}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <p class="field-help">Integrations, members and activity belong to an organization.</p>
          {failure && (
            <p class="field-error" role="alert">
              {failure}
            </p>
          )}
        </div>
        <div class="dialog-actions">
          <button class="button button-plain" type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="button button-primary" disabled={!name.trim()}>
            Create
          </button>
        </div>
      </form>
    </Dialog>
  );
}

import { useEffect, useState } from "preact/hooks";

import { announce } from "../../lib/announce.tsx";
import { listOrgs } from "../../lib/auth.ts";
import type { Member } from "../../lib/gate.tsx";
import {
  cancelInvitation,
  invitationLink,
  type Invited,
  leave,
  listInvitations,
  listMembers,
  type Person,
  rename,
  roleTexts,
} from "../../lib/organization.ts";
import { ago } from "../../lib/time.ts";
import { Confirm } from "../Confirm.tsx";
import { copy } from "../CopyField.tsx";
import { Icon } from "../Icon.tsx";
import { Failed, Loading, messageOf } from "../States.tsx";
import { Field } from "./Field.tsx";
import { InviteDialog } from "./InviteDialog.tsx";
import { MemberEntry } from "./MemberEntry.tsx";

type Loaded = { name: string; people: Person[]; invited: Invited[] };

export function OrganizationPage({ member }: { member: Member }) {
  const { orgId, role, user } = member;
  const [loaded, setLoaded] = useState<Loaded>();
  const [failure, setFailure] = useState<unknown>();
  const [inviting, setInviting] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const manages = role === "owner" || role === "admin";

  const load = () => {
    setFailure(undefined);
    Promise.all([listOrgs(), listMembers(orgId), manages ? listInvitations(orgId) : []]).then(
      ([orgs, people, invited]) =>
        setLoaded({ name: orgs.find((org) => org.id === orgId)?.name ?? "", people, invited }),
      setFailure,
    );
  };
  useEffect(load, []);

  if (failure) return <Failed error={failure} onRetry={load} />;
  if (!loaded) return <Loading rows={4} />;
  const { name, people, invited } = loaded;
  const lastOwner =
    role === "owner" && people.filter((person) => person.role === "owner").length === 1;
  return (
    <>
      {manages && (
        <section class="setting" aria-labelledby="name-title">
          <h2 id="name-title">Name</h2>
          <NameForm orgId={orgId} name={name} />
        </section>
      )}
      <section class="setting" aria-labelledby="members-title">
        <div class="setting-head">
          <div>
            <h2 id="members-title">
              Members <span class="count">{people.length}</span>
            </h2>
            <p>A change of role counts from the next request on.</p>
          </div>
          {manages && (
            <button type="button" class="button button-primary" onClick={() => setInviting(true)}>
              <Icon name="plus" /> Invite
            </button>
          )}
        </div>
        <ul class="lines">
          {people.map((person) => (
            <MemberEntry
              key={person.id}
              person={person}
              orgId={orgId}
              mine={person.userId === user.id}
              myRole={role}
              onChanged={load}
            />
          ))}
        </ul>
      </section>
      {invited.length > 0 && (
        <section class="setting" aria-labelledby="invited-title">
          <div class="setting-head">
            <div>
              <h2 id="invited-title">Invited</h2>
              <p>We send no email: hand the link over yourself. It is good for its address only.</p>
            </div>
          </div>
          <ul class="lines">
            {invited.map((one) => (
              <li key={one.id} class="entry">
                <div class="entry-name">
                  <h3>{one.email}</h3>
                  <p class="quiet small">
                    {roleTexts[one.role].name} · expires {ago(one.expiresAt)}
                  </p>
                </div>
                <div class="entry-end">
                  <button
                    type="button"
                    class="button button-plain button-small"
                    aria-label={`Copy link for ${one.email}`}
                    onClick={() => void copy(invitationLink(one.id), "Link")}
                  >
                    <Icon name="copy" size={14} /> Copy link
                  </button>
                  <button
                    type="button"
                    class="button button-quiet button-small"
                    aria-label={`Withdraw the invitation of ${one.email}`}
                    onClick={() =>
                      void cancelInvitation(one.id).then(
                        () => {
                          announce(`The invitation of ${one.email} is withdrawn`);
                          load();
                        },
                        (error: unknown) => announce(messageOf(error), "bad"),
                      )
                    }
                  >
                    Withdraw
                  </button>
                </div>
              </li>
            ))}
          </ul>
        </section>
      )}
      <section class="setting" aria-labelledby="leave-title">
        <div class="setting-head">
          <div>
            <h2 id="leave-title">Leave</h2>
            <p>
              {lastOwner
                ? "You are the only owner. Make somebody else an owner first."
                : "You lose access at once. Keys that you made stay with the organization."}
            </p>
          </div>
          <button
            type="button"
            class="button button-plain"
            disabled={lastOwner}
            onClick={() => setLeaving(true)}
          >
            Leave the organization
          </button>
        </div>
      </section>
      {inviting && (
        <InviteDialog
          orgId={orgId}
          myRole={role}
          onClose={() => setInviting(false)}
          onInvited={load}
        />
      )}
      {leaving && (
        <Confirm
          title={`Leave ${name}?`}
          action="Leave"
          danger
          onClose={() => setLeaving(false)}
          onConfirm={async () => {
            await leave(orgId);
            location.assign("/");
          }}
        >
          <p>To come back you need an invitation.</p>
        </Confirm>
      )}
    </>
  );
}

function NameForm({ orgId, name: before }: { orgId: string; name: string }) {
  const [name, setName] = useState(before);
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);
  async function save(event: Event) {
    event.preventDefault();
    if (!name.trim()) return setFailure("The organization needs a name");
    setBusy(true);
    setFailure("");
    try {
      await rename(orgId, name.trim());
      announce("Saved");
    } catch (error) {
      setFailure(messageOf(error));
    } finally {
      setBusy(false);
    }
  }
  return (
    <form class="setting-form" noValidate onSubmit={(event) => void save(event)}>
      <Field
        id="org-name"
        label="Organization name"
        maxLength={80}
        value={name}
        complaint={failure || undefined}
        onValue={setName}
      />
      <button class="button button-plain" aria-disabled={busy}>
        {busy && <span class="spinner" />}
        Save
      </button>
    </form>
  );
}

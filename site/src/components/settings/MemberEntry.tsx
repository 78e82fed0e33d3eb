import { useState } from "preact/hooks";

import { announce } from "../../lib/announce.tsx";
import {
  changeRole,
  newResetLink,
  type Person,
  removeMember,
  roleTexts,
} from "../../lib/organization.ts";
import type { Role } from "../../lib/roles.ts";
import { ago } from "../../lib/time.ts";
import { Confirm } from "../Confirm.tsx";
import { CopyField } from "../CopyField.tsx";
import { Dialog } from "../Dialog.tsx";
import { Icon } from "../Icon.tsx";
import { Menu } from "../Menu.tsx";
import { messageOf } from "../States.tsx";

type Props = {
  person: Person;
  orgId: string;
  mine: boolean;
  myRole: Role | null;
  onChanged: () => void;
};

/** Who may become what: admins leave owners alone, and make none. */
export const rolesToGive = (myRole: Role | null): Role[] =>
  myRole === "owner"
    ? ["owner", "admin", "member", "viewer"]
    : myRole === "admin"
      ? ["admin", "member", "viewer"]
      : [];

export function MemberEntry({ person, orgId, mine, myRole, onChanged }: Props) {
  const { name, email } = person.user;
  const [asking, setAsking] = useState<"remove" | "reset">();
  const [link, setLink] = useState("");
  const roles = rolesToGive(myRole);
  const manageable = !mine && roles.includes(person.role);

  async function give(role: Role) {
    try {
      await changeRole(orgId, person.id, role);
      announce(`${name} is ${roleTexts[role].name.toLowerCase()} now`);
    } catch (error) {
      announce(messageOf(error), "bad");
    }
    onChanged();
  }

  return (
    <li class="entry">
      <div class="entry-name">
        <h3>
          {name} {mine && <span class="badge">You</span>}
        </h3>
        <p class="quiet small">
          {email} · joined {ago(person.createdAt)}
        </p>
      </div>
      <div class="entry-end">
        {manageable ? (
          <>
            <select
              class="input"
              aria-label={`Role of ${name}`}
              value={person.role}
              onChange={(event) => void give(event.currentTarget.value as Role)}
            >
              {roles.map((role) => (
                <option key={role} value={role}>
                  {roleTexts[role].name}
                </option>
              ))}
            </select>
            <Menu
              label={`More for ${name}`}
              faceClass="button button-quiet button-small button-icon"
              face={<Icon name="more" />}
            >
              <button
                type="button"
                role="menuitem"
                tabIndex={-1}
                onClick={() => setAsking("reset")}
              >
                <Icon name="lock" /> Reset password
              </button>
              <button
                type="button"
                role="menuitem"
                tabIndex={-1}
                class="danger"
                onClick={() => setAsking("remove")}
              >
                <Icon name="trash" /> Remove
              </button>
            </Menu>
          </>
        ) : (
          <span class="badge" title={roleTexts[person.role].may}>
            {roleTexts[person.role].name}
          </span>
        )}
      </div>
      {asking === "remove" && (
        <Confirm
          title={`Remove ${name}?`}
          action="Remove"
          danger
          onClose={() => setAsking(undefined)}
          onConfirm={async () => {
            await removeMember(orgId, person.id);
            announce(`${name} is no longer a member`);
            setAsking(undefined);
            onChanged();
          }}
        >
          <p>
            {name} loses access at once. Keys that they made stay with the organization: revoke
            those that only they know.
          </p>
        </Confirm>
      )}
      {asking === "reset" && !link && (
        <Confirm
          title={`Reset the password of ${name}?`}
          action="Make a link"
          onClose={() => setAsking(undefined)}
          onConfirm={async () => setLink(await newResetLink(orgId, person.userId))}
        >
          <p>
            You get a link to hand over, good for one hour. Make sure that it is {name} who asks for
            it: whoever opens it sets the password.
          </p>
        </Confirm>
      )}
      {asking === "reset" && link && (
        <Dialog
          label="Hand this link over"
          kind="dialog"
          onClose={() => {
            setAsking(undefined);
            setLink("");
          }}
        >
          <h2>Hand this link over</h2>
          <p class="soft">For {name} only. It works once, within the hour.</p>
          <div class="field">
            <CopyField label="Reset link" text={link} />
          </div>
          <div class="dialog-actions">
            <button
              type="button"
              class="button button-primary"
              onClick={() => {
                setAsking(undefined);
                setLink("");
              }}
            >
              Done
            </button>
          </div>
        </Dialog>
      )}
    </li>
  );
}

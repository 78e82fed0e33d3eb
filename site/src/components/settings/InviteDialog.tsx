import { useState } from "preact/hooks";

import { invitationLink, invite, roleTexts } from "../../lib/organization.ts";
import type { Role } from "../../lib/roles.ts";
import { CopyField } from "../CopyField.tsx";
import { Dialog } from "../Dialog.tsx";
import { Field } from "./Field.tsx";
import { FormDialog } from "./FormDialog.tsx";
import { rolesToGive } from "./MemberEntry.tsx";

type Props = {
  orgId: string;
  myRole: Role | null;
  onClose: () => void;
  onInvited: () => void;
};

export function InviteDialog({ orgId, myRole, onClose, onInvited }: Props) {
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("member");
  const [link, setLink] = useState("");

  if (link)
    return (
      <Dialog label="Hand this link over" kind="dialog" onClose={onClose}>
        <h2>Hand this link over</h2>
        <p class="soft">
          We send no email. The link is for {email} only and is good for seven days; you find it
          again below the members.
        </p>
        <div class="field">
          <CopyField label="Invitation link" text={link} />
        </div>
        <div class="dialog-actions">
          <button type="button" class="button button-primary" onClick={onClose}>
            Done
          </button>
        </div>
      </Dialog>
    );
  return (
    <FormDialog
      title="Invite somebody"
      action="Make the invitation"
      ready={/^\S+@\S+\.\S+$/.test(email.trim())}
      onClose={onClose}
      onSubmit={async () => {
        const { id } = await invite(orgId, email.trim(), role);
        onInvited();
        setLink(invitationLink(id));
      }}
    >
      <Field
        id="invite-email"
        label="Work email"
        type="email"
        autocomplete="off"
        value={email}
        onValue={setEmail}
      />
      <fieldset class="field">
        <legend>Role</legend>
        <div class="choice">
          {rolesToGive(myRole).map((one) => (
            <label key={one}>
              <input
                type="radio"
                name="invite-role"
                checked={role === one}
                onChange={() => setRole(one)}
              />
              <span>
                <b>{roleTexts[one].name}</b>
                <span class="quiet small">{roleTexts[one].may}</span>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
    </FormDialog>
  );
}

import { useState } from "preact/hooks";

import {
  beginTwoFactor,
  confirmTwoFactor,
  endTwoFactor,
  type Enrolment,
  newBackupCodes,
} from "../../lib/account.ts";
import { announce } from "../../lib/announce.tsx";
import { copy, CopyField } from "../CopyField.tsx";
import { Dialog } from "../Dialog.tsx";
import { Icon } from "../Icon.tsx";
import { Field } from "./Field.tsx";
import { FormDialog } from "./FormDialog.tsx";
import { QrCode } from "./QrCode.tsx";

type Open = "begin" | "end" | "codes";

export function TwoFactor({ on, onChanged }: { on: boolean; onChanged: () => void }) {
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  return (
    <section class="setting" aria-labelledby="two-factor-title">
      <div class="setting-head">
        <div>
          <h2 id="two-factor-title">Second step</h2>
          <p>
            {on
              ? "Signing in asks for a code of your authenticator app too."
              : "With an authenticator app a stolen password is not enough."}
          </p>
        </div>
        {on ? (
          <div class="row">
            <span class="status status-good">
              <Icon name="check" size={14} /> On
            </span>
            <button type="button" class="button button-plain" onClick={() => setOpen("codes")}>
              New backup codes
            </button>
            <button type="button" class="button button-plain" onClick={() => setOpen("end")}>
              Switch off
            </button>
          </div>
        ) : (
          <button type="button" class="button button-primary" onClick={() => setOpen("begin")}>
            <Icon name="lock" /> Set up
          </button>
        )}
      </div>
      {open === "begin" && <Enrol onClose={close} onDone={onChanged} />}
      {open === "codes" && <NewCodes onClose={close} />}
      {open === "end" && (
        <AskPassword
          title="Switch the second step off"
          action="Switch off"
          danger
          onClose={close}
          onPassword={async (password) => {
            await endTwoFactor(password);
            announce("The second step is off");
            close();
            onChanged();
          }}
        />
      )}
    </section>
  );
}

type AskProps = {
  title: string;
  action: string;
  danger?: boolean;
  onPassword: (password: string) => Promise<void>;
  onClose: () => void;
};

function AskPassword({ onPassword, ...dialog }: AskProps) {
  const [password, setPassword] = useState("");
  return (
    <FormDialog {...dialog} ready={password !== ""} onSubmit={() => onPassword(password)}>
      <Field
        id="confirm-password"
        label="Your password"
        type="password"
        autocomplete="current-password"
        value={password}
        onValue={setPassword}
      />
    </FormDialog>
  );
}

function Enrol({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [enrolment, setEnrolment] = useState<Enrolment>();
  const [code, setCode] = useState("");
  const [confirmed, setConfirmed] = useState(false);

  if (!enrolment)
    return (
      <AskPassword
        title="Set up the second step"
        action="Continue"
        onClose={onClose}
        onPassword={async (password) => setEnrolment(await beginTwoFactor(password))}
      />
    );
  if (confirmed)
    return (
      <BackupCodes
        codes={enrolment.backupCodes}
        onClose={() => {
          onClose();
          onDone();
        }}
      />
    );
  const secret = new URL(enrolment.totpURI).searchParams.get("secret") ?? "";
  return (
    <FormDialog
      key="scan"
      title="Scan this with your authenticator app"
      action="Switch on"
      ready={/^\d{6}$/.test(code)}
      onClose={onClose}
      onSubmit={async () => {
        await confirmTwoFactor(code);
        announce("The second step is on");
        setConfirmed(true);
      }}
    >
      <div class="enrol">
        <QrCode text={enrolment.totpURI} label="QR code of the secret for your authenticator app" />
        <div class="stack">
          <div>
            <p class="quiet small">Or type this key in:</p>
            <CopyField label="Key" text={secret} />
          </div>
          <Field
            id="totp-code"
            label="Code that the app shows"
            inputMode="numeric"
            autocomplete="one-time-code"
            maxLength={6}
            value={code}
            onValue={(value) => setCode(value.trim())}
          />
        </div>
      </div>
    </FormDialog>
  );
}

function NewCodes({ onClose }: { onClose: () => void }) {
  const [codes, setCodes] = useState<readonly string[]>();
  return codes ? (
    <BackupCodes codes={codes} onClose={onClose} />
  ) : (
    <AskPassword
      title="New backup codes"
      action="Make them"
      onClose={onClose}
      onPassword={async (password) => setCodes(await newBackupCodes(password))}
    />
  );
}

function BackupCodes({ codes, onClose }: { codes: readonly string[]; onClose: () => void }) {
  return (
    <Dialog label="Your backup codes" kind="dialog" onClose={onClose}>
      <h2>Your backup codes</h2>
      <p class="soft">
        Each lets you in once when you do not have your phone. Keep them where nobody else looks;
        they are not shown again.
      </p>
      <div class="field">
        <ul class="codes" aria-label="Backup codes">
          {codes.map((code) => (
            <li key={code}>{code}</li>
          ))}
        </ul>
      </div>
      <div class="dialog-actions">
        <button
          type="button"
          class="button button-plain"
          onClick={() => void copy(codes.join("\n"), "Backup codes")}
        >
          <Icon name="copy" /> Copy all
        </button>
        <button type="button" class="button button-primary" onClick={onClose}>
          I have kept them
        </button>
      </div>
    </Dialog>
  );
}

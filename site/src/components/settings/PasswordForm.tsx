import { useState } from "preact/hooks";

import { changePassword } from "../../lib/account.ts";
import { announce } from "../../lib/announce.tsx";
import { Icon } from "../Icon.tsx";
import { messageOf } from "../States.tsx";
import { Field } from "./Field.tsx";

export function PasswordForm({ onChanged }: { onChanged: () => void }) {
  const [current, setCurrent] = useState("");
  const [chosen, setChosen] = useState("");
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);

  async function change(event: Event) {
    event.preventDefault();
    setBusy(true);
    setFailure("");
    try {
      await changePassword(current, chosen);
      setCurrent("");
      setChosen("");
      announce("Password changed. Every other session has ended");
      onChanged();
    } catch (error) {
      setFailure(messageOf(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <section class="setting" aria-labelledby="password-title">
      <div class="setting-head">
        <div>
          <h2 id="password-title">Password</h2>
          <p>A new one ends every other session.</p>
        </div>
      </div>
      <form class="setting-form" noValidate onSubmit={(event) => void change(event)}>
        <Field
          id="current-password"
          label="Current password"
          type="password"
          autocomplete="current-password"
          value={current}
          onValue={setCurrent}
        />
        <Field
          id="new-password"
          label="New password"
          type="password"
          autocomplete="new-password"
          help="At least 12 characters. Several words are easy to remember."
          value={chosen}
          onValue={setChosen}
        />
        {failure && (
          <div class="note note-bad" role="alert">
            <Icon name="alert" />
            <p>{failure}</p>
          </div>
        )}
        <button class="button button-plain" disabled={busy || !current || !chosen}>
          {busy && <span class="spinner" />}
          Change password
        </button>
      </form>
    </section>
  );
}

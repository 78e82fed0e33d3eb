import { useEffect, useState } from "preact/hooks";

import { type Account, readAccount } from "../../lib/account.ts";
import { ApiProblem } from "../../lib/api.ts";
import { Icon } from "../Icon.tsx";
import { NeedsPassword } from "../NeedsPassword.tsx";
import { Failed, Loading } from "../States.tsx";
import { PasswordForm } from "./PasswordForm.tsx";
import { SessionList } from "./SessionList.tsx";
import { TwoFactor } from "./TwoFactor.tsx";

export function SecurityPage() {
  const [account, setAccount] = useState<Account>();
  const [failure, setFailure] = useState<unknown>();
  const load = () => {
    setFailure(undefined);
    readAccount().then(setAccount, setFailure);
  };
  useEffect(load, []);

  if (failure instanceof ApiProblem && failure.status === 403)
    return <NeedsPassword reason={failure.message} />;
  if (failure) return <Failed error={failure} onRetry={load} />;
  if (!account) return <Loading rows={3} />;
  return (
    <>
      {account.hasPassword ? (
        <>
          <TwoFactor on={account.twoFactor} onChanged={load} />
          <PasswordForm onChanged={load} />
        </>
      ) : (
        <section class="setting">
          <div class="note">
            <Icon name="org" />
            <div>
              <b>You sign in at your organization</b>
              <p>Your password and second step are kept there, and changed there.</p>
            </div>
          </div>
        </section>
      )}
      <SessionList account={account} onChanged={load} />
    </>
  );
}

import type { ComponentChildren } from "preact";

import { signInAddress } from "../lib/api.ts";
import { Icon } from "./Icon.tsx";

type Props = { reason: string; children?: ComponentChildren };

/** Where single sign-on does not reach. */
export const NeedsPassword = ({ reason, children }: Props) => (
  <div class="stack">
    <div class="note" role="alert">
      <Icon name="org" />
      <div>
        <b>This needs your password</b>
        <p>{reason}</p>
        {children}
      </div>
    </div>
    <div class="row">
      <a class="button button-primary" href={signInAddress()}>
        Sign in with your password
      </a>
    </div>
  </div>
);

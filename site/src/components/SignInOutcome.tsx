import { useEffect, useState } from "preact/hooks";

import { announce } from "../lib/announce.tsx";
import { takeOutcome } from "../lib/sign-in.ts";
import { Icon } from "./Icon.tsx";

/** Says what a sign-in at a vendor came to, after the browser was sent back here. */
export function SignInOutcome() {
  const [outcome] = useState(takeOutcome);
  useEffect(() => {
    if (outcome === "connected") announce("Connected: the vendor accepted the sign-in");
  }, [outcome]);
  if (outcome === undefined || outcome === "connected") return null;
  return (
    <div class="note note-bad" role="alert">
      <Icon name="alert" />
      <div>
        <b>Not connected</b>
        <p>
          {outcome.means} {outcome.action}
        </p>
      </div>
    </div>
  );
}

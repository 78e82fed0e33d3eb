import type { ComponentChild } from "preact";

import { Failed, Empty } from "../components/States.tsx";
import { signInAddress } from "./api.ts";
import { getSession, type Session } from "./auth.ts";
import { mount } from "./mount.ts";

export type Member = Session & { orgId: string };

/** Mounts what only a member of an org may see; signed out, asks to sign in and come back. */
export function mountForMember(id: string, island: (member: Member) => ComponentChild) {
  getSession().then(
    (session) => {
      if (!session) location.replace(signInAddress());
      else if (session.orgId) mount(id, island({ ...session, orgId: session.orgId }));
      else
        mount(
          id,
          <Empty icon="org" title="You are in no organization yet">
            <p>Create one from the menu at the top, or open the invitation you were sent.</p>
          </Empty>,
        );
    },
    (error: unknown) => mount(id, <Failed error={error} onRetry={() => location.reload()} />),
  );
}

/** Mounts what belongs to a person, in whichever org; signed out, asks to sign in and come back. */
export function mountForPerson(id: string, island: (session: Session) => ComponentChild) {
  getSession().then(
    (session) => (session ? mount(id, island(session)) : location.replace(signInAddress())),
    (error: unknown) => mount(id, <Failed error={error} onRetry={() => location.reload()} />),
  );
}

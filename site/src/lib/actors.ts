import { useEffect, useState } from "preact/hooks";

import { getSession } from "./auth.ts";
import { listMembers } from "./organization.ts";

type Names = ReadonlyMap<string, string>;
let members: Promise<Names> | undefined;

async function readNames(): Promise<Names> {
  const session = await getSession();
  if (!session?.orgId) return new Map();
  const people = await listMembers(session.orgId);
  return new Map(
    people.map(({ userId, user }) => [
      userId,
      userId === session.user.id ? "you" : user.name || user.email,
    ]),
  );
}

/** Who did it, in words: the activity log holds `user:<id>`, `key:<id>`, `clock` or `vendor`. */
export function useActorNames(): (actor: string) => string {
  const [names, setNames] = useState<Names>();
  useEffect(() => {
    members ??= readNames();
    members.then(setNames, () => setNames(new Map()));
  }, []);
  return (actor) => {
    const [kind, id = ""] = actor.split(":");
    if (kind === "user") return names?.get(id) ?? (names ? "a former member" : "…");
    if (kind === "key") return "an API key";
    return kind === "clock" || kind === "vendor" ? `the ${kind}` : actor;
  };
}

import { useEffect, useState } from "preact/hooks";

import { getSession } from "./auth.ts";
import { listKeys } from "./keys.ts";
import { listMembers } from "./organization.ts";
import { may } from "./roles.ts";

type Names = ReadonlyMap<string, string>;
let members: Promise<Names> | undefined;

async function readNames(): Promise<Names> {
  const session = await getSession();
  if (!session?.orgId) return new Map();
  const [people, keys] = await Promise.all([
    listMembers(session.orgId),
    may("keys:write") ? listKeys().then(({ data }) => data) : [],
  ]);
  return new Map([
    ...people.map(
      ({ userId, user }) =>
        [userId, userId === session.user.id ? "you" : user.name || user.email] as const,
    ),
    ...keys.map(({ id, name }) => [id, `the key “${name}”`] as const),
  ]);
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
    if (kind === "key") return names?.get(id) ?? "an API key";
    return kind === "clock" || kind === "vendor" ? `the ${kind}` : actor;
  };
}

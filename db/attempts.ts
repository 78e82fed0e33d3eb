import { sql } from "drizzle-orm";

import type { Client } from "./client.ts";

export type Attempts = {
  /** In this window, this one included. */
  count: number;
  secondsLeft: number;
};

/** Counts one more in one statement, so that parallel attempts over all isolates are all counted. */
export async function countAttempt(
  client: Client,
  key: string,
  windowSeconds: number,
): Promise<Attempts> {
  const until = sql`now() + make_interval(secs => ${windowSeconds})`;
  const { rows } = await client.execute<{ count: number; seconds_left: number }>(
    sql`insert into rate_limits as r (key, count, resets_at) values (${key}, 1, ${until})
      on conflict (key) do update set
        count = case when r.resets_at <= now() then 1 else r.count + 1 end,
        resets_at = case when r.resets_at <= now() then excluded.resets_at else r.resets_at end
      returning count, ceil(extract(epoch from resets_at - now()))::int as seconds_left`,
  );
  if (Math.random() < 0.01)
    await client.execute(sql`delete from rate_limits where resets_at < now() - interval '1 hour'`);
  const [row] = rows;
  if (!row) throw new Error("The attempt was not counted");
  return { count: row.count, secondsLeft: row.seconds_left };
}

export const forgetAttempts = (client: Client, key: string) =>
  client.execute(sql`delete from rate_limits where key = ${key}`);

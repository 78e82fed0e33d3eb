/** Cloudflare allows six connections at a time in one invocation. */
const connectionsAtOnce = 6;

export async function eachLimited<T>(items: readonly T[], work: (item: T) => Promise<unknown>) {
  const queue = [...items];
  const workers = Array.from({ length: Math.min(connectionsAtOnce, queue.length) }, async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  });
  await Promise.all(workers);
}

import { join } from "node:path";

import { openClient } from "../db/client.ts";
import { startDatabase } from "../db/local/server.ts";
import { openKeyRing } from "../functions/key-rings.ts";
import { countByKek, rotate } from "../functions/rotation.ts";
import { openVault } from "../functions/vault.ts";
import { keepSecrets, root } from "./worker.ts";

const usage = `
  npm run rotate-keys              re-wrap every data key by the newest key-encryption key
  npm run rotate-keys -- --data    also give every envelope a new data key
  npm run rotate-keys -- --status  count the envelopes of each key

  Uses DATABASE_URL and the keys in the environment (KEY_1, KEY_2… or KEY_RING), else the
  development database in .data/. It may be stopped and started again at any time; the Worker goes
  on reading and writing meanwhile, as long as it has both the old key and the new.
`;

const [flag] = process.argv.slice(2);
if (flag !== undefined && !["--data", "--status"].includes(flag)) {
  console.error(usage);
  process.exit(1);
}

const url = process.env["DATABASE_URL"];
const dataDir = process.env["DATA_DIR"] ?? join(root, ".data");
const database = url?.includes(".neon.tech")
  ? { url, endpoint: undefined, close: async () => {} }
  : await startDatabase(url ? { url } : { dataDir: join(dataDir, "postgres") });
try {
  const client = openClient(database.url, database.endpoint);
  const vault = openVault(
    openKeyRing(url ? process.env : { ...(await keepSecrets(dataDir)), ...process.env }),
  );
  const status = async () => {
    const counts = Object.entries(await countByKek(client));
    return counts.length
      ? counts.map(([kek, n]) => `${kek}: ${n}`).join(", ")
      : "nothing is sealed yet";
  };
  console.log(`Current key: ${vault.currentKek}. Envelopes by key: ${await status()}`);
  if (flag !== "--status") {
    const dataKeysBefore = flag === "--data" ? Math.floor(Date.now() / 1000) : undefined;
    const except: string[] = [];
    let moved = 0;
    for (let left = true; left;) {
      const step = await rotate(client, vault, {
        limit: 200,
        except,
        ...(dataKeysBefore === undefined ? {} : { dataKeysBefore }),
      });
      moved += step.moved;
      except.push(...step.unreadable);
      left = step.left;
      console.log(`${moved} moved${step.contended ? `, ${step.contended} changed meanwhile` : ""}`);
    }
    if (except.length)
      console.log(
        `${except.length} open under no key that is configured and were left as they are`,
      );
    console.log(`Done. Envelopes by key: ${await status()}`);
  }
} finally {
  await database.close();
}

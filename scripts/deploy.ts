import { spawn } from "node:child_process";
import { join } from "node:path";

import { migrate } from "../db/migrate.ts";
import { check } from "./check.ts";
import { buildSite, root } from "./worker.ts";

const needed = ["DATABASE_URL", "PUBLIC_URL"];
const missing = needed.filter((name) => !process.env[name]);
if (missing.length) {
  console.error(`
  Set ${missing.join(" and ")} first: the Neon connection string, and the address under which the
  Worker will be reached. See docs/deploying.md for the Worker's secrets and queues.
`);
  process.exit(1);
}

const run = (...args: string[]) =>
  new Promise<void>((resolve, reject) => {
    const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
    const child = spawn(process.execPath, [wrangler, ...args], { cwd: root, stdio: "inherit" });
    child.on("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`wrangler ${args[0]} ended with ${code}`)),
    );
  });

if (!(await check())) process.exit(1);
await buildSite();
// Migrations only add, so that the version that is still serving goes on working.
const applied = await migrate(process.env["DATABASE_URL"] ?? "");
console.log(`${applied} migrations applied`);
await run("deploy", "--var", `PUBLIC_URL:${process.env["PUBLIC_URL"]}`);

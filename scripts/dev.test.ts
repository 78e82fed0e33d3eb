import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, expect, test } from "vitest";

import { demo } from "./seed.ts";
import { newSecrets, root, startWorker } from "./worker.ts";
import { call } from "./world.ts";

const dataDir = mkdtempSync(join(tmpdir(), "ehrconnect-dev-"));
const running = new Set<ChildProcess>();
afterAll(() => {
  // The whole group: a runtime outlives a `dev` that was killed.
  for (const { pid } of running)
    try {
      if (pid) process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  rmSync(dataDir, { recursive: true, force: true });
});

/** Starts `npm run dev` over the existing build; answers its address, or what it said when it gave up. */
async function dev(port: number) {
  const child = spawn(process.execPath, ["scripts/dev.ts"], {
    env: { ...process.env, PORT: String(port), DATA_DIR: dataDir, SKIP_BUILD: "1" },
    detached: true,
  });
  running.add(child);
  let output = "";
  const ready = new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      const url = /Ready:\s+http:\/\/localhost:(\d+)/.exec(output)?.[1];
      if (url && output.includes("Press Ctrl-C")) resolve(`http://127.0.0.1:${url}`);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("exit", (code) => reject(new Error(`${code}: ${output}`)));
  });
  const url = await ready;
  return { child, url, output: () => output };
}

const headers = { authorization: `Bearer ${demo.apiKey}` };

test("what was acknowledged before a kill is there after a restart", async () => {
  const first = await dev(0);
  for (const text of [demo.email, demo.password, demo.apiKey])
    expect(first.output()).toContain(text);
  const acknowledged: string[] = [];
  let stopped = false;
  const write = async (vendor: string, environment: string) => {
    const credentials = (
      await call(`${first.url}/api/integrations/vendors/${vendor}/demo-credentials`, "GET")
    ).body.data;
    while (!stopped) {
      const reply = await call(
        `${first.url}/api/integrations`,
        "POST",
        { vendor_id: vendor, environment, credentials },
        headers,
      ).catch(() => undefined);
      if (reply?.status !== 201) return;
      const { id } = reply.body.data as { id: string };
      acknowledged.push(id);
      const gone = await call(
        `${first.url}/api/integrations/${id}`,
        "DELETE",
        undefined,
        headers,
      ).catch(() => undefined);
      if (gone?.status === 200) acknowledged.push(`-${id}`);
    }
  };
  const writers = [
    write("twilio", "sandbox"),
    write("twilio", "production"),
    write("slack", "production"),
  ];
  await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(12);
  first.child.kill("SIGKILL");
  stopped = true;
  await Promise.all([...writers, once(first.child, "exit")]);

  const second = await dev(0);
  const list = await call(`${second.url}/api/integrations`, "GET", undefined, headers);
  const ids = new Set((list.body.data as { id: string }[]).map(({ id }) => id));
  const removed = new Set(acknowledged.filter((id) => id.startsWith("-")).map((id) => id.slice(1)));
  for (const id of removed) expect(ids.has(id)).toBe(false);
  const log = await call(
    `${second.url}/api/activity?activity_type=created&limit=200`,
    "GET",
    undefined,
    headers,
  );
  const created = new Set(
    (log.body.data as { integration_id: string }[]).map((row) => row.integration_id),
  );
  for (const id of acknowledged) if (!id.startsWith("-")) expect(created.has(id)).toBe(true);
  second.child.kill("SIGINT");
  // 130 is how a program that was interrupted ends (128 + SIGINT).
  expect([0, 130]).toContain((await once(second.child, "exit"))[0]);
});

test("a taken port is said in a sentence that tells what to do", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await expect(dev(port)).rejects.toThrow(
    /1: [\s\S]*Port \d+ is taken\. Stop what runs there, or choose another/,
  );
  server.close();
});

test("a reload takes the newest build", async () => {
  const build = mkdtempSync(join(tmpdir(), "ehrconnect-build-"));
  const file = join(build, "index.js");
  const code = readFileSync(join(root, "dist/worker/index.js"), "utf8");
  writeFileSync(file, code);
  const worker = await startWorker({
    databaseUrl: "postgres://nobody:nothing@127.0.0.1/none",
    secrets: newSecrets(),
    build,
  });
  const title = async () =>
    /<h1>(.*)<\/h1>/.exec(await (await fetch(`${worker.url}/api/docs`)).text())?.[1];
  expect(await title()).toBe("API reference");
  writeFileSync(file, code.replace("<h1>API reference</h1>", "<h1>Changed</h1>"));
  await worker.reload();
  expect(await title()).toBe("Changed");
  await worker.stop();
  rmSync(build, { recursive: true });
});

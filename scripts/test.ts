import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { check } from "./check.ts";
import { buildSite, buildWorker, root } from "./worker.ts";

type Report = {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  success: boolean;
};

/** Runs vitest and answers what it counted; nothing counted is a failure of the runner itself. */
async function vitest(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "ehrconnect-report-"));
  const file = join(folder, "report.json");
  const bin = join(root, "node_modules/vitest/vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  const code = await new Promise<number>((resolve) => {
    const child = spawn(process.execPath, [bin, "run", ...reporters, ...process.argv.slice(2)], {
      cwd: root,
      stdio: "inherit",
    });
    child.on("close", (status) => resolve(status ?? 1));
  });
  try {
    const report = JSON.parse(readFileSync(file, "utf8")) as Report;
    return { ...report, success: report.success && code === 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const checked = await check();
console.log("Building the site and the Worker");
await Promise.all([buildSite(), buildWorker()]);
const report = await vitest();
const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = report;
console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
if (!checked) console.log("The checks before the tests failed: see above.");
process.exitCode = checked && report.success && passed > 0 ? 0 : 1;

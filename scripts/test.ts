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
  testResults: {
    name: string;
    message: string;
    assertionResults: { status: string; fullName: string }[];
  }[];
};

/**
 * What runs beside what: most tests wait more than they compute, and within a project one file runs
 * at a time, since the files of an engine share one deployment.
 */
const lanes = [["api on pglite", "unit"], ["api on postgres"], ["browser", "refresh on pglite"]];

/** Runs vitest and answers what it counted; nothing counted is a failure of the runner itself. */
async function vitest(...args: string[]): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "ehrconnect-report-"));
  const file = join(folder, "report.json");
  const bin = join(root, "node_modules/vitest/vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  const code = await new Promise<number>((resolve) => {
    const child = spawn(process.execPath, [bin, "run", ...reporters, ...args], {
      cwd: root,
      stdio: "inherit",
    });
    child.on("close", (status) => resolve(status ?? 1));
  });
  try {
    const report = JSON.parse(readFileSync(file, "utf8")) as Report;
    return { ...report, success: report.success && code === 0 && report.numPassedTests > 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const failuresOf = ({ testResults }: Report) =>
  testResults.flatMap(({ name, message, assertionResults }) => {
    const failed = assertionResults.filter(({ status }) => status === "failed");
    const lines = failed.map(({ fullName }) => fullName);
    if (!lines.length && message) lines.push(message.split("\n")[0] ?? "");
    return lines.map((line) => `✗ ${name.replace(root, "")} > ${line}`);
  });

console.log("Building the site and the Worker");
await Promise.all([buildSite(), buildWorker()]);
const given = process.argv.slice(2);
const runs = given.length
  ? [vitest(...given)]
  : lanes.map((projects) => vitest(...projects.map((project) => `--project=${project}`)));
const [checked, ...reports] = await Promise.all([check(), ...runs]);
const sum = (count: (report: Report) => number) =>
  reports.reduce((total, report) => total + count(report), 0);
for (const failure of reports.flatMap(failuresOf)) console.log(failure);
console.log(
  `\n${sum((r) => r.numPassedTests)} passed, ${sum((r) => r.numFailedTests)} failed, ${sum((r) => r.numPendingTests)} skipped`,
);
const broken = reports.filter(({ success }) => !success).length;
if (broken) console.log(`Of ${reports.length} runs of the tests, ${broken} failed: see above.`);
if (!checked) console.log("The checks beside the tests failed: see above.");
process.exitCode = checked && !broken ? 0 : 1;

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";

import ts from "typescript";
import { expect, onTestFinished, test } from "vitest";

import { runOperation } from "../handlers/api.ts";
import { vendorDetail } from "../handlers/catalog.ts";
import { type AnyVendor, categories, exampleValues } from "../handlers/define.ts";
import { parseFields } from "../handlers/fields.ts";
import { createVendor, parseArguments, vendorSource } from "./new-vendor.ts";

const root = new URL("..", import.meta.url).pathname;

test.each([
  [[], "Usage"],
  [["acme"], "Usage"],
  [["acme", " ", "billing"], "Usage"],
  [["Acme", "Acme", "billing"], '"Acme" is not an id'],
  [["acme_pay", "Acme", "billing"], '"acme_pay" is not an id'],
  [["-acme", "Acme", "billing"], '"-acme" is not an id'],
  [["../acme", "Acme", "billing"], '"../acme" is not an id'],
  [["acme", "Acme", "money"], 'There is no category "money". Use one of: ehr,'],
  [["acme", "Acme", "toString"], 'There is no category "toString"'],
])("refuses %j with a sentence that says why", (words, sentence) => {
  expect(() => parseArguments(words)).toThrow(sentence);
});

test("never overwrites a file", async () => {
  const taken = createVendor({ id: "api", name: "Acme", category: "billing" });
  await expect(taken).rejects.toThrow("handlers/api.ts already exists.");
});

test("writes a vendor that compiles, loads, has valid fields and runs, whatever its name", async () => {
  const folder = mkdtempSync(`${root}scripts/.new-vendor-`);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const name = 'Acme "Health" \\ `${x}` & Söhne';
  const category = Object.keys(categories).at(-1) ?? "";
  const source = vendorSource(parseArguments(["acme-pay", name, category]));
  const file = `${folder}/acme-pay.ts`;
  writeFileSync(file, source.replaceAll('from "./', 'from "../../handlers/'));

  const config = ts.getParsedCommandLineOfConfigFile(
    `${root}tsconfig.json`,
    {},
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: () => undefined,
    },
  );
  const program = ts.createProgram([file], { ...config?.options, types: [] });
  const compiled = program.getSourceFile(file);
  expect(ts.getPreEmitDiagnostics(program, compiled).map(({ messageText }) => messageText)).toEqual(
    [],
  );

  const { vendor } = (await import(/* @vite-ignore */ file)) as { vendor: AnyVendor };
  expect(vendorDetail("acme-pay", vendor)).toMatchObject({ name, category, operation_count: 1 });
  const values = exampleValues(vendor);
  expect(parseFields(vendor.steps, values).issues).toEqual([]);
  const { example } = vendor.operations["getAccount"] ?? {};
  const wire = async () => Response.json(example?.wire[0]?.reply);
  const options = { vendorId: "acme-pay", vendor, values, environment: "production" } as const;
  expect(
    await runOperation({ ...options, wire, operation: "getAccount", params: example?.params }),
  ).toEqual(example?.result);
});

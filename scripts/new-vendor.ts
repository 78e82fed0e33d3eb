import { execFileSync } from "node:child_process";
import { access, writeFile } from "node:fs/promises";

import { categories, type Category } from "../handlers/define.ts";
import { genRegistry } from "./gen-registry.ts";

export type NewVendor = { id: string; name: string; category: Category };

const isCategory = (text: string): text is Category => Object.hasOwn(categories, text);

/** Throws an error whose message is for the person at the terminal. */
export function parseArguments([id = "", name = "", category = ""]: readonly string[]): NewVendor {
  const usage = 'Usage: npm run new-vendor -- <id> "<Name>" <category>';
  if (!id || !name.trim() || !category) throw new Error(usage);
  if (!/^[a-z\d]+(?:-[a-z\d]+)*$/.test(id))
    throw new Error(`"${id}" is not an id: use lower-case letters, digits and single hyphens.`);
  if (!isCategory(category))
    throw new Error(
      `There is no category "${category}". Use one of: ${Object.keys(categories).join(", ")}.`,
    );
  return { id, name: name.trim(), category };
}

/** A vendor file that compiles and meets the contract, with made-up facts under `.example`. */
export function vendorSource({ id, name, category }: NewVendor): string {
  const quoted = JSON.stringify(name);
  return `import * as z from "zod";

import { defineVendor, operation } from "./define.ts";
import { password } from "./fields.ts";

const Account = z.object({ id: z.string(), name: z.string() });

// Every fact below is made up: replace it from the vendor's documentation, then remove this line.
export const vendor = defineVendor({
  name: ${quoted},
  category: ${JSON.stringify(category)},
  description: ${JSON.stringify(`${name}: say in one sentence what a clinic gets from it.`)},
  website: "https://www.${id}.example",
  documentation: "https://docs.${id}.example",
  keywords: [${JSON.stringify(id)}],
  access: { kind: "self-serve" },
  environments: {
    production: { baseUrl: "https://api.${id}.example/v1" },
  },
  steps: [
    {
      id: "credentials",
      title: "Credentials",
      fields: {
        apiKey: password({
          label: "API key",
          help: "In the console, open Settings, then API keys, and create one.",
          helpUrl: "https://docs.${id}.example/api-keys",
          example: "example-api-key",
        }),
      },
    },
  ],
  auth: ({ apiKey }) => ({ kind: "bearer", token: apiKey }),
  async test(api) {
    const { name } = await api.get("/account", Account);
    return { account: name, checked: ["account read"] };
  },
  operations: {
    getAccount: operation({
      title: "Read an account",
      effect: "read",
      params: z.object({ id: z.string().min(1) }),
      result: Account,
      example: {
        params: { id: "acct_1" },
        wire: [{ request: "GET /accounts/acct_1", reply: { id: "acct_1", name: "Main Street Clinic" } }],
        result: { id: "acct_1", name: "Main Street Clinic" },
      },
      run: (api, { id }) => api.get("/accounts/{id}", Account, { path: { id } }),
    }),
  },
});
`;
}

const exists = (path: URL) =>
  access(path).then(
    () => true,
    () => false,
  );

export async function createVendor(vendor: NewVendor): Promise<string> {
  const path = new URL(`../handlers/${vendor.id}.ts`, import.meta.url);
  if (await exists(path)) throw new Error(`handlers/${vendor.id}.ts already exists.`);
  await writeFile(path, vendorSource(vendor), { flag: "wx" });
  execFileSync(new URL("../node_modules/.bin/oxfmt", import.meta.url).pathname, [path.pathname]);
  await genRegistry(false);
  return `handlers/${vendor.id}.ts`;
}

if (import.meta.main) {
  try {
    const file = await createVendor(parseArguments(process.argv.slice(2)));
    console.log(`Wrote ${file} and registered it. Replace its facts, then run npm test.`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

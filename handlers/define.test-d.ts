import * as z from "zod";

import type { Api } from "./api.ts";
import { defineVendor, operation } from "./define.ts";
import { number, password, select, text } from "./fields.ts";

/** What must not compile. `tsc` is the test: an unused `@ts-expect-error` fails it. */

declare const api: Api;

const key = password({ label: "Key", help: "In the console, under API keys.", example: "k" });
const steps = [{ id: "s", title: "S", fields: { apiKey: key } }] as const;
const facts = {
  name: "Acme",
  category: "custom",
  description: "A vendor.",
  website: "https://acme.example",
  documentation: "https://docs.acme.example",
  keywords: ["acme"],
  access: { kind: "self-serve" },
  environments: { production: { baseUrl: "https://api.acme.example" } },
} as const;
const test = async () => ({ account: "a", checked: ["read"] as const });
const auth = () => ({ kind: "none" }) as const;

defineVendor({
  ...facts,
  steps,
  // @ts-expect-error -- a credential that no field declares
  auth: ({ apiToken }) => ({ kind: "bearer", token: apiToken }),
  test,
  operations: {},
});

defineVendor({
  ...facts,
  steps,
  auth: ({ apiKey }) => ({ kind: "bearer", token: apiKey }),
  // @ts-expect-error -- nor may the test read one
  test: async (_api, { apiToken }) => ({ account: String(apiToken), checked: ["read"] }),
  operations: {},
});

defineVendor({
  ...facts,
  steps,
  auth,
  // @ts-expect-error -- a test that proves nothing
  test: async () => ({ account: "a", checked: [] }),
  operations: {},
});

defineVendor({
  ...facts,
  steps,
  auth,
  test,
  operations: {},
  // @ts-expect-error -- a header made of a credential that no field declares
  headers: ({ apiToken }) => ({ "x-key": String(apiToken) }),
});

defineVendor({
  ...facts,
  steps: [
    {
      id: "s",
      title: "S",
      fields: {
        region: text({ label: "Region", help: "As in the URL.", example: "eu", required: false }),
      },
    },
  ],
  // @ts-expect-error -- an optional field may be absent
  auth: ({ region }) => ({ kind: "bearer", token: region }),
  test,
  operations: {},
});

const shape = { title: "Do", effect: "read", params: z.object({ id: z.string() }) } as const;
const result = z.object({ id: z.string() });
const wire = [{ request: "GET /x", reply: {} }];

defineVendor({
  ...facts,
  steps,
  auth,
  test,
  operations: {
    // @ts-expect-error -- an operation that reads a credential that no field declares
    do: operation({
      ...shape,
      result,
      example: { params: { id: "1" }, wire, result: { id: "1" } },
      run: async (_api, { id }, { apiToken }: { apiToken: string }) => ({ id: id + apiToken }),
    }),
  },
});

operation({
  ...shape,
  result,
  // @ts-expect-error -- example params that the schema refuses
  example: { params: { id: 1 }, wire, result: { id: "1" } },
  run: async (_api, { id }) => ({ id }),
});

operation({
  ...shape,
  result,
  // @ts-expect-error -- an example result that the schema does not give
  example: { params: { id: "1" }, wire, result: { name: "1" } },
  run: async (_api, { id }) => ({ id }),
});

operation({
  ...shape,
  result,
  example: { params: { id: "1" }, wire, result: { id: "1" } },
  // @ts-expect-error -- a result of another shape
  run: async (_api, { id }) => ({ name: id }),
});

operation({
  ...shape,
  result,
  example: { params: { id: "1" }, wire, result: { id: "1" } },
  // @ts-expect-error -- a reply cannot be had without a schema for it
  run: (vendorApi) => vendorApi.get("/x"),
});

const sms = { title: "Send", effect: "write", capability: "sms.send" } as const;
const sent = { id: "1", status: "queued" };

// @ts-expect-error -- sms.send promises a status too
operation({
  ...sms,
  params: z.object({ to: z.string(), body: z.string(), from: z.string().optional() }),
  result,
  example: { params: { to: "+1", body: "b" }, wire, result: { id: "1" } },
  run: async () => ({ id: "1" }),
});

// @ts-expect-error -- sms.send does not send what this demands
operation({
  ...sms,
  params: z.object({ to: z.string(), body: z.string(), sender: z.string() }),
  result: z.object({ id: z.string(), status: z.string() }),
  example: { params: { to: "+1", body: "b", sender: "s" }, wire, result: sent },
  run: async () => sent,
});

operation({
  ...shape,
  // @ts-expect-error -- a capability that there is not
  capability: "sms.post",
  result,
  example: { params: { id: "1" }, wire, result: { id: "1" } },
  run: async (_api, { id }) => ({ id }),
});

// @ts-expect-error -- a field without help
text({ label: "Region", example: "eu" });
// @ts-expect-error -- a field without an example
text({ label: "Region", help: "As in the URL." });
// @ts-expect-error -- an example of another type
number({ label: "Port", help: "As in the URL.", example: "443" });
select({
  label: "Region",
  help: "As in the URL.",
  options: [{ value: "eu", label: "Europe" }],
  example: "eu",
  // @ts-expect-error -- a default that is not an option
  default: "us",
});

// @ts-expect-error -- the reply's type is its schema's
void (async () => (await api.get("/x", z.object({ id: z.string() }))).name);

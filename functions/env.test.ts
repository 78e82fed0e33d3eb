import { expect, test } from "vitest";

import { type Bindings, envOf } from "./env.ts";

const settings = {
  DATABASE_URL: "postgres://user:password@database.example/ehr",
  PUBLIC_URL: "https://integrations.example",
  AUTH_SECRET: "a".repeat(32),
  URL_TOKEN_SECRET: "b".repeat(32),
};

test("vendors' traffic can be turned away to this machine alone", () => {
  const configured = (SIMULATOR_URL: string) =>
    envOf({
      ...settings,
      KEY_1: btoa("c".repeat(32)),
      SIMULATOR_URL,
    } as unknown as Bindings);
  expect(configured("http://127.0.0.1:4100").settings.SIMULATOR_URL).toBe("http://127.0.0.1:4100");
  expect(() => configured("https://collector.example")).toThrow(/not configured: SIMULATOR_URL$/);
});

test("a Worker without its key, or with half of a key service, says which setting it lacks", () => {
  const refusal = (more: Record<string, string>) => () =>
    envOf({ ...settings, ...more } as unknown as Bindings);
  expect(refusal({})).toThrow(/not configured: KEY_RING$/);
  expect(refusal({ KEY_1: btoa("c".repeat(32)), KEY_RING: "vault" })).toThrow(/: KEY_RING$/);
  expect(
    refusal({ KEY_RING: "vault", VAULT_TRANSIT_KEY: "k", VAULT_ADDR: "https://v.example" }),
  ).toThrow(/: VAULT_TOKEN$/);
});

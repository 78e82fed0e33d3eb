import { expect, test } from "vitest";

import { type Bindings, envOf } from "./env.ts";

test("vendors' traffic can be turned away to this machine alone", () => {
  const configured = (SIMULATOR_URL: string) =>
    envOf({
      DATABASE_URL: "postgres://user:password@database.example/ehr",
      PUBLIC_URL: "https://integrations.example",
      AUTH_SECRET: "a".repeat(32),
      URL_TOKEN_SECRET: "b".repeat(32),
      KEY_1: btoa("c".repeat(32)),
      SIMULATOR_URL,
    } as unknown as Bindings);
  expect(configured("http://127.0.0.1:4100").settings.SIMULATOR_URL).toBe("http://127.0.0.1:4100");
  expect(() => configured("https://collector.example")).toThrow(/not configured: SIMULATOR_URL$/);
});

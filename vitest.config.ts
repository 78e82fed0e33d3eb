import { defineConfig } from "vitest/config";

/** Run on one engine: they need no database, or much of one, or only what the others try on both. */
const once = [
  "auth",
  "env",
  "every-operation",
  "envelope",
  "excerpt",
  "fuzz",
  "key-services",
  "limits",
  "oauth",
  "retries",
  "rotation",
  "sso",
  "streaming",
  "subject",
  "tenancy",
  "vault",
  "webhooks-load",
  "webhooks-kill",
];

/** Waits more than it computes, so that it runs beside the others of an engine. */
const waiting = "refresh";

const api = (
  engine: string,
  exclude: readonly string[] = [],
  { name = "api", files = "**/*" }: { name?: string; files?: string } = {},
) => ({
  extends: true as const,
  test: {
    name: `${name} on ${engine}`,
    include: [`functions/${files}.test.ts`],
    exclude: exclude.map((file) => `functions/${file}.test.ts`),
    globalSetup: ["scripts/world-setup.ts"],
    setupFiles: ["scripts/recording.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});

export default defineConfig({
  test: {
    // What is waited for comes late on a busy machine; a second, the default, is too short there.
    expect: { poll: { timeout: 15_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{handlers,db,simulator,scripts,site}/**/*.test.ts", "*.test.ts"],
          exclude: ["site/e2e/**", "**/node_modules/**"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      api("pglite", [...once, waiting]),
      api("postgres", [waiting]),
      api("pglite", [], { name: waiting, files: waiting }),
      {
        extends: true,
        test: {
          name: "browser",
          include: ["site/e2e/**/*.test.ts"],
          setupFiles: ["scripts/recording.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});

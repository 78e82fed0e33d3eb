import type { TestProject } from "vitest/node";

import { type EngineName, engines, startWorld } from "./world.ts";

declare module "vitest" {
  interface ProvidedContext {
    world: {
      url: string;
      publicUrl: string;
      databaseUrl: string;
      endpoint: string;
      simulatorUrl: string;
      engine: EngineName;
    };
  }
}

/** One world for all API tests of an engine; the project's name says which. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const engine = engines.find((name) => project.name.endsWith(name)) ?? "pglite";
  const world = await startWorld(engine);
  project.provide("world", {
    url: world.url,
    publicUrl: world.url.replace("127.0.0.1", "localhost"),
    databaseUrl: world.database.url,
    endpoint: world.database.endpoint,
    simulatorUrl: world.simulator.url,
    engine,
  });
  return () => world.stop();
}

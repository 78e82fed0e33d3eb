declare module "cloudflare:workers" {
  import type { DurableObjectState } from "@cloudflare/workers-types";
  export abstract class DurableObject<Env = unknown> {
    protected ctx: DurableObjectState;
    protected env: Env;
    alarm?(): Promise<void>;
    constructor(ctx: DurableObjectState, env: Env);
  }
}

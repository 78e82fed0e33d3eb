import { DurableObject } from "cloudflare:workers";

import { drain, type Place } from "./deliver.ts";
import { type Bindings, type Env, envOf } from "./env.ts";

const afterTroubleMs = 15_000;

/**
 * One per destination and its only sender, so that the limit of deliveries at a time, the breaker and
 * the order need no lock. Its alarm is when the destination has something to do next; the clock wakes
 * it too, should an alarm be lost.
 */
export class DestinationObject extends DurableObject<Bindings> {
  async wake(place: Place): Promise<void> {
    const known = await this.ctx.storage.get<Place>("place");
    if (known?.orgId !== place.orgId || known.destinationId !== place.destinationId)
      await this.ctx.storage.put("place", place);
    await this.#alarmBy(Date.now());
  }

  override async alarm(): Promise<void> {
    const place = await this.ctx.storage.get<Place>("place");
    if (!place) return;
    let next: number | undefined;
    try {
      next = await drain(envOf(this.env), place);
    } catch (error) {
      console.error(
        JSON.stringify({
          level: "error",
          message: "deliveries interrupted",
          name: (error as Error).name,
        }),
      );
      next = Date.now() + afterTroubleMs;
    }
    if (next !== undefined) await this.#alarmBy(next);
  }

  /** An alarm that is set already may be earlier: then it stays. */
  async #alarmBy(time: number) {
    const set = await this.ctx.storage.getAlarm();
    if (set === null || set > time) await this.ctx.storage.setAlarm(time);
  }
}

export async function wake(env: Env, place: Place): Promise<void> {
  const stub = env.DESTINATION.get(env.DESTINATION.idFromName(place.destinationId));
  await (stub as unknown as Pick<DestinationObject, "wake">).wake(place);
}

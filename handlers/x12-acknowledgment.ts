import * as z from "zod";

import { checkSegments } from "./x12-format.ts";
import {
  components,
  type Segment,
  type Transaction,
  transactionsOf,
  value,
  X12Error,
} from "./x12.ts";

const Outcome = z.enum(["accepted", "accepted_with_errors", "partly_accepted", "rejected"]);

const Fault = z.object({
  /** The segment, and its place in the transaction. */
  segment: z.string(),
  place: z.number().int(),
  loop: z.string().optional(),
  /** X12 IK304 or IK403. */
  code: z.string().optional(),
  element: z.number().int().optional(),
});

/** What a 999 says of the group of transactions that it answers. */
export const Acknowledgment = z.object({
  /** GS01 and GS06 of the group. */
  group: z.string(),
  control: z.string(),
  outcome: Outcome,
  received: z.number().int(),
  accepted: z.number().int(),
  transactions: z.array(
    z.object({
      /** ST01 and ST02 of the transaction. */
      set: z.string(),
      control: z.string(),
      outcome: Outcome,
      faults: z.array(Fault),
    }),
  ),
});
export type Acknowledgment = z.output<typeof Acknowledgment>;
type Answered = Acknowledgment["transactions"][number];

/** X12 IK501 and AK901. */
const outcomes: Readonly<Record<string, z.output<typeof Outcome>>> = {
  A: "accepted",
  E: "accepted_with_errors",
  P: "partly_accepted",
  M: "rejected",
  R: "rejected",
  W: "rejected",
  X: "rejected",
};

function outcomeOf(segment: Segment) {
  const outcome = outcomes[value(segment, 1)];
  if (!outcome) throw new X12Error("has an outcome that does not exist", segment);
  return outcome;
}

function readTransaction(segments: readonly Segment[]): Answered {
  const [ak2, ...rest] = segments;
  const ik5 = rest.find(({ id }) => id === "IK5" || id === "AK5");
  if (!ak2 || !ik5) throw new X12Error("is answered without an outcome", ak2 ?? { position: 0 });
  const faults: Answered["faults"] = [];
  for (const segment of rest) {
    if (segment.id === "IK3")
      faults.push({
        segment: value(segment, 1),
        place: Number(value(segment, 2)),
        loop: value(segment, 3) || undefined,
        code: value(segment, 4) || undefined,
      });
    const last = faults.at(-1);
    if (segment.id !== "IK4" || !last) continue;
    const fault = {
      ...last,
      code: value(segment, 3),
      element: Number(components(segment, 1)[0]),
    };
    // The first element in error refines what was said of its segment.
    if (last.element === undefined) faults.pop();
    faults.push(fault);
  }
  return { set: value(ak2, 1), control: value(ak2, 2), outcome: outcomeOf(ik5), faults };
}

export function readAcknowledgment({ segments }: Transaction): Acknowledgment {
  checkSegments(segments);
  const ak1 = segments.find(({ id }) => id === "AK1");
  const ak9 = segments.findLast(({ id }) => id === "AK9");
  if (!ak1 || !ak9) throw new X12Error("A 999 in it does not say which group it answers");
  const starts = segments.flatMap(({ id }, index) => (id === "AK2" ? [index] : []));
  const transactions = starts.map((start, index) =>
    readTransaction(segments.slice(start, starts[index + 1])),
  );
  const [received, accepted] = [Number(value(ak9, 3)), Number(value(ak9, 4))];
  if (accepted > received) throw new X12Error("accepts more than it received", ak9);
  return {
    group: value(ak1, 1),
    control: value(ak1, 2),
    outcome: outcomeOf(ak9),
    received,
    accepted,
    transactions,
  };
}

/** Throws `X12Error`. */
export const read999 = (text: string): Acknowledgment[] =>
  transactionsOf(text, "999").map(readAcknowledgment);

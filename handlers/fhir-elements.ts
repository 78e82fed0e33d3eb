import * as z from "zod";

/** What FHIR R4 resources are made of (hl7.org/fhir/R4/datatypes.html), as far as we read it. */
export const Period = z.looseObject({ start: z.string().optional(), end: z.string().optional() });
/** An element with an extension and no value is `null` in its array: hl7.org/fhir/R4/json.html#primitive. */
export const Texts = z
  .array(z.string().nullable())
  .transform((texts) => texts.filter((text) => text !== null))
  .optional();
/** An extension, data-absent-reason, may stand where the standard wants a status. */
export const Status = z.string().default("unknown");
export const Coding = z.looseObject({
  system: z.string().optional(),
  code: z.string().optional(),
  display: z.string().optional(),
});
export const Concept = z.looseObject({
  text: z.string().optional(),
  coding: z.array(Coding).optional(),
});
export const Reference = z.looseObject({
  reference: z.string().optional(),
  display: z.string().optional(),
});
export const Quantity = z.looseObject({
  value: z.number().optional(),
  comparator: z.string().optional(),
  unit: z.string().optional(),
  code: z.string().optional(),
});
/** Of names, addresses and telephone numbers. */
export const inUse = { use: z.string().optional(), period: Period.optional() };
export const HumanName = z.looseObject({
  ...inUse,
  text: z.string().optional(),
  family: z.string().optional(),
  given: Texts,
});
/** Resources within the resource, which it refers to as `#id`. */
export const Contained = z
  .array(
    z.looseObject({
      id: z.string().optional(),
      code: z.unknown().optional(),
      name: z.unknown().optional(),
    }),
  )
  .optional();

type Concept = z.output<typeof Concept>;
type Reference = z.output<typeof Reference>;
type HumanName = z.output<typeof HumanName>;
type Contained = z.output<typeof Contained>;

export const Coded = z.object({
  text: z.string().optional(),
  code: z.string().optional(),
  system: z.string().optional(),
});
type Coded = z.input<typeof Coded>;

export function coded(concept: Concept | undefined): Coded | undefined {
  if (!concept) return undefined;
  const [first] = concept.coding ?? [];
  const words = concept.text ?? concept.coding?.find(({ display }) => display)?.display;
  return { text: words, code: first?.code, system: first?.system };
}
export const words = (concept: Concept | undefined) => {
  const found = coded(concept);
  return found?.text ?? found?.code;
};
/** The code of a concept with one coding, such as a status. */
export const codeOf = (concept: Concept | undefined) => concept?.coding?.[0]?.code ?? concept?.text;

type InUse = { use?: string | undefined; period?: { end?: string | undefined } | undefined };

/** What is neither marked as old nor at its end. */
export function current<T extends InUse>(all: readonly T[] | undefined): T[] {
  const now = new Date().toISOString();
  // A day, a month or a year is at its end when the next one has begun.
  return (all ?? []).filter(
    ({ use, period }) =>
      use !== "old" && !(period?.end && period.end < now.slice(0, period.end.length)),
  );
}

/** The name to call somebody by now; where all are old ones, the first. */
export function currentName(names: readonly HumanName[] | undefined): HumanName | undefined {
  const now = current(names);
  const known = (...uses: (string | undefined)[]) => now.find(({ use }) => uses.includes(use));
  return known("official") ?? known("usual") ?? known(undefined) ?? now[0] ?? names?.[0];
}
export const givenOf = (name: HumanName | undefined) => name?.given?.join(" ");
export const fullName = (name: HumanName | undefined) =>
  name?.text ?? [givenOf(name), name?.family].filter(Boolean).join(" ");

/** `Patient/1` and `https://…/Patient/1/_history/2` are `1`. */
export const idOf = (reference: string | undefined) =>
  /(?:^|\/)[A-Z][A-Za-z]+\/([^/?#]+)(?:\/_history\/[^/]+)?$/.exec(reference ?? "")?.[1];
export const patientOf = (reference: Reference | undefined) => idOf(reference?.reference);

const inside = (reference: Reference | undefined, contained: Contained) =>
  contained?.find(({ id }) => id !== undefined && reference?.reference === `#${id}`);

/** What is referred to, for people: `#id` means nothing outside of the resource. */
export function named(reference: Reference | undefined, contained: Contained) {
  if (reference?.display || !reference?.reference?.startsWith("#"))
    return reference?.display ?? reference?.reference;
  const name = inside(reference, contained)?.name;
  if (typeof name === "string") return name;
  return fullName(currentName(z.array(HumanName).safeParse(name).data)) || undefined;
}

/** The code of what is referred to, such as a medication's; else its name. */
export const codedReference = (reference: Reference | undefined, contained: Contained): Coded =>
  coded(Concept.safeParse(inside(reference, contained)?.code).data) ?? {
    text: named(reference, contained),
  };

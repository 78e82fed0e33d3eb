import { components, repetitions, type Segment, value, X12Error } from "./x12.ts";

/**
 * What the elements of the segments that we read look like (X12 005010), one word each. A separator
 * that was lost or altered shifts the elements behind it, and that shows here instead of in a result.
 *
 * `c2-3` a code of 2 to 3 capitals and digits, `t60` text of up to 60 characters, `i50` the same
 * without what others use as separators, `n9` up to 9 digits, `r` a decimal number, `d` a date, `h` a
 * time, `a` an adjustment reason, `f` anything; `(c2,t48)` is a composite, `+` may be repeated, `!`
 * must be there.
 */
const procedure = "(c2,i48,i2,i2,i2,i2,t80,i48)";
const status = "(c1-3,n4,c2-3,c1-3)";

const diagnosis = "(c1-3,i30,c2-3,i35,r,r,i30,i30,c1)";

const formats: Readonly<Record<string, string>> = {
  AAA: "c1! c2 c2! c1",
  AK1: "c2! n9! t12",
  AK2: "c3! t9! t35",
  AK9: `c1! n6! n6! n6!${" c1-3".repeat(5)}`,
  AMT: "c1-3! r! c1",
  BHT: "c4! c2! t50 d h c2",
  BPR: "c1-2! r! c1! c3! c1-10 c2 i3-12 c1-3 i35 i10 i30 c2 i3-12 c1-3 i35 d t12 t12 t12 t12 d",
  CAS: `c1-2! a! r! r${" a r r".repeat(5)}`,
  CLP: "i38! c1-2! r! r! r c1-2 i50 c2 c1 c1-2 c1-4 r r c1",
  CTX: `f!${" f".repeat(9)}`,
  CUR: `c2-3! c3!${" t10".repeat(18)}`,
  DMG: "c2-3 n8 c1 t10 f c1-2 t3 c1-2 r c1-3 t30",
  DTM: "c3! d! h c2 c2-3 t35",
  DTP: "c3! c1-3! t35!",
  EB: `c1-2! c3 c1-2+ c1-3 t50 c1-2 r r c2 r c1 c1 ${procedure} (n2,n2,n2,n2)`,
  HI: `${diagnosis}!${` ${diagnosis}`.repeat(11)}`,
  HL: "t12! t12 c1-2! n1",
  HSD: "c2 r c2 r c1-2 n3 c1-2 c1",
  III: "c1-3 t30 c2 f r f c1-2 c1-2",
  IK3: "c2-3! n10! t6 c1-3!",
  IK4: "(n4,n4,n4)! n4 c1-3! f",
  IK5: `c1!${" c1-3".repeat(5)}`,
  INS: `c1! c2! c3 c2-3${" t35".repeat(13)}`,
  LE: "t6!",
  LQ: "c1-3! t30!",
  LS: "t6!",
  LX: "n6!",
  MIA: `r! r r r t50${" r".repeat(14)} t50 t50 t50 t50 r`,
  MOA: "r r t50 t50 t50 t50 t50 r r",
  MPI: "c1! c2! c1! t80 c2 c2-3 t35",
  MSG: "f! c2 n9",
  N1: "c2-3! t60 c1-2 i2-80 c2 c2-3",
  N2: "t60! t60",
  N3: "t55! t55",
  N4: "t2-30 c2 c3-15 c2-3 c1-2 t30 c1-3",
  NM1: "c2-3! n1! t60 t35 t25 t10 t10 c1-2 i2-80 c2 c2-3 t60",
  PER: "c2! t60 c2 t256 c2 t256 c2 t256 t20",
  PLB: `i50! d! (c2,i50)! r!${" (c2,i50) r".repeat(5)}`,
  PRV: "c1-3! c2-3 t50 c2 f c3",
  QTY: "c2! r! f t30",
  RDM: "c1-2! t60 t256 f f",
  REF: "c2-3! i50 t80 (c2-3,i50,c2-3,i50,c2-3,i50)",
  STC: `${status}! d c1-2 r r d c3 d t16 ${status} ${status} f`,
  SVC: `${procedure}! r! r! n4-4 r ${procedure} r`,
  TA1: "n9! n6! n4! c1! n3",
  TRN: "c1-2! i50! i10-10 i50",
  TS2: `r!${" r".repeat(18)}`,
  TS3: `t50! c1-2! d! r! r!${" r".repeat(19)}`,
};

type Format = {
  words: readonly RegExp[];
  required: boolean;
  composite: boolean;
  repeats: boolean;
  free: boolean;
};

const ofWord: Readonly<Record<string, RegExp>> = {
  r: /^-?(?:\d{1,15}(?:\.\d{0,6})?|\.\d{1,6})$/,
  d: /^\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$/,
  h: /^(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d(?:\d\d?)?)?$/,
  a: /^[A-Z]?\d{1,3}$/,
  f: /^/,
};

const characterOf: Readonly<Record<string, string>> = {
  c: "[A-Z0-9]",
  t: ".",
  i: "[^|^~<>]",
  n: "\\d",
};

function readWord(word: string): RegExp {
  const [, kind = "", min = "", max] = /^([a-z])(\d+)(?:-(\d+))?$/.exec(word) ?? [];
  const characters = characterOf[kind];
  if (characters === undefined) return ofWord[word] ?? /^$/;
  const least = max || kind === "c" ? min : 1;
  return new RegExp(`^${characters}{${least},${max ?? min}}$`);
}

const known = new Map<string, readonly Format[]>();

function formatsOf(id: string) {
  const found = known.get(id);
  if (found || !Object.hasOwn(formats, id)) return found;
  const read = (formats[id] ?? "").split(" ").map((written): Format => {
    const required = written.endsWith("!");
    const word = required ? written.slice(0, -1) : written;
    const repeats = word.endsWith("+");
    const parts = word.replace(/^\(|\+$|\)$/g, "").split(",");
    const composite = word.startsWith("(");
    return { words: parts.map(readWord), required, composite, repeats, free: word === "f" };
  });
  known.set(id, read);
  return read;
}

function isFine(segment: Segment, index: number, format: Format): boolean {
  if (format.free) return true;
  const { component, repetition } = segment.separators;
  const fits = (part: string, word: RegExp | undefined) =>
    !part.includes(component) &&
    (repetition === undefined || !part.includes(repetition)) &&
    word?.test(part) === true;
  const [first] = format.words;
  if (format.repeats) return repetitions(segment, index).every((part) => fits(part, first));
  if (!format.composite) return fits(value(segment, index), first);
  return components(segment, index).every(
    (part, at) => (part === "" && at > 0) || fits(part, format.words[at]),
  );
}

/** Throws `X12Error` where an element does not look as it must. Segments that we do not know pass. */
export function checkSegments(segments: readonly Segment[]): void {
  for (const segment of segments) {
    const elements = formatsOf(segment.id);
    if (!elements) continue;
    const count = Math.max(segment.elements.length, elements.length);
    for (let index = 1; index <= count; index += 1) {
      const element = elements[index - 1];
      const isEmpty = value(segment, index) === "";
      if (isEmpty ? !element?.required : element && isFine(segment, index, element)) continue;
      throw new X12Error(`does not have its element ${index} right`, segment);
    }
  }
}

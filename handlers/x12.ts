/**
 * ASC X12 interchanges, read and written exactly: the separators are those that the ISA declares
 * (X12.5), and every control number and count of the envelope (X12.6) is checked. Messages name the
 * segment and never quote it, since it may hold PHI.
 */
export type Separators = {
  element: string;
  component: string;
  /** None before version 00402. */
  repetition: string | undefined;
  segment: string;
};

export type Segment = {
  id: string;
  /** As written; `value`, `components` and `repetitions` take them apart. The first is NM101, say. */
  elements: readonly string[];
  /** 1-based place in the text. */
  position: number;
  separators: Separators;
};

export type Transaction = {
  /** ST01: `271`. */
  set: string;
  control: string;
  /** What is between ST and SE. */
  segments: readonly Segment[];
};

export type Group = {
  /** GS01: `HB` holds 271s. */
  code: string;
  control: string;
  /** GS08: `005010X279A1`. */
  version: string;
  transactions: readonly Transaction[];
};

export type Interchange = {
  control: string;
  sender: string;
  receiver: string;
  usage: "production" | "test";
  separators: Separators;
  /** TA1 segments: what became of an interchange that we sent. */
  acknowledgments: readonly Segment[];
  groups: readonly Group[];
};

export class X12Error extends Error {
  override name = "X12Error";
  /** 1-based; 0 where the text is no interchange at all. */
  readonly position: number;

  constructor(message: string, at?: { position: number; id?: string }) {
    const id = at?.id ? ` (${at.id})` : "";
    super(at ? `segment ${at.position}${id} ${message}` : message);
    this.position = at?.position ?? 0;
  }
}

const isaWidths = [2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1];
const maxElements = 100;
/** A remittance of 10 MB has about 300 000; the memory of a Worker ends there too. */
const maxSegments = 400_000;

const isSeparator = (character: string) => /^[^A-Za-z0-9 ]$/.test(character);

function readHeader(text: string, start: number, position: number) {
  const at = { position, id: "ISA" };
  if (!text.startsWith("ISA", start))
    throw new X12Error(position === 1 ? "It does not begin with ISA" : "is not an ISA", {
      position,
    });
  const element = text[start + 3] ?? "";
  const elements: string[] = [];
  let cursor = start + 3;
  for (const width of isaWidths) {
    const value = text.slice(cursor + 1, cursor + 1 + width);
    if (text[cursor] !== element || value.length !== width || value.includes(element))
      throw new X12Error("does not have the fixed length of an ISA", at);
    elements.push(value);
    cursor += 1 + width;
  }
  const [version = "", component = ""] = [elements[11], elements[15]];
  const declared = elements[10] ?? "";
  const segment = text[cursor] ?? "";
  const repetition = version >= "00402" && declared !== "U" ? declared : undefined;
  const all = [element, component, segment, ...(repetition === undefined ? [] : [repetition])];
  if (!all.every(isSeparator) || new Set(all).size !== all.length)
    throw new X12Error("does not declare separators that can be told apart", at);
  const separators: Separators = { element, component, repetition, segment };
  return { isa: { id: "ISA", elements, position, separators }, end: cursor + 1 };
}

/** Walks through the text once, a segment at a time. */
class Cursor {
  private readonly text: string;
  private offset = 0;
  private position = 0;
  private separators: Separators | undefined;
  private ahead: Segment | undefined;

  constructor(text: string) {
    this.text = text;
    this.skipLineEnds();
  }

  get atEnd() {
    return this.ahead === undefined && this.text.slice(this.offset).trimStart() === "";
  }

  header(): Segment {
    this.position += 1;
    const { isa, end } = readHeader(this.text, this.offset, this.position);
    this.offset = end;
    this.skipLineEnds();
    this.separators = isa.separators;
    return isa;
  }

  peek(): Segment {
    return (this.ahead ??= this.read());
  }

  next(): Segment {
    const segment = this.peek();
    this.ahead = undefined;
    return segment;
  }

  expect(id: string): Segment {
    const segment = this.next();
    if (segment.id !== id) throw new X12Error(`stands where ${id} must be`, segment);
    return segment;
  }

  /** With the blanks about them: no segment begins with one. */
  private skipLineEnds() {
    while (/[\r\n\t \uFEFF]/.test(this.text[this.offset] ?? "")) this.offset += 1;
  }

  private read(): Segment {
    const { separators } = this;
    if (!separators) throw new Error("The header is read first");
    this.position += 1;
    const { position } = this;
    const end = this.text.indexOf(separators.segment, this.offset);
    if (end < 0) throw new X12Error("is cut off: the interchange ends without IEA", { position });
    if (position > maxSegments) throw new X12Error("is one too many", { position });
    const written = this.text.slice(this.offset, end);
    this.offset = end + 1;
    this.skipLineEnds();
    const [id = "", ...elements] = written.split(separators.element, maxElements + 2);
    if (!/^[A-Z][A-Z0-9]{1,2}$/.test(id)) throw new X12Error("has no name", { position });
    const segment = { id, elements, position, separators };
    if (elements.length > maxElements) throw new X12Error("has too many elements", segment);
    const marks = Object.values(separators);
    // eslint-disable-next-line no-control-regex -- that is what is looked for
    for (const [control] of written.matchAll(/[\u0000-\u001f\u007f]/g))
      if (!marks.includes(control)) throw new X12Error("holds a control character", segment);
    return segment;
  }
}

const need = (fine: boolean, message: string, at: Segment) => {
  if (!fine) throw new X12Error(message, at);
};

const sameCount = (written: string, count: number) =>
  /^\d{1,10}$/.test(written) && Number(written) === count;

function readTransaction(cursor: Cursor): Transaction {
  const st = cursor.expect("ST");
  const [set, control] = [value(st, 1), value(st, 2)];
  need(/^\d{3}$/.test(set) && control !== "", "does not name its transaction set", st);
  const segments: Segment[] = [];
  while (!/^(?:SE|ST|GE|GS|IEA|ISA)$/.test(cursor.peek().id)) segments.push(cursor.next());
  const se = cursor.expect("SE");
  need(sameCount(value(se, 1), segments.length + 2), "does not count its segments right", se);
  need(value(se, 2) === control, "does not have the control number of its ST", se);
  return { set, control, segments };
}

function readGroup(cursor: Cursor): Group {
  const gs = cursor.expect("GS");
  const [code, control, version] = [value(gs, 1), value(gs, 6), value(gs, 8)];
  need(/^[A-Z]{2}$/.test(code) && control !== "", "does not name its group", gs);
  const transactions: Transaction[] = [];
  while (cursor.peek().id === "ST") transactions.push(readTransaction(cursor));
  const ge = cursor.expect("GE");
  need(sameCount(value(ge, 1), transactions.length), "does not count its transactions right", ge);
  need(value(ge, 2) === control, "does not have the control number of its GS", ge);
  return { code, control, version, transactions };
}

function readInterchange(cursor: Cursor): Interchange {
  const isa = cursor.header();
  const [control, usage] = [value(isa, 13), value(isa, 15)];
  need(/^\d{9}$/.test(control), "does not have a control number of nine digits", isa);
  need(/^[PTI]$/.test(usage), "does not say whether it is a test", isa);
  const acknowledgments: Segment[] = [];
  while (cursor.peek().id === "TA1") acknowledgments.push(cursor.next());
  const groups: Group[] = [];
  while (cursor.peek().id === "GS") groups.push(readGroup(cursor));
  const iea = cursor.expect("IEA");
  need(sameCount(value(iea, 1), groups.length), "does not count its groups right", iea);
  need(value(iea, 2) === control, "does not have the control number of its ISA", iea);
  return {
    control,
    sender: value(isa, 6).trim(),
    receiver: value(isa, 8).trim(),
    usage: usage === "P" ? "production" : "test",
    separators: isa.separators,
    acknowledgments,
    groups,
  };
}

/** Reads one or more interchanges. Line ends and blanks between segments do not count. Throws `X12Error`. */
export function parseX12(text: string): Interchange[] {
  const cursor = new Cursor(text);
  const interchanges: Interchange[] = [];
  do interchanges.push(readInterchange(cursor));
  while (!cursor.atEnd);
  return interchanges;
}

/** Every transaction of one kind, whatever envelope it came in. Throws `X12Error` where there is none. */
export function transactionsOf(text: string, set: string): Transaction[] {
  const all = parseX12(text).flatMap(({ groups }) => groups.flatMap((group) => group.transactions));
  const found = all.filter((transaction) => transaction.set === set);
  if (found.length === 0) throw new X12Error(`There is no ${set} in it`);
  return found;
}

/** One HL and what follows it. */
export type Loop = {
  /** HL03: 20 payer, 21 receiver, 19 provider, 22 subscriber, 23 dependent, PT patient. */
  level: string;
  parent: Loop | undefined;
  segments: readonly Segment[];
};

/** The HL loops in their order. Throws `X12Error` where one hangs from nothing. */
export function loopsOf({ segments }: Transaction): Loop[] {
  const loops: (Loop & { segments: Segment[] })[] = [];
  for (const segment of segments) {
    if (segment.id !== "HL") {
      loops.at(-1)?.segments.push(segment);
      continue;
    }
    const above = value(segment, 2);
    const parent = above === "" ? undefined : loops[Number(above) - 1];
    need(sameCount(value(segment, 1), loops.length + 1), "is not numbered in order", segment);
    need(above === "" || parent !== undefined, "hangs from a loop that is not there", segment);
    loops.push({ level: value(segment, 3), parent, segments: [] });
  }
  return loops;
}

export const repetitions = ({ elements, separators }: Segment, element: number): string[] => {
  const written = elements[element - 1] ?? "";
  if (written === "") return [];
  return separators.repetition === undefined ? [written] : written.split(separators.repetition);
};

export const components = ({ elements, separators }: Segment, element: number): string[] =>
  (elements[element - 1] ?? "").split(separators.component);

/** One element, or one component of it, both counted from 1; empty where there is none. */
export function value(segment: Segment, element: number, component?: number): string {
  if (component === undefined) return segment.elements[element - 1] ?? "";
  return components(segment, element)[component - 1] ?? "";
}

/** A plain element, a composite, or one that is repeated. */
export type Value = string | readonly string[] | { readonly repeat: readonly string[] };
/** A segment to write: `["NM1", "PR", "2", "ACME HEALTH"]`. */
export type Row = readonly [id: string, ...values: readonly Value[]];

export type Envelope = {
  sender: string;
  receiver: string;
  /** One to nine digits. */
  control: string;
  usage: Interchange["usage"];
  /** GS01. */
  code: string;
  /** ST01. */
  set: string;
  /** GS08 and ST03. */
  version: string;
  now: Date;
};

export const usualSeparators: Separators = {
  element: "*",
  component: ":",
  repetition: "^",
  segment: "~",
};

/** CCYYMMDD and HHMM, UTC. */
export function stampOf(now: Date): { date: string; time: string } {
  const iso = now.toISOString();
  return { date: iso.slice(0, 10).replaceAll("-", ""), time: iso.slice(11, 16).replace(":", "") };
}

function writeRow([id, ...values]: Row, position: number, separators: Separators): string {
  const at = { position, id };
  const { element, component, repetition, segment } = separators;
  const marks = [element, component, segment, ...(repetition === undefined ? [] : [repetition])];
  const plain = (part: string) => {
    // X12 has no way to escape a separator.
    if (!/^[ -~]*$/.test(part) || marks.some((mark) => part.includes(mark)))
      throw new X12Error("would hold a character that X12 cannot carry", at);
    return part;
  };
  if (!/^[A-Z][A-Z0-9]{1,2}$/.test(id)) throw new X12Error("has no name", at);
  if (values.length > maxElements) throw new X12Error("has too many elements", at);
  const written = values.map((each) => {
    if (typeof each === "string") return plain(each);
    if (!("repeat" in each)) return each.map(plain).join(component);
    if (repetition === undefined && each.repeat.length > 1)
      throw new X12Error("repeats an element, which this version cannot", at);
    return each.repeat.map(plain).join(repetition);
  });
  while (written.length && written.at(-1) === "") written.pop();
  return [id, ...written].join(element) + segment;
}

const padded = (party: string) => {
  if (party.length === 0 || party.length > 15)
    throw new X12Error("A party of an interchange is named by 1 to 15 characters");
  return party.padEnd(15);
};

/** Writes one interchange with one group of transactions. Throws `X12Error` for what X12 cannot carry. */
export function buildX12(
  envelope: Envelope,
  transactions: readonly (readonly Row[])[],
  separators: Separators = usualSeparators,
): string {
  const { sender, receiver, control, code, set, version, now } = envelope;
  if (!/^\d{1,9}$/.test(control)) throw new X12Error("A control number has up to nine digits");
  const { date, time } = stampOf(now);
  const { component, repetition = "U" } = separators;
  const isaVersion = separators.repetition === undefined ? "00401" : "00501";
  const usage = envelope.usage === "production" ? "P" : "T";
  const blank = " ".repeat(10);
  const parties = ["00", blank, "00", blank, "ZZ", padded(sender), "ZZ", padded(receiver)];
  const rest = [repetition, isaVersion, control.padStart(9, "0"), "0", usage, component];
  const header = ["ISA", ...parties, date.slice(2), time, ...rest].join(separators.element);
  readHeader(header + separators.segment, 0, 1);
  const group = String(Number(control));
  const rows: Row[] = [["GS", code, sender, receiver, date, time, group, "X", version]];
  for (const [index, body] of transactions.entries()) {
    const number = String(index + 1).padStart(4, "0");
    rows.push(["ST", set, number, version], ...body);
    rows.push(["SE", String(body.length + 2), number]);
  }
  rows.push(["GE", String(transactions.length), group], ["IEA", "1", control.padStart(9, "0")]);
  const written = rows.map((row, index) => writeRow(row, index + 2, separators));
  return header + separators.segment + written.join("");
}

/** Text for a name: upper case and without accents, which the basic character set does not have. */
export const upper = (text: string) =>
  text.normalize("NFD").replace(/\p{M}/gu, "").toUpperCase().trim();

/** CCYYMMDD of an ISO date. */
export const compactDate = (iso: string) => iso.replaceAll("-", "");

/** An ISO date, or undefined where the eight digits are no date. */
export function isoDate(compact: string): string | undefined {
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)$/.exec(compact) ?? [];
  const iso = `${year}-${month}-${day}`;
  const date = new Date(`${iso}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(iso) ? iso : undefined;
}

/** Minor units of an amount as X12 and the clearinghouses write it: `2563.13`, `711.4`, `-.5`. */
export function cents(amount: string): number | undefined {
  const [, sign, whole = "", fraction = ""] = /^(-?)(\d*)(?:\.(\d*))?$/.exec(amount) ?? [];
  if (sign === undefined || (whole === "" && fraction === "") || /[^0]/.test(fraction.slice(2)))
    return undefined;
  const minor = Number(whole) * 100 + Number(fraction.slice(0, 2).padEnd(2, "0"));
  if (!Number.isSafeInteger(minor)) return undefined;
  return sign && minor ? -minor : minor;
}

/** The opposite of `cents`: 2875 is `28.75`. */
export const dollars = (minor: number) => (minor / 100).toFixed(2);

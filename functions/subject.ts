/**
 * Finds a person's identifier in what was stored: whatever its case, however a phone number is
 * written, and behind escapes of JSON, XML and URLs. Not inside base64, compression or encryption of
 * the sender's own.
 */
export type Subject = {
  /** The identifier without what does not matter: equal for two spellings of the same. */
  normal: string;
  /** Whether any of the texts names the subject. */
  namedIn(texts: Iterable<string>): boolean;
};

const letters = String.raw`\p{L}\p{N}`;
const escape = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
const fold = (text: string) =>
  (/^[\0-\x7f]*$/.test(text) ? text : text.normalize("NFKC")).toLowerCase();

/** Enough digits to tell a phone number, however much of the country code is written. */
const nationalDigits = 10;

function phonePattern(digits: string): string {
  const gap = String.raw`[\s().\-/]{0,3}`;
  const end = String.raw`(?!\d)`;
  const national = digits.slice(-nationalDigits);
  const begin = digits.length >= nationalDigits ? "" : String.raw`(?<!\d)`;
  return begin + [...national].join(gap) + end;
}

/** The words in the order given, or the last one first, with anything but letters between them. */
function wordsPattern(words: readonly string[]): string {
  const gap = `[^${letters}]{1,12}`;
  const orders = [words, [...words.slice(-1), ...words.slice(0, -1)]];
  const either = orders.map((order) => order.map(escape).join(gap)).join("|");
  return `(?<![${letters}])(?:${either})(?![${letters}])`;
}

export function subjectOf(identifier: string): Subject {
  const text = fold(identifier).trim().replace(/\s+/g, " ");
  const digits = text.replace(/\D/g, "");
  const isPhone =
    /^\+?[\d\s().\-/]+$/.test(text) &&
    digits.length >= 7 &&
    (digits.length >= nationalDigits || digits.length < text.length);
  const words = text.split(/[\s,]+/).filter(Boolean);
  const pattern = isPhone
    ? phonePattern(digits)
    : words.length > 1
      ? wordsPattern(words)
      : String.raw`(?<![${letters}._%+\-])${escape(text)}(?![${letters}\-])`;
  const wanted = new RegExp(pattern, "u");
  return {
    normal: isPhone ? digits.slice(-nationalDigits) : words.join(" "),
    namedIn(texts) {
      for (const each of texts)
        for (const reading of readings(each)) if (wanted.test(fold(reading))) return true;
      return false;
    },
  };
}

const named: Readonly<Record<string, string>> = {
  amp: "&",
  apos: "'",
  gt: ">",
  lt: "<",
  nbsp: " ",
  quot: '"',
};
const ofCode = (code: number) => (code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : " ");
const bytes = new TextDecoder();

const unescaped = (text: string) =>
  text
    .replace(/\\u([\da-f]{4})/gi, (_all, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    .replace(/\\["\\/]/g, (pair) => pair.charAt(1))
    .replace(/\\[bfnrt]/g, " ")
    .replace(/(?:%[\da-f]{2})+/gi, (run) =>
      bytes.decode(Uint8Array.from(run.slice(1).split("%"), (pair) => parseInt(pair, 16))),
    )
    .replace(/&(?:#x([\da-f]{1,6})|#(\d{1,7})|(\w{2,4}));/gi, (all, hex, decimal, name) => {
      if (hex !== undefined) return ofCode(parseInt(String(hex), 16));
      if (decimal !== undefined) return ofCode(Number(decimal));
      return named[String(name).toLowerCase()] ?? all;
    });

/** One value inside another may be escaped again: a form that holds JSON, say. */
const deepest = 3;

function* readings(text: string): Generator<string> {
  yield text;
  let plain = text;
  for (let depth = 0; depth < deepest; depth++) {
    const next = unescaped(plain);
    if (next === plain) break;
    plain = next;
    yield plain;
  }
  // In a form a space is a plus.
  if (plain.includes("+")) yield plain.replaceAll("+", " ");
  yield values(plain);
}

/**
 * The values alone, so that a name whose parts are in neighbouring fields stands together: JSON and
 * forms without the names of their fields, XML without its tags.
 */
const values = (text: string) =>
  text
    .replace(/"[\w$.:@-]{1,80}"\s*:/g, " ")
    .replace(/(^|[&?\n])[\w$.:[\]-]{1,80}=/g, "$1 ")
    .replaceAll("+", " ")
    .replace(/<\/?[\w.:-]+/g, " ")
    .replace(/\s[\w.:-]+=(?=["'])/g, " ")
    .replace(/\s+/g, " ");

/** A body as text, whatever its bytes are. */
export function bodyText(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    return new TextDecoder("windows-1252").decode(body);
  }
}

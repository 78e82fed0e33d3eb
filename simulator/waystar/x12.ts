/** The vendor's side of the wire reads and writes X12 by itself, so that the handler is checked by another hand. */
export type Row = readonly string[];

export type Question = {
  set: string;
  control: string;
  rows: readonly Row[];
  /** The first row that begins so. */
  find: (...beginning: string[]) => Row | undefined;
};

/** One interchange with one transaction, or what is wrong with it. */
export function readQuestion(text: string): Question | string {
  if (!text.startsWith("ISA") || text.length < 106) return "no ISA";
  const [element = "", end = ""] = [text[3], text[105]];
  const pieces = text.split(end);
  if (pieces.pop()?.trim() !== "") return "cut off";
  const rows = pieces.map((piece) => piece.trim().split(element));
  const find = (...beginning: string[]) =>
    rows.find((row) => beginning.every((part, index) => row[index] === part));
  const [isa, st, se] = [find("ISA"), find("ST"), find("SE")];
  const [gs, ge, iea] = [find("GS"), find("GE"), find("IEA")];
  if (!isa || !st || !se || !gs || !ge || !iea) return "envelope incomplete";
  const counted = rows.indexOf(se) - rows.indexOf(st) + 1;
  if (Number(se[1]) !== counted || se[2] !== st[2]) return "SE is wrong";
  if (ge[1] !== "1" || ge[2] !== gs[6]) return "GE is wrong";
  if (iea[1] !== "1" || iea[2] !== isa[13]) return "IEA is wrong";
  return { set: st[1] ?? "", control: isa[13] ?? "", rows, find };
}

/** Bars between elements, as Waystar is known to answer. */
export function writeAnswer(code: string, set: string, control: string, body: readonly Row[]) {
  const isa = `ISA|00|          |00|          |ZZ|WAYSTAR        |ZZ|100001         |261123|1200|^|00501|${control}|0|P|:`;
  const rows: Row[] = [
    ["GS", code, "WAYSTAR", "100001", "20261123", "1200", "1", "X", "005010"],
    ["ST", set, "0001"],
    ...body,
    ["SE", String(body.length + 2), "0001"],
    ["GE", "1", "1"],
    ["IEA", "1", control],
  ];
  return [isa, ...rows.map((row) => row.join("|"))].map((row) => `${row}~\r\n`).join("");
}

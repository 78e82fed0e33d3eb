export type JsonToken = { text: string; kind: "key" | "text" | "value" | "mark" };

const pattern = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/**
 * JSON text laid out over lines. It is never parsed into values: numbers too large for JavaScript
 * stay as they were sent.
 */
export function layOut(json: string): JsonToken[] {
  const parts = json.match(pattern) ?? [];
  const tokens: JsonToken[] = [];
  let depth = 0;
  const newLine = () => `\n${"  ".repeat(depth)}`;
  const mark = (text: string) => tokens.push({ text, kind: "mark" });
  parts.forEach((part, at) => {
    const next = parts[at + 1];
    if (part === "{" || part === "[") {
      const isEmpty = next === "}" || next === "]";
      depth += 1;
      mark(isEmpty ? part : part + newLine());
    } else if (part === "}" || part === "]") {
      depth -= 1;
      const before = parts[at - 1];
      mark(before === "{" || before === "[" ? part : newLine() + part);
    } else if (part === ",") mark(part + newLine());
    else if (part === ":") mark(": ");
    else
      tokens.push({
        text: part,
        kind: part.startsWith('"') ? (next === ":" ? "key" : "text") : "value",
      });
  });
  return tokens;
}

import { type Activity, type ActivityFilter, listActivity } from "./api.ts";

const pageSize = 200;
const maxRows = 5000;
const columns = [
  "created_at",
  "activity_type",
  "status",
  "vendor_id",
  "integration_id",
  "actor",
  "error_message",
  "details",
  "request_id",
  "id",
] as const satisfies readonly (keyof Activity)[];

/** Quoted as RFC 4180 has it; a leading `=`, `+`, `-` or `@` would be a formula to a spreadsheet. */
function cell(value: unknown): string {
  const text =
    value === null || value === undefined
      ? ""
      : typeof value === "object"
        ? JSON.stringify(value)
        : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const toCsv = (rows: readonly Activity[]) =>
  [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))]
    .map((line) => `${line.join(",")}\r\n`)
    .join("");

/** Reads page after page, the newest rows first; `complete` is false where there are more than 5,000. */
export async function exportActivity(filter: ActivityFilter, format: "csv" | "ndjson") {
  const rows: Activity[] = [];
  let cursor: string | undefined;
  do {
    const page = await listActivity(filter, pageSize, cursor);
    rows.push(...page.data);
    cursor = page.next_cursor ?? undefined;
  } while (cursor && rows.length < maxRows);
  const content =
    format === "csv" ? toCsv(rows) : rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  return { content, count: rows.length, complete: !cursor };
}

export function download(name: string, content: string) {
  const type = name.endsWith("csv") ? "text/csv" : "application/x-ndjson";
  const address = URL.createObjectURL(new Blob([content], { type: `${type};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

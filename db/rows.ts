import { getTableColumns } from "drizzle-orm";

import { integrations } from "./schema.ts";

/** A row of hand-written SQL, with the names and types that drizzle gives. */
export function integrationFromRow(row: Record<string, unknown>): typeof integrations.$inferSelect {
  const entries = Object.entries(getTableColumns(integrations)).map(([key, column]) => {
    const value = row[column.name];
    return [key, value === null || value === undefined ? null : fromDriver(column, value)];
  });
  return Object.fromEntries(entries) as typeof integrations.$inferSelect;
}

function fromDriver(
  column: { mapFromDriverValue(value: unknown): unknown; dataType: string },
  value: unknown,
) {
  return column.dataType === "date"
    ? new Date(value as string | Date)
    : column.mapFromDriverValue(value);
}

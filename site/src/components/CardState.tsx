import type { Integration } from "../lib/api.ts";
import { environmentLabels } from "../lib/status.ts";
import { StatusBadge } from "./StatusBadge.tsx";

/** A card's foot once the org has the vendor: one line an environment. */
export function CardState({ rows }: { rows: Integration[] }) {
  return (
    <>
      {rows.map((row) => (
        <span class="card-line" key={row.id}>
          <StatusBadge row={row} />
          <span class="quiet small">{environmentLabels[row.environment]}</span>
        </span>
      ))}
    </>
  );
}

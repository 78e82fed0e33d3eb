import { useEffect, useState } from "preact/hooks";

import {
  type ActivityFilter,
  activityTypes,
  type Integration,
  listIntegrations,
} from "../lib/api.ts";
import type { CatalogEntry } from "../lib/catalog.ts";
import { environmentLabels } from "../lib/status.ts";
import { loadCatalog } from "../lib/vendor-names.ts";
import { ActivityList } from "./ActivityList.tsx";
import { Failed, Loading } from "./States.tsx";

const filters = ["activity_type", "status", "integration_id"] as const;
type Chosen = Record<(typeof filters)[number], string>;

function readAddress(): Chosen {
  const query = new URLSearchParams(location.search);
  return {
    activity_type: query.get("activity_type") ?? "",
    status: query.get("status") ?? "",
    integration_id: query.get("integration_id") ?? "",
  };
}

export function ActivityPage() {
  const [chosen, setChosen] = useState(readAddress);
  const [loaded, setLoaded] = useState<{
    catalog: Map<string, CatalogEntry>;
    rows: Integration[];
  }>();
  const [failure, setFailure] = useState<unknown>();

  async function load() {
    setFailure(undefined);
    try {
      const [catalog, rows] = await Promise.all([loadCatalog(), listIntegrations()]);
      setLoaded({ catalog, rows });
    } catch (error) {
      setFailure(error);
    }
  }
  useEffect(() => void load(), []);

  function choose(name: keyof Chosen, value: string) {
    const next = { ...chosen, [name]: value };
    setChosen(next);
    const query = new URLSearchParams(Object.entries(next).filter(([, each]) => each));
    history.replaceState(history.state, "", query.size ? `?${query}` : location.pathname);
  }

  if (failure) return <Failed error={failure} onRetry={() => void load()} />;
  if (!loaded) return <Loading rows={6} />;
  const { catalog, rows } = loaded;
  const options: Record<keyof Chosen, { label: string; any: string; choices: [string, string][] }> =
    {
      activity_type: { label: "Kind", any: "Any kind", choices: Object.entries(activityTypes) },
      status: {
        label: "Outcome",
        any: "Any outcome",
        choices: [
          ["success", "Done"],
          ["failure", "Failed"],
        ],
      },
      integration_id: {
        label: "Integration",
        any: "All integrations",
        choices: rows.map((row) => [
          row.id,
          `${catalog.get(row.vendor_id)?.name ?? row.vendor_id} (${environmentLabels[row.environment].toLowerCase()})`,
        ]),
      },
    };
  const filter: ActivityFilter = Object.fromEntries(
    Object.entries(chosen).filter(([, value]) => value),
  );
  return (
    <div class="stack">
      <div class="toolbar">
        {filters.map((name) => (
          <select
            key={name}
            class="input"
            aria-label={options[name].label}
            value={chosen[name]}
            onChange={(event) => choose(name, event.currentTarget.value)}
          >
            <option value="">{options[name].any}</option>
            {options[name].choices.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        ))}
        {Object.keys(filter).length > 0 && (
          <button
            type="button"
            class="button button-quiet"
            onClick={() => {
              setChosen({ activity_type: "", status: "", integration_id: "" });
              history.replaceState(history.state, "", location.pathname);
            }}
          >
            Clear
          </button>
        )}
      </div>
      <ActivityList catalog={catalog} filter={filter} />
    </div>
  );
}

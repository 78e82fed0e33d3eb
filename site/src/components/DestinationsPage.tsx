import { render } from "preact";
import { useEffect, useState } from "preact/hooks";

import { type Integration, listIntegrations } from "../lib/api.ts";
import type { CatalogEntry } from "../lib/catalog.ts";
import { type Destination, listDestinations } from "../lib/events.ts";
import { may } from "../lib/roles.ts";
import { loadCatalog } from "../lib/vendor-names.ts";
import { DeliveriesDrawer } from "./DeliveriesDrawer.tsx";
import { DestinationDrawer } from "./DestinationDrawer.tsx";
import { DestinationRow } from "./DestinationRow.tsx";
import { Icon } from "./Icon.tsx";
import { Empty, Failed, Loading } from "./States.tsx";

type Loaded = {
  rows: Destination[];
  owned: Integration[];
  catalog: ReadonlyMap<string, CatalogEntry>;
};
type Open =
  | { kind: "form"; row: Destination | undefined }
  | { kind: "deliveries"; row: Destination };

const AddButton = ({ onClick }: { onClick: () => void }) => (
  <button type="button" class="button button-primary" onClick={onClick}>
    <Icon name="plus" /> Add destination
  </button>
);

export function DestinationsPage() {
  const [loaded, setLoaded] = useState<Loaded>();
  const [failure, setFailure] = useState<unknown>();
  const [open, setOpen] = useState<Open>();

  const load = () => {
    setFailure(undefined);
    Promise.all([listDestinations(), listIntegrations(), loadCatalog()]).then(
      ([rows, owned, catalog]) => setLoaded({ rows, owned, catalog }),
      setFailure,
    );
  };
  useEffect(load, []);
  const add = () => setOpen({ kind: "form", row: undefined });
  const isOffered = loaded !== undefined && loaded.rows.length > 0 && may("destinations:write");
  useEffect(() => {
    // Beside the heading, which the page was built with.
    const place = document.getElementById("add-destination");
    if (place) render(isOffered ? <AddButton onClick={add} /> : null, place);
  }, [isOffered]);

  if (failure) return <Failed error={failure} onRetry={load} />;
  if (!loaded) return <Loading />;
  const { rows, owned, catalog } = loaded;
  const nameOf = (id: string) => catalog.get(id)?.name ?? id;
  const vendors = [...new Set(owned.map((row) => row.vendor_id))]
    .map((id) => [id, nameOf(id)] as const)
    .toSorted(([, a], [, b]) => a.localeCompare(b));

  return (
    <div class="stack">
      {rows.length === 0 ? (
        <Empty icon="send" title="No destinations yet">
          <p>
            {may("destinations:write")
              ? "Add an https endpoint of yours. Every event that fits its filter is posted to it, signed, and tried again for three days until it arrives."
              : "An owner or admin of your organization can add endpoints that events are forwarded to."}
          </p>
          {may("destinations:write") && (
            <div class="row">
              <AddButton onClick={add} />
            </div>
          )}
        </Empty>
      ) : (
        <ul class="lines destinations">
          {rows.map((row) => (
            <DestinationRow
              key={row.id}
              row={row}
              nameOf={nameOf}
              onChanged={load}
              onEdit={() => setOpen({ kind: "form", row })}
              onDeliveries={() => setOpen({ kind: "deliveries", row })}
            />
          ))}
        </ul>
      )}
      {open?.kind === "form" && (
        <DestinationDrawer
          row={open.row}
          vendors={vendors}
          onClose={() => setOpen(undefined)}
          onSaved={load}
        />
      )}
      {open?.kind === "deliveries" && (
        <DeliveriesDrawer row={open.row} catalog={catalog} onClose={() => setOpen(undefined)} />
      )}
    </div>
  );
}

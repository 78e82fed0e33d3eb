import { useEffect, useState } from "preact/hooks";

import type { CatalogEntry } from "../lib/catalog.ts";
import { deliveryStates } from "../lib/delivery-states.ts";
import {
  type Delivery,
  type DeliveryState,
  type Destination,
  listDeliveries,
} from "../lib/events.ts";
import { ago } from "../lib/time.ts";
import { DeliveryList } from "./DeliveryList.tsx";
import { Dialog } from "./Dialog.tsx";
import { Icon } from "./Icon.tsx";
import { Empty, Failed, Loading } from "./States.tsx";

type Props = {
  row: Destination;
  catalog: ReadonlyMap<string, CatalogEntry>;
  onClose: () => void;
};

const pageSize = 30;

/** What went, or is to go, to a destination; the newest event first. */
export function DeliveriesDrawer({ row, catalog, onClose }: Props) {
  const [state, setState] = useState<DeliveryState | "">("");
  const [rows, setRows] = useState<Delivery[]>();
  const [cursor, setCursor] = useState<string | null>(null);
  const [failure, setFailure] = useState<unknown>();

  const load = (after?: string) => {
    setFailure(undefined);
    if (!after) setRows(undefined);
    const filter = { destination_id: row.id, ...(state ? { state } : {}) };
    listDeliveries(filter, pageSize, after).then((page) => {
      setRows((before) => (after ? [...(before ?? []), ...page.data] : page.data));
      setCursor(page.next_cursor);
    }, setFailure);
  };
  useEffect(() => load(), [state]);

  return (
    <Dialog label={`Deliveries to ${row.name}`} kind="drawer" onClose={onClose}>
      <header class="drawer-head">
        <span class="logo">
          <Icon name="send" size={18} />
        </span>
        <div>
          <h2 tabIndex={-1} autofocus>
            Deliveries to {row.name}
          </h2>
          <p>{row.url}</p>
        </div>
        <button
          type="button"
          class="button button-quiet button-icon"
          aria-label="Close"
          onClick={onClose}
        >
          <Icon name="close" size={18} />
        </button>
      </header>
      <div class="drawer-body">
        <select
          class="input"
          aria-label="State"
          value={state}
          onChange={(event) => setState(event.currentTarget.value as DeliveryState | "")}
        >
          <option value="">Any state</option>
          {Object.entries(deliveryStates).map(([id, { label }]) => (
            <option key={id} value={id}>
              {label}
            </option>
          ))}
        </select>
        {failure ? (
          <Failed error={failure} onRetry={() => load()} />
        ) : !rows ? (
          <Loading />
        ) : rows.length === 0 ? (
          <Empty icon="send" title={state ? "None matches" : "No deliveries yet"}>
            <p>Each event that this destination takes shows up here, with every attempt.</p>
          </Empty>
        ) : (
          <>
            <DeliveryList
              rows={rows}
              titleOf={(each) => each.event_type}
              subtitleOf={(each) =>
                `${catalog.get(each.vendor_id)?.name ?? each.vendor_id} · ${ago(each.created_at)}`
              }
            />
            {cursor && (
              <button type="button" class="button button-plain" onClick={() => load(cursor)}>
                Load more
              </button>
            )}
          </>
        )}
      </div>
    </Dialog>
  );
}

import { useEffect, useState } from "preact/hooks";

import { announce } from "../lib/announce.tsx";
import { type Integration, listIntegrations } from "../lib/api.ts";
import type { CatalogEntry } from "../lib/catalog.ts";
import { deliveryStates, eventStatuses } from "../lib/delivery-states.ts";
import type { DeliveryState, EventFilter, WebhookEvent } from "../lib/events.ts";
import { may } from "../lib/roles.ts";
import { environmentLabels } from "../lib/status.ts";
import { useEventTail } from "../lib/tail.ts";
import { ago, fullTime } from "../lib/time.ts";
import { loadCatalog } from "../lib/vendor-names.ts";
import { EraseDialog } from "./EraseDialog.tsx";
import { EventDrawer } from "./EventDrawer.tsx";
import { Icon } from "./Icon.tsx";
import { ReplayDialog } from "./ReplayDialog.tsx";
import { RetentionDialog } from "./RetentionDialog.tsx";
import { Empty, Failed, Loading } from "./States.tsx";
import { Badge } from "./StatusBadge.tsx";
import { VendorLogo } from "./VendorLogo.tsx";

const filters = ["vendor_id", "integration_id", "status", "delivery_state", "type"] as const;
type Chosen = Record<(typeof filters)[number], string>;

function readAddress(): Chosen {
  const query = new URLSearchParams(location.search);
  const entries = filters.map((name) => [name, query.get(name) ?? ""]);
  return Object.fromEntries(entries) as Chosen;
}

function writeAddress(changes: Record<string, string>) {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(changes))
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  history.replaceState(history.state, "", address);
}

const filterOf = (chosen: Chosen) =>
  Object.fromEntries(Object.entries(chosen).filter(([, value]) => value)) as EventFilter;

type Catalog = ReadonlyMap<string, CatalogEntry>;

export function EventsPage() {
  const [chosen, setChosen] = useState(readAddress);
  const [opened, setOpened] = useState(new URLSearchParams(location.search).get("id") ?? "");
  const [asking, setAsking] = useState<"replay" | "retention" | "erase">();
  const [loaded, setLoaded] = useState<{ catalog: Catalog; rows: Integration[] }>();
  const [failure, setFailure] = useState<unknown>();
  const tail = useEventTail(filterOf(chosen));

  const load = () => {
    setFailure(undefined);
    Promise.all([loadCatalog(), listIntegrations()]).then(
      ([catalog, rows]) => setLoaded({ catalog, rows }),
      setFailure,
    );
  };
  useEffect(load, []);
  useEffect(() => {
    if (tail.arrived) announce(`${tail.arrived} new ${tail.arrived === 1 ? "event" : "events"}`);
  }, [tail.arrived]);

  function choose(changes: Partial<Chosen>) {
    writeAddress(changes);
    setChosen({ ...chosen, ...changes });
  }
  function open(id: string) {
    writeAddress({ id });
    setOpened(id);
  }

  if (failure) return <Failed error={failure} onRetry={load} />;
  if (!loaded) return <Loading rows={6} />;
  const { catalog, rows } = loaded;
  const nameOf = (vendorId: string) => catalog.get(vendorId)?.name ?? vendorId;
  const filtered = Object.values(chosen).some(Boolean);
  const vendors = [...new Set(rows.map((row) => row.vendor_id))].toSorted();
  const options: Record<Exclude<keyof Chosen, "type">, [string, string, [string, string][]]> = {
    vendor_id: ["Vendor", "Any vendor", vendors.map((id) => [id, nameOf(id)])],
    integration_id: [
      "Integration",
      "Any integration",
      rows.map((row) => [
        row.id,
        `${nameOf(row.vendor_id)} (${environmentLabels[row.environment].toLowerCase()})`,
      ]),
    ],
    status: [
      "Status",
      "Any status",
      Object.entries(eventStatuses).map(([id, { label }]) => [id, label]),
    ],
    delivery_state: [
      "Delivery",
      "Any delivery",
      Object.entries(deliveryStates).map(([id, { label }]) => [id, label]),
    ],
  };
  const told = [
    ...Object.entries(options).flatMap(([name, [, , choices]]) => {
      const value = chosen[name as keyof Chosen];
      return choices.filter(([id]) => id === value).map(([, label]) => label);
    }),
    ...(chosen.type ? [`type ${chosen.type}`] : []),
  ];

  return (
    <div class="stack">
      <div class="toolbar events-bar">
        <div class="search-box">
          <Icon name="filter" />
          <TypeInput value={chosen.type} onChoose={(type) => choose({ type })} />
        </div>
        {Object.entries(options).map(([name, [label, any, choices]]) => (
          <select
            key={name}
            class="input"
            aria-label={label}
            value={chosen[name as keyof Chosen]}
            onChange={(event) => choose({ [name]: event.currentTarget.value })}
          >
            <option value="">{any}</option>
            {choices.map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        ))}
      </div>
      <div class="row tail-bar">
        <button
          type="button"
          class="button button-plain button-small"
          aria-pressed={tail.paused}
          onClick={() => tail.pause(!tail.paused)}
        >
          <Icon name={tail.paused ? "play" : "pause"} size={13} />
          {tail.paused ? "Resume" : "Pause"}
        </button>
        <span class={`tail ${tail.paused ? "" : "tail-live"}`}>
          <i />
          {tail.paused ? "Paused" : tail.troubled ? "Trying to reach the server" : "Live"}
        </span>
        <span class="end row">
          {may("events:write") && (
            <button
              type="button"
              class="button button-quiet button-small"
              onClick={() => setAsking("retention")}
            >
              <Icon name="clock" size={14} /> Retention
            </button>
          )}
          {may("erasure:write") && (
            <button
              type="button"
              class="button button-quiet button-small"
              onClick={() => setAsking("erase")}
            >
              <Icon name="eye-off" size={14} /> Erase a person…
            </button>
          )}
          {may("events:replay") && (
            <button
              type="button"
              class="button button-plain button-small"
              onClick={() => setAsking("replay")}
            >
              <Icon name="send" size={14} /> Send again…
            </button>
          )}
        </span>
      </div>
      {tail.failure ? (
        <Failed error={tail.failure} onRetry={tail.reload} />
      ) : !tail.rows ? (
        <Loading rows={6} />
      ) : tail.rows.length === 0 ? (
        <Empty icon="webhook" title={filtered ? "None matches" : "No events yet"}>
          {filtered ? (
            <div class="row">
              <button
                type="button"
                class="button button-plain"
                onClick={() =>
                  choose({
                    vendor_id: "",
                    integration_id: "",
                    status: "",
                    delivery_state: "",
                    type: "",
                  })
                }
              >
                Clear the filters
              </button>
            </div>
          ) : (
            <p>
              Give a vendor the webhook address of its integration. What it sends shows up here
              within seconds, once its signature is verified.
            </p>
          )}
        </Empty>
      ) : (
        <>
          <EventTable rows={tail.rows} catalog={catalog} onOpen={open} />
          <div class="row acts-foot">
            {tail.hasMore ? (
              <button
                type="button"
                class="button button-plain"
                disabled={tail.busy}
                onClick={tail.loadMore}
              >
                {tail.busy && <span class="spinner" />}
                Load more
              </button>
            ) : (
              <span class="quiet small">That is everything.</span>
            )}
          </div>
        </>
      )}
      {opened && (
        <EventDrawer
          key={opened}
          id={opened}
          catalog={catalog}
          onClose={() => open("")}
          onChanged={tail.reload}
        />
      )}
      {asking === "replay" && (
        <ReplayDialog
          filter={filterOf(chosen)}
          told={
            told.length
              ? `Events that match: ${told.join(", ")}.`
              : "All events, whatever their vendor and type."
          }
          onClose={() => setAsking(undefined)}
          onSent={tail.reload}
        />
      )}
      {asking === "erase" && (
        <EraseDialog onClose={() => setAsking(undefined)} onErased={tail.reload} />
      )}
      {asking === "retention" && (
        <RetentionDialog vendors={vendors} nameOf={nameOf} onClose={() => setAsking(undefined)} />
      )}
    </div>
  );
}

/** What is being typed is its own state: the tail redraws the page every few seconds. */
function TypeInput({ value, onChoose }: { value: string; onChoose: (type: string) => void }) {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  const choose = () => typed.trim() !== value && onChoose(typed.trim());
  return (
    <input
      class="input"
      type="search"
      aria-label="Event type"
      placeholder="Type, such as payment_intent.*"
      value={typed}
      onInput={(event) => setTyped(event.currentTarget.value)}
      onChange={choose}
      onSearch={choose}
    />
  );
}

type TableProps = {
  rows: readonly WebhookEvent[];
  catalog: Catalog;
  onOpen: (id: string) => void;
};

function EventTable({ rows, catalog, onOpen }: TableProps) {
  return (
    <ol class="acts events">
      {rows.map((row) => {
        const name = catalog.get(row.vendor_id)?.name ?? row.vendor_id;
        const counts = Object.entries(row.deliveries) as [DeliveryState, number][];
        return (
          <li key={row.id}>
            <VendorLogo
              id={row.vendor_id}
              name={name}
              mark={catalog.get(row.vendor_id)?.mark ?? null}
              size="small"
            />
            <div>
              <button type="button" class="event-open" onClick={() => onOpen(row.id)}>
                {row.type}
              </button>
              <p class="quiet small">
                {name}
                {row.duplicates > 0 && ` · sent ${row.duplicates + 1} times`}
              </p>
            </div>
            <span class="event-deliveries">
              {row.erased_at ? (
                <Badge label="Erased" icon="eye-off" tone="quiet" />
              ) : counts.length === 0 ? (
                <Badge {...eventStatuses[row.status]} />
              ) : (
                counts.map(([state, count]) => (
                  <Badge
                    key={state}
                    {...deliveryStates[state]}
                    label={
                      count > 1
                        ? `${count} ${deliveryStates[state].label.toLowerCase()}`
                        : deliveryStates[state].label
                    }
                  />
                ))
              )}
            </span>
            <time class="quiet small" dateTime={row.received_at} title={fullTime(row.received_at)}>
              {ago(row.received_at)}
            </time>
          </li>
        );
      })}
    </ol>
  );
}

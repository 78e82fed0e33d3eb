import { useEffect, useState } from "preact/hooks";

import { useActorNames } from "../lib/actors.ts";
import { announce } from "../lib/announce.tsx";
import type { CatalogEntry } from "../lib/catalog.ts";
import { eventStatuses } from "../lib/delivery-states.ts";
import { getEvent, type OpenedEvent, replayEvent } from "../lib/events.ts";
import { may } from "../lib/roles.ts";
import { ago, fullTime, sizeText } from "../lib/time.ts";
import { DeliveryList } from "./DeliveryList.tsx";
import { Dialog } from "./Dialog.tsx";
import { Icon } from "./Icon.tsx";
import { Payload } from "./Payload.tsx";
import { Failed, messageOf } from "./States.tsx";
import { Badge } from "./StatusBadge.tsx";
import { VendorLogo } from "./VendorLogo.tsx";

type Props = {
  id: string;
  catalog: ReadonlyMap<string, CatalogEntry>;
  onClose: () => void;
  onChanged: () => void;
};

export function EventDrawer({ id, catalog, onClose, onChanged }: Props) {
  const [event, setEvent] = useState<OpenedEvent>();
  const [failure, setFailure] = useState<unknown>();
  const [busy, setBusy] = useState(false);

  const load = () => {
    setFailure(undefined);
    getEvent(id).then(setEvent, setFailure);
  };
  useEffect(load, [id]);

  async function again(destinationId?: string) {
    setBusy(true);
    try {
      const { message } = await replayEvent(id, destinationId);
      announce(message);
      load();
      onChanged();
    } catch (error) {
      announce(`Not sent. ${messageOf(error)}`, "bad");
    } finally {
      setBusy(false);
    }
  }

  const vendor = event && (catalog.get(event.vendor_id)?.name ?? event.vendor_id);
  return (
    <Dialog label="Event" kind="drawer" onClose={onClose}>
      <header class="drawer-head">
        {event ? (
          <VendorLogo
            id={event.vendor_id}
            name={vendor ?? ""}
            mark={catalog.get(event.vendor_id)?.mark ?? null}
          />
        ) : (
          <span class="skeleton logo" />
        )}
        <div>
          <h2 class="event-type" tabIndex={-1} autofocus>
            {event?.type ?? "Event"}
          </h2>
          {event && (
            <p>
              {vendor} · {ago(event.received_at)}
            </p>
          )}
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
        {failure ? (
          <Failed error={failure} onRetry={load} />
        ) : event ? (
          <Opened event={event} />
        ) : (
          <div class="stack" aria-busy="true" role="status" aria-label="Loading">
            <span class="skeleton skeleton-line" />
            <span class="skeleton skeleton-row" />
            <span class="skeleton skeleton-row" />
          </div>
        )}
      </div>
      {event && (
        <div class="drawer-foot">
          <a class="button button-quiet" href={`/integrations/view/?id=${event.integration_id}`}>
            View integration
          </a>
          <div class="end">
            {may("events:replay") && (
              <button
                type="button"
                class="button button-primary"
                disabled={busy || !event.has_payload}
                onClick={() => void again()}
              >
                {busy ? <span class="spinner" /> : <Icon name="send" size={14} />}
                Send again
              </button>
            )}
          </div>
        </div>
      )}
    </Dialog>
  );
}

/** Why there is no payload to see. */
function withheldText(event: OpenedEvent, nameOf: (actor: string) => string): string {
  if (event.payload_withheld === "role")
    return "Your role does not show payloads. Ask an owner or admin.";
  if (event.erased_at)
    return `It was erased on request by ${nameOf(event.erased_by ?? "")} on ${fullTime(event.erased_at)}.`;
  return "It is no longer kept; its hash is below.";
}

function Opened({ event }: { event: OpenedEvent }) {
  const nameOf = useActorNames();
  const facts: [string, string][] = [
    ["Received", fullTime(event.received_at)],
    ...(event.occurred_at ? [["Happened", fullTime(event.occurred_at)] as [string, string]] : []),
    ["Size", sizeText(event.size_bytes)],
    ["Sent again by the vendor", event.duplicates ? `${event.duplicates} times, kept once` : "No"],
    ["SHA-256", event.body_hash],
    ["Event ID", event.id],
  ];
  return (
    <div class="stack event">
      <p class="row">
        {event.erased_at ? (
          <Badge label="Erased" icon="eye-off" tone="quiet" />
        ) : (
          <Badge {...eventStatuses[event.status]} />
        )}
        <span class="status status-good">
          <Icon name="lock" size={13} />
          Signature verified
        </span>
      </p>
      <section>
        <h3>Deliveries</h3>
        {event.destinations.length ? (
          <DeliveryList rows={event.destinations} titleOf={(row) => row.destination_name} />
        ) : (
          <p class="quiet">
            No destination takes this event. <a href="/destinations/">Add one</a> to have events
            forwarded to you.
          </p>
        )}
      </section>
      <section>
        <h3>Payload</h3>
        {event.payload ? (
          <Payload payload={event.payload} />
        ) : (
          <p class="quiet">{withheldText(event, nameOf)}</p>
        )}
      </section>
      {!event.erased_at && (
        <section>
          <h3>Headers</h3>
          <dl class="review">
            {Object.entries(event.headers).map(([name, value]) => (
              <div key={name}>
                <dt class="mono">{name}</dt>
                <dd class="mono">{value}</dd>
              </div>
            ))}
          </dl>
          <p class="quiet small">Headers that authenticate are never kept.</p>
        </section>
      )}
      <section>
        <h3>Details</h3>
        <dl class="review">
          {facts.map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd class={/^[0-9a-f-]{30,}$/.test(value) ? "mono" : ""}>{value}</dd>
            </div>
          ))}
        </dl>
      </section>
    </div>
  );
}

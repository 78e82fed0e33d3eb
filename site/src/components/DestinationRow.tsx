import { useState } from "preact/hooks";

import { announce } from "../lib/announce.tsx";
import { destinationState } from "../lib/delivery-states.ts";
import {
  changeDestination,
  type Destination,
  removeDestination,
  testDestination,
} from "../lib/events.ts";
import { may } from "../lib/roles.ts";
import { ago, fullTime } from "../lib/time.ts";
import { Confirm } from "./Confirm.tsx";
import { Icon } from "./Icon.tsx";
import { Menu } from "./Menu.tsx";
import { RotateDialog } from "./RotateDialog.tsx";
import { messageOf } from "./States.tsx";
import { Badge } from "./StatusBadge.tsx";
import { Switch } from "./Switch.tsx";

type Props = {
  row: Destination;
  nameOf: (vendorId: string) => string;
  onChanged: () => void;
  onEdit: () => void;
  onDeliveries: () => void;
};
type Tested = Awaited<ReturnType<typeof testDestination>>;

/** What it takes, in words. */
function takes({ event_types, vendor_ids, integration_ids }: Destination, nameOf: Props["nameOf"]) {
  const parts = [
    event_types.length ? event_types.join(", ") : "All events",
    ...(vendor_ids.length ? [`from ${vendor_ids.map(nameOf).join(", ")}`] : []),
    ...(integration_ids.length
      ? [
          `of ${integration_ids.length} ${integration_ids.length === 1 ? "integration" : "integrations"}`,
        ]
      : []),
  ];
  return parts.join(" ");
}

function troubleOf(row: Destination): string | undefined {
  if (row.status === "disabled") return row.status_reason ?? "It was disabled.";
  if (row.breaker === "open")
    return `The endpoint has failed ${row.consecutive_failures} times in a row. Deliveries are held back, none is lost${
      row.next_probe_at ? `; the next try is ${ago(row.next_probe_at)}` : ""
    }.`;
  if (row.held_until) return `The endpoint asked us to wait until ${fullTime(row.held_until)}.`;
  return undefined;
}

export function DestinationRow({ row, nameOf, onChanged, onEdit, onDeliveries }: Props) {
  const [busy, setBusy] = useState(false);
  const [testing, setTesting] = useState(false);
  const [tested, setTested] = useState<Tested>();
  const [asking, setAsking] = useState<"rotate" | "delete">();
  const writes = may("destinations:write");
  const trouble = troubleOf(row);
  const counts = (
    [
      [row.waiting.pending, "waiting"],
      [row.waiting.failed, "to retry"],
      [row.waiting.parked, "held back"],
      [row.waiting.dead, "given up"],
    ] as const
  ).filter(([count]) => count > 0);

  async function toggle(on: boolean) {
    setBusy(true);
    try {
      await changeDestination(row.id, { status: on ? "enabled" : "paused" });
      announce(`${row.name} is ${on ? "enabled" : "paused: events wait until it is enabled"}`);
      onChanged();
    } catch (error) {
      announce(`Not changed. ${messageOf(error)}`, "bad");
    } finally {
      setBusy(false);
    }
  }
  async function test() {
    setTesting(true);
    setTested(undefined);
    try {
      const outcome = await testDestination(row.id);
      setTested(outcome);
      announce(`${row.name}: ${outcome.message}`, outcome.success ? "good" : "bad");
      onChanged();
    } catch (error) {
      announce(`Not tested. ${messageOf(error)}`, "bad");
    } finally {
      setTesting(false);
    }
  }

  return (
    <li class="line">
      <div class="line-main">
        <span class="logo">
          <Icon name="send" size={18} />
        </span>
        <div class="line-name">
          <h2>{row.name}</h2>
          <p class="quiet small mono">{row.url}</p>
          <p class="quiet small">{takes(row, nameOf)}</p>
        </div>
        <div class="line-status">
          <Badge {...destinationState(row)} />
          <span class="quiet small">
            {counts.length
              ? counts.map(([count, label]) => `${count} ${label}`).join(" · ")
              : row.last_success_at
                ? `Delivered ${ago(row.last_success_at)}`
                : "Nothing delivered yet"}
          </span>
        </div>
        {writes ? (
          <Switch
            label={`${row.name} is enabled`}
            on={row.status === "enabled"}
            busy={busy}
            onChange={(on) => void toggle(on)}
          />
        ) : (
          <span />
        )}
        <div class="line-actions">
          {writes && (
            <button
              type="button"
              class="button button-plain button-small"
              aria-label={`Send a test to ${row.name}`}
              aria-disabled={testing}
              onClick={() => !testing && void test()}
            >
              {testing ? <span class="spinner" /> : <Icon name="send" size={13} />}
              {testing ? "Sending" : "Test"}
            </button>
          )}
          <Menu
            label={`More for ${row.name}`}
            faceClass="button button-quiet button-small button-icon"
            face={<Icon name="more" size={18} />}
          >
            <button type="button" role="menuitem" tabIndex={-1} onClick={onDeliveries}>
              <Icon name="activity" /> Deliveries
            </button>
            {writes && (
              <button type="button" role="menuitem" tabIndex={-1} onClick={onEdit}>
                <Icon name="edit" /> Edit
              </button>
            )}
            {writes && (
              <button
                type="button"
                role="menuitem"
                tabIndex={-1}
                onClick={() => setAsking("rotate")}
              >
                <Icon name="key" /> Rotate secret
              </button>
            )}
            {writes && <hr />}
            {writes && (
              <button
                type="button"
                role="menuitem"
                tabIndex={-1}
                class="danger"
                onClick={() => setAsking("delete")}
              >
                <Icon name="trash" /> Delete
              </button>
            )}
          </Menu>
        </div>
      </div>
      {trouble && (
        <p class="line-error">
          <Icon name="alert" size={14} />
          {trouble}
        </p>
      )}
      {tested && (
        <div class="line-more">
          <div class={`note note-${tested.success ? "good" : "bad"}`}>
            <Icon name={tested.success ? "check-circle" : "alert"} />
            <div>
              <b>
                {tested.message} in {tested.data.latency_ms} ms
              </b>
              {tested.data.excerpt && <pre tabIndex={0}>{tested.data.excerpt}</pre>}
            </div>
          </div>
          <button
            type="button"
            class="button button-quiet button-small button-icon"
            aria-label={`Hide the test of ${row.name}`}
            onClick={() => setTested(undefined)}
          >
            <Icon name="close" />
          </button>
        </div>
      )}
      {asking === "rotate" && (
        <RotateDialog row={row} onClose={() => setAsking(undefined)} onRotated={onChanged} />
      )}
      {asking === "delete" && (
        <Confirm
          title={`Delete ${row.name}?`}
          action="Delete"
          danger
          onClose={() => setAsking(undefined)}
          onConfirm={async () => {
            const { data } = await removeDestination(row.id);
            announce(
              `${row.name} deleted${data.canceled ? `; ${data.canceled} deliveries canceled` : ""}`,
            );
            setAsking(undefined);
            onChanged();
          }}
        >
          <p>What still waits for it is canceled. Its past deliveries stay in the events.</p>
        </Confirm>
      )}
    </li>
  );
}

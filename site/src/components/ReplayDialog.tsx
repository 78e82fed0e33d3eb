import { useEffect, useState } from "preact/hooks";

import { announce } from "../lib/announce.tsx";
import {
  type Destination,
  type EventFilter,
  listDestinations,
  type Replay,
  replayEvents,
} from "../lib/events.ts";
import { Dialog } from "./Dialog.tsx";
import { Icon } from "./Icon.tsx";
import { messageOf } from "./States.tsx";

type Props = {
  filter: EventFilter;
  /** The filter in words. */
  told: string;
  onClose: () => void;
  onSent: () => void;
};

const day = 86_400_000;
const ranges = [
  ["Last hour", day / 24],
  ["Last 24 hours", day],
  ["Last 7 days", 7 * day],
  ["Last 30 days", 30 * day],
] as const;

/** Sends what a filter finds once more; says how many that are before anything is sent. */
export function ReplayDialog({ filter, told, onClose, onSent }: Props) {
  const [range, setRange] = useState(1);
  const [onlyTo, setOnlyTo] = useState("");
  const [destinations, setDestinations] = useState<Destination[]>([]);
  const [plan, setPlan] = useState<Replay>();
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);

  const chosen: EventFilter = {
    ...filter,
    from: new Date(Date.now() - (ranges[range]?.[1] ?? day)).toISOString(),
  };
  useEffect(() => {
    listDestinations().then(setDestinations, () => undefined);
  }, []);
  useEffect(() => {
    let current = true;
    setPlan(undefined);
    setFailure("");
    replayEvents(chosen, onlyTo, true).then(
      ({ data }) => current && setPlan(data),
      (error: unknown) => current && setFailure(messageOf(error)),
    );
    return () => {
      current = false;
    };
  }, [range, onlyTo]);

  async function send() {
    setBusy(true);
    try {
      const { message } = await replayEvents(chosen, onlyTo, false);
      announce(message);
      onSent();
      onClose();
    } catch (error) {
      setFailure(messageOf(error));
      setBusy(false);
    }
  }

  return (
    <Dialog label="Send events again" kind="dialog" onClose={onClose}>
      <h2>Send events again</h2>
      <p class="soft">{told}</p>
      <div class="field">
        <label for="replay-range">Received in the</label>
        <select
          id="replay-range"
          class="input"
          value={String(range)}
          onChange={(event) => setRange(Number(event.currentTarget.value))}
        >
          {ranges.map(([label], at) => (
            <option key={label} value={String(at)}>
              {label}
            </option>
          ))}
        </select>
      </div>
      <div class="field">
        <label for="replay-to">To</label>
        <select
          id="replay-to"
          class="input"
          value={onlyTo}
          onChange={(event) => setOnlyTo(event.currentTarget.value)}
        >
          <option value="">Every destination that takes them</option>
          {destinations.map((each) => (
            <option key={each.id} value={each.id}>
              {each.name}
            </option>
          ))}
        </select>
      </div>
      <div class="plan" aria-live="polite" aria-busy={!plan && !failure}>
        {failure ? (
          <p class="field-error">
            <Icon name="alert" size={14} />
            {failure}
          </p>
        ) : plan ? (
          <>
            <p>
              <b>
                {plan.deliveries} {plan.deliveries === 1 ? "delivery" : "deliveries"}
              </b>{" "}
              of {plan.events} {plan.events === 1 ? "event" : "events"}
            </p>
            {plan.without_payload > 0 && (
              <p class="quiet small">
                {plan.without_payload} cannot be sent: their payload is no longer kept.
              </p>
            )}
            {plan.not_confirmed > 0 && (
              <p class="quiet small">{plan.not_confirmed} are left out: not confirmed.</p>
            )}
            {plan.under_way > 0 && (
              <p class="quiet small">{plan.under_way} are on their way already.</p>
            )}
          </>
        ) : (
          <span class="skeleton skeleton-line" />
        )}
      </div>
      <div class="dialog-actions">
        <button type="button" class="button button-plain" onClick={onClose}>
          Cancel
        </button>
        <button
          type="button"
          class="button button-primary"
          disabled={busy || !plan?.deliveries}
          onClick={() => void send()}
        >
          {busy && <span class="spinner" />}
          {plan?.deliveries ? `Send ${plan.deliveries} again` : "Send again"}
        </button>
      </div>
    </Dialog>
  );
}

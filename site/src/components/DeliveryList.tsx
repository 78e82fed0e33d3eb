import { useEffect, useState } from "preact/hooks";

import { deliveryStates } from "../lib/delivery-states.ts";
import { type Attempt, listAttempts } from "../lib/events.ts";
import type { Delivery } from "../lib/events.ts";
import { ago, fullTime } from "../lib/time.ts";
import { Icon } from "./Icon.tsx";
import { messageOf } from "./States.tsx";
import { Badge } from "./StatusBadge.tsx";

export type DeliveryLine = Pick<
  Delivery,
  "id" | "state" | "attempts" | "next_attempt_at" | "last_status" | "last_latency_ms"
> & { delivered_at: string | null };

type Props<Row extends DeliveryLine> = {
  rows: readonly Row[];
  /** What a line is about: the destination, or the event. */
  titleOf: (row: Row) => string;
  subtitleOf?: (row: Row) => string;
};

/** Deliveries; each opens to show its attempts. */
export function DeliveryList<Row extends DeliveryLine>(props: Props<Row>) {
  return (
    <ul class="deliveries">
      {props.rows.map((row) => (
        <DeliveryItem
          key={row.id}
          row={row}
          title={props.titleOf(row)}
          subtitle={props.subtitleOf?.(row) ?? ""}
        />
      ))}
    </ul>
  );
}

function progressOf(row: DeliveryLine): string {
  const tries = `${row.attempts} ${row.attempts === 1 ? "attempt" : "attempts"}`;
  if (row.delivered_at) return `${tries} · ${ago(row.delivered_at)}`;
  if (row.next_attempt_at && row.state === "failed")
    return `${tries} · next ${ago(row.next_attempt_at)}`;
  return tries;
}

function DeliveryItem({
  row,
  title,
  subtitle,
}: {
  row: DeliveryLine;
  title: string;
  subtitle: string;
}) {
  const [open, setOpen] = useState(false);
  return (
    <li>
      <button
        type="button"
        class="delivery"
        aria-expanded={open}
        aria-controls={`attempts-${row.id}`}
        onClick={() => setOpen(!open)}
      >
        <Icon name={open ? "chevron-down" : "chevron-right"} size={14} />
        <span class="delivery-name">
          <b>{title}</b>
          {subtitle && <span class="quiet small">{subtitle}</span>}
        </span>
        <span class="quiet small delivery-progress">{progressOf(row)}</span>
        <Badge {...deliveryStates[row.state]} />
      </button>
      <div id={`attempts-${row.id}`} hidden={!open}>
        {open && <Attempts id={row.id} key={`${row.state}:${row.attempts}`} />}
      </div>
    </li>
  );
}

function Attempts({ id }: { id: string }) {
  const [tries, setTries] = useState<readonly Attempt[]>();
  const [failure, setFailure] = useState<unknown>();
  useEffect(() => {
    listAttempts(id).then(setTries, setFailure);
  }, [id]);
  if (failure) return <p class="act-error attempts">{messageOf(failure)}</p>;
  if (!tries) return <span class="skeleton skeleton-line attempts" />;
  if (tries.length === 0) return <p class="quiet small attempts">No attempt has been made yet.</p>;
  return (
    <ol class="attempts">
      {tries.map((attempt) => (
        <li key={attempt.number}>
          <p class="row small">
            <span class={`code code-${attempt.cause ? "bad" : "good"}`}>
              {attempt.status ?? (attempt.finished_at ? "No answer" : "Under way")}
            </span>
            <span>Attempt {attempt.number}</span>
            {attempt.replay && <span class="badge badge-line">Sent again</span>}
            {attempt.probe && <span class="badge badge-line">Probe</span>}
            {attempt.latency_ms !== null && <span class="quiet">{attempt.latency_ms} ms</span>}
            <time class="quiet end" dateTime={attempt.started_at}>
              {fullTime(attempt.started_at)}
            </time>
          </p>
          {attempt.message && <p class="act-error">{attempt.message}</p>}
          {attempt.excerpt && (
            <pre tabIndex={0} aria-label={`Answer to attempt ${attempt.number}`}>
              {attempt.excerpt}
            </pre>
          )}
        </li>
      ))}
    </ol>
  );
}

import { useEffect, useRef, useState } from "preact/hooks";

import type { ActivityType } from "../../../db/activity.ts";
import { useActorNames } from "../lib/actors.ts";
import { announce } from "../lib/announce.tsx";
import { type Activity, type ActivityFilter, activityTypes, listActivity } from "../lib/api.ts";
import type { CatalogEntry } from "../lib/catalog.ts";
import { download, exportActivity } from "../lib/export.ts";
import { ago, fullTime, sizeText } from "../lib/time.ts";
import { Icon, type IconName } from "./Icon.tsx";
import { Empty, Failed, Loading, messageOf } from "./States.tsx";
import { VendorLogo } from "./VendorLogo.tsx";

type Props = {
  catalog: ReadonlyMap<string, CatalogEntry>;
  filter: ActivityFilter;
  /** Each row names its vendor; not where all are of one integration. */
  showVendor?: boolean;
};

const icons: Readonly<Record<ActivityType, IconName>> = {
  created: "plus",
  updated: "edit",
  deleted: "trash",
  enabled: "bolt",
  disabled: "minus-circle",
  tested: "play",
  executed: "bolt",
  webhook_received: "webhook",
  webhook_rejected: "webhook",
  health_changed: "activity",
  destination_created: "send",
  destination_updated: "send",
  destination_deleted: "send",
  destination_disabled: "send",
  destination_tested: "send",
  secret_rotated: "key",
  breaker_opened: "pause",
  breaker_closed: "send",
  delivery_dead: "alert",
  events_replayed: "send",
  payload_opened: "eye",
  retention_changed: "clock",
  subject_erased: "eye-off",
  connect_started: "link",
  connected: "link",
  connect_failed: "alert",
  disconnected: "link",
  refresh_failed: "alert",
  refresh_interrupted: "alert",
  reconnect_needed: "alert",
  grant_expiring: "clock",
  exported: "download",
  imported: "plus",
  key_created: "key",
  key_revoked: "key",
  signing_key_created: "lock",
  signing_key_retired: "lock",
  member_invited: "user",
  invitation_cancelled: "user",
  member_joined: "user",
  member_role_changed: "user",
  member_removed: "user",
  member_left: "user",
  organization_updated: "org",
  password_reset_created: "lock",
  sso_added: "lock",
  sso_verified: "lock",
  sso_removed: "lock",
};

const isKnown = (type: string): type is ActivityType => Object.hasOwn(activityTypes, type);
const iconOf = (type: string): IconName => (isKnown(type) ? icons[type] : "activity");

/** A page that is older than the server may meet a kind that it does not know. */
export const typeLabel = (type: string) =>
  isKnown(type) ? activityTypes[type] : type.replaceAll("_", " ");

const text = (value: unknown): string =>
  Array.isArray(value)
    ? value.map(text).join(", ")
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value);

function detailText(name: string, value: unknown): string {
  if (typeof value === "number" && name.endsWith("_bytes")) return sizeText(value);
  if (typeof value === "number" && name.endsWith("_ms")) return `${value} ms`;
  return `${name.replaceAll("_", " ")}: ${text(value)}`;
}

/** Ids are for machines: they are in the export. */
const detailsOf = ({ details }: Activity) =>
  Object.entries(details)
    .filter(([name, value]) => !name.endsWith("_id") && value !== null && text(value) !== "")
    .map(([name, value]) => detailText(name, value))
    .join(" · ");

export function ActivityList({ catalog, filter, showVendor = true }: Props) {
  const [rows, setRows] = useState<Activity[]>();
  const [cursor, setCursor] = useState<string | null>(null);
  const [failure, setFailure] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const nameOf = useActorNames();
  const newest = useRef(0);
  const key = JSON.stringify(filter);

  async function load(after?: string) {
    const mine = ++newest.current;
    setBusy(true);
    setFailure(undefined);
    try {
      const page = await listActivity(filter, 50, after);
      if (mine !== newest.current) return;
      setRows((before) => (after ? [...(before ?? []), ...page.data] : page.data));
      setCursor(page.next_cursor ?? null);
      if (after) announce(`${page.data.length} more shown`);
    } catch (error) {
      if (mine !== newest.current) return;
      if (after) announce(`No more could be loaded. ${messageOf(error)}`, "bad");
      else setFailure(error);
    } finally {
      if (mine === newest.current) setBusy(false);
    }
  }
  useEffect(() => void load(), [key]);

  async function save(format: "csv" | "ndjson") {
    setBusy(true);
    try {
      const { content, count, complete } = await exportActivity(filter, format);
      download(`activity.${format}`, content);
      announce(
        complete
          ? `${count} rows exported`
          : `The newest ${count} rows are exported; filter for older ones`,
      );
    } catch (error) {
      announce(`Not exported. ${messageOf(error)}`, "bad");
    } finally {
      setBusy(false);
    }
  }

  if (failure) return <Failed error={failure} onRetry={() => void load()} />;
  if (!rows) return <Loading rows={6} />;
  if (rows.length === 0)
    return (
      <Empty icon="activity" title="No activity">
        <p>
          {Object.keys(filter).length > (showVendor ? 0 : 1)
            ? "Nothing matches these filters."
            : "Whatever is configured, tested, called or received shows up here."}
        </p>
      </Empty>
    );
  return (
    <div class="stack">
      <ol class="acts" aria-busy={busy}>
        {rows.map((row) => {
          const vendor = row.vendor_id ? (catalog.get(row.vendor_id)?.name ?? row.vendor_id) : "";
          const failed = row.status !== "success";
          return (
            <li key={row.id}>
              {showVendor && row.vendor_id ? (
                <VendorLogo
                  id={row.vendor_id}
                  name={vendor}
                  mark={catalog.get(row.vendor_id)?.mark ?? null}
                  size="small"
                />
              ) : (
                <span class="logo logo-small">
                  <Icon name={iconOf(row.activity_type)} />
                </span>
              )}
              <div>
                <p>
                  <b>{typeLabel(row.activity_type)}</b>
                  {showVendor && vendor && (
                    <>
                      {" "}
                      {row.integration_id && row.activity_type !== "deleted" ? (
                        <a href={`/integrations/view/?id=${row.integration_id}`}>{vendor}</a>
                      ) : (
                        vendor
                      )}
                    </>
                  )}
                  <span class="quiet"> by {nameOf(row.actor)}</span>
                </p>
                {row.error_message && <p class="act-error">{row.error_message}</p>}
                <p class="quiet small act-details">
                  {detailsOf(row)}
                  {typeof row.details["event_id"] === "string" && (
                    <>
                      {" "}
                      <a href={`/events/?id=${row.details["event_id"]}`}>View event</a>
                    </>
                  )}
                </p>
              </div>
              <span class={`status ${failed ? "status-bad" : "status-good"}`}>
                <Icon name={failed ? "alert" : "check"} size={14} />
                {failed ? "Failed" : "Done"}
              </span>
              <time class="quiet small" dateTime={row.created_at} title={fullTime(row.created_at)}>
                {ago(row.created_at)}
              </time>
            </li>
          );
        })}
      </ol>
      <div class="row acts-foot">
        {cursor ? (
          <button
            type="button"
            class="button button-plain"
            disabled={busy}
            onClick={() => void load(cursor)}
          >
            {busy && <span class="spinner" />}
            Load more
          </button>
        ) : (
          <span class="quiet small">That is everything.</span>
        )}
        <span class="end">
          <button
            type="button"
            class="button button-quiet"
            disabled={busy}
            onClick={() => void save("csv")}
          >
            <Icon name="download" /> CSV
          </button>
          <button
            type="button"
            class="button button-quiet"
            disabled={busy}
            onClick={() => void save("ndjson")}
          >
            <Icon name="download" /> NDJSON
          </button>
        </span>
      </div>
    </div>
  );
}

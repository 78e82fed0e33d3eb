import { useEffect, useState } from "preact/hooks";

import { announce } from "../lib/announce.tsx";
import { checkAll, type HealthStatus, type Integration, listIntegrations } from "../lib/api.ts";
import type { CatalogEntry } from "../lib/catalog.ts";
import { openDrawer } from "../lib/drawer.tsx";
import { may } from "../lib/roles.ts";
import { shownStatus, statuses } from "../lib/status.ts";
import { loadCatalog } from "../lib/vendor-names.ts";
import { Icon, type IconName } from "./Icon.tsx";
import { IntegrationRow } from "./IntegrationRow.tsx";
import { SignInOutcome } from "./SignInOutcome.tsx";
import { Empty, Failed, Loading, messageOf } from "./States.tsx";

type Catalog = Map<string, CatalogEntry>;
const statusNames = Object.keys(statuses) as HealthStatus[];

/** A check's answer may leave out the secret part of the webhook address that the list had. */
function withAddress(row: Integration, before: Integration[] | undefined): Integration {
  const known = before?.find(({ id }) => id === row.id)?.webhook_url;
  return known ? { ...row, webhook_url: known } : row;
}

export function IntegrationsPage() {
  const [rows, setRows] = useState<Integration[]>();
  const [catalog, setCatalog] = useState<Catalog>(new Map());
  const [failure, setFailure] = useState<unknown>();
  const [checking, setChecking] = useState(false);
  const [q, setQ] = useState("");
  const [status, setStatus] = useState("");

  async function load() {
    setFailure(undefined);
    try {
      const [owned, names] = await Promise.all([listIntegrations(), loadCatalog()]);
      setCatalog(names);
      setRows(owned);
    } catch (error) {
      setFailure(error);
    }
  }
  useEffect(() => void load(), []);

  async function check() {
    setChecking(true);
    try {
      const { data } = await checkAll();
      setRows((before) => data.map((row) => withAddress(row, before)));
      const errors = data.filter((row) => shownStatus(row) === "error").length;
      announce(
        errors ? `Checked: ${errors} of ${data.length} have an error` : "Checked: no errors",
        errors ? "bad" : "good",
      );
    } catch (error) {
      announce(`Not checked. ${messageOf(error)}`, "bad");
    } finally {
      setChecking(false);
    }
  }

  if (failure) return <Failed error={failure} onRetry={() => void load()} />;
  if (!rows) return <Loading />;
  if (rows.length === 0)
    return (
      <Empty icon="grid" title="No integrations yet">
        <p>
          {may("integrations:write")
            ? "Choose a vendor, try it in its sandbox, and switch it on when the test passes."
            : "An owner or admin of your organization can configure the first one."}
        </p>
        <div class="row">
          <a class="button button-primary" href="/">
            Browse the marketplace
          </a>
        </div>
      </Empty>
    );

  const nameOf = (row: Integration) => catalog.get(row.vendor_id)?.name ?? row.vendor_id;
  const wanted = q.trim().toLowerCase();
  const shown = rows
    .filter((row) => !status || shownStatus(row) === status)
    .filter((row) =>
      `${nameOf(row)} ${row.vendor_id} ${row.environment} ${row.account ?? ""}`
        .toLowerCase()
        .includes(wanted),
    )
    .toSorted(
      (a, b) => nameOf(a).localeCompare(nameOf(b)) || b.environment.localeCompare(a.environment),
    );
  const replace = (after: Integration) =>
    setRows((before) =>
      before?.map((row) => (row.id === after.id ? withAddress(after, before) : row)),
    );

  return (
    <div class="stack">
      <SignInOutcome />
      <Totals rows={rows} />
      <div class="toolbar">
        <div class="search-box">
          <Icon name="search" />
          <input
            class="input"
            type="search"
            placeholder="Filter by vendor, environment or account"
            aria-label="Filter integrations"
            value={q}
            onInput={(event) => setQ(event.currentTarget.value)}
          />
        </div>
        <select
          class="input"
          aria-label="Status"
          value={status}
          onChange={(event) => setStatus(event.currentTarget.value)}
        >
          <option value="">Any status</option>
          {statusNames.map((name) => (
            <option key={name} value={name}>
              {statuses[name].label}
            </option>
          ))}
        </select>
        {may("integrations:test") && (
          <button
            type="button"
            class="button button-plain"
            aria-disabled={checking}
            onClick={() => !checking && void check()}
          >
            {checking ? <span class="spinner" /> : <Icon name="refresh" />}
            {checking ? "Checking" : "Check all now"}
          </button>
        )}
      </div>
      <p class="hidden-text" role="status">
        {wanted || status ? `${shown.length} shown` : ""}
      </p>
      {shown.length ? (
        <ul class="lines">
          {shown.map((row) => (
            <IntegrationRow
              key={row.id}
              row={row}
              entry={catalog.get(row.vendor_id)}
              onRow={replace}
              onEdit={() =>
                void openDrawer({
                  vendorId: row.vendor_id,
                  integrationId: row.id,
                  onChanged: () => void load(),
                })
              }
              onGone={() => setRows(rows.filter((each) => each.id !== row.id))}
            />
          ))}
        </ul>
      ) : (
        <Empty icon="filter" title="None matches">
          <div class="row">
            <button
              type="button"
              class="button button-plain"
              onClick={() => {
                setQ("");
                setStatus("");
              }}
            >
              Clear the filters
            </button>
          </div>
        </Empty>
      )}
    </div>
  );
}

function Totals({ rows }: { rows: Integration[] }) {
  const having = (status: HealthStatus) => rows.filter((row) => shownStatus(row) === status).length;
  const totals: { label: string; count: number; icon: IconName; tone: string }[] = [
    { label: "Total", count: rows.length, icon: "grid", tone: "" },
    { label: "Enabled", count: rows.filter((row) => row.enabled).length, icon: "bolt", tone: "" },
    { label: "Active", count: having("active"), icon: "check-circle", tone: "good" },
    { label: "Errors", count: having("error"), icon: "alert", tone: "bad" },
    { label: "Inactive", count: having("inactive"), icon: "minus-circle", tone: "" },
  ];
  return (
    <dl class="totals" aria-label="Health summary">
      {totals.map(({ label, count, icon, tone }) => (
        <div key={label} class={count ? `total-${tone || "plain"}` : "total-plain"}>
          <dt>
            <Icon name={icon} size={14} />
            {label}
          </dt>
          <dd>{count}</dd>
        </div>
      ))}
    </dl>
  );
}

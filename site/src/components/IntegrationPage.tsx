import { useEffect, useState } from "preact/hooks";

import type { VendorDetail } from "../../../handlers/catalog.ts";
import { announce } from "../lib/announce.tsx";
import {
  ApiProblem,
  getIntegration,
  type Integration,
  patientFetch,
  testIntegration,
  type TestResult,
} from "../lib/api.ts";
import type { CatalogEntry } from "../lib/catalog.ts";
import { openDrawer } from "../lib/drawer.tsx";
import { may } from "../lib/roles.ts";
import { environmentLabels } from "../lib/status.ts";
import { ago, fullTime } from "../lib/time.ts";
import { loadCatalog } from "../lib/vendor-names.ts";
import { ActivityList } from "./ActivityList.tsx";
import { DeleteIntegration } from "./DeleteIntegration.tsx";
import { GrantPanel } from "./GrantPanel.tsx";
import { Icon } from "./Icon.tsx";
import { SignInOutcome } from "./SignInOutcome.tsx";
import { Empty, Failed, Loading, messageOf } from "./States.tsx";
import { StatusBadge } from "./StatusBadge.tsx";
import { Switch } from "./Switch.tsx";
import { Tabs } from "./Tabs.tsx";
import { TestReport } from "./TestReport.tsx";
import { TryOperation } from "./TryOperation.tsx";
import { useToggle } from "./useToggle.ts";
import { VendorLogo } from "./VendorLogo.tsx";
import { Webhooks } from "./Webhooks.tsx";
import { Workflows } from "./Workflows.tsx";

type Loaded = { row: Integration; vendor: VendorDetail; catalog: Map<string, CatalogEntry> };

async function load(id: string): Promise<Loaded> {
  const [{ data: row }, catalog] = await Promise.all([getIntegration(id), loadCatalog()]);
  const reply = await patientFetch(`/vendors/${row.vendor_id}.json`);
  if (!reply.ok)
    throw new ApiProblem("unknown_vendor", `There is no vendor named ${row.vendor_id}.`);
  return { row, vendor: await reply.json(), catalog };
}

export function IntegrationPage() {
  const id = new URLSearchParams(location.search).get("id") ?? "";
  const [loaded, setLoaded] = useState<Loaded>();
  const [failure, setFailure] = useState<unknown>();
  async function open() {
    setFailure(undefined);
    try {
      const now = await load(id);
      document.title = `${now.vendor.name} · EHRConnect`;
      setLoaded(now);
    } catch (error) {
      setFailure(error);
    }
  }
  useEffect(() => void open(), []);

  if (failure instanceof ApiProblem && (failure.status === 404 || failure.status === 422))
    return (
      <Empty icon="search" title="There is no such integration" level="h1">
        <p>It was deleted, or it belongs to another organization than the one selected above.</p>
        <div class="row">
          <a class="button button-primary" href="/integrations/">
            My integrations
          </a>
        </div>
      </Empty>
    );
  if (failure) return <Failed error={failure} level="h1" onRetry={() => void open()} />;
  if (!loaded)
    return (
      <>
        <h1 class="hidden-text">Integration</h1>
        <Loading />
      </>
    );
  return (
    <IntegrationView
      {...loaded}
      onRow={(row) =>
        setLoaded({
          ...loaded,
          row: {
            ...row,
            webhook_url: row.webhook_url ?? loaded.row.webhook_url,
            grant: row.grant === undefined ? loaded.row.grant : row.grant,
          },
        })
      }
      onReload={() => void open()}
    />
  );
}

type ViewProps = Loaded & { onRow: (row: Integration) => void; onReload: () => void };

function IntegrationView({ row, vendor, catalog, onRow, onReload }: ViewProps) {
  const { busy, toggle } = useToggle(vendor.name, onRow);
  const [testing, setTesting] = useState(false);
  const [result, setResult] = useState<TestResult>();
  const [deleting, setDeleting] = useState(false);
  const edit = () =>
    void openDrawer({ vendorId: row.vendor_id, integrationId: row.id, onChanged: onReload });

  async function test() {
    setTesting(true);
    setResult(undefined);
    try {
      setResult(await testIntegration(row.id));
      onRow((await getIntegration(row.id)).data);
    } catch (error) {
      announce(`Not tested. ${messageOf(error)}`, "bad");
    } finally {
      setTesting(false);
    }
  }

  const sections = [
    {
      id: "overview",
      label: "Overview",
      body: () => (
        <Overview row={row} vendor={vendor} result={result} testing={testing} onRow={onRow} />
      ),
    },
    ...(may("integrations:execute")
      ? [{ id: "try", label: "Try it", body: () => <TryOperation vendor={vendor} row={row} /> }]
      : []),
    {
      id: "activity",
      label: "Activity",
      body: () => (
        <ActivityList catalog={catalog} filter={{ integration_id: row.id }} showVendor={false} />
      ),
    },
    ...(vendor.webhook && row.webhook_url
      ? [{ id: "webhooks", label: "Webhooks", body: () => <Webhooks row={row} vendor={vendor} /> }]
      : []),
    {
      id: "settings",
      label: "Settings",
      body: () => (
        <Settings row={row} vendor={vendor} onEdit={edit} onDelete={() => setDeleting(true)} />
      ),
    },
  ];

  return (
    <>
      <nav class="crumbs" aria-label="Breadcrumb">
        <a href="/integrations/">My integrations</a>
        <span aria-hidden="true">/</span>
        <span>{vendor.name}</span>
      </nav>
      <header class="view-head">
        <VendorLogo id={vendor.id} name={vendor.name} mark={catalog.get(vendor.id)?.mark ?? null} />
        <div class="view-name">
          <h1>{vendor.name}</h1>
          <p class="row">
            <StatusBadge row={row} />
            <span class="badge">{environmentLabels[row.environment]}</span>
            <a class="small" href={`/vendors/${vendor.id}/`}>
              About {vendor.name}
            </a>
          </p>
        </div>
        <div class="row">
          {may("integrations:write") ? (
            <Switch
              label={`${vendor.name} is on`}
              on={row.enabled}
              busy={busy}
              onChange={(on) => void toggle(row, on)}
            />
          ) : (
            <span class="badge badge-line">{row.enabled ? "On" : "Off"}</span>
          )}
          {may("integrations:test") && (
            <button
              type="button"
              class="button button-plain"
              aria-disabled={testing}
              onClick={() => !testing && void test()}
            >
              {testing ? <span class="spinner" /> : <Icon name="play" size={14} />}
              {testing ? "Testing" : "Test now"}
            </button>
          )}
          {may("integrations:write") && (
            <button type="button" class="button button-plain" onClick={edit}>
              <Icon name="edit" size={14} /> Edit
            </button>
          )}
        </div>
      </header>
      <Tabs label={`${vendor.name}, sections`} sections={sections} />
      {deleting && (
        <DeleteIntegration
          row={row}
          name={vendor.name}
          onClose={() => setDeleting(false)}
          onGone={() => location.assign("/integrations/")}
        />
      )}
    </>
  );
}

type OverviewProps = {
  row: Integration;
  vendor: VendorDetail;
  result: TestResult | undefined;
  testing: boolean;
  onRow: (row: Integration) => void;
};

function Overview({ row, vendor, result, testing, onRow }: OverviewProps) {
  const facts: [string, string][] = [
    ["Account", row.account ?? "Known after the first test that passes"],
    [
      "Last checked",
      row.last_tested_at ? `${ago(row.last_tested_at)} (${fullTime(row.last_tested_at)})` : "Never",
    ],
    ["Answer time", row.last_latency_ms === null ? "Not measured" : `${row.last_latency_ms} ms`],
    ["Authentication", row.grant ? "Sign-in at the vendor (OAuth 2.0)" : vendor.authentication],
    ...(row.api_endpoint ? [["API address", row.api_endpoint] as [string, string]] : []),
    ["Created", fullTime(row.created_at)],
    ["Changed", fullTime(row.updated_at)],
  ];
  /** The panel above says it, and what to do. */
  const isTold =
    row.grant && row.grant.status !== "connected" && row.last_cause === "credentials_expired";
  const hasFailed = row.health_status === "error" && row.last_error && !isTold;
  return (
    <div class="stack view-section">
      <SignInOutcome />
      {row.grant && (
        <GrantPanel
          id={row.id}
          grant={row.grant}
          vendor={vendor.name}
          onGrant={(grant) => onRow({ ...row, grant })}
        />
      )}
      <div aria-live="polite">
        {testing && (
          <div class="note">
            <span class="spinner" />
            <p>Asking {vendor.name}.</p>
          </div>
        )}
        {result && <TestReport result={result} />}
        {!result && !testing && hasFailed && (
          <div class="note note-bad">
            <Icon name="alert" />
            <div>
              <b>The last check failed</b>
              <p>{row.last_error}</p>
              {row.last_cause && (
                <a href={`/problems/${row.last_cause}/`}>What this means and what to do</a>
              )}
            </div>
          </div>
        )}
      </div>
      <dl class="review">
        {facts.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <section class="stack">
        <div>
          <h2>Workflows</h2>
          <p class="quiet">Which workflows of your EHR use this integration.</p>
        </div>
        <Workflows row={row} onRow={onRow} />
      </section>
    </div>
  );
}

type SettingsProps = {
  row: Integration;
  vendor: VendorDetail;
  onEdit: () => void;
  onDelete: () => void;
};

function Settings({ row, vendor, onEdit, onDelete }: SettingsProps) {
  const fields = vendor.steps.flatMap((step) => step.fields);
  const shown = fields.filter(({ key }) => row.credentials[key] !== undefined);
  return (
    <div class="stack view-section">
      <div class="row">
        <h2>Configuration</h2>
        {may("integrations:write") && (
          <button type="button" class="button button-plain button-small end" onClick={onEdit}>
            <Icon name="edit" size={14} /> Edit
          </button>
        )}
      </div>
      <dl class="review">
        <div>
          <dt>Integration ID</dt>
          <dd class="mono">{row.id}</dd>
        </div>
        {shown.map(({ key, label, secret, type }) => (
          <div key={key}>
            <dt>
              {label} {secret && <Icon name="lock" size={13} />}
            </dt>
            <dd class={secret ? "mono" : ""}>
              {type === "checkbox"
                ? row.credentials[key]
                  ? "Yes"
                  : "No"
                : String(row.credentials[key])}
            </dd>
          </div>
        ))}
      </dl>
      {may("integrations:write") && (
        <div class="danger-zone">
          <div>
            <h3>Delete this integration</h3>
            <p class="quiet">
              Erases its credentials. Calls through it and webhooks to it fail from then on.
            </p>
          </div>
          <button type="button" class="button button-danger" onClick={onDelete}>
            Delete {vendor.name}
          </button>
        </div>
      )}
    </div>
  );
}

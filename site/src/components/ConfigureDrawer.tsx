import { useEffect, useState } from "preact/hooks";

import type { VendorDetail } from "../../../handlers/catalog.ts";
import type { FieldValue } from "../../../handlers/fields.ts";
import {
  ApiProblem,
  demoCredentials,
  getIntegration,
  type Integration,
  listIntegrations,
  patientFetch,
  type Tested,
  type TestResult,
  toggleIntegration,
} from "../lib/api.ts";
import type { CatalogEntry } from "../lib/catalog.ts";
import { waysIn } from "../lib/configuration.ts";
import { environmentLabels } from "../lib/status.ts";
import { loadCatalog } from "../lib/vendor-names.ts";
import { ConfigureForm, type Stored } from "./ConfigureForm.tsx";
import { WebhookSteps } from "./CopyField.tsx";
import { Dialog } from "./Dialog.tsx";
import { GrantPanel } from "./GrantPanel.tsx";
import { Icon } from "./Icon.tsx";
import { StatusBadge } from "./StatusBadge.tsx";
import { TestReport } from "./TestReport.tsx";
import { VendorLogo } from "./VendorLogo.tsx";

type Props = {
  vendorId: string;
  orgId: string;
  /** Straight to editing this one. */
  integrationId?: string | undefined;
  onChanged: () => void;
  onClose: () => void;
};
type Loaded = {
  vendor: VendorDetail;
  entry: CatalogEntry | undefined;
  rows: Integration[];
  demo: Record<string, FieldValue> | undefined;
};
type View =
  | { kind: "pick" }
  | { kind: "form"; stored: Stored | undefined }
  | { kind: "saved"; row: Tested };

async function load(vendorId: string): Promise<Loaded> {
  const [reply, catalog, owned, demo] = await Promise.all([
    patientFetch(`/vendors/${vendorId}.json`),
    loadCatalog(),
    listIntegrations(),
    demoCredentials(vendorId),
  ]);
  if (!reply.ok) throw new ApiProblem("unknown_vendor", "There is no such vendor.");
  return {
    vendor: await reply.json(),
    entry: catalog.get(vendorId),
    rows: owned.filter((row) => row.vendor_id === vendorId),
    demo,
  };
}

export function ConfigureDrawer({ vendorId, orgId, integrationId, onChanged, onClose }: Props) {
  const [loaded, setLoaded] = useState<Loaded>();
  const [view, setView] = useState<View>();
  const [failure, setFailure] = useState("");

  async function edit(id: string) {
    setView(undefined);
    const { data, etag } = await getIntegration(id);
    setView({ kind: "form", stored: { row: data, etag } });
  }
  async function open() {
    setFailure("");
    try {
      const now = await load(vendorId);
      setLoaded(now);
      if (integrationId) await edit(integrationId);
      else setView(now.rows.length ? { kind: "pick" } : { kind: "form", stored: undefined });
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
  }
  useEffect(() => void open(), []);

  const name = loaded?.vendor.name ?? "integration";
  const editing = view?.kind === "form" && view.stored?.row;
  const title =
    view?.kind === "pick" ? `Manage ${name}` : editing ? `Edit ${name}` : `Configure ${name}`;
  return (
    <Dialog label={title} kind="drawer" onClose={onClose} lightDismiss={view?.kind !== "form"}>
      <header class="drawer-head">
        {loaded ? (
          <VendorLogo id={vendorId} name={name} mark={loaded.entry?.mark ?? null} />
        ) : (
          <span class="skeleton logo" />
        )}
        <div>
          <h2 tabIndex={-1} autofocus>
            {title}
          </h2>
          {loaded && (
            <p>
              {editing ? `${environmentLabels[editing.environment]} · ` : ""}
              {waysIn(loaded.vendor)}
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
      {failure ? (
        <div class="drawer-body">
          <div class="note note-bad" role="alert">
            <Icon name="alert" />
            <div>
              <b>This could not be loaded</b>
              <p>{failure}</p>
              <div class="row">
                <button
                  type="button"
                  class="button button-plain button-small"
                  onClick={() => void open()}
                >
                  Try again
                </button>
              </div>
            </div>
          </div>
        </div>
      ) : !loaded || !view ? (
        <div class="drawer-body" aria-busy="true" aria-label="Loading">
          <span class="skeleton skeleton-line" />
          <span class="skeleton skeleton-row" />
          <span class="skeleton skeleton-row" />
          <span class="skeleton skeleton-row" />
        </div>
      ) : view.kind === "pick" ? (
        <Pick
          {...loaded}
          onEdit={(id) =>
            void edit(id).catch((error: unknown) =>
              setFailure(error instanceof Error ? error.message : String(error)),
            )
          }
          onAdd={() => setView({ kind: "form", stored: undefined })}
        />
      ) : view.kind === "form" ? (
        <ConfigureForm
          key={view.stored?.row.id ?? "new"}
          vendor={loaded.vendor}
          orgId={orgId}
          stored={view.stored}
          demo={loaded.demo}
          taken={loaded.rows.map((row) => row.environment)}
          onClose={onClose}
          onSaved={(row) => {
            onChanged();
            setView({ kind: "saved", row });
          }}
        />
      ) : (
        <SavedView
          vendor={loaded.vendor}
          saved={view.row}
          onChanged={onChanged}
          onClose={onClose}
        />
      )}
    </Dialog>
  );
}

type PickProps = Loaded & { onEdit: (id: string) => void; onAdd: () => void };

function Pick({ vendor, rows, onEdit, onAdd }: PickProps) {
  const left = vendor.environments.filter((name) => !rows.some((row) => row.environment === name));
  return (
    <div class="drawer-body">
      <ul class="pick">
        {rows.map((row) => (
          <li key={row.id}>
            <div>
              <b>{environmentLabels[row.environment]}</b>
              <StatusBadge row={row} />
            </div>
            <div class="row">
              <button
                type="button"
                class="button button-plain button-small"
                aria-label={`Edit ${environmentLabels[row.environment]}`}
                onClick={() => onEdit(row.id)}
              >
                Edit
              </button>
              <a
                class="button button-quiet button-small"
                aria-label={`View ${environmentLabels[row.environment]}`}
                href={`/integrations/view/?id=${row.id}`}
              >
                View
              </a>
            </div>
          </li>
        ))}
      </ul>
      {left.map((name) => (
        <button key={name} type="button" class="button button-plain" onClick={onAdd}>
          <Icon name="plus" /> Add {environmentLabels[name].toLowerCase()}
        </button>
      ))}
    </div>
  );
}

type SavedProps = {
  vendor: VendorDetail;
  saved: Tested;
  onChanged: () => void;
  onClose: () => void;
};

function SavedView({ vendor, saved, onChanged, onClose }: SavedProps) {
  const [row, setRow] = useState<Tested>(saved);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const result: TestResult | undefined = row.test && {
    success: row.test.success,
    message: row.test.message,
    data: row.test,
  };

  async function switchOn() {
    setBusy(true);
    setFailure("");
    try {
      const { data } = await toggleIntegration(row.id, true);
      setRow({ ...data, grant: row.grant });
      onChanged();
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <>
      <div class="drawer-body" aria-live="polite">
        <div class="step-head">
          <h3>
            {vendor.name} is saved{row.enabled ? " and on" : ""}
          </h3>
          <p class="quiet">
            {row.enabled
              ? "It is checked from now on, and its status shows on the marketplace."
              : "It is off: nothing is called until you switch it on."}
          </p>
        </div>
        <div class="row">
          <StatusBadge row={row} />
          <span class="badge">{environmentLabels[row.environment]}</span>
        </div>
        {row.grant && (
          <GrantPanel
            id={row.id}
            grant={row.grant}
            vendor={vendor.name}
            onGrant={(grant) => setRow({ ...row, grant })}
          />
        )}
        {result && <TestReport result={result} />}
        {failure && (
          <div class="note note-bad" role="alert">
            <Icon name="alert" />
            <div>
              <b>It was not switched on</b>
              <p>{failure}</p>
            </div>
          </div>
        )}
        {row.webhook_url && vendor.webhook && (
          <section class="stack">
            <h3>Receive webhooks</h3>
            <p class="quiet">Optional: let {vendor.name} tell you when something happens.</p>
            <WebhookSteps url={row.webhook_url} setup={vendor.webhook.setup} />
          </section>
        )}
      </div>
      <div class="drawer-foot">
        <a class="button button-quiet" href={`/integrations/view/?id=${row.id}`}>
          View integration
        </a>
        <div class="end">
          <button
            type="button"
            class={`button ${row.enabled ? "button-primary" : "button-plain"}`}
            onClick={onClose}
          >
            Done
          </button>
          {!row.enabled && (!row.grant || row.grant.status === "connected") && (
            <button
              type="button"
              class="button button-primary"
              disabled={busy}
              onClick={() => void switchOn()}
            >
              {busy ? <span class="spinner" /> : <Icon name="bolt" />}
              Switch on
            </button>
          )}
        </div>
      </div>
    </>
  );
}

import { useState } from "preact/hooks";

import { announce } from "../lib/announce.tsx";
import { getIntegration, type Integration, testIntegration, type TestResult } from "../lib/api.ts";
import type { CatalogEntry } from "../lib/catalog.ts";
import { may } from "../lib/roles.ts";
import { environmentLabels, shownStatus } from "../lib/status.ts";
import { ago, fullTime } from "../lib/time.ts";
import { copy, isMasked } from "./CopyField.tsx";
import { DeleteIntegration } from "./DeleteIntegration.tsx";
import { Icon } from "./Icon.tsx";
import { Menu } from "./Menu.tsx";
import { messageOf } from "./States.tsx";
import { StatusBadge } from "./StatusBadge.tsx";
import { Switch } from "./Switch.tsx";
import { TestReport } from "./TestReport.tsx";
import { useToggle } from "./useToggle.ts";
import { VendorLogo } from "./VendorLogo.tsx";

type Props = {
  row: Integration;
  entry: CatalogEntry | undefined;
  onRow: (row: Integration) => void;
  onEdit: () => void;
  onGone: () => void;
};

export function IntegrationRow({ row, entry, onRow, onEdit, onGone }: Props) {
  const name = entry?.name ?? row.vendor_id;
  const full = `${name} ${environmentLabels[row.environment].toLowerCase()}`;
  const address = `/integrations/view/?id=${row.id}`;
  const { busy, toggle } = useToggle(name, onRow);
  const [testing, setTesting] = useState(false);
  const [result, setResult] = useState<TestResult>();
  const [deleting, setDeleting] = useState(false);

  async function test() {
    setTesting(true);
    setResult(undefined);
    try {
      const outcome = await testIntegration(row.id);
      setResult(outcome);
      announce(
        `${full}: test ${outcome.success ? "passed" : "failed"}`,
        outcome.success ? "good" : "bad",
      );
      onRow((await getIntegration(row.id)).data);
    } catch (error) {
      announce(`${full} could not be tested. ${messageOf(error)}`, "bad");
    } finally {
      setTesting(false);
    }
  }

  return (
    <li class="line">
      <div class="line-main">
        <VendorLogo id={row.vendor_id} name={name} mark={entry?.mark ?? null} />
        <div class="line-name">
          <h2>
            <a href={address}>{name}</a>
          </h2>
          <p class="quiet small">
            {environmentLabels[row.environment]}
            {row.account && ` · ${row.account}`}
          </p>
        </div>
        <div class="line-status">
          <StatusBadge row={row} />
          <span class="quiet small" title={row.last_tested_at ? fullTime(row.last_tested_at) : ""}>
            {row.last_tested_at ? `Checked ${ago(row.last_tested_at)}` : "Never checked"}
          </span>
        </div>
        {may("integrations:write") ? (
          <Switch
            label={`${full} is on`}
            on={row.enabled}
            busy={busy}
            onChange={(on) => void toggle(row, on)}
          />
        ) : (
          <span class="badge badge-line">{row.enabled ? "On" : "Off"}</span>
        )}
        <div class="line-actions">
          {may("integrations:test") && (
            <button
              type="button"
              class="button button-plain button-small"
              aria-label={`${testing ? "Testing" : "Test now"}: ${full}`}
              aria-disabled={testing}
              onClick={() => !testing && void test()}
            >
              {testing ? <span class="spinner" /> : <Icon name="play" size={13} />}
              {testing ? "Testing" : "Test now"}
            </button>
          )}
          <Menu
            label={`More for ${full}`}
            faceClass="button button-quiet button-small button-icon"
            face={<Icon name="more" size={18} />}
          >
            {may("integrations:write") && (
              <button type="button" role="menuitem" tabIndex={-1} onClick={onEdit}>
                <Icon name="edit" /> Edit
              </button>
            )}
            {may("integrations:execute") && (
              <a role="menuitem" tabIndex={-1} href={`${address}&section=try`}>
                <Icon name="bolt" /> Try an operation
              </a>
            )}
            <a role="menuitem" tabIndex={-1} href={`${address}&section=activity`}>
              <Icon name="activity" /> Activity
            </a>
            {row.webhook_url && !isMasked(row.webhook_url) && (
              <button
                type="button"
                role="menuitem"
                tabIndex={-1}
                onClick={() => void copy(row.webhook_url ?? "", "Webhook address")}
              >
                <Icon name="copy" /> Copy webhook URL
              </button>
            )}
            {may("integrations:write") && <hr />}
            {may("integrations:write") && (
              <button
                type="button"
                role="menuitem"
                tabIndex={-1}
                class="danger"
                onClick={() => setDeleting(true)}
              >
                <Icon name="trash" /> Delete
              </button>
            )}
          </Menu>
        </div>
      </div>
      {result ? (
        <div class="line-more">
          <TestReport result={result} />
          <button
            type="button"
            class="button button-quiet button-small button-icon"
            aria-label={`Hide the test result of ${full}`}
            onClick={() => setResult(undefined)}
          >
            <Icon name="close" />
          </button>
        </div>
      ) : (
        row.last_error &&
        shownStatus(row) === "error" && (
          <p class="line-error">
            <Icon name="alert" size={14} />
            {row.last_error}
          </p>
        )
      )}
      {deleting && (
        <DeleteIntegration
          row={row}
          name={name}
          onClose={() => setDeleting(false)}
          onGone={onGone}
        />
      )}
    </li>
  );
}

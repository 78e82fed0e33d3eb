import { useState } from "preact/hooks";

import { announce } from "../lib/announce.tsx";
import {
  changeIntegration,
  getIntegration,
  type Integration,
  type UsageMapping,
} from "../lib/api.ts";
import { may } from "../lib/roles.ts";
import { Icon } from "./Icon.tsx";
import { messageOf } from "./States.tsx";
import { Switch } from "./Switch.tsx";

type Props = { row: Integration; onRow: (row: Integration) => void };

const idOf = (workflow: string) =>
  `map_${workflow
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_|_$/g, "")
    .slice(0, 90)}`;

/** Which of the EHR's workflows use this integration (`usage_mappings`). */
export function Workflows({ row, onRow }: Props) {
  const [workflow, setWorkflow] = useState("");
  const [busy, setBusy] = useState(false);
  const mappings = row.usage_mappings;

  /** Reads first, so that a change by somebody else in the meantime is kept. */
  async function change(edit: (now: UsageMapping[]) => UsageMapping[], told: string) {
    setBusy(true);
    try {
      const { data, etag } = await getIntegration(row.id);
      const changes = { usage_mappings: edit(data.usage_mappings) };
      const saved = await changeIntegration(row.id, changes, etag);
      onRow(saved.data);
      announce(told);
      return true;
    } catch (error) {
      announce(`Not saved. ${messageOf(error)}`, "bad");
      return false;
    } finally {
      setBusy(false);
    }
  }

  async function add(event: Event) {
    event.preventDefault();
    const name = workflow.trim();
    const id = idOf(name);
    if (!name || busy) return;
    if (mappings.some((each) => each.id === id)) return announce(`${name} is there already`, "bad");
    const added = await change(
      (now) => [...now, { id, workflow: name, enabled: true }],
      `${name} added`,
    );
    if (added) setWorkflow("");
  }

  if (!may("integrations:write"))
    return mappings.length ? (
      <ul class="pick">
        {mappings.map((each) => (
          <li key={each.id}>
            <span>{each.workflow}</span>
            <span class="badge badge-line">{each.enabled ? "On" : "Off"}</span>
          </li>
        ))}
      </ul>
    ) : (
      <p class="quiet">None yet.</p>
    );
  return (
    <div class="stack">
      {mappings.length > 0 && (
        <ul class="pick">
          {mappings.map((each) => (
            <li key={each.id}>
              <span>{each.workflow}</span>
              <div class="row">
                <Switch
                  label={`${each.workflow} uses this integration`}
                  on={each.enabled}
                  busy={busy}
                  onChange={(enabled) =>
                    void change(
                      (now) => now.map((one) => (one.id === each.id ? { ...one, enabled } : one)),
                      `${each.workflow} is ${enabled ? "on" : "off"}`,
                    )
                  }
                />
                <button
                  type="button"
                  class="button button-quiet button-small button-icon"
                  aria-label={`Remove ${each.workflow}`}
                  disabled={busy}
                  onClick={() =>
                    void change(
                      (now) => now.filter((one) => one.id !== each.id),
                      `${each.workflow} removed`,
                    )
                  }
                >
                  <Icon name="close" />
                </button>
              </div>
            </li>
          ))}
        </ul>
      )}
      <form class="input-group" onSubmit={(event) => void add(event)}>
        <input
          class="input"
          aria-label="Workflow"
          placeholder="Workflow, such as Patient Sync"
          maxLength={200}
          value={workflow}
          onInput={(event) => setWorkflow(event.currentTarget.value)}
        />
        <button class="button button-plain" disabled={busy || !workflow.trim()}>
          <Icon name="plus" /> Add
        </button>
      </form>
    </div>
  );
}

import { useState } from "preact/hooks";

import type { VendorDetail } from "../../../handlers/catalog.ts";
import { announce } from "../lib/announce.tsx";
import { type Integration, testWebhook } from "../lib/api.ts";
import { may } from "../lib/roles.ts";
import { WebhookSteps } from "./CopyField.tsx";
import { Icon } from "./Icon.tsx";
import { messageOf } from "./States.tsx";

export function Webhooks({ row, vendor }: { row: Integration; vendor: VendorDetail }) {
  if (!vendor.webhook || !row.webhook_url) return null;
  const { scheme, types, setup, secret_field } = vendor.webhook;
  const missing = secret_field !== null && row.credentials[secret_field] === undefined;
  const secret = vendor.steps
    .flatMap((step) => step.fields)
    .find((field) => field.key === secret_field);
  return (
    <div class="stack view-section">
      <div>
        <h2>Webhook address</h2>
        <p class="quiet">
          {vendor.name} posts its events here. Each is checked before it is kept: {scheme}.
        </p>
      </div>
      {missing && (
        <div class="note note-warn">
          <Icon name="alert" />
          <p>
            Nothing can be accepted yet: “{secret?.label ?? secret_field}” is not set. Edit the
            integration and add it.
          </p>
        </div>
      )}
      <WebhookSteps url={row.webhook_url} setup={setup} />
      <p class="row">
        <a class="button button-plain" href={`/events/?integration_id=${row.id}`}>
          <Icon name="webhook" /> Events received
        </a>
        {!missing && location.protocol === "http:" && may("integrations:test") && (
          <SendTest id={row.id} vendor={vendor.name} />
        )}
      </p>
      <h2>Events</h2>
      <ul class="event-list">
        {types.map((type) => (
          <li key={type}>
            <code>{type}</code>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Development only: the simulated vendor signs an event and posts it to the integration's address. */
function SendTest({ id, vendor }: { id: string; vendor: string }) {
  const [busy, setBusy] = useState(false);
  async function send() {
    setBusy(true);
    try {
      const { success, message } = await testWebhook(id);
      announce(`${vendor}: ${message}`, success ? "good" : "bad");
    } catch (error) {
      announce(`Not sent. ${messageOf(error)}`, "bad");
    } finally {
      setBusy(false);
    }
  }
  return (
    <button
      type="button"
      class="button button-plain"
      aria-disabled={busy}
      onClick={() => !busy && void send()}
    >
      {busy ? <span class="spinner" /> : <Icon name="send" size={14} />}
      Send a signed test event
    </button>
  );
}

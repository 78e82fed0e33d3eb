import { announce } from "../lib/announce.tsx";
import { Icon } from "./Icon.tsx";
import { Prose } from "./Prose.tsx";

export async function copy(text: string, what: string) {
  try {
    await navigator.clipboard.writeText(text);
    announce(`${what} copied`);
  } catch {
    announce(`The browser did not allow copying. Select the ${what} and copy it by hand.`, "bad");
  }
}

/** Who may not write does not see the token in a webhook address. */
export const isMasked = (address: string) => address.includes("••••");

export function CopyField({ label, text }: { label: string; text: string }) {
  return (
    <div class="copy-field">
      <code tabIndex={0} aria-label={label}>
        {text}
      </code>
      <button
        type="button"
        class="button button-plain button-small"
        disabled={isMasked(text)}
        onClick={() => void copy(text, label)}
      >
        <Icon name="copy" size={14} /> Copy
      </button>
    </div>
  );
}

/** The vendor's own steps for switching its webhooks on, with this integration's address in them. */
export function WebhookSteps({ url, setup }: { url: string; setup: readonly string[] }) {
  return (
    <>
      <CopyField label="Webhook address" text={url} />
      {isMasked(url) && (
        <p class="field-help">An owner or admin of the organization sees the whole address.</p>
      )}
      <ol class="numbered">
        {setup.map((step) => (
          <li key={step}>
            <Prose text={step.replaceAll("{url}", "the address above")} />
          </li>
        ))}
      </ol>
    </>
  );
}

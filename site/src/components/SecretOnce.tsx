import { CopyField } from "./CopyField.tsx";
import { Icon } from "./Icon.tsx";

/** Tested against our own deliveries in functions/deliveries.test.ts. */
const snippet = `import { Webhook } from "standardwebhooks";

// body: the request's text, exactly as it came
const event = new Webhook(secret).verify(body, headers);`;

/** A new signing secret, which is never shown again, and how a receiver uses it. */
export const SecretOnce = ({ secret }: { secret: string }) => (
  <div class="stack">
    <div class="note note-warn">
      <Icon name="key" />
      <div>
        <b>Copy the signing secret now</b>
        <p>It is not shown again. If it is lost, rotate it.</p>
      </div>
    </div>
    <CopyField label="Signing secret" text={secret} />
    <section class="stack">
      <h3>Verify what arrives</h3>
      <p class="quiet">
        Deliveries are signed as{" "}
        <a href="https://www.standardwebhooks.com" target="_blank" rel="noreferrer">
          Standard Webhooks ↗
        </a>{" "}
        has it, so a library of your language does this:
      </p>
      <pre tabIndex={0} aria-label="Example of a receiver">
        {snippet}
      </pre>
      <p class="quiet small">
        Answer with a 2xx within 30 seconds, and use the header webhook-id to notice what you had
        before.
      </p>
    </section>
  </div>
);

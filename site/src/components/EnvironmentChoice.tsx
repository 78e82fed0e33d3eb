import type { VendorDetail } from "../../../handlers/catalog.ts";
import type { EnvironmentName } from "../lib/api.ts";
import { environmentLabels } from "../lib/status.ts";
import { Icon } from "./Icon.tsx";

const meanings: Record<EnvironmentName, string> = {
  sandbox: "For trying out, with test accounts and made-up records.",
  production: "Live: real patients, real money, real messages.",
};

type Props = {
  vendor: VendorDetail;
  value: EnvironmentName;
  /** Environments that the org already has, by this vendor. */
  taken: readonly EnvironmentName[];
  complaint?: string | undefined;
  onChange: (value: EnvironmentName) => void;
};

export function EnvironmentChoice({ vendor, value, taken, complaint, onChange }: Props) {
  return (
    <fieldset class="field">
      <legend class="label">Environment</legend>
      <div class="choice">
        {vendor.environments.map((name) => (
          <label key={name}>
            <input
              id={`field-environment${name === value ? "" : `-${name}`}`}
              type="radio"
              name="environment"
              checked={name === value}
              disabled={taken.includes(name)}
              onChange={() => onChange(name)}
            />
            <span>
              <b>{environmentLabels[name]}</b>
              <span class="quiet small">
                {taken.includes(name) ? "You already have this one." : meanings[name]}
              </span>
            </span>
          </label>
        ))}
      </div>
      {complaint && <p class="field-error">{complaint}</p>}
      {value === "production" && (
        <div class="note note-warn">
          <Icon name="alert" />
          <p>
            Calls made through a production integration take effect at {vendor.name}. Use production
            credentials, and test before you switch it on.
          </p>
        </div>
      )}
    </fieldset>
  );
}

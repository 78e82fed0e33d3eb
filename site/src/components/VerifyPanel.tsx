import { useEffect, useRef } from "preact/hooks";

import type { StepView, VendorDetail } from "../../../handlers/catalog.ts";
import type { EnvironmentName, TestResult } from "../lib/api.ts";
import { type Chosen, type Entered, fieldsShown } from "../lib/configuration.ts";
import { environmentLabels } from "../lib/status.ts";
import { Icon } from "./Icon.tsx";
import { TestReport } from "./TestReport.tsx";

type Props = {
  vendor: VendorDetail;
  review:
    | {
        environment: EnvironmentName;
        endpoint: string;
        form: { steps: readonly StepView[]; values: Entered; chosen: Chosen };
      }
    | undefined;
  busy: boolean;
  result: TestResult | undefined;
  /** A test ran, and values changed after it. */
  outdated: boolean;
};

export function VerifyPanel({ vendor, review, busy, result, outdated }: Props) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (busy || result) place.current?.scrollIntoView({ block: "nearest" });
  }, [busy, result]);
  return (
    <>
      {review && <Review {...review} />}
      <div ref={place} aria-live="polite" aria-busy={busy}>
        {busy && (
          <div class="note">
            <span class="spinner" />
            <p>Asking {vendor.name}. This takes a few seconds.</p>
          </div>
        )}
        {!busy && outdated && (
          <div class="note note-warn">
            <Icon name="alert" />
            <p>Values changed after the last test. Test again before saving.</p>
          </div>
        )}
        {!busy && result && <TestReport result={result} />}
      </div>
    </>
  );
}

function Review({ environment, endpoint, form }: NonNullable<Props["review"]>) {
  const { steps, values, chosen } = form;
  const fields = steps.flatMap((step) => fieldsShown(step, { steps, values, chosen }));
  return (
    <dl class="review review-short">
      <div>
        <dt>Environment</dt>
        <dd>{environmentLabels[environment]}</dd>
      </div>
      {endpoint && (
        <div>
          <dt>API address</dt>
          <dd>{endpoint}</dd>
        </div>
      )}
      {fields.map(({ key, label, secret, type, options }) => {
        const value = values[key];
        if (value === undefined || value === "" || type === "oauth") return null;
        const shown = secret
          ? "••••••••"
          : type === "checkbox"
            ? value
              ? "Yes"
              : "No"
            : (options?.find((option) => option.value === value)?.label ?? String(value));
        return (
          <div key={key}>
            <dt>{label}</dt>
            <dd>{shown}</dd>
          </div>
        );
      })}
    </dl>
  );
}

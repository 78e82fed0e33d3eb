import { useEffect, useRef, useState } from "preact/hooks";

import type { OperationView, VendorDetail } from "../../../handlers/catalog.ts";
import { ApiProblem, execute, type Integration } from "../lib/api.ts";
import {
  choicesOf,
  inputOf,
  limitsText,
  paramsOf,
  type Property,
  propertiesOf,
  type Typed,
  typedOf,
} from "../lib/schema.ts";
import { Confirm } from "./Confirm.tsx";
import { Icon } from "./Icon.tsx";
import { EffectBadge } from "./OperationTable.tsx";
import { Prose } from "./Prose.tsx";
import { Empty, messageOf } from "./States.tsx";

type Outcome =
  | { ok: true; result: unknown; tookMs: number }
  /** `heard`: what had come of a stream that broke off. */
  | { ok: false; error: unknown; heard: string };
type Props = { vendor: VendorDetail; row: Integration };

/** Of `params.address.city` it is `address`. */
const paramOf = (path: string) => path.replace(/^params\./, "").split(".")[0] ?? "";

export function TryOperation({ vendor, row }: Props) {
  const [first] = vendor.operations;
  const [name, setName] = useState(
    new URLSearchParams(location.search).get("operation") ?? first?.id ?? "",
  );
  const operation = vendor.operations.find((each) => each.id === name) ?? first;
  if (!operation)
    return (
      <Empty icon="bolt" title="Nothing to try">
        <p>{vendor.name} has no operations: it only sends events.</p>
      </Empty>
    );
  return (
    <div class="try">
      <div class="field">
        <label for="operation">Operation</label>
        <select
          id="operation"
          class="input"
          value={operation.id}
          onChange={(event) => setName(event.currentTarget.value)}
        >
          {vendor.operations.map((each) => (
            <option key={each.id} value={each.id}>
              {each.title}
            </option>
          ))}
        </select>
        <p class="row">
          <EffectBadge effect={operation.effect} />
          <code class="quiet">{operation.id}</code>
        </p>
        {operation.description && (
          <p class="soft">
            <Prose text={operation.description} />
          </p>
        )}
      </div>
      {!row.enabled && (
        <div class="note note-warn">
          <Icon name="alert" />
          <p>This integration is off. Switch it on to run operations.</p>
        </div>
      )}
      <OperationForm key={operation.id} vendor={vendor} row={row} operation={operation} />
    </div>
  );
}

function OperationForm({ vendor, row, operation }: Props & { operation: OperationView }) {
  const properties = propertiesOf(operation.params);
  const [typed, setTyped] = useState<Typed>({});
  const [complaints, setComplaints] = useState<Record<string, string>>({});
  const [confirming, setConfirming] = useState<Record<string, unknown>>();
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>();
  const [heard, setHeard] = useState("");
  const place = useRef<HTMLElement>(null);
  const hasBegun = heard !== "";
  useEffect(() => {
    if (outcome || hasBegun) place.current?.scrollIntoView({ block: "nearest" });
  }, [outcome, hasBegun]);

  async function run(params: Record<string, unknown>) {
    setConfirming(undefined);
    setBusy(true);
    setOutcome(undefined);
    setHeard("");
    const started = performance.now();
    let text = "";
    const listen = (soFar: string) => setHeard((text = soFar));
    try {
      const result = await execute(row.id, operation.id, params, crypto.randomUUID(), listen);
      setOutcome({ ok: true, result, tookMs: Math.round(performance.now() - started) });
    } catch (error) {
      setOutcome({ ok: false, error, heard: text });
      if (error instanceof ApiProblem)
        complain(
          Object.fromEntries(error.errors.map(({ path, message }) => [paramOf(path), message])),
        );
    } finally {
      setBusy(false);
    }
  }

  function complain(found: Record<string, string>) {
    setComplaints(found);
    const worst = properties.find(({ name }) => found[name]);
    if (worst) document.getElementById(`param-${worst.name}`)?.focus();
  }

  function submit(event: Event) {
    event.preventDefault();
    if (busy) return;
    const parsed = paramsOf(operation.params, typed);
    complain(parsed.complaints);
    if (Object.keys(parsed.complaints).length) return;
    if (operation.effect === "write") setConfirming(parsed.params);
    else void run(parsed.params);
  }

  return (
    <div class="try-columns">
      <form class="stack" noValidate onSubmit={submit}>
        <div class="row">
          <h2>Params</h2>
          {properties.length > 0 && (
            <button
              type="button"
              class="button-link small end"
              onClick={() => {
                setTyped(typedOf(operation.params, operation.example.params));
                setComplaints({});
              }}
            >
              Fill in the example
            </button>
          )}
        </div>
        {properties.length === 0 && <p class="quiet">This operation takes none.</p>}
        {properties.map((property) => (
          <Param
            key={property.name}
            property={property}
            value={typed[property.name] ?? ""}
            complaint={complaints[property.name]}
            onChange={(value) => setTyped({ ...typed, [property.name]: value })}
          />
        ))}
        <button class="button button-primary" disabled={!row.enabled} aria-disabled={busy}>
          {busy ? <span class="spinner" /> : <Icon name="play" size={14} />}
          {busy ? "Running" : "Run"}
        </button>
      </form>
      <section class="stack" ref={place} aria-live="polite" aria-label="Result">
        <h2>Result</h2>
        {busy && hasBegun ? (
          <Coming text={heard} />
        ) : (
          <Result outcome={outcome} operation={operation} />
        )}
      </section>
      {confirming && (
        <Confirm
          title={`Run “${operation.title}” now?`}
          action="Run it"
          onClose={() => setConfirming(undefined)}
          onConfirm={async () => void run(confirming)}
        >
          <p>
            This writes at {vendor.name}
            {row.environment === "production"
              ? ", in production: it takes effect for real people."
              : ", in the sandbox."}
          </p>
        </Confirm>
      )}
    </div>
  );
}

/** A stream or a file of text is shown as it is. */
const resultText = (result: unknown) =>
  typeof result === "string" ? result : JSON.stringify(result, null, 2);

/** A stream as it comes; read aloud once it is whole. */
const Coming = ({ text }: { text: string }) => (
  <div class="stack" aria-busy="true">
    <p class="row quiet small">
      <span class="spinner" /> Coming in
    </p>
    <pre>{text}</pre>
  </div>
);

function Result({
  outcome,
  operation,
}: {
  outcome: Outcome | undefined;
  operation: OperationView;
}) {
  if (!outcome)
    return (
      <>
        <p class="quiet">Run the operation to see what comes back. It looks like this:</p>
        <pre tabIndex={0} class="faint">
          {resultText(operation.example.result)}
        </pre>
      </>
    );
  if (outcome.ok)
    return (
      <>
        <p class="row">
          <span class="status status-good">
            <Icon name="check-circle" size={14} />
            Done
          </span>
          <span class="quiet small">{outcome.tookMs} ms</span>
        </p>
        <pre tabIndex={0}>{resultText(outcome.result)}</pre>
      </>
    );
  const { error } = outcome;
  const problem = error instanceof ApiProblem ? error : undefined;
  const named = new Set(propertiesOf(operation.params).map(({ name }) => name));
  /** What is wrong with the params as a whole; the rest stands at its field. */
  const general = (problem?.errors ?? []).filter(({ path }) => !named.has(paramOf(path)));
  const page = problem?.vendorCause ?? (problem?.status ? problem.code : undefined);
  return (
    <>
      <div class="note note-bad">
        <Icon name="alert" />
        <div>
          <b>It did not work</b>
          <p>{messageOf(error)}</p>
          {general.map(({ message }) => (
            <p key={message}>{message}</p>
          ))}
          {page && <a href={`/problems/${page}/`}>What this means and what to do</a>}
        </div>
      </div>
      {outcome.heard && <pre tabIndex={0}>{outcome.heard}</pre>}
    </>
  );
}

type ParamProps = {
  property: Property;
  value: string;
  complaint: string | undefined;
  onChange: (value: string) => void;
};

function Param({ property, value, complaint, onChange }: ParamProps) {
  const { name, schema, required } = property;
  const id = `param-${name}`;
  const input = inputOf(schema);
  const hint = {
    list: "One a line.",
    json: "JSON.",
    text: "",
    longtext: "",
    date: "",
    number: "",
    choice: "",
    yesno: "",
  }[input];
  const help = [schema.description, limitsText(schema), hint].filter(Boolean).join(" · ");
  const shared = {
    id,
    class: "input",
    value,
    "aria-invalid": complaint ? ("true" as const) : undefined,
    "aria-required": required,
    "aria-describedby":
      [complaint && `${id}-error`, help && `${id}-help`].filter(Boolean).join(" ") || undefined,
    onInput: (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value),
  };
  const choices = input === "yesno" ? ["true", "false"] : choicesOf(schema).map(String);
  return (
    <div class="field">
      <label for={id}>
        <code>{name}</code>
        {!required && <span class="optional">Optional</span>}
      </label>
      {choices.length > 0 ? (
        <select {...shared}>
          <option value="">{required ? "Choose…" : "Not set"}</option>
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {input === "yesno" ? { true: "Yes", false: "No" }[choice] : choice}
            </option>
          ))}
        </select>
      ) : input === "longtext" || input === "list" || input === "json" ? (
        <textarea
          {...shared}
          class={`input input-short ${input === "longtext" ? "input-prose" : ""}`}
          rows={3}
          spellcheck={input === "longtext"}
        />
      ) : (
        <input
          {...shared}
          type={input === "date" ? "date" : "text"}
          inputMode={input === "number" ? "decimal" : undefined}
          autocomplete="off"
        />
      )}
      {complaint && (
        <p class="field-error" id={`${id}-error`}>
          <Icon name="alert" size={14} />
          {complaint}
        </p>
      )}
      {help && (
        <p class="field-help" id={`${id}-help`}>
          {help}
        </p>
      )}
    </div>
  );
}

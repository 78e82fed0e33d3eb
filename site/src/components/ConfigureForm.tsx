import { useEffect, useRef, useState } from "preact/hooks";

import type { FieldView, StepView, VendorDetail } from "../../../handlers/catalog.ts";
import type { FieldValue } from "../../../handlers/fields.ts";
import { announce } from "../lib/announce.tsx";
import {
  addIntegration,
  ApiProblem,
  changeIntegration,
  type EnvironmentName,
  getIntegration,
  type Integration,
  testDraft,
  type Tested,
  type TestResult,
} from "../lib/api.ts";
import {
  changedCredentials,
  type Complaints,
  type Entered,
  endpointComplaint,
  fieldsShown,
  parseForm,
  startingChoices,
  startingValues,
} from "../lib/configuration.ts";
import { type Draft, dropDraft, keepDraft, readDraft } from "../lib/drafts.ts";
import { goConnect } from "../lib/sign-in.ts";
import { ago } from "../lib/time.ts";
import { EnvironmentChoice } from "./EnvironmentChoice.tsx";
import { fieldId } from "./FieldInput.tsx";
import { Icon } from "./Icon.tsx";
import { Prose } from "./Prose.tsx";
import { messageOf } from "./States.tsx";
import { StepFields } from "./StepFields.tsx";
import { VerifyPanel } from "./VerifyPanel.tsx";

export type Stored = { row: Integration; etag: string | null };
type Props = {
  vendor: VendorDetail;
  orgId: string;
  stored: Stored | undefined;
  /** Values that the simulated vendor accepts, in development. */
  demo: Entered | undefined;
  taken: readonly EnvironmentName[];
  onSaved: (row: Tested) => void;
  onClose: () => void;
};
type Screen = { title: string; environment: boolean; steps: readonly StepView[]; verify: boolean };

/** One screen where the vendor has one step, else one a step and one to verify; the environment comes first. */
function screensOf({ steps }: VendorDetail): Screen[] {
  const single = steps.length <= 1;
  const screens = (steps.length ? steps : [undefined]).map((step, at) => ({
    title: step?.title ?? "Environment",
    environment: at === 0,
    steps: step ? [step] : [],
    verify: single,
  }));
  return single
    ? screens
    : [...screens, { title: "Verify", environment: false, steps: [], verify: true }];
}

const endpointField = (example: string): FieldView => ({
  key: "api_endpoint",
  type: "url",
  label: "API address",
  placeholder: example,
  help: "The address of your own instance, as the vendor or your administrator gave it.",
  required: true,
  secret: false,
  example,
});

export function ConfigureForm({ vendor, orgId, stored, demo, taken, onSaved, onClose }: Props) {
  const screens = screensOf(vendor);
  const free = vendor.environments.find((name) => !taken.includes(name));
  const [original, setOriginal] = useState(stored);
  const row = original?.row;
  const initial = () => startingValues(vendor.steps, row?.credentials);
  const [environment, setEnvironment] = useState(row?.environment ?? free ?? "sandbox");
  const [endpoint, setEndpoint] = useState(row?.api_endpoint ?? "");
  const [values, setValues] = useState(initial);
  const [chosen, setChosen] = useState(() => startingChoices(vendor.steps, initial()));
  const [at, setAt] = useState(0);
  const [complaints, setComplaints] = useState<Complaints>({});
  const [focus, setFocus] = useState("");
  const [failure, setFailure] = useState<ApiProblem>();
  const [busy, setBusy] = useState<"test" | "save" | "reload" | undefined>();
  const [tested, setTested] = useState<{ result: TestResult; of: string }>();
  const [draft, setDraft] = useState<Draft | undefined>(() =>
    stored ? undefined : readDraft(orgId, vendor.id),
  );
  const touched = useRef(false);
  const heading = useRef<HTMLHeadingElement>(null);

  const screen = screens[at] ?? screens[0];
  const details = vendor.environment_details.find(({ name }) => name === environment);
  const asksEndpoint = Boolean(details?.endpoint_example);
  const form = { steps: vendor.steps, values, chosen };
  const { credentials } = parseForm(form);
  const unsaved = {
    vendor_id: vendor.id,
    environment,
    api_endpoint: asksEndpoint ? endpoint.trim() : "",
    credentials,
  };
  /** Nobody has signed in at the vendor yet, so that there is nothing to test before it is saved. */
  const connects =
    row?.grant?.status !== "connected" &&
    vendor.steps.some((step) => fieldsShown(step, form).some(({ type }) => type === "oauth"));
  const fingerprint = JSON.stringify(unsaved);
  const result = tested?.of === fingerprint ? tested.result : undefined;

  useEffect(() => {
    if (stored || !touched.current) return;
    keepDraft(orgId, vendor, { environment, endpoint, values, chosen, screen: at });
  }, [environment, endpoint, values, chosen, at]);
  useEffect(() => {
    if (at > 0 || touched.current) heading.current?.focus();
  }, [at]);
  useEffect(() => {
    if (focus) document.getElementById(fieldId(focus))?.focus();
    setFocus("");
  }, [focus, at]);

  const shownOn = ({ steps, environment: first }: Screen) => [
    ...(first ? ["environment", ...(asksEndpoint ? ["api_endpoint"] : [])] : []),
    ...steps.flatMap((step) => fieldsShown(step, form).map(({ key }) => key)),
  ];
  function allComplaints(now = form): Complaints {
    const about = asksEndpoint && endpointComplaint(vendor, environment, endpoint);
    return { ...(about ? { api_endpoint: about } : {}), ...parseForm(now).complaints };
  }
  /** Shows complaints and goes to the first; false when there is none. */
  function complainAbout(found: Complaints): boolean {
    setComplaints((before) => ({ ...before, ...found }));
    const where = screens.findIndex((each) => shownOn(each).some((key) => found[key]));
    const first =
      where >= 0 ? shownOn(screens[where] as Screen).find((key) => found[key]) : undefined;
    if (!first) return false;
    setAt(where);
    setFocus(first);
    return true;
  }

  function change(key: string, value: FieldValue) {
    touched.current = true;
    const next = { ...values, [key]: value };
    setValues(next);
    setFailure(undefined);
    if (complaints[key] && !parseForm({ ...form, values: next }).complaints[key]) forget(key);
  }
  const forget = (key: string) =>
    setComplaints((before) =>
      Object.fromEntries(Object.entries(before).filter(([other]) => other !== key)),
    );
  function checkOne(key: string) {
    const value = key === "api_endpoint" ? endpoint : values[key];
    if (value === undefined || value === "") return;
    const message = allComplaints()[key];
    if (message) setComplaints((before) => ({ ...before, [key]: message }));
    else forget(key);
  }

  function next() {
    const here = new Set(screen ? shownOn(screen) : []);
    const found = Object.entries(allComplaints()).filter(([key]) => here.has(key));
    touched.current = true;
    if (!complainAbout(Object.fromEntries(found))) setAt(at + 1);
  }

  function receive(error: unknown) {
    if (!(error instanceof ApiProblem)) throw error;
    const found = Object.fromEntries(
      error.errors.map(({ path, message }) => [path.replace(/^credentials\./, ""), message]),
    );
    if (!complainAbout(found)) setFailure(error);
  }
  async function during(what: "test" | "save" | "reload", work: () => Promise<void>) {
    setBusy(what);
    setFailure(undefined);
    try {
      await work();
    } catch (error) {
      receive(error);
    } finally {
      setBusy(undefined);
    }
  }
  const test = () => {
    if (complainAbout(allComplaints())) return;
    void during("test", async () => {
      setTested(undefined);
      setTested({ result: await testDraft(unsaved, original?.row.id), of: fingerprint });
    });
  };
  const save = (stayOff: boolean) =>
    void during("save", async () => {
      const saved: { data: Tested } = original
        ? await changeIntegration(
            original.row.id,
            {
              credentials: changedCredentials(original.row.credentials, credentials),
              ...(unsaved.api_endpoint === (original.row.api_endpoint ?? "")
                ? {}
                : { api_endpoint: unsaved.api_endpoint }),
              ...(stayOff && original.row.enabled ? { enabled: false } : {}),
            },
            original.etag,
          )
        : await addIntegration(unsaved);
      dropDraft(orgId, vendor.id);
      if (connects && !stayOff) {
        try {
          await goConnect(saved.data.id);
        } catch (error) {
          announce(`Saved, but not connected. ${messageOf(error)}`, "bad");
        }
      }
      onSaved(saved.data);
    });
  const saveAndConnect = () => {
    if (!complainAbout(allComplaints())) save(false);
  };
  /** Takes over what somebody else saved, keeping on top of it what was changed here. */
  const reload = () =>
    void during("reload", async () => {
      if (!original) return;
      const latest = await getIntegration(original.row.id);
      const mine = changedCredentials(original.row.credentials, credentials);
      if (endpoint === (original.row.api_endpoint ?? ""))
        setEndpoint(latest.data.api_endpoint ?? "");
      setOriginal({ row: latest.data, etag: latest.etag });
      setValues({ ...startingValues(vendor.steps, latest.data.credentials), ...mine });
    });

  function fillIn(from: Entered) {
    touched.current = true;
    const filled = { ...values, ...from };
    setValues(filled);
    setChosen(startingChoices(vendor.steps, filled));
    if (details?.endpoint_example) setEndpoint(details.endpoint_example);
    setComplaints({});
  }

  function resume(from: Draft) {
    touched.current = true;
    setEnvironment(taken.includes(from.environment) ? environment : from.environment);
    setEndpoint(from.endpoint);
    setValues({ ...values, ...from.values });
    setChosen({ ...chosen, ...from.chosen });
    setAt(Math.min(from.screen, screens.length - 1));
    setDraft(undefined);
  }

  return (
    <form
      class="drawer-frame"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (busy) return;
        if (!screen?.verify) next();
        else if (connects) saveAndConnect();
        else if (result?.success) save(false);
        else test();
      }}
    >
      {screens.length > 1 && (
        <ol class="progress" aria-hidden="true">
          {screens.map((each, index) => (
            <li key={each.title} class={index < at ? "done" : index === at ? "now" : ""} />
          ))}
        </ol>
      )}
      <div class="drawer-body">
        {draft && (
          <div class="note note-busy">
            <Icon name="clock" />
            <div>
              <b>You began this {ago(draft.savedAt)}</b>
              <p>What you typed is kept in this browser, except secrets.</p>
              <div class="row">
                <button
                  type="button"
                  class="button button-plain button-small"
                  onClick={() => resume(draft)}
                >
                  Resume where you left off
                </button>
                <button
                  type="button"
                  class="button button-quiet button-small"
                  onClick={() => {
                    dropDraft(orgId, vendor.id);
                    setDraft(undefined);
                  }}
                >
                  Start over
                </button>
              </div>
            </div>
          </div>
        )}
        <div class="step-head">
          {screens.length > 1 && (
            <p class="quiet small">
              Step {at + 1} of {screens.length}
            </p>
          )}
          <h3 ref={heading} tabIndex={-1}>
            {screen?.title}
          </h3>
          {screen?.steps[0]?.description && (
            <p class="quiet">
              <Prose text={screen.steps[0].description} />
            </p>
          )}
          {demo && at === 0 && !stored && (
            <button type="button" class="button-link small" onClick={() => fillIn(demo)}>
              Fill in with demo values
            </button>
          )}
          {screen?.verify && screens.length > 1 && (
            <p class="quiet">
              {connects
                ? `It is saved first, switched off. Then you sign in at ${vendor.name}, agree, and come back.`
                : `Nothing is saved yet. The test makes one harmless read at ${vendor.name}.`}
            </p>
          )}
        </div>
        {screen?.environment && !row && (
          <EnvironmentChoice
            vendor={vendor}
            value={environment}
            taken={taken}
            complaint={complaints["environment"]}
            onChange={(name) => {
              touched.current = true;
              setEnvironment(name);
              forget("environment");
            }}
          />
        )}
        {screen && (
          <StepFields
            vendor={vendor}
            steps={screen.steps}
            extra={
              screen.environment && details?.endpoint_example
                ? endpointField(details.endpoint_example)
                : undefined
            }
            values={{ ...values, api_endpoint: endpoint }}
            stored={row?.credentials ?? {}}
            chosen={chosen}
            complaints={complaints}
            onChoose={(step, group) => {
              touched.current = true;
              setChosen({ ...chosen, [step]: group });
            }}
            onChange={(key, value) => {
              if (key !== "api_endpoint") return change(key, value);
              touched.current = true;
              setEndpoint(String(value));
              forget(key);
            }}
            onBlur={checkOne}
          />
        )}
        {screen?.verify && (
          <VerifyPanel
            vendor={vendor}
            review={
              screens.length > 1 ? { environment, endpoint: unsaved.api_endpoint, form } : undefined
            }
            busy={busy === "test"}
            result={result}
            outdated={tested !== undefined && !result}
          />
        )}
        {failure && (
          <div class="note note-bad" role="alert">
            <Icon name="alert" />
            <div>
              <b>
                {failure.code === "stale" ? "Somebody else changed this meanwhile" : "Not saved"}
              </b>
              <p>
                {failure.code === "stale"
                  ? "Load the latest version. What you changed here stays and can then be saved."
                  : failure.message}
              </p>
              {failure.code === "stale" && (
                <button type="button" class="button button-plain button-small" onClick={reload}>
                  Load the latest version
                </button>
              )}
            </div>
          </div>
        )}
      </div>
      <div class="drawer-foot">
        {at > 0 ? (
          <button type="button" class="button button-quiet" onClick={() => setAt(at - 1)}>
            <Icon name="arrow-left" /> Back
          </button>
        ) : (
          <button type="button" class="button button-quiet" onClick={onClose}>
            Cancel
          </button>
        )}
        <div class="end">
          {screen?.verify && result && !result.success && (
            <button
              type="button"
              class="button button-plain"
              disabled={busy !== undefined}
              onClick={() => save(true)}
            >
              {busy === "save" && <span class="spinner" />}
              Save anyway, stay off
            </button>
          )}
          <button class="button button-primary" aria-disabled={busy !== undefined}>
            {busy && (busy === "test" || connects || result?.success) && <span class="spinner" />}
            {!screen?.verify
              ? "Next"
              : connects
                ? "Save and connect"
                : result?.success
                  ? "Save"
                  : busy === "test"
                    ? "Testing"
                    : tested
                      ? "Test again"
                      : "Test"}
          </button>
        </div>
      </div>
    </form>
  );
}

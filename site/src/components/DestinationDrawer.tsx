import { useState } from "preact/hooks";

import { announce } from "../lib/announce.tsx";
import { ApiProblem } from "../lib/api.ts";
import {
  addDestination,
  changeDestination,
  type Destination,
  type NewDestination,
} from "../lib/events.ts";
import { Dialog } from "./Dialog.tsx";
import { HeaderFields, type HeaderLine } from "./HeaderFields.tsx";
import { Icon } from "./Icon.tsx";
import { SecretOnce } from "./SecretOnce.tsx";
import { messageOf } from "./States.tsx";

type Props = {
  /** The one to change; a new one without it. */
  row: Destination | undefined;
  /** Vendors that the org has, with their names. */
  vendors: readonly (readonly [id: string, name: string])[];
  onClose: () => void;
  onSaved: () => void;
};

const linesOf = (headers: Record<string, string>): HeaderLine[] =>
  Object.entries(headers).map(([name, value]) => ({ name, value }));

export function DestinationDrawer({ row, vendors, onClose, onSaved }: Props) {
  const [name, setName] = useState(row?.name ?? "");
  const [url, setUrl] = useState(row?.url ?? "");
  const [types, setTypes] = useState(row?.event_types.join("\n") ?? "");
  const [chosen, setChosen] = useState<readonly string[]>(row?.vendor_ids ?? []);
  const [headers, setHeaders] = useState(linesOf(row?.headers ?? {}));
  const [ordered, setOrdered] = useState(row?.concurrency === 1);
  const [complaints, setComplaints] = useState<Record<string, string>>({});
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);
  const [secret, setSecret] = useState("");
  const title = row ? `Edit ${row.name}` : "Add a destination";

  function complain(found: Record<string, string>) {
    setComplaints(found);
    const first = Object.keys(found)[0];
    if (first) document.getElementById(`destination-${first}`)?.focus();
    return first !== undefined;
  }

  async function save(event: Event) {
    event.preventDefault();
    if (busy) return;
    const address = URL.parse(url.trim());
    const found = {
      ...(name.trim() ? {} : { name: "A name is required" }),
      ...(address?.protocol === "https:"
        ? {}
        : { url: "An address that begins with https:// is required" }),
      ...(headers.some((line) => line.value && !line.name.trim())
        ? { headers: "A header needs a name" }
        : {}),
    };
    setFailure("");
    if (complain(found)) return;
    const concurrency = ordered ? 1 : row && row.concurrency > 1 ? row.concurrency : 5;
    const entered: NewDestination = {
      name: name.trim(),
      url: url.trim(),
      event_types: types.split(/\s+/).filter(Boolean),
      vendor_ids: [...chosen],
      headers: Object.fromEntries(
        headers.flatMap((line) => (line.name.trim() ? [[line.name.trim(), line.value]] : [])),
      ),
      concurrency,
    };
    setBusy(true);
    try {
      if (row) {
        await changeDestination(row.id, entered, row.version);
        announce(`${entered.name} saved`);
        onSaved();
        onClose();
      } else {
        const { data } = await addDestination(entered);
        setSecret(data.secret);
        onSaved();
      }
    } catch (error) {
      if (error instanceof ApiProblem && error.errors.length) {
        complain(
          Object.fromEntries(
            error.errors.map(({ path, message }) => [path.split(".")[0] ?? "", message]),
          ),
        );
      } else setFailure(messageOf(error));
    } finally {
      setBusy(false);
    }
  }

  const errorOf = (key: string) =>
    complaints[key] && (
      <p class="field-error" id={`destination-${key}-error`}>
        <Icon name="alert" size={14} />
        {complaints[key]}
      </p>
    );
  const described = (key: string) => ({
    id: `destination-${key}`,
    class: "input",
    "aria-invalid": complaints[key] ? ("true" as const) : undefined,
    "aria-describedby": complaints[key] ? `destination-${key}-error` : `destination-${key}-help`,
  });

  return (
    <Dialog label={title} kind="drawer" onClose={onClose} lightDismiss={false}>
      <header class="drawer-head">
        <span class="logo">
          <Icon name="send" size={18} />
        </span>
        <div>
          <h2 tabIndex={-1} autofocus>
            {secret ? `${name.trim()} is added` : title}
          </h2>
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
      {secret ? (
        <>
          <div class="drawer-body">
            <SecretOnce secret={secret} />
          </div>
          <div class="drawer-foot">
            <div class="end">
              <button type="button" class="button button-primary" onClick={onClose}>
                I have copied it
              </button>
            </div>
          </div>
        </>
      ) : (
        <form class="drawer-frame" noValidate onSubmit={(event) => void save(event)}>
          <div class="drawer-body">
            <div class="field">
              <label for="destination-name">Name</label>
              <input
                {...described("name")}
                maxLength={200}
                placeholder="Billing back end"
                value={name}
                onInput={(event) => setName(event.currentTarget.value)}
              />
              {errorOf("name")}
            </div>
            <div class="field">
              <label for="destination-url">Endpoint</label>
              <input
                {...described("url")}
                type="url"
                inputMode="url"
                maxLength={2000}
                placeholder="https://api.clinic.org/hooks/ehrconnect"
                value={url}
                onInput={(event) => setUrl(event.currentTarget.value)}
              />
              {errorOf("url")}
              <p class="field-help" id="destination-url-help">
                A public https address of yours. Events are posted to it as JSON.
              </p>
            </div>
            <div class="field">
              <label for="destination-event_types">
                Event types<span class="optional">Optional</span>
              </label>
              <textarea
                {...described("event_types")}
                class="input input-short"
                rows={3}
                spellcheck={false}
                placeholder={"stripe.payment_intent.*\ntwilio.message.*"}
                value={types}
                onInput={(event) => setTypes(event.currentTarget.value)}
              />
              {errorOf("event_types")}
              <p class="field-help" id="destination-event_types-help">
                One a line, with or without the vendor before it; * stands for any text. All types
                if none is given.
              </p>
            </div>
            {vendors.length > 0 && (
              <fieldset class="field">
                <legend class="label">
                  Vendors<span class="optional">Optional</span>
                </legend>
                <div class="check-grid">
                  {vendors.map(([id, label]) => (
                    <label class="check" key={id}>
                      <input
                        type="checkbox"
                        checked={chosen.includes(id)}
                        onChange={(event) =>
                          setChosen(
                            event.currentTarget.checked
                              ? [...chosen, id]
                              : chosen.filter((each) => each !== id),
                          )
                        }
                      />
                      <span>{label}</span>
                    </label>
                  ))}
                </div>
                <p class="field-help">All vendors if none is chosen.</p>
              </fieldset>
            )}
            <HeaderFields lines={headers} onChange={setHeaders} complaint={complaints["headers"]} />
            <div class="field">
              <label class="check">
                <input
                  type="checkbox"
                  checked={ordered}
                  onChange={(event) => setOrdered(event.currentTarget.checked)}
                />
                <span>
                  Keep the order
                  <span class="field-help">
                    One delivery at a time, each after the one before. Slower.
                  </span>
                </span>
              </label>
            </div>
            {failure && (
              <div class="note note-bad" role="alert">
                <Icon name="alert" />
                <div>
                  <b>Not saved</b>
                  <p>{failure}</p>
                </div>
              </div>
            )}
          </div>
          <div class="drawer-foot">
            <button type="button" class="button button-quiet" onClick={onClose}>
              Cancel
            </button>
            <div class="end">
              <button class="button button-primary" aria-disabled={busy}>
                {busy && <span class="spinner" />}
                {row ? "Save" : "Add destination"}
              </button>
            </div>
          </div>
        </form>
      )}
    </Dialog>
  );
}

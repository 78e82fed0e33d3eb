import { useEffect, useState } from "preact/hooks";

import { announce } from "../lib/announce.tsx";
import { getRetention, type Retention, setRetention } from "../lib/events.ts";
import { Dialog } from "./Dialog.tsx";
import { Icon } from "./Icon.tsx";
import { messageOf } from "./States.tsx";

type Props = {
  vendors: readonly string[];
  nameOf: (vendorId: string) => string;
  onClose: () => void;
};

const choices = [0, 1, 7, 30, 90, 365];
const told = (days: number) =>
  days === 0 ? "Only until forwarded" : days === 1 ? "1 day" : `${days} days`;

/** How long payloads are kept, for all vendors and for each. */
export function RetentionDialog({ vendors, nameOf, onClose }: Props) {
  const [retention, setDays] = useState<Retention>();
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    getRetention().then(setDays, (error: unknown) => setFailure(messageOf(error)));
  }, []);

  async function save(event: Event) {
    event.preventDefault();
    if (!retention || busy) return;
    setBusy(true);
    try {
      await setRetention(retention);
      announce("Retention saved");
      onClose();
    } catch (error) {
      setFailure(messageOf(error));
      setBusy(false);
    }
  }
  const options = (days: number | undefined) =>
    [...new Set([...choices, ...(days === undefined ? [] : [days])])]
      .toSorted((a, b) => a - b)
      .map((each) => (
        <option key={each} value={String(each)}>
          {told(each)}
        </option>
      ));

  return (
    <Dialog label="Retention of payloads" kind="dialog" onClose={onClose}>
      <form onSubmit={(event) => void save(event)}>
        <h2>Retention of payloads</h2>
        <p class="soft">
          Afterwards the event, its hash and its deliveries stay; what the vendor sent is erased and
          cannot be sent again.
        </p>
        {!retention && !failure && <span class="skeleton skeleton-row" />}
        {retention && (
          <>
            <div class="field">
              <label for="retention-default">All vendors</label>
              <select
                id="retention-default"
                class="input"
                value={String(retention.default_days)}
                onChange={(event) =>
                  setDays({ ...retention, default_days: Number(event.currentTarget.value) })
                }
              >
                {options(retention.default_days)}
              </select>
            </div>
            {vendors.map((id) => (
              <div class="field" key={id}>
                <label for={`retention-${id}`}>{nameOf(id)}</label>
                <select
                  id={`retention-${id}`}
                  class="input"
                  value={String(retention.vendors[id] ?? "")}
                  onChange={(event) => {
                    const { [id]: _before, ...others } = retention.vendors;
                    const { value } = event.currentTarget;
                    setDays({
                      ...retention,
                      vendors: value ? { ...others, [id]: Number(value) } : others,
                    });
                  }}
                >
                  <option value="">As all vendors</option>
                  {options(retention.vendors[id])}
                </select>
              </div>
            ))}
          </>
        )}
        {failure && (
          <p class="field-error" role="alert">
            <Icon name="alert" size={14} />
            {failure}
          </p>
        )}
        <div class="dialog-actions">
          <button type="button" class="button button-plain" onClick={onClose}>
            Cancel
          </button>
          <button class="button button-primary" disabled={!retention || busy}>
            {busy && <span class="spinner" />}
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}

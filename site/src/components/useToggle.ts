import { useState } from "preact/hooks";

import { announce } from "../lib/announce.tsx";
import { type Integration, toggleIntegration } from "../lib/api.ts";
import { messageOf } from "./States.tsx";

/** Switches at once and takes it back when the server refuses. Either is spoken. */
export function useToggle(name: string, onRow: (row: Integration) => void) {
  const [busy, setBusy] = useState(false);
  async function toggle(row: Integration, enabled: boolean) {
    setBusy(true);
    onRow({ ...row, enabled, health_status: enabled ? "testing" : "inactive" });
    try {
      const { data, message } = await toggleIntegration(row.id, enabled);
      const { test, ...after } = data;
      onRow(after);
      announce(
        message ?? `${name} is ${enabled ? "on" : "off"}`,
        test && !test.success ? "bad" : "good",
      );
    } catch (error) {
      onRow(row);
      announce(`${name} stays ${row.enabled ? "on" : "off"}. ${messageOf(error)}`, "bad");
    } finally {
      setBusy(false);
    }
  }
  return { busy, toggle };
}

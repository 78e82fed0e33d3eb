import { render } from "preact";

import { CardState } from "../components/CardState.tsx";
import { announce } from "../lib/announce.tsx";
import { listIntegrations } from "../lib/api.ts";
import { getSession } from "../lib/auth.ts";
import { configureOnClick, openFromAddress } from "../lib/drawer.tsx";

const button = document.querySelector<HTMLButtonElement>("[data-configure]");
const place = document.getElementById("state");

async function showState() {
  const session = await getSession();
  if (!session?.orgId || !button || !place) return;
  const data = await listIntegrations();
  const rows = data.filter((row) => row.vendor_id === button.dataset["configure"]);
  button.textContent = rows.length ? "Manage" : "Configure";
  render(<CardState rows={rows} />, place);
}

const refresh = () =>
  showState().catch((error: unknown) =>
    announce(error instanceof Error ? error.message : String(error), "bad"),
  );
void refresh();
configureOnClick(() => void refresh());
void openFromAddress(() => void refresh());

const target = document.getElementById(location.hash.slice(1));
if (target instanceof HTMLDetailsElement) {
  target.open = true;
  target.scrollIntoView();
}

import { render } from "preact";

import { announce } from "./announce.tsx";
import { signInAddress } from "./api.ts";
import { getSession } from "./auth.ts";
import { may } from "./roles.ts";

type Opening = { vendorId: string; integrationId?: string; onChanged: () => void };

/** Opens the configuration drawer; its code is loaded the first time. Signed out, asks to sign in and come back. */
export async function openDrawer({ vendorId, integrationId, onChanged }: Opening) {
  const session = await getSession();
  const place = document.getElementById("drawer");
  if (!place) return;
  if (!session) {
    const back = new URL(location.href);
    back.searchParams.set("configure", vendorId);
    history.replaceState(history.state, "", back);
    location.assign(signInAddress());
    return;
  }
  if (!session.orgId) {
    announce("Create an organization first: it owns the integrations.", "bad");
    return;
  }
  if (!may("integrations:write")) {
    announce("Only owners and admins of the organization can configure integrations.", "bad");
    return;
  }
  const { ConfigureDrawer } = await import("../components/ConfigureDrawer.tsx");
  const close = () => render(null, place);
  render(
    <ConfigureDrawer
      key={`${vendorId}:${integrationId ?? ""}`}
      vendorId={vendorId}
      integrationId={integrationId}
      orgId={session.orgId}
      onChanged={onChanged}
      onClose={close}
    />,
    place,
  );
}

const complain = (error: unknown) =>
  announce(error instanceof Error ? error.message : String(error), "bad");

/** Every button with `data-configure` opens the drawer of the vendor it names. */
export function configureOnClick(onChanged: () => void) {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-configure]");
    const vendorId = button?.dataset["configure"];
    if (vendorId) openDrawer({ vendorId, onChanged }).catch(complain);
  });
}

/** `?configure=<vendor>`, as left by signing in on the way. */
export async function openFromAddress(onChanged: () => void) {
  const address = new URL(location.href);
  const vendorId = address.searchParams.get("configure");
  if (!vendorId) return;
  const session = await getSession();
  address.searchParams.delete("configure");
  history.replaceState(history.state, "", address);
  if (!session) return;
  // So that closing the drawer leaves the focus where it would have been opened.
  document.querySelector<HTMLElement>(`[data-configure="${CSS.escape(vendorId)}"]`)?.focus();
  await openDrawer({ vendorId, onChanged }).catch(complain);
}

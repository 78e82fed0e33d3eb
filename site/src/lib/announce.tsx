import { render } from "preact";

import { Icon } from "../components/Icon.tsx";

const lifetimeMs = 6000;

/** Shows a short message and has screen readers speak it. */
export function announce(text: string, tone: "good" | "bad" = "good") {
  const region = document.getElementById("toasts");
  if (!region) return;
  const toast = document.createElement("div");
  toast.className = `toast toast-${tone}`;
  render(
    <>
      <Icon name={tone === "good" ? "check-circle" : "alert"} />
      <span>{text}</span>
    </>,
    toast,
  );
  // A modal dialog makes the rest of the page inert: the region moves in with it.
  (document.querySelector("dialog[open]") ?? document.body).append(region);
  region.append(toast);
  setTimeout(() => toast.remove(), tone === "bad" ? lifetimeMs * 2 : lifetimeMs);
}

const lifetimeMs = 6000;

/** Shows a short message and has screen readers speak it. */
export function announce(text: string, tone: "good" | "bad" = "good") {
  const region = document.getElementById("toasts");
  if (!region) return;
  const toast = document.createElement("div");
  toast.className = `toast toast-${tone}`;
  toast.textContent = text;
  // A modal dialog covers the page: the region moves into the top layer with it, and back.
  (document.querySelector("dialog[open]") ?? document.body).append(region);
  region.append(toast);
  setTimeout(() => toast.remove(), tone === "bad" ? lifetimeMs * 2 : lifetimeMs);
}

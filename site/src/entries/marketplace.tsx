import { render } from "preact";

import { CardState } from "../components/CardState.tsx";
import { announce } from "../lib/announce.tsx";
import { ApiProblem, type Integration, listIntegrations } from "../lib/api.ts";
import { getSession } from "../lib/auth.ts";
import { configureOnClick, openFromAddress } from "../lib/drawer.tsx";
import { index, type Query, search } from "../lib/search.ts";

const byId = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;
const box = byId<HTMLInputElement>("q");
const category = byId<HTMLSelectElement>("category");
const list = byId("cards");
const tabs = [...byId("tabs").querySelectorAll<HTMLButtonElement>("[role=tab]")];
const tabNames = tabs.map((tab) => tab.dataset["tab"] ?? "");
const cards = new Map(
  [...list.querySelectorAll<HTMLLIElement>(".card")].map((card) => [
    card.dataset["vendor"] ?? "",
    card,
  ]),
);
const entries = index(
  [...cards].map(([id, { dataset }]) => ({
    id,
    words: dataset["words"] ?? "",
    areas: dataset["areas"]?.split(" ") ?? [],
    categories: dataset["categories"]?.split(" ") ?? [],
  })),
);

let tab = "All";

function readAddress() {
  const query = new URLSearchParams(location.search);
  const wanted = query.get("tab")?.toLowerCase();
  tab = tabNames.find((name) => name.toLowerCase() === wanted) ?? "All";
  box.value = query.get("q") ?? "";
  category.value = query.get("category") ?? "";
  if (category.selectedIndex < 0) category.value = "";
}

function writeAddress({ q, category }: Query) {
  const address = new URL(location.href);
  const put = (name: string, value: string) =>
    value ? address.searchParams.set(name, value) : address.searchParams.delete(name);
  put("q", q);
  put("tab", tab === "All" ? "" : tab.toLowerCase());
  put("category", category);
  if (address.href !== location.href) history.replaceState(history.state, "", address);
}

function show() {
  const query: Query = { q: box.value.trim(), tab, category: category.value };
  const { found, counts } = search(entries, tabNames, query);
  const shown = new Set(found.map(({ id }) => id));
  for (const [id, card] of cards) card.hidden = !shown.has(id);
  const ordered = query.q ? found : entries;
  list.append(...ordered.flatMap(({ id }) => cards.get(id) ?? []));
  for (const button of tabs) {
    const name = button.dataset["tab"] ?? "";
    const selected = name === tab;
    button.setAttribute("aria-selected", String(selected));
    button.tabIndex = selected ? 0 : -1;
    const count = button.querySelector(".count");
    if (count) count.textContent = String(counts[name] ?? 0);
    if (selected) button.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (selected) byId("results").setAttribute("aria-labelledby", button.id);
  }
  byId("nothing").hidden = found.length > 0;
  list.hidden = found.length === 0;
  byId("found").textContent =
    query.q || query.category || tab !== "All"
      ? `${found.length} ${found.length === 1 ? "vendor" : "vendors"} found`
      : "";
  writeAddress(query);
}

function choose(name: string, focus = false) {
  tab = name;
  show();
  if (focus) tabs[tabNames.indexOf(name)]?.focus();
}

byId("tabs").addEventListener("click", (event) => {
  const name = (event.target as Element).closest<HTMLElement>("[role=tab]")?.dataset["tab"];
  if (name) choose(name);
});
byId("tabs").addEventListener("keydown", (event) => {
  const at = tabNames.indexOf(tab);
  const to = {
    ArrowRight: (at + 1) % tabs.length,
    ArrowLeft: (at - 1 + tabs.length) % tabs.length,
    Home: 0,
    End: tabs.length - 1,
  }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  choose(tabNames[to] ?? "All", true);
});
box.addEventListener("input", show);
category.addEventListener("change", show);
byId("finder").addEventListener("submit", (event) => event.preventDefault());
function clear() {
  box.value = "";
  show();
  box.focus();
}
byId("clear").addEventListener("click", clear);
byId("reset").addEventListener("click", () => {
  category.value = "";
  tab = "All";
  clear();
});
box.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && box.value) clear();
});
document.addEventListener("keydown", (event) => {
  const busy =
    event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]");
  const typing = (event.target as Element).closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || busy || typing) return;
  event.preventDefault();
  box.focus();
  box.select();
});
addEventListener("popstate", () => {
  readAddress();
  show();
});

readAddress();
show();

async function showStates() {
  const session = await getSession();
  if (!session?.orgId) return;
  const data = await listIntegrations();
  const owned = Map.groupBy(data, (row: Integration) => row.vendor_id);
  for (const [id, card] of cards) {
    const rows = owned.get(id);
    const place = card.querySelector(".card-state");
    const button = card.querySelector<HTMLButtonElement>("[data-configure]");
    if (!place || !button) continue;
    button.textContent = rows ? "Manage" : "Configure";
    button.setAttribute(
      "aria-label",
      `${button.textContent} ${card.querySelector("h2")?.textContent}`,
    );
    if (!rows) continue;
    let state = card.querySelector(".card-owned");
    if (!state) {
      state = document.createElement("div");
      state.className = "card-state card-owned";
      place.replaceWith(state);
    }
    render(<CardState rows={rows} />, state);
  }
}

const refresh = () =>
  showStates().catch((error: unknown) => {
    const reason = error instanceof ApiProblem ? error.message : "Reload to try again.";
    announce(`The state of your integrations is not shown. ${reason}`, "bad");
  });
void refresh();
configureOnClick(() => void refresh());
void openFromAddress(() => void refresh());

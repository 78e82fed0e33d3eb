import { type ComponentChild, render } from "preact";

/** Puts an island in place of the skeleton that the page was built with. */
export function mount(id: string, island: ComponentChild) {
  const place = document.getElementById(id);
  if (!place) throw new Error(`The page has no #${id}`);
  place.replaceChildren();
  place.removeAttribute("aria-busy");
  render(island, place);
}

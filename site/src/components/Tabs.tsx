import type { ComponentChild } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

type Section = { id: string; label: string; body: () => ComponentChild };
type Props = { label: string; sections: readonly Section[] };

/** Tabs, named by `?section=` in the address. Arrow keys move among them. */
export function Tabs({ label, sections }: Props) {
  const [chosen, setChosen] = useState(new URLSearchParams(location.search).get("section"));
  const list = useRef<HTMLDivElement>(null);
  const at = Math.max(
    0,
    sections.findIndex(({ id }) => id === chosen),
  );
  const current = sections[at];
  // On a phone the tabs may be wider than the screen.
  useLayoutEffect(() => {
    list.current
      ?.querySelector("[aria-selected=true]")
      ?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [current?.id]);

  function choose(id: string) {
    setChosen(id);
    const address = new URL(location.href);
    address.searchParams.set("section", id);
    history.replaceState(history.state, "", address);
  }
  function onKeyDown(event: KeyboardEvent) {
    const targets: Record<string, number> = {
      ArrowRight: (at + 1) % sections.length,
      ArrowLeft: (at - 1 + sections.length) % sections.length,
      Home: 0,
      End: sections.length - 1,
    };
    const to = sections[targets[event.key] ?? -1];
    if (!to) return;
    event.preventDefault();
    choose(to.id);
    list.current?.querySelector<HTMLElement>(`#tab-${to.id}`)?.focus();
  }

  if (!current) return null;
  return (
    <>
      <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={onKeyDown}>
        {sections.map(({ id, label: text }) => (
          <button
            key={id}
            id={`tab-${id}`}
            type="button"
            role="tab"
            aria-selected={id === current.id}
            aria-controls={id === current.id ? `panel-${id}` : undefined}
            tabIndex={id === current.id ? 0 : -1}
            onClick={() => choose(id)}
          >
            {text}
          </button>
        ))}
      </div>
      <div
        key={current.id}
        id={`panel-${current.id}`}
        class="tab-panel"
        role="tabpanel"
        aria-labelledby={`tab-${current.id}`}
      >
        {current.body()}
      </div>
    </>
  );
}

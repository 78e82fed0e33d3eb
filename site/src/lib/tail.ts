import { useEffect, useRef, useState } from "preact/hooks";

import { type EventFilter, listEvents, type WebhookEvent } from "./events.ts";

const pageSize = 50;
const everyMs = 3000;

/** The newest events of a filter, kept up to date by asking every few seconds while the page is seen. */
export function useEventTail(filter: EventFilter) {
  const [rows, setRows] = useState<WebhookEvent[]>();
  const [cursor, setCursor] = useState<string | null>(null);
  const [failure, setFailure] = useState<unknown>();
  const [troubled, setTroubled] = useState(false);
  const [paused, pause] = useState(false);
  const [busy, setBusy] = useState(false);
  const [arrived, setArrived] = useState(0);
  const known = useRef<WebhookEvent[]>([]);
  const key = JSON.stringify(filter);
  const newest = useRef("");
  newest.current = key;

  const keep = (next: WebhookEvent[]) => {
    known.current = next;
    setRows(next);
  };

  /** Rows that changed are replaced and new ones put before; older pages stay. */
  async function refresh() {
    const page = await listEvents(filter, pageSize);
    if (newest.current !== key) return;
    const had = new Set(known.current.map(({ id }) => id));
    const fresh = new Set(page.data.map(({ id }) => id));
    const last = page.data.at(-1)?.id;
    const joins = page.next_cursor === null || (last !== undefined && had.has(last));
    const older = joins ? known.current.filter(({ id }) => !fresh.has(id)) : [];
    if (known.current.length === 0 || !joins) setCursor(page.next_cursor);
    const added = page.data.filter(({ id }) => !had.has(id)).length;
    setArrived(known.current.length && added ? added : 0);
    keep(page.next_cursor === null ? page.data : [...page.data, ...older]);
    setTroubled(false);
  }

  const reload = () => {
    setFailure(undefined);
    refresh().catch((error: unknown) => {
      if (known.current.length === 0) setFailure(error);
      else setTroubled(true);
    });
  };

  useEffect(() => {
    known.current = [];
    setRows(undefined);
    setCursor(null);
    reload();
  }, [key]);
  useEffect(() => {
    if (paused) return;
    let asking = false;
    const timer = setInterval(() => {
      if (document.hidden || asking) return;
      asking = true;
      refresh()
        .catch(() => setTroubled(true))
        .finally(() => (asking = false));
    }, everyMs);
    return () => clearInterval(timer);
  }, [key, paused]);

  async function more() {
    if (!cursor) return;
    setBusy(true);
    try {
      const page = await listEvents(filter, pageSize, cursor);
      if (newest.current !== key) return;
      keep([...known.current, ...page.data]);
      setCursor(page.next_cursor);
    } catch {
      setTroubled(true);
    } finally {
      setBusy(false);
    }
  }

  return {
    rows,
    failure,
    troubled,
    paused,
    pause,
    busy,
    arrived,
    reload,
    hasMore: cursor !== null,
    loadMore: () => void more(),
  };
}

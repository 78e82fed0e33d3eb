import type { ComponentChildren } from "preact";

import { Icon, type IconName } from "./Icon.tsx";

/** `h1` where nothing else on the page is one. */
type Level = "h1" | "h2";
type EmptyProps = { icon: IconName; title: string; level?: Level; children: ComponentChildren };

export const Empty = ({ icon, title, level: Heading = "h2", children }: EmptyProps) => (
  <div class="empty">
    <Icon name={icon} size={28} />
    <Heading>{title}</Heading>
    {children}
  </div>
);

export const messageOf = (error: unknown) =>
  error instanceof Error ? error.message : String(error);

type FailedProps = { error: unknown; level?: Level; onRetry: () => void };

export const Failed = ({ error, level: Heading = "h2", onRetry }: FailedProps) => (
  <div class="empty" role="alert">
    <Icon name="alert" size={28} />
    <Heading>This could not be loaded</Heading>
    <p>{messageOf(error)}</p>
    <div class="row">
      <button type="button" class="button button-primary" onClick={onRetry}>
        <Icon name="refresh" /> Try again
      </button>
    </div>
  </div>
);

export const Loading = ({ rows = 4 }: { rows?: number }) => (
  <div class="stack" role="status" aria-label="Loading">
    {Array.from({ length: rows }, (_, at) => (
      <span key={at} class="skeleton skeleton-row" />
    ))}
  </div>
);

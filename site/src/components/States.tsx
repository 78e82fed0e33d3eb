import type { ComponentChildren } from "preact";

import { Icon, type IconName } from "./Icon.tsx";

type EmptyProps = { icon: IconName; title: string; children: ComponentChildren };

export const Empty = ({ icon, title, children }: EmptyProps) => (
  <div class="empty">
    <Icon name={icon} size={28} />
    <h2>{title}</h2>
    {children}
  </div>
);

export const messageOf = (error: unknown) =>
  error instanceof Error ? error.message : String(error);

export const Failed = ({ error, onRetry }: { error: unknown; onRetry: () => void }) => (
  <div class="empty" role="alert">
    <Icon name="alert" size={28} />
    <h2>This could not be loaded</h2>
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

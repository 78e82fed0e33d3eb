import { announce } from "../lib/announce.tsx";
import { type Integration, removeIntegration } from "../lib/api.ts";
import { environmentLabels } from "../lib/status.ts";
import { Confirm } from "./Confirm.tsx";

type Props = { row: Integration; name: string; onGone: () => void; onClose: () => void };

export function DeleteIntegration({ row, name, onGone, onClose }: Props) {
  const what = `${name} (${environmentLabels[row.environment].toLowerCase()})`;
  return (
    <Confirm
      title={`Delete ${what}?`}
      action={`Delete ${name}`}
      danger
      onClose={onClose}
      onConfirm={async () => {
        const { data, message } = await removeIntegration(row.id);
        const unsure = data.revocation === "failed" || data.revocation === "unsupported";
        announce(unsure ? message : `${what} is deleted`, unsure ? "bad" : "good");
        onGone();
      }}
    >
      <p>
        Its credentials are erased, calls through it fail, and webhooks sent to its address are
        refused. The activity list keeps its history. This cannot be undone.
      </p>
    </Confirm>
  );
}

import type { OpenedEvent } from "../lib/events.ts";
import { layOut } from "../lib/json.ts";
import { copy } from "./CopyField.tsx";
import { Icon } from "./Icon.tsx";

type Props = { payload: NonNullable<OpenedEvent["payload"]> };

/** Beyond this, colours cost more than they help. */
const longestColoured = 100_000;

const encodings = {
  json: "JSON",
  form: "Form fields",
  base64: "Not text: base64 of the bytes",
  none: "Empty",
} as const;

export function Payload({ payload }: Props) {
  const { encoding, data } = payload;
  if (encoding === "none") return <p class="quiet">The request had no body.</p>;
  const raw = encoding === "base64" ? (JSON.parse(data) as string) : data;
  const tokens = encoding === "base64" ? [] : layOut(raw);
  const laidOut = tokens.map(({ text }) => text).join("");
  return (
    <div class="payload">
      <div class="row">
        <span class="quiet small">{encodings[encoding]}</span>
        <button
          type="button"
          class="button button-quiet button-small end"
          onClick={() => void copy(encoding === "base64" ? raw : laidOut, "Payload")}
        >
          <Icon name="copy" size={14} /> Copy
        </button>
      </div>
      <pre tabIndex={0} aria-label="Payload">
        {encoding === "base64"
          ? raw
          : laidOut.length > longestColoured
            ? laidOut
            : tokens.map(({ text, kind }, at) =>
                kind === "mark" ? (
                  text
                ) : (
                  <span key={at} class={`json-${kind}`}>
                    {text}
                  </span>
                ),
              )}
      </pre>
    </div>
  );
}

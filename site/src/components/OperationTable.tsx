import type { OperationView } from "../../../handlers/catalog.ts";
import { type JsonSchema, limitsText, propertiesOf, typeText } from "../lib/schema.ts";
import { Prose } from "./Prose.tsx";

export const EffectBadge = ({ effect }: { effect: "read" | "write" }) => (
  <span class={`badge ${effect === "write" ? "status-warn" : ""}`}>
    {effect === "write" ? "Writes" : "Reads"}
  </span>
);

/** An object's members, or those of the objects in a list, one level deep. */
function Members({ title, schema }: { title: string; schema: JsonSchema }) {
  const members = propertiesOf(schema.type === "array" ? schema.items : schema);
  return (
    <div class="members">
      <h3>{title}</h3>
      {members.length === 0 ? (
        <p class="quiet small">{title === "Params" ? "None." : typeText(schema)}</p>
      ) : (
        <dl>
          {members.map(({ name, schema: each, required }) => (
            <div key={name}>
              <dt>
                <code>{name}</code>
                {title === "Params" && required && <span class="needed">required</span>}
              </dt>
              <dd>
                <code class="type">{typeText(each)}</code>{" "}
                <span class="quiet">
                  {[limitsText(each), each.description].filter(Boolean).join(". ")}
                </span>
              </dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}

/** Built as HTML: every operation with what it takes and answers. */
export function OperationTable({ operations }: { operations: readonly OperationView[] }) {
  return (
    <div class="operations">
      {operations.map((operation) => (
        <details key={operation.id} id={`operation-${operation.id}`}>
          <summary>
            <span>
              <b>{operation.title}</b>
              <code>{operation.id}</code>
            </span>
            {operation.capability && <span class="badge badge-line">{operation.capability}</span>}
            {operation.streams && <span class="badge badge-line">Streams</span>}
            <EffectBadge effect={operation.effect} />
          </summary>
          <div class="operation">
            {operation.description && (
              <p>
                <Prose text={operation.description} />
              </p>
            )}
            <div class="both">
              <Members title="Params" schema={operation.params as JsonSchema} />
              <Members title="Result" schema={operation.result as JsonSchema} />
            </div>
            <h3>Example params</h3>
            <pre tabIndex={0}>{JSON.stringify(operation.example.params, null, 2)}</pre>
          </div>
        </details>
      ))}
    </div>
  );
}

import { html, raw } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";

import type { ApiDocument } from "./openapi.ts";

type Schema = {
  $ref?: string;
  type?: string | string[];
  format?: string;
  enum?: unknown[];
  const?: unknown;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  additionalProperties?: boolean | Schema;
  description?: string;
  default?: unknown;
};
type Content = Record<string, { schema?: Schema }>;
type Described = {
  operationId?: string;
  summary?: string;
  "x-permission"?: string;
  parameters?: { name: string; in: string; required?: boolean; schema?: Schema }[];
  requestBody?: { content?: Content };
  responses?: Record<string, { description?: string; content?: Content }>;
};

type Html = HtmlEscapedString | Promise<HtmlEscapedString>;
const nothing = raw("");

/** One word for a schema: `string (uuid)`, `"sandbox" | "production"`, `Integration[]`. */
function typeName(schema: Schema | undefined): string {
  if (!schema) return "any";
  if (schema.$ref) return schema.$ref.split("/").at(-1) ?? "object";
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices) return [...new Set(choices.map(typeName))].join(schema.allOf ? " & " : " | ");
  if (schema.type === "array") return `${typeName(schema.items)}[]`;
  const name = [schema.type ?? "any"].flat().join(" | ");
  return schema.format ? `${name} (${schema.format})` : name;
}

const resolve = (schema: Schema, document: ApiDocument): Schema =>
  schema.$ref
    ? ((document.components?.schemas?.[schema.$ref.split("/").at(-1) ?? ""] as Schema) ?? {})
    : schema;

function fields(schema: Schema | undefined, document: ApiDocument, depth = 0): Html {
  if (!schema) return nothing;
  const all = resolve(schema, document);
  const parts = all.allOf ? all.allOf.map((part) => resolve(part, document)) : [all];
  const rows = parts.flatMap((part) => {
    const own = part.type === "array" && part.items ? resolve(part.items, document) : part;
    return Object.entries(own.properties ?? {}).map(([name, field]) => ({
      name,
      field,
      required: own.required?.includes(name) ?? false,
    }));
  });
  if (!rows.length) return html`<p class="type">${typeName(schema)}</p>`;
  return html`<ul>
    ${rows.map(
      ({ name, field, required }) =>
        html`<li>
          <code>${name}</code> <span class="type">${typeName(field)}</span>${
            required ? html` <b>required</b>` : nothing
          }${depth < 2 && hasFields(field, document) ? fields(field, document, depth + 1) : nothing}
        </li>`,
    )}
  </ul>`;
}

function hasFields(schema: Schema, document: ApiDocument): boolean {
  const own = resolve(schema, document);
  const item = own.items ? resolve(own.items, document) : own;
  return Boolean(item.properties ?? item.allOf);
}

const schemaOf = (content: Content | undefined) => Object.values(content ?? {})[0]?.schema;

function route(method: string, path: string, operation: Described, document: ApiDocument): Html {
  const answers = Object.entries(operation.responses ?? {}).filter(([status]) =>
    status.startsWith("2"),
  );
  const { parameters = [], requestBody } = operation;
  return html`<section id="${operation.operationId ?? path}">
    <h3><span class="method ${method}">${method.toUpperCase()}</span> <code>${path}</code></h3>
    <p>${operation.summary ?? ""}</p>
    <p class="type">
      ${
        operation["x-permission"]
          ? html`Needs <code>${operation["x-permission"]}</code>`
          : "Public: no key needed"
      }
    </p>
    ${
      parameters.length
        ? html`<h4>Parameters</h4>
            <ul>
              ${parameters.map(
                (one) =>
                  html`<li>
                    <code>${one.name}</code>
                    <span class="type">${one.in}, ${typeName(one.schema)}</span>
                    ${one.required ? html`<b>required</b>` : nothing}
                  </li>`,
              )}
            </ul>`
        : nothing
    }
    ${
      requestBody
        ? html`<h4>Body</h4>
            ${fields(schemaOf(requestBody.content), document)}`
        : nothing
    }
    ${answers.map(
      ([status, answer]) =>
        html`<h4>${status} — ${answer.description ?? ""}</h4>
          ${fields(schemaOf(answer.content), document)}`,
    )}
  </section>`;
}

const methods = ["get", "post", "put", "patch", "delete"] as const;

/** The API reference, drawn from the OpenAPI document; needs no script. */
export function docsPage(document: ApiDocument): Html {
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = (item as Record<string, Described | undefined>)[method];
      return operation ? { path, method, operation } : [];
    }),
  );
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>API reference · EHRConnect Integrations</title>
        <link rel="stylesheet" href="/api/docs/style.css" />
        <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
      </head>
      <body>
        <header>
          <a href="/">EHRConnect Integrations</a>
          <h1>API reference</h1>
          <p>
            ${document.info.description ?? ""} Send an API key as
            <code>Authorization: Bearer ehr_…</code>. Every failure is a problem document (RFC 9457)
            with a <code>code</code> and, for bad input, <code>errors[{path, message}]</code>. The
            machine-readable form is <a href="/api/openapi.json">openapi.json</a>.
          </p>
        </header>
        <nav aria-label="Operations">
          <ul>
            ${operations.map(
              ({ path, operation }) =>
                html`<li>
                  <a href="#${operation.operationId ?? path}">${operation.summary ?? path}</a>
                </li>`,
            )}
          </ul>
        </nav>
        <main>
          ${operations.map(({ path, method, operation }) =>
            route(method, path, operation, document),
          )}
        </main>
      </body>
    </html>`;
}

export const docsStyle = `
:root { color-scheme: light dark; font: 16px/1.55 system-ui, sans-serif; --line: light-dark(#dfe3e8, #30363d);
  --soft: light-dark(#5b6570, #a3adb8); --link: light-dark(#0b5cad, #79b8ff); --well: light-dark(#f5f7f9, #161b22); }
body { margin: 0 auto; max-width: 1180px; padding: 2rem 1.25rem 6rem; display: grid; gap: 2rem;
  grid-template-columns: minmax(0, 1fr); background: light-dark(#fff, #0d1117); color: light-dark(#17202a, #e6edf3); }
a { color: var(--link); } h1 { margin: .5rem 0; font-size: 2rem; } header p { max-width: 70ch; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; } nav ul { columns: 15rem; padding-left: 1.2rem; margin: 0; }
section { border-top: 1px solid var(--line); padding: 1.25rem 0; scroll-margin-top: 1rem; } h3 { margin: 0 0 .5rem; font-size: 1.05rem; }
h4 { margin: 1rem 0 .25rem; font-size: .95rem; } section > ul { background: var(--well); border: 1px solid var(--line); border-radius: 8px; padding: .75rem 1rem .75rem 2rem; }
p { margin: .25rem 0; } .type { color: var(--soft); font-size: .92em; } b { font-size: .8em; font-weight: 600; color: light-dark(#9a3412, #ffab70); }
.method { display: inline-block; min-width: 4.2em; text-align: center; font: 600 .78em ui-monospace, monospace; padding: .15em .5em; border-radius: 5px; border: 1px solid currentColor; }
.get { color: light-dark(#0b6b3a, #56d364); } .post { color: light-dark(#0b5cad, #79b8ff); } .put { color: light-dark(#8a5a00, #e3b341); } .delete { color: light-dark(#b42318, #ff7b72); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
@media (min-width: 960px) { body { grid-template-columns: 17rem minmax(0, 1fr); } header { grid-column: 1 / -1; } nav ul { columns: 1; position: sticky; top: 1rem; max-height: calc(100vh - 2rem); overflow: auto; } }
`;

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
    <h3>${label(method)} <code>${path}</code></h3>
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

const groupTitles: Readonly<Record<string, string>> = {
  sso: "Single sign-on",
  keys: "API keys",
  "well-known": "Key sets",
};

/** The resource that a path is about: what stands after `/api`, or the first word. */
function groupOf(path: string): string {
  const [first = "", second = ""] = path.split("/").slice(1);
  const name = (first === "api" ? second : first).replace(/^\./, "").replace(/\.\w+$/, "");
  const words = name.replaceAll("-", " ");
  return groupTitles[name] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

const anchorOf = (group: string) => `group-${group.toLowerCase().replaceAll(" ", "-")}`;

const label = (method: string) =>
  html`<span class="method ${method}">${method === "delete" ? "DEL" : method.toUpperCase()}</span>`;

/** The API reference, drawn from the OpenAPI document; needs no script. */
export function docsPage(document: ApiDocument): Html {
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = (item as Record<string, Described | undefined>)[method];
      return operation ? { path, method, operation } : [];
    }),
  );
  const groups = Object.entries(Object.groupBy(operations, ({ path }) => groupOf(path)));
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
          <a href="/">← EHRConnect Integrations</a>
          <h1>API reference</h1>
          <p>
            ${document.info.description ?? ""} Send an API key as
            <code>Authorization: Bearer ehr_…</code>. Every failure is a problem document (RFC 9457)
            with a <code>code</code> and, for bad input, <code>errors[{path, message}]</code>. The
            machine-readable form is <a href="/api/openapi.json">openapi.json</a>.
          </p>
        </header>
        <nav aria-label="Operations">
          <ul class="groups">
            ${groups.map(
              ([group, members = []]) =>
                html`<li>
                  <a href="#${anchorOf(group)}">${group} <span>${members.length}</span></a>
                </li>`,
            )}
          </ul>
          ${groups.map(
            ([group, members = []]) =>
              html`<details open>
                <summary>${group}</summary>
                <ul>
                  ${members.map(
                    ({ path, method, operation }) =>
                      html`<li>
                        <a href="#${operation.operationId ?? path}">
                          ${label(method)} <span>${operation.summary ?? path}</span>
                        </a>
                      </li>`,
                  )}
                </ul>
              </details>`,
          )}
        </nav>
        <main>
          ${groups.map(
            ([group, members = []]) =>
              html`<h2 id="${anchorOf(group)}">${group}</h2>
                ${members.map(({ path, method, operation }) =>
                  route(method, path, operation, document),
                )}`,
          )}
        </main>
      </body>
    </html>`;
}

/** The colours and sizes of the site's own tokens. */
export const docsStyle = `
:root { color-scheme: light dark; font: 15px/1.55 -apple-system, BlinkMacSystemFont, "Segoe UI", Inter, Roboto, system-ui, sans-serif;
  --line: light-dark(#e3e6eb, #252b36); --soft: light-dark(#596375, #97a1b2); --link: light-dark(#2f5bea, #8fadff); --well: light-dark(#f6f7f9, #0f1218);
  --hover: light-dark(#f1f3f6, #1c222c); --mono: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 2rem 1.25rem 6rem; display: grid; gap: 2rem 3rem;
  grid-template-columns: minmax(0, 1fr); background: light-dark(#fff, #0b0d12); color: light-dark(#10151f, #eef1f6); }
a { color: var(--link); } h1 { margin: .75rem 0 .5rem; font-size: 2rem; letter-spacing: -.02em; } header p { max-width: 70ch; color: var(--soft); }
header > a, nav a { text-decoration: none; } header > a:hover { text-decoration: underline; }
code { font: .9em var(--mono); overflow-wrap: anywhere; }
nav ul { margin: 0 0 .75rem; padding: 0; list-style: none; }
nav summary { padding: .35rem .5rem; font-weight: 600; cursor: pointer; border-radius: 6px; }
nav a { display: grid; grid-template-columns: 2.6rem minmax(0, 1fr); gap: .5rem; padding: .3rem .5rem; border-radius: 6px; color: inherit; font-size: .87rem; line-height: 1.4; }
nav a:hover, nav summary:hover { background: var(--hover); }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.5rem; letter-spacing: -.015em; scroll-margin-top: 1rem; } main > h2:first-child { margin-top: 0; }
section { border-top: 1px solid var(--line); padding: 1.5rem 0; scroll-margin-top: 1rem; } h3 { margin: 0 0 .5rem; font-size: 1rem; font-weight: 500; }
h4 { margin: 1.25rem 0 .35rem; font-size: .87rem; color: var(--soft); font-weight: 600; }
section > ul { margin: 0; background: var(--well); border: 1px solid var(--line); border-radius: 8px; padding: .75rem 1rem .75rem 2rem; } section ul ul { padding-left: 1.25rem; }
p { margin: .25rem 0; } .type { color: var(--soft); font-size: .9em; } b { font-size: .8em; font-weight: 600; color: light-dark(#8a4b00, #f2bd6a); }
.method { display: inline-block; font: 600 .75rem/1.5 var(--mono); } h3 .method { min-width: 3.2rem; padding: .1rem .45rem; margin-right: .4rem; text-align: center; border-radius: 6px; border: 1px solid currentColor; }
.get { color: light-dark(#0b6b42, #5fd39a); } .post { color: light-dark(#1f52c4, #93b3ff); } .put, .patch { color: light-dark(#8a4b00, #f2bd6a); } .delete { color: light-dark(#b3261e, #ff9d94); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.groups { display: flex; flex-wrap: wrap; gap: .5rem; }
.groups a { display: flex; padding: .35rem .75rem; border: 1px solid var(--line); } .groups span { color: var(--soft); }
@media (max-width: 959px) { nav details { display: none; } }
@media (min-width: 960px) { .groups { display: none; } body { grid-template-columns: 18rem minmax(0, 1fr); } header { grid-column: 1 / -1; }
  nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; padding-block: 1rem; scrollbar-width: thin; } }
`;

type Operation = {
  summary: string;
  description?: string;
  tags: string[];
  parameters: { name: string; in: string; required: boolean }[];
  requestBody?: { content: Record<string, { schema?: unknown }> };
  responses: Record<string, unknown>;
};

/** A text that stays text wherever it stands in the page. */
const text = (value: string): string => value.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; text-transform: capitalize; }
details { border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-radius: 6px; margin: .5rem 0; padding: .5rem .8rem; }
summary { cursor: pointer; }
code, pre { font: 14px/1.45 ui-monospace, monospace; overflow-x: auto; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 600; }
`;

/** The style has its own address: the page may hold none, and no script at all (faults S21). */
export const docsStyle = STYLE;

/** The document as a page: plain HTML, for reading. `up` leads from the page's address to its neighbours. */
export function docsPage(document: object, up: string): string {
  const paths = (document as { paths: object }).paths as Record<string, Record<string, Operation>>;
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const tags = [...new Set(all.map(({ operation }) => operation.tags[0]!))];
  const sections = tags.map((tag) => {
    const items = all.filter(({ operation }) => operation.tags[0] === tag);
    return `<h2>${text(tag)}</h2>${items.map(item).join("")}`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>HomeLabHub API</title><link rel="stylesheet" href="${up}docs.css"></head><body>
<h1>HomeLabHub API</h1>
<p>Send an API key as <code>X-API-Key</code>. Errors are <code>application/problem+json</code> (RFC 9457).
The whole as OpenAPI 3.1: <a href="${up}openapi.json">openapi.json</a>.</p>
${sections.join("\n")}</body></html>`;
}

function item({ path, method, operation }: { path: string; method: string; operation: Operation }): string {
  const { summary, description, parameters, requestBody, responses } = operation;
  const rows = parameters.map(
    (p) => `<li><code>${text(p.name)}</code> in ${p.in}${p.required ? ", required" : ""}</li>`,
  );
  const [kind, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  return `<details><summary><code><span class="method">${method.toUpperCase()}</span> ${text(path)}</code><br>${text(summary)}</summary>
<p>${text(description ?? "Open to everybody.")}</p>
${rows.length > 0 ? `<ul>${rows.join("")}</ul>` : ""}
${kind ? `<p>Takes <code>${text(kind)}</code></p>` : ""}
${content?.schema ? `<pre>${text(JSON.stringify(content.schema, null, 2))}</pre>` : ""}
<p>Answers: ${Object.keys(responses).map(text).join(", ")}</p></details>`;
}

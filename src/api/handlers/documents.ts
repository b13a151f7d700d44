import { HomelabError } from "../../core/errors.ts";
import { clusterStatus } from "../../reports/cluster-status.ts";
import type { Handlers } from "../call.ts";
import type { documentsContract } from "../contract/documents.ts";
import { docsPage, docsStyle } from "../docs-page.ts";
import { doorScript, doorStyle, loginPage, setupPage } from "../pages.ts";
import type { Services } from "../services.ts";

const HTML = "text/html; charset=utf-8";
const CSS = "text/css; charset=utf-8";

/** Probes, numbers, the document and the first pages. `document` describes every route, these among them. */
export function documentHandlers(services: Services, document: () => object): Handlers<typeof documentsContract> {
  const { site, remembered, metrics } = services;
  return {
    "GET /healthz": async () => ({ status: 200, body: { status: "ok" } }),
    "GET /readyz": async () => {
      const { value, stale } = await remembered.ask("cluster", { freshFor: 500 }, () => clusterStatus(site));
      if (!stale && value.services.find(({ name }) => name === "postgres")?.state === "ok")
        return { status: 200, body: { status: "ready" } };
      throw new HomelabError("not_running", "PostgreSQL does not answer", { retryAfterSeconds: 2 });
    },
    "GET /metrics": async () => ({
      status: 200,
      text: metrics.text(),
      type: "text/plain; version=0.0.4; charset=utf-8",
    }),
    "GET /api/openapi.json": async () => ({ status: 200, body: { ...document() } }),
    "GET /api/docs": async ({ request }) => {
      // The page may have been asked for with a slash at its end, and lie below a prefix.
      const up = request.url.split("?")[0]!.endsWith("/") ? "../" : "";
      return { status: 200, text: docsPage(document(), up), type: HTML };
    },
    "GET /": async ({ actor }) => {
      // Without a known prefix the way is relative: a proxy may show the hub below one that it takes off.
      const { base_path: prefix } = services.settings.hub;
      const location = `${prefix && `${prefix}/`}${actor.scopes.length > 0 ? "api/docs" : "login"}`;
      return { status: 302, text: "", type: "text/plain", headers: { location } };
    },
    "GET /setup": async () => ({ status: 200, text: setupPage, type: HTML }),
    "GET /login": async () => ({ status: 200, text: loginPage, type: HTML }),
    "GET /door.js": async () => ({ status: 200, text: doorScript, type: "text/javascript; charset=utf-8" }),
    "GET /door.css": async () => ({ status: 200, text: doorStyle, type: CSS }),
    "GET /api/docs.css": async () => ({ status: 200, text: docsStyle, type: CSS }),
  };
}

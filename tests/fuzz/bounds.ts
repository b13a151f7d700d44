import type { FuzzRoute } from "./document.ts";
import { DATABASES } from "./hints.ts";
import type { Prepared, WireContext } from "./wire.ts";

/** Routes that begin operations. */
const STARTS = /^\/api\/(databases|deleted-databases|operations|services|cluster)/;

/** Those whose effects reach beyond a database of the fuzzer's own: they are only ever asked for their plan. */
const ONLY_PLANNED = /^\/api\/(services|cluster)\//;

/** The query of a request, with a dry run in it where the request would do more than it may here. */
export function bounded(
  query: Prepared["query"],
  route: FuzzRoute,
  request: Pick<Prepared, "path" | "json">,
  context: WireContext,
): Prepared["query"] {
  const begins = STARTS.test(route.path) && route.parameters.some(({ name }) => name === "dry_run");
  if (!begins || query.some(([name, value]) => name === "dry_run" && value !== "false")) return query;
  if (isHarmless(route, request, context) && context.mayOperate()) return query;
  return [...query.filter(([name]) => name !== "dry_run"), ["dry_run", "true"]];
}

function isHarmless(
  route: FuzzRoute,
  { path, json }: Pick<Prepared, "path" | "json">,
  { known }: WireContext,
): boolean {
  if (ONLY_PLANNED.test(route.path)) return false;
  if (route.path.endsWith("/retry")) return known.isDatabaseOperation(path["id"]!);
  const said = json?.value as { operation?: unknown; database_name?: unknown } | null | undefined;
  if (route.path === "/api/operations") return String(said?.operation).startsWith("database.");
  // A new database has one of the few names; what is refused anyway may be asked for as it is.
  const name = said?.database_name;
  const isNew = route.path === "/api/databases" && typeof name === "string" && /^[a-z][a-z0-9_]{0,62}$/.test(name);
  return !isNew || DATABASES.includes(name);
}

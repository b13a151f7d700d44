import { HomelabError } from "../../core/errors.ts";
import { parseDuration } from "../../core/units.ts";
import type { Body, CallInput } from "../api/contract.ts";
import type { Context } from "../context.ts";
import { done, table } from "../output.ts";
import { dryRun, isPlan, showPlan } from "../show-plan.ts";

type Scopes = NonNullable<CallInput<"POST /api/keys">["body"]["scopes"]>;

const SCOPES = ["read", "provision", "operate", "admin"] as const satisfies Scopes;

/** Makes a key. It alone goes to standard output, so that it can be sent to where it is kept. */
export async function create(
  context: Context,
  name: string,
  flags: { scope?: string[]; expires?: string },
): Promise<void> {
  const body = { name, scopes: scopesOf(flags.scope ?? ["read"]), expires_at: expiryOf(flags.expires) };
  const made = await (await context.api()).call("POST /api/keys", { body, query: dryRun(context) });
  if (isPlan(made)) return showPlan(context, made);
  if (context.flags.json) return context.out.json(made);
  context.out.line(made.key);
  const until = made.expires_at ? `until ${made.expires_at}` : "until it is revoked";
  context.out.note(done(`key ${made.name} (${made.prefix}): ${made.scopes.join(", ")}, ${until}`));
  context.out.note(
    "It is shown this once. Elsewhere: HOMELAB_URL=… HOMELAB_API_KEY=… homelab …, or the header X-API-Key.",
  );
}

export async function list(context: Context): Promise<void> {
  const page = await (await context.api()).list("GET /api/keys", {});
  if (context.flags.json) return context.out.json(page);
  const rows = page.items.map((key) => [
    key.prefix,
    key.name,
    key.scopes.join(", "),
    stateOf(key),
    key.last_used_at ?? "never",
    key.created_by,
  ]);
  table(context.out, ["PREFIX", "NAME", "MAY", "WORKS", "LAST USED", "MADE BY"], rows);
  if (rows.length === 0) context.out.note("No key yet: homelab key create <name>");
}

type Key = Body<"GET /api/keys">["items"][number];

function stateOf({ revoked_at, expires_at }: Key): string {
  if (revoked_at) return `no, revoked ${revoked_at}`;
  if (!expires_at) return "yes";
  return Date.parse(expires_at) > Date.now() ? `until ${expires_at}` : `no, expired ${expires_at}`;
}

export async function revoke(context: Context, prefix: string): Promise<void> {
  const input = { params: { prefix }, query: dryRun(context) };
  const plan = await (await context.api()).call("DELETE /api/keys/{prefix}", input);
  if (isPlan(plan)) return showPlan(context, plan);
  if (!context.flags.json) context.out.note(done(`the key ${prefix} opens nothing any more`));
}

function scopesOf(given: string[]): Scopes {
  const strange = given.find((scope) => !SCOPES.some((known) => known === scope));
  if (strange !== undefined) throw new HomelabError("usage", `--scope ${strange}: expected ${SCOPES.join(", ")}`);
  return SCOPES.filter((scope) => given.includes(scope));
}

function expiryOf(within: string | undefined): string | null {
  if (within === undefined) return null;
  const seconds = parseDuration(within);
  if (seconds === undefined || seconds <= 0)
    throw new HomelabError("usage", `--expires ${within}: expected a duration such as 90d`);
  return new Date(Date.now() + seconds * 1000).toISOString();
}

import { HomelabError } from "../../core/errors.ts";
import type { CallInput } from "../api/contract.ts";
import { askPassword } from "../ask-password.ts";
import { confirmName } from "../confirm.ts";
import { isElsewhere, type Context } from "../context.ts";
import { done, table } from "../output.ts";
import { dryRun, isPlan, showPlan } from "../show-plan.ts";

type Change = CallInput<"PATCH /api/users/{name}">["body"];
type Role = NonNullable<Change["role"]>;

const ROLES = ["viewer", "operator", "admin"] as const satisfies Role[];

interface PasswordFlags {
  passwordFile?: string;
}

export async function add(context: Context, name: string, flags: PasswordFlags & { role?: string }): Promise<void> {
  const role = roleOf(flags.role ?? "viewer");
  const password = await askPassword(name, flags.passwordFile);
  const input = { body: { name, role, password: password.reveal() }, query: dryRun(context) };
  const user = await (await context.api()).call("POST /api/users", input);
  if (isPlan(user)) return showPlan(context, user);
  if (context.flags.json) return context.out.json(user);
  context.out.note(done(`user ${user.name}, ${user.role}`));
}

export async function list(context: Context): Promise<void> {
  const page = await (await context.api()).list("GET /api/users", {});
  if (context.flags.json) return context.out.json(page);
  const rows = page.items.map((user) => [
    user.name,
    user.role,
    user.disabled ? "disabled" : "active",
    [user.has_password ? "password" : "", user.sso ? "single sign-on" : ""].filter(Boolean).join(", ") || "-",
    user.last_login_at ?? "never",
  ]);
  table(context.out, ["NAME", "ROLE", "STATE", "SIGNS IN WITH", "LAST LOGIN"], rows);
  if (rows.length === 0) context.out.note("No user yet: homelab user setup-link, or homelab user add <name>");
}

export const setRole = async (context: Context, name: string, role: string): Promise<void> =>
  change(context, name, { role: roleOf(role) }, `${name} is ${role} now`);

export const setPassword = async (context: Context, name: string, flags: PasswordFlags): Promise<void> =>
  change(
    context,
    name,
    { password: (await askPassword(name, flags.passwordFile)).reveal() },
    `${name} has a new password, and is signed out everywhere`,
  );

export const disable = async (context: Context, name: string): Promise<void> =>
  change(context, name, { disabled: true }, `${name} cannot sign in any more`);

export const enable = async (context: Context, name: string): Promise<void> =>
  change(context, name, { disabled: false }, `${name} can sign in again`);

export async function remove(context: Context, name: string): Promise<void> {
  if (!context.flags.dryRun)
    await confirmName(context, name, async () => `${name} is removed, and signed out everywhere.`);
  const input = { params: { name }, query: dryRun(context) };
  const plan = await (await context.api()).call("DELETE /api/users/{name}", input);
  if (isPlan(plan)) return showPlan(context, plan);
  if (!context.flags.json) context.out.note(done(`${name} is removed`));
}

/** The link by which the first admin is made, or one who lost every way in is made anew. */
export async function setupLink(context: Context): Promise<void> {
  const link = await (await context.api()).call("POST /api/setup/link", {});
  if (context.flags.json) return context.out.json(link);
  context.out.line(`${await addressOf(context)}${link.path}`);
  context.out.note(`It works once, until ${link.expires_at}.`);
}

/** Where a browser finds the hub, as far as it is known here; the link itself has the prefix. */
async function addressOf(context: Context): Promise<string> {
  if (isElsewhere(context.flags)) return new URL(process.env["HOMELAB_URL"]!).origin;
  const { settings, ports } = (await context.site()).topology;
  return `http://${settings.network.host}:${ports.hub}`;
}

async function change(context: Context, name: string, body: Change, says: string): Promise<void> {
  const input = { params: { name }, query: dryRun(context), body };
  const user = await (await context.api()).call("PATCH /api/users/{name}", input);
  if (isPlan(user)) return showPlan(context, user);
  if (context.flags.json) context.out.json(user);
  else context.out.note(done(says));
}

function roleOf(text: string): Role {
  const role = ROLES.find((known) => known === text);
  if (role) return role;
  throw new HomelabError("usage", `${text}: expected ${ROLES.join(", ")}`);
}

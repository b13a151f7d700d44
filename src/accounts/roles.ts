import type { Scope } from "../core/scope.ts";

/** What a person is to the installation. */
export const ROLES = ["viewer", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** All that a key can be given. `provision` and `operate` each contain `read`, and neither contains the other. */
export const SCOPES = ["read", "provision", "operate", "admin"] as const satisfies readonly Scope[];

/** A web session of an actor; dangerous calls ask that the password was given lately. */
interface ActorSession {
  id: string;
  /** When the password (or the single sign-on) was last proven: RFC 3339. */
  provenAt: string;
}

/** Who calls. */
export interface Actor {
  kind: "key" | "user" | "local" | "peer" | "system";
  /** As the audit log and `created_by` have it: `key:laptop`, `user:ada`, `cli:root`. */
  name: string;
  role: Role;
  scopes: readonly Scope[];
  /** Where the call came from; null for this machine's socket. */
  address: string | null;
  /** For users with a browser only. */
  session?: ActorSession;
}

const SCOPES_OF_ROLE: Record<Role, readonly Scope[]> = {
  viewer: ["read"],
  operator: ["read", "provision", "operate"],
  admin: ["admin"],
};

/** What a role allows. */
export const scopesOf = (role: Role): readonly Scope[] => SCOPES_OF_ROLE[role];

/** The role that comes nearest to some scopes, for whoever asks by role. */
export function roleOf(scopes: readonly Scope[]): Role {
  if (scopes.includes("admin")) return "admin";
  return scopes.includes("provision") || scopes.includes("operate") ? "operator" : "viewer";
}

/** Whether scopes that somebody has contain the one that is needed. */
function contains(has: readonly Scope[], needed: Scope): boolean {
  if (has.includes("admin") || has.includes(needed)) return true;
  return needed === "read" && has.length > 0;
}

/** Whether an actor may do what needs this scope. */
export const may = (actor: Pick<Actor, "scopes">, scope: Scope): boolean => contains(actor.scopes, scope);

/** Whether an actor may give these scopes away: nobody makes a key that can do more than he can. */
export const mayGrant = (actor: Pick<Actor, "scopes">, scopes: readonly Scope[]): boolean =>
  scopes.every((scope) => may(actor, scope));

import { HomelabError } from "../core/errors.ts";
import { printable } from "../core/text.ts";
import type { SsoSettings } from "../config/sso.ts";
import { type Role, ROLES } from "./roles.ts";

/** Who the provider says somebody is. */
export interface SsoIdentity {
  issuer: string;
  /** With the issuer, the one thing that names an account for good: names and addresses are given to others. */
  subject: string;
  /** A proposal, which another account may have already. */
  username: string;
  displayName: string;
  /** To show, not to recognise anybody by; null also where the provider says that it is not verified. */
  email: string | null;
  role: Role;
}

/** What an id_token and the userinfo endpoint say. */
export type Claims = Record<string, unknown>;

/** @throws HomelabError `sso_refused` when no role belongs to the account */
export function identityOf(claims: Claims, settings: SsoSettings): SsoIdentity {
  const username = usernameOf(claims);
  const email = claims["email_verified"] === false ? undefined : text(claims["email"]);
  return {
    issuer: String(claims["iss"]),
    subject: String(claims["sub"]),
    username,
    displayName: printable(text(claims["name"]) ?? text(claims["preferred_username"]) ?? username).slice(0, 100),
    email: email ? printable(email).slice(0, 254) : null,
    role: roleOf(claims, settings),
  };
}

function roleOf(claims: Claims, settings: SsoSettings): Role {
  const { role_claim: claim, roles, default_role: otherwise } = settings;
  const found = claimAt(claims, claim);
  const values = new Set(Array.isArray(found) ? found : [found]);
  // ROLES begins with the least powerful one.
  const role = ROLES.findLast((each) => roles[each].some((value) => values.has(value)));
  if (role) return role;
  if (otherwise !== "none") return otherwise;
  // The claim is named, its value is not: the sentence is shown and logged.
  const seen = found === undefined ? "is not there" : "names none of the groups that may log in";
  throw new HomelabError("sso_refused", `the account may not log in here: its claim ${claim} ${seen}`, {
    hint:
      found === undefined
        ? "Let the provider hand the claim out (often it has a scope of its own: sso.scopes), or name another: sso.role_claim."
        : "Add the account to a group of sso.roles at the provider, or the group to sso.roles.",
  });
}

/** A claim by its whole name, which may have dots in it (`https://example.org/roles`), or else by a path. */
function claimAt(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  return name.split(".").reduce<unknown>((at, key) => {
    const inside = typeof at === "object" && at !== null && Object.hasOwn(at, key);
    return inside ? (at as Claims)[key] : undefined;
  }, claims);
}

/** What can be a user's name here: of the name, the address or, where neither has a letter, the subject. */
function usernameOf(claims: Claims): string {
  const given = [claims["preferred_username"], claims["email"]].map((claim) => asUsername(text(claim) ?? ""));
  const subject = text(claims["sub"])!;
  // A subject is often a number: its digits are what tells it from others.
  return given.find(Boolean) ?? (asUsername(/^[a-z]/i.test(subject) ? subject : `user-${subject}`) || "user");
}

function asUsername(name: string): string {
  return name
    .replace(/(.)@.*$/, "$1")
    .normalize("NFKD")
    .replace(/\p{Mark}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, 63)
    .replace(/[._-]+$/, "");
}

const text = (claim: unknown): string | undefined => (typeof claim === "string" && claim !== "" ? claim : undefined);

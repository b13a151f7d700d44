import type { SessionView } from "../../accounts/administration.ts";
import type { KeyView } from "../../accounts/keys.ts";
import { scopesOf } from "../../accounts/roles.ts";
import type { UserView } from "../../accounts/users.ts";

/** A user who has just signed in, as he sees himself. */
export const meBody = ({ name, role }: Pick<UserView, "name" | "role">) => ({
  name: `user:${name}`,
  kind: "user" as const,
  role,
  scopes: [...scopesOf(role)],
});

/** A user in a list. */
export const userBody = (user: UserView) => ({
  name: user.name,
  display_name: user.displayName,
  role: user.role,
  disabled: user.disabled,
  has_password: user.hasPassword,
  sso: user.sso !== null,
  created_at: user.createdAt,
  last_login_at: user.lastLoginAt,
});

/** A key in a list. */
export const keyBody = (key: KeyView) => ({
  name: key.name,
  prefix: key.prefix,
  scopes: [...key.scopes],
  created_by: key.createdBy,
  created_at: key.createdAt,
  expires_at: key.expiresAt,
  last_used_at: key.lastUsedAt,
  revoked_at: key.revokedAt,
});

/** A browser in a list. */
export const sessionBody = (session: SessionView, current: string | undefined) => ({
  id: session.id,
  user: session.user,
  current: session.id === current,
  created_at: session.createdAt,
  seen_at: session.seenAt,
  expires_at: session.expiresAt,
  address: session.address,
  user_agent: session.userAgent,
});

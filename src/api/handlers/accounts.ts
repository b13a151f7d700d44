import type { Accounts } from "../../accounts/accounts.ts";
import { HomelabError } from "../../core/errors.ts";
import type { Handlers } from "../call.ts";
import type { accountsContract } from "../contract/accounts.ts";
import { paginate } from "../paging.ts";
import type { Services } from "../services.ts";
import { keyBody, sessionBody, userBody } from "./account-bodies.ts";
import { callerOf, noContent, sessionHandlers } from "./session.ts";

/** Users, keys, sessions and the audit log. */
export function accountHandlers(services: Services): Handlers<typeof accountsContract> {
  const accounts = (): Accounts => {
    if (services.accounts) return services.accounts;
    throw new HomelabError("platform_database_away", "users and keys are the hub's, and there is no hub here", {
      hint: "homelab up starts it.",
    });
  };
  return {
    ...sessionHandlers(services, accounts),
    "GET /api/sessions": async ({ query, actor }) => {
      const own = actor.role === "admin" ? undefined : actor.name.replace(/^user:/, "");
      const bodies = accounts()
        .listSessions(own)
        .map((session) => sessionBody(session, actor.session?.id));
      return { status: 200, body: paginate(bodies, query, "id") };
    },
    "DELETE /api/sessions/{id}": async (call) => {
      const own = accounts().listSessions(call.actor.name.replace(/^user:/, ""));
      const isOwn = call.actor.kind === "user" && own.some(({ id }) => id === call.params.id);
      // Whether a session of somebody else exists is not told either.
      if (call.actor.role !== "admin" && !isOwn) throw new HomelabError("not_found", "there is no such session");
      await accounts().revokeSession(callerOf(call), call.params.id);
      return noContent;
    },
    "GET /api/users": async ({ query }) => ({
      status: 200,
      body: paginate(accounts().listUsers().map(userBody), query, "name"),
    }),
    "POST /api/users": async (call) => {
      const { display_name: displayName, ...rest } = call.body;
      const user = await accounts().createUser(callerOf(call), { displayName, ...rest });
      return { status: 201, body: userBody(user), headers: { location: `/api/users/${user.name}` } };
    },
    "PATCH /api/users/{name}": async (call) => ({
      status: 200,
      body: userBody(await accounts().updateUser(callerOf(call), call.params.name, call.body)),
    }),
    "DELETE /api/users/{name}": async (call) => {
      await accounts().removeUser(callerOf(call), call.params.name);
      return noContent;
    },
    "GET /api/keys": async ({ query }) => ({
      status: 200,
      body: paginate(accounts().listKeys().map(keyBody), query, "prefix"),
    }),
    "POST /api/keys": async (call) => {
      const { name, scopes, expires_at: expiresAt } = call.body;
      const { key, text } = await accounts().createKey(callerOf(call), { name, scopes, expiresAt });
      return { status: 201, body: { ...keyBody(key), key: text.reveal() } };
    },
    "DELETE /api/keys/{prefix}": async (call) => {
      // By its prefix alone: another one's name may look like it.
      const key = accounts()
        .listKeys()
        .find(({ prefix, revokedAt }) => prefix === call.params.prefix && revokedAt === null);
      if (!key) throw new HomelabError("not_found", `there is no key ${call.params.prefix}`);
      await accounts().revokeKey(callerOf(call), key.id);
      return noContent;
    },
    "GET /api/audit": async ({ query }) => {
      const { items, ...rest } = await accounts().audit.list(query);
      const bodies = items.map(({ id: _id, requestId, prevHash: _p, hash: _h, ...entry }) => ({
        ...entry,
        request_id: requestId,
      }));
      return { status: 200, body: { items: bodies, ...rest } };
    },
    "GET /api/audit/proof": async () => {
      const { ok, entries, says } = await accounts().audit.verifyChain();
      return { status: 200, body: { ok, entries, says } };
    },
  };
}

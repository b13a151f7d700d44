import type { IncomingMessage } from "node:http";
import { HomelabError } from "../core/errors.ts";
import type { Actor } from "../accounts/roles.ts";

/**
 * By which door a request came. `socket`: the node's own, closed to everybody but the home's owner and root, so whoever
 * comes by it may do everything. `peer`: another hub of the cluster, proven by its certificate; it says for whom it asks.
 * `network`: everybody else.
 */
export type Entrance = "socket" | "peer" | "network";

const entrances = new WeakMap<IncomingMessage, Entrance>();

/** Notes by which door a request came; a listener of ours does it before anything reads the request. */
export const noteEntrance = (request: IncomingMessage, entrance: Entrance): void =>
  void entrances.set(request, entrance);

export const entranceOf = (request: IncomingMessage, otherwise: Entrance): Entrance =>
  entrances.get(request) ?? otherwise;

const CALLER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Who calls on the node itself: the name is for the records, the right comes from the door. */
export function localActor(header: string | string[] | undefined): Actor {
  const name = typeof header === "string" && CALLER.test(header) ? header : "owner";
  return { kind: "local", name: `cli:${name}`, role: "admin", scopes: ["admin"], address: null };
}

/** For whom another hub asks. @throws HomelabError `not_signed_in` */
export function forwardedActor(header: string | string[] | undefined): Actor {
  try {
    return JSON.parse(Buffer.from(String(header), "base64url").toString()) as Actor;
  } catch {
    throw new HomelabError("not_signed_in", "a forwarded request does not say for whom");
  }
}

/** The header in which a hub says to the leader for whom it asks. */
export const ACTOR_HEADER = "x-homelab-actor";

export const writeActor = (actor: Actor): string => Buffer.from(JSON.stringify(actor)).toString("base64url");

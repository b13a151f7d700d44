import type { FastifyRequest } from "fastify";
import type { Actor } from "../accounts/roles.ts";
import { ACTOR_HEADER, entranceOf, forwardedActor, localActor, type Entrance } from "./entrance.ts";
import type { Services } from "./services.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who asks; null for somebody who did not say. */
    actor: Actor | null;
  }
}

/** Who asks. @throws HomelabError `too_many_attempts` for an address that guessed too often */
export async function callerOf(
  request: FastifyRequest,
  { accounts }: Services,
  otherwise: Entrance,
): Promise<Actor | null> {
  const { headers } = request;
  const entrance = entranceOf(request.raw, otherwise);
  if (entrance === "socket") return localActor(headers["x-homelab-caller"]);
  if (entrance === "peer") return ACTOR_HEADER in headers ? forwardedActor(headers[ACTOR_HEADER]) : null;
  const actor = await accounts?.authenticate({
    apiKey: one(headers["x-api-key"]),
    authorization: headers.authorization,
    cookies: request.cookies,
    https: isHttps(request),
    address: request.ip,
  });
  return actor ?? null;
}

/** The real scheme: what a trusted proxy says, or what came in. */
export const isHttps = (request: FastifyRequest): boolean => request.protocol === "https";

/** The real address; null for this machine's socket, and for what another hub forwards the address that it saw. */
export const addressOf = (request: FastifyRequest): string | null =>
  request.actor ? request.actor.address : (request.ip ?? null);

const one = (header: string | string[] | undefined): string | undefined => (Array.isArray(header) ? header[0] : header);

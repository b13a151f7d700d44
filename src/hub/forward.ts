import type { FastifyRequest } from "fastify";
import { ACTOR_HEADER, writeActor } from "../api/entrance.ts";
import type { Services } from "../api/services.ts";
import { HomelabError } from "../core/errors.ts";
import { certificateFiles } from "../engines/tls.ts";
import { engineRequest } from "../host/https.ts";

/** Headers that change what a request means, and go with it. */
const PASSED = ["idempotency-key", "homelab-confirm"] as const;

/** Headers of the leader's answer that its caller is to have. */
const ANSWERED = ["content-type", "location", "retry-after", "x-request-id"] as const;

/** A create may wait for a lock and prove a login; nothing that is answered at once takes longer. */
const PATIENCE = 330;

/**
 * Hands a change to the leading hub, over TLS with this node's certificate; who asks was settled here and goes with it.
 * @throws HomelabError `no_leader`
 */
export async function forwardToLeader({ leadership, topology }: Services, request: FastifyRequest) {
  const leader = leadership.leader();
  // An agent that stands in for the hubs takes no requests.
  if (!leader?.url || leadership.isLeader) throw noLeader("no hub leads at the moment");
  const { hostname, port } = new URL(leader.url);
  const headers: Record<string, string> = { [ACTOR_HEADER]: writeActor(request.actor!) };
  for (const name of PASSED) {
    const value = request.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  const call = {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port),
    path: request.url,
    method: request.method as "POST",
    text: request.rawBody,
    headers,
    timeout: PATIENCE,
  };
  const answer = await engineRequest(certificateFiles(topology.paths), call).catch((cause: unknown) => {
    throw noLeader(`the leading hub ${leader.name} does not answer`, cause);
  });
  const passed = ANSWERED.flatMap((name) => {
    const value = answer.headers[name];
    return typeof value === "string" ? [[name, value] as const] : [];
  });
  return { status: answer.status, headers: Object.fromEntries(passed), body: answer.text };
}

const noLeader = (message: string, cause?: unknown): HomelabError =>
  new HomelabError("no_leader", message, { hint: "Try again in a few seconds.", retryAfterSeconds: 2, cause });

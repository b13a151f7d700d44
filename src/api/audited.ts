import type { FastifyRequest } from "fastify";
import type { Actor } from "../accounts/roles.ts";
import { errorRecord, HomelabError } from "../core/errors.ts";
import type { AuditNote, Call, Mounted, Other, Sent } from "./call.ts";
import { addressOf } from "./caller.ts";
import { Denials } from "./denials.ts";
import type { Endpoint } from "./endpoint.ts";
import { isUnsafe } from "./guards.ts";
import type { Services } from "./services.ts";

const denials = new Denials();

/** Somebody who did not say who he is: he may do nothing. */
export const NOBODY: Actor = { kind: "system", name: "nobody", role: "viewer", scopes: [], address: null };

/** A change that its handler does not write down by itself. */
const isOurs = ({ method, endpoint }: Mounted): boolean => isUnsafe(method) && !endpoint.auditsItself;

const isDenial = (error: unknown): boolean =>
  error instanceof HomelabError && ["not_allowed", "not_signed_in"].includes(error.code);

/**
 * Serves a request and writes down how that went, before anybody is told: one line for each thing that was done, however
 * often the same is asked for again under its key. A plan is nothing that was done.
 */
export async function handle(
  services: Services,
  route: Mounted,
  call: Call<Endpoint>,
  notes: AuditNote[],
): Promise<Sent | Other> {
  const isPlan = (call.query as { dry_run?: boolean } | undefined)?.dry_run === true;
  try {
    const result = await route.handler(call);
    if (!isPlan && (isOurs(route) || notes.length > 0)) await record(services, route, call.request, notes, "done");
    return result;
  } catch (error) {
    const isNoted = isDenial(error) ? !route.endpoint.auditsItself : isOurs(route) && !isPlan;
    if (isNoted) await record(services, route, call.request, notes, errorRecord(error).code);
    throw error;
  }
}

/** Writes down why a change, or whoever may not ask for something, did not come as far as its handler. */
export async function noteRefusal(
  services: Services,
  route: Mounted,
  request: FastifyRequest,
  error: unknown,
): Promise<void> {
  if (isOurs(route) || isDenial(error)) await record(services, route, request, [], errorRecord(error).code);
}

/** With the database away the line is kept on the node. */
async function record(
  { audit }: Services,
  route: Mounted,
  request: FastifyRequest,
  notes: AuditNote[],
  result: string,
): Promise<void> {
  if (!request.actor && !(await denials.isWorthALine(request.ip ?? null))) return;
  const target = Object.values(request.params ?? {}).join("/");
  const fallback = { action: route.endpoint.change ?? `${route.method} ${route.path}`, target };
  const common = { actor: request.actor ?? NOBODY, address: addressOf(request), result, requestId: request.id };
  for (const note of notes.length > 0 ? notes : [fallback]) await audit.record({ ...note, ...common });
}

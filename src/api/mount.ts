import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { may, type Actor } from "../accounts/roles.ts";
import { HomelabError } from "../core/errors.ts";
import type { AppOptions } from "./app.ts";
import { handle, NOBODY, noteRefusal } from "./audited.ts";
import type { Endpoint } from "./endpoint.ts";
import { routerPath, type AuditNote, type Call, type Mounted, type Other, type Sent } from "./call.ts";
import { streamEvents } from "./events.ts";
import { refuseOtherMethods } from "./other-methods.ts";
import { checkProof, isUnsafe } from "./guards.ts";
import { FIRST } from "./idempotency.ts";
import { parseInput } from "./parse.ts";
import type { Services } from "./services.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The route's path as the document has it. */
    path?: string;
    /** The route reads its body as it comes. */
    takesBytes?: boolean;
  }
}

/** Registers every route: who may, what it takes, what it answers, and what the audit log keeps of it. */
export function mount(app: FastifyInstance, routes: Mounted[], services: Services, options: AppOptions): void {
  for (const route of routes) {
    app.route({
      method: route.method,
      url: routerPath(route.path),
      config: { path: route.path, takesBytes: route.endpoint.takes !== undefined },
      handler: async (request, reply) => {
        await serve(route, request, reply, services, options);
        return reply;
      },
    });
  }
  refuseOtherMethods(app, routes);
}

async function serve(
  route: Mounted,
  request: FastifyRequest,
  reply: FastifyReply,
  services: Services,
  options: AppOptions,
): Promise<void> {
  const notes: AuditNote[] = [];
  let isHandled = false;
  try {
    checkScope(route.endpoint, request.actor);
    checkProof(route.endpoint, request.actor, services.site.clock.now());
    const call = makeCall(route.endpoint, request, reply, notes);
    if (mustForward(route, services)) return await passOn(route.endpoint, request, reply, options, services);
    const dryRun = planned(route.endpoint, call);
    if (dryRun) return await send(reply, call.actor, dryRun, services);
    const result = await services.idempotency.once(call, route, (attempt) => {
      isHandled = true;
      call.attempt = attempt;
      return handle(services, route, call, notes);
    });
    await send(reply, call.actor, result, services);
  } catch (error) {
    if (!isHandled) await noteRefusal(services, route, request, error);
    throw error;
  }
}

/** @throws HomelabError `not_signed_in`, `not_allowed` */
export function checkScope({ scope }: Pick<Endpoint, "scope">, actor: Actor | null): void {
  if (scope === null) return;
  if (!actor)
    throw new HomelabError("not_signed_in", "no valid key and no session came with the request", {
      hint: "Send an API key as X-API-Key; homelab key create makes one.",
    });
  if (may(actor, scope)) return;
  throw new HomelabError("not_allowed", `${actor.name} may not do this: it needs the scope ${scope}`, {
    hint: "An admin can give it: homelab key create --scope, homelab user set-role.",
  });
}

function makeCall(
  endpoint: Endpoint,
  request: FastifyRequest,
  reply: FastifyReply,
  notes: AuditNote[],
): Call<Endpoint> {
  let gone: AbortController | undefined;
  return {
    ...parseInput(endpoint, request),
    actor: request.actor ?? NOBODY,
    request,
    // Made by the first who asks: most answers are there before anybody could go away.
    get signal() {
      if (!gone) {
        const controller = (gone = new AbortController());
        if (reply.raw.destroyed) controller.abort();
        reply.raw.once("close", () => controller.abort());
      }
      return gone.signal;
    },
    attempt: FIRST,
    audit: (note) => void notes.push(note),
  };
}

/** The plan of a change that is one step; an operation has a plan of its own. */
function planned({ change, summary }: Endpoint, { query }: Call<Endpoint>): Sent | undefined {
  if (!change || !(query as { dry_run?: boolean } | undefined)?.dry_run) return undefined;
  const step = change.split(".")[1]!;
  return {
    status: 200,
    body: {
      operation: change,
      dry_run: true,
      steps: [{ step, effect: "run", says: summary.charAt(0).toLowerCase() + summary.slice(1) }],
    },
  };
}

const mustForward = ({ method, endpoint }: Mounted, { leadership }: Services): boolean =>
  isUnsafe(method) && !endpoint.anywhere && !leadership.isLeader;

async function passOn(
  { takes }: Endpoint,
  request: FastifyRequest,
  reply: FastifyReply,
  { forward }: AppOptions,
  { leadership }: Services,
): Promise<void> {
  if (takes)
    throw new HomelabError(
      "no_leader",
      `an upload goes to the hub that leads: ${leadership.leader()?.name ?? "none at the moment"}`,
      {
        hint: "Send it there: it is kept on that machine until it is worked on.",
      },
    );
  if (!forward)
    throw new HomelabError("no_leader", "no hub leads at the moment", {
      hint: "Try again in a few seconds.",
      retryAfterSeconds: 2,
    });
  const { status, headers, body } = await forward(request);
  void reply.status(status).headers(headers).send(body);
}

async function send(
  reply: FastifyReply,
  actor: Actor,
  result: Sent | Other,
  { accounts, settings }: Services,
): Promise<void> {
  if ("events" in result) {
    // Whoever asks only for the head would wait for the end of what has none.
    if (reply.request.method === "HEAD") return void reply.type("text/event-stream; charset=utf-8").send();
    return streamEvents(reply, actor.name, result.events, () => accounts?.isStillIn(actor) ?? true);
  }
  if (result.headers) reply.headers(result.headers);
  // What was made, or is under way, is to be found below the prefix that a proxy shows us under.
  const location = result.headers?.["location"];
  if (typeof location === "string" && location.startsWith("/api/"))
    reply.header("location", settings.hub.base_path + location);
  reply.status(result.status);
  if ("stream" in result) return void reply.type(result.type).send(result.stream);
  if ("text" in result) void reply.type(result.type).send(result.text);
  else if (result.body === undefined) void reply.send();
  else void reply.send(result.body);
}

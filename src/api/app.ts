import cookie from "@fastify/cookie";
import helmet from "@fastify/helmet";
import fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { HomelabError } from "../core/errors.ts";
import { newRequestId } from "../core/ids.ts";
import { callerOf } from "./caller.ts";
import type { Entrance } from "./entrance.ts";
import { entranceOf } from "./entrance.ts";
import { checkOneHost, checkOrigin, HostCheck } from "./guards.ts";
import { mount } from "./mount.ts";
import { readJsonOnly } from "./parse.ts";
import { toProblem } from "./problems.ts";
import { allRoutes } from "./routes.ts";
import type { Services } from "./services.ts";

/** Bytes of a request's body; nothing that the API takes comes near it. */
const BODY_LIMIT = 256 * 1024;

/** Bytes of a request's line and headers, of which a listener takes no more. */
export const LONGEST_HEAD = 16 * 1024;

/** A line of the access log: the path without its query, since that may hold what is nobody's business. */
export interface Access {
  request_id: string;
  method: string;
  path: string;
  status: number;
  ms: number;
  actor: string | null;
  address: string | null;
}

export interface AppOptions {
  /** By which door a request came that no listener has marked. */
  entrance: Entrance;
  onAccess?(access: Access): void;
  /** What is wrong on our side, for the log. */
  onFault?(requestId: string, error: unknown): void;
  /** Answers a change that only the leader may make, when that is somebody else. */
  forward?: Forward;
}

/** Hands a request to the leading hub. */
type Forward = (request: FastifyRequest) => Promise<{ status: number; headers: Record<string, string>; body: string }>;

/** The whole API: the hub listens with it, and a command without a hub calls it in its own process. */
export async function buildApp(services: Services, options: AppOptions): Promise<FastifyInstance> {
  const { hub } = services.settings;
  const app = fastify({
    bodyLimit: BODY_LIMIT,
    trustProxy: hub.trusted_proxies.length > 0 ? hub.trusted_proxies : false,
    genReqId: newRequestId,
    // What the router refuses by itself is answered past every hook, so nothing is left to it: a parameter may be as
    // long as the head of a request, and a path that cannot be decoded is refused by a hook.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: LONGEST_HEAD },
    rewriteUrl: ({ url = "/" }) => (isReadable(url) ? withoutPrefix(url, hub.base_path) : "/"),
  });
  await app.register(cookie);
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: CSP },
    xFrameOptions: { action: "deny" },
    // Only where TLS is: on plain http browsers ignore it, and behind a proxy it is the proxy's to say.
    hsts: false,
    referrerPolicy: { policy: "no-referrer" },
  });
  readJsonOnly(app);
  observe(app, services, options);
  app.decorateRequest("actor", null);
  // Hooks that wait for nothing are no promises: every request comes by here.
  const hosts = new HostCheck(services.topology);
  app.addHook("onRequest", (request, _reply, done) => {
    if (!isReadable(request.originalUrl)) throw new HomelabError("request_malformed", "the path cannot be decoded");
    if (entranceOf(request.raw, options.entrance) === "network") {
      checkOneHost(request);
      hosts.check(request.host);
      checkOrigin(request);
    }
    done();
  });
  app.addHook("preParsing", async (request) => {
    request.actor = await callerOf(request, services, options.entrance);
  });
  mount(app, allRoutes(services), services, options);
  return app;
}

/** Nothing from elsewhere, no script in a page, in nobody's frame (faults S21). */
const CSP = {
  defaultSrc: ["'self'"],
  baseUri: ["'none'"],
  objectSrc: ["'none'"],
  frameAncestors: ["'none'"],
  formAction: ["'self'"],
  imgSrc: ["'self'", "data:"],
};

/** Whether the path is one that the router can decode. */
function isReadable(url: string): boolean {
  if (!url.includes("%")) return true;
  try {
    return decodeURIComponent(url.split("?")[0]!) !== "";
  } catch {
    return false;
  }
}

function withoutPrefix(url: string, prefix: string): string {
  if (prefix === "" || !(url === prefix || url.startsWith(`${prefix}/`) || url.startsWith(`${prefix}?`))) return url;
  const rest = url.slice(prefix.length);
  return rest.startsWith("/") ? rest : `/${rest}`;
}

const pathOf = (request: FastifyRequest): string => request.url.split("?")[0]!;

/** A path may be as long as the head of a request; nobody needs all of that back. */
const place = (request: FastifyRequest) => ({ instance: pathOf(request).slice(0, 500), requestId: request.id });

function observe(app: FastifyInstance, { metrics }: Services, { onAccess, onFault, entrance }: AppOptions): void {
  app.addHook("onSend", (request, reply, _payload, done) => {
    reply.header("x-request-id", request.id);
    if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-store");
    done();
  });
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error, place(request));
    if (problem.code === "failed") onFault?.(request.id, error);
    const wait = error instanceof HomelabError ? error.retryAfterSeconds : undefined;
    if (wait !== undefined) reply.header("retry-after", String(wait));
    return reply.status(problem.status).type("application/problem+json").send(problem);
  });
  app.setNotFoundHandler((request) => {
    throw new HomelabError("not_found", `there is no ${pathOf(request).slice(0, 200)} here`, {
      hint: "GET /api/openapi.json lists what there is.",
    });
  });
  app.addHook("onResponse", (request, reply, done) => {
    const route = request.routeOptions.config.path ?? "none";
    metrics.request(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    onAccess?.({
      request_id: request.id,
      method: request.method,
      path: pathOf(request).slice(0, 500),
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      actor: request.actor?.name ?? null,
      address: entranceOf(request.raw, entrance) === "network" ? request.ip : null,
    });
    done();
  });
}

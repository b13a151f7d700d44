import type { FastifyInstance, HTTPMethods } from "fastify";
import { HomelabError } from "../core/errors.ts";
import { routerPath, type Mounted } from "./call.ts";

const METHODS: HTTPMethods[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

/** What is there, asked for in another way, is answered with the ways that there are (RFC 9110, 15.5.6). */
export function refuseOtherMethods(app: FastifyInstance, routes: Mounted[]): void {
  for (const [path, allowed] of methodsByPath(routes)) {
    app.route({
      method: METHODS.filter((method) => !allowed.includes(method)),
      url: routerPath(path),
      config: { path },
      handler: async ({ method }, reply) => {
        reply.header("allow", allowed.join(", "));
        throw new HomelabError("method_not_allowed", `${method} is not for ${path}`, {
          hint: `It takes ${allowed.join(", ")}.`,
        });
      },
    });
  }
}

function methodsByPath(routes: Mounted[]): Map<string, string[]> {
  const paths = new Map<string, string[]>();
  for (const { method, path } of routes)
    paths.set(path, [...(paths.get(path) ?? []), ...(method === "GET" ? ["GET", "HEAD"] : [method])]);
  return paths;
}

import fastify from "fastify";
import { expect, test } from "vitest";
import { HomelabError } from "../core/errors.ts";
import type { Mounted } from "./call.ts";
import { refuseOtherMethods } from "./other-methods.ts";

test("what is there in one way is refused in every other, with the ways that there are", async () => {
  const app = fastify();
  app.setErrorHandler((error, _request, reply) => reply.status(405).send((error as HomelabError).code));
  const routes = [
    { method: "GET", path: "/api/things/{name}" },
    { method: "DELETE", path: "/api/things/{name}" },
  ] as Mounted[];
  for (const { method } of routes) app.route({ method, url: "/api/things/:name", handler: async () => "here" });
  refuseOtherMethods(app, routes);
  for (const method of ["PUT", "POST", "PATCH", "OPTIONS"] as const) {
    const { statusCode, headers, body } = await app.inject({ method, url: "/api/things/lamp" });
    expect([statusCode, headers.allow, body]).toEqual([405, "GET, HEAD, DELETE", "method_not_allowed"]);
  }
  for (const method of ["GET", "HEAD", "DELETE"] as const)
    expect((await app.inject({ method, url: "/api/things/lamp" })).statusCode).toBe(200);
});

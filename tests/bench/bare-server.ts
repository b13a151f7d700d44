import fastify from "fastify";

/** The same framework with one route that answers a constant of the same size: what everything of ours is measured against. */
const size = Number(process.env["HOMELAB_SIZE"]);
const body = JSON.stringify({ filler: "x".repeat(Math.max(0, size - 13)) });

const app = fastify();
app.get("/", (_request, reply) => {
  void reply.type("application/json; charset=utf-8").send(body);
});
const address = await app.listen({ host: "127.0.0.1", port: 0 });
process.stdout.write(`${address}\n`);

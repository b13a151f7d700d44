import { get } from "node:http";
import { hubSocketPath } from "../cluster/home.ts";
import type { Topology } from "../cluster/topology.ts";
import type { Health } from "../core/health.ts";

/** Milliseconds for an answer that costs the hub nothing. */
const PATIENCE = 2000;

/** Whether this node's hub answers. Databases go on without it; what would be missing is the API, and the dashboard. */
export async function hubHealth({ paths, ports }: Pick<Topology, "paths" | "ports">): Promise<Health> {
  if (await answers(hubSocketPath(paths)))
    return { state: "ok", says: `answers on port ${ports.hub}`, facts: { port: ports.hub } };
  return {
    state: "degraded",
    says: "does not answer: no API and no dashboard",
    hint: "The agent starts it again; homelab logs hub tells more.",
  };
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = get({ socketPath, path: "/healthz", timeout: PATIENCE, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent
      .once("timeout", () => sent.destroy())
      .once("error", () => resolve(false))
      .once("close", () => resolve(false));
  });
}

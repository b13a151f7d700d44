import { join } from "node:path";
import { installationPath } from "./installation.ts";
import type { Site } from "./site.ts";
import { nodeProcesses } from "../engines/services.ts";
import type { ProcessSpec } from "../host/processes.ts";
import { cleanEnvironment } from "../host/run.ts";

/** Everything that is to run on this node: the engines, and the hub, which waits for none of them. */
export const nodeServices = (site: Pick<Site, "topology" | "program">): ProcessSpec[] => [
  ...nodeProcesses(site.topology),
  hubProcess(site),
];

/**
 * glibc's own threshold, held where it begins: the first password that is hashed would raise it to 32 MiB, and what is
 * taken below it is hardly ever given back (mallopt(3), M_MMAP_THRESHOLD; measured after 8,000 requests: 161 MB, else 283).
 */
const GIVE_BACK = { MALLOC_MMAP_THRESHOLD_: "131072" };

/** The hub, with the API. It reads the installation at its start, and is started anew when that or the build changed. */
function hubProcess({ topology, program }: Pick<Site, "topology" | "program">): ProcessSpec {
  const { paths, ports } = topology;
  return {
    name: "hub",
    argv: [
      program.node,
      "--disable-warning=ExperimentalWarning",
      "--max-semi-space-size=8",
      join(program.folder, "hub.js"),
      "--home",
      paths.root,
    ],
    env: { ...cleanEnvironment(), ...GIVE_BACK },
    stop: { signal: "SIGTERM", grace: 8 },
    after: [],
    ready: { https: ports.hub_peer, path: "/healthz", contains: '"ok"' },
    files: [installationPath(paths), paths.secrets, join(program.folder, "build-id")],
  };
}

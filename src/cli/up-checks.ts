import { violations } from "../cluster/invariants.ts";
import { oneNodeTopology, type MachineFacts, type Topology } from "../cluster/topology.ts";
import type { EffectiveConfig } from "../config/load.ts";
import { HomelabError } from "../core/errors.ts";
import { readJson } from "../host/files.ts";
import { machineFacts, postgresMajors } from "../host/machine.ts";
import { checkPorts, checkSize, chooseMajor } from "../host/preflight.ts";
import { readInstallation } from "../site/installation.ts";
import type { Context } from "./context.ts";

/** Looks the machine over. While packages are missing, there may be no PostgreSQL to choose from yet. */
export async function findMachine(
  { paths }: Pick<Context, "paths">,
  { settings }: EffectiveConfig,
  missing: string[],
): Promise<MachineFacts> {
  const existing = (await readJson<{ major: number }>(paths.bootstrapped).catch(() => undefined))?.major;
  const installed = postgresMajors();
  const major =
    missing.length > 0 ? (existing ?? installed[0] ?? 0) : chooseMajor(settings.postgres.version, installed, existing);
  const found = await machineFacts(major);
  const known = await readInstallation(paths).catch(() => undefined);
  return { ...found, memoryBytes: steadyMemory(known?.machine.memoryBytes, found.memoryBytes) };
}

/** Each boot leaves a few MB more or less: no reason to size PostgreSQL anew, which would restart it. */
function steadyMemory(before: number | undefined, now: number): number {
  return before !== undefined && Math.abs(now - before) < before / 10 ? before : now;
}

/** Everything that can be refused is refused before anything is changed. */
export async function refuseEarly(
  { paths }: Pick<Context, "paths">,
  config: EffectiveConfig,
  machine: MachineFacts,
  fresh: boolean,
): Promise<void> {
  const topology = oneNodeTopology(paths.root, config.settings, machine);
  refuseViolations(topology);
  if (fresh) checkSize(paths.root, machine.memoryBytes);
  await refuseMovedPorts(paths, topology, fresh);
  await checkPorts(paths, topology.ports);
}

/** @throws HomelabError `invariant_violated` with every rule that does not hold */
export function refuseViolations(topology: Topology): void {
  const found = violations(topology);
  if (found.length === 0) return;
  throw new HomelabError("invariant_violated", found.map((violation) => violation.says).join("\n"), {
    hint: found[0]!.hint,
  });
}

/** What members tell one another about themselves is settled at the beginning. */
const SETTLED = ["postgres", "patroni", "etcd_client", "etcd_peer"] as const;

async function refuseMovedPorts(paths: Topology["paths"], topology: Topology, fresh: boolean): Promise<void> {
  if (fresh) return;
  const before = await readInstallation(paths).catch(() => undefined);
  if (!before) return;
  const old = oneNodeTopology(paths.root, before.settings, before.machine);
  const moved = SETTLED.filter((name) => old.ports[name] !== topology.ports[name]);
  if (moved.length === 0 && old.scope === topology.scope) return;
  const what = moved.length > 0 ? `the inner ports (${moved.join(", ")})` : "the cluster's name";
  throw new HomelabError("configuration_invalid", `${what} cannot be changed once the cluster was made`, {
    hint: "Only direct, direct_read_only, pooled, pooled_read_only and haproxy_stats can move.",
  });
}

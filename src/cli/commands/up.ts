import { violations } from "../../cluster/invariants.ts";
import { oneNodeTopology, type MachineFacts, type Topology } from "../../cluster/topology.ts";
import { loadSettings, rememberFlags } from "../settings-files.ts";
import { HomelabError } from "../../core/errors.ts";
import { formatBytes, formatSeconds } from "../../core/units.ts";
import { readJson, exists } from "../../host/files.ts";
import { isRoot, SYSTEM_USER } from "../../host/account.ts";
import { freeBytes, machineFacts, missingPackages, postgresMajors } from "../../host/machine.ts";
import { checkPorts, checkSize, checkSystem, chooseMajor } from "../../host/preflight.ts";
import { openJournal } from "../../journal/open.ts";
import { programIn } from "../../host/program.ts";
import { openSite, readInstallation, writeInstallation } from "../../site/installation.ts";
import type { EffectiveConfig } from "../../config/load.ts";
import { bundleFolder, type Context } from "../context.ts";
import { operate } from "../operate.ts";
import { paint } from "../output.ts";
import { prepareMachine } from "../prepare-machine.ts";

/** What `up` takes beside the global flags. */
export interface UpFlags {
  portOffset?: number;
  listen?: string;
}

/** Sets up what is missing, starts everything, says where things are. */
export async function up(context: Context, flags: UpFlags): Promise<void> {
  const { paths, out } = context;
  const begun = performance.now();
  const missing = await missingPackages();
  checkSystem(missing);
  const config = await loadSettings(context, flags);
  const fresh = !(await exists(paths.bootstrapped));
  const preview = missing.length > 0 ? undefined : await findMachine(context, config);
  if (preview) await refuseEarly(context, config, preview, fresh);
  if (fresh || missing.length > 0) announce(context, config, missing, preview);
  if (context.flags.dryRun && fresh) return;

  const program = context.flags.dryRun ? await programIn(bundleFolder()) : await prepareMachine(context, missing);
  const machine = preview ?? (await findMachine(context, config));
  if (!preview) await refuseEarly(context, config, machine, fresh);
  if (!context.flags.dryRun) await remember(context, config, machine, flags);
  const site = openSite(paths.root, { ...config, machine }, program, process.env);
  try {
    const finished = await operate(context, site, fresh ? "cluster.create" : "cluster.converge", {});
    if (!finished) return;
    const changed = await changedSteps(context, finished.run.id);
    if (context.flags.json) out.json(summary(site.topology, changed));
    else tell(context, site.topology, { fresh, changed, seconds: (performance.now() - begun) / 1000 });
  } finally {
    await site.close();
  }
}

async function findMachine({ paths }: Context, { settings }: EffectiveConfig): Promise<MachineFacts> {
  const existing = (await readJson<{ major: number }>(paths.bootstrapped).catch(() => undefined))?.major;
  return machineFacts(chooseMajor(settings.postgres.version, postgresMajors(), existing));
}

/** Everything that can be refused is refused before anything is changed. */
async function refuseEarly(
  { paths }: Context,
  config: EffectiveConfig,
  machine: MachineFacts,
  fresh: boolean,
): Promise<void> {
  const topology = oneNodeTopology(paths.root, config.settings, machine);
  const found = violations(topology);
  if (found.length > 0) {
    throw new HomelabError("invariant_violated", found.map((violation) => violation.says).join("\n"), {
      hint: found[0]!.hint,
    });
  }
  if (fresh) checkSize(paths.root, machine.memoryBytes);
  await refuseMovedPorts(paths, topology, fresh);
  await checkPorts(paths, topology.ports);
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

/** Says what will be done before it is done. */
function announce(
  context: Context,
  { settings }: EffectiveConfig,
  missing: string[],
  machine: MachineFacts | undefined,
): void {
  const { paths, out, flags } = context;
  if (flags.json) return;
  const offset = settings.network.port_offset;
  const ports = Object.values(settings.network.ports).map((port) => port + offset);
  const listen = Array.isArray(settings.network.listen) ? settings.network.listen.join(", ") : settings.network.listen;
  const where = machine ? oneNodeTopology(paths.root, settings, machine).listen.join(", ") : `${listen} addresses`;
  out.note(paint("bold", "homelab will set up PostgreSQL on this machine:", process.stderr));
  if (missing.length > 0) out.note(`  packages  ${missing.join(" ")} (with apt-get; their own services stay off)`);
  if (isRoot()) out.note(`  user      ${SYSTEM_USER} (engines never run as root)`);
  out.note(`  home      ${paths.root} (${formatBytes(freeBytes(paths.root))} free)`);
  out.note(`  ports     ${ports.slice(0, 4).join(" ")} for apps, on ${where}`);
  out.note(`            ${ports.slice(4).join(" ")} inside the cluster`);
}

/** From here on, every other command goes by what was written here. */
async function remember(
  context: Context,
  config: EffectiveConfig,
  machine: MachineFacts,
  flags: UpFlags,
): Promise<void> {
  await rememberFlags(context, flags);
  const next = { ...config, machine };
  const before = await readInstallation(context.paths).catch(() => undefined);
  if (JSON.stringify(before) !== JSON.stringify(next)) await writeInstallation(context.paths, next);
}

async function changedSteps({ paths }: Context, id: `op_${string}`): Promise<string[]> {
  const journal = openJournal(paths);
  try {
    return (await journal.entries(id)).filter((entry) => entry.event === "done").map((entry) => entry.step);
  } finally {
    await journal.close();
  }
}

const summary = ({ scope, paths, ports, settings, listen }: Topology, changed: string[]) => ({
  cluster: scope,
  home: paths.root,
  host: settings.network.host,
  listen,
  ports,
  ca_certificate: paths.caCertificate,
  changed,
});

function tell({ out }: Context, topology: Topology, how: { fresh: boolean; changed: string[]; seconds: number }): void {
  const { ports, settings, paths, listen } = topology;
  const elsewhere = listen.filter((address) => !address.startsWith("127.") && address !== "::1");
  const head = how.fresh
    ? "Up"
    : how.changed.length === 0
      ? "Up already: nothing to change"
      : `Up: ${how.changed.map((s) => s.replaceAll("-", " ")).join(", ")}`;
  out.note(`${paint("green", head, process.stderr)} (${formatSeconds(how.seconds)})`);
  out.line(`pooled   ${settings.network.host}:${ports.pooled}   for apps`);
  out.line(`direct   ${settings.network.host}:${ports.direct}   for migrations, pg_dump, LISTEN (TLS)`);
  if (elsewhere.length > 0) out.line(`also on  ${elsewhere.join(", ")} (TLS; CA: ${paths.caCertificate})`);
  out.line(`home     ${paths.root}`);
  out.note(`Next: homelab db create <name>   homelab status`);
}

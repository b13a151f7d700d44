import { basename } from "node:path";
import { oneNodeTopology, type MachineFacts, type Topology } from "../../cluster/topology.ts";
import { loadSettings, rememberFlags } from "../settings-files.ts";
import { formatBytes, formatSeconds } from "../../core/units.ts";
import { releaseBallast } from "../../host/ballast.ts";
import { exists } from "../../host/files.ts";
import { isRoot, SYSTEM_USER } from "../../host/account.ts";
import { freeBytes, missingPackages } from "../../host/machine.ts";
import { checkSystem } from "../../host/preflight.ts";
import { systemdRuns } from "../../host/systemd.ts";
import { openJournal } from "../../journal/open.ts";
import { programIn } from "../../host/program.ts";
import { walFolder } from "../../reports/archiving.ts";
import { openSite, readInstallation, writeInstallation } from "../../site/installation.ts";
import { checkSecretVariables } from "../../config/secrets.ts";
import type { EffectiveConfig } from "../../config/load.ts";
import { bundleFolder, type Context } from "../context.ts";
import { openDashboard, readAdminPassword, type Dashboard } from "../first-admin.ts";
import { kitStatus } from "../../site/kit-state.ts";
import { refuseHalfRecovered } from "../../site/recovery-note.ts";
import { operateHere } from "../operate-here.ts";
import { paint } from "../output.ts";
import { prepareMachine } from "../prepare-machine.ts";
import { refuseFlagsWithoutKit } from "../recover-checks.ts";
import { findMachine, refuseEarly, refuseViolations } from "../up-checks.ts";

/** What `up` takes beside the global flags. */
export interface UpFlags {
  portOffset?: number;
  listen?: string;
  recover?: string;
}

/** Sets up what is missing, starts everything, says where things are. */
export async function up(context: Context, flags: UpFlags): Promise<void> {
  const { paths, out } = context;
  if (flags.recover !== undefined)
    return (await import("./recover.ts")).recover(context, { ...flags, recover: flags.recover });
  refuseFlagsWithoutKit(flags);
  const begun = performance.now();
  await refuseHalfRecovered(paths);
  const password = await readAdminPassword(process.env);
  const missing = await missingPackages();
  checkSystem(missing);
  const config = await loadSettings(context, flags);
  const fresh = !(await exists(paths.bootstrapped));
  if (fresh) checkSecretVariables(process.env);
  const before = await findMachine(context, config, missing);
  await refuseEarly(context, config, before, fresh);
  if (fresh || missing.length > 0) announce(context, oneNodeTopology(paths.root, config.settings, before), missing);
  if (context.flags.dryRun && fresh) return;

  const boots = isRoot() && systemdRuns();
  const program = context.flags.dryRun ? await programIn(bundleFolder()) : await prepareMachine(context, missing);
  const machine = missing.length > 0 ? await findMachine(context, config, []) : before;
  // Only now are the versions of fresh packages known.
  if (missing.length > 0) refuseViolations(oneNodeTopology(paths.root, config.settings, machine));
  if (!context.flags.dryRun) {
    // First of all: on a full disk nothing below could be written.
    await makeRoom(context, oneNodeTopology(paths.root, config.settings, machine));
    await remember(context, config, machine, flags);
  }
  const site = openSite(paths.root, { ...config, machine }, program, process.env);
  try {
    const finished = await operateHere(context, site, fresh ? "cluster.create" : "cluster.converge", {});
    if (!finished) return;
    const changed = await changedSteps(context, finished.run.id);
    const dashboard = await openDashboard(context, site.topology, { fresh, password });
    const seconds = (performance.now() - begun) / 1000;
    if (context.flags.json) out.json({ ...summary(site.topology, changed), dashboard });
    else {
      tell(context, site.topology, { fresh, changed, seconds, boots, dashboard });
      await remindOfKit(context);
    }
  } finally {
    await site.close();
  }
}

/** PostgreSQL that stopped on a full disk gets the space that was put by for it. */
async function makeRoom({ out }: Context, topology: Topology): Promise<void> {
  const bytes = await releaseBallast(walFolder(topology));
  if (bytes > 0)
    out.note(
      `The disk of the WAL is full: ${formatBytes(bytes)} that were put by for that are free now. Free more soon.`,
    );
}

/** Says what will be done before it is done. */
function announce({ paths, out, flags }: Context, { ports, listen }: Topology, missing: string[]): void {
  if (flags.json) return;
  const { hub, ...others } = ports;
  const numbers = Object.values(others);
  out.note(paint("bold", "homelab will set up PostgreSQL on this machine:", process.stderr));
  if (missing.length > 0) out.note(`  packages  ${missing.join(" ")} (with apt-get; their own services stay off)`);
  if (isRoot()) out.note(`  user      ${SYSTEM_USER} (engines never run as root)`);
  out.note(`  home      ${paths.root} (${formatBytes(freeBytes(paths.root))} free)`);
  out.note(`  ports     ${numbers.slice(0, 4).join(" ")} for apps, ${hub} for the API, on ${listen.join(", ")}`);
  out.note(`            ${numbers.slice(4).join(" ")} inside the cluster`);
}

/** From here on, every other command goes by what was written here. */
export async function remember(
  context: Context,
  config: EffectiveConfig,
  machine: MachineFacts,
  flags: UpFlags,
): Promise<void> {
  await rememberFlags(context, flags);
  const next = { ...config, origins: keptOrigins(context, config), machine };
  const before = await readInstallation(context.paths).catch(() => undefined);
  if (JSON.stringify(before) !== JSON.stringify(next)) await writeInstallation(context.paths, next);
}

/** A flag is in the home's file from now on, and the next `up` will find it there: nothing has changed then. */
function keptOrigins({ paths }: Context, { origins }: EffectiveConfig): EffectiveConfig["origins"] {
  const kept = basename(paths.settings);
  const named = Object.entries(origins).map(([path, origin]) => [path, origin === "flag" ? kept : origin] as const);
  return Object.fromEntries(named.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

async function changedSteps({ paths }: Context, id: `op_${string}`): Promise<string[]> {
  const journal = openJournal(paths);
  try {
    return (await journal.entries(id)).filter((entry) => entry.event === "done").map((entry) => entry.step);
  } finally {
    await journal.close();
  }
}

/** A lost machine is had back by a repository and a kit, and the second is easily forgotten. */
async function remindOfKit({ paths, out }: Context): Promise<void> {
  const { made_at, reason } = await kitStatus(paths);
  if (made_at === null) out.note("No recovery kit yet: homelab platform kit");
  else if (reason) out.note(`${reason.charAt(0).toUpperCase()}${reason.slice(1)}: homelab platform kit`);
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

function tell(
  { out }: Context,
  topology: Topology,
  how: { fresh: boolean; changed: string[]; seconds: number; boots: boolean; dashboard: Dashboard },
): void {
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
  out.line(`hub      ${how.dashboard.url}   API; its documents: /api/docs`);
  if (how.dashboard.needsAdmin)
    out.note("There is no admin yet: homelab user setup-link makes a link for the first one.");
  if (how.dashboard.link) out.line(`setup    ${how.dashboard.link}   makes the first admin: once, within a day`);
  if (how.dashboard.madeAdmin) out.note("The user admin has the password of the file.");
  if (how.fresh) out.note(how.boots ? "It starts again with the machine (systemd)." : "After a reboot: homelab up");
  out.note(`Next: homelab db create <name>   homelab status`);
}

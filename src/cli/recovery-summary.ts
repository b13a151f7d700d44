import type { Topology } from "../cluster/topology.ts";
import { errorMessage } from "../core/errors.ts";
import { formatBytes, formatSeconds } from "../core/units.ts";
import type { RecoveryChoice } from "../operations/cluster/recover/choose-backup.ts";
import type { ProvenLogins } from "../operations/cluster/recover/prove-logins.ts";
import type { Replayed } from "../operations/cluster/recover/replay-wal.ts";
import type { Context } from "./context.ts";
import { openDashboard } from "./first-admin.ts";
import { operate } from "./operate.ts";
import { paint } from "./output.ts";

/** What a recovery answers. */
export interface RecoveryResult {
  backup: RecoveryChoice | null;
  replayed: Replayed | null;
  logins: ProvenLogins | null;
}

type Summary = Awaited<ReturnType<typeof summary>>;

/** Makes the first backup of the new timeline, and says what is there again. `begun`: milliseconds since the epoch. */
export async function finishRecovery(
  context: Context,
  topology: Topology,
  { result, begun }: { result: RecoveryResult; begun: number },
): Promise<void> {
  const told = await summary(context, topology, { result, begun });
  if (context.flags.json) context.out.json(told);
  else tell(context, told);
}

async function summary(
  context: Context,
  topology: Topology,
  { result: { backup, replayed, logins }, begun }: { result: RecoveryResult; begun: number },
) {
  const { url } = await openDashboard(context, topology, { fresh: false, password: undefined });
  const seconds = Math.round((Date.now() - begun) / 100) / 10;
  const last = replayed?.last_transaction_at ?? null;
  return {
    cluster: topology.scope,
    home: topology.paths.root,
    seconds,
    bytes: backup?.database_bytes ?? null,
    backup: backup?.label ?? null,
    repository: backup?.repository ?? null,
    segments: replayed?.segments ?? null,
    last_transaction_at: last,
    /** Seconds from there to the beginning of the recovery: what is lost is younger. */
    age_seconds: last === null ? null : Math.max(0, Math.round((begun - Date.parse(last)) / 1000)),
    databases: logins?.databases ?? null,
    logins_unknown: logins?.unknown ?? [],
    ...(await firstBackup(context)),
    dashboard: url,
    ports: topology.ports,
  };
}

/** A new timeline wants a backup of its own soon. Without one, the recovery is done all the same. */
async function firstBackup(
  context: Context,
): Promise<{ first_backup: string | null; first_backup_trouble: string | null }> {
  try {
    const end = await operate(context, "backup.create", { type: "incr", note: "after the recovery" });
    const made = (end?.result as { backups?: { label: string }[] } | null)?.backups?.[0];
    return { first_backup: made?.label ?? null, first_backup_trouble: null };
  } catch (error) {
    return { first_backup: null, first_backup_trouble: errorMessage(error) };
  }
}

function tell({ out }: Context, told: Summary): void {
  out.note(`${paint("green", `Recovered ${told.cluster}`, process.stderr)} in ${formatSeconds(told.seconds)}`);
  const size = told.bytes === null ? "" : `, ${formatBytes(told.bytes)}`;
  out.line(`from     ${told.backup} of ${told.repository}${size}, and ${told.segments} segments of WAL`);
  if (told.last_transaction_at !== null)
    out.line(`up to    ${told.last_transaction_at}, ${formatSeconds(told.age_seconds ?? 0)} before the recovery began`);
  const databases = told.databases === 1 ? "1 database" : `${told.databases} databases`;
  out.line(`there    ${databases}, with all roles and passwords; users and keys`);
  out.line(`home     ${told.home}`);
  out.line(`hub      ${told.dashboard}`);
  if (told.first_backup !== null) out.line(`backup   ${told.first_backup}, the first on the new timeline`);
  else out.note(`The first backup was not made: ${told.first_backup_trouble}. homelab db backup makes it.`);
  if (told.logins_unknown.length > 0)
    out.note(
      `The kit knew no password of ${told.logins_unknown.join(", ")}: apps go on with theirs, homelab db rotate gives a new one.`,
    );
  out.note("The old machine must not come back: it would archive into the same repository.");
}

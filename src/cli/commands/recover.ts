import type { EffectiveConfig } from "../../config/load.ts";
import type { Storage } from "../../config/storage.ts";
import { HomelabError } from "../../core/errors.ts";
import { parseMoment } from "../../core/moment.ts";
import { formatBytes } from "../../core/units.ts";
import { missingPackages } from "../../host/machine.ts";
import { checkSystem } from "../../host/preflight.ts";
import { openJournal } from "../../journal/open.ts";
import { chooseRecovery, refuseLiving, type RecoveryChoice } from "../../operations/cluster/recover/choose-backup.ts";
import type { RecoverInput } from "../../operations/cluster/recover/input.ts";
import { openSite } from "../../site/installation.ts";
import { storageFromKit, withKitRepositories } from "../../site/kit-repositories.ts";
import type { RecoveryKit } from "../../site/recovery-kit.ts";
import { readRecovery } from "../../site/recovery-note.ts";
import type { Site } from "../../site/site.ts";
import { unpackKit } from "../../site/unpack-kit.ts";
import type { Context } from "../context.ts";
import type { PassphraseFlags } from "../kit-passphrase.ts";
import { operateHere } from "../operate-here.ts";
import { paint } from "../output.ts";
import { prepareMachine } from "../prepare-machine.ts";
import { refuseClosed, refuseOccupied, refuseRunning } from "../recover-checks.ts";
import { finishRecovery, type RecoveryResult } from "../recovery-summary.ts";
import { loadSettings, type SettingFlags } from "../settings-files.ts";
import { findMachine, refuseEarly } from "../up-checks.ts";
import { readKit } from "./platform.ts";
import { remember } from "./up.ts";

/** What `up --recover` takes beside the global flags. */
export interface RecoverFlags extends SettingFlags, PassphraseFlags {
  recover: string;
  to?: string;
  force?: boolean;
  repositoryPath?: string;
}

/** What there is to recover from. */
interface Remains {
  kit: RecoveryKit;
  storage: Storage;
  input: RecoverInput;
}

/** Brings a lost installation back under an empty home. Asked again after whatever broke it off, it goes on. */
export async function recover(context: Context, flags: RecoverFlags): Promise<void> {
  const { paths } = context;
  const begun = Date.now();
  const input = { to: momentOf(flags.to) };
  const kit = await readKit(flags.recover, flags);
  const missing = await missingPackages();
  checkSystem(missing);
  const isResumed = (await readRecovery(paths).catch(() => undefined))?.kit_id === kit.id;
  if (!isResumed) await refuseOccupied(paths);
  await refuseRunning(kit);
  const storage = await storageFromKit(kit, { repositoryPath: flags.repositoryPath, root: paths.root });
  const remains = { kit, storage, input };
  // What was begun has its backup chosen, and may be archiving by now.
  const mayLook = missing.length === 0 && !isResumed;
  if (mayLook) announce(context, kit, await look(context, flags, remains));
  if (context.flags.dryRun) return;

  const program = await prepareMachine(context, missing);
  // Only now there is a pgBackRest that could look.
  if (!mayLook && !isResumed) announce(context, kit, await look(context, flags, remains));
  await refuseClosed(storage);
  await unpackKit(paths, kit, storage);
  const config = await loadSettings(context, flags);
  const machine = await findMachine(context, ofMajor(config, kit), []);
  await remember(context, config, machine, flags);
  // No variable of this shell replaces a secret of the kit.
  const site = openSite(paths.root, { ...config, machine }, program, {});
  try {
    const result = await runOrJoin(context, site, input);
    if (result) await finishRecovery(context, site.topology, { result, begun });
  } finally {
    await site.close();
  }
}

/** A moment as a person writes one. @throws HomelabError `usage` */
function momentOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const moment = parseMoment(text);
  if (moment !== undefined) return moment;
  throw new HomelabError("usage", `--to ${text}: expected a moment`, {
    hint: 'Such as 2026-11-20T14:31:07Z, or "2026-11-20 14:31:07" in local time.',
  });
}

/** Finds what will be restored, by the kit alone: everything that can be refused is refused before anything is changed. */
async function look(context: Context, flags: RecoverFlags, { kit, storage, input }: Remains): Promise<RecoveryChoice> {
  const { settings, origins } = kit;
  const network = { ...settings.network, port_offset: flags.portOffset ?? settings.network.port_offset };
  const config = ofMajor({ settings: { ...settings, network }, origins }, kit);
  const machine = await findMachine(context, config, []);
  await refuseEarly(context, config, machine, true);
  return withKitRepositories(kit, { machine, storage }, async (site) => {
    const choice = await chooseRecovery(site, input);
    if (!flags.force) await refuseLiving(site);
    return choice;
  });
}

/** The data stays with the major version that wrote it. */
const ofMajor = ({ settings, origins }: EffectiveConfig, { cluster }: RecoveryKit): EffectiveConfig => ({
  settings: { ...settings, postgres: { ...settings.postgres, version: cluster.major } },
  origins,
});

function announce({ out, flags, paths }: Context, kit: RecoveryKit, choice: RecoveryChoice): void {
  if (flags.json && flags.dryRun) out.json({ kit_made_at: kit.made_at, ...choice });
  if (flags.json) return;
  out.note(paint("bold", `homelab will recover ${kit.settings.name}, lost with ${kit.home}:`, process.stderr));
  out.note(`  kit       made ${kit.made_at}, with the logins of ${Object.keys(kit.credentials).length} databases`);
  out.note(`  backup    ${choice.label} of ${choice.repository}, ${formatBytes(choice.database_bytes)}`);
  out.note(`  up to     ${choice.to ?? `the last WAL that was archived, ${choice.last_archived_at}`}`);
  out.note(`  home      ${paths.root}`);
}

/** Begins the run, or goes on with one that was broken off; undefined when it was left running. */
async function runOrJoin(context: Context, site: Site, input: RecoverInput): Promise<RecoveryResult | undefined> {
  const journal = openJournal(context.paths);
  const [latest] = await journal.list({ operation: "cluster.recover", limit: 1 });
  await journal.close();
  if (latest?.state === "completed") {
    // The hub was quicker and has finished it, or the power went afterwards: what is left is what any `up` does.
    await operateHere(context, site, "cluster.converge", {});
    return latest.result as unknown as RecoveryResult;
  }
  const asked = latest?.state === "running" ? latest.input : input;
  return (await operateHere(context, site, "cluster.recover", asked))?.result as unknown as RecoveryResult | undefined;
}

import { access, constants } from "node:fs/promises";
import type { Storage } from "../config/storage.ts";
import { homePaths, type HomePaths } from "../cluster/home.ts";
import { HomelabError } from "../core/errors.ts";
import { readAgent } from "../host/agent-process.ts";
import { exists } from "../host/files.ts";
import type { RecoveryKit } from "../site/recovery-kit.ts";
import { readRecovery } from "../site/recovery-note.ts";

/** Flags of `up` that say nothing without a kit. */
const WITH_KIT = {
  passphraseFile: "--passphrase-file",
  to: "--to",
  repositoryPath: "--repository-path",
  force: "--force",
};

/** Whoever gives one of them means a recovery, and must not get a new cluster. @throws HomelabError `usage` */
export function refuseFlagsWithoutKit(flags: object): void {
  const [stray] = Object.entries(WITH_KIT).filter(([name]) => name in flags);
  if (stray) throw new HomelabError("usage", `${stray[1]} goes with --recover KIT`);
}

/** Nothing is restored over anything (faults F73). @throws HomelabError `restore_refused` */
export async function refuseOccupied(paths: HomePaths): Promise<void> {
  const ours = [paths.bootstrapped, paths.secrets, paths.postgresData, paths.etcdData];
  const found = await Promise.all(ours.map(exists));
  if (!found.includes(true)) return;
  throw new HomelabError("restore_refused", `there is an installation under ${paths.root} already`, {
    hint: "Recover under another --home, or move this one away.",
  });
}

/**
 * Whatever was said with --force: an installation that lives on this very machine is not lost.
 * @throws HomelabError `restore_refused`
 */
export async function refuseRunning(kit: RecoveryKit): Promise<void> {
  const old = homePaths(kit.home);
  if (!(await readAgent(old).catch(() => undefined))?.alive) return;
  // The recovery itself, under the same path, and gone on with.
  if ((await readRecovery(old).catch(() => undefined))?.kit_id === kit.id) return;
  throw new HomelabError("restore_refused", `the installation of this kit runs on this machine, under ${kit.home}`, {
    hint: `Two of them must not archive into one repository: homelab --home ${kit.home} down, if it is to be given up.`,
  });
}

/** The repository's disk may come from a machine whose users had other numbers. @throws HomelabError `not_allowed` */
export async function refuseClosed({ repositories }: Storage): Promise<void> {
  for (const each of repositories) {
    if (each.type !== "disk" || !(await exists(each.path))) continue;
    await access(each.path, constants.R_OK | constants.W_OK | constants.X_OK).catch((cause: unknown) => {
      throw new HomelabError("not_allowed", `${each.path} belongs to another user, and must be the home's owner's`, {
        hint: `chown -R homelab:homelab ${each.path}`,
        cause,
      });
    });
  }
}

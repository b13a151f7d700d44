import type { Json } from "../../../core/json.ts";
import { HomelabError } from "../../../core/errors.ts";
import { formatSeconds } from "../../../core/units.ts";
import type { Window } from "../../../engines/pgbackrest/coverage.ts";
import { placeOf } from "../../../engines/pgbackrest/wal.ts";
import { readCatalogue, type RepositoryCatalogue } from "../../../site/backup-catalogue.ts";
import type { Site } from "../../../site/site.ts";
import type { Step } from "../../operation.ts";
import type { RecoverInput } from "./input.ts";

/** From what a lost installation is had back, and how far. */
export interface RecoveryChoice {
  [key: string]: Json;
  repository: string;
  /** pgBackRest's number of it. */
  number: number;
  label: string;
  database_bytes: number;
  wal_start: string | null;
  /** The one that the archive has last. */
  timeline: number;
  /** Replay ends there; null: at the end of what was archived. */
  to: string | null;
  /** The last segment that can be reached, and when it came. */
  last_segment: string;
  last_archived_at: string;
}

/** Milliseconds for which a repository must have been silent: who writes to it may be the old machine. */
const SILENCE = 300_000;

interface Reach {
  catalogue: RepositoryCatalogue;
  window: Window;
}

/**
 * The newest backup that is whole, of the repository that reaches farthest.
 * @throws HomelabError `restore_refused` when there is none, or WAL is missing behind it; `target_outside_window`
 */
export async function chooseRecovery(site: Site, { to }: RecoverInput, signal?: AbortSignal): Promise<RecoveryChoice> {
  const catalogues = await readCatalogue(site, signal);
  const { catalogue, window } = farthest(catalogues, to);
  if (!to) refuseGap(catalogue, window);
  const inWindow = catalogue.backups.filter(({ label }) => window.labels.includes(label));
  const backup = inWindow.findLast(({ stoppedAt }) => !to || Date.parse(stoppedAt) <= Date.parse(to))!;
  const last = catalogue.coverage.lastSegment!;
  return {
    repository: catalogue.repository.name,
    number: catalogue.repository.number,
    label: backup.label,
    database_bytes: backup.databaseBytes,
    wal_start: backup.walStart,
    timeline: placeOf(last.name).timeline,
    to: to ?? null,
    last_segment: last.name,
    last_archived_at: new Date(last.at).toISOString(),
  };
}

function farthest(catalogues: RepositoryCatalogue[], to: string | undefined): Reach {
  const reaches = catalogues.flatMap((catalogue) =>
    catalogue.coverage.windows.map((window) => ({ catalogue, window })),
  );
  if (reaches.length === 0)
    throw new HomelabError(
      "restore_refused",
      `no repository has a backup that can be restored: ${troubles(catalogues)}`,
      {
        hint: "If the repository's disk is elsewhere now: --repository-path DIR",
      },
    );
  const at = to === undefined ? undefined : Date.parse(to);
  const holds = ({ window: { from, to: end } }: Reach) => at! >= Date.parse(from) && at! <= Date.parse(end);
  const fitting = at === undefined ? reaches : reaches.filter(holds);
  // The sort is stable: of equals, the repository with the lower number.
  const best = fitting.toSorted((a, b) => b.window.to.localeCompare(a.window.to))[0];
  if (best) return best;
  const windows = reaches.map(
    ({ catalogue, window }) => `${catalogue.repository.name}: ${window.from} to ${window.to}`,
  );
  throw new HomelabError("target_outside_window", `${to} cannot be had back; there is ${windows.join("; ")}`, {
    hint: "Without --to, everything is had back that was archived.",
  });
}

const troubles = (catalogues: RepositoryCatalogue[]): string =>
  catalogues
    .map(({ repository, trouble, coverage }) => {
      const [reason] = coverage.unusable.values();
      return `${repository.name}: ${trouble ?? reason ?? "it has no backup"}`;
    })
    .join("; ");

/** PostgreSQL takes missing WAL for the end of it, starts, and says nothing (faults F61). */
function refuseGap({ repository, coverage }: RepositoryCatalogue, window: Window): void {
  const gap = coverage.gaps.find(({ after, before }) => before !== null && after >= window.to);
  if (!gap) return;
  throw new HomelabError(
    "restore_refused",
    `${repository.name} lacks WAL from ${gap.first} on: nothing of what came after ${window.to} can be had back`,
    { hint: `To have back what was before: --to ${window.to}` },
  );
}

/**
 * Two clusters that archive into one repository spoil it for both, and pgBackRest cannot tell them apart: their system
 * identifier is the same. @throws HomelabError `restore_refused`
 */
export async function refuseLiving(site: Site, signal?: AbortSignal): Promise<void> {
  const catalogues = await readCatalogue(site, signal);
  const newest = Math.max(...catalogues.map(({ coverage }) => coverage.lastSegment?.at ?? 0));
  const age = site.clock.now() - newest;
  if (age > SILENCE) return;
  throw new HomelabError(
    "restore_refused",
    `the last WAL came into the repository ${formatSeconds(Math.max(0, age) / 1000)} ago: the old machine may still be running`,
    { hint: `Switch it off for good. Then wait ${formatSeconds(SILENCE / 1000)}, or say --force.` },
  );
}

/** Once chosen, it stays: what was restored of one backup is no use for another. */
export const chooseBackup: Step<RecoverInput> = {
  name: "choose-backup",
  plan: ({ input }) => `choose the newest backup that is whole${input.to ? ` and was made before ${input.to}` : ""}`,
  async run({ site, input, signal }) {
    const choice = await chooseRecovery(site, input, signal);
    return { says: `${choice.label} of ${choice.repository}`, output: choice };
  },
  deadline: 300,
};

import { nextMoment, OFF } from "../config/schedule.ts";
import { noteOf } from "../engines/pgbackrest/annotations.ts";
import type { BackupType } from "../engines/pgbackrest/info.ts";
import type { Journal } from "../journal/journal.ts";
import { goodBackups, type RepositoryCatalogue } from "../site/backup-catalogue.ts";
import type { Site } from "../site/site.ts";
import { dueBackup, retryAt, schedulesOf } from "../site/timetable.ts";

/** What the timetable starts. */
type TimetableWork = BackupType | "check" | "proof";

/** One row of the timetable. */
interface TimetableRow {
  work: TimetableWork;
  /** Five fields as in crontab(5), or off. */
  schedule: string;
  next_at: string | null;
  /** When it was last done well: backups and proofs by the repositories, checks by the journal. */
  last_at: string | null;
}

/** When what is done by itself. */
export interface Timetable {
  /** In which the schedules are meant: the machine's own. */
  time_zone: string;
  rows: TimetableRow[];
  /** A backup that is due now, with the reason, and from when on it is begun. */
  due: { type: string; why: string; not_before: string | null } | null;
}

const iso = (at: number | undefined): string | null => (at === undefined ? null : new Date(at).toISOString());

const newestOf = (moments: string[]): string | null => moments.sort().at(-1) ?? null;

/** Works the timetable out of settings, repositories and journal. */
export async function timetable(
  { topology, clock }: Pick<Site, "topology" | "clock">,
  journal: Pick<Journal, "list">,
  catalogues: RepositoryCatalogue[],
): Promise<Timetable> {
  const { settings } = topology;
  const now = clock.now();
  const schedules = schedulesOf(settings);
  const good = catalogues.flatMap(goodBackups);
  const last = (type: BackupType) => newestOf(good.filter((each) => each.type === type).map((each) => each.stoppedAt));
  const [checked] = await journal.list({ operation: "backup.check", state: "completed", limit: 1 });
  const proofs = good.map((each) => noteOf(each, "proven")).filter((at) => at !== undefined);
  const row = (work: TimetableWork, schedule: string, last_at: string | null): TimetableRow => ({
    ...{ work, schedule, last_at },
    next_at: schedule === OFF ? null : iso(nextMoment(schedule, now)),
  });
  const due = dueBackup(catalogues, schedules, now);
  const notBefore = due && retryAt("backup.create", await journal.list({ operation: "backup.create", limit: 20 }));
  return {
    time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    rows: [
      ...(["full", "diff", "incr"] as const).map((type) => row(type, schedules[type], last(type))),
      row("check", settings.backup.schedule_check, checked?.finishedAt ?? null),
      row("proof", settings.backup.schedule_proof, newestOf(proofs)),
    ],
    due: due ? { type: due.type, why: due.why, not_before: notBefore ? iso(notBefore) : null } : null,
  };
}

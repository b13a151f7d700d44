import { hasPassed } from "../../config/schedule.ts";
import type { StoredDump } from "../../site/dump-store.ts";

/** Those that have had their day: of each database the newest stay, and one at the least. */
export function dumpsToRemove(dumps: StoredDump[], keep: number): StoredDump[] {
  const newest = dumps.toSorted((a, b) => b.id.localeCompare(a.id));
  return newest.slice(Math.max(1, keep));
}

/** What the timetable knows. */
interface Timetable {
  /** Five fields as in crontab(5), or `off`. */
  schedule: string;
  databases: string[];
  /** Newer or older, of any database. */
  dumps: Pick<StoredDump, "database" | "made_at">[];
  /** Milliseconds since the epoch. */
  now: number;
}

/** The databases of which a dump is due: none was made since the schedule's last moment. A missed moment is caught up. */
export function dueDumps({ schedule, databases, dumps, now }: Timetable): string[] {
  const made = new Map<string, number>();
  for (const { database, made_at } of dumps) made.set(database, Math.max(made.get(database) ?? 0, Date.parse(made_at)));
  return databases.filter((name) => hasPassed(schedule, made.get(name) ?? 0, now));
}

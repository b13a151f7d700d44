import type { HomePaths } from "../cluster/home.ts";
import { systemClock } from "../core/clock.ts";
import { identify, isAlive } from "../host/processes.ts";
import { openFileJournal } from "./file.ts";
import type { LocalJournal } from "./journal.ts";

/** The journal of a home, with this process as the holder of what it runs. */
export function openJournal(paths: HomePaths): LocalJournal {
  const { pid, startTicks, bootId } = identify(process.pid)!;
  return openFileJournal({
    path: paths.journal,
    clock: systemClock,
    holder: { pid, startTicks, bootId },
    isAlive: (holder) => isAlive({ ...holder, startedAt: "" }),
  });
}

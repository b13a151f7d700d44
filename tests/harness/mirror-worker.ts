import { systemClock } from "../../src/core/clock.ts";
import { identify, isAlive } from "../../src/host/processes.ts";
import { openFileJournal } from "../../src/journal/file.ts";
import { MirroredJournal } from "../../src/journal/mirrored.ts";
import { openPlatformJournal } from "../../src/journal/platform.ts";
import { PlatformDatabase } from "../../src/store/database.ts";

/** Brings everything of a home to the platform database, as one of several processes that do so at once. */
if (import.meta.main) {
  const { connection, path } = JSON.parse(process.argv[2]!) as { connection: object; path: string };
  const { pid, startTicks, bootId } = identify(process.pid)!;
  const common = {
    ...{ clock: systemClock, holder: { pid, startTicks, bootId } },
    isAlive: (holder: { pid: number; startTicks: string; bootId: string }) => isAlive({ ...holder, startedAt: "" }),
  };
  const database = new PlatformDatabase({ connect: async () => connection });
  const journal = new MirroredJournal({
    local: openFileJournal({ ...common, path }),
    shared: openPlatformJournal({ ...common, database }),
    leadership: { isLeader: false },
  });
  await journal.sync();
  await journal.close();
  await database.close();
}

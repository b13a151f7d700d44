import { join } from "node:path";
import { waitUntil } from "../../../core/clock.ts";
import { lastLogLine } from "../../../engines/logs.ts";
import { isPrimary } from "../../../engines/patroni/client.ts";
import { exists, readJson, remove, writeAtomic } from "../../../host/files.ts";
import type { Step, StepContext } from "../../operation.ts";
import { noteMembers } from "../../steps/bootstrap-postgres.ts";
import type { RecoverInput } from "./input.ts";
import type { Replayed } from "./replay-wal.ts";
import { replayedPath } from "./restore-files.ts";

/** Patroni would take the lost machine's settings from the data before it looks at its own; etcd is new, and has none. */
async function handOver({ site }: StepContext<RecoverInput>): Promise<void> {
  const { topology } = site;
  const { postgresData, bootstrapped } = topology.paths;
  await remove(join(postgresData, "patroni.dynamic.json"));
  const { system_identifier } = (await readJson<Replayed>(replayedPath(topology)))!;
  const mark = { system_identifier, major: topology.versions.postgresql[0] ?? null };
  await writeAtomic(bootstrapped, `${JSON.stringify(mark)}\n`);
}

/** From the mark on, the agent starts Patroni, which takes a data directory over that was ended cleanly. */
export const handToPatroni: Step<RecoverInput> = {
  name: "hand-to-patroni",
  plan: () => "let Patroni start and promote what was recovered",
  check: async ({ site }) => (await exists(site.topology.paths.bootstrapped)) && (await isPrimary(site.topology)),
  async run(context) {
    const { topology } = context.site;
    if (!(await exists(topology.paths.bootstrapped))) await handOver(context);
    await waitUntil(() => isPrimary(topology), {
      timeout: 110,
      signal: context.signal,
      every: 50,
      what: "PostgreSQL is primary again",
      why: () => lastLogLine(topology.paths, "patroni"),
    });
    await noteMembers(context);
    return { says: "PostgreSQL is primary" };
  },
  barrier: true,
  deadline: 120,
};

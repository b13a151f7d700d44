import { waitUntil } from "../../core/clock.ts";
import { HomelabError } from "../../core/errors.ts";
import { etcdDeletePrefix } from "../../engines/etcd/client.ts";
import { lastLogLine } from "../../engines/logs.ts";
import { isPrimary, patchConfiguration, patroniMember } from "../../engines/patroni/client.ts";
import { patroniKey } from "../../engines/patroni/config.ts";
import { patroniProcess } from "../../engines/patroni/process.ts";
import { exists, remove, writeAtomic } from "../../host/files.ts";
import { findProcess, killProcessesNaming, notePid, stopProcess } from "../../host/processes.ts";
import type { Step, StepContext } from "../operation.ts";

/**
 * Begins from nothing: what an interrupted bootstrap left can start and be broken all the same, so it is removed. The
 * agent then starts Patroni, for as long as this very process lives to watch over it.
 */
async function startAfresh({ site, signal }: StepContext<unknown>): Promise<void> {
  const { topology } = site;
  const { run, postgresData } = topology.paths;
  const spec = patroniProcess(topology);
  await remove(spec.orWhile!);
  await stopProcess(run, spec.name, { signal: "SIGKILL", grace: 0 });
  // initdb and its children too, which have no pid file yet.
  await killProcessesNaming(postgresData);
  await remove(postgresData);
  await etcdDeletePrefix(topology, patroniKey(topology, ""));
  await notePid(spec.orWhile!, process.pid);
  const isStarted = async () => (await findProcess(run, spec.name)) !== undefined;
  await waitUntil(isStarted, { timeout: 30, every: 30, signal, what: "the agent starts Patroni" });
}

async function waitForPrimary({ site, signal }: StepContext<unknown>): Promise<void> {
  const { topology } = site;
  // After a power cut behind the mark, the agent starts it only once etcd answers: not there yet is not gone.
  let seen = false;
  await waitUntil(
    async () => {
      if (await isPrimary(topology)) return true;
      const runs = (await findProcess(topology.paths.run, "patroni")) !== undefined;
      seen ||= runs;
      if (seen && !runs) {
        throw new HomelabError(
          "step_failed",
          `Patroni ended while it set up PostgreSQL. ${(await lastLogLine(topology.paths, "patroni")) ?? ""}`,
        );
      }
      return false;
    },
    {
      timeout: 110,
      signal,
      every: 30,
      what: "PostgreSQL is set up and primary",
      why: () => lastLogLine(topology.paths, "patroni"),
    },
  );
}

/**
 * Has Patroni take its next turn now, in which it writes who the members are. Until then failsafe mode has nothing to go
 * by, and an etcd that dies takes the primary with it (measured: demoted in the first two seconds).
 */
export async function noteMembers({ site, signal }: StepContext<unknown>): Promise<void> {
  const secrets = await site.secrets();
  const wake = () => patchConfiguration(site.topology, secrets, { failsafe_mode: true });
  const isTaken = () =>
    wake().then(
      () => true,
      () => false,
    );
  await waitUntil(isTaken, { timeout: 10, signal, what: "Patroni takes settings" });
}

/**
 * initdb through Patroni. The mark that it went through whole is written last; before that, nothing of it is trusted,
 * and nobody has been given a database yet.
 */
export const bootstrapPostgresStep: Step<unknown> = {
  name: "bootstrap-postgres",
  plan: ({ site }) =>
    `initialise PostgreSQL ${site.topology.versions.postgresql[0]} under ${site.topology.paths.postgresData}`,
  check: async ({ site }) => (await exists(site.topology.paths.bootstrapped)) && (await isPrimary(site.topology)),
  async run(context) {
    const { topology } = context.site;
    const { orWhile } = patroniProcess(topology);
    try {
      if (!(await exists(topology.paths.bootstrapped)) && !(await isPrimary(topology))) await startAfresh(context);
      await waitForPrimary(context);
    } finally {
      await remove(orWhile!);
    }
    await noteMembers(context);
    const member = await patroniMember(topology);
    const mark = {
      system_identifier: member.database_system_identifier ?? null,
      major: topology.versions.postgresql[0] ?? null,
    };
    await writeAtomic(topology.paths.bootstrapped, `${JSON.stringify(mark)}\n`);
    return { says: `PostgreSQL ${topology.versions.postgresql.join(".")} is primary`, output: mark };
  },
  barrier: true,
  deadline: 120,
};

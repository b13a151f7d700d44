import { z } from "zod";
import { waitUntil } from "../../core/clock.ts";
import { lastLogLine } from "../../engines/logs.ts";
import { restartPostgres } from "../../engines/patroni/client.ts";
import { postmasterStart } from "../../engines/postgres/postmaster.ts";
import { nodeServices } from "../../site/node-services.ts";
import { certificateFiles } from "../../engines/tls.ts";
import { isReady } from "../../host/probe.ts";
import { findProcess, stopProcess, type ProcessSpec } from "../../host/processes.ts";
import type { Operation, Step, StepContext } from "../operation.ts";
import { poolsPaused } from "../steps/pools-paused.ts";
import { startAgentStep } from "../steps/start-agent.ts";

const services = ["hub", "etcd", "patroni", "postgres", "haproxy", "pgbouncer", "pgbouncer-ro"] as const;

interface RestartInput {
  service: (typeof services)[number];
}

type Context = StepContext<RestartInput>;
type Noted = { was: string | null };

/** What tells this process from the next one: pid and start for a service, the start of the postmaster for PostgreSQL. */
async function instance({ input, site }: Context): Promise<string | null> {
  const { paths } = site.topology;
  if (input.service === "postgres") return (await postmasterStart(paths.postgresData)) ?? null;
  const found = await findProcess(paths.run, input.service);
  return found ? `${found.pid}/${found.startTicks}` : null;
}

const specOf = ({ input, site }: Context): ProcessSpec =>
  nodeServices(site).find((spec) => spec.name === (input.service === "postgres" ? "patroni" : input.service))!;

const isNew = async (context: Context): Promise<boolean> => {
  const noted = context.output<Noted>("note-process");
  const now = await instance(context);
  return (
    noted !== undefined &&
    now !== null &&
    now !== noted.was &&
    isReady(specOf(context).ready, certificateFiles(context.site.topology.paths))
  );
};

/** Without it, nobody could tell a service that was restarted from one that was not. */
const noteProcess: Step<RestartInput> = {
  name: "note-process",
  plan: ({ input }) => `note which process ${input.service} is now`,
  async run(context) {
    const was = await instance(context);
    return { says: was ? "noted" : `${context.input.service} does not run`, output: { was } };
  },
  deadline: 10,
};

const restartDatabase: Step<RestartInput> = {
  name: "restart-postgres",
  plan: ({ input }) =>
    input.service === "postgres"
      ? "restart PostgreSQL through Patroni, while pooled clients wait"
      : "leave PostgreSQL alone",
  check: async (context) => context.input.service !== "postgres" || isNew(context),
  async run(context) {
    await restartPostgres(context.site.topology, await context.site.secrets(), 90);
    return { says: "PostgreSQL restarted" };
  },
  deadline: 100,
};

/** Patroni is killed and not asked to stop: asked, it would stop PostgreSQL; killed, its successor adopts it (measured: 0.45 s). */
const stopFor = (spec: ProcessSpec) => (spec.name === "patroni" ? { signal: "SIGKILL" as const, grace: 0 } : spec.stop);

const restartService: Step<RestartInput> = {
  name: "restart-service",
  plan: ({ input }) =>
    input.service === "postgres" ? "leave the services alone" : `stop ${input.service}; the agent starts it again`,
  check: async (context) => context.input.service === "postgres" || isNew(context),
  async run(context) {
    const { paths } = context.site.topology;
    const spec = specOf(context);
    if ((await instance(context)) === context.output<Noted>("note-process")!.was)
      await stopProcess(paths.run, spec.name, stopFor(spec));
    await waitUntil(() => isNew(context), {
      timeout: 60,
      signal: context.signal,
      what: `${spec.name} answers again`,
      why: () => lastLogLine(paths, spec.name),
    });
    return { says: `${spec.name} answers again` };
  },
  deadline: 100,
};

/** Restarts one service. PostgreSQL is restarted behind paused pools, so that pooled clients wait and see no error. */
export const serviceRestart: Operation<RestartInput> = {
  name: "service.restart",
  summary: "Restart one service; for PostgreSQL, pooled clients wait meanwhile",
  title: ({ service }) => `Restart ${service}`,
  scope: "operate",
  route: { method: "POST", path: "/api/services/{service}/restart" },
  command: "restart",
  input: z.strictObject({ service: z.enum(services) }),
  locks: () => ["cluster"],
  guards: [],
  steps: [startAgentStep, noteProcess, poolsPaused([restartDatabase]), restartService],
  result: async ({ input }) => ({ service: input.service }),
};

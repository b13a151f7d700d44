import { openJournal } from "../journal/open.ts";
import { planOperation } from "../operations/plan.ts";
import { registry } from "../operations/registry.ts";
import { Detach, Runner, type Finished } from "../operations/runner.ts";
import type { Site } from "../site/site.ts";
import { callerName } from "./caller.ts";
import type { Context } from "./context.ts";
import { crashPoint } from "./crash-point.ts";
import { Departure } from "./departure.ts";
import { makeFollower } from "./follow.ts";
import { showPlan } from "./show-plan.ts";

/**
 * Runs an operation in this process, for what is done before there is a hub: `up`. Ctrl-C, --no-wait and a passed
 * --timeout hand it over to the agent, which goes on. Answers undefined after a dry run and after --no-wait.
 */
export async function operateHere(
  context: Context,
  site: Site,
  name: string,
  input: unknown,
): Promise<Finished | undefined> {
  const journal = openJournal(site.topology.paths);
  const departure = new Departure(context);
  const follower = makeFollower(context);
  const detach = new AbortController();
  departure.signal.addEventListener("abort", () => detach.abort(new Detach()), { once: true });
  if (context.flags.wait === false) detach.abort(new Detach());
  const runner = new Runner({
    ...{ site, journal, registry, signal: detach.signal, onCrashPoint: crashPoint(process.env) },
    onEntry: (_run, entry) => follower.entry({ at: new Date().toISOString(), ...entry }),
    onProgress: (_run, step, progress) => progress && follower.progress(step, progress),
  });
  try {
    if (!context.flags.dryRun) return await runner.start(name, input, { caller: `cli:${callerName}` });
    showPlan(context, await planHere(runner, site, name, input));
    return undefined;
  } catch (error) {
    if (!(error instanceof Detach)) throw error;
    return leaveRunning(context, departure, error.runId);
  } finally {
    departure.end();
    follower.end();
    await journal.close();
  }
}

async function planHere(runner: Runner, site: Site, name: string, input: unknown) {
  const operation = runner.operation(name);
  const steps = await planOperation(operation, runner.parse(operation, input), site);
  return { operation: name, dry_run: true as const, steps };
}

/** The agent goes on with it: says how to follow. */
function leaveRunning({ flags, out }: Context, departure: Departure, id: string | undefined): undefined {
  const isWanted = flags.wait === false && !departure.signal.aborted;
  if (!isWanted) throw departure.error(id ? `homelab op watch ${id} follows it.` : "Nothing was begun.");
  if (flags.json) out.json({ id, state: "running" });
  else out.line(id ?? "");
  process.exitCode = 8;
  return undefined;
}

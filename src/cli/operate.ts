import { isRoot } from "../host/account.ts";
import { openJournal } from "../journal/open.ts";
import { HomelabError } from "../core/errors.ts";
import { Detach, Runner, type Finished } from "../operations/runner.ts";
import { planOperation } from "../operations/plan.ts";
import { registry } from "../operations/registry.ts";
import type { CrashPoint } from "../operations/walk.ts";
import type { Site } from "../site/site.ts";
import type { Context } from "./context.ts";
import { makeFollower } from "./follow.ts";
import { paint, table } from "./output.ts";

/** HOMELAB_CRASH_AT=database.provision:create-database:after-effect makes this process die there: for tests of what follows. */
function crashPoint(env: NodeJS.ProcessEnv): ((point: CrashPoint) => Promise<void>) | undefined {
  const wanted = env["HOMELAB_CRASH_AT"];
  if (!wanted) return undefined;
  return async ({ operation, step, moment }) => {
    if ([operation, step, moment].join(":").startsWith(wanted)) process.kill(process.pid, "SIGKILL");
  };
}

/** Seconds of --timeout, which takes 30, 30s or 5min. */
function timeoutSignal(context: Context): AbortSignal | undefined {
  const text = context.flags.timeout;
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds <= 0) throw new HomelabError("usage", `--timeout ${text}: expected seconds`);
  return AbortSignal.timeout(seconds * 1000);
}

/**
 * Runs an operation in this process and shows how it goes. Ctrl-C, --no-wait and a passed --timeout hand it over to
 * the agent, which goes on. Answers undefined after a dry run and
 * after --no-wait.
 */
export async function operate(
  context: Context,
  site: Site,
  name: string,
  input: unknown,
): Promise<Finished | undefined> {
  if (context.flags.dryRun) return showPlan(context, site, name, input);
  const journal = openJournal(site.topology.paths);
  const follower = makeFollower(context);
  const detach = new AbortController();
  const leave = () => detach.abort(new Detach());
  process.once("SIGINT", leave);
  if (context.flags.wait === false) leave();
  const timeout = timeoutSignal(context);
  timeout?.addEventListener("abort", leave, { once: true });
  const runner = new Runner({
    site,
    journal,
    registry,
    signal: detach.signal,
    onCrashPoint: crashPoint(process.env),
    ...follower.listeners,
  });
  try {
    return await runner.start(name, input, { caller: callerName });
  } catch (error) {
    if (!(error instanceof Detach)) throw error;
    return leaveRunning(context, error.runId, timeout?.aborted === true);
  } finally {
    process.removeListener("SIGINT", leave);
    follower.end();
    await journal.close();
  }
}

/** The agent goes on with it: says how to follow. */
function leaveRunning({ flags, out }: Context, id: string | undefined, timedOut: boolean): undefined {
  const hint = id ? `homelab op watch ${id} follows it.` : "Nothing was begun.";
  if (timedOut)
    throw new HomelabError("deadline_passed", `not done within ${flags.timeout} s; the operation goes on`, { hint });
  if (flags.wait !== false) throw new HomelabError("detached", "detached; the operation goes on", { hint });
  if (flags.json) out.json({ id, state: "running" });
  else out.line(id ?? "");
  process.exitCode = 8;
  return undefined;
}

/** Who called, settled while this process is still that user: later it is the home's owner. */
const callerName = `cli:${process.env["SUDO_USER"] ?? process.env["USER"] ?? (isRoot() ? "root" : process.getuid!())}`;

/** What would be done, and nothing is. */
async function showPlan(context: Context, site: Site, name: string, input: unknown): Promise<undefined> {
  const journal = openJournal(site.topology.paths);
  try {
    const runner = new Runner({ site, journal, registry });
    const operation = runner.operation(name);
    const steps = await planOperation(operation, runner.parse(operation, input), site);
    if (context.flags.json) context.out.json({ operation: name, dry_run: true, steps });
    else {
      const word = { run: "would", skip: "already so:", unknown: "would" };
      table(
        context.out,
        ["STEP", "EFFECT"],
        steps.map((step) => [step.step, `${word[step.effect]} ${step.says}`]),
      );
      context.out.note(paint("dim", "dry run: nothing was changed", process.stderr));
    }
  } finally {
    await journal.close();
  }
  return undefined;
}

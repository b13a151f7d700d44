import { waitUntil } from "../../core/clock.ts";
import { readAgent, startAgent } from "../../host/agent-process.ts";
import { findProcess, signalProcess } from "../../host/processes.ts";
import { readDesired, writeDesired } from "../../host/services.ts";
import type { Context } from "../context.ts";

/** Seconds for everything to end: PostgreSQL writes its last checkpoint, and a large one takes time. */
const PATIENCE = 180;

/** Stops everything on this machine, PostgreSQL cleanly; the data stays. */
export async function down(context: Context): Promise<void> {
  const site = await context.site();
  const { paths } = site.topology;
  const desired = await readDesired(paths);
  const running = await Promise.all((desired?.services ?? []).map((spec) => findProcess(paths.run, spec.name)));
  const agent = await readAgent(paths);
  if (!agent?.alive && running.every((found) => found === undefined)) return done(context, "Down already");
  if (context.flags.dryRun)
    return done(
      context,
      `would stop ${desired!.services
        .map((spec) => spec.name)
        .toReversed()
        .join(", ")}`,
    );
  if (desired) await writeDesired(paths, { ...desired, up: false });
  // The agent stops what it started; if it died, a new one finds all of it and stops it.
  if (!agent?.alive) await startAgent(paths, site.program);
  await waitUntil(async () => !(await readAgent(paths))?.alive, { timeout: PATIENCE, what: "everything has stopped" });
  await signalProcess(paths.run, "keeper", "SIGKILL");
  done(context, "Down: everything is stopped, the data stays");
}

function done({ flags, out, paths }: Context, says: string): void {
  if (flags.json) out.json({ state: "stopped", says });
  else {
    out.note(says);
    out.note(`homelab up starts it again${process.env["HOMELAB_HOME"] || flags.home ? ` (--home ${paths.root})` : ""}`);
  }
}

import type { Feed } from "../api/feed.ts";
import { operationBody } from "../api/operation-body.ts";
import { sleep } from "../core/clock.ts";
import type { Journal } from "../journal/journal.ts";

/** Milliseconds between two looks while somebody watches. */
const LOOK_EVERY = 200;

/** So many of the newest runs are watched: more are never under way at once. */
const NEWEST = 30;

/** Tells the feed what changes in the journal, whoever changed it: this hub, another one, or a command on the node. */
export async function feedRuns(journal: Journal, feed: Feed, signal: AbortSignal): Promise<void> {
  let known: Map<string, string> | undefined;
  while (!signal.aborted) {
    const since = feed.followedSince;
    if (since !== undefined) {
      const runs = (await journal.list({ limit: NEWEST }).catch(() => [])).map(operationBody);
      const now = new Map(runs.map((run) => [run.id, JSON.stringify(run)]));
      // One that began and ended before the first look is news all the same.
      known ??= new Map(runs.filter((run) => endedBefore(run, since)).map((run) => [run.id, now.get(run.id)!]));
      for (const run of runs.toReversed()) if (known.get(run.id) !== now.get(run.id)) feed.publish("operation", run);
      known = now;
    } else known = undefined;
    await sleep(LOOK_EVERY, signal).catch(() => {});
  }
}

const endedBefore = ({ finished_at: at }: ReturnType<typeof operationBody>, moment: number): boolean =>
  at !== null && Date.parse(at) < moment;

import { join } from "node:path";
import { z } from "zod";
import { readText, remove } from "../../host/files.ts";
import { commandOf } from "../../host/processes.ts";
import { forgetReplaced, readReplaced, type ReplacedData } from "../../site/replaced-data.ts";
import type { Operation, Step, StepContext } from "../operation.ts";

interface DiscardInput {
  all: boolean;
}

/** Those whose time is up; or all, where somebody needs the room. */
async function going({ input, site }: StepContext<DiscardInput>): Promise<ReplacedData[]> {
  const kept = await readReplaced(site.topology.paths);
  return kept.filter(({ until }) => input.all || Date.parse(until) <= site.clock.now());
}

/** Somebody may have started a PostgreSQL on it by hand, to look. */
async function isInUse({ path }: ReplacedData): Promise<boolean> {
  const pid = Number((await readText(join(path, "postmaster.pid")))?.split("\n")[0]);
  return pid > 0 && commandOf(pid).includes(path);
}

const removeData: Step<DiscardInput> = {
  name: "remove-data",
  plan: async (context) => {
    const names = (await going(context)).map(({ path }) => path);
    return names.length > 0 ? `remove ${names.join(", ")}` : "remove nothing: nothing is kept, or its time is not up";
  },
  async run(context) {
    const removed: string[] = [];
    for (const each of await going(context)) {
      if (await isInUse(each)) continue;
      // The control file first: what is left of a removal that was cut off can never be taken for whole.
      await remove(join(each.path, "global"));
      await remove(each.path);
      await forgetReplaced(context.site.topology.paths, each.path);
      removed.push(each.path);
    }
    return { says: removed.length > 0 ? `removed ${removed.join(", ")}` : "nothing to remove", output: { removed } };
  },
  deadline: 600,
};

/** Removes data directories that restores in place replaced. After it, those cannot be undone. */
export const clusterDiscardReplaced: Operation<DiscardInput> = {
  name: "cluster.discard-replaced",
  summary: "Remove what restores in place replaced, once its time is up; then they cannot be undone",
  title: () => "Remove replaced data directories",
  scope: "admin",
  route: { method: "POST", path: "/api/cluster/discard-replaced" },
  command: "db restore",
  input: z.strictObject({
    all: z.boolean().default(false).describe("Also what is to be kept for longer"),
  }),
  // The way back of a restore must not go while one is under way.
  locks: () => ["cluster"],
  guards: [],
  steps: [removeData],
  result: async ({ output }) => output<{ removed: string[] }>("remove-data") ?? { removed: [] },
};

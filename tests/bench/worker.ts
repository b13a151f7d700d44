import { join } from "node:path";
import { becomeOwnerOf } from "../../src/host/account.ts";
import { programIn } from "../../src/host/program.ts";
import { openJournal } from "../../src/journal/open.ts";
import { registry } from "../../src/operations/registry.ts";
import { Runner } from "../../src/operations/runner.ts";
import { databaseList } from "../../src/reports/databases.ts";
import { openInstalledSite } from "../../src/site/installation.ts";
import { homePaths } from "../../src/cluster/home.ts";

/*
 * The operation runner in a process of its own, as the agent has it: everything is loaded first, then this process
 * becomes the home's owner, opens the site and the journal once, and does what the parent asks over IPC. Only the work itself is timed.
 */
const root = process.argv[2]!;
const program = await programIn(join(import.meta.dirname, "..", "..", "dist"));
becomeOwnerOf(root);
const site = await openInstalledSite(root, program);
const journal = openJournal(homePaths(root));
/** Milliseconds that each step of the last creation took between its two lines in the journal. */
const steps = new Map<string, number>();
let started = 0;
const runner = new Runner({
  site,
  journal,
  registry,
  onEntry: (_run, { step, event }) => {
    if (event === "started") started = performance.now();
    if (event === "done") steps.set(step, performance.now() - started);
  },
});

const work: Record<string, (argument: string) => Promise<unknown>> = {
  create: (name) => runner.start("database.provision", { name }, { caller: "bench" }),
  list: () => databaseList(site),
};

process.on("message", (message: { work: string; argument: string }) => {
  const begun = performance.now();
  work[message.work]!(message.argument).then(
    () => process.send!({ ms: performance.now() - begun, steps: Object.fromEntries(steps) }),
    (error: unknown) => process.send!({ error: String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
process.send!({ ready: true });

import { HomelabError } from "../../core/errors.ts";
import type { RunId } from "../../core/ids.ts";
import { printable } from "../../core/text.ts";
import { formatSeconds } from "../../core/units.ts";
import { openJournal } from "../../journal/open.ts";
import type { Journal, Run, StepEntry } from "../../journal/journal.ts";
import { Runner } from "../../operations/runner.ts";
import { registry } from "../../operations/registry.ts";
import { sleep } from "../../core/clock.ts";
import type { Context } from "../context.ts";
import { makeFollower } from "../follow.ts";
import { operate } from "../operate.ts";
import { table } from "../output.ts";

async function withJournal<T>(context: Context, work: (journal: Journal) => Promise<T>): Promise<T> {
  await context.site();
  const journal = openJournal(context.paths);
  try {
    return await work(journal);
  } finally {
    await journal.close();
  }
}

async function requireRun(journal: Journal, id: string): Promise<Run> {
  const run = await journal.get(id as RunId);
  if (!run) throw new HomelabError("not_found", `there is no operation ${id}`, { hint: "homelab op list shows them." });
  return run;
}

/** What the API answers for an operation. */
const body = (run: Run, entries?: StepEntry[]) => ({
  id: run.id,
  operation: run.operation,
  state: run.state,
  input: run.input,
  caller: run.caller,
  current_step: run.currentStep,
  progress: run.progress,
  created_at: run.createdAt,
  finished_at: run.finishedAt,
  result: run.result,
  error: run.error,
  ...(entries ? { steps: entries } : {}),
});

export const list = (context: Context, flags: { limit?: string }): Promise<void> =>
  withJournal(context, async (journal) => {
    const runs = await journal.list({ limit: Number(flags.limit ?? 20) });
    if (context.flags.json)
      return context.out.json({ items: runs.map((run) => body(run)), next_cursor: null, total: runs.length });
    table(context.out, ["ID", "OPERATION", "ON", "STATE", "BEGUN", "TOOK"], runs.map(row));
    if (runs.length === 0) context.out.note("No operation yet.");
  });

function row(run: Run): string[] {
  const subject = Object.values(run.input as object).find((value) => typeof value === "string") ?? "-";
  const took = run.finishedAt ? formatSeconds((Date.parse(run.finishedAt) - Date.parse(run.createdAt)) / 1000) : "-";
  return [run.id, run.operation, printable(subject), run.state, run.createdAt, took];
}

export const show = (context: Context, id: string): Promise<void> =>
  withJournal(context, async (journal) => {
    const run = await requireRun(journal, id);
    const entries = await journal.entries(run.id);
    if (run.state === "running") process.exitCode = 8;
    if (context.flags.json) return context.out.json(body(run, entries));
    context.out.line(`${run.id}  ${run.operation}  ${run.state}`);
    context.out.line(`input   ${printable(JSON.stringify(run.input))}`);
    context.out.line(`caller  ${printable(run.caller)}, ${run.createdAt}`);
    if (run.error) context.out.line(`error   ${printable(run.error.message)}`);
    table(
      context.out,
      ["AT", "STEP", "EVENT", "SAYS"],
      entries.map((entry) => [entry.at, entry.step, entry.event, printable(entry.says ?? "-")]),
    );
  });

/** Follows a run that another process does, to its end. */
export const watch = (context: Context, id: string): Promise<void> =>
  withJournal(context, async (journal) => {
    let run = await requireRun(journal, id);
    const follower = makeFollower(context);
    let seen = 0;
    for (;;) {
      for (const entry of await journal.entries(run.id, seen)) {
        follower.listeners.onEntry?.(run, entry);
        seen = entry.seq;
      }
      if (run.state !== "running") break;
      if (run.progress && run.currentStep) follower.listeners.onProgress?.(run, run.currentStep, run.progress);
      await sleep(150);
      run = await requireRun(journal, id);
    }
    follower.end();
    if (context.flags.json) context.out.json(body(run, await journal.entries(run.id)));
    else context.out.note(`${run.operation} ${run.state}`);
    if (run.error) throw new HomelabError(run.error.code, run.error.message, { hint: run.error.hint });
  });

/** Asks a run to stop at its next step; one whose process is gone is taken back right here. */
export const cancel = (context: Context, id: string): Promise<void> =>
  withJournal(context, async (journal) => {
    const run = await requireRun(journal, id);
    if (!(await journal.requestCancel(run.id))) throw new HomelabError("usage", `${run.id} is ${run.state} already`);
    const runner = new Runner({ site: await context.site(), journal, registry });
    await runner.tryResume(run);
    if (context.flags.json) return context.out.json(body(await requireRun(journal, id)));
    context.out.note(`${run.operation} stops at its next step, and takes back what it can`);
  });

/** The same again: what is done already is skipped. */
export async function retry(context: Context, id: string): Promise<void> {
  const run = await withJournal(context, (journal) => requireRun(journal, id));
  const finished = await operate(context, await context.site(), run.operation, run.input);
  if (!finished) return;
  if (context.flags.json) context.out.json(body(finished.run));
  else context.out.note(`${run.operation} completed`);
}

import { z } from "zod";
import type { Repository } from "../../config/storage.ts";
import { sleep } from "../../core/clock.ts";
import { errorMessage, HomelabError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import { formatBytes } from "../../core/units.ts";
import { noteOf, toAnnotations } from "../../engines/pgbackrest/annotations.ts";
import { makeBackup, repositoryInfo } from "../../engines/pgbackrest/client.ts";
import { backupTypes, type BackupInfo } from "../../engines/pgbackrest/info.ts";
import { troubleOf } from "../../engines/pgbackrest/trouble.ts";
import { readRepository } from "../../site/backup-catalogue.ts";
import { backupSummary, type BackupSummary } from "../../site/backup-summary.ts";
import type { Guard, Operation, Step, StepContext } from "../operation.ts";
import { writeMark } from "../steps/write-mark.ts";
import { expireBackups } from "./expire.ts";

const createInput = z.strictObject({
  type: z.enum(backupTypes).default("incr").describe("full; diff: since the last full; incr: since the last backup"),
  note: z
    .string()
    .regex(
      /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029=]{1,200}$/,
      "expected one line of at most 200 characters, without =",
    )
    .optional()
    .describe("Kept beside the backup, in the repository"),
  repository: z.string().max(40).optional().describe("Only in this one; in all of them by default"),
});

type CreateInput = z.infer<typeof createInput>;
type Context = StepContext<CreateInput>;

/** The repositories that this run is about. @throws HomelabError `not_found` */
async function chosen({ site, input: { repository: name } }: Context): Promise<Repository[]> {
  const { repositories } = await site.storage();
  const found = name ? repositories.filter((each) => each.name === name) : repositories;
  if (found.length > 0) return found;
  throw new HomelabError("not_found", `there is no repository ${name}`, { hint: "homelab storage list shows them." });
}

const repositoryExists: Guard<CreateInput> = async (context) => {
  await chosen(context);
};

/** What this run has made in a repository: it stands there, whatever became of us. */
async function madeBy({ site, runId, signal }: Context, { number }: Repository): Promise<BackupInfo | undefined> {
  const { backups } = await repositoryInfo(site.topology, number, { signal });
  return backups.find((each) => noteOf(each, "run") === runId);
}

const LOOK_EVERY = 1000;

/** Tells how far pgBackRest is, until the end. Where it does not say, the time that passed keeps the deadline away. */
async function report(context: Context, { number }: Repository, until: AbortSignal): Promise<void> {
  const begun = Date.now();
  while (!until.aborted) {
    await sleep(LOOK_EVERY, until).catch(() => {});
    const { running } = await repositoryInfo(context.site.topology, number, { signal: until }).catch(() => ({
      running: undefined,
    }));
    if (until.aborted) return;
    const { done, total } = running ?? { done: null, total: null };
    if (done !== null) context.progress({ done, total, unit: "bytes" });
    else context.progress({ done: Math.round((Date.now() - begun) / 1000), total: null, unit: "seconds" });
  }
}

/** A pgBackRest that outlived whoever began it is left to end: it makes the very backup that we want. */
async function waitForOther({ site, signal, progress }: Context, { number }: Repository): Promise<void> {
  for (let seconds = 1; (await repositoryInfo(site.topology, number, { signal })).running; seconds++) {
    progress({ done: seconds, total: null, unit: "seconds" });
    await sleep(LOOK_EVERY, signal);
  }
}

async function copyInto(context: Context, repository: Repository): Promise<void> {
  const { site, input: wish, runId, signal } = context;
  await waitForOther(context, repository);
  if (await madeBy(context, repository)) return;
  const annotations = toAnnotations({ run: runId, ...(wish.note ? { note: wish.note } : {}) });
  const done = new AbortController();
  const reporting = report(context, repository, done.signal);
  try {
    await makeBackup(site.topology, { type: wish.type, repo: repository.number, annotations }, signal);
  } finally {
    done.abort();
    await reporting;
  }
}

/** One after the other; one that fails does not keep the others from theirs. */
const copy: Step<CreateInput> = {
  name: "copy",
  plan: ({ input: { type } }) => `copy the cluster into its repositories (${type})`,
  async run(context) {
    const failed: string[] = [];
    for (const repository of await chosen(context)) {
      try {
        await copyInto(context, repository);
      } catch (error) {
        context.signal.throwIfAborted();
        failed.push(`${repository.name}: ${troubleOf(errorMessage(error), repository).says}`);
      }
    }
    if (failed.length === 0) return { says: "copied" };
    throw new HomelabError("backup_failed", failed.join("; "), {
      hint: "homelab logs pgbackrest tells more; homelab op retry tries those again that failed.",
    });
  },
  deadline: 300,
};

/** What pgBackRest's exit code does not tell: that it is there, whole, with its WAL, and without broken pages. */
const checkResult: Step<CreateInput> = {
  name: "check-result",
  plan: () => "read the repositories: the backup is there, with its WAL, and no page of it is broken",
  async run(context) {
    const summaries: BackupSummary[] = [];
    for (const repository of await chosen(context)) {
      const catalogue = await readRepository(context.site, repository, context.signal);
      const made = catalogue.backups.find((each) => noteOf(each, "run") === context.runId);
      if (!made) throw new HomelabError("backup_failed", `${repository.name} has no backup of this run`);
      summaries.push(backupSummary(catalogue, made));
    }
    const bytes = summaries.reduce((sum, { added_bytes }) => sum + added_bytes, 0);
    const faults = summaries.filter(({ fault }) => fault !== null);
    const says = `${summaries.map(({ label }) => label).join(", ")}, ${formatBytes(bytes)} stored`;
    return {
      says: faults.length > 0 ? `${says}. Not to be relied on: ${faults[0]!.fault}` : says,
      output: summaries as unknown as Json,
    };
  },
  deadline: 120,
};

/**
 * Behind each full backup, so that a proof of it has something to compare with. The backup is as good without, so what
 * goes wrong here is said and no more.
 */
const markFull: Step<CreateInput> = {
  ...writeMark,
  check: async ({ input, output }) => input.type !== "full" || output("write-mark") !== undefined,
  async run(context) {
    try {
      return await writeMark.run(context);
    } catch (error) {
      context.signal.throwIfAborted();
      return { says: `nothing was written down: ${errorMessage(error)}` };
    }
  },
};

/** Copies the whole cluster into its repositories. */
export const backupCreate: Operation<CreateInput> = {
  name: "backup.create",
  summary: "Back the whole cluster up: full, or what changed since",
  title: ({ type }) => ({ full: "Full backup", diff: "Differential backup", incr: "Incremental backup" })[type],
  scope: "operate",
  route: { method: "POST", path: "/api/backups" },
  command: "db backup",
  input: createInput,
  // Not below `cluster`: settings can be changed while a backup of hours goes on.
  locks: () => ["backup"],
  guards: [repositoryExists],
  steps: [copy, checkResult, expireBackups, markFull],
  result: async ({ output }) => ({ backups: output("check-result") ?? [] }),
};

import { z } from "zod";
import type { Repository } from "../../config/storage.ts";
import { sleep } from "../../core/clock.ts";
import { errorMessage } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import { noteOf, toAnnotations } from "../../engines/pgbackrest/annotations.ts";
import { annotate, repositoryInfo } from "../../engines/pgbackrest/client.ts";
import { verifyRepository } from "../../engines/pgbackrest/verify.ts";
import { readCatalogue } from "../../site/backup-catalogue.ts";
import { lostGaps } from "../../site/backup-retention.ts";
import { noteCorruptWal } from "../../site/corrupt-wal.ts";
import { gapInWords } from "../../site/timetable.ts";
import type { Operation, Step, StepContext } from "../operation.ts";

type Context = StepContext<Record<string, never>>;

/** What reading one repository whole has shown. */
interface Found {
  repository: string;
  /** Why it could not be read; null when it was. */
  trouble: string | null;
  /** By label, what is wrong with a backup. */
  backups: Record<string, string>;
  segments: string[];
}

/** What speaks against a repository, in sentences. */
interface Finding {
  repository: string;
  says: string[];
}

/** Reading takes as long as it takes: the time that passed keeps the deadline away. */
async function whileReading<T>({ progress }: Context, work: Promise<T>): Promise<T> {
  const done = new AbortController();
  const begun = Date.now();
  const telling = (async () => {
    while (!done.signal.aborted) {
      await sleep(1000, done.signal).catch(() => {});
      if (!done.signal.aborted)
        progress({ done: Math.round((Date.now() - begun) / 1000), total: null, unit: "seconds" });
    }
  })();
  try {
    return await work;
  } finally {
    done.abort();
    await telling;
  }
}

async function readWhole(context: Context, repository: Repository): Promise<Found> {
  const { name, number } = repository;
  try {
    const { backups, segments, others } = await whileReading(
      context,
      verifyRepository(context.site.topology, number, context.signal),
    );
    return {
      repository: name,
      trouble: others[0] ?? null,
      backups: Object.fromEntries(backups),
      segments,
    };
  } catch (error) {
    context.signal.throwIfAborted();
    return { repository: name, trouble: errorMessage(error), backups: {}, segments: [] };
  }
}

const verify: Step<Record<string, never>> = {
  name: "verify",
  plan: () => "read every file of the repositories, and compare it with its checksum",
  async run(context) {
    const found: Found[] = [];
    for (const repository of (await context.site.storage()).repositories)
      found.push(await readWhole(context, repository));
    const count = found.reduce((sum, { backups, segments }) => sum + Object.keys(backups).length + segments.length, 0);
    return { says: count === 0 ? "every file is whole" : `${count} not whole`, output: found as unknown as Json };
  },
  deadline: 600,
};

/** Into the repository itself: whoever reads it later, on whichever machine, is to know. */
const mark: Step<Record<string, never>> = {
  name: "mark",
  plan: () => "note beside a backup that is not whole that it is bad",
  async run(context) {
    const { topology, storage } = context.site;
    const marked: string[] = [];
    const { repositories } = await storage();
    for (const { repository: name, trouble, backups: bad, segments } of context.output<Found[] & Json>("verify") ??
      []) {
      const repository = repositories.find((each) => each.name === name);
      if (!repository || trouble) continue;
      await noteCorruptWal(topology.paths, repository, segments);
      const { backups } = await repositoryInfo(topology, repository.number, { signal: context.signal });
      for (const { label, annotations } of backups) {
        if (!bad[label] || noteOf({ annotations }, "bad")) continue;
        await annotate(topology, { repo: repository.number, label }, toAnnotations({ bad: bad[label], proven: "" }));
        marked.push(label);
      }
    }
    return { says: marked.length > 0 ? `marked as bad: ${marked.join(", ")}` : "nothing to mark" };
  },
  deadline: 300,
};

/** What pgBackRest does not look for: that no segment of WAL is missing. */
const proveContinuity: Step<Record<string, never>> = {
  name: "prove-continuity",
  plan: () => "list the repositories: no segment of WAL is missing since the oldest backup",
  async run({ site, signal, output }) {
    const found = output<Found[] & Json>("verify") ?? [];
    const findings: Finding[] = (await readCatalogue(site, signal)).map((catalogue) => {
      const { repository, trouble, coverage } = catalogue;
      const read = found.find((each) => each.repository === repository.name);
      const unread = trouble ?? read?.trouble;
      return {
        repository: repository.name,
        says: [
          ...(unread ? [`it cannot be read: ${unread}`] : []),
          ...[...coverage.unusable].map(([label, why]) => `${label}: ${why}`),
          ...(read?.segments ?? []).map((segment) => `the WAL segment ${segment} is corrupt`),
          ...lostGaps(site, catalogue).map(gapInWords),
        ],
      };
    });
    const bad = findings.flatMap(({ repository, says }) => says.map((each) => `${repository}: ${each}`));
    return { says: bad.length > 0 ? bad.join("; ") : "no segment is missing", output: findings as unknown as Json };
  },
  deadline: 300,
};

/** Reads the repositories whole. What it finds does not fail it: it is noted, shown by `health`, and answered. */
export const backupCheck: Operation<Record<string, never>> = {
  name: "backup.check",
  summary: "Read the repositories whole: every file against its checksum, and no WAL missing",
  title: () => "Check the repositories",
  scope: "operate",
  route: { method: "POST", path: "/api/backups/check" },
  command: "db check",
  input: z.strictObject({}),
  // What expires meanwhile would seem to be missing.
  locks: () => ["backup"],
  guards: [],
  steps: [verify, mark, proveContinuity],
  result: async ({ output }) => ({ repositories: output("prove-continuity") ?? [] }),
};

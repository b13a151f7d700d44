import { z } from "zod";
import { instant, observedPage, pageQuery, type Contract } from "../endpoint.ts";

const bytes = z.number();

const backup = z
  .strictObject({
    id: z.string(),
    label: z.string().describe("pgBackRest's own name of it"),
    type: z.string(),
    repository: z.string(),
    started_at: instant,
    stopped_at: instant,
    database_bytes: bytes.describe("Of the whole cluster"),
    stored_bytes: bytes.nullable().describe("With the backups that it builds on; null where pgBackRest does not say"),
    added_bytes: bytes.describe("What it alone added to the repository"),
    wal_start: z.string().nullable(),
    wal_stop: z.string().nullable(),
    checked: z.boolean().describe("Whole, with all WAL that it needs, as far as the repository's listing tells"),
    fault: z.string().nullable().describe("Why it must not be relied on"),
    proven_at: instant.nullable().describe("When it was restored, started and read"),
    note: z.string().nullable(),
    by: z.string().nullable(),
  })
  .meta({ id: "Backup" });

const repositoryWindow = z.strictObject({
  repository: z.string(),
  trouble: z.string().nullable(),
  windows: z.array(z.strictObject({ from: instant, to: instant, labels: z.array(z.string()) })),
  gaps: z.array(
    z.strictObject({
      from: instant,
      to: instant.nullable(),
      first_missing: z.string(),
      last_missing: z.string(),
      segments: z.int(),
    }),
  ),
});

const repositoryRetention = z.strictObject({
  repository: z.string(),
  trouble: z.string().nullable(),
  going: z.array(
    z.strictObject({
      label: z.string(),
      type: z.string(),
      stopped_at: instant,
      added_bytes: bytes,
      when: z.enum(["now", "next full"]).describe("With the next backup, or once another full one was made"),
    }),
  ),
  pinned: z.array(z.strictObject({ label: z.string(), why: z.string() })),
  wal_from: z.string().nullable().describe("The full backup from which on any second can be had back"),
});

const timetable = z
  .strictObject({
    time_zone: z.string(),
    rows: z.array(
      z.strictObject({
        work: z.enum(["full", "diff", "incr", "check", "proof"]),
        schedule: z.string().describe("Five fields as in crontab(5), or off"),
        next_at: instant.nullable(),
        last_at: instant.nullable(),
      }),
    ),
    due: z
      .strictObject({ type: z.string(), why: z.string(), not_before: instant.nullable() })
      .nullable()
      .describe("A backup that is to be made now; after a failure not before the time that is named"),
    observed_at: instant,
    stale: z.boolean(),
  })
  .meta({ id: "Timetable" });

export const backupsContract = {
  "GET /api/backups": {
    summary: "Every backup, read from the repositories themselves, the newest first",
    tag: "backups",
    scope: "read",
    query: pageQuery.omit({ sort: true }),
    answers: { 200: observedPage(backup) },
  },
  "GET /api/backups/retention": {
    summary: "What the next backups will remove, and what stays although the settings alone would let it go",
    tag: "backups",
    scope: "read",
    answers: {
      200: z
        .strictObject({
          keep: z.strictObject({ full: z.int(), diff: z.int(), archive_days: z.int() }),
          repositories: z.array(repositoryRetention),
          observed_at: instant,
          stale: z.boolean(),
        })
        .meta({ id: "RetentionPreview" }),
    },
  },
  "GET /api/backups/timetable": {
    summary: "When backups, checks and proofs are made, and when they were made last",
    tag: "backups",
    scope: "read",
    answers: { 200: timetable },
  },
  "GET /api/recovery-window": {
    summary: "From when to when any second can be had back, with the gaps, and when that was last proven",
    tag: "backups",
    scope: "read",
    answers: {
      200: z
        .strictObject({
          from: instant.nullable(),
          to: instant.nullable(),
          last_proven_at: instant.nullable(),
          last_backup_at: instant.nullable(),
          repositories: z.array(repositoryWindow),
          observed_at: instant,
          stale: z.boolean(),
        })
        .meta({ id: "RecoveryWindow" }),
    },
  },
} as const satisfies Contract;

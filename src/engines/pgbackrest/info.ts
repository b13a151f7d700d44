import { z } from "zod";

/** Full, what changed since the last full, what changed since the last backup of any kind (pgBackRest manual, "Backup"). */
export const backupTypes = ["full", "diff", "incr"] as const;
export type BackupType = (typeof backupTypes)[number];

/** A backup as a repository has it. */
export interface BackupInfo {
  /** pgBackRest's own name of it: 20261120-143200F. */
  label: string;
  type: BackupType;
  repository: number;
  /** Of PostgreSQL's incarnation: `15-1`; its WAL is kept under this name. */
  archiveId: string;
  startedAt: string;
  stoppedAt: string;
  /** What the cluster took, and what the backup takes with those it builds on; null where pgBackRest does not say. */
  databaseBytes: number;
  storedBytes: number | null;
  /** What it alone added to the repository. */
  addedBytes: number;
  walStart: string | null;
  walStop: string | null;
  lsnStop: string | null;
  /** The labels of the backups that it builds on. */
  references: string[];
  /** Pages that did not match their checksums were met. */
  isBroken: boolean;
  annotations: Record<string, string>;
}

/** One repository, as pgBackRest reads it. */
interface RepositoryState {
  number: number;
  /** pgBackRest's own: 0 is ok, 1 and 2 mean that there is no stanza or no backup yet. */
  code: number;
  message: string;
  /** Under which it keeps the WAL of what PostgreSQL is now; undefined before there is a stanza. */
  archiveId: string | undefined;
}

export interface StanzaInfo {
  repositories: RepositoryState[];
  /** Of all repositories, the oldest first. */
  backups: BackupInfo[];
  /** A backup under way: bytes, where pgBackRest tells them. */
  running: { done: number | null; total: number | null } | undefined;
}

const seconds = z.number().transform((value) => new Date(value * 1000).toISOString());

const backupSchema = z.object({
  label: z.string(),
  type: z.enum(backupTypes),
  database: z.object({ id: z.number(), "repo-key": z.number() }),
  archive: z.object({ start: z.string().nullable(), stop: z.string().nullable() }),
  lsn: z.object({ stop: z.string() }).optional(),
  timestamp: z.object({ start: seconds, stop: seconds }),
  info: z.object({ size: z.number(), repository: z.object({ delta: z.number(), size: z.number().nullish() }) }),
  reference: z.array(z.string()).nullish(),
  error: z.boolean().nullish(),
  annotation: z.record(z.string(), z.string()).nullish(),
});

const lockSchema = z.object({
  held: z.boolean(),
  size: z.number().nullish(),
  "size-cplt": z.number().nullish(),
});

const stanzaSchema = z.object({
  repo: z.array(z.object({ key: z.number(), status: z.object({ code: z.number(), message: z.string() }) })).default([]),
  db: z.array(z.object({ id: z.number(), "repo-key": z.number(), version: z.string() })).default([]),
  backup: z.array(backupSchema).default([]),
  status: z.object({ lock: z.object({ backup: lockSchema }).optional() }).optional(),
});

type Stanza = z.infer<typeof stanzaSchema>;

/**
 * Reads `info --output=json`. Its form is a contract of pgBackRest's (manual, "Info Command"), but for one thing: with a
 * wrong passphrase it repeats what came out of the decryption, control characters and all (measured, 2.45; a third of all
 * wrong passphrases). @throws ZodError
 */
export function parseInfo(text: string): StanzaInfo {
  const [stanza] = z.array(stanzaSchema).parse(JSON.parse(text.replace(/[\u0000-\u001f]/g, " ")));
  if (!stanza) return { repositories: [], backups: [], running: undefined };
  const lock = stanza.status?.lock?.backup;
  return {
    repositories: stanza.repo.map(({ key, status }) => ({
      number: key,
      ...status,
      archiveId: archiveIdOf(stanza.db.findLast((db) => db["repo-key"] === key)),
    })),
    backups: stanza.backup
      .map((each) => backupOf(stanza, each))
      .sort((a, b) => a.stoppedAt.localeCompare(b.stoppedAt) || a.repository - b.repository),
    running: lock?.held ? { done: lock["size-cplt"] ?? null, total: lock.size ?? null } : undefined,
  };
}

function backupOf(stanza: Stanza, each: Stanza["backup"][number]): BackupInfo {
  const { id, "repo-key": repository } = each.database;
  return {
    label: each.label,
    type: each.type,
    repository,
    archiveId: archiveIdOf(stanza.db.find((db) => db.id === id && db["repo-key"] === repository)) ?? "",
    startedAt: each.timestamp.start,
    stoppedAt: each.timestamp.stop,
    databaseBytes: each.info.size,
    storedBytes: each.info.repository.size ?? null,
    addedBytes: each.info.repository.delta,
    walStart: each.archive.start,
    walStop: each.archive.stop,
    lsnStop: each.lsn?.stop ?? null,
    references: each.reference ?? [],
    isBroken: each.error === true,
    annotations: each.annotation ?? {},
  };
}

/** PostgreSQL's version, and the how manieth incarnation of the cluster it is: `15-1`. */
const archiveIdOf = (db: Stanza["db"][number] | undefined): string | undefined => db && `${db.version}-${db.id}`;

/** The full backup at the beginning of a label: `20261120-020000F_20261120-030000I` builds on `20261120-020000F`. */
export const fullOf = (label: string): string => label.split("_")[0]!;

/** The labels of the backups that one would be nothing without. */
export function foundationsOf({ label, references }: Pick<BackupInfo, "label" | "references">): string[] {
  return [...new Set([fullOf(label), ...references])].filter((each) => each !== label);
}

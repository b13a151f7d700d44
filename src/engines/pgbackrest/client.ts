import type { Topology } from "../../cluster/topology.ts";
import { run } from "../../host/run.ts";
import { pgbackrestArgv, pgbackrestEnvironment } from "./command.ts";
import { parseInfo, type BackupType, type StanzaInfo } from "./info.ts";
import { parseArchive, type Archive } from "./archive.ts";

type Options = Parameters<typeof pgbackrestArgv>[2];

interface Call {
  signal?: AbortSignal;
  /** Seconds until it is given up. */
  timeout?: number;
}

/** Runs pgBackRest and answers what it printed. @throws HomelabError `process_failed`, with its last lines */
export async function pgbackrest(
  topology: Topology,
  command: string,
  options: Options = {},
  { signal, timeout }: Call = {},
  ...rest: string[]
): Promise<string> {
  const argv = pgbackrestArgv(topology, command, options, ...rest);
  const { stdout } = await run({ argv, env: pgbackrestEnvironment(topology), signal, timeout });
  return stdout;
}

/**
 * Seconds for one step of a connection where somebody waits for the answer; pgBackRest says after four times as long that
 * a server is away (measured, 2.45), and with its own minute nobody would wait for that.
 */
export const SOON = { "io-timeout": 3 };

/** What the repositories hold, as pgBackRest reads it from them; of one of them, where a number is given. */
export async function repositoryInfo(topology: Topology, repo?: number, call: Call = {}): Promise<StanzaInfo> {
  return parseInfo(await pgbackrest(topology, "info", { output: "json", repo, ...SOON }, { timeout: 60, ...call }));
}

/** Makes a backup in one repository. Without a full one to build on, pgBackRest makes it full. */
export async function makeBackup(
  topology: Topology,
  wish: { type: BackupType; repo: number; annotations: Record<string, string> },
  signal?: AbortSignal,
): Promise<void> {
  const annotation = Object.entries(wish.annotations).map(([key, value]) => `${key}=${value}`);
  await pgbackrest(topology, "backup", { type: wish.type, repo: wish.repo, annotation }, { signal });
}

/** Notes something beside a backup, in the repository itself; an empty value takes it away. */
export async function annotate(
  topology: Topology,
  { repo, label }: { repo: number; label: string },
  annotations: Record<string, string>,
): Promise<void> {
  const annotation = Object.entries(annotations).map(([key, value]) => `${key}=${value}`);
  await pgbackrest(topology, "annotate", { repo, set: label, annotation }, { timeout: 60 });
}

/** Removes all but the newest full backups, with what builds on the others, and the WAL that only they needed. */
export async function expire(
  topology: Topology,
  keep: { repo: number; full: number; diff: number; archive: number },
  signal?: AbortSignal,
): Promise<void> {
  const { repo, full, diff, archive } = keep;
  const option = (name: string) => `repo${repo}-retention-${name}`;
  const options = {
    repo,
    [option("full")]: full,
    [option("diff")]: diff,
    [option("archive-type")]: "full",
    [option("archive")]: archive,
  };
  await pgbackrest(topology, "expire", options, { signal, timeout: 600 });
}

/** What WAL one repository has, read from its listing. */
export async function listArchive(topology: Topology, repo: number, call: Call = {}): Promise<Archive> {
  const folder = `archive/${topology.scope}`;
  const options = { repo, recurse: true as const, output: "json", ...SOON };
  return parseArchive(await pgbackrest(topology, "repo-ls", options, { timeout: 120, ...call }, folder));
}

/** A file of a repository, decrypted. */
export const readFromRepository = (topology: Topology, repo: number, path: string, call: Call = {}): Promise<string> =>
  pgbackrest(topology, "repo-get", { repo, ...SOON }, { timeout: 60, ...call }, path);

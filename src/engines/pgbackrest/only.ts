import { randomBytes } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Topology } from "../../cluster/topology.ts";
import type { Repository } from "../../config/storage.ts";
import type { Secrets } from "../../config/secrets.ts";
import { pgbackrestConfigPath } from "../../cluster/archive.ts";
import { HomelabError } from "../../core/errors.ts";
import { readText, remove, writeAtomic } from "../../host/files.ts";
import { run } from "../../host/run.ts";
import { pgbackrestArgv, pgbackrestEnvironment } from "./command.ts";
import { SOON } from "./client.ts";
import { renderPgbackrest } from "./config.ts";
import { parseInfo } from "./info.ts";

/** pgBackRest's code of a repository that knows nothing of this cluster yet. */
const STANZA_MISSING = 1;

/** And of one that it could not read. */
const UNREADABLE = 99;

const PREFIX = "pgbackrest-only-";

/** The commands that take a lock. */
const LOCKING = new Set(["stanza-create"]);

/** One repository of an installation, whatever is the matter with the others. */
export interface Alone {
  topology: Topology;
  secrets: Secrets;
  repository: Repository;
}

/** Milliseconds after which a configuration of a process that died is certainly nobody's. */
const LEFT_BEHIND = 600_000;

async function removeLeftBehind(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(PREFIX)) continue;
    const at = await stat(join(folder, name)).catch(() => undefined);
    if (at && Date.now() - at.mtimeMs > LEFT_BEHIND) await remove(join(folder, name));
  }
}

/**
 * Runs pgBackRest with a configuration that knows one repository alone, since neither stanza-create nor check takes
 * --repo (2.45): with another one away, both would fail for all of them. Its lock is its own too: an archive-push that
 * waits for a repository that is away holds the common one.
 */
async function pgbackrestAlone(
  { topology, secrets, repository }: Alone,
  command: string,
  options: Record<string, string | number | true | undefined>,
  call: { signal?: AbortSignal; timeout: number },
): Promise<string> {
  const { run: folder } = topology.paths;
  await removeLeftBehind(folder);
  const config = join(folder, `${PREFIX}${randomBytes(6).toString("hex")}.conf`);
  const files = renderPgbackrest(topology, { repositories: [repository] }, secrets);
  try {
    for (const { path, content, mode } of files) {
      const target = path === pgbackrestConfigPath(topology.paths) ? config : path;
      if ((await readText(target)) !== content) await writeAtomic(target, content, mode);
    }
    const lock = LOCKING.has(command) ? { "lock-path": join(folder, `pgbackrest-${repository.number}`) } : {};
    const argv = pgbackrestArgv(topology, command, { config, ...options, ...lock });
    return (await run({ argv, env: pgbackrestEnvironment(topology), ...call })).stdout;
  } finally {
    await remove(config);
  }
}

/** Whether a repository knows this cluster. @throws HomelabError `process_failed` where it cannot be read */
export async function knowsCluster(alone: Alone, signal?: AbortSignal): Promise<boolean> {
  const options = { output: "json", repo: alone.repository.number, ...SOON };
  const { repositories } = parseInfo(await pgbackrestAlone(alone, "info", options, { signal, timeout: 60 }));
  const [state] = repositories;
  // It ends with 0 all the same (measured, 2.45).
  if (state?.code === UNREADABLE) throw new HomelabError("process_failed", state.message);
  return state !== undefined && state.code !== STANZA_MISSING;
}

/**
 * Makes the cluster's place in a repository; where it is made, nothing is changed. With `offline` it goes by the files
 * of a PostgreSQL that does not run. @throws HomelabError `process_failed`
 */
export async function makeStanzaIn(alone: Alone, signal?: AbortSignal, offline = false): Promise<void> {
  const options = { "no-online": offline ? (true as const) : undefined };
  await pgbackrestAlone(alone, "stanza-create", options, { signal, timeout: 110 });
}

/**
 * Proves that a segment of WAL arrives in a repository: pgBackRest switches to a new one, and waits for the old one
 * there. @throws HomelabError `process_failed`
 */
export async function checkArrival(alone: Alone, signal?: AbortSignal): Promise<void> {
  await pgbackrestAlone(alone, "check", { "archive-timeout": 100 }, { signal, timeout: 170 });
}

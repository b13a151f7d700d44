import { spawn, type ChildProcess } from "node:child_process";
import { statSync } from "node:fs";
import { readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { commandOf } from "../../src/host/processes.ts";
import { pidsOf } from "./engines.ts";
import type { TestHome } from "./home.ts";

/** Starts pgBackRest by hand for a home, as the user that the home belongs to: what we do not know of, but must live with. */
export function startPgbackrest(home: TestHome, ...words: string[]): ChildProcess {
  const argv = ["pgbackrest", `--config=${join(home.paths.etc, "pgbackrest.conf")}`, "--stanza=homelab", ...words];
  const { uid, gid } = statSync(home.root);
  const owner = process.getuid!() === 0 ? ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"] : [];
  const env = { PATH: process.env["PATH"]!, PGPASSFILE: join(home.paths.etc, "pgbackrest.pgpass") };
  const [program, ...rest] = [...owner, ...argv];
  return spawn(program!, rest, { env, cwd: "/", stdio: "ignore", detached: true });
}

/** The processes of a backup that is being made in a home, its workers with it. */
export const backupPids = (home: TestHome): number[] =>
  pidsOf(home.root).filter((pid) => /pgbackrest.* backup(:local)?/.test(commandOf(pid)));

/** Every file below a folder, as paths. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** The archived segments of a home's own repository, the oldest first. */
export async function archivedSegments(home: TestHome): Promise<string[]> {
  const files = await filesBelow(join(home.paths.backups, "archive", "homelab"));
  return files.filter((path) => /\/[0-9A-F]{24}-[0-9a-f]{40}/.test(path)).sort();
}

/** Makes files as old as if they had come so many seconds ago: what is young may only be on its way. */
export async function makeOlder(paths: string[], seconds: number): Promise<void> {
  const at = Date.now() / 1000 - seconds;
  for (const path of paths) await utimes(path, at, at);
}

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { HomePaths } from "../cluster/home.ts";
import { readJson, writeAtomic } from "./files.ts";
import type { ProcessSpec } from "./processes.ts";

/** What the agent should have running. Operations write it, the agent reads it. */
export interface DesiredServices {
  services: ProcessSpec[];
  /** False: everything is to be stopped, in reverse order, and the agent ends too. */
  up: boolean;
}

export const readDesired = (paths: HomePaths): Promise<DesiredServices | undefined> =>
  readJson<DesiredServices>(paths.services);

export const writeDesired = (paths: HomePaths, desired: DesiredServices): Promise<void> =>
  writeAtomic(paths.services, JSON.stringify(desired, null, 1));

/** For each file that a service read at its start or its last reload: the hash of what was in it then. */
export type AppliedFiles = Record<string, string>;

const appliedPath = (runFolder: string, name: string): string => join(runFolder, `${name}.applied`);

/** The hashes of the files as they are now; a missing one counts as empty. */
export function hashFiles(files: string[]): AppliedFiles {
  const hash = (path: string) => {
    try {
      return createHash("sha256").update(readFileSync(path)).digest("hex");
    } catch {
      return "";
    }
  };
  return Object.fromEntries(files.map((path) => [path, hash(path)]));
}

/** Notes that a service has now read its files. */
export const markApplied = (runFolder: string, name: string, hashes: AppliedFiles): Promise<void> =>
  writeAtomic(appliedPath(runFolder, name), JSON.stringify(hashes));

/** The files that changed since the service read them. */
export async function staleFiles(runFolder: string, spec: Pick<ProcessSpec, "name" | "files">): Promise<string[]> {
  const applied = (await readJson<AppliedFiles>(appliedPath(runFolder, spec.name))) ?? {};
  const now = hashFiles(spec.files);
  return spec.files.filter((path) => now[path] !== applied[path]);
}

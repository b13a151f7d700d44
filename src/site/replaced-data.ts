import { basename, dirname } from "node:path";
import type { HomePaths } from "../cluster/home.ts";
import { exists, readJson, writeAtomic } from "../host/files.ts";

/** A data directory that another one took the place of. */
export type ReplacedData = {
  path: string;
  /** When it was put aside, and by which run. */
  at: string;
  run: string;
  /** Until when it is kept. */
  until: string;
  systemIdentifier: string;
  /** What it was replaced by, for a person: "a restore to 2026-11-20T13:05:00Z". */
  by: string;
};

/** Where the present data directory is put: beside its place, since a rename reaches no other file system. */
export const replacedPath = ({ postgresData }: HomePaths, at: Date): string =>
  `${postgresData}.replaced-${at.toISOString().replace(/\D/g, "").slice(0, 14)}`;

/** Whether a path is one that this program gives: nothing else is ever removed by it. */
const isOurs = ({ postgresData }: HomePaths, path: string): boolean =>
  dirname(path) === dirname(postgresData) && /^postgres\.replaced-\d{14}$/.test(basename(path));

/** What is kept, the oldest first. What is noted and not there is left out: its run did not come so far. */
export async function readReplaced(paths: HomePaths): Promise<ReplacedData[]> {
  const noted = (await readJson<ReplacedData[]>(paths.replaced)) ?? [];
  const there = await Promise.all(noted.map(({ path }) => exists(path)));
  return noted.filter(({ path }, i) => there[i] && isOurs(paths, path));
}

/** Notes a directory that is about to be put aside. Repeatable. */
export async function noteReplaced(paths: HomePaths, entry: ReplacedData): Promise<void> {
  const others = ((await readJson<ReplacedData[]>(paths.replaced)) ?? []).filter(({ path }) => path !== entry.path);
  await writeAtomic(paths.replaced, `${JSON.stringify([...others, entry], null, 1)}\n`);
}

/** Forgets one that is in its place again, or gone. */
export async function forgetReplaced(paths: HomePaths, path: string): Promise<void> {
  const noted = (await readJson<ReplacedData[]>(paths.replaced)) ?? [];
  const others = noted.filter((each) => each.path !== path);
  if (others.length < noted.length) await writeAtomic(paths.replaced, `${JSON.stringify(others, null, 1)}\n`);
}

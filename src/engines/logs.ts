import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { HomePaths } from "../cluster/home.ts";
import { printable } from "../core/text.ts";

/** The log that a service writes now. PostgreSQL's own collector writes one file for each day of the week. */
export async function currentLog(paths: HomePaths, service: string): Promise<string> {
  if (service !== "postgres") return join(paths.logs, `${service}.log`);
  const names = (await readdir(paths.logs)).filter((name) => /^postgres-.*\.log$/.test(name));
  const dated = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(paths.logs, name))).mtimeMs })),
  );
  const newest = dated.sort((a, b) => b.at - a.at)[0];
  return join(paths.logs, newest?.name ?? "postgres.log");
}

/** The last `bytes` of a log as text; empty when there is none. */
export async function logTail(path: string, bytes = 8192): Promise<string> {
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    const length = Math.min(bytes, size);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString("utf8");
  } catch {
    return "";
  }
}

/** The last line of a service's log that is not empty: the first clue when it does not come up. */
export async function lastLogLine(paths: HomePaths, service: string): Promise<string | undefined> {
  const lines = (await logTail(await currentLog(paths, service))).split("\n").filter((line) => line.trim());
  const last = lines.at(-1);
  return last && `Its log ends with: ${printable(last.slice(0, 300))}`;
}

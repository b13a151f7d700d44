import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { HomePaths } from "../cluster/home.ts";
import { printable } from "../core/text.ts";

/**
 * Logs that come as several files. PostgreSQL's own collector writes one file of JSON for each day of the week; pgBackRest
 * one for each of its commands. Archiving is a matter of its own, and expiring follows each backup: both would always be
 * the newest.
 */
const SEVERAL: Record<string, { files: RegExp; none: string }> = {
  postgres: { files: /^postgres-.*\.json$/, none: "postgres.json" },
  pgbackrest: { files: /-(backup|restore|verify|check|annotate|stanza-\w+)\.log$/, none: "pgbackrest.log" },
  archiving: { files: /-archive-(push|get)-async\.log$/, none: "archiving.log" },
};

/** The log that a service writes now. */
export async function currentLog(paths: HomePaths, service: string): Promise<string> {
  const several = SEVERAL[service];
  if (!several) return join(paths.logs, `${service}.log`);
  const names = (await readdir(paths.logs)).filter((name) => several.files.test(name));
  const dated = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(paths.logs, name))).mtimeMs })),
  );
  const newest = dated.sort((a, b) => b.at - a.at)[0];
  return join(paths.logs, newest?.name ?? several.none);
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

/** What PostgreSQL's jsonlog writes for each event (PostgreSQL manual, 20.8.4), as far as it is shown. */
interface JsonLogEntry {
  timestamp?: string;
  pid?: number;
  user?: string;
  dbname?: string;
  error_severity?: string;
  message?: string;
  detail?: string;
  hint?: string;
}

/** A line of a log for a person: PostgreSQL's JSON as one sentence, every other line as it is. */
export function readableLine(line: string): string {
  if (!line.startsWith("{")) return line;
  try {
    const entry = JSON.parse(line) as JsonLogEntry;
    if (entry.message === undefined || entry.timestamp === undefined) return line;
    const who = entry.user ? ` ${entry.user}@${entry.dbname ?? ""}` : "";
    const more = [entry.detail, entry.hint]
      .filter(Boolean)
      .map((text) => ` (${text})`)
      .join("");
    return `${entry.timestamp} [${entry.pid}]${who} ${entry.error_severity}: ${entry.message}${more}`;
  } catch {
    // A line that is still being written.
    return line;
  }
}

/** The last line of a service's log that is not empty and fits: the first clue when it does not come up. */
export async function lastLogLine(paths: HomePaths, service: string, fits = /\S/): Promise<string | undefined> {
  const lines = (await logTail(await currentLog(paths, service))).split("\n").filter((line) => fits.test(line));
  const last = lines.at(-1);
  return last && `Its log ends with: ${printable(readableLine(last).slice(0, 300))}`;
}

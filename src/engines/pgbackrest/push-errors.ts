import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Topology } from "../../cluster/topology.ts";

/** Where asynchronous archiving notes what became of each segment (pgBackRest manual, spool-path). */
const notesOf = ({ paths, scope }: Topology): string => join(paths.archiveSpool, "archive", scope, "out");

/** Which repository a line of such a note is about: `repo2: [HostConnectError] unable to connect to …`. */
const LINE = /^repo(\d+): (.*)$/;

/**
 * Why segments of WAL could not be stored, by the number of the repository. pgBackRest writes it down for each segment
 * that is not everywhere yet, and takes the note away once it is.
 */
export async function pushErrors(topology: Topology): Promise<Map<number, string>> {
  const folder = notesOf(topology);
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".error"));
  const newest = names.sort().at(-1);
  const text = newest ? await readFile(join(folder, newest), "utf8").catch(() => "") : "";
  return parsePushErrors(text);
}

/** Reads one note: the first line is a code, each other one belongs to the repository that was named last. */
export function parsePushErrors(text: string): Map<number, string> {
  const found = new Map<number, string>();
  let number: number | undefined;
  for (const line of text.split("\n").slice(1)) {
    const match = LINE.exec(line);
    if (match) number = Number(match[1]);
    if (number !== undefined)
      found.set(number, [found.get(number), match ? match[2] : line].filter(Boolean).join("\n"));
  }
  return found;
}

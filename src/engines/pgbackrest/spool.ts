import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Topology } from "../../cluster/topology.ts";
import { readText } from "../../host/files.ts";

/**
 * What asynchronous archiving noted last for PostgreSQL's archiver, in one line; undefined when it has nothing to complain
 * of. Its files are a code and then the message (pgBackRest's src/command/archive/common.c).
 */
export async function archivingError({ paths, scope }: Topology): Promise<string | undefined> {
  const folder = join(paths.archiveSpool, "archive", scope, "out");
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".error"));
  const dated = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0 })),
  );
  const newest = dated.sort((a, b) => b.at - a.at)[0];
  const text = newest && (await readText(join(folder, newest.name)));
  const [, ...message] = text?.split("\n") ?? [];
  return inOneLine(message);
}

/** The first line often only says that there is more to come. */
function inOneLine(lines: string[]): string | undefined {
  const said = lines.map((line) => line.trim()).filter((line) => line !== "");
  return (
    said
      .slice(0, said[0]?.endsWith(":") ? 2 : 1)
      .join(" ")
      .slice(0, 300) || undefined
  );
}

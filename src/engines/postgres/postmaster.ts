import { join } from "node:path";
import { readText } from "../../host/files.ts";

/**
 * When the running postmaster started, as `pid/seconds` of its lock file (PostgreSQL manual, 73.1: postmaster.pid);
 * undefined when there is none.
 */
export async function postmasterStart(dataDirectory: string): Promise<string | undefined> {
  const lines = (await readText(join(dataDirectory, "postmaster.pid")))?.split("\n");
  return lines && lines.length > 2 ? `${lines[0]}/${lines[2]}` : undefined;
}

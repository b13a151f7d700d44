import { join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { parseDuration } from "../core/units.ts";
import type { HomePaths } from "./home.ts";
import type { Parameters } from "./sizing.ts";

/** pgBackRest resolves a relative path against the root: always this absolute one (measured, 2.45). */
export const pgbackrestConfigPath = (paths: Pick<HomePaths, "etc">): string => join(paths.etc, "pgbackrest.conf");

/** A word for the shell that PostgreSQL hands archive_command and restore_command to. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`;

/** Settings of PostgreSQL for archiving: nobody may change them, since every promise of going back stands on them. */
export function archiveParameters(pgbackrest: string, paths: HomePaths, settings: Settings): Parameters {
  const words = [pgbackrest, `--config=${pgbackrestConfigPath(paths)}`, `--stanza=${settings.name}`, "archive-push"];
  // In archive_command, %% is a percent sign and %p the segment (PostgreSQL manual, 20.5.3).
  const command = words.map((word) => shellWord(word).replace(/%/g, "%%")).join(" ");
  return {
    archive_mode: "on",
    archive_command: `${command} %p`,
    archive_timeout: `${Math.round(parseDuration(settings.backup.archive_timeout)!)}s`,
  };
}

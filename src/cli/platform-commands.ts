import type { Command } from "commander";
import { action } from "./action.ts";

/** What keeps the platform itself from being lost. */
export function addPlatform(program: Command): void {
  const platform = program.command("platform").description("the recovery kit: what a new machine needs");
  const load = async () => import("./commands/platform.ts");
  platform
    .command("kit")
    .alias("backup")
    .description("write an encrypted recovery kit, or try one")
    .option("--output <file>", "where it is written; in this folder by default")
    .option(
      "--passphrase-file <file>",
      "where the passphrase stands, - for standard input; else one is made, and shown once",
    )
    .option("--test <kit>", "write none, but prove that this one opens the newest backup")
    .option("--repository-path <dir>", "with --test: where the repository's disk is mounted now")
    .action(action(async () => (await load()).kit));
  platform
    .command("restore")
    .description("how an installation is had back: up --recover")
    .action(action(async () => (await load()).restore));
}

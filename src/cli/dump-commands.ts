import type { Command } from "commander";
import { action } from "./action.ts";

/** What is done with one database's dumps, below `db`. */
export function addDumps(db: Command): void {
  const load = async () => import("./commands/db-dump.ts");
  db.command("export <name> [file]")
    .description("a dump of one database as it is now (pg_dump --format=custom); - is standard output")
    .action(action(async () => (await load()).exportDatabase));
  db.command("import <name> [file]")
    .description("bring a dump into a new database, or an empty one: a custom archive, or SQL; - is standard input")
    .option("--dump <id>", "one of db list-backups --db, instead of a file")
    .option("--trust-dump", "I made this dump myself: old versions of pg_restore run what a crafted one tells them")
    .action(action(async () => (await load()).importDatabase));
  db.command("branch <name> <new>")
    .description("a copy of a database under a new name, with roles of its own")
    .option("--at <moment>", "as it was then, such as '2026-11-20 14:05'; as it is now by default")
    .option("--mask <file>", "YAML: what becomes of columns, by table")
    .action(action(async () => (await import("./commands/db-branch.ts")).branch));
}

import type { Command } from "commander";
import { action, collect, count, onNode } from "./action.ts";
import { addDumps } from "./dump-commands.ts";
import { addRestores } from "./restore-commands.ts";

/** What is done with databases. */
export function addDatabases(program: Command): void {
  const db = program.command("db").description("databases");
  const load = async () => import("./commands/db.ts");
  const loadChange = async () => import("./commands/db-change.ts");
  db.command("create <name>")
    .description("a database with its roles; prints its URLs. Again: the same ones")
    .option("--owner <role>", "the role that owns it")
    .option("--extension <name>", "an extension, may be repeated", collect)
    .option("--connection-limit <n>", "CONNECTION LIMIT of the app's role", count("--connection-limit"))
    .option("--statement-timeout <duration>", "statement_timeout of the app's role")
    .option("--template <database>", "the template to copy")
    .option("--protect", "db delete refuses from now on")
    .option("--no-protect", "db delete may again")
    .action(action(async () => (await loadChange()).create));
  db.command("list")
    .description("all databases")
    .option("--deleted", "those that can be brought back")
    .action(action(async () => (await load()).list));
  db.command("show <name>")
    .description("one database")
    .action(action(async () => (await load()).show));
  db.command("url <name>")
    .description("the URL of a database, with the password")
    .option("--pooled", "through the pooler, for apps (the default)")
    .option("--direct", "past the pooler: migrations, pg_dump, LISTEN")
    .option("--read-only", "as the read-only role")
    .option("--env", "as DATABASE_URL and DIRECT_URL")
    .option("--psql", "as a psql command")
    .option("--jdbc", "for Java")
    .option("--host <host>", "with another host name or address in it")
    .action(action(async () => (await load()).url));
  db.command("delete <name>")
    .description("take a database out of use; it can be brought back for a while")
    .action(action(async () => (await loadChange()).remove));
  db.command("undelete <name>")
    .description("bring a deleted database back")
    .action(action(async () => (await loadChange()).undelete));
  db.command("rotate <name>")
    .description("a new password; the old one works for a while")
    .option("--finish", "end the old password now")
    .action(action(async () => (await loadChange()).rotate));
  db.command("purge <deleted>")
    .description("drop a deleted database for good, once its time is up")
    .action(action(async () => (await loadChange()).purge));
  addBackups(db);
  addWatch(db);
  addRestores(db);
  addDumps(db);
  db.command("migrate")
    .description("the revision of the platform's own database")
    .option("--status", "how far it is, and what is pending")
    .action(action(async () => (await import("./commands/db-migrate.ts")).migrate));
  program
    .command("db-shell <database>")
    .description("open psql, past the pooler")
    .option("--replica", "on a replica")
    .option("--as <role>", "as this role instead of the superuser")
    .action(onNode(async () => (await import("./commands/db-shell.ts")).shell));
}

/** What backs up, and proves it. */
function addBackups(db: Command): void {
  const loadBackup = async () => import("./commands/db-backup.ts");
  db.command("backup [type]")
    .description("back the whole cluster up: full, diff or incr (the default)")
    .option("--db <name>", "dump this one database into the repository's folder instead")
    .option("--note <text>", "kept beside the backup")
    .option("--repository <name>", "only into this one")
    .action(action(async () => (await loadBackup()).backup));
  db.command("verify [backup]")
    .description("prove a backup: restore it beside the cluster, replay, check and read everything")
    .option("--latest", "the newest good one (the default)")
    .option("--to <moment>", "replay to this second; one at random by default")
    .action(action(async () => (await import("./commands/db-verify.ts")).verify));
  db.command("list-backups")
    .description("every backup, read from the repositories themselves")
    .option("--db <name>", "the dumps of this one database instead")
    .action(action(async () => (await loadBackup()).list));
}

/** What watches over the backups. */
function addWatch(db: Command): void {
  const loadTimetable = async () => import("./commands/db-timetable.ts");
  db.command("status")
    .description("what can be had back, when that was proven, and how the cluster is; the exit code tells")
    .action(action(async () => (await import("./commands/db-status.ts")).status));
  db.command("check")
    .description("read the repositories whole: every file against its checksum, and no WAL missing")
    .action(action(async () => (await loadTimetable()).check));
  const schedule = db.command("schedule").description("when backups, checks and proofs are made");
  schedule
    .command("show")
    .description("the timetable: what comes next, and when it was last")
    .action(action(async () => (await loadTimetable()).schedule));
  const retention = db.command("retention").description("which backups are kept");
  retention
    .command("preview")
    .description("what the next backups will remove, and what stays, and why")
    .action(action(async () => (await loadTimetable()).retention));
}

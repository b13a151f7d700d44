import type { Command } from "commander";
import { action, collect } from "./action.ts";

/** What is done to have something back. */
export function addRestores(db: Command): void {
  const load = async () => import("./commands/db-restore.ts");
  db.command("restore [backup]")
    .description("a database as it was, beside the present one: latest, or the id of a backup")
    .option("--db <name>", "the database")
    .option("--to <time>", 'as it was at this moment: "2026-11-20 14:05", or RFC 3339')
    .option("--latest", "as it is now")
    .option("--xid <id>", "up to and with this transaction")
    .option("--lsn <position>", "up to this position in the log")
    .option("--name <point>", "up to what pg_create_restore_point marked")
    .option("--as <name>", "the name that it gets; <database>_<date>_<time> by default")
    .option("--table <name>", "only this table, may be repeated", collect)
    .option("--in-place", "the whole cluster instead, in its own place; what was there is kept for a while")
    .option("--undo", "go back to before the last restore in place")
    .option("--discard-kept", "remove what restores in place replaced, before its time")
    .action(
      action(async () => {
        const [{ restore }, { inPlace }] = await Promise.all([load(), import("./commands/db-restore-in-place.ts")]);
        return (context, backup, flags) => {
          const isWhole = flags.inPlace || flags.undo || flags.discardKept;
          return (isWhole ? inPlace : restore)(context, backup, flags);
        };
      }),
    );
  db.command("list-restores")
    .description("what restores left beside their databases")
    .action(action(async () => (await load()).listRestores));
  db.command("switch-to <restored>")
    .description("put a restored database in the place of the present one, which is kept for a while")
    .action(action(async () => (await load()).switchTo));
  db.command("switch-back <name>")
    .description("undo a switch")
    .action(action(async () => (await load()).switchBack));
  db.command("discard <restored>")
    .description("drop a restored database that no app uses, or one that was replaced")
    .action(action(async () => (await load()).discard));
}

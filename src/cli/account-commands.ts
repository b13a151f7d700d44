import type { Command } from "commander";
import { action, collect, count } from "./action.ts";

/** Who may come in, and who did what. */
export function addAccounts(program: Command): void {
  addKeys(program.command("key").description("API keys"));
  addUsers(program.command("user").description("who can sign in to the dashboard"));
  program
    .command("audit")
    .description("who changed what, the newest first")
    .option("--actor <name>", "only by this one: user:ada, key:laptop, cli:root")
    .option("--action <name>", "only this: database.drop, say")
    .option("--limit <n>", "this many (50)", count("--limit"))
    .action(action(async () => (await import("./commands/audit.ts")).audit));
}

function addKeys(key: Command): void {
  const load = async () => import("./commands/key.ts");
  key
    .command("create <name>")
    .description("make an API key; it is printed this once")
    .option("--scope <scope>", "what it may: read (the default), provision, operate, admin; may be repeated", collect)
    .option("--expires <duration>", "it ends after so long: 90d")
    .action(action(async () => (await load()).create));
  key
    .command("list")
    .description("all keys, without what would open anything")
    .action(action(async () => (await load()).list));
  key
    .command("revoke <prefix>")
    .description("end a key at once; the prefix is how the list shows it")
    .action(action(async () => (await load()).revoke));
}

function addUsers(user: Command): void {
  const load = async () => import("./commands/user.ts");
  const file = [
    "--password-file <file>",
    "where the password stands; else it is asked for, or read from standard input",
  ] as const;
  user
    .command("add <name>")
    .description("add a user")
    .option("--role <role>", "viewer (the default), operator or admin")
    .option(...file)
    .action(action(async () => (await load()).add));
  user
    .command("list")
    .description("everybody who can sign in")
    .action(action(async () => (await load()).list));
  user
    .command("set-role <name> <role>")
    .description("make somebody viewer, operator or admin")
    .action(action(async () => (await load()).setRole));
  user
    .command("set-password <name>")
    .description("give somebody a new password; every session of theirs ends")
    .option(...file)
    .action(action(async () => (await load()).setPassword));
  user
    .command("disable <name>")
    .description("let somebody sign in no more")
    .action(action(async () => (await load()).disable));
  user
    .command("enable <name>")
    .description("let somebody sign in again")
    .action(action(async () => (await load()).enable));
  user
    .command("remove <name>")
    .description("remove a user")
    .action(action(async () => (await load()).remove));
  user
    .command("setup-link")
    .description("a link, good for once, by which a browser makes an admin")
    .action(action(async () => (await load()).setupLink));
}

import type { Command } from "commander";
import { HomelabError } from "../core/errors.ts";
import type { Context } from "./context.ts";

/** What a command's own file exports: a function of the context, its arguments and its flags. */
// Each command has other arguments; the table below is where they are put together.
// oxlint-disable-next-line no-explicit-any
type Handler = (context: Context, ...args: any[]) => Promise<void>;

const count = (name: string) => (text: string) => {
  if (!/^\d+$/.test(text)) throw new HomelabError("usage", `${name} ${text}: expected a whole number`);
  return Number(text);
};
const collect = (value: string, before: string[] = []) => [...before, ...value.split(",")];

/** Each command is loaded when it is called, and only then: a start costs what one command needs. */
function action(load: () => Promise<Handler>) {
  return async (...args: unknown[]) => {
    const command = args.at(-1) as Command;
    const own = args.slice(0, -2);
    const [{ makeContext }, handler] = await Promise.all([import("./context.ts"), load()]);
    const flags = flagsOf(command);
    const context = makeContext(flags);
    try {
      await handler(context, ...own, flags);
    } finally {
      await context.close();
    }
  };
}

/** The flags of a command and of those above it: what was given wins over a default, and the nearer one over the farther. */
function flagsOf(command: Command): Record<string, unknown> {
  const chain: Command[] = [];
  for (let at: Command | null = command; at; at = at.parent) chain.unshift(at);
  const flags: Record<string, unknown> = {};
  for (const each of chain)
    for (const [name, value] of Object.entries(each.opts()))
      if (!(name in flags) || each.getOptionValueSource(name) !== "default") flags[name] = value;
  return flags;
}

/** The command tree: noun, then verb. */
export function addCommands(program: Command): void {
  addMachine(program);
  addDatabases(program);
  addOperations(program);
  addOthers(program);
}

function addMachine(program: Command): void {
  program
    .command("up")
    .description("set up what is missing, start everything, print where things are")
    .option(
      "--port-offset <n>",
      "added to every port: a second home on one machine; kept in homelab.yaml",
      count("--port-offset"),
    )
    .option("--listen <where>", "private, loopback, or addresses separated by commas; kept in homelab.yaml")
    .action(action(async () => (await import("./commands/up.ts")).up));
  program
    .command("down")
    .description("stop everything on this machine; the data stays")
    .action(action(async () => (await import("./commands/down.ts")).down));
  program
    .command("restart [service]")
    .description("restart one service, or all; pooled clients wait while PostgreSQL restarts")
    .action(action(async () => (await import("./commands/restart.ts")).restart));
  program
    .command("logs <service>")
    .description("a service's log: agent, etcd, patroni, postgres, haproxy, pgbouncer, pgbouncer-ro")
    .option("-f, --follow", "go on as it grows")
    .option("--since <duration>", "only the last 30min, 1h, 2d")
    .option("--level <level>", "only lines from this level up: warn, error")
    .option("--tail <n>", "this many lines at the end (200)")
    .action(action(async () => (await import("./commands/logs.ts")).logs));
  program
    .command("status")
    .description("one screen; the exit code tells")
    .action(action(async () => (await import("./commands/status.ts")).status));
  program
    .command("health")
    .description("every check; the exit code tells")
    .option("--verbose", "every check, and what is known of the engines' versions")
    .option("--output-format <format>", "text or json")
    .action(action(async () => (await import("./commands/health.ts")).health));
}

function addDatabases(program: Command): void {
  const db = program.command("db").description("databases");
  const load = async () => import("./commands/db.ts");
  // The operations are a load of their own, which looking does without.
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
  program
    .command("db-shell <database>")
    .description("open psql, past the pooler")
    .option("--replica", "on a replica")
    .option("--as <role>", "as this role instead of the superuser")
    .action(action(async () => (await load()).shell));
}

function addOperations(program: Command): void {
  const op = program.command("op").description("operations: what was done, and what goes on");
  const load = async () => import("./commands/op.ts");
  op.command("list")
    .description("the latest operations, the newest first")
    .option("--limit <n>", "this many (20)")
    .action(action(async () => (await load()).list));
  op.command("show <id>")
    .description("one operation, with its steps")
    .action(action(async () => (await load()).show));
  op.command("watch <id>")
    .description("follow an operation to its end")
    .action(action(async () => (await load()).watch));
  op.command("cancel <id>")
    .description("stop an operation at its next step, and take back what it did")
    .action(action(async () => (await load()).cancel));
  op.command("retry <id>")
    .description("an operation again, with the same input; what is done is skipped")
    .action(action(async () => (await load()).retry));
}

function addOthers(program: Command): void {
  const config = program.command("config").description("settings");
  const load = async () => import("./commands/config.ts");
  config
    .command("show")
    .description("every value in force, and where it comes from")
    .action(action(async () => (await load()).show));
  config
    .command("schema")
    .description("the JSON schema of homelab.yaml")
    .action(action(async () => (await load()).schema));
  program
    .command("completion <shell>")
    .description("completion for bash, zsh or fish")
    .action(action(async () => (await import("./commands/completion.ts")).completion));
  program
    .command("complete [words...]", { hidden: true })
    .allowUnknownOption()
    .action(action(async () => (await import("./commands/completion.ts")).complete(program)));
  program
    .command("install-packages [names...]", { hidden: true })
    .action(action(async () => (await import("./commands/install-packages.ts")).installPackagesCommand));
}

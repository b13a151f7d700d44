import type { Command } from "commander";
import { addAccounts } from "./account-commands.ts";
import { action, count, onNode } from "./action.ts";
import { addDatabases } from "./database-commands.ts";
import { addStorage } from "./storage-commands.ts";
import { addPlatform } from "./platform-commands.ts";

/** The command tree: noun, then verb. */
export function addCommands(program: Command): void {
  addMachine(program);
  addDatabases(program);
  addStorage(program);
  addOperations(program);
  addAccounts(program);
  addPlatform(program);
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
    .option("--recover <kit>", "bring a lost installation back, from its recovery kit and its repository")
    .option("--passphrase-file <file>", "where the kit's passphrase stands, - for standard input; else it is asked for")
    .option("--to <time>", "with --recover: back to that second instead of the last one")
    .option("--repository-path <dir>", "with --recover: where the repository's disk is mounted now")
    .option("--force", "with --recover: although the repository was written to a moment ago")
    .action(onNode(async () => (await import("./commands/up.ts")).up));
  program
    .command("down")
    .description("stop everything on this machine; the data stays")
    .action(onNode(async () => (await import("./commands/down.ts")).down));
  program
    .command("restart [service]")
    .description("restart one service, or all; pooled clients wait while PostgreSQL restarts")
    .action(action(async () => (await import("./commands/restart.ts")).restart));
  program
    .command("logs <service>")
    .description(
      "a service's log: agent, hub, etcd, patroni, postgres, haproxy, pgbouncer, pgbouncer-ro, pgbackrest, archiving",
    )
    .option("-f, --follow", "go on as it grows")
    .option("--since <duration>", "only the last 30min, 1h, 2d")
    .option("--level <level>", "only lines from this level up: warn, error")
    .option("--tail <n>", "this many lines at the end (200)", count("--tail"))
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

function addOperations(program: Command): void {
  const op = program.command("op").description("operations: what was done, and what goes on");
  const load = async () => import("./commands/op.ts");
  op.command("list")
    .description("the latest operations, the newest first")
    .option("--limit <n>", "this many (20)", count("--limit"))
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
    .action(onNode(async () => (await load()).show));
  config
    .command("schema")
    .description("the JSON schema of homelab.yaml")
    .action(onNode(async () => (await load()).schema));
  program
    .command("api <method> <path> [body]")
    .description("one request to the API, and its answer as it is; the body - is read from standard input")
    .action(action(async () => (await import("./commands/api.ts")).api));
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
    .action(onNode(async () => (await import("./commands/install-packages.ts")).installPackagesCommand));
}

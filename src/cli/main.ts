import { Command, CommanderError } from "commander";
import { HomelabError } from "../core/errors.ts";
import { addCommands } from "./commands.ts";
import { reportError } from "./report-error.ts";

declare const HOMELAB_VERSION: string;

/** The whole command line, without anything that a single command needs. */
export function makeProgram(): Command {
  const program = new Command("homelab")
    .description("PostgreSQL for people who run their own machines")
    .version(HOMELAB_VERSION, "-V, --version")
    .option("--home <dir>", "where the installation lives")
    .option("--config <file>", "settings, instead of homelab.yaml in the home")
    .option("--env <name>", "overlay: config/overlays/<name>.yaml over the settings")
    .option("--json", "the API's body on standard output")
    .option("-y, --yes", "do not ask")
    .option("--confirm <name>", "the name of what may be destroyed")
    .option("--dry-run", "say what would be done, and do nothing")
    .option("--no-wait", "begin, print the operation's id, and leave it running")
    .option("--timeout <seconds>", "leave it running after so long")
    .option("--no-color", "no colour")
    .option("--debug", "with an error, where it came from")
    .showHelpAfterError("(homelab --help lists the commands)")
    .showSuggestionAfterError()
    .enablePositionalOptions(false)
    .exitOverride();
  addCommands(program);
  return program;
}

/** Flags may stand anywhere: commander knows a parent's flag only before its subcommand, so ours are known to all. */
function shareOptions(program: Command, command: Command): void {
  for (const child of command.commands) {
    for (const option of program.options) {
      const taken = child.options.some((own) => own.long === option.long || (own.short && own.short === option.short));
      if (!taken && option.long !== "--version")
        child.addOption(
          Object.assign(Object.create(Object.getPrototypeOf(option) as object), option, { hidden: true }),
        );
    }
    child.exitOverride();
    shareOptions(program, child);
  }
}

async function main(): Promise<number> {
  const program = makeProgram();
  shareOptions(program, program);
  if (process.argv.includes("--no-color")) process.env["NO_COLOR"] = "1";
  try {
    await program.parseAsync();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return reportError(error, { json: process.argv.includes("--json"), debug: process.argv.includes("--debug") });
  }
}

// A closed pipe (head, less) is a wish to stop, not a failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
process.on("unhandledRejection", (error) =>
  process.exit(reportError(error ?? new HomelabError("failed", "unknown"), { json: false, debug: true })),
);
process.exit(await main());

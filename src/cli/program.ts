import { Command } from "commander";
import { addCommands } from "./commands.ts";

/** The whole command line, without anything that a single command needs. */
export function makeProgram(version: string): Command {
  const program = new Command("homelab")
    .description("PostgreSQL for people who run their own machines")
    .version(version, "-V, --version")
    .option("--home <dir>", "where the installation lives")
    .option("--config <file>", "settings, instead of homelab.yaml in the home")
    .option("--env <name>", "overlay: config/overlays/<name>.yaml over the settings")
    .option("--json", "the API's body on standard output")
    .option("-y, --yes", "do not ask")
    .option("--confirm <name>", "the name of what may be destroyed")
    .option("--dry-run", "say what would be done, and do nothing")
    .option("--no-wait", "begin, print the operation's id, and leave it running")
    .option("--timeout <seconds>", "leave it running after so long")
    .option("--local", "do it in this process, without the hub; on the node itself")
    .option("--no-color", "no colour")
    .option("--debug", "with an error, where it came from")
    .showHelpAfterError("(homelab --help lists the commands)")
    .showSuggestionAfterError()
    // What stands behind a verb is the verb's: db url has an --env of its own.
    .enablePositionalOptions()
    .exitOverride();
  addCommands(program);
  return program;
}

/** Flags may stand anywhere: commander knows a parent's flag only before its subcommand, so ours are known to all. */
export function shareOptions(program: Command, command: Command = program): void {
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

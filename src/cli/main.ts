import { CommanderError } from "commander";
import { HomelabError } from "../core/errors.ts";
import { makeProgram, shareOptions } from "./program.ts";
import { reportError } from "./report-error.ts";

declare const HOMELAB_VERSION: string;

async function main(): Promise<number> {
  const program = makeProgram(HOMELAB_VERSION);
  shareOptions(program);
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

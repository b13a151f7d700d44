import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { runAgent } from "./agent.ts";

const { values } = parseArgs({ options: { home: { type: "string" } } });
if (!values.home) throw new Error("--home is missing");
// Set rather than left to chores that may hang on a dead engine.
process.exit(await runAgent(values.home, dirname(fileURLToPath(import.meta.url))));

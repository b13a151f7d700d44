import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { runHub } from "./hub.ts";

declare const HOMELAB_VERSION: string;

const { values } = parseArgs({
  options: {
    home: { type: "string" },
    /** A second hub of the same home: with a name, doors and a journal of its own. */
    instance: { type: "string" },
    port: { type: "string" },
    "peer-port": { type: "string" },
  },
});
if (!values.home) throw new Error("--home is missing");
const code = await runHub({
  root: values.home,
  folder: dirname(fileURLToPath(import.meta.url)),
  version: HOMELAB_VERSION,
  instance: values.instance,
  port: values.port === undefined ? undefined : Number(values.port),
  peerPort: values["peer-port"] === undefined ? undefined : Number(values["peer-port"]),
});
process.exit(code);

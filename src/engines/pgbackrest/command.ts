import { pgbackrestConfigPath } from "../../cluster/archive.ts";
import type { Topology } from "../../cluster/topology.ts";
import { cleanEnvironment } from "../../host/run.ts";
import { pgbackrestPgpass } from "./config.ts";

/** Words that pgBackRest is called with; the first is the program. */
type Argv = [string, ...string[]];

type Options = Record<string, string | number | true | string[] | undefined>;

/** One call: the command with its options, for this cluster's stanza (pgBackRest's word for a cluster's place in a repository). */
export function pgbackrestArgv(topology: Topology, command: string, options: Options = {}, ...rest: string[]): Argv {
  const { config = pgbackrestConfigPath(topology.paths), ...others } = options;
  const words = Object.entries(others).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (Array.isArray(value)) return value.map((each) => `--${name}=${each}`);
    return [value === true ? `--${name}` : `--${name}=${value}`];
  });
  const named = [`--config=${String(config)}`, `--stanza=${topology.scope}`];
  return [topology.programs.pgbackrest, ...named, ...words, command, ...rest];
}

/** What pgBackRest sees of the environment: the way to its login, and nothing else. */
export const pgbackrestEnvironment = (topology: Topology): Record<string, string> =>
  cleanEnvironment({ PGPASSFILE: pgbackrestPgpass(topology) });

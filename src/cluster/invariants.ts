import { isLoopback, isPrivateAddress, type Topology } from "./topology.ts";
import { risksOf, formatVersion } from "./versions.ts";

/** A rule across engines that does not hold: the sentence, and what to do. */
export interface Violation {
  rule: string;
  says: string;
  hint: string;
}

/** Linux's limit for the path of a unix socket (unix(7), sun_path). */
const SOCKET_PATH_LIMIT = 107;

/** Asks every rule; an empty list means that the topology holds. Nothing may start otherwise. */
export function violations(topology: Topology): Violation[] {
  return [
    uniquePorts(topology),
    portsInRange(topology),
    poolFitsPostgres(topology),
    homePathIsPlain(topology),
    socketPathFits(topology),
    patroniTimes(topology),
    publicOnlyWhenNamed(topology),
    ...refusedVersions(topology),
  ].filter((found) => found !== undefined);
}

function uniquePorts({ ports }: Topology): Violation | undefined {
  const names = Object.entries(ports);
  const clash = names.find(([, port], i) => names.findIndex(([, other]) => other === port) !== i);
  if (!clash) return undefined;
  const holders = names.filter(([, port]) => port === clash[1]).map(([name]) => name);
  return {
    rule: "ports-unique",
    says: `port ${clash[1]} is given twice: ${holders.join(" and ")}`,
    hint: "Change one of them under network.ports.",
  };
}

function portsInRange({ ports }: Topology): Violation | undefined {
  const high = Object.entries(ports).find(([, port]) => port > 65535);
  if (!high) return undefined;
  return {
    rule: "ports-in-range",
    says: `port ${high[1]} (${high[0]}) is above 65535`,
    hint: "Make network.port_offset smaller.",
  };
}

function poolFitsPostgres({ settings, parameters }: Topology): Violation | undefined {
  const { default_pool_size, max_db_connections } = settings.database;
  const most = Number(parameters["max_connections"]);
  if (default_pool_size > max_db_connections) {
    return {
      rule: "pools-fit",
      says: `a pool of ${default_pool_size} is larger than max_db_connections (${max_db_connections})`,
      hint: "Raise database.max_db_connections or lower database.default_pool_size.",
    };
  }
  if (max_db_connections + 20 <= most) return undefined;
  return {
    rule: "pools-fit",
    says: `max_db_connections (${max_db_connections}) leaves less than 20 of PostgreSQL's ${most} connections for everything else`,
    hint: "Raise postgres.extra.max_connections or lower database.max_db_connections.",
  };
}

/** Engines' files have no way to write such a path: HAProxy and PgBouncer split at the space (S03). */
function homePathIsPlain({ paths }: Topology): Violation | undefined {
  const odd = /[^\p{L}\p{N}/._+@~-]/u.exec(paths.root)?.[0];
  if (odd === undefined) return undefined;
  return {
    rule: "home-path",
    says: `the home's path holds ${JSON.stringify(odd)}, which not every engine can read`,
    hint: "Choose a --home of letters, digits and / . _ - + @ ~",
  };
}

function socketPathFits({ paths, ports }: Topology): Violation | undefined {
  const longest = `${paths.run}/.s.PGSQL.${Math.max(...Object.values(ports))}.lock`;
  const bytes = Buffer.byteLength(longest);
  if (bytes <= SOCKET_PATH_LIMIT) return undefined;
  return {
    rule: "socket-path",
    says: `the home's path is too long for a unix socket (${bytes} of ${SOCKET_PATH_LIMIT} bytes)`,
    hint: "Choose a shorter --home.",
  };
}

function patroniTimes({ settings }: Topology): Violation | undefined {
  const { ttl, loop_wait, retry_timeout } = settings.patroni;
  if (loop_wait + 2 * retry_timeout <= ttl) return undefined;
  return {
    rule: "patroni-times",
    says: `loop_wait + 2 × retry_timeout (${loop_wait + 2 * retry_timeout}) exceeds ttl (${ttl})`,
    hint: "Patroni's rule (manual, Dynamic configuration settings). Raise patroni.ttl.",
  };
}

function publicOnlyWhenNamed({ listen, settings }: Topology): Violation | undefined {
  const named = Array.isArray(settings.network.listen);
  const open = listen.find((address) => !isLoopback(address) && !isPrivateAddress(address));
  if (!open || named) return undefined;
  return {
    rule: "no-public-address",
    says: `${open} can be reached from outside`,
    hint: "Name it under network.listen if that is wanted.",
  };
}

function refusedVersions({ versions, nodes }: Topology): Violation[] {
  return risksOf(versions, nodes.length)
    .filter((risk) => risk.effect === "refuse")
    .map((risk) => ({
      rule: "versions",
      says: `${risk.engine} ${formatVersion(versions[risk.engine])} is below ${risk.below}: ${risk.says}`,
      hint: `Install a newer ${risk.engine} (Debian 13 has one). Source: ${risk.source}.`,
    }));
}

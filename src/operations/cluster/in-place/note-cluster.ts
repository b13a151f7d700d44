import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { LOOKUP_ROLE, MONITOR_ROLE, PLATFORM_ROLE } from "../../../cluster/platform-roles.ts";
import { HomelabError } from "../../../core/errors.ts";
import type { Json } from "../../../core/json.ts";
import { readControlData } from "../../../engines/postgres/control-data.ts";
import { databaseSizes, listDatabases } from "../../../engines/postgres/databases.ts";
import { isSystemDatabase } from "../../../engines/postgres/names.ts";
import type { Session } from "../../../engines/postgres/sessions.ts";
import { readJson } from "../../../host/files.ts";
import { replacedPath } from "../../../site/replaced-data.ts";
import type { Site } from "../../../site/site.ts";
import type { Guard, Step, StepContext } from "../../operation.ts";

/** A database that goes to another moment with the cluster. */
type Affected = { name: string; bytes: number; connections: number };

/** What is there before anything is changed; every later step means the same by it. */
export type Noted = {
  /** Where the present data directory is put, and when. */
  aside: string;
  at: string;
  systemIdentifier: string;
  /** Whether PostgreSQL answered. A restore is wanted most where it does not. */
  answers: boolean;
  databases: Affected[];
};

/** What the first step found. */
export const noted = ({ output }: Pick<StepContext<unknown>, "output">): Noted => output<Noted>("note-cluster")!;

/** The superuser's session, or undefined where PostgreSQL does not answer. */
export async function sessionIfThere(site: Site): Promise<Session | undefined> {
  try {
    const admin = await (await site.postgres()).admin();
    await admin.query("SELECT 1");
    return admin;
  } catch {
    return undefined;
  }
}

/** Whose sessions are the platform's own: their end harms nobody. */
export const OWN_LOGINS = ["postgres", "replicator", "rewind", MONITOR_ROLE, LOOKUP_ROLE, PLATFORM_ROLE];

const CONNECTIONS = `
  SELECT datname AS name, count(*)::int AS connections FROM pg_catalog.pg_stat_activity
  WHERE backend_type = 'client backend' AND usename <> ALL ($1) GROUP BY datname`;

/** Every database that goes, with what would be cut: the platform's own records do not go. */
async function affectedDatabases(session: Session): Promise<Affected[]> {
  const [rows, sizes, counts] = await Promise.all([
    listDatabases(session),
    databaseSizes(session),
    session.query<{ name: string; connections: number }>(CONNECTIONS, [OWN_LOGINS]),
  ]);
  const connections = new Map(counts.map((row) => [row.name, row.connections]));
  return rows
    .filter(({ name }) => !isSystemDatabase(name))
    .map(({ name, oid }) => ({ name, bytes: sizes[oid] ?? 0, connections: connections.get(name) ?? 0 }));
}

/**
 * The cluster's own identifier. What lies in the data directory must be the cluster that was set up here, or broken: it may
 * be another's, that somebody put there.
 * @throws HomelabError `restore_refused`
 */
export async function ownIdentifier({ topology }: Site): Promise<string> {
  const { paths } = topology;
  const made = await readJson<{ system_identifier: string | null }>(paths.bootstrapped);
  const found = await readControlData(topology, paths.postgresData);
  const own = made?.system_identifier ?? found?.systemIdentifier;
  if (!made || !own)
    throw new HomelabError("restore_refused", "no cluster was set up here", {
      hint: "homelab up sets one up; homelab up --recover brings one back from a recovery kit.",
    });
  if (!found || found.systemIdentifier === own) return own;
  throw new HomelabError(
    "restore_refused",
    `${paths.postgresData} is of another cluster: its system identifier is ${found.systemIdentifier}, and ours ${own}`,
    { hint: "Somebody put it there. Put it elsewhere before anything is restored in its place." },
  );
}

/** What has to be told before: all databases, since a cluster's backup is one. */
export async function whatGoes({ site }: StepContext<unknown>, how: string): Promise<string> {
  const session = await sessionIfThere(site);
  if (!session) return `ALL DATABASES go ${how}; PostgreSQL does not answer, so it cannot be told which`;
  const databases = await affectedDatabases(session);
  const cut = databases.reduce((sum, { connections }) => sum + connections, 0);
  const names = databases.map(({ name }) => name).join(", ");
  const which = databases.length > 0 ? ` (${names})` : "";
  const count = databases.length === 1 ? "THE ONE DATABASE goes" : `ALL ${databases.length} DATABASES go`;
  return `${count} ${how}; ${cut} ${cut === 1 ? "connection" : "connections"} will be cut${which}`;
}

/** Settles what all later steps need. `more` is what only one of the operations does. */
export function noteCluster<In>(
  plan: (context: StepContext<In>) => Promise<string>,
  more: (context: StepContext<In>) => Promise<Record<string, Json>>,
): Step<In> {
  return {
    name: "note-cluster",
    plan,
    async run(context) {
      const { site } = context;
      const systemIdentifier = await ownIdentifier(site);
      const session = await sessionIfThere(site);
      const at = new Date(site.clock.now());
      const output: Noted = {
        aside: replacedPath(site.topology.paths, at),
        at: at.toISOString(),
        systemIdentifier,
        answers: session !== undefined,
        databases: session ? await affectedDatabases(session) : [],
      };
      const cut = output.databases.reduce((sum, { connections }) => sum + connections, 0);
      const says = session ? `${output.databases.length} databases, ${cut} connections` : "PostgreSQL does not answer";
      return { says, output: { ...output, ...(await more(context)) } };
    },
    deadline: 120,
  };
}

/** A data directory that is a file system of its own, or has tablespaces elsewhere, cannot be put aside by a rename. */
export const canBePutAside: Guard<unknown> = async ({ site }) => {
  const { paths } = site.topology;
  await ownIdentifier(site);
  const beside = "Restore beside: homelab db restore <id> --db NAME --as NEW.";
  const [data, parent] = await Promise.all([stat(paths.postgresData).catch(() => undefined), stat(paths.data)]);
  if (data && data.dev !== parent.dev)
    throw new HomelabError("restore_refused", `${paths.postgresData} is a file system of its own`, {
      hint: `Mount it at the home instead. ${beside}`,
    });
  const tablespaces = await readdir(join(paths.postgresData, "pg_tblspc")).catch(() => []);
  if (tablespaces.length === 0) return;
  throw new HomelabError("restore_refused", `${tablespaces.length} tablespaces are outside of the data directory`, {
    hint: beside,
  });
};

import { waitUntil } from "../../core/clock.ts";
import { parseDuration } from "../../core/units.ts";
import { anchorComment, type Anchor } from "../../engines/postgres/anchor.ts";
import * as ddl from "../../engines/postgres/ddl.ts";
import { endSessions, findAnchor } from "../../engines/postgres/databases.ts";
import { rolesOf } from "../../engines/postgres/names.ts";
import { findRoles } from "../../engines/postgres/roles.ts";
import type { Session } from "../../engines/postgres/sessions.ts";
import type { Step, StepContext } from "../operation.ts";
import { areMoved, moveCredentials } from "../../site/credentials.ts";

export interface DropInput {
  name: string;
}

/** What the first step of a deletion settles for all later ones. */
export type Refused = { deletedName: string; dump: string; connectionLimit: number };

/** A database and its roles under other names, in one transaction: there is no moment with half of it. */
export async function renameWithRoles(session: Session, from: string, to: string, anchor: Anchor): Promise<string[]> {
  const [old, next] = [rolesOf(from), rolesOf(to)];
  const known = await findRoles(session, Object.values(old));
  const keys = (Object.keys(old) as (keyof typeof old)[]).filter((key) => known.has(old[key]));
  return [
    ddl.renameDatabase(from, to),
    ...keys.map((key) => ddl.renameRole(old[key], next[key])),
    // A role's setting names the owner by its text, so it has to follow.
    ...keys
      .filter((key) => key === "app" || key === "appAlternate")
      .map((key) => ddl.setForRole(next[key], "role", anchor.owner)),
    ddl.commentOnRole(next.app, anchorComment(anchor)),
  ];
}

/** PostgreSQL's code for "somebody is still connected". */
const OBJECT_IN_USE = "55006";

/** Runs a rename, ending whoever slipped in meanwhile. */
export async function renameWhenQuiet(
  session: Session,
  database: string,
  statements: string[],
  signal: AbortSignal,
): Promise<void> {
  const attempt = async () => {
    try {
      await session.transaction(statements);
      return true;
    } catch (error) {
      if ((error as { code?: string }).code !== OBJECT_IN_USE) throw error;
      await endSessions(session, database);
      return false;
    }
  };
  await waitUntil(attempt, { timeout: 20, every: 100, signal, what: `${database} is free of sessions` });
}

function deletedAnchor(context: StepContext<DropInput>, anchor: Anchor): Anchor {
  const { deletedName, dump, connectionLimit } = context.output<Refused>("refuse-connections")!;
  const now = context.site.clock.now();
  const within = parseDuration(context.site.topology.settings.database.undelete_within)!;
  const ours = anchor.owner === rolesOf(anchor.database).owner;
  return {
    ...anchor,
    owner: ours ? rolesOf(deletedName).owner : anchor.owner,
    deleted: {
      name: deletedName,
      at: new Date(now).toISOString(),
      until: new Date(now + within * 1000).toISOString(),
      dump,
      connectionLimit,
    },
  };
}

/** The point of no return of a deletion; from here, only undelete leads back. */
export const renameAway: Step<DropInput> = {
  name: "rename-away",
  plan: ({ input }) => `rename ${input.name} and its roles away, and close it`,
  async run(context) {
    const { input, site, signal } = context;
    const { deletedName } = context.output<Refused>("refuse-connections")!;
    const sessions = await site.postgres();
    await sessions.leave();
    const admin = await sessions.admin();
    const anchor = await findAnchor(admin, input.name);
    // Died after the rename and before its line: it is done.
    if (!anchor && (await findAnchor(admin, deletedName))) return { says: `${input.name} was renamed` };
    const rename = await renameWithRoles(admin, input.name, deletedName, deletedAnchor(context, anchor!));
    await renameWhenQuiet(admin, input.name, [...rename, ddl.allowConnections(deletedName, false)], signal);
    return { says: `${input.name} is now ${deletedName}` };
  },
  barrier: true,
  deadline: 30,
};

/** The credentials wait with their database. */
export const keepCredentials: Step<DropInput> = {
  name: "keep-credentials",
  plan: () => "keep the credentials with it",
  check: async (context) => {
    const refused = context.output<Refused>("refuse-connections");
    return refused !== undefined && areMoved(context.site.topology.paths, context.input.name, refused.deletedName);
  },
  async run({ input, site, output }) {
    await moveCredentials(site.topology.paths, input.name, output<Refused>("refuse-connections")!.deletedName);
    return { says: "credentials kept" };
  },
  deadline: 10,
};

import { join } from "node:path";
import { pgpassLine } from "../engines/pgpass.ts";
import { conninfo } from "../engines/postgres/dump.ts";
import { pinnedOptions } from "../engines/postgres/pinned.ts";
import { remove, writeAtomic } from "../host/files.ts";
import { cleanEnvironment, runAny } from "../host/run.ts";
import { readCredentials } from "../site/credentials.ts";
import { requireDatabase } from "../site/find-database.ts";
import type { Site } from "../site/site.ts";
import { HomelabError } from "../core/errors.ts";

/**
 * psql past the pooler. As the superuser by default: who can read the home is its master already. The password is in
 * a file of this session alone, never in an argument or a variable.
 */
export async function openShell(site: Site, database: string, as: string | undefined): Promise<void> {
  const { topology } = site;
  const admin = await (await site.postgres()).admin();
  if (database !== "postgres") await requireDatabase(admin, database);
  const { user, password } = await loginFor(site, database, as);
  await site.close();
  const pgpass = join(topology.paths.run, `shell-${process.pid}.pgpass`);
  await writeAtomic(pgpass, pgpassLine(password));
  try {
    const env = cleanEnvironment({ PGPASSFILE: pgpass, ...pinnedFor(site, user), ...terminalVariables() });
    const result = await runAny({
      argv: [join(topology.programs.postgresBin, "psql"), conninfo(topology, database, user)],
      env,
      inherit: true,
    });
    process.exitCode = result.exitCode ?? 1;
  } finally {
    await remove(pgpass);
  }
}

async function loginFor(
  site: Site,
  database: string,
  as: string | undefined,
): Promise<{ user: string; password: string }> {
  if (!as || as === "postgres") return { user: "postgres", password: (await site.secrets()).superuser.reveal() };
  const credentials = await readCredentials(site.topology.paths, database);
  const known = [credentials?.app, credentials?.read_only].find((login) => login?.user === as);
  if (known) return known;
  const names = [credentials?.app.user, credentials?.read_only.user].filter((name) => name !== undefined);
  throw new HomelabError("not_found", `the password of ${as} is not known here`, {
    hint:
      names.length > 0
        ? `--as takes ${names.join(" or ")}; without it you are the superuser.`
        : "Without --as you are the superuser.",
  });
}

/**
 * A person as the superuser is safe from what the database's owner set, too; they still find its tables by their short
 * names, and may take their time. Whoever comes as a role of the app gets just what the app gets.
 */
function pinnedFor(site: Site, user: string): Record<string, string> {
  if (user !== "postgres") return {};
  const changed = {
    search_path: "public",
    row_security: "on",
    client_min_messages: "notice",
    statement_timeout: "0",
    lock_timeout: "0",
    idle_in_transaction_session_timeout: "0",
  };
  return { PGOPTIONS: pinnedOptions({ postgresql: site.topology.versions.postgresql, superuser: true, changed }) };
}

/** What psql needs to draw on this terminal. */
function terminalVariables(): Record<string, string> {
  const names = ["TERM", "COLUMNS", "LINES", "PAGER", "PSQL_PAGER", "EDITOR", "HOME"];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

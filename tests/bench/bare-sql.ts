import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { homePaths } from "../../src/cluster/home.ts";
import { databaseProvision } from "../../src/operations/database/provision.ts";
import { isBracket, type StepContext } from "../../src/operations/operation.ts";
import type { ProvisionInput } from "../../src/operations/database/provision-input.ts";
import { readCredentials } from "../../src/site/credentials.ts";
import { ensureFolder } from "../../src/host/files.ts";
import type { PostgresSessions, Session } from "../../src/engines/postgres/sessions.ts";
import type { Site } from "../../src/site/site.ts";
import type { Psql } from "./psql.ts";

/** The statements of one new database, for psql: written by the operation's own steps, so they are the very same. */
export interface BareSql {
  /** Roles, database, `\c` into it, privileges. */
  create: string;
  user: string;
  password: string;
}

/** Lets the steps of database.provision write their statements down instead of running them. */
export async function bareSql(site: Site, name: string): Promise<BareSql> {
  const folder = await mkdtemp(join(tmpdir(), "hl-bare-"));
  try {
    const paths = homePaths(folder);
    await ensureFolder(paths.credentials, 0o700);
    const lines: string[] = [];
    const topology = { ...site.topology, paths };
    const recording = { ...site, topology, postgres: async () => recorder(lines) };
    const input = databaseProvision.input.parse({ name });
    for (const step of databaseProvision.steps) {
      // The login through the pooler is no statement, and is measured in a row of its own.
      if (isBracket(step) || step.name === "prove-app-login") continue;
      await step.run(contextOf(recording, input));
    }
    const { app } = (await readCredentials(paths, name))!;
    return { create: lines.join("\n"), ...app };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function contextOf(site: Site, input: ProvisionInput): StepContext<ProvisionInput> {
  return {
    input,
    site,
    runId: "op_bench",
    signal: new AbortController().signal,
    output: () => undefined,
    progress: () => {},
  };
}

/** What a step asks of the database that it has just made; every other question finds nothing there yet. */
const ANSWERS: [RegExp, Record<string, unknown>][] = [[/datconnlimit AS "limit"/, { limit: 0 }]];

/** Sessions that write down whatever changes something. `haveSameRights` shows that nothing was left out. */
export function recorder(lines: string[]): PostgresSessions {
  const session: Session = {
    async query<R>(text: string) {
      if (!/^\s*(SELECT|WITH)\b/i.test(text)) lines.push(`${text};`);
      return ANSWERS.filter(([question]) => question.test(text)).map(([, answer]) => answer as R);
    },
    async transaction(statements) {
      lines.push("BEGIN;", ...statements.map((statement) => `${statement};`), "COMMIT;");
    },
  };
  return {
    admin: async () => session,
    monitor: async () => session,
    leave: async () => {},
    within: async <T>(database: string, work: (session: Session) => Promise<T>) => {
      lines.push(`\\c ${database}`);
      return work(session);
    },
  } as unknown as PostgresSessions;
}

/** Everything about a database that its creation settles, its name left out. */
async function rightsOf(psql: Psql, name: string): Promise<string> {
  const outside = `SELECT datconnlimit, datacl, (SELECT string_agg(concat_ws(',', rolname, rolcanlogin, rolinherit, rolconnlimit, rolconfig), ' ' ORDER BY rolname)
    FROM pg_roles WHERE rolname LIKE '${name.replaceAll("_", "\\_")}\\_%') FROM pg_database WHERE datname = '${name}';`;
  const inside = `SELECT (SELECT concat_ws(' ', nspowner::regrole, nspacl) FROM pg_namespace WHERE nspname = 'public'),
    (SELECT string_agg(concat_ws(' ', defaclobjtype, defaclacl), ' ' ORDER BY defaclobjtype) FROM pg_default_acl),
    (SELECT string_agg(concat_ws(' ', prosecdef, proacl), ' ') FROM pg_proc WHERE proname = 'user_lookup');`;
  const text = await psql.run(`${outside}\n\\c ${name}\n${inside}\n\\c postgres`);
  return text.replaceAll(name, "<name>");
}

/** @throws Error when the statements of a bare database did not do what the operation did */
export async function haveSameRights(psql: Psql, ours: string, bare: string): Promise<void> {
  const [a, b] = [await rightsOf(psql, ours), await rightsOf(psql, bare)];
  if (a !== b) throw new Error(`the bare statements did something else:\n${a}\n${b}`);
}

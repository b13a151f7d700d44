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

/** Sessions that answer nothing and write down whatever changes something. */
export function recorder(lines: string[]): PostgresSessions {
  const session: Session = {
    async query(text) {
      if (!/^\s*(SELECT|WITH)\b/i.test(text)) lines.push(`${text};`);
      return [];
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

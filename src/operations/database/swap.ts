import { waitUntil } from "../../core/clock.ts";
import { endSessions } from "../../engines/postgres/databases.ts";
import { readCredentials } from "../../site/credentials.ts";
import type { Step, StepContext } from "../operation.ts";
import { provePooledLogin } from "./prove-app-login.ts";

/** PostgreSQL's code for "somebody is still connected". */
const OBJECT_IN_USE = "55006";

/** Renames databases in one transaction, once nobody is in any of them: there is no moment without the name. */
export async function renameTogether(
  { site, signal }: StepContext<unknown>,
  databases: string[],
  statements: string[],
): Promise<void> {
  const sessions = await site.postgres();
  await sessions.leave();
  const admin = await sessions.admin();
  const attempt = async () => {
    for (const database of databases) await endSessions(admin, database);
    try {
      await admin.transaction(statements);
      return true;
    } catch (error) {
      if ((error as { code?: string }).code !== OBJECT_IN_USE) throw error;
      return false;
    }
  };
  await waitUntil(attempt, { timeout: 20, every: 50, signal, what: `${databases.join(" and ")} are free of sessions` });
}

/** An app's own way in, after the database behind its URL is another one. */
export function proveLoginTo<In>(nameOf: (context: StepContext<In>) => string): Step<In> {
  return {
    name: "prove-login",
    plan: () => "log in through the pooler as the app would",
    async run(context) {
      const database = nameOf(context);
      const credentials = await readCredentials(context.site.topology.paths, database);
      if (!credentials) return { says: `the passwords of ${database} are not on this machine: no login was tried` };
      await provePooledLogin(context.site, { database, ...credentials.app }, context.signal);
      return { says: `${credentials.app.user} logged in through the pooler` };
    },
    deadline: 30,
  };
}

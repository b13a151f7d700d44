import type { Json } from "../../../core/json.ts";
import { connectionUrl } from "../../../cluster/urls.ts";
import { listDatabases } from "../../../engines/postgres/databases.ts";
import { proveLogin } from "../../../engines/postgres/login.ts";
import { readCredentials } from "../../../site/credentials.ts";
import type { Step, StepContext } from "../../operation.ts";

/** Which databases are there again, and how their passwords do. */
export interface ProvenLogins {
  [key: string]: Json;
  databases: number;
  /** A login with the kit's password went through. */
  proven: number;
  /** Made, or given another password, after the kit: apps go on with what they have, and we do not know it. */
  unknown: string[];
}

async function isProven({ site }: StepContext<unknown>, database: string): Promise<boolean> {
  const known = await readCredentials(site.topology.paths, database);
  if (!known) return false;
  const { user, password } = known.app;
  const url = connectionUrl(site.topology, { database, user, password }, "direct", "127.0.0.1");
  return proveLogin(url).then(
    () => true,
    () => false,
  );
}

/** Every app's login, as the app would. One that fails is told, and stops nothing: the data is back. */
export const proveLogins: Step<unknown> = {
  name: "prove-logins",
  plan: () => "log in to each database with the password that the kit has",
  async run(context) {
    const rows = await listDatabases(await (await context.site.postgres()).admin());
    const names = rows.filter(({ anchor }) => anchor && !anchor.deleted).map(({ name }) => name);
    const unknown: string[] = [];
    for (const [i, name] of names.entries()) {
      if (!(await isProven(context, name))) unknown.push(name);
      context.progress({ done: i + 1, total: names.length, unit: "steps" });
    }
    const proven = names.length - unknown.length;
    const output: ProvenLogins = { databases: names.length, proven, unknown };
    return { says: `${proven} of ${names.length} databases let their app in`, output };
  },
  deadline: 120,
};

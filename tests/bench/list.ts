import { join } from "node:path";
import { run } from "../../src/host/run.ts";
import { checkout } from "../harness/home.ts";
import { atMost, makeRow, type Bench } from "./bench.ts";
import { inTurns, timed } from "./statistics.ts";
import { Worker } from "./work.ts";

const TIMES = 50;
const STARTS = 20;

/** What a list needs of the catalog, as one would ask psql. */
const CATALOG = `
  SELECT d.datname, r.rolname, coalesce(s.numbackends, 0), shobj_description(a.oid, 'pg_authid')
  FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
  LEFT JOIN pg_stat_database s ON s.datid = d.oid LEFT JOIN pg_roles a ON a.rolname = d.datname || '_app'
  WHERE NOT d.datistemplate ORDER BY 1;`;

/** Looking at 1,000 databases: the report in a running process, and whole commands from the shell. */
export const list: Bench = {
  name: "list",
  async measure({ home, say }) {
    const bench = await home();
    say("filling the server up to 1,000 databases");
    await bench.thousandDatabases();
    const [worker, psql] = await Promise.all([Worker.start(bench.root), bench.psql()]);
    const env = { PATH: process.env["PATH"]!, HOME: process.env["HOME"] ?? "/" };
    const launch = (...argv: [string, ...string[]]) => timed(() => run({ argv, env }));
    const command = (...words: string[]) => launch(join(checkout, "homelab"), "--home", bench.root, ...words);
    const password = await bench.test.secret("superuser");
    const conninfo = `host=${bench.test.paths.run} port=${bench.test.port(5431)} user=postgres`;
    // A process too, as the commands are.
    const bare = () =>
      timed(() => run({ argv: ["psql", "-XqAt", conninfo, "-c", CATALOG], env: { ...env, PGPASSWORD: password } }));
    try {
      await worker.measure("list");
      await psql.run(CATALOG);
      const report = await inTurns(TIMES, {
        bare: () => timed(() => psql.run(CATALOG)),
        ours: async () => (await worker.measure("list")).ms,
      });
      await command("db", "list");
      const asProcess = await inTurns(STARTS, { bare, ours: () => command("db", "list") });
      const status = await inTurns(STARTS, { bare, ours: () => command("status") });
      return [
        makeRow("list of 1,000 / the catalog query in an open psql", "ms", report, atMost(25, "ms")),
        makeRow("./homelab db list of 1,000 / psql -c", "ms", asProcess, atMost(120, "ms")),
        makeRow("./homelab status with 1,000 / psql -c", "ms", status, atMost(300, "ms")),
      ];
    } finally {
      worker.end();
      await psql.end();
    }
  },
};

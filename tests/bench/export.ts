import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cleanEnvironment, run } from "../../src/host/run.ts";
import { checkout } from "../harness/home.ts";
import { atMostTimes, makePairedRow, type Bench } from "./bench.ts";
import { inTurns, timed } from "./statistics.ts";

const SCALE = 20;
const ROUNDS = 5;

/** A dump of one database through the hub and the command, beside pg_dump by hand. */
export const exporting: Bench = {
  name: "export",
  async measure({ home, say }) {
    const { test } = await home();
    const { user, password } = await test.createDatabase("bench_export");
    const login = cleanEnvironment({ PGPASSWORD: password });
    const socket = ["-h", test.paths.run, "-p", String(test.port(5431)), "-U", user];
    say(`pgbench -i -s ${SCALE}`);
    await run({ argv: ["pgbench", "-i", "-q", "-s", String(SCALE), ...socket, "bench_export"], env: login });
    const folder = await mkdtemp(join(tmpdir(), "hl-export-"));
    const env = { PATH: process.env["PATH"]!, HOME: process.env["HOME"] ?? "/" };
    const command = [join(checkout, "homelab"), "--home", test.root, "db", "export", "bench_export"] as const;
    const bareFile = join(folder, "bare.dump");
    try {
      const times = await inTurns(ROUNDS, {
        bare: () =>
          timed(() => run({ argv: ["pg_dump", "-Fc", "-f", bareFile, ...socket, "bench_export"], env: login })),
        ours: () => timed(() => run({ argv: [...command, join(folder, "ours.dump"), "--yes"], env })),
      });
      const { size } = await stat(bareFile);
      const name = `db export of pgbench scale ${SCALE} / pg_dump -Fc`;
      return [makePairedRow(name, "ms", times, atMostTimes(1.2), `a dump of ${Math.round(size / 1e6)} MB`)];
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../src/host/run.ts";
import { TestHome } from "../harness/home.ts";
import { runAsOwner } from "./as-owner.ts";
import { BareCluster } from "./bare-cluster.ts";
import { atMostTimes, makePairedRow, type Bench, type Row } from "./bench.ts";
import { engineOwner } from "./home.ts";
import { inTurns, timed } from "./statistics.ts";

const TIMES = 3;

/** An empty home, `up`, `db create`, and a query through the pooler. */
async function ourStart(upAlone: number[]): Promise<number> {
  const home = await TestHome.empty();
  try {
    return (
      (await timed(async () => {
        upAlone.push((await timed(() => home.ok("up", ...home.upFlags()))) / 1000);
        const { pooled_url } = await home.createDatabase("first");
        await run({ argv: ["psql", "-XqAt", pooled_url, "-c", "SELECT 1"] });
      })) / 1000
    );
  } finally {
    await home.destroy();
  }
}

/** PostgreSQL alone: initdb, start, and a query over the socket. */
async function plainStart(bin: string): Promise<number> {
  const owner = engineOwner();
  const folder = await mkdtemp(join(tmpdir(), "hl-plain-"));
  if (owner.uid !== undefined) await chown(folder, owner.uid, owner.gid!);
  const data = join(folder, "data");
  const pgCtl = (...words: string[]) => runAsOwner(owner, [join(bin, "pg_ctl"), "-D", data, "-w", ...words]);
  const options = `-c listen_addresses='' -c unix_socket_directories=${folder}`;
  try {
    return (
      (await timed(async () => {
        const words = ["-D", data, "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"];
        await runAsOwner(owner, [join(bin, "initdb"), ...words, "-A", "peer", "-U", await userName(owner.uid)]);
        await pgCtl("-o", options, "-l", join(folder, "log"), "start");
        await runAsOwner(owner, ["psql", "-XqAt", "-h", folder, "-d", "postgres", "-c", "SELECT 1"]);
      })) / 1000
    );
  } finally {
    await pgCtl("-m", "immediate", "stop").catch(() => {});
    await rm(folder, { recursive: true, force: true });
  }
}

/** The superuser is called as its system user: peer is the whole login. */
const userName = async (uid: number | undefined): Promise<string> =>
  (await run({ argv: uid === undefined ? ["id", "-un"] : ["id", "-un", String(uid)] })).stdout.trim();

export const coldStart: Bench = {
  name: "cold-start",
  async measure({ say }): Promise<Row[]> {
    const bare = await BareCluster.prepare();
    const upAlone: number[] = [];
    try {
      const { postgresBin } = await bare.programs();
      await bare.clear();
      const values = await inTurns(TIMES, {
        ours: async (round) => (say(`cold start, round ${round + 1}`), ourStart(upAlone)),
        bare: async () => {
          const ms = await timed(() => bare.start());
          await bare.clear();
          return ms / 1000;
        },
        plain: () => plainStart(postgresBin),
      });
      return [
        makePairedRow(
          "cold start to a pooled query / the same engines by a shell script",
          "s",
          { ours: values.ours, bare: values.bare },
          atMostTimes(1.3),
          "the script finds certificates and configurations ready; ours makes them, and starts an agent besides",
        ),
        makePairedRow("./homelab up alone / the same shell script", "s", { ours: upAlone, bare: values.bare }),
        makePairedRow(
          "cold start to a pooled query / initdb, pg_ctl start, psql",
          "s",
          { ours: values.ours, bare: values.plain },
          undefined,
          "PostgreSQL alone: no etcd, Patroni, pooler or balancer, no database and no roles",
        ),
      ];
    } finally {
      await bare.destroy();
    }
  },
};

import { chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { bootstrapPostgres } from "../../src/engines/postgres/bootstrap.ts";
import { certificateFiles } from "../../src/engines/tls.ts";
import { connectionUrl } from "../../src/cluster/urls.ts";
import { readText } from "../../src/host/files.ts";
import { endProcess, identify, stopLeftover } from "../../src/host/processes.ts";
import { runAsOwner } from "./as-owner.ts";
import { bareSql, recorder } from "./bare-sql.ts";
import { BenchHome } from "./home.ts";

/**
 * The same engines with the same configuration and certificates, all rendered by an installation of ours that is
 * stopped, started by a shell script as one would write it by hand.
 */
export class BareCluster {
  readonly #home: BenchHome;
  readonly #script: string;

  private constructor(home: BenchHome, script: string) {
    this.#home = home;
    this.#script = script;
  }

  static async prepare(): Promise<BareCluster> {
    const home = await BenchHome.up();
    const site = await home.site();
    const { topology } = site;
    const bootstrap: string[] = [];
    await bootstrapPostgres(recorder(bootstrap), await site.secrets());
    const { create, user, password } = await bareSql(site, "first");
    const url = connectionUrl(topology, { database: "first", user, password }, "pooled", "127.0.0.1");
    const tls = certificateFiles(topology.paths);
    const ask = `curl -fs --cacert ${tls.ca} --cert ${tls.cert} --key ${tls.key} https://127.0.0.1`;
    const start = new Map(
      (await home.services()).map(({ name, argv, env }) => {
        const variables = Object.entries(env).map(([key, value]) => `${key}='${value}'`);
        return [
          name,
          `env ${variables.join(" ")} setsid ${argv.join(" ")} >> ${join(topology.paths.logs, `${name}.log`)} 2>&1 &\necho $! > ${join(topology.paths.run, `${name}.bare`)}`,
        ];
      }),
    );
    const script = [
      "set -eu",
      start.get("etcd")!,
      `until ${ask}:${topology.ports.etcd_client}/health | grep -q '"health":"true"'; do sleep 0.05; done`,
      ...["patroni", "haproxy", "pgbouncer", "pgbouncer-ro"].map((name) => start.get(name)!),
      `until ${ask}:${topology.ports.patroni}/primary > /dev/null; do sleep 0.05; done`,
      `PGPASSWORD='${await home.test.secret("superuser")}' psql -XqAt -v ON_ERROR_STOP=1 "host=${topology.paths.run} port=${topology.ports.postgres} user=postgres dbname=postgres" > /dev/null <<'SQL'`,
      ...bootstrap,
      create,
      "SQL",
      `psql -XqAt '${url}' -c 'SELECT 1' > /dev/null`,
      "",
    ];
    await home.test.killAll();
    return new BareCluster(home, script.join("\n"));
  }

  /** Where PostgreSQL's own programs are. */
  async programs(): Promise<{ postgresBin: string }> {
    return (await this.#home.site()).topology.programs;
  }

  /** From an empty data directory to the first query through the pooler. */
  async start(): Promise<void> {
    await runAsOwner(this.#home.owner, ["/bin/sh"], { input: this.#script });
  }

  /** Ends everything and empties the folders again. */
  async clear(): Promise<void> {
    const { paths } = this.#home.test;
    await this.#killBare();
    const { uid, gid } = this.#home.owner;
    for (const folder of [paths.data, paths.run, paths.logs]) {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { mode: 0o700 });
      if (uid !== undefined) await chown(folder, uid, gid!);
    }
  }

  async destroy(): Promise<void> {
    await this.#killBare();
    await this.#home.destroy();
  }

  async #killBare(): Promise<void> {
    const { paths } = this.#home.test;
    for (const { name } of await this.#home.services()) {
      const pid = Number(await readText(join(paths.run, `${name}.bare`)));
      const identity = pid > 0 ? identify(pid) : undefined;
      if (identity) await endProcess(identity, { signal: "SIGKILL", grace: 0 });
    }
    await stopLeftover({ pidFile: join(paths.postgresData, "postmaster.pid"), stop: { signal: "SIGQUIT", grace: 5 } });
  }
}
